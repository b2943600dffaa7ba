"""Reservations and bookings on a leaf, the journal of every act, and the remembered answers. Amounts are 分."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.limits.labels import operation_label
from shouxin.limits.models.tree import Node


class Hold(models.Model):
    """A reservation on a facility, and what became of it."""

    class State(models.TextChoices):
        PENDING = "PENDING", "已预占"
        POSTED = "POSTED", "已放款"
        VOIDED = "VOIDED", "已撤销"
        EXPIRED = "EXPIRED", "已过期"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    # The ledger holds the facility's row lock when it adds a hold, and nodes are never deleted: no second check.
    facility = models.ForeignKey(Node, models.PROTECT, related_name="holds", db_constraint=False, db_index=False)
    amount_fen = models.BigIntegerField()
    posted_fen = models.BigIntegerField(default=0)
    balance_fen = models.BigIntegerField(default=0)
    cover_fen = models.BigIntegerField("合格现金缓释", default=0)
    currency = models.CharField("原币种", max_length=3, default="CNY")
    original_amount = models.BigIntegerField("原币金额（百分之一单位）", null=True)
    original_posted = models.BigIntegerField(default=0)
    original_balance = models.BigIntegerField(default=0)
    rate_set = models.ForeignKey("RateSet", models.PROTECT, null=True, related_name="holds", db_index=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    business_date = models.DateField()
    expires_at = models.DateTimeField()
    reversed_at = models.DateTimeField(null=True)
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
                condition=Q(balance_fen__gte=0) & (Q(balance_fen__lte=F("posted_fen")) | ~Q(currency="CNY")),
                name="hold_balance_within",
            ),
            models.CheckConstraint(
                condition=Q(currency="CNY", original_amount__isnull=True)
                | Q(original_balance__gte=0, original_balance__lte=F("original_posted"))
                & Q(original_posted__lte=F("original_amount")),
                name="hold_original_within",
            ),
            models.CheckConstraint(condition=Q(cover_fen__gte=0), name="hold_cover_not_negative"),
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
    hold = models.ForeignKey(
        Hold, models.PROTECT, null=True, related_name="movements", db_constraint=False, db_index=False
    )
    node = models.ForeignKey(Node, models.PROTECT, related_name="movements", db_constraint=False, db_index=False)
    level = models.SmallIntegerField("自叶子起的层", default=0)
    pending_fen = models.BigIntegerField(default=0)
    posted_fen = models.BigIntegerField(default=0)
    consumed_fen = models.BigIntegerField(default=0)
    earmarked_fen = models.BigIntegerField(default=0)
    cover_fen = models.BigIntegerField(default=0)
    new_cap_fen = models.BigIntegerField(null=True)
    business_date = models.DateField()
    recorded_at = models.DateTimeField()
    is_late = models.BooleanField("记入已结月份", default=False)
    cause = models.CharField(max_length=200, blank=True)
    actor_id = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar = ["seq"]
        indexes: ClassVar = [
            models.Index(fields=["node", "business_date", "seq"]),
            models.Index(fields=["hold"], condition=Q(level=0, hold__isnull=False), name="limits_movement_of_hold"),
            models.Index(fields=["node", "seq"], condition=Q(is_late=True), name="limits_movement_late"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.operation}"

    @property
    def operation_label(self) -> str:
        return operation_label(self.operation)


class IdempotencyKey(models.Model):
    """What was answered to one key of one caller, refusals included; the same question gets it again (I10)."""

    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=64)
    answer = models.JSONField()
    # What the batch writer leaves out of the answer, because many share it.
    hold_id = models.UUIDField(null=True)
    asked_fen = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"

    @property
    def told(self) -> dict[str, Any]:
        """The answer as it was given; ``limit_told`` in the database."""
        if self.hold_id is None:
            return dict(self.answer)
        return {**self.answer, "asked_fen": self.asked_fen, "hold": str(self.hold_id)}


class Reversal(models.Model):
    """A booking taken back because it was wrong: which, why, asked for by one person and authorised by another (I7)."""

    hold = models.OneToOneField(Hold, models.PROTECT, related_name="reversal")
    amount_fen = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    maker_id = models.BigIntegerField()
    checker_id = models.BigIntegerField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(maker_id=F("checker_id")), name="reversal_four_eyes"),
        ]

    def __str__(self) -> str:
        return f"{self.hold} {self.reason}"
