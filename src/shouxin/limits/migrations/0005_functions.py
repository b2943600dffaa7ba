"""The ledger's SQL functions, and what keeps its rows together: holds and nodes that were used are never deleted."""

from django.db import migrations

from shouxin.limits.sql import install

KEEP = """
CREATE OR REPLACE FUNCTION limits_refuse_to_delete_used_node() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM limits_movement m WHERE m.node_id = OLD.id) THEN
        RAISE EXCEPTION 'limit node % has movements: it is closed, not deleted', OLD.id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER limits_node_used_is_kept BEFORE DELETE ON limits_node
    FOR EACH ROW EXECUTE FUNCTION limits_refuse_to_delete_used_node();
CREATE TRIGGER limits_hold_is_kept BEFORE DELETE ON limits_hold FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
DROP = """
DROP TRIGGER limits_node_used_is_kept ON limits_node;
DROP TRIGGER limits_hold_is_kept ON limits_hold;
DROP FUNCTION limits_refuse_to_delete_used_node();
"""


class Migration(migrations.Migration):
    dependencies = [("limits", "0004_ledger_complete"), ("audit", "0002_append_only")]
    operations = [
        migrations.RunSQL(install(), migrations.RunSQL.noop),
        migrations.RunSQL(KEEP, DROP),
    ]
