"""Use that rises when cover is lost: a function of the ledger."""

from django.db import migrations

from shouxin.limits.sql import install


class Migration(migrations.Migration):
    dependencies = [("limits", "0006_batch_functions")]
    operations = [migrations.RunSQL(install(), migrations.RunSQL.noop)]
