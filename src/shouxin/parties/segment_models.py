"""Target groups 目标客户群: whom the bank wants, by criteria, and who was in at a day (CM-01)."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from shouxin.bank.models import Staff


class CustomerProfile(models.Model):
    """What is known of a customer's business beside the list: sales of a year, and whether it sells on or uses."""

    class TradeRole(models.TextChoices):
        DEALER = "dealer", "经销商"
        END_CUSTOMER = "end_customer", "最终客户"

    customer = models.OneToOneField("parties.Customer", models.CASCADE, related_name="profile")
    annual_sales_fen = models.BigIntegerField("年销售（分）", null=True, blank=True)
    sales_year = models.PositiveSmallIntegerField("销售年度", null=True, blank=True)
    trade_role = models.CharField("经销角色", max_length=12, choices=TradeRole.choices, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(annual_sales_fen__isnull=True) | Q(annual_sales_fen__gte=0, sales_year__isnull=False),
                name="annual_sales_have_a_year",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.get_trade_role_display()}"


class Segment(models.Model):
    """One target group: every criterion that is filled in must hold."""

    name = models.CharField("名称", max_length=40, unique=True)
    industry = models.CharField("行业含", max_length=40, blank=True)
    sales_min_fen = models.BigIntegerField("年销售不低于（分）", null=True, blank=True)
    stage = models.CharField("阶段", max_length=10, blank=True)
    customer_class = models.ForeignKey(
        "parties.CustomerClass", models.PROTECT, null=True, blank=True, related_name="+", verbose_name="类别"
    )
    made_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(name=""), name="segment_has_a_name"),
            models.CheckConstraint(
                condition=~Q(industry="", sales_min_fen__isnull=True, stage="", customer_class__isnull=True),
                name="segment_has_a_criterion",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMark(models.Model):
    """A customer put in or out by hand, with the reason; it stands above the criteria."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="marks")
    customer = models.ForeignKey("parties.Customer", models.CASCADE, related_name="segment_marks")
    is_in = models.BooleanField("属于")
    reason = models.CharField("原因", max_length=200)
    marked_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["segment", "customer"], name="segment_mark_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="segment_mark_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.segment} {'+' if self.is_in else '−'} {self.customer}"


class SegmentList(models.Model):
    """Who was in at a day, with the criteria as they stood; never changed afterwards."""

    segment = models.ForeignKey(Segment, models.PROTECT, related_name="lists")
    as_of_date = models.DateField("日期")
    criteria = models.CharField("条件", max_length=300)
    count = models.PositiveIntegerField("户数")
    made_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.segment} {self.as_of_date}: {self.count}"


class SegmentMember(models.Model):
    segment_list = models.ForeignKey(SegmentList, models.CASCADE, related_name="members")
    customer = models.ForeignKey("parties.Customer", models.CASCADE, related_name="+")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["segment_list", "customer"], name="segment_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}"
