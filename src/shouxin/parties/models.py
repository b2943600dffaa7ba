"""Organisations and persons, and those of them that are prospects or customers of the bank.

A *party* is anybody who is known: a customer, a shareholder, a relative. A *customer* is a party on somebody's
list, with its contact ways, its class in each scheme and the people who look after it.
"""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from shouxin.bank.models import OrgUnit, Staff


class Party(models.Model):
    """One organisation or one person. Persons are one only by identity number or a human merge (A-32)."""

    class Kind(models.TextChoices):
        ORGANISATION = "org", "机构"
        PERSON = "person", "个人"

    kind = models.CharField("类型", max_length=10, choices=Kind.choices)
    source_id = models.CharField("外部编号", max_length=80, unique=True, null=True, blank=True)
    name = models.CharField("名称", max_length=200)
    short_name = models.CharField("简称", max_length=80, blank=True)
    pinyin = models.CharField("拼音", max_length=600, blank=True, editable=False)
    pinyin_initials = models.CharField("拼音首字母", max_length=200, blank=True, editable=False)
    # organisations
    uscc = models.CharField("统一社会信用代码", max_length=18, null=True, blank=True)
    legal_form = models.CharField("法律形式", max_length=40, blank=True)
    nature = models.CharField("性质", max_length=40, blank=True)
    industry = models.CharField("行业", max_length=80, blank=True)
    country = models.CharField("国家或地区", max_length=2, default="CN", db_default="CN")  # ISO 3166-1, two letters
    total_votes = models.BigIntegerField("总表决权（股）", null=True, blank=True)
    # persons
    identity_number = models.CharField("身份证号", max_length=18, null=True, blank=True)
    birth_date = models.DateField("出生日期", null=True, blank=True)
    death_date = models.DateField("去世日期", null=True, blank=True)
    sex = models.CharField("性别", max_length=1, blank=True, choices=[("M", "男"), ("F", "女")])

    class Meta:
        ordering: ClassVar = ["id"]
        verbose_name = "主体"
        constraints: ClassVar = [
            models.UniqueConstraint(Upper("uscc"), name="one_party_per_credit_code"),
            models.UniqueConstraint(fields=["identity_number"], name="one_party_per_identity_number"),
            models.CheckConstraint(condition=~Q(name=""), name="party_has_a_name"),
            models.CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="party_country_is_two_letters"),
            models.CheckConstraint(
                condition=Q(kind="org") | Q(uscc__isnull=True, total_votes__isnull=True),
                name="only_organisations_have_credit_codes",
            ),
            models.CheckConstraint(
                condition=Q(kind="person")
                | Q(identity_number__isnull=True, birth_date__isnull=True, death_date__isnull=True),
                name="only_persons_have_identity_numbers",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["name"], name="party_name"),
        ]

    def __str__(self) -> str:
        return self.name


class FormerName(models.Model):
    """A name that a party had; it is still found by it."""

    party = models.ForeignKey(Party, models.CASCADE, related_name="former_names")
    name = models.CharField("曾用名", max_length=200)
    until_date = models.DateField("用至", null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["party", "name"], name="former_name_once_per_party"),
            models.CheckConstraint(condition=~Q(name=""), name="former_name_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name


LIVE = Q(merged_into__isnull=True)


class CustomerManager(models.Manager["Customer"]):
    """Leaves the text index of a row in the database: nobody reads it, and a saved row must not put an old one back."""

    def get_queryset(self) -> "models.QuerySet[Customer]":
        return super().get_queryset().defer("search")


class Customer(models.Model):
    """A party on the list: a prospect 准客户 or a customer with business here.

    ``main_owner``, ``main_class`` and ``is_valid`` repeat what ownerships, classifications and contact points say, so
    that a list of a million rows is filtered and sorted by one index. The database keeps them right by triggers
    (migration 0003); nothing else writes them. ``search`` is kept by ``parties.search_index``.
    """

    class Stage(models.TextChoices):
        PROSPECT = "prospect", "准客户"
        CUSTOMER = "customer", "客户"

    class OrgType(models.TextChoices):
        """Kinds of customers by what they are (CO-11), and the shop that a couple runs (JR-03)."""

        LEGAL_PERSON = "legal_person", "法人"
        COMPANY = "company", "公司"
        RESEARCH = "research", "科研机构"
        NGO = "ngo", "非政府组织"
        PUBLIC_SECTOR = "public_sector", "公共部门单位（PSU）"
        COUPLE_SHOP = "couple_shop", "夫妻店"
        SELF_EMPLOYED = "self_employed", "个体工商户"
        PERSON = "person", "个人"

    party = models.OneToOneField(Party, models.PROTECT, related_name="customer")
    number = models.CharField("客户号", max_length=20, unique=True)
    stage = models.CharField("阶段", max_length=10, choices=Stage.choices, default=Stage.PROSPECT)
    org_type = models.CharField("机构类别", max_length=20, blank=True, choices=OrgType.choices)
    unit = models.ForeignKey(OrgUnit, models.PROTECT, related_name="customers", verbose_name="所属机构", db_index=False)
    next_step = models.CharField("下一步", max_length=200, blank=True)
    next_step_date = models.DateField("下一步日期", null=True, blank=True)
    last_contact_date = models.DateField("最近联系", null=True, blank=True)
    note = models.TextField("备注", blank=True)
    referred_by = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="referrals", verbose_name="引荐人",
        db_index=False,
    )  # fmt: skip
    is_locked = models.BooleanField("锁定，不退回公海", default=False)
    lock_reason = models.CharField("锁定原因", max_length=200, blank=True, default="", db_default="")
    pooled_date = models.DateField("进入公海", null=True, blank=True)
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged", editable=False, db_index=False
    )
    # Copies of what ownerships and classifications say; the foreign keys are there.
    main_owner = models.ForeignKey(
        Staff, models.PROTECT, null=True, editable=False, related_name="+", db_index=False, db_constraint=False
    )
    main_class = models.ForeignKey(
        "CustomerClass", models.PROTECT, null=True, editable=False, related_name="+", db_index=False,
        db_constraint=False,
    )  # fmt: skip
    is_valid = models.BooleanField("有效", default=False, editable=False)
    search = SearchVectorField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[CustomerManager] = CustomerManager()

    class Meta:
        ordering: ClassVar = ["-updated_at", "-id"]
        verbose_name = "客户"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="customer_not_merged_into_itself"),
            models.CheckConstraint(condition=~Q(referred_by=F("id")), name="customer_not_referred_by_itself"),
        ]
        indexes: ClassVar = [
            # One for each order and each filter that leaves many; all of them without the merged ones. Those of a
            # unit and of an owner carry the class, so that counts by class read no row.
            models.Index(
                fields=["unit", "-updated_at", "-id"], include=["main_class"], name="customer_by_unit", condition=LIVE
            ),
            models.Index(fields=["-updated_at", "-id"], name="customer_newest_first", condition=LIVE),
            models.Index(fields=["main_class", "-updated_at", "-id"], name="customer_by_class", condition=LIVE),
            models.Index(
                fields=["main_owner", "-updated_at", "-id"],
                include=["main_class"],
                name="customer_by_owner",
                condition=LIVE,
            ),
            models.Index(fields=["next_step_date", "id"], name="customer_by_next_step", condition=LIVE),
            models.Index(fields=["last_contact_date", "id"], name="customer_by_last_contact", condition=LIVE),
            models.Index(fields=["-updated_at", "-id"], name="customer_to_repair", condition=LIVE & Q(is_valid=False)),
            models.Index(fields=["-updated_at", "-id"], name="customer_without_step", condition=LIVE & Q(next_step="")),
            models.Index(fields=["pooled_date", "id"], name="customer_in_pool", condition=Q(pooled_date__isnull=False)),
            models.Index(fields=["merged_into"], name="customer_merged", condition=Q(merged_into__isnull=False)),
            models.Index(fields=["referred_by"], name="customer_referred", condition=Q(referred_by__isnull=False)),
            GinIndex(fields=["search"], name="customer_search"),
        ]

    def __str__(self) -> str:
        return self.party.name


class ContactPoint(models.Model):
    """One way to reach a customer (NS-04): telephone, e-mail, or address with post code."""

    class Kind(models.TextChoices):
        PHONE = "phone", "电话号码"
        EMAIL = "email", "邮件地址"
        ADDRESS = "address", "地址"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="contact_points", db_index=False)
    kind = models.CharField("方式", max_length=10, choices=Kind.choices)
    value = models.CharField("内容", max_length=200)
    digits = models.CharField(max_length=40, blank=True, editable=False)
    postcode = models.CharField("邮编", max_length=10, blank=True)
    contact_name = models.CharField("联系人", max_length=80, blank=True)
    is_working = models.BooleanField("有效", default=True)
    checked_date = models.DateField("核实日期", null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "kind", "value"], name="contact_point_once_per_customer"),
            models.CheckConstraint(condition=~Q(value=""), name="contact_point_not_empty"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["digits"], name="contact_digits", condition=~Q(digits="")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"


class ClassScheme(models.Model):
    """A way to classify the list (CL-02); a bank may use several side by side."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField("分类方案", max_length=80)
    source = models.CharField("出处", max_length=120, blank=True)
    is_main = models.BooleanField("主方案", default=False)

    class Meta:
        ordering: ClassVar = ["-is_main", "code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["is_main"], condition=Q(is_main=True), name="one_main_class_scheme")
        ]

    def __str__(self) -> str:
        return self.name


class CustomerClass(models.Model):
    """One class of a scheme with the longest time between two follow-ups."""

    scheme = models.ForeignKey(ClassScheme, models.PROTECT, related_name="classes")
    code = models.CharField(max_length=20)
    name = models.CharField("类别", max_length=40)
    description = models.CharField("标准", max_length=200, blank=True)
    follow_up_days = models.PositiveSmallIntegerField("跟进间隔（天）")
    position = models.PositiveSmallIntegerField("次序")

    class Meta:
        ordering: ClassVar = ["scheme", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scheme", "code"], name="class_code_once_per_scheme"),
        ]

    def __str__(self) -> str:
        return self.name


class Classification(models.Model):
    """The class a customer has in one scheme for a period; history is kept.

    One foreign key over both columns (migration ``lean_indexes``) says that the class is one of that scheme.
    """

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="classifications")
    scheme = models.ForeignKey(ClassScheme, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    customer_class = models.ForeignKey(
        CustomerClass, models.PROTECT, related_name="classifications", db_index=False, db_constraint=False
    )
    valid_from = models.DateField("自")
    valid_to = models.DateField("至", null=True, blank=True)
    decided_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        ordering: ClassVar = ["-valid_from", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer", "scheme"], condition=Q(valid_to__isnull=True), name="one_open_class_per_scheme"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.customer_class}"


class Ownership(models.Model):
    """Who looks after a customer for a period: exactly one 主办, any number of 协办 (CM-07), 顶岗 until a day (HT-08).

    Rows are added and ended, never changed otherwise. ``FORMER`` lets the earlier owner look on until a day after a
    handover. The end day is excluded.
    """

    class Kind(models.TextChoices):
        MAIN = "main", "主办"
        ASSISTANT = "assistant", "协办"
        COVER = "cover", "顶岗"
        FORMER = "former", "原主办"

    class Origin(models.TextChoices):
        ADDED = "added", "新增"
        CLAIMED = "claimed", "公海领取"
        ASSIGNED = "assigned", "分配"
        HANDED_OVER = "handed_over", "移交"
        IMPORTED = "imported", "导入"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="ownerships")
    staff = models.ForeignKey(Staff, models.PROTECT, related_name="ownerships", db_index=False)
    kind = models.CharField("方式", max_length=10, choices=Kind.choices, default=Kind.MAIN)
    valid_from = models.DateField("自")
    valid_to = models.DateField("至", null=True, blank=True)
    origin = models.CharField("来源", max_length=20, choices=Origin.choices, default=Origin.ADDED)

    class Meta:
        ordering: ClassVar = ["-valid_from", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer"], condition=Q(valid_to__isnull=True, kind="main"), name="one_open_main_owner"
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["cover", "former"]) | Q(valid_to__isnull=False),
                name="cover_and_former_views_end",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                name="ownership_period_forward",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["staff", "valid_to"], name="ownership_of_staff"),
            # The few ties besides one's own list, which are read before every page of it.
            models.Index(
                fields=["staff"], name="ownership_besides_main", condition=~Q(kind="main", valid_to__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.get_kind_display()} {self.staff}"


# The rest of the room by subject; Django finds every table from here.
from shouxin.parties.handover_models import Handover, HandoverItem  # noqa: E402
from shouxin.parties.list_models import CustomerTag, SavedView, Tag  # noqa: E402
from shouxin.parties.merge_models import CustomerMerge, DuplicatePair  # noqa: E402
from shouxin.parties.segment_models import (  # noqa: E402
    CustomerProfile,
    Segment,
    SegmentList,
    SegmentMark,
    SegmentMember,
)

__all__ = [
    "ClassScheme", "Classification", "ContactPoint", "Customer", "CustomerClass", "CustomerMerge", "CustomerProfile",
    "CustomerTag", "DuplicatePair", "FormerName", "Handover", "HandoverItem", "Ownership", "Party", "SavedView",
    "Segment", "SegmentList", "SegmentMark", "SegmentMember", "Tag",
]  # fmt: skip
