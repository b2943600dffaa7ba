"""The ledger's first functions stood here; ``0005_functions`` installs them all."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("limits", "0001_initial")]
    operations = []
