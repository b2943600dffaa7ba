"""Nobody changes the journal, not even the ledger's own functions."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER limits_movement_append_only BEFORE UPDATE OR DELETE ON limits_movement
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("limits", "0002_functions"), ("audit", "0002_append_only")]
    operations = [migrations.RunSQL(FORWARD, "DROP TRIGGER limits_movement_append_only ON limits_movement;")]
