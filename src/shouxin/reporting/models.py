"""Imports as jobs: the file's rows as they came, what the check said of each, and what became of it."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from shouxin.bank.models import Staff


class ImportMapping(models.Model):
    """How the columns of somebody's file are called; offered again for a file with the same titles."""

    table = models.CharField(max_length=40)
    name = models.CharField("映射名称", max_length=80)
    titles = models.JSONField(default=list)
    columns = models.JSONField("列", default=dict)
    saved_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["table", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["table", "name"], name="import_mapping_name_once_per_table"),
        ]

    def __str__(self) -> str:
        return self.name


class ImportJob(models.Model):
    """One file on its way in. ``created + updated + skipped + failed`` is ``rows_read`` when it is done.

    ``number`` is given when it begins to write: what was only looked at uses none up.
    """

    class State(models.TextChoices):
        STAGED = "staged", "待映射"
        CHECKED = "checked", "已检查"
        RUNNING = "running", "导入中"
        STOPPED = "stopped", "已停止"
        DONE = "done", "已完成"
        FAILED = "failed", "失败"
        UNDONE = "undone", "已撤销"

    number = models.PositiveIntegerField("编号", null=True, unique=True)
    table = models.CharField("表", max_length=40)
    file_name = models.CharField("文件", max_length=200)
    file_sha256 = models.CharField(max_length=64)
    encoding = models.CharField("编码", max_length=20)
    stored_path = models.CharField(max_length=300, blank=True)
    header_row = models.PositiveSmallIntegerField("表头所在行", default=1)
    titles = ArrayField(models.CharField(max_length=200), default=list)
    places = models.JSONField(default=dict)
    samples = models.JSONField(default=list)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.STAGED)
    started_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    skips_bad_rows = models.BooleanField(default=False)
    rows_read = models.PositiveIntegerField(default=0)
    new_rows = models.PositiveIntegerField(default=0)
    update_rows = models.PositiveIntegerField(default=0)
    duplicate_rows = models.PositiveIntegerField(default=0)
    error_rows = models.PositiveIntegerField(default=0)
    next_line = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField("新增", default=0)
    updated = models.PositiveIntegerField("更新", default=0)
    skipped = models.PositiveIntegerField("未变", default=0)
    failed = models.PositiveIntegerField("失败", default=0)
    is_stop_asked = models.BooleanField(default=False)
    error = models.TextField(blank=True)
    undo_result = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    business_date = models.DateField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["table", "file_sha256"],
                condition=Q(state="running"),
                name="one_running_import_per_file",
            ),
            models.CheckConstraint(
                condition=~Q(state="done")
                | Q(rows_read=models.F("created") + models.F("updated") + models.F("skipped") + models.F("failed")),
                name="import_counts_add_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.file_name}"


CELL_BREAK = "\x1f"
"""Between two cells of a kept line; a cell that holds it has a blank instead."""


class ImportRow(models.Model):
    """One line of the file as it came, and what the check said: everything that is wrong, as [column, reason]."""

    class State(models.TextChoices):
        NEW = "new", "新增"
        UPDATE = "update", "更新"
        DUPLICATE = "duplicate", "重复"
        ERROR = "error", "错误"

    pk = models.CompositePrimaryKey("job_id", "line")
    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="rows", db_index=False)
    line = models.PositiveIntegerField()
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices)
    findings = models.JSONField(null=True)
    target_id = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar = ["job_id", "line"]
        indexes: ClassVar = [
            models.Index(fields=["job", "line"], name="import_row_errors", condition=Q(state="error")),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.line}"

    @property
    def cells(self) -> list[str]:
        return self.text.split(CELL_BREAK)


class ImportEffect(models.Model):
    """What one line did: the row it made or changed, and what stood there before. ``stamp`` is the row's own
    ``updated_at`` as this import left it: another one there means that somebody has worked on it since."""

    pk = models.CompositePrimaryKey("job_id", "line")
    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="effects", db_index=False)
    line = models.PositiveIntegerField()
    is_new = models.BooleanField()
    target_id = models.BigIntegerField()
    before = models.JSONField(null=True)
    stamp = models.DateTimeField()
    undo_state = models.CharField(max_length=10, blank=True)

    class Meta:
        ordering: ClassVar = ["job_id", "line"]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.line} {self.target_id}"
