"""After credit: alerts with owner, due day and the branches told, and the half-yearly reviews of lines."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import OrgUnit, Staff
from shouxin.domain.signals import CATALOGUE, RISK_CODES, RISK_TYPES
from shouxin.groups.models import CustomerGroup
from shouxin.parties.models import Customer


class Alert(models.Model):
    """One signal about a customer or a group; it is a task with an owner and a due day (UC-06)."""

    class Level(models.TextChoices):
        INFO = "info", "提示"
        WARN = "warn", "警告"
        RED = "red", "红色"

    class State(models.TextChoices):
        OPEN = "open", "待处置"
        ACTED = "acted", "已处置待关闭"
        CLOSED = "closed", "已关闭"

    code = models.CharField("信号", max_length=4)
    risk_type = models.CharField("风险类型", max_length=20, choices=[(name, name) for name in RISK_TYPES])
    level = models.CharField("级别", max_length=5, choices=Level.choices)
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, related_name="alerts")
    group = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="alerts")
    message = models.TextField("内容")
    message_en = models.TextField("内容（英文）", blank=True, default="")
    inputs = models.JSONField(default=dict)
    key = models.CharField(max_length=120)
    opened_date = models.DateField("发现日")
    owner = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+", verbose_name="处置人")
    due_date = models.DateField("处置期限")
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.OPEN)
    action = models.TextField("处置", blank=True)
    acted_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    acted_date = models.DateField("处置日", null=True)
    closed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    closed_date = models.DateField("关闭日", null=True)
    raised_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    event_date = models.DateField("发生日", null=True)
    evidence = models.CharField("依据材料", max_length=200, blank=True, default="")

    class Meta:
        ordering: ClassVar = ["-opened_date", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(customer__isnull=False) | Q(group__isnull=False), name="alert_has_a_subject"
            ),
            models.UniqueConstraint(fields=["key"], condition=~Q(state="closed"), name="one_open_alert_of_a_kind"),
            models.CheckConstraint(condition=Q(risk_type__in=RISK_TYPES), name="alert_of_a_known_risk"),
            models.CheckConstraint(
                condition=Q(closed_by__isnull=True) | ~Q(closed_by=F("acted_by")), name="alert_four_eyes"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "due_date"], name="alert_open")]

    def __str__(self) -> str:
        return f"{self.code} {self.message[:40]}"

    @property
    def name(self) -> str:
        return CATALOGUE[self.code].name

    @property
    def risk_code(self) -> str:
        """R1 … R5 of the rule (BR-05)."""
        return RISK_CODES[self.risk_type]

    @property
    def english(self) -> str:
        """The sentence in English; what a person wrote stays as it was written."""
        return self.message_en or self.message


class AlertNotice(models.Model):
    """A branch that has been told of an alert, and who has read it (BR-10)."""

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="notices")
    unit = models.ForeignKey(OrgUnit, models.PROTECT, related_name="+")
    sent_date = models.DateField("通报日")
    read_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    read_date = models.DateField("阅知日", null=True)

    class Meta:
        ordering: ClassVar = ["unit__path"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["alert", "unit"], name="one_notice_per_branch")]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.unit}"


class Review(models.Model):
    """授信后全面调查: at least every half year; the line goes on with an opinion and a report (CB+8)."""

    class State(models.TextChoices):
        DUE = "due", "待调查"
        REPORTED = "reported", "待风险部门意见"
        CONTINUES = "continues", "继续使用并已报备"
        STOPPED = "stopped", "须调整"

    customer = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, related_name="reviews")
    group = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="reviews")
    due_date = models.DateField("应完成日")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.DUE)
    report = models.TextField("调查报告", blank=True)
    has_major_change = models.BooleanField("有重大变化", default=False)
    reported_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    reported_date = models.DateField("调查日", null=True)
    opinion = models.TextField("风险部门意见", blank=True)
    opinion_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    opinion_date = models.DateField("意见日", null=True)
    filed_date = models.DateField("报批准行备案日", null=True)

    class Meta:
        ordering: ClassVar = ["due_date", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(customer__isnull=True, group__isnull=False) | Q(customer__isnull=False, group__isnull=True),
                name="review_of_one_subject",
            ),
            models.UniqueConstraint(fields=["customer", "due_date"], name="one_review_per_customer_and_day"),
            models.UniqueConstraint(fields=["group", "due_date"], name="one_review_per_group_and_day"),
            models.CheckConstraint(
                condition=~Q(state="continues") | (~Q(opinion="") & Q(filed_date__isnull=False)),
                name="continued_with_opinion_and_filing",
            ),
            models.CheckConstraint(
                condition=Q(opinion_by__isnull=True) | ~Q(opinion_by=F("reported_by")), name="review_four_eyes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer or self.group} {self.due_date}"

    @property
    def subject_name(self) -> str:
        return self.group.name if self.group else str(self.customer)
