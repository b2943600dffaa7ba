"""What was done, by whom, when: rows are added and never changed. The database refuses the rest by a trigger."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class Entry(models.Model):
    """One act on one subject. ``action`` is a dotted name such as ``facilities.drawing.refused``."""

    recorded_at = models.DateTimeField(auto_now_add=True, db_index=True)
    business_date = models.DateField("营业日")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=80)
    action = models.CharField(max_length=80)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=64)
    summary = models.TextField()
    details = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["subject_kind", "subject_id", "-id"], name="audit_entry_subject"),
            models.Index(fields=["actor", "-id"], name="audit_entry_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.recorded_at:%Y-%m-%d %H:%M} {self.actor_name} {self.summary}"


class Seal(models.Model):
    """One sealed block of a table whose rows are only added; its digest stands on the one before it."""

    source = models.CharField(max_length=20)
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    rows = models.PositiveIntegerField()
    previous = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["source", "last_seq"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "last_seq"], name="sealed_once"),
            models.UniqueConstraint(fields=["source", "previous"], name="seal_follows_one"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.first_seq}-{self.last_seq}"
