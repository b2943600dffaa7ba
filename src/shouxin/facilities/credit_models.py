"""What a bank knows and decides about a customer's credit beside contracts and deals: statements, ratings, evaluations,
lines, what happened to deals, related parties and their transactions. Amounts are 分.
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.approvals.models import Case
from shouxin.bank.models import OrgUnit, Staff
from shouxin.domain.credit_rules import GRADE_NAMES
from shouxin.facilities.json_checks import NothingNegative
from shouxin.groups.models import CustomerGroup
from shouxin.parties.models import Customer, Party

__all__ = [
    "AssetClass", "BankRelatedParty", "CoverChange", "CreditRating", "CustomerLine", "Evaluation",
    "FinancialStatement", "LineFreeze", "ManagingBranch", "Overdue", "Precondition", "PublicLine",
    "RelatedTransaction", "Repayment",
]  # fmt: skip


def _one_subject(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(customer__isnull=True, group__isnull=False) | Q(customer__isnull=False, group__isnull=True),
        name=name,
    )


class FinancialStatement(models.Model):
    """One period's figures of a customer, own or consolidated; entered only when it balances.

    A wrong one is voided with a reason: it is kept, counts no longer from that day, and another may take its place.
    """

    class Scope(models.TextChoices):
        OWN = "own", "本部"
        CONSOLIDATED = "consolidated", "合并"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="statements")
    scope = models.CharField("口径", max_length=12, choices=Scope.choices, default=Scope.OWN)
    period_end_date = models.DateField("报告期末")
    items = models.JSONField("科目（分）", default=dict)
    source = models.CharField("来源", max_length=120)
    entered_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    entered_at = models.DateTimeField(auto_now_add=True)
    voided_date = models.DateField("作废日", null=True)
    voided_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    void_reason = models.CharField("作废原因", max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["customer", "-period_end_date"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer", "scope", "period_end_date"], condition=Q(voided_date__isnull=True),
                name="one_statement_per_period_and_scope",
            ),
            models.CheckConstraint(
                condition=Q(voided_date__isnull=True, void_reason="")
                | (Q(voided_date__isnull=False, voided_by__isnull=False) & ~Q(void_reason="")),
                name="voided_statement_has_a_reason",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.customer} {self.period_end_date}"


class CreditRating(models.Model):
    """信用等级 of a customer or of a whole group, with the model that gave it and until when it holds (JS-03)."""

    customer = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, related_name="ratings")
    group = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="ratings")
    grade = models.CharField("等级", max_length=10)
    model = models.CharField("评级模型", max_length=80)
    rated_date = models.DateField("评级日")
    valid_to = models.DateField("有效至（不含）")
    rated_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    note = models.CharField("说明", max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-rated_date", "-id"]
        constraints: ClassVar = [
            _one_subject("rating_of_one_subject"),
            models.CheckConstraint(condition=Q(valid_to__gt=F("rated_date")), name="rating_period_forward"),
        ]

    def __str__(self) -> str:
        return f"{self.customer or self.group} {self.grade}"


class Evaluation(models.Model):
    """全面评价 before sizing: measurements with their inputs, need, other banks, credit policy (CB-12 … CB-16)."""

    customer = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, related_name="evaluations")
    group = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="evaluations")
    evaluated_date = models.DateField("评价日")
    valid_to = models.DateField("有效至（不含）")
    measurements = models.JSONField("测算", default=list)
    control_amount_fen = models.BigIntegerField("授信控制量（分）", null=True)
    need_fen = models.BigIntegerField("客观需求（分）", null=True)
    need_basis = models.CharField("需求说明", max_length=400, blank=True)
    other_banks_now_fen = models.BigIntegerField("他行现有授信（分）", null=True)
    other_banks_expected_fen = models.BigIntegerField("他行预计授信（分）", null=True)
    other_institutions = models.PositiveSmallIntegerField("债权银行家数", default=0)
    policy_tags = models.JSONField("信贷政策", default=list)
    conclusion = models.TextField("评价结论")
    made_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-evaluated_date", "-id"]
        constraints: ClassVar = [
            _one_subject("evaluation_of_one_subject"),
            models.CheckConstraint(condition=Q(valid_to__gt=F("evaluated_date")), name="evaluation_period_forward"),
        ]

    def __str__(self) -> str:
        return f"{self.customer or self.group} {self.evaluated_date}"

    @property
    def other_banks_change_fen(self) -> int | None:
        """他行授信变化: expected less now."""
        if self.other_banks_now_fen is None or self.other_banks_expected_fen is None:
            return None
        return self.other_banks_expected_fen - self.other_banks_now_fen


class CustomerLine(models.Model):
    """一般额度授信 of a customer: an internal figure, never shown to it (CB-10)."""

    class Status(models.TextChoices):
        ACTIVE = "active", "有效"
        REPLACED = "replaced", "已被替换"
        RUN_OFF = "run_off", "压降退出"
        CLOSED = "closed", "已关闭"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="lines")
    amount_fen = models.BigIntegerField("额度（分）")
    product_limits = models.JSONField("分产品额度（分）", default=dict)
    valid_from = models.DateField("自")
    valid_to = models.DateField("至（不含）")
    rating = models.CharField("信用等级", max_length=10)
    is_restricted = models.BooleanField("限制使用", default=False)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.ACTIVE)
    flag = models.CharField("关注", max_length=200, blank=True)
    evaluation = models.ForeignKey(Evaluation, models.PROTECT, related_name="lines")
    case = models.OneToOneField(Case, models.PROTECT, related_name="customer_line")
    legal_basis = models.JSONField("法律依据", default=list)

    class Meta:
        ordering: ClassVar = ["-valid_from", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gte=0), name="customer_line_not_negative"),
            models.CheckConstraint(condition=NothingNegative("product_limits"), name="customer_products_not_negative"),
            models.CheckConstraint(condition=Q(valid_to__gt=F("valid_from")), name="customer_line_period_forward"),
            models.UniqueConstraint(
                fields=["customer"], condition=Q(status="active"), name="one_active_line_per_customer"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.valid_from}"


class PublicLine(models.Model):
    """公开额度授信: the part of the line that is promised by certificate; cure of 30 days, then cancelled (CB+9)."""

    class Status(models.TextChoices):
        ACTIVE = "active", "有效"
        CURING = "curing", "限期整改"
        CANCELLED = "cancelled", "已取消"
        REPLACED = "replaced", "已换证"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="public_lines")
    amount_fen = models.BigIntegerField("公开额度（分）")
    valid_from = models.DateField("自")
    valid_to = models.DateField("至（不含）")
    certificate_number = models.CharField("证书编号", max_length=40, unique=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.ACTIVE)
    eligibility = models.JSONField("条件核对", default=list)
    is_exception = models.BooleanField("例外批准", default=False)
    default_date = models.DateField("违约日", null=True)
    default_kind = models.CharField("违约情形", max_length=40, blank=True)
    cure_by_date = models.DateField("整改期限", null=True)
    cancelled_date = models.DateField("取消日", null=True)
    cancel_reason = models.CharField("取消原因", max_length=200, blank=True)
    notice_number = models.CharField("取消通知书编号", max_length=40, blank=True)
    reported_date = models.DateField("报批准行日期", null=True)
    case = models.OneToOneField(Case, models.PROTECT, related_name="public_line")

    class Meta:
        ordering: ClassVar = ["-valid_from", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="public_line_positive"),
            models.CheckConstraint(condition=Q(valid_to__gt=F("valid_from")), name="public_line_period_forward"),
            models.CheckConstraint(
                condition=~Q(status="cancelled") | (Q(cancelled_date__isnull=False) & ~Q(notice_number="")),
                name="cancelled_public_line_has_a_notice",
            ),
            models.UniqueConstraint(
                fields=["customer"], condition=Q(status__in=["active", "curing"]), name="one_public_line_per_customer"
            ),
        ]

    def __str__(self) -> str:
        return self.certificate_number


class LineFreeze(models.Model):
    """A line stopped by hand, at once; another person confirms the stop, and lifts it."""

    customer = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, related_name="freezes")
    group = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="freezes")
    reason = models.CharField("原因", max_length=200)
    frozen_date = models.DateField("冻结日")
    frozen_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    confirmed_date = models.DateField("复核日", null=True)
    confirmed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+", verbose_name="复核人")
    lifted_date = models.DateField("解冻日", null=True)
    lifted_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    lift_reason = models.CharField("解冻原因", max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            _one_subject("freeze_of_one_subject"),
            models.CheckConstraint(
                condition=Q(lifted_by__isnull=True) | ~Q(lifted_by=F("frozen_by")), name="freeze_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("frozen_by")),
                name="freeze_confirmed_by_another",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True, confirmed_date__isnull=True)
                | Q(confirmed_by__isnull=False, confirmed_date__isnull=False),
                name="freeze_confirmed_with_date",
            ),
            models.UniqueConstraint(
                fields=["customer"], condition=Q(lifted_date__isnull=True), name="one_open_freeze_per_customer"
            ),
            models.UniqueConstraint(
                fields=["group"], condition=Q(lifted_date__isnull=True), name="one_open_freeze_per_group"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer or self.group} {self.frozen_date}"


class Precondition(models.Model):
    """A condition that must be met before a contract may be drawn on."""

    facility = models.ForeignKey("facilities.Facility", models.PROTECT, related_name="preconditions")
    text = models.CharField("放款前提", max_length=200)
    met_date = models.DateField("落实日", null=True)
    met_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    evidence = models.CharField("落实凭据", max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(met_date__isnull=True) | ~Q(evidence=""), name="met_precondition_has_evidence"
            )
        ]

    def __str__(self) -> str:
        return self.text


class Repayment(models.Model):
    """A part of a deal paid back; the last one closes the deal."""

    deal = models.ForeignKey("facilities.Deal", models.PROTECT, related_name="repayments")
    amount_fen = models.BigIntegerField("金额（分）")
    counted_fen = models.BigIntegerField("释放额度（分）")
    repaid_date = models.DateField("还款日")
    is_final = models.BooleanField("结清", default=False)
    recorded_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="repayment_positive"),
            models.UniqueConstraint(fields=["deal"], condition=Q(is_final=True), name="one_final_repayment"),
        ]

    def __str__(self) -> str:
        return f"{self.deal} {self.amount_fen}"


class CoverChange(models.Model):
    """Margin, own certificate of deposit or treasury bond of a deal added or taken away."""

    class Kind(models.TextChoices):
        MARGIN = "margin", "保证金"
        OWN_CD = "own_cd", "本行存单"
        TREASURY = "treasury", "国债"

    deal = models.ForeignKey("facilities.Deal", models.PROTECT, related_name="cover_changes")
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    before_fen = models.BigIntegerField("变更前（分）")
    after_fen = models.BigIntegerField("变更后（分）")
    counted_change_fen = models.BigIntegerField("敞口变化（分）")
    changed_date = models.DateField("变更日")
    has_happened = models.BooleanField("已发生", default=False)
    reason = models.CharField("原因", max_length=200)
    recorded_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(before_fen__gte=0, after_fen__gte=0), name="cover_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.deal} {self.get_kind_display()}"


class Overdue(models.Model):
    """Principal or interest of a deal not paid when due, or a forced advance (BR-06, W04, W05)."""

    deal = models.ForeignKey("facilities.Deal", models.PROTECT, related_name="overdues")
    since_date = models.DateField("应还日")
    principal_fen = models.BigIntegerField("逾期本金（分）", default=0)
    interest_fen = models.BigIntegerField("欠息（分）", default=0)
    is_forced_advance = models.BooleanField("垫款", default=False)
    cured_date = models.DateField("偿还日", null=True)
    recorded_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["-since_date", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(principal_fen__gte=0, interest_fen__gte=0), name="overdue_not_negative"),
            models.CheckConstraint(
                condition=Q(principal_fen__gt=0) | Q(interest_fen__gt=0), name="overdue_of_something"
            ),
            models.CheckConstraint(
                condition=Q(cured_date__isnull=True) | Q(cured_date__gte=F("since_date")), name="cured_after_overdue"
            ),
            models.UniqueConstraint(
                fields=["deal"], condition=Q(cured_date__isnull=True), name="one_open_overdue_per_deal"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deal} {self.since_date}"


class AssetClass(models.Model):
    """五级分类 of one deal from a day on; never better than the days overdue allow (CB-19)."""

    deal = models.ForeignKey("facilities.Deal", models.PROTECT, related_name="classes")
    grade = models.CharField("分类", max_length=12, choices=list(GRADE_NAMES.items()))
    floor = models.CharField("下限", max_length=12, choices=list(GRADE_NAMES.items()))
    days_overdue = models.PositiveIntegerField("逾期天数", default=0)
    classified_date = models.DateField("分类日")
    reason = models.CharField("理由", max_length=200)
    decided_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["-classified_date", "-id"]

    def __str__(self) -> str:
        return f"{self.deal} {self.get_grade_display()}"


class ManagingBranch(models.Model):
    """Which branch manages a customer with credit at several: named by decision, “best for risk control” (CB+7)."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="managing_branches")
    branch = models.ForeignKey(OrgUnit, models.PROTECT, related_name="+")
    reason = models.CharField("理由", max_length=400)
    decided_date = models.DateField("指定日")
    decided_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["-decided_date", "-id"]

    def __str__(self) -> str:
        return f"{self.customer} → {self.branch}"


class BankRelatedParty(models.Model):
    """A related party of the bank itself (本行关联方) for a period; not to be mixed with group membership (UC-01)."""

    party = models.ForeignKey(Party, models.PROTECT, related_name="bank_relations")
    relation = models.CharField("关系", max_length=80)
    valid_from = models.DateField("自")
    valid_to = models.DateField("至（不含）", null=True, blank=True)
    source = models.CharField("来源", max_length=200)
    recorded_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["-valid_from", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="bank_relation_period_forward",
            )
        ]

    def __str__(self) -> str:
        return f"{self.party} {self.relation}"


class RelatedTransaction(models.Model):
    """A customer's transaction with a related party; from 10 % of its net assets it reports four items."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="related_transactions")
    counterparty = models.ForeignKey(Party, models.PROTECT, related_name="+")
    traded_date = models.DateField("交易日")
    price_fen = models.BigIntegerField("交易价格（分）", null=True)
    fair_value_fen = models.BigIntegerField("公允价值（分）", null=True)
    net_assets_fen = models.BigIntegerField("客户净资产（分）")
    relation = models.CharField("关联关系", max_length=200, blank=True)
    nature = models.CharField("交易项目和性质", max_length=200, blank=True)
    amount_text = models.CharField("金额或比例", max_length=200, blank=True)
    pricing = models.CharField("定价政策", max_length=200, blank=True)
    must_report = models.BooleanField("须报告")
    due_date = models.DateField("报告期限", null=True)
    reported_date = models.DateField("报告日", null=True)
    recorded_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["-traded_date", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(price_fen__isnull=False) | Q(fair_value_fen__isnull=False), name="transaction_has_a_value"
            ),
            models.CheckConstraint(
                condition=Q(reported_date__isnull=True)
                | (~Q(relation="") & ~Q(nature="") & ~Q(amount_text="") & ~Q(pricing="")),
                name="reported_with_all_four_items",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.traded_date}"
