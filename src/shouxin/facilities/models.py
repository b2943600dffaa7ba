"""Credit business with customers: contracts (facilities), drawings under them, deals that stand on the books."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import OrgUnit, Staff
from shouxin.facilities.json_checks import NothingNegative
from shouxin.groups.models import CustomerGroup
from shouxin.limits.models import Hold, Node
from shouxin.parties.models import Customer


class Facility(models.Model):
    """One contract: a customer may draw one product at one branch in one currency for a period (UC-07)."""

    number = models.CharField("合同号", max_length=40, unique=True)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="facilities")
    branch = models.ForeignKey(OrgUnit, models.PROTECT, related_name="facilities")
    product = models.CharField("产品", max_length=40)
    currency = models.CharField("币种", max_length=3, default="CNY")
    start_date = models.DateField("起始日")
    end_date = models.DateField("到期日（不含）")
    node = models.OneToOneField(Node, models.PROTECT, related_name="facility")

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(end_date__gt=F("start_date")), name="facility_period_forward"),
        ]

    def __str__(self) -> str:
        return self.number


class Drawing(models.Model):
    """A request to use a facility, with the outcome. Refusals are kept too, with all their findings."""

    class State(models.TextChoices):
        REFUSED = "refused", "已拒绝"
        RESERVED = "reserved", "已预占"
        POSTED = "posted", "已放款"
        VOIDED = "voided", "已撤销"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    facility = models.ForeignKey(Facility, models.PROTECT, related_name="drawings")
    amount_fen = models.BigIntegerField("金额（分）")
    margin_fen = models.BigIntegerField("保证金（分）", default=0)
    counted_fen = models.BigIntegerField("占用额度（分）")
    value_date = models.DateField("起息日")
    maturity_date = models.DateField("到期日", null=True)
    purpose = models.CharField("用途", max_length=200, blank=True)
    state = models.CharField("状态", max_length=10, choices=State.choices)
    findings = models.JSONField(default=list)
    hold = models.OneToOneField(Hold, models.PROTECT, null=True, related_name="drawing")
    case = models.OneToOneField("approvals.Case", models.PROTECT, null=True, related_name="drawing")
    commitment = models.ForeignKey(
        "facilities.Deal", models.PROTECT, null=True, related_name="drawings", verbose_name="提取的承诺"
    )
    requested_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    released_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-requested_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="drawing_positive"),
            models.CheckConstraint(
                condition=Q(margin_fen__gte=0) & Q(margin_fen__lte=F("amount_fen")), name="drawing_margin_within"
            ),
            models.CheckConstraint(
                condition=Q(released_by__isnull=True) | ~Q(released_by=F("requested_by")),
                name="drawing_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.facility} {self.amount_fen}"


class Deal(models.Model):
    """One piece of credit on the books: amount, cash cover, drawn or committed, from a day to a day."""

    number = models.CharField("业务编号", max_length=60, unique=True)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="deals")
    branch = models.ForeignKey(OrgUnit, models.PROTECT, related_name="deals")
    facility = models.ForeignKey(Facility, models.PROTECT, null=True, related_name="deals")
    hold = models.OneToOneField(Hold, models.PROTECT, null=True, related_name="deal")
    product = models.CharField("产品", max_length=40)
    currency = models.CharField("币种", max_length=3, default="CNY")
    amount_fen = models.BigIntegerField("金额（分）")
    margin_fen = models.BigIntegerField("保证金（分）", default=0)
    own_cd_fen = models.BigIntegerField("本行存单（分）", default=0)
    treasury_fen = models.BigIntegerField("国债（分）", default=0)
    is_drawn = models.BooleanField("已提取", default=True)
    start_date = models.DateField("发放日")
    maturity_date = models.DateField("到期日", null=True, blank=True)
    closed_date = models.DateField("结清日", null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="deal_positive"),
            models.CheckConstraint(
                condition=Q(margin_fen__gte=0, own_cd_fen__gte=0, treasury_fen__gte=0), name="deal_cover_not_negative"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["customer", "start_date"])]

    def __str__(self) -> str:
        return self.number


class GroupLine(models.Model):
    """The unified line of a group as it was decided, with the figures it was judged by (JS-11, JS-13)."""

    group = models.ForeignKey(CustomerGroup, models.PROTECT, related_name="lines")
    amount_fen = models.BigIntegerField("统一授信额度（分）")
    sub_limits = models.JSONField("成员额度（分）", default=dict)
    valid_from = models.DateField("自")
    valid_to = models.DateField("至（不含）")
    product_limits = models.JSONField("成员分产品额度（分）", default=dict)
    refused_members = models.JSONField("未批成员", default=list)
    case = models.OneToOneField("approvals.Case", models.PROTECT, null=True, related_name="group_line")
    minutes_number = models.CharField("行长办公会纪要", max_length=80, blank=True)
    findings = models.JSONField(default=list)
    legal_basis = models.JSONField("法律依据", default=list)
    proposed_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-valid_from", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="group_line_positive"),
            models.CheckConstraint(condition=Q(valid_to__gt=F("valid_from")), name="group_line_period_forward"),
            models.CheckConstraint(condition=~Q(proposed_by=F("approved_by")), name="group_line_four_eyes"),
            models.CheckConstraint(condition=NothingNegative("sub_limits"), name="sub_limits_not_negative"),
            models.CheckConstraint(condition=NothingNegative("product_limits"), name="group_products_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.valid_from}"


class LeadDecision(models.Model):
    """Which branch leads a group and why: the ranking at a quarter end, or the president's meeting (JS-07 … JS-10).

    It stands from the day it was started until the next one is started (A-09); what happens to the stock in between
    does not change it.
    """

    group = models.ForeignKey(CustomerGroup, models.PROTECT, related_name="lead_decisions")
    branch = models.ForeignKey(OrgUnit, models.PROTECT, related_name="+", verbose_name="牵头行")
    quarter_end_date = models.DateField("排名基准日")
    ranking = models.JSONField("排名", default=list)
    reason = models.CharField("理由", max_length=200)
    minutes_number = models.CharField("行长办公会纪要", max_length=80, blank=True)
    started_date = models.DateField("发起日")
    decided_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-started_date", "-id"]

    def __str__(self) -> str:
        return f"{self.group} → {self.branch}"


from shouxin.facilities.credit_models import *  # noqa: E402, F403 - the app's second file of models
