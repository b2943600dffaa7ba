"""Contracts that were there before tell their leaves which branch booked them."""

from django.db import migrations

_FILL = """
UPDATE limits_node n SET booking_unit_id = f.branch_id FROM facilities_facility f WHERE f.node_id = n.id
"""


class Migration(migrations.Migration):
    dependencies = [("facilities", "0005_freeze_confirmed"), ("limits", "0009_booking_unit")]
    operations = [migrations.RunSQL(_FILL, migrations.RunSQL.noop)]
