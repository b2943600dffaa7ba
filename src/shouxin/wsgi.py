"""The door for an application server: ``shouxin.wsgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")

_site = get_wsgi_application()

from shouxin.web.lean import two_ways  # noqa: E402 - Django is set up first

application = two_ways(_site)
