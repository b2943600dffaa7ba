"""A kept line is one text instead of an array, and says everything that is wrong with it, not only the first."""

from django.db import migrations, models

FORWARD = """
UPDATE reporting_importrow SET text = array_to_string(cells, E'\\x1f', ''),
  findings = CASE WHEN reason <> '' THEN jsonb_build_array(jsonb_build_array("column", reason)) END
"""
NUMBERS = """
UPDATE reporting_importjob j SET number = n.place FROM (
  SELECT id, row_number() OVER (ORDER BY id) AS place FROM reporting_importjob WHERE state NOT IN ('staged', 'checked')
) n WHERE n.id = j.id
"""
EFFECT_KEY = """
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
DROP INDEX import_effect_line;
ALTER TABLE reporting_importeffect DROP COLUMN id;
ALTER TABLE reporting_importeffect ADD PRIMARY KEY (job_id, line);
"""


class Migration(migrations.Migration):
    dependencies = [("reporting", "0001_initial")]

    operations = [
        migrations.AddField(
            "importjob", "number", models.PositiveIntegerField(null=True, unique=True, verbose_name="编号")
        ),
        migrations.AddField("importjob", "samples", models.JSONField(default=list)),
        migrations.RunSQL(NUMBERS, migrations.RunSQL.noop),
        migrations.AlterField(
            "importrow",
            "state",
            models.CharField(
                choices=[("new", "新增"), ("update", "更新"), ("duplicate", "重复"), ("error", "错误")], max_length=10
            ),
        ),
        migrations.AddField("importrow", "text", models.TextField(default=""), preserve_default=False),
        migrations.AddField("importrow", "findings", models.JSONField(null=True)),
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
        migrations.RemoveField("importrow", "cells"),
        migrations.RemoveField("importrow", "column"),
        migrations.RemoveField("importrow", "reason"),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(EFFECT_KEY, migrations.RunSQL.noop)],
            [
                migrations.RemoveIndex("importeffect", "import_effect_line"),
                migrations.RemoveField("importeffect", "id"),
                migrations.AddField(
                    "importeffect",
                    "pk",
                    models.CompositePrimaryKey(
                        "job_id", "line", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        ),
    ]
