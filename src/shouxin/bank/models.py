"""The bank itself: its units, its people and their roles, its capital figures and exchange rates."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import F, Q


class Institution(models.Model):
    """The one bank this installation serves."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    name = models.CharField("机构名称", max_length=120)
    policy_overlay = models.CharField("制度参数", max_length=80, blank=True)
    business_date = models.DateField("营业日", null=True, blank=True, help_text="留空即当日；演示行固定在样例日期")

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="institution_is_one")]

    def __str__(self) -> str:
        return self.name


class OrgUnit(models.Model):
    """Head office, department, branch or sub-branch. ``path`` is every code from the root, ``/HO/CX/``."""

    class Kind(models.TextChoices):
        HEAD_OFFICE = "head_office", "总行"
        DEPARTMENT = "department", "部门"
        BRANCH = "branch", "分行"
        SUB_BRANCH = "sub_branch", "支行"

    code = models.CharField("机构号", max_length=20, unique=True)
    name = models.CharField("机构名称", max_length=80)
    kind = models.CharField("类型", max_length=20, choices=Kind.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    path = models.CharField(max_length=400, unique=True, editable=False)
    is_active = models.BooleanField("有效", default=True)

    class Meta:
        ordering: ClassVar = ["path"]
        indexes: ClassVar = [
            models.Index(fields=["path"], name="org_unit_path_prefix", opclasses=["varchar_pattern_ops"])
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind="head_office", parent__isnull=True)
                | (~Q(kind="head_office") & Q(parent__isnull=False)),
                name="only_head_office_has_no_parent",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_head_office(self) -> bool:
        """Head office itself or one of its departments."""
        return self.kind in {self.Kind.HEAD_OFFICE, self.Kind.DEPARTMENT}


class StaffManager(BaseUserManager["Staff"]):
    def create_user(self, username: str, password: str, **fields: object) -> "Staff":
        staff = self.model(username=username, **fields)
        staff.set_password(password)
        staff.save(using=self._db)
        return staff


class Staff(AbstractBaseUser):
    """A member of staff. What they may do comes from their roles, what they may see from role and unit."""

    username = models.CharField("工号", max_length=40, unique=True)
    name = models.CharField("姓名", max_length=80)
    unit = models.ForeignKey(OrgUnit, models.PROTECT, related_name="staff", verbose_name="所属机构")
    is_active = models.BooleanField("在岗", default=True)
    joined_date = models.DateField("入行日期", null=True, blank=True)

    USERNAME_FIELD = "username"
    objects: ClassVar[StaffManager] = StaffManager()

    class Meta:
        ordering: ClassVar = ["username"]
        verbose_name = "员工"

    def __str__(self) -> str:
        return self.name

    @property
    def display_name(self) -> str:
        return self.name


class RoleAssignment(models.Model):
    """One role held by one person for a period; the end date is excluded."""

    class Role(models.TextChoices):
        CUSTOMER_MANAGER = "customer_manager", "客户经理"
        BRANCH_HEAD = "branch_head", "支行行长"
        RISK_OFFICER = "risk_officer", "风险审查"
        APPROVER = "approver", "授信审批"
        OPERATIONS = "operations", "授信操作"
        IDENTIFICATION_OFFICER = "identification_officer", "集团认定"
        AUDITOR = "auditor", "审计"
        ADMINISTRATOR = "administrator", "系统管理"

    staff = models.ForeignKey(Staff, models.CASCADE, related_name="role_assignments")
    role = models.CharField("角色", max_length=30, choices=Role.choices)
    valid_from = models.DateField("自")
    valid_to = models.DateField("至", null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="role_period_forward"
            ),
            models.UniqueConstraint(
                fields=["staff", "role"], condition=Q(valid_to__isnull=True), name="role_held_once_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.staff} {self.get_role_display()}"


class CapitalFigure(models.Model):
    """Net capital or net Tier 1 capital on a reporting day. Entered, not computed; a second person approves it."""

    class Kind(models.TextChoices):
        NET = "net", "资本净额"
        TIER1 = "tier1", "一级资本净额"

    kind = models.CharField("口径", max_length=10, choices=Kind.choices)
    date = models.DateField("报告日")
    amount_fen = models.BigIntegerField("金额（分）")
    source = models.CharField("来源", max_length=120)
    entered_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["kind", "-date"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "date"], name="capital_figure_once_per_day"),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="capital_figure_positive"),
            models.CheckConstraint(
                condition=Q(entered_by__isnull=True) | ~Q(entered_by=F("approved_by")),
                name="capital_figure_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.date}"


class ExchangeRate(models.Model):
    """Yuan for one unit of a foreign currency, as published for a day."""

    currency = models.CharField("币种", max_length=3)
    date = models.DateField("日期")
    rate = models.DecimalField("人民币/单位", max_digits=14, decimal_places=8)
    source = models.CharField("来源", max_length=80)

    class Meta:
        ordering: ClassVar = ["currency", "-date"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["currency", "date"], name="exchange_rate_once_per_day"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="exchange_rate_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.date} {self.rate}"
