"""The policy register: the documents that bind the bank, their versions, who has received and studied them, questions.

A rule's result cites an article; here is the document that the article stands in, who issued it and from when.
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import OrgUnit, Staff


class Document(models.Model):
    """One rule text. A higher issuer comes before a lower one; for limits the strictest valid value wins (HA-01)."""

    class Issuer(models.TextChoices):
        LAW = "law", "法律"
        REGULATOR = "regulator", "监管规定"
        PROVINCE_UNION = "province_union", "省联社"
        BANK = "bank", "本行制度"

    RANK: ClassVar = {Issuer.LAW: 1, Issuer.REGULATOR: 2, Issuer.PROVINCE_UNION: 3, Issuer.BANK: 4}

    code = models.CharField("代码", max_length=40, unique=True)
    title = models.CharField("名称", max_length=200)
    issuer = models.CharField("发布层级", max_length=20, choices=Issuer.choices)
    issuer_name = models.CharField("发布机构", max_length=120)
    owner = models.CharField("解释与修改", max_length=120, blank=True)

    class Meta:
        ordering: ClassVar = ["code"]

    def __str__(self) -> str:
        return self.title

    @property
    def rank(self) -> int:
        return self.RANK[Document.Issuer(self.issuer)]


class Version(models.Model):
    """One version of a document, in force for a period; published by a second person."""

    document = models.ForeignKey(Document, models.PROTECT, related_name="versions")
    number = models.PositiveSmallIntegerField("版本")
    label = models.CharField("标注", max_length=40, blank=True)
    reference = models.CharField("文号", max_length=80, blank=True)
    meeting = models.CharField("通过会议", max_length=120, blank=True)
    issued_date = models.DateField("印发日期")
    in_force_from = models.DateField("生效日")
    in_force_to = models.DateField("废止日（不含）", null=True, blank=True)
    superseded_by = models.CharField("由何取代", max_length=200, blank=True, default="", db_default="")
    review_date = models.DateField("试行复评日", null=True, blank=True)
    addressees = models.CharField("主送", max_length=400, blank=True)
    summary = models.TextField("要点", blank=True)
    entered_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    published_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    published_date = models.DateField("发布日", null=True)

    class Meta:
        ordering: ClassVar = ["document", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "number"], name="one_version_of_a_number"),
            models.CheckConstraint(
                condition=Q(in_force_to__isnull=True) | Q(in_force_to__gt=F("in_force_from")),
                name="version_period_forward",
            ),
            models.CheckConstraint(
                condition=Q(entered_by__isnull=True) | ~Q(entered_by=F("published_by")), name="version_four_eyes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document.title} v{self.number}"

    @property
    def is_trial(self) -> bool:
        """Whether it is in force on trial (试行), to be reviewed (RC-20)."""
        return "试行" in self.label

    def is_in_force(self, day: object) -> bool:
        return bool(self.in_force_from <= day and (self.in_force_to is None or day < self.in_force_to))  # type: ignore[operator]


class Clause(models.Model):
    """One article of a version with the requirement that it stands for (JS-11), in short."""

    version = models.ForeignKey(Version, models.PROTECT, related_name="clauses")
    requirement = models.CharField("要求编号", max_length=20)
    article = models.CharField("条款", max_length=60)
    text = models.CharField("要点", max_length=400)

    class Meta:
        ordering: ClassVar = ["version", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "requirement"], name="requirement_once_per_version")
        ]
        indexes: ClassVar = [models.Index(fields=["requirement"])]

    def __str__(self) -> str:
        return f"{self.requirement} {self.article}"


class LimitValue(models.Model):
    """A value that a document gives to a parameter; the strictest of those in force on a day rules."""

    version = models.ForeignKey(Version, models.PROTECT, related_name="limit_values")
    parameter = models.CharField("参数", max_length=80)
    value = models.CharField("取值", max_length=40)
    article = models.CharField("条款", max_length=60)

    class Meta:
        ordering: ClassVar = ["parameter", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "parameter"], name="one_value_per_parameter_and_version")
        ]

    def __str__(self) -> str:
        return f"{self.parameter} = {self.value}"


class Receipt(models.Model):
    """One person's receipt and study of a version (CB-03)."""

    version = models.ForeignKey(Version, models.PROTECT, related_name="receipts")
    staff = models.ForeignKey(Staff, models.PROTECT, related_name="receipts")
    unit = models.ForeignKey(OrgUnit, models.PROTECT, related_name="+")
    sent_date = models.DateField("下发日")
    received_date = models.DateField("签收日", null=True)
    studied_date = models.DateField("学习日", null=True)

    class Meta:
        ordering: ClassVar = ["unit__path", "staff__username"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "staff"], name="one_receipt_per_person"),
            models.CheckConstraint(
                condition=Q(studied_date__isnull=True) | Q(received_date__isnull=False), name="studied_after_receipt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.staff}"


class Question(models.Model):
    """A question met in study or practice, put to head office (CB-04)."""

    version = models.ForeignKey(Version, models.PROTECT, related_name="questions")
    article = models.CharField("条款", max_length=60, blank=True)
    unit = models.ForeignKey(OrgUnit, models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    text = models.TextField("问题")
    asked_date = models.DateField("提出日")
    reply = models.TextField("答复", blank=True)
    replied_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    replied_date = models.DateField("答复日", null=True)
    reply_seen_date = models.DateField("阅知日", null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(replied_date__isnull=True) | ~Q(reply=""), name="replied_question_has_a_reply"
            )
        ]

    def __str__(self) -> str:
        return self.text[:40]
