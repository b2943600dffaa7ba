"""The door for an application server: ``shouxin.wsgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")

application = get_wsgi_application()
