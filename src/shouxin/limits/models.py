"""The limit tree, holds and journal. Python only reads here: every change goes through the SQL functions.

Amounts are integer 分. ``used = pending + (posted or consumed) + earmarked``; ``available = cap − used``; a node
without a cap of its own is bounded by those above it. The table itself refuses used > cap without a cause (I13).
"""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import DateRangeField, DateTimeRangeField
from django.db import models
from django.db.models import Case, F, Q, When

from shouxin.groups.models import CustomerGroup
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

    kind = models.CharField(max_length=10, choices=Kind.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    name = models.CharField(max_length=200)
    article = models.CharField("依据", max_length=20, blank=True)
    group = models.OneToOneField(CustomerGroup, models.PROTECT, null=True, related_name="limit_node")
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, related_name="limit_nodes")
    product = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3, default="CNY")
    is_revolving = models.BooleanField(default=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=200, blank=True)
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)
    cap_fen = models.BigIntegerField(null=True)
    pending_fen = models.BigIntegerField(default=0)
    posted_fen = models.BigIntegerField(default=0)
    consumed_fen = models.BigIntegerField(default=0)
    earmarked_fen = models.BigIntegerField(default=0)
    used_fen = models.GeneratedField(
        expression=F("pending_fen")
        + F("earmarked_fen")
        + Case(When(is_revolving=True, then=F("posted_fen")), default=F("consumed_fen")),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    excess_cause = models.CharField(max_length=20, null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(cap_fen__isnull=True) | Q(used_fen__lte=F("cap_fen")) | Q(excess_cause__isnull=False),
                name="used_within_cap_or_excess_recorded",
            ),
            models.CheckConstraint(
                condition=Q(pending_fen__gte=0, posted_fen__gte=0, consumed_fen__gte=0, earmarked_fen__gte=0),
                name="limit_counters_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind="GROUP", parent__isnull=True) | (~Q(kind="GROUP") & Q(parent__isnull=False)),
                name="only_group_nodes_are_roots",
            ),
            models.CheckConstraint(condition=Q(cap_fen__isnull=True) | Q(cap_fen__gte=0), name="cap_not_negative"),
            models.UniqueConstraint(fields=["customer"], condition=Q(kind="CUSTOMER"), name="one_limit_per_customer"),
            models.UniqueConstraint(
                fields=["customer", "product"], condition=Q(kind="PRODUCT"), name="one_limit_per_customer_product"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["parent"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


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


class Hold(models.Model):
    """A reservation on a facility, and what became of it."""

    class State(models.TextChoices):
        PENDING = "PENDING", "已预占"
        POSTED = "POSTED", "已放款"
        VOIDED = "VOIDED", "已撤销"
        EXPIRED = "EXPIRED", "已过期"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    facility = models.ForeignKey(Node, models.PROTECT, related_name="holds")
    amount_fen = models.BigIntegerField()
    posted_fen = models.BigIntegerField(default=0)
    balance_fen = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    business_date = models.DateField()
    expires_at = models.DateTimeField()
    maker_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="hold_positive"),
            models.CheckConstraint(
                condition=Q(posted_fen__gte=0) & Q(posted_fen__lte=F("amount_fen")), name="hold_posted_within"
            ),
            models.CheckConstraint(
                condition=Q(balance_fen__gte=0) & Q(balance_fen__lte=F("posted_fen")), name="hold_balance_within"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["facility", "state"]),
            models.Index(fields=["expires_at"], condition=Q(state="PENDING"), name="hold_expiring"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} {self.amount_fen}"


class Movement(models.Model):
    """The journal: one row per node and act, added only. Counters are the sum of these (I1)."""

    seq = models.BigAutoField(primary_key=True)
    operation = models.CharField(max_length=20)
    hold = models.ForeignKey(Hold, models.PROTECT, null=True, related_name="movements")
    node = models.ForeignKey(Node, models.PROTECT, related_name="movements")
    pending_fen = models.BigIntegerField(default=0)
    posted_fen = models.BigIntegerField(default=0)
    consumed_fen = models.BigIntegerField(default=0)
    earmarked_fen = models.BigIntegerField(default=0)
    new_cap_fen = models.BigIntegerField(null=True)
    business_date = models.DateField()
    recorded_at = models.DateTimeField()
    cause = models.CharField(max_length=200, blank=True)
    actor_id = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar = ["seq"]
        indexes: ClassVar = [models.Index(fields=["node", "business_date", "seq"])]

    def __str__(self) -> str:
        return f"{self.seq} {self.operation}"


class IdempotencyKey(models.Model):
    """What was answered to one key of one caller, refusals included; the same question gets it again (I10)."""

    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=64)
    answer = models.JSONField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


class Excess(models.Model):
    """A node above its cap for a recorded cause, with who must cure it and by when (I13)."""

    node = models.ForeignKey(Node, models.PROTECT, related_name="excesses")
    cause = models.CharField(max_length=20)
    amount_fen = models.BigIntegerField()
    opened_at = models.DateTimeField()
    owner_id = models.BigIntegerField(null=True)
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
