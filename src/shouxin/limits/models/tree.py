"""The limit tree: nodes, their approved caps, where they hung when, and what is above its cap.

Amounts are integer 分. ``used = pending + (posted or consumed) + earmarked``, less cash cover where the cap limits
the net exposure; ``available = cap − used``; a node without a cap of its own is bounded by those above it. The table
itself refuses used > cap without a cause (I13).
"""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import Case, F, Q, When

from shouxin.bank.models import OrgUnit
from shouxin.groups.models import CustomerGroup
from shouxin.limits.labels import EXCESS_CAUSES
from shouxin.parties.models import Customer


class Node(models.Model):
    """One limit: of a group, a customer, a product of that customer, or a facility."""

    class Kind(models.TextChoices):
        GROUP = "GROUP", "集团"
        CUSTOMER = "CUSTOMER", "成员"
        PRODUCT = "PRODUCT", "产品"
        FACILITY = "FACILITY", "合同"

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "有效"
        SUSPENDED = "SUSPENDED", "暂停"
        FROZEN = "FROZEN", "冻结"
        EXPIRED = "EXPIRED", "到期"
        CLOSED = "CLOSED", "关闭"

    class Mode(models.TextChoices):
        CAP = "CAP", "可超分配"
        ALLOC = "ALLOC", "下级合计不超上级"

    class Measure(models.TextChoices):
        GROSS = "GROSS", "名义金额"
        NET = "NET", "敞口"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    name = models.CharField(max_length=200)
    article = models.CharField("依据", max_length=20, blank=True)
    group = models.OneToOneField(CustomerGroup, models.PROTECT, null=True, related_name="limit_node")
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, related_name="limit_nodes")
    product = models.CharField(max_length=40, blank=True)
    booking_unit = models.ForeignKey(
        OrgUnit, models.PROTECT, null=True, related_name="+", verbose_name="订立合同的机构"
    )
    currency = models.CharField(max_length=3, default="CNY")
    mode = models.CharField(max_length=5, choices=Mode.choices, default=Mode.CAP)
    measure = models.CharField(max_length=5, choices=Measure.choices, default=Measure.GROSS)
    is_revolving = models.BooleanField(default=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    standing = models.CharField("冻结之外的状态", max_length=10, choices=Status.choices, default=Status.ACTIVE)
    is_frozen_manually = models.BooleanField("人工冻结", default=False)
    is_frozen_by_system = models.BooleanField("系统冻结", default=False)
    status_reason = models.CharField(max_length=200, blank=True)
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)
    cap_fen = models.BigIntegerField(null=True)
    pending_fen = models.BigIntegerField(default=0)
    posted_fen = models.BigIntegerField(default=0)
    consumed_fen = models.BigIntegerField(default=0)
    earmarked_fen = models.BigIntegerField(default=0)
    cover_fen = models.BigIntegerField("合格现金缓释", default=0)
    used_fen = models.GeneratedField(
        expression=F("pending_fen")
        + F("earmarked_fen")
        + Case(When(is_revolving=True, then=F("posted_fen")), default=F("consumed_fen"))
        - Case(When(measure="NET", then=F("cover_fen")), default=0),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    excess_cause = models.CharField(max_length=20, null=True)
    closed_through_date = models.DateField("已结月份", null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(cap_fen__isnull=True) | Q(used_fen__lte=F("cap_fen")) | Q(excess_cause__isnull=False),
                name="used_within_cap_or_excess_recorded",
            ),
            models.CheckConstraint(
                condition=Q(
                    pending_fen__gte=0, posted_fen__gte=0, consumed_fen__gte=0, earmarked_fen__gte=0, cover_fen__gte=0
                ),
                name="limit_counters_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind="GROUP", parent__isnull=True) | (~Q(kind="GROUP") & Q(parent__isnull=False)),
                name="only_group_nodes_are_roots",
            ),
            models.CheckConstraint(condition=Q(cap_fen__isnull=True) | Q(cap_fen__gte=0), name="cap_not_negative"),
            models.CheckConstraint(
                condition=Q(is_frozen_manually=False, is_frozen_by_system=False, status=F("standing"))
                | ((Q(is_frozen_manually=True) | Q(is_frozen_by_system=True)) & Q(status="FROZEN")),
                name="limit_status_follows_freeze_flags",
            ),
            models.CheckConstraint(condition=~Q(standing="FROZEN"), name="limit_standing_is_not_frozen"),
            models.UniqueConstraint(fields=["customer"], condition=Q(kind="CUSTOMER"), name="one_limit_per_customer"),
            models.UniqueConstraint(
                fields=["customer", "product"], condition=Q(kind="PRODUCT"), name="one_limit_per_customer_product"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["parent"]),
            models.Index(fields=["valid_to"], condition=Q(kind="FACILITY"), name="limit_leaf_ending"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def own_fen(self) -> int | None:
        """What its own cap leaves, in 分, whatever its state; None without a cap."""
        return None if self.cap_fen is None else self.cap_fen - self.used_fen

    @property
    def is_stopped(self) -> bool:
        """Whether it takes nothing now: frozen, suspended, over, or exceeded (I8, I13)."""
        return self.status != self.Status.ACTIVE or self.excess_cause is not None


class CapLine(models.Model):
    """One approved cap of a node for a period; the one in force is copied to the node."""

    class Visibility(models.TextChoices):
        INTERNAL = "INTERNAL", "一般额度"
        PUBLIC = "PUBLIC", "公开额度"
        ADHOC = "ADHOC", "临时额度"

    node = models.ForeignKey(Node, models.PROTECT, related_name="cap_lines")
    visibility = models.CharField(max_length=10, choices=Visibility.choices, default=Visibility.INTERNAL)
    amount_fen = models.BigIntegerField(null=True)
    valid = DateRangeField()
    recorded = DateTimeRangeField()
    approval = models.CharField("批准文号", max_length=120)
    basis = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["node", "-id"]

    def __str__(self) -> str:
        return f"{self.node} {self.amount_fen}"


class Placement(models.Model):
    """Under which parent a customer's limits hung, in valid time and in recorded time (I12)."""

    node = models.ForeignKey(Node, models.PROTECT, related_name="placements")
    parent = models.ForeignKey(Node, models.PROTECT, related_name="+")
    valid = DateRangeField()
    recorded = DateTimeRangeField()
    cause = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["node", "id"]
        constraints: ClassVar = [
            ExclusionConstraint(
                name="one_parent_per_limit_at_any_instant",
                expressions=[
                    ("node", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                    ("recorded", RangeOperators.OVERLAPS),
                ],
            )
        ]

    def __str__(self) -> str:
        return f"{self.node} under {self.parent}"


class Excess(models.Model):
    """A node above its cap for a recorded cause, with who must cure it and by when (I13)."""

    node = models.ForeignKey(Node, models.PROTECT, related_name="excesses")
    cause = models.CharField(max_length=20)
    amount_fen = models.BigIntegerField()
    opened_at = models.DateTimeField()
    owner_id = models.BigIntegerField("责任人", null=True)
    cure_by_date = models.DateField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["node"], condition=Q(closed_at__isnull=True), name="one_open_excess_per_node"
            )
        ]

    def __str__(self) -> str:
        return f"{self.node} {self.cause}"

    @property
    def cause_label(self) -> str:
        return EXCESS_CAUSES.get(self.cause, self.cause)
