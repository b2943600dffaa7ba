"""移交: customers pass from one person to another in steps that nobody can skip (CM-05)."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import Staff


class Handover(models.Model):
    """One handover 移交: 草拟 → 审核 → 分配 → 共同拜访 → 监交 → 完成."""

    class State(models.TextChoices):
        DRAFT = "draft", "草拟"
        REVIEWED = "reviewed", "已审核"
        ASSIGNED = "assigned", "已分配"
        VISITED = "visited", "已共同拜访"
        SUPERVISED = "supervised", "已监交"
        DONE = "done", "完成"
        CANCELLED = "cancelled", "已撤销"

    from_staff = models.ForeignKey(Staff, models.PROTECT, related_name="handovers_given", verbose_name="移交人")
    reason = models.CharField("原因", max_length=200)
    state = models.CharField("状态", max_length=12, choices=State.choices, default=State.DRAFT)
    is_leaving = models.BooleanField("离岗移交", default=False)
    drafted_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    reviewed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    supervised_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    view_ends_date = models.DateField("原主办查看截止", null=True, blank=True)
    watch_until_date = models.DateField("观察至", null=True, blank=True)
    drafted_at = models.DateTimeField(auto_now_add=True)
    done_date = models.DateField("完成日", null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name = "移交"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(reviewed_by__isnull=True)
                | (~Q(reviewed_by=F("drafted_by")) & ~Q(reviewed_by=F("from_staff"))),
                name="handover_reviewed_by_another",
            ),
            models.CheckConstraint(
                condition=Q(supervised_by__isnull=True) | ~Q(supervised_by=F("from_staff")),
                name="handover_supervised_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(done_date__isnull=False, supervised_by__isnull=False),
                name="handover_done_was_supervised",
            ),
            models.UniqueConstraint(
                fields=["from_staff"],
                condition=~Q(state__in=["done", "cancelled"]),
                name="one_open_handover_per_person",
            ),
        ]

    def __str__(self) -> str:
        return f"移交 {self.pk} {self.from_staff}"


class HandoverItem(models.Model):
    """One customer of a handover. ``customer_version`` is its ``updated_at`` when it was put on the list."""

    handover = models.ForeignKey(Handover, models.CASCADE, related_name="items")
    customer = models.ForeignKey("parties.Customer", models.PROTECT, related_name="handover_items")
    customer_version = models.DateTimeField()
    to_staff = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="handovers_received")
    accepted_at = models.DateTimeField("接收", null=True, blank=True)
    visited_date = models.DateField("共同拜访", null=True, blank=True)
    notice_date = models.DateField("告知客户", null=True, blank=True)
    notice_way = models.CharField("告知方式", max_length=40, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["handover", "customer"], name="customer_once_per_handover"),
        ]

    def __str__(self) -> str:
        return f"{self.handover_id} {self.customer_id}"
