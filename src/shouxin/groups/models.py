"""Group customers 集团客户: the evidence, what the engine proposes with proof, what people decided.

Evidence is dated. A determination is one run of the engine on the evidence of a day; its candidates are
proposals. Membership, with its two time axes, is what people confirmed, and only that rules the limits (BR-03).
"""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateRangeField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import OrgUnit, Staff
from shouxin.parties.models import Customer, Party


class Dated(models.Model):
    """A fact with its period (end excluded, empty means open) and where it comes from."""

    valid_from = models.DateField("自", null=True, blank=True)
    valid_to = models.DateField("至", null=True, blank=True)
    source = models.CharField("来源", max_length=200, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True) | Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="%(class)s_period_forward",
            )
        ]


class Holding(Dated):
    """A stake: ``votes`` decide control (D1), ``cash_micro_percent`` the economic share. 1 % is 1,000,000."""

    holder = models.ForeignKey(Party, models.PROTECT, related_name="holdings")
    company = models.ForeignKey(Party, models.PROTECT, related_name="holders")
    votes = models.BigIntegerField("表决权（股，或百分比×10⁶）")
    is_percent = models.BooleanField("按百分比", default=True)
    cash_micro_percent = models.BigIntegerField("收益权（百分比×10⁶）", null=True, blank=True)

    class Meta(Dated.Meta):
        indexes: ClassVar = [models.Index(fields=["company"]), models.Index(fields=["holder"])]
        constraints: ClassVar = [
            *Dated.Meta.constraints,
            models.CheckConstraint(condition=Q(votes__gte=0), name="holding_votes_not_negative"),
            models.CheckConstraint(
                condition=Q(is_percent=False) | Q(votes__lte=100_000_000), name="holding_at_most_whole"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.holder} → {self.company}"


class Agreement(Dated):
    """Control without the votes: board majority, voting agreement, contract, registered actual controller."""

    class Kind(models.TextChoices):
        BOARD_MAJORITY = "board_majority", "董事会多数"
        VOTING_AGREEMENT = "voting_agreement", "表决权协议"
        CONTRACT = "contract", "协议控制"
        ACTUAL_CONTROLLER = "actual_controller", "登记实际控制人"

    controller = models.ForeignKey(Party, models.PROTECT, related_name="+")
    company = models.ForeignKey(Party, models.PROTECT, related_name="+")
    kind = models.CharField("方式", max_length=30, choices=Kind.choices)

    def __str__(self) -> str:
        return f"{self.controller} {self.get_kind_display()} {self.company}"


class ConcertMember(Dated):
    """One party of a set acting in concert 一致行动."""

    concert_set = models.CharField("一致行动编号", max_length=80)
    member = models.ForeignKey(Party, models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"{self.concert_set} {self.member}"


class KinLink(Dated):
    """``parent``: a is a parent of b; ``spouse``: a and b are married. Everything else is computed from these."""

    class Relation(models.TextChoices):
        PARENT = "parent", "父母"
        SPOUSE = "spouse", "配偶"

    class Kind(models.TextChoices):
        BLOOD = "blood", "血亲"
        ADOPTIVE = "adoptive", "收养"
        STEP = "step", "继（有扶养关系）"

    a = models.ForeignKey(Party, models.PROTECT, related_name="+")
    b = models.ForeignKey(Party, models.PROTECT, related_name="+")
    relation = models.CharField("关系", max_length=10, choices=Relation.choices)
    kind = models.CharField("性质", max_length=10, choices=Kind.choices, default=Kind.BLOOD)

    class Meta(Dated.Meta):
        constraints: ClassVar = [
            *Dated.Meta.constraints,
            models.CheckConstraint(condition=~Q(a=F("b")), name="kin_link_between_two"),
        ]

    def __str__(self) -> str:
        return f"{self.a} {self.get_relation_display()} {self.b}"


class Post(Dated):
    """An office held in a company: director, general manager, chief financial officer."""

    person = models.ForeignKey(Party, models.PROTECT, related_name="posts")
    company = models.ForeignKey(Party, models.PROTECT, related_name="officers")
    post = models.CharField("职务", max_length=80)

    def __str__(self) -> str:
        return f"{self.person} {self.company} {self.post}"


class Dependence(Dated):
    """Economic dependence (D12): ``dependent`` takes this share of its yearly income, purchases … from the other."""

    dependent = models.ForeignKey(Party, models.PROTECT, related_name="dependences")
    depended_on = models.ForeignKey(Party, models.PROTECT, related_name="+")
    ratio_percent = models.DecimalField("比例（%）", max_digits=9, decimal_places=6)
    kind = models.CharField("类别", max_length=80)
    period = models.CharField("期间", max_length=20, blank=True)

    def __str__(self) -> str:
        return f"{self.dependent} → {self.depended_on} {self.ratio_percent}%"


class Guarantee(Dated):
    """A guarantee given by one party for another's debt; no second exposure, but counted for circles (A-20)."""

    guarantor = models.ForeignKey(Party, models.PROTECT, related_name="guarantees_given")
    debtor = models.ForeignKey(Party, models.PROTECT, related_name="guarantees_received")
    amount_fen = models.BigIntegerField("金额（分）")

    class Meta(Dated.Meta):
        constraints: ClassVar = [
            *Dated.Meta.constraints,
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="guarantee_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.guarantor} → {self.debtor}"


class Determination(models.Model):
    """One run of the engine: the day it looked at, the settings it used, what it found."""

    as_of_date = models.DateField("截止日")
    recorded_at = models.DateTimeField("运行时间", auto_now_add=True)
    requested_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    settings = models.JSONField(default=dict)
    evidence_digest = models.CharField(max_length=64)
    counts = models.JSONField(default=dict)
    findings = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["-id"]
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"识别 {self.as_of_date} #{self.pk}"


class CustomerGroup(models.Model):
    """A confirmed group customer; who belongs to it when is in Membership."""

    class Status(models.TextChoices):
        ACTIVE = "active", "有效"
        CLOSED = "closed", "已关闭"

    number = models.CharField("集团编号", max_length=20, unique=True)
    name = models.CharField("集团名称", max_length=120)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.ACTIVE)
    responsible = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name="负责人")
    lead_unit = models.ForeignKey(OrgUnit, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return self.name


class Candidate(models.Model):
    """One maximal group as the engine proposes it; exposure counts in each until a person decides."""

    class Status(models.TextChoices):
        PROPOSED = "proposed", "待认定"
        CONFIRMED = "confirmed", "已认定"
        REJECTED = "rejected", "不予认定"
        SUPERSEDED = "superseded", "已被新提案取代"

    determination = models.ForeignKey(Determination, models.CASCADE, related_name="candidates")
    label = models.CharField("编号", max_length=20)
    name = models.CharField("名称", max_length=160)
    anchor = models.ForeignKey(Party, models.PROTECT, null=True, related_name="+")
    status = models.CharField("状态", max_length=12, choices=Status.choices, default=Status.PROPOSED)
    group = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="candidates")
    updates = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="proposals")
    version = models.PositiveIntegerField("提案版本", default=1)
    reason = models.TextField("意见", blank=True)
    decided_by = models.ForeignKey(Staff, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["determination", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["determination", "label"], name="candidate_label_once"),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.name}"


class CandidateMember(models.Model):
    """A proposed member with the proof that puts it there: ordered steps of (company, total, contributions)."""

    candidate = models.ForeignKey(Candidate, models.CASCADE, related_name="members")
    party = models.ForeignKey(Party, models.PROTECT, related_name="+")
    basis = models.CharField("依据", max_length=10)
    is_customer = models.BooleanField("授信客户")
    ultimate = models.ForeignKey(Party, models.PROTECT, null=True, related_name="+")
    proof = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["candidate", "party"], name="candidate_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.candidate} {self.party}"


class MergeTask(models.Model):
    """合并认定: two maximal groups share members, so a person must say what belongs together (A-02)."""

    class Status(models.TextChoices):
        OPEN = "open", "待认定"
        DECIDED = "decided", "已认定"
        OBSOLETE = "obsolete", "已失效"

    determination = models.ForeignKey(Determination, models.CASCADE, related_name="merge_tasks")
    first = models.ForeignKey(Candidate, models.CASCADE, related_name="+")
    second = models.ForeignKey(Candidate, models.CASCADE, related_name="+")
    shared = ArrayField(models.BigIntegerField(), verbose_name="共有成员")
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.OPEN)
    decision = models.TextField("决定", blank=True)
    decided_by = models.ForeignKey(Staff, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    # The task of an earlier run that people decided, when the same two groups overlap again.
    carried_from = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")

    def __str__(self) -> str:
        return f"合并认定 {self.first.label}/{self.second.label}"


class GroupChange(models.Model):
    """What one 认定 officer proposes about a group and another decides: the whole target membership, frozen."""

    class Kind(models.TextChoices):
        CONFIRM = "confirm", "认定集团"
        UPDATE = "update", "按新提案更新"
        ADD = "add", "纳入成员（四）"
        EXCLUDE = "exclude", "剔除成员"
        MERGE = "merge", "合并为一个集团"
        SEPARATE = "separate", "分别认定"
        CLOSE = "close", "撤销集团"

    class Status(models.TextChoices):
        PROPOSED = "proposed", "待认定"
        APPROVED = "approved", "已认定"
        REFUSED = "refused", "不予认定"
        WITHDRAWN = "withdrawn", "已撤回"

    kind = models.CharField("事项", max_length=10, choices=Kind.choices)
    group = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="changes")
    candidate = models.ForeignKey(Candidate, models.PROTECT, null=True, blank=True, related_name="changes")
    task = models.ForeignKey(MergeTask, models.PROTECT, null=True, blank=True, related_name="changes")
    name = models.CharField("集团名称", max_length=120, blank=True)
    responsible = models.ForeignKey(Staff, models.PROTECT, null=True, blank=True, related_name="+")
    members = models.JSONField("成员", default=list)
    reason = models.TextField("理由")
    evidence = models.TextField("证据", blank=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.PROPOSED)
    proposed_by = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name="提议人")
    proposed_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(Staff, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.TextField("认定意见", blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | Q(status="withdrawn") | ~Q(proposed_by=F("decided_by")),
                name="group_change_four_eyes",
            ),
            models.UniqueConstraint(fields=["group"], condition=Q(status="proposed"), name="one_open_change_per_group"),
            models.UniqueConstraint(
                fields=["candidate"], condition=Q(status="proposed"), name="one_open_change_per_candidate"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"


class GroupVersion(models.Model):
    """The membership of a group as one decision left it: v1, v2, … never changed afterwards."""

    group = models.ForeignKey(CustomerGroup, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField("版本")
    change = models.OneToOneField(GroupChange, models.PROTECT, null=True, blank=True, related_name="version")
    members = models.JSONField("成员", default=list)
    valid_from = models.DateField("自")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["group", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "number"], name="group_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.group} v{self.number}"


class Membership(models.Model):
    """A customer belongs to a group for a valid period, as recorded for a period of knowledge.

    One group per customer at any (valid, recorded) instant: the database refuses the second by exclusion.
    """

    group = models.ForeignKey(CustomerGroup, models.PROTECT, related_name="memberships")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="memberships")
    basis = models.CharField("依据", max_length=10)
    evidence = models.JSONField(default=list)
    candidate = models.ForeignKey(Candidate, models.PROTECT, null=True, blank=True, related_name="+")
    valid = DateRangeField("有效期")
    recorded = DateTimeRangeField("记录期")
    proposed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    confirmed_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            ExclusionConstraint(
                name="one_group_per_customer_at_any_instant",
                expressions=[
                    ("customer", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                    ("recorded", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=Q(proposed_by__isnull=True) | ~Q(proposed_by=F("confirmed_by")),
                name="membership_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} ∈ {self.group}"
