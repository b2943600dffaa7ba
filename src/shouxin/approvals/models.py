"""Cases that people decide: who proposed, investigated, reviewed, decided and carried out, with what was decided on.

A case knows its subject only by (kind, id), so that this room stands below all that may become a subject. The payload
is frozen with a digest at submission; acts are added and never changed. That investigator, reviewer, approver and
operations are different persons is a constraint of the table, not a habit of the code.
"""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from shouxin.domain.authority import LEVEL_NAMES, AuthorityRow, Level


class Authority(models.Model):
    """One dated row of the table of authorities (转授权书); it counts once a second person has approved it."""

    level = models.PositiveSmallIntegerField("审批层级", choices=[(int(v), LEVEL_NAMES[v]) for v in Level])
    unit = models.ForeignKey(OrgUnit, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="机构")
    role = models.CharField("岗位", max_length=30, choices=RoleAssignment.Role.choices)
    staff = models.ForeignKey(Staff, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="被授权人")
    customer_class = models.CharField("客户类别", max_length=20, blank=True)
    ratings = models.JSONField("信用等级", default=list, blank=True)
    product = models.CharField("产品", max_length=40, blank=True)
    guarantee = models.CharField("担保方式", max_length=40, blank=True)
    tenor_max_months = models.PositiveSmallIntegerField("期限（月）不超过", null=True, blank=True)
    aggregate_max_fen = models.BigIntegerField("集团合计上限（分）", null=True, blank=True)
    is_inclusive = models.BooleanField("含本数", default=True)
    valid_from = models.DateField("自")
    valid_to = models.DateField("至（不含）", null=True, blank=True)
    article = models.CharField("条款", max_length=20, default="BR-09")
    citation = models.CharField("依据", max_length=200)
    entered_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["level", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(aggregate_max_fen__isnull=True) | Q(aggregate_max_fen__gte=0),
                name="authority_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="authority_period_forward"
            ),
            models.CheckConstraint(
                condition=Q(entered_by__isnull=True) | ~Q(entered_by=F("approved_by")), name="authority_four_eyes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_level_display()} {self.aggregate_max_fen}"

    def as_row(self) -> AuthorityRow:
        """The row as the rules read it."""
        return AuthorityRow(
            level=Level(self.level),
            aggregate_max_fen=self.aggregate_max_fen,
            is_inclusive=self.is_inclusive,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            unit_path=self.unit.path if self.unit else "",
            role=self.role,
            customer_class=self.customer_class,
            ratings=tuple(self.ratings),
            product=self.product,
            guarantee=self.guarantee,
            tenor_max_months=self.tenor_max_months,
            article=self.article,
            citation=self.citation,
        )


class Delegation(models.Model):
    """One person stands in for another for a period; acts show both names."""

    delegator = models.ForeignKey(Staff, models.PROTECT, related_name="delegations_given", verbose_name="委托人")
    delegate = models.ForeignKey(Staff, models.PROTECT, related_name="delegations_held", verbose_name="受托人")
    valid_from = models.DateField("自")
    valid_to = models.DateField("至（不含）")
    reason = models.CharField("事由", max_length=200)
    is_revoked = models.BooleanField("已撤回", default=False)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(delegator=F("delegate")), name="delegation_to_another"),
            models.CheckConstraint(condition=Q(valid_to__gt=F("valid_from")), name="delegation_period_forward"),
            # A person's acts are in one deputy's hands at a time; what was taken back frees its days.
            ExclusionConstraint(
                name="one_delegation_of_a_person_at_a_time",
                expressions=[
                    ("delegator", RangeOperators.EQUAL),
                    (
                        models.Func(
                            F("valid_from"), F("valid_to"), function="daterange", output_field=DateRangeField()
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(is_revoked=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delegator} → {self.delegate}"


class Minutes(models.Model):
    """What a meeting decided, with the signed paper when it was scanned."""

    class Meeting(models.TextChoices):
        PRESIDENT = "president", "行长办公会"
        LOAN = "loan", "贷款审批会议"

    number = models.CharField("纪要编号", max_length=80, unique=True)
    meeting = models.CharField("会议", max_length=12, choices=Meeting.choices)
    held_date = models.DateField("开会日期")
    attendees = models.CharField("出席", max_length=400, blank=True)
    resolution = models.TextField("决议")
    file_name = models.CharField("附件", max_length=200, blank=True)
    file = models.BinaryField(null=True, blank=True)
    recorded_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-held_date", "-id"]
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(number=""), name="minutes_have_a_number")]

    def __str__(self) -> str:
        return self.number


class Case(models.Model):
    """One matter to decide. ``exclusive_key`` allows one open case at a time on the same subject."""

    class Kind(models.TextChoices):
        GENERAL_LINE = "general_line", "一般额度授信"
        PUBLIC_LINE = "public_line", "公开额度授信"
        GROUP_LINE = "group_line", "集团统一授信"
        LINE_CHANGE = "line_change", "额度调整与退出"
        USE_PUBLIC = "use_public", "公开额度内使用"
        USE_OTHER = "use_other", "一般额度下使用"
        USE_EXEMPT = "use_exempt", "免上会使用"

    class State(models.TextChoices):
        DRAFT = "draft", "调查中"
        REVIEW = "review", "待审查"
        DECIDE = "decide", "待审批"
        APPROVED = "approved", "已批准待落实"
        DONE = "done", "已生效"
        REFUSED = "refused", "已否决"
        WITHDRAWN = "withdrawn", "已撤回"

    OPEN_STATES = (State.DRAFT, State.REVIEW, State.DECIDE, State.APPROVED)

    number = models.CharField("案件编号", max_length=30, unique=True)
    kind = models.CharField("事项", max_length=20, choices=Kind.choices)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.CharField(max_length=64)
    subject_name = models.CharField("对象", max_length=200)
    exclusive_key = models.CharField(max_length=80, blank=True)
    unit = models.ForeignKey(OrgUnit, models.PROTECT, related_name="cases", verbose_name="发起机构")
    payload = models.JSONField(default=dict)
    payload_digest = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)
    findings = models.JSONField(default=list)
    exceptions = models.JSONField("例外", default=list)
    exception_reason = models.TextField("例外理由", blank=True)
    level = models.PositiveSmallIntegerField("审批层级", null=True, choices=[(int(v), LEVEL_NAMES[v]) for v in Level])
    level_reasons = models.JSONField(default=list)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.DRAFT)
    round = models.PositiveSmallIntegerField("轮次", default=1)
    minutes = models.ForeignKey(Minutes, models.PROTECT, null=True, blank=True, related_name="cases")
    due_date = models.DateField("办理期限", null=True)
    created_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    created_date = models.DateField("发起日")
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decided_date = models.DateField(null=True)
    decision = models.TextField("审批意见", blank=True)
    result = models.JSONField("落实结果", default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["exclusive_key"],
                condition=~Q(exclusive_key="") & Q(state__in=["draft", "review", "decide", "approved"]),
                name="one_open_case_per_subject",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("created_by")), name="case_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(state="withdrawn") | ~Q(payload_digest=""),
                name="submitted_case_is_frozen",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["subject_kind", "subject_id", "-id"], name="case_subject"),
            models.Index(fields=["state", "due_date"], name="case_open"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.get_kind_display()} {self.subject_name}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN_STATES

    @property
    def level_name(self) -> str:
        return LEVEL_NAMES[Level(self.level)] if self.level else ""


class Act(models.Model):
    """One act of one person on a case in one role; only added."""

    class Role(models.TextChoices):
        INVESTIGATE = "investigate", "调查"
        REVIEW = "review", "审查"
        DECIDE = "decide", "审批"
        OPERATE = "operate", "落实"
        SUBMIT = "submit", "提交"
        RETURN = "return", "退回补充"
        WITHDRAW = "withdraw", "撤回"
        ATTACH = "attach", "附会议纪要"
        AMEND = "amend", "修改"

    SEPARATE = (Role.INVESTIGATE, Role.REVIEW, Role.DECIDE, Role.OPERATE)

    case = models.ForeignKey(Case, models.PROTECT, related_name="acts")
    round = models.PositiveSmallIntegerField(default=1)
    role = models.CharField("环节", max_length=12, choices=Role.choices)
    actor = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    on_behalf_of = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    agrees = models.BooleanField("同意", null=True)
    is_on_site = models.BooleanField("现场", default=False)
    opinion = models.TextField("意见", blank=True)
    acted_date = models.DateField("日期")
    acted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["case", "round", "actor"],
                condition=Q(role__in=["investigate", "review", "decide", "operate"]),
                name="one_role_per_person_in_a_case",
            ),
            models.UniqueConstraint(
                fields=["case", "round", "role"],
                condition=Q(role__in=["review", "decide", "operate"]),
                name="one_review_decision_and_operation",
            ),
            models.CheckConstraint(
                condition=Q(on_behalf_of__isnull=True) | ~Q(on_behalf_of=F("actor")), name="act_for_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} {self.get_role_display()} {self.actor}"
