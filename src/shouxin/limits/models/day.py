"""What the end of day leaves behind: month snapshots, portfolio totals, differences with product systems."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from shouxin.limits.models.holds import Hold
from shouxin.limits.models.tree import Node


class Snapshot(models.Model):
    """The counters of a node by business date at a month's end, as known when it was taken."""

    node = models.ForeignKey(Node, models.PROTECT, related_name="snapshots", db_index=False)
    month_end_date = models.DateField()
    up_to_seq = models.BigIntegerField()
    taken_at = models.DateTimeField()
    pending_fen = models.BigIntegerField()
    posted_fen = models.BigIntegerField()
    consumed_fen = models.BigIntegerField()
    earmarked_fen = models.BigIntegerField()
    cover_fen = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node", "month_end_date"], name="snapshot_once_per_month")
        ]

    def __str__(self) -> str:
        return f"{self.node} {self.month_end_date}"


class PortfolioTotal(models.Model):
    """The sum of all leaves for one value of one dimension at the end of a day; no reservation waits for it.

    A guarantor's sum is what the debtors owe, at most what was guaranteed.
    """

    class Dimension(models.TextChoices):
        CURRENCY = "CURRENCY", "币种"
        PRODUCT = "PRODUCT", "产品"
        BRANCH = "BRANCH", "机构"
        INDUSTRY = "INDUSTRY", "行业"
        COUNTRY = "COUNTRY", "国家或地区"
        GUARANTOR = "GUARANTOR", "保证人"

    dimension = models.CharField(max_length=10, choices=Dimension.choices)
    value = models.CharField(max_length=80)
    business_date = models.DateField()
    pending_fen = models.BigIntegerField()
    posted_fen = models.BigIntegerField()
    net_fen = models.BigIntegerField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dimension", "value", "business_date"], name="portfolio_total_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.dimension} {self.value}"


class ReconciliationRun(models.Model):
    """One comparison of the ledger with a product system's file of a day."""

    system = models.CharField("产品系统", max_length=40)
    business_date = models.DateField()
    digest = models.CharField("文件摘要", max_length=64)
    matched = models.PositiveIntegerField("一致笔数", default=0)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["system", "business_date", "digest"], name="reconciled_once_per_file")
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.business_date}"


class ReconciliationItem(models.Model):
    """One difference and what is proposed; two persons carry it out or dismiss it."""

    class Proposal(models.TextChoices):
        REVERSE = "REVERSE", "额度已记、产品系统未记：拟冲销"
        UPLOAD = "UPLOAD", "产品系统已记、额度未记：拟补录"
        AMOUNT = "AMOUNT", "金额不一致：待查"

    class State(models.TextChoices):
        PROPOSED = "PROPOSED", "待处理"
        DONE = "DONE", "已处理"
        DISMISSED = "DISMISSED", "不处理"

    run = models.ForeignKey(ReconciliationRun, models.PROTECT, related_name="items")
    proposal = models.CharField(max_length=10, choices=Proposal.choices)
    reference = models.CharField("业务编号", max_length=80)
    hold = models.ForeignKey(Hold, models.PROTECT, null=True, related_name="+")
    facility = models.ForeignKey(Node, models.PROTECT, null=True, related_name="+")
    ledger_fen = models.BigIntegerField(null=True)
    system_fen = models.BigIntegerField(null=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("proposed_by")), name="reconciliation_four_eyes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_proposal_display()} {self.reference}"
