"""The list's repeated columns follow the tables they come from, whoever writes those and however.

One statement, one refresh of the rows it touched: a bulk insert does not pay per row. An import that writes the
right values itself says ``SET LOCAL shouxin.list_columns = 'given'``.
"""

from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION parties_refresh_list_columns(ids bigint[]) RETURNS void LANGUAGE sql AS $$
  UPDATE parties_customer c
     SET main_owner_id = n.owner_id, main_class_id = n.class_id, is_valid = n.is_valid
    FROM (
      SELECT s.id,
             (SELECT o.staff_id FROM parties_ownership o
               WHERE o.customer_id = s.id AND o.kind = 'main' AND o.valid_to IS NULL) AS owner_id,
             (SELECT k.customer_class_id FROM parties_classification k
                JOIN parties_classscheme m ON m.id = k.scheme_id AND m.is_main
               WHERE k.customer_id = s.id AND k.valid_to IS NULL) AS class_id,
             EXISTS (SELECT FROM parties_contactpoint p WHERE p.customer_id = s.id AND p.is_working)
               AND EXISTS (SELECT FROM parties_classification k
                            WHERE k.customer_id = s.id AND k.valid_to IS NULL) AS is_valid
        FROM unnest(ids) AS s(id)
    ) n
   WHERE c.id = n.id
     AND (c.main_owner_id, c.main_class_id, c.is_valid) IS DISTINCT FROM (n.owner_id, n.class_id, n.is_valid)
$$;

CREATE FUNCTION parties_list_columns_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  ids bigint[];
BEGIN
  IF current_setting('shouxin.list_columns', true) = 'given' THEN RETURN NULL; END IF;
  IF TG_OP = 'DELETE' THEN SELECT array_agg(DISTINCT customer_id) INTO ids FROM old_rows;
  ELSIF TG_OP = 'INSERT' THEN SELECT array_agg(DISTINCT customer_id) INTO ids FROM new_rows;
  ELSE SELECT array_agg(DISTINCT customer_id) INTO ids
         FROM (SELECT customer_id FROM old_rows UNION SELECT customer_id FROM new_rows) r;
  END IF;
  IF ids IS NOT NULL THEN PERFORM parties_refresh_list_columns(ids); END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION parties_list_columns_are_derived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.main_owner_id := (SELECT o.staff_id FROM parties_ownership o
    WHERE o.customer_id = NEW.id AND o.kind = 'main' AND o.valid_to IS NULL);
  NEW.main_class_id := (SELECT k.customer_class_id FROM parties_classification k
    JOIN parties_classscheme m ON m.id = k.scheme_id AND m.is_main
    WHERE k.customer_id = NEW.id AND k.valid_to IS NULL);
  NEW.is_valid := EXISTS (SELECT FROM parties_contactpoint p WHERE p.customer_id = NEW.id AND p.is_working)
    AND EXISTS (SELECT FROM parties_classification k WHERE k.customer_id = NEW.id AND k.valid_to IS NULL);
  RETURN NEW;
END $$;

-- A row that was read earlier and saved whole would put old values back.
CREATE TRIGGER list_columns_are_derived BEFORE UPDATE ON parties_customer FOR EACH ROW
  WHEN ((OLD.main_owner_id, OLD.main_class_id, OLD.is_valid)
        IS DISTINCT FROM (NEW.main_owner_id, NEW.main_class_id, NEW.is_valid))
  EXECUTE FUNCTION parties_list_columns_are_derived();
"""

TABLES = ("parties_ownership", "parties_classification", "parties_contactpoint")
TRIGGERS = "".join(
    f"""
CREATE TRIGGER list_columns_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION parties_list_columns_changed();
CREATE TRIGGER list_columns_update AFTER UPDATE ON {table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION parties_list_columns_changed();
CREATE TRIGGER list_columns_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION parties_list_columns_changed();
"""
    for table in TABLES
)
# The deferred foreign keys of rows that were just written must be checked before their table may be altered.
EXISTING = """
SELECT parties_refresh_list_columns(coalesce(array_agg(id), '{}')) FROM parties_customer;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
ALTER TABLE parties_customer ALTER COLUMN search SET STATISTICS 1000;
"""
REVERSE = "".join(
    f"DROP TRIGGER list_columns_{event} ON {table};" for table in TABLES for event in ("insert", "update", "delete")
) + """
DROP TRIGGER list_columns_are_derived ON parties_customer;
DROP FUNCTION parties_list_columns_are_derived();
DROP FUNCTION parties_list_columns_changed();
DROP FUNCTION parties_refresh_list_columns(bigint[]);
"""


class Migration(migrations.Migration):
    dependencies = [("parties", "0002_list_handover_merge")]

    operations = [
        migrations.RunSQL(FUNCTIONS + TRIGGERS, REVERSE),
        migrations.RunSQL(EXISTING, ""),
    ]
