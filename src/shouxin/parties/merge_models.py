"""Two entries that may be one: pairs that were found, and merges that were made and can be undone."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import Staff


class DuplicatePair(models.Model):
    """Two customers that look like one, with the score (0-100) and its reasons; a person decides."""

    class State(models.TextChoices):
        OPEN = "open", "待判断"
        DIFFERENT = "different", "不是同一客户"
        MERGED = "merged", "已合并"

    first = models.ForeignKey("parties.Customer", models.CASCADE, related_name="+")
    second = models.ForeignKey("parties.Customer", models.CASCADE, related_name="+")
    score = models.PositiveSmallIntegerField("相似度")
    reasons = models.JSONField(default=list)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN)
    decided_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["-score", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["first", "second"], name="duplicate_pair_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="duplicate_pair_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} ~ {self.second_id}: {self.score}"


class CustomerMerge(models.Model):
    """``merged`` became part of ``kept``; ``moves`` lists every row that was repointed, so that it can be undone."""

    kept = models.ForeignKey("parties.Customer", models.PROTECT, related_name="+")
    merged = models.ForeignKey("parties.Customer", models.PROTECT, related_name="+")
    reason = models.CharField("理由", max_length=200)
    moves = models.JSONField(default=list)
    before = models.JSONField(default=dict)
    merged_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    merged_at = models.DateTimeField(auto_now_add=True)
    undone_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["merged"], condition=Q(undone_at__isnull=True), name="customer_merged_once_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merged_id} → {self.kept_id}"
