"""What many items of a batch are told is kept once an item without being built anew for each."""

from django.db import migrations, models

from shouxin.limits.sql import install


class Migration(migrations.Migration):
    dependencies = [("limits", "0007_raise_use")]
    operations = [
        migrations.AddField("idempotencykey", "hold_id", models.UUIDField(null=True)),
        migrations.AddField("idempotencykey", "asked_fen", models.BigIntegerField(null=True)),
        migrations.AlterField(
            "portfoliototal",
            "dimension",
            models.CharField(
                choices=[
                    ("CURRENCY", "币种"),
                    ("PRODUCT", "产品"),
                    ("BRANCH", "机构"),
                    ("INDUSTRY", "行业"),
                    ("COUNTRY", "国家或地区"),
                    ("GUARANTOR", "保证人"),
                ],
                max_length=10,
            ),
        ),
        migrations.RunSQL(install(), migrations.RunSQL.noop),
    ]
