"""What customers buy, ask for and get: purchases, requests, cases, sites; and what our own people are good at."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import Staff
from shouxin.parties.models import Customer


class Site(models.Model):
    """A place of a customer: how far it is and what one may use there, for whoever goes (TE-01)."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="sites")
    name = models.CharField("场所", max_length=80)
    address = models.CharField("地址", max_length=200, blank=True)
    distance_km = models.DecimalField("距离（公里）", max_digits=6, decimal_places=1, null=True, blank=True)
    travel_minutes = models.PositiveSmallIntegerField("路程（分钟）", null=True, blank=True)
    facilities = models.CharField("可用设施", max_length=200, blank=True, help_text="会议室、投影、停车、对方设备…")

    class Meta:
        ordering: ClassVar = ["customer", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "name"], name="site_name_once_per_customer"),
            models.CheckConstraint(
                condition=Q(distance_km__isnull=True) | Q(distance_km__gte=0), name="site_distance_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Purchase(models.Model):
    """Something a customer bought on a day (CM-03); ``quantity`` in whole units of the product."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="purchases")
    product = models.CharField("产品", max_length=80)
    bought_date = models.DateField("日期")
    quantity = models.PositiveIntegerField("数量", default=1)
    amount_fen = models.BigIntegerField("金额（分）", default=0)
    recorded_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["-bought_date", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0, amount_fen__gte=0), name="purchase_of_something"),
        ]
        indexes: ClassVar = [models.Index(fields=["customer", "-bought_date"], name="purchase_of_customer")]

    def __str__(self) -> str:
        return f"{self.product} × {self.quantity}"


class EndSale(models.Model):
    """How much of a dealer's purchase went on to which end customer (CM-02); one that is no customer here by name."""

    purchase = models.ForeignKey(Purchase, models.CASCADE, related_name="end_sales")
    end_customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="bought_through", verbose_name="最终客户"
    )
    end_name = models.CharField("最终客户名称", max_length=200, blank=True)
    quantity = models.PositiveIntegerField("数量")

    class Meta:
        ordering: ClassVar = ["purchase", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="end_sale_of_something"),
            models.CheckConstraint(
                condition=Q(end_customer__isnull=False) | ~Q(end_name=""), name="end_sale_names_somebody"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.end_customer or self.end_name} × {self.quantity}"


class ServiceRequest(models.Model):
    """What a customer asked of us; how many free ones of a month its class may have is the policy's (CM-04)."""

    class Kind(models.TextChoices):
        VISIT = "visit", "上门服务"
        REPORT = "report", "报告与方案"
        TRAINING = "training", "培训"
        OTHER = "other", "其他"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="service_requests")
    kind = models.CharField("服务", max_length=10, choices=Kind.choices)
    requested_date = models.DateField("日期")
    text = models.CharField("要求", max_length=400)
    is_free = models.BooleanField("免费", default=True)
    is_unreasonable = models.BooleanField("判断为不合理", default=False)
    unreasonable_reason = models.CharField("不合理之处", max_length=200, blank=True)
    number_in_month = models.PositiveSmallIntegerField("当月第几次", default=0)
    allowed_in_month = models.PositiveSmallIntegerField("当月标准", null=True, blank=True)
    recorded_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["-requested_date", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(text=""), name="service_request_says_what"),
            models.CheckConstraint(
                condition=Q(is_unreasonable=False) | ~Q(unreasonable_reason=""), name="unreasonable_says_why"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["customer", "-requested_date"], name="service_request_of_customer"),
            models.Index(
                fields=["-requested_date"],
                name="service_request_over",
                condition=Q(number_in_month__gt=F("allowed_in_month")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.requested_date}"

    @property
    def is_over_policy(self) -> bool:
        return self.allowed_in_month is not None and self.number_in_month > self.allowed_in_month


class ServiceCase(models.Model):
    """A matter that any employee may open for a customer; whoever looks after the customer answers (SM-15)."""

    class State(models.TextChoices):
        OPEN = "open", "待处理"
        ANSWERED = "answered", "已答复"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="service_cases")
    text = models.TextField("事项")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN)
    opened_by = models.ForeignKey(Staff, models.PROTECT, related_name="opened_cases")
    opened_date = models.DateField("受理日期")
    answer = models.TextField("答复", blank=True)
    answered_by = models.ForeignKey(Staff, models.PROTECT, null=True, blank=True, related_name="+")
    answered_date = models.DateField("答复日期", null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(text=""), name="service_case_says_what"),
            models.CheckConstraint(
                condition=Q(state="open", answered_by__isnull=True, answer="")
                | (Q(state="answered", answered_by__isnull=False) & ~Q(answer="")),
                name="answered_case_has_its_answer",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["customer", "state"], name="service_case_of_customer")]

    def __str__(self) -> str:
        return f"{self.pk} {self.text[:30]}"


class Contribution(models.Model):
    """What a customer brought the bank in a month, by line (CM-06); entered, not computed."""

    class Line(models.TextChoices):
        DEPOSITS = "deposits", "存款"
        LOANS = "loans", "贷款（扣除资金成本）"
        FEES = "fees", "中间业务"
        SETTLEMENT = "settlement", "结算"
        CARDS = "cards", "银行卡"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="contributions")
    month = models.DateField("月份（首日）")
    line = models.CharField("条线", max_length=12, choices=Line.choices)
    amount_fen = models.BigIntegerField("贡献（分）")
    recorded_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["-month", "line"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "month", "line"], name="contribution_once_a_month_and_line"),
            models.CheckConstraint(condition=Q(month__day=1), name="contribution_month_is_its_first_day"),
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.month:%Y-%m} {self.get_line_display()}"


class StaffSkill(models.Model):
    """What somebody of ours is good at or likes, beside the work (QU-06)."""

    staff = models.ForeignKey(Staff, models.CASCADE, related_name="skills")
    name = models.CharField("特长", max_length=40)
    level = models.CharField("程度", max_length=40, blank=True, help_text="爱好者、教练、裁判…")

    class Meta:
        ordering: ClassVar = ["name", "staff"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["staff", "name"], name="skill_once_per_person"),
            models.CheckConstraint(condition=~Q(name=""), name="skill_has_a_name"),
        ]

    def __str__(self) -> str:
        return f"{self.staff} {self.name}"
