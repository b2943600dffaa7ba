"""Use that rises when cover is lost: one function beside the ledger's own."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql" / "raise_use.sql"


class Migration(migrations.Migration):
    dependencies = [("facilities", "0003_unified_credit"), ("limits", "0005_functions")]
    operations = [migrations.RunSQL(SQL.read_text(encoding="utf-8"), migrations.RunSQL.noop)]
