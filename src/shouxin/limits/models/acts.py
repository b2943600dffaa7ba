"""Acts on limits with a life of their own: shifted caps, earmarks, overrides, 串用 rules, freezes by two persons."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from shouxin.limits.models.holds import Hold
from shouxin.limits.models.tree import Node


class CapShift(models.Model):
    """A cap raised for a while, or moved between lines; it goes back on its return date."""

    class Kind(models.TextChoices):
        TEMPORARY = "TEMPORARY", "临时额度"
        TRANSFER = "TRANSFER", "额度调剂"
        FUNGIBLE = "FUNGIBLE", "额度串用"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    node = models.ForeignKey(Node, models.PROTECT, related_name="cap_shifts")
    donor = models.ForeignKey(Node, models.PROTECT, null=True, related_name="cap_shifts_given")
    raised = ArrayField(models.BigIntegerField(), verbose_name="调增的额度")
    lowered = ArrayField(models.BigIntegerField(), verbose_name="调减的额度")
    amount_fen = models.BigIntegerField()
    start_date = models.DateField()
    return_date = models.DateField("归还日", null=True)
    returned_at = models.DateTimeField(null=True)
    approval = models.CharField("批准文号", max_length=120)
    maker_id = models.BigIntegerField(null=True)
    checker_id = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="cap_shift_positive"),
            models.CheckConstraint(
                condition=Q(return_date__isnull=True) | Q(return_date__gt=F("start_date")), name="cap_shift_forward"
            ),
            models.CheckConstraint(
                condition=~Q(kind="TEMPORARY") | Q(return_date__isnull=False), name="temporary_limit_has_return_date"
            ),
            models.CheckConstraint(
                condition=Q(maker_id__isnull=True) | ~Q(maker_id=F("checker_id")), name="cap_shift_four_eyes"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["return_date"], condition=Q(returned_at__isnull=True), name="cap_shift_returning"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount_fen}"


class Earmark(models.Model):
    """Room set apart on a node for a purpose; it counts as used until it is given back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    node = models.ForeignKey(Node, models.PROTECT, related_name="earmarks")
    amount_fen = models.BigIntegerField()
    purpose = models.CharField(max_length=200)
    until_date = models.DateField(null=True)
    maker_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(amount_fen__gt=0), name="earmark_positive")]
        indexes: ClassVar = [
            models.Index(fields=["until_date"], condition=Q(released_at__isnull=True), name="earmark_ending"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.amount_fen}"


class Override(models.Model):
    """Leave to exceed a cap once: who asked, who with which authority allowed it, why, until when, used by what."""

    token = models.UUIDField(primary_key=True, default=uuid.uuid4)
    facility = models.ForeignKey(Node, models.PROTECT, related_name="overrides")
    amount_fen = models.BigIntegerField("最高金额（分）")
    authority = models.CharField("权限依据", max_length=120)
    reason = models.CharField(max_length=200)
    maker_id = models.BigIntegerField()
    checker_id = models.BigIntegerField()
    expires_at = models.DateTimeField()
    cure_by_date = models.DateField()
    used_at = models.DateTimeField(null=True)
    hold = models.ForeignKey(Hold, models.PROTECT, null=True, related_name="overrides")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="override_positive"),
            models.CheckConstraint(condition=~Q(maker_id=F("checker_id")), name="override_four_eyes"),
            models.CheckConstraint(
                condition=~Q(authority="") & ~Q(reason=""), name="override_has_authority_and_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.facility} {self.amount_fen}"


class FungibilityRule(models.Model):
    """串用: a product may use what a sibling product of the same customer leaves free, up to a maximum."""

    from_product = models.CharField("出让产品", max_length=40)
    to_product = models.CharField("使用产品", max_length=40)
    customer_node = models.ForeignKey(Node, models.PROTECT, null=True, related_name="fungibility_rules")
    maximum_fen = models.BigIntegerField("上限（分）")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    approval = models.CharField("批准文号", max_length=120)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(from_product=F("to_product")), name="fungible_between_two_products"),
            models.CheckConstraint(condition=Q(maximum_fen__gt=0), name="fungible_maximum_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.from_product} → {self.to_product}"


class StatusRequest(models.Model):
    """Freezing or unfreezing by hand: one person proposes with a reason, another decides."""

    class Act(models.TextChoices):
        FREEZE = "FREEZE", "冻结"
        UNFREEZE = "UNFREEZE", "解冻"
        SUSPEND = "SUSPEND", "暂停"
        REINSTATE = "REINSTATE", "恢复"

    class State(models.TextChoices):
        PROPOSED = "PROPOSED", "待复核"
        DONE = "DONE", "已执行"
        REJECTED = "REJECTED", "已退回"

    node = models.ForeignKey(Node, models.PROTECT, related_name="status_requests")
    act = models.CharField(max_length=10, choices=Act.choices)
    reason = models.CharField("原因", max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("proposed_by")), name="status_request_four_eyes"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="status_request_has_reason"),
            models.UniqueConstraint(
                fields=["node"], condition=Q(state="PROPOSED"), name="one_open_status_request_per_limit"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_act_display()} {self.node}"
