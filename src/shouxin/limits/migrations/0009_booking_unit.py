"""A contract's leaf knows the branch that booked it, so that totals by branch are read as everywhere else."""

import django.db.models.deletion
from django.db import migrations, models

from shouxin.limits.sql import install


class Migration(migrations.Migration):
    dependencies = [("limits", "0008_shared_answers"), ("bank", "0001_initial")]
    operations = [
        migrations.AddField(
            "node",
            "booking_unit",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="bank.orgunit",
                verbose_name="订立合同的机构",
            ),
        ),
        migrations.RunSQL(install(), migrations.RunSQL.noop),
    ]
