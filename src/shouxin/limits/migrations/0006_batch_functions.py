"""The batch functions without searches by position, and 串用 that leaves nothing behind when it does not help."""

from django.db import migrations

from shouxin.limits.sql import install


class Migration(migrations.Migration):
    dependencies = [("limits", "0005_functions")]
    operations = [migrations.RunSQL(install(), migrations.RunSQL.noop)]
