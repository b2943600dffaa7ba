"""工薪联保集团: an employer whose staff borrow one by one, answer for each other and pay into one guarantee fund.

Not to be mixed up with a group of connected enterprises (``groups``): the same word 集团客户 in the credit union's rule
means the staff of one unit (A-01). The county union (县联社) is head office here, a credit union (信用社) a branch.
"""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from shouxin.bank.models import OrgUnit, Staff
from shouxin.parties.models import Customer


class PayrollGroup(models.Model):
    """One employer's group with its application, its qualification and where its wages are paid."""

    class State(models.TextChoices):
        FORMING = "forming", "组建中"
        QUALIFIED = "qualified", "资格已确认"
        ACTIVE = "active", "已设立"
        DISSOLVED = "dissolved", "已解散"
        REFUSED = "refused", "未通过"

    OPEN = (State.FORMING, State.QUALIFIED, State.ACTIVE)

    number = models.CharField("集团编号", max_length=20, unique=True)
    employer = models.ForeignKey(Customer, models.PROTECT, related_name="payroll_groups", verbose_name="单位")
    unit = models.ForeignKey(OrgUnit, models.PROTECT, related_name="payroll_groups", verbose_name="经办信用社")
    head_name = models.CharField("单位负责人", max_length=80)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.FORMING)
    applied_date = models.DateField("申请日期")
    applied_by = models.CharField("申请书签署人", max_length=80)
    application_number = models.CharField("申请书编号", max_length=40)
    filed_by = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name="受理人")
    reviewed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+", verbose_name="审查人")
    reviewed_date = models.DateField("审查日期", null=True)
    review_opinion = models.CharField("审查意见", max_length=400, blank=True)
    account_number = models.CharField("单位结算账户", max_length=40, blank=True)
    account_opened_date = models.DateField("开户日", null=True, blank=True)
    payroll_agreement = models.CharField("代发工资协议", max_length=40, blank=True)
    payroll_from = models.DateField("代发工资自", null=True, blank=True)
    dissolved_date = models.DateField("解散日", null=True)
    dissolved_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name = "工薪联保集团"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["employer"],
                condition=Q(state__in=["forming", "qualified", "active"]),
                name="one_open_payroll_group_per_employer",
            ),
            models.CheckConstraint(condition=Q(applied_by=F("head_name")), name="payroll_application_signed_by_head"),
            models.CheckConstraint(
                condition=Q(reviewed_by__isnull=True) | ~Q(reviewed_by=F("filed_by")), name="payroll_group_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["forming", "refused"]) | Q(reviewed_by__isnull=False),
                name="payroll_group_reviewed_before_it_counts",
            ),
            models.CheckConstraint(
                condition=Q(state="dissolved", dissolved_date__isnull=False)
                | (~Q(state="dissolved") & Q(dissolved_date__isnull=True)),
                name="payroll_group_dissolved_has_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.employer}"


class Workplace(models.Model):
    """One unit of the employer and the credit union in whose area it lies (RC-04)."""

    group = models.ForeignKey(PayrollGroup, models.CASCADE, related_name="workplaces")
    name = models.CharField("下属单位", max_length=120)
    area = models.ForeignKey(OrgUnit, models.PROTECT, related_name="+", verbose_name="服务信用社")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "name"], name="workplace_once_per_payroll_group")
        ]

    def __str__(self) -> str:
        return self.name


class Investigation(models.Model):
    """The county union's report on the employer and on the applicants it names (RC-09)."""

    group = models.ForeignKey(PayrollGroup, models.CASCADE, related_name="investigations")
    investigator = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name="调查人")
    report_date = models.DateField("报告日期")
    report = models.TextField("调查情况")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(report=""), name="investigation_says_something")]

    def __str__(self) -> str:
        return f"{self.group.number} {self.report_date}"


class Member(models.Model):
    """One of the employer's staff, from being named on a list to leaving."""

    class State(models.TextChoices):
        LISTED = "listed", "未申请"
        APPLIED = "applied", "已申请"
        QUALIFIED = "qualified", "资格已确认"
        REJECTED = "rejected", "未通过"
        ACTIVE = "active", "在册"
        LEFT = "left", "已退出"
        REMOVED = "removed", "已除名"

    CANDIDATES = (State.LISTED, State.APPLIED, State.QUALIFIED)
    OPEN = (*CANDIDATES, State.ACTIVE)

    group = models.ForeignKey(PayrollGroup, models.PROTECT, related_name="members")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="payroll_memberships", verbose_name="成员")
    employment = models.CharField("身份", max_length=40)
    post = models.CharField("岗位", max_length=80, blank=True)
    monthly_income_fen = models.BigIntegerField("月固定收入（分）", default=0)
    income_proof = models.CharField("收入证明", max_length=120, blank=True)
    account_number = models.CharField("本人账户", max_length=40, blank=True)
    owes_overdue = models.BooleanField("有逾期贷款", null=True)
    credit_checked_date = models.DateField("征信核对日", null=True, blank=True)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.LISTED)
    applied_date = models.DateField("申请日期", null=True, blank=True)
    investigation = models.ForeignKey(Investigation, models.PROTECT, null=True, related_name="members")
    reviewed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    reviewed_date = models.DateField("审查日期", null=True)
    review_reason = models.CharField("审查意见", max_length=200, blank=True)
    limit_fen = models.BigIntegerField("授信额度（分）", default=0)
    joined_date = models.DateField("加入日", null=True)
    supplement_number = models.CharField("补充协议", max_length=40, blank=True)
    left_date = models.DateField("离开日", null=True)
    entered_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer"],
                condition=Q(state__in=["listed", "applied", "qualified", "active"]),
                name="one_open_payroll_membership_per_person",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["listed", "rejected"]) | Q(applied_date__isnull=False),
                name="payroll_member_applied_in_person",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["listed", "applied", "rejected"])
                | Q(investigation__isnull=False, reviewed_by__isnull=False),
                name="payroll_member_investigated_then_reviewed",
            ),
            models.CheckConstraint(
                condition=Q(reviewed_by__isnull=True) | ~Q(reviewed_by=F("entered_by")), name="payroll_member_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(limit_fen__gte=0, monthly_income_fen__gte=0), name="payroll_member_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | Q(joined_date__isnull=False), name="payroll_member_joined_on_a_day"
            ),
        ]

    def __str__(self) -> str:
        return self.customer.party.name


class Contract(models.Model):
    """The joint contract: the group exists from its signing; its limit is the county union's highest value (RC-05)."""

    class State(models.TextChoices):
        DRAFT = "draft", "待批准"
        IN_FORCE = "in_force", "已签订"
        REFUSED = "refused", "未批准"

    group = models.ForeignKey(PayrollGroup, models.PROTECT, related_name="contracts")
    number = models.CharField("合同编号", max_length=40, unique=True)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.DRAFT)
    signed_date = models.DateField("签订日")
    end_date = models.DateField("到期日（不含）")
    limit_fen = models.BigIntegerField("授信额度（分）")
    owed_fen = models.BigIntegerField("已用（本金，分）", default=0)
    exception_reason = models.CharField("期限例外理由", max_length=200, blank=True)
    renews = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="renewals")
    consent_number = models.CharField("续签同意书", max_length=80, blank=True)
    consented_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+", verbose_name="续签同意人")
    prepared_by = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name="拟订人")
    approved_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+", verbose_name="批准人")
    approved_date = models.DateField("批准日", null=True)
    opinion = models.CharField("批准意见", max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-signed_date", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(end_date__gt=F("signed_date")), name="payroll_contract_forward"),
            models.CheckConstraint(
                condition=Q(owed_fen__gte=0, owed_fen__lte=F("limit_fen")), name="payroll_contract_within_limit"
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("prepared_by")),
                name="payroll_contract_four_eyes",
            ),
            models.CheckConstraint(
                condition=~Q(state="in_force") | Q(approved_by__isnull=False), name="payroll_contract_approved"
            ),
            models.CheckConstraint(
                condition=Q(renews__isnull=True)
                | ~Q(state="in_force")
                | (~Q(consent_number="") & Q(consented_by__isnull=False)),
                name="payroll_renewal_has_consent",
            ),
            models.UniqueConstraint(
                fields=["renews"], condition=Q(state="in_force"), name="payroll_contract_renewed_once"
            ),
            ExclusionConstraint(
                name="one_payroll_contract_at_a_time",
                expressions=[
                    ("group", RangeOperators.EQUAL),
                    (
                        Func(F("signed_date"), F("end_date"), function="daterange", output_field=DateRangeField()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(state="in_force"),
            ),
        ]

    def __str__(self) -> str:
        return self.number


class FundAccount(models.Model):
    """The special account of the guarantee fund with its one custodian (RC-16)."""

    class Kind(models.TextChoices):
        SPECIAL = "special", "专户"
        GENERAL = "general", "一般账户"

    group = models.OneToOneField(PayrollGroup, models.PROTECT, related_name="fund")
    number = models.CharField("账号", max_length=40, unique=True)
    kind = models.CharField("类型", max_length=10, choices=Kind.choices, default=Kind.SPECIAL)
    custodian = models.ForeignKey(Staff, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="保管人")
    opened_date = models.DateField("开立日")
    balance_fen = models.BigIntegerField("余额（分）", default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(balance_fen__gte=0), name="guarantee_fund_not_negative"),
            models.CheckConstraint(condition=Q(kind="special"), name="guarantee_fund_in_a_special_account"),
        ]

    def __str__(self) -> str:
        return self.number


class FundEntry(models.Model):
    """Money into or out of the fund. Only added; the database refuses a change."""

    class Kind(models.TextChoices):
        CONTRIBUTION = "contribution", "交纳"
        REFUND = "refund", "退还"

    account = models.ForeignKey(FundAccount, models.PROTECT, related_name="entries")
    member = models.ForeignKey(Member, models.PROTECT, related_name="fund_entries")
    kind = models.CharField("摘要", max_length=12, choices=Kind.choices)
    amount_fen = models.BigIntegerField("金额（分）")
    booked_date = models.DateField("记账日")
    voucher = models.CharField("凭证号", max_length=40)
    entered_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="fund_entry_positive"),
            models.UniqueConstraint(fields=["account", "voucher"], name="fund_voucher_booked_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount_fen}"


class Loan(models.Model):
    """A loan to one member. What is owed is kept beside the entries it is the sum of."""

    class State(models.TextChoices):
        REQUESTED = "requested", "待复核"
        OUT = "out", "已发放"
        CLOSED = "closed", "已结清"
        WITHDRAWN = "withdrawn", "已撤回"

    number = models.CharField("借据号", max_length=40, unique=True)
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="loans")
    member = models.ForeignKey(Member, models.PROTECT, related_name="loans")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.REQUESTED)
    amount_fen = models.BigIntegerField("贷款额（分）")
    fund_due_fen = models.BigIntegerField("应交保证基金（分）")
    principal_fen = models.BigIntegerField("本金余额（分）", default=0)
    interest_fen = models.BigIntegerField("欠息（分）", default=0)
    loan_date = models.DateField("贷款日")
    due_date = models.DateField("到期日")
    taken_over_from = models.ForeignKey("self", models.PROTECT, null=True, related_name="taken_over")
    findings = models.JSONField(default=list)
    requested_by = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name="经办")
    released_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+", verbose_name="复核")
    breach = models.CharField("违约情形", max_length=200, blank=True)
    breach_date = models.DateField("违约日", null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(fund_due_fen__gte=0)
                & (Q(amount_fen__gt=0) | Q(amount_fen=0, taken_over_from__isnull=False)),
                name="payroll_loan_positive",
            ),
            models.CheckConstraint(
                condition=Q(principal_fen__gte=0, interest_fen__gte=0, principal_fen__lte=F("amount_fen")),
                name="payroll_loan_owed_not_negative",
            ),
            models.CheckConstraint(condition=Q(due_date__gt=F("loan_date")), name="payroll_loan_due_later"),
            models.CheckConstraint(
                condition=Q(released_by__isnull=True) | ~Q(released_by=F("requested_by")),
                name="payroll_loan_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "withdrawn"]) | Q(released_by__isnull=False),
                name="payroll_loan_released_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["closed", "requested", "withdrawn"]) | Q(principal_fen=0, interest_fen=0),
                name="payroll_loan_closed_owes_nothing",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def owed_fen(self) -> int:
        """Principal and interest, 分."""
        return self.principal_fen + self.interest_fen


class LoanEntry(models.Model):
    """One change of what a loan owes, 分 with its sign. Only added; the database refuses a change."""

    class Kind(models.TextChoices):
        PAID_OUT = "paid_out", "发放"
        INTEREST = "interest", "应收利息"
        REPAID = "repaid", "归还"
        RECOVERED = "recovered", "强制收回"
        HANDED_OVER = "handed_over", "转由他人承担"
        TAKEN_OVER = "taken_over", "承担他人债务"
        REVERSED = "reversed", "冲正"

    loan = models.ForeignKey(Loan, models.PROTECT, related_name="entries")
    kind = models.CharField("摘要", max_length=12, choices=Kind.choices)
    principal_fen = models.BigIntegerField("本金（分）", default=0)
    interest_fen = models.BigIntegerField("利息（分）", default=0)
    booked_date = models.DateField("记账日")
    voucher = models.CharField("凭证号", max_length=40)
    reverses = models.OneToOneField("self", models.PROTECT, null=True, related_name="reversed_by")
    entered_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["loan", "voucher"], name="loan_voucher_booked_once"),
        ]

    def __str__(self) -> str:
        return f"{self.loan} {self.get_kind_display()}"


class PayrollFile(models.Model):
    """The wages that the employer paid through the union in one month (RC-14)."""

    group = models.ForeignKey(PayrollGroup, models.PROTECT, related_name="payrolls")
    month = models.DateField("月份")
    received_date = models.DateField("收到日")
    file_name = models.CharField("文件", max_length=200)
    staff_count = models.PositiveIntegerField("人数")
    total_fen = models.BigIntegerField("合计（分）")
    entered_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    voided_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    void_reason = models.CharField("作废原因", max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-month", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["group", "month"], condition=Q(voided_by__isnull=True), name="one_payroll_file_a_month"
            ),
            models.CheckConstraint(
                condition=Q(voided_by__isnull=True) | ~Q(void_reason=""), name="payroll_voided_for_a_reason"
            ),
            models.CheckConstraint(condition=Q(month__day=1), name="payroll_month_is_its_first_day"),
        ]

    def __str__(self) -> str:
        return f"{self.group.number} {self.month:%Y-%m}"


class Wage(models.Model):
    """What one member was paid in one month's file."""

    payroll = models.ForeignKey(PayrollFile, models.CASCADE, related_name="wages")
    member = models.ForeignKey(Member, models.PROTECT, related_name="wages")
    amount_fen = models.BigIntegerField("工资（分）")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["payroll", "member"], name="one_wage_a_month"),
            models.CheckConstraint(condition=Q(amount_fen__gte=0), name="wage_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.member} {self.payroll.month:%Y-%m}"


class Departure(models.Model):
    """A member who wants to leave (退出) or who is to be removed for a breach (除名), with the two consents."""

    class Kind(models.TextChoices):
        EXIT = "exit", "退出"
        REMOVAL = "removal", "除名"

    class State(models.TextChoices):
        OPEN = "open", "办理中"
        DONE = "done", "已生效"
        WITHDRAWN = "withdrawn", "已撤销"

    member = models.ForeignKey(Member, models.PROTECT, related_name="departures")
    kind = models.CharField("事项", max_length=10, choices=Kind.choices)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN)
    asked_date = models.DateField("提出日")
    reason = models.CharField("事由", max_length=200)
    asked_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    leader_agreed_date = models.DateField("集团负责人同意", null=True)
    leader_document = models.CharField("同意书", max_length=80, blank=True)
    union_agreed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    union_agreed_date = models.DateField("信用社同意", null=True)
    done_date = models.DateField("生效日", null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["member"], condition=Q(state="open"), name="one_open_departure_per_member"),
            models.CheckConstraint(
                condition=Q(union_agreed_by__isnull=True) | ~Q(union_agreed_by=F("asked_by")),
                name="departure_four_eyes",
            ),
            models.CheckConstraint(
                condition=~Q(state="done")
                | Q(leader_agreed_date__isnull=False, union_agreed_by__isnull=False, done_date__isnull=False),
                name="departure_needs_both_consents",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.member}"


class Assumption(models.Model):
    """What another member signed to take over of a removed member's debt (落实连带责任)."""

    departure = models.ForeignKey(Departure, models.CASCADE, related_name="assumptions")
    member = models.ForeignKey(Member, models.PROTECT, related_name="+")
    share_fen = models.BigIntegerField("承担（分）")
    signed_date = models.DateField("签署日", null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["departure", "member"], name="one_assumption_per_member"),
            models.CheckConstraint(condition=Q(share_fen__gte=0), name="assumption_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.member} {self.share_fen}"


class Inspection(models.Model):
    """The county union's look at how a group is run (RC-03), with what is to be mended."""

    group = models.ForeignKey(PayrollGroup, models.PROTECT, related_name="inspections")
    inspector = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name="检查人")
    inspected_date = models.DateField("检查日")
    result = models.TextField("检查情况")
    demand = models.CharField("整改要求", max_length=400, blank=True)
    due_date = models.DateField("整改期限", null=True, blank=True)
    mended_date = models.DateField("整改完成", null=True)
    mended_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    answer = models.CharField("整改情况", max_length=400, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(demand="") | Q(due_date__isnull=False), name="inspection_demand_has_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.group.number} {self.inspected_date}"
