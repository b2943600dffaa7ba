"""Keep the register: enter a version, publish and distribute it, receive, study, ask, reply. One transaction each."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from django.db import transaction

from shouxin.audit import services as audit
from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.parameters import Parameter, choices_of
from shouxin.policy import load_book
from shouxin.rulebook.models import Clause, Document, LimitValue, Question, Receipt, Version
from shouxin.rulebook.requirements import SHAPE

_KEEPERS = frozenset(
    {RoleAssignment.Role.RISK_OFFICER, RoleAssignment.Role.APPROVER, RoleAssignment.Role.ADMINISTRATOR}
)


class RegisterError(Exception):
    """The register does not take that; the text says why and what to do."""


def _require_keeper(actor: Staff, day: dt.date) -> None:
    if not actor.unit.is_head_office or not roles_of(actor, as_of=day) & _KEEPERS:
        raise RegisterError("制度由总行风险、授信审批或系统管理岗登记和发布（CB+13）。")


@transaction.atomic
def register_document(
    *, actor: Staff, code: str, title: str, issuer: str, issuer_name: str, business_date: dt.date, owner: str = ""
) -> Document:
    """Put a rule text into the register; its first version is entered next. Raises RegisterError for a known code."""
    _require_keeper(actor, business_date)
    if issuer not in Document.Issuer.values:
        raise RegisterError("发布层级须为法律、监管规定、省联社或本行制度之一。")
    if Document.objects.filter(code=code).exists():
        raise RegisterError(f"代码 {code} 已登记，请登记它的新版本。")
    document = Document.objects.create(code=code, title=title, issuer=issuer, issuer_name=issuer_name, owner=owner)
    audit.record(
        actor=actor, action="rulebook.document.registered", subject=("rulebook_document", document.pk),
        summary=f"登记制度 {title}（{issuer_name}）", business_date=business_date,
    )  # fmt: skip
    return document


@transaction.atomic
def set_clause(
    *, actor: Staff, version: Version, requirement: str, article: str, text: str, business_date: dt.date
) -> tuple[Clause, bool]:
    """Enter an article with the requirement it stands for; entered again it is corrected, until publication.

    Gives the clause and whether it is new in this version.
    """
    _require_keeper(actor, business_date)
    if version.published_date is not None:
        raise RegisterError("已发布的版本不能再改，请登记新版本。")
    if not SHAPE.fullmatch(requirement):
        raise RegisterError(f"要求编号“{requirement}”须为字母、“+”或“-”、数字，如 JS-11、CB+12；没有登记。")
    clause, is_new = Clause.objects.update_or_create(
        version=version, requirement=requirement, defaults={"article": article, "text": text}
    )
    _trace(actor, "clause", version, f"{version} {article}（{requirement}）", business_date)
    return clause, is_new


@transaction.atomic
def enter_version(
    *, actor: Staff, document: Document, issued_date: dt.date, in_force_from: dt.date, business_date: dt.date,
    label: str = "", reference: str = "", meeting: str = "", addressees: str = "", summary: str = "",
    review_date: dt.date | None = None,
) -> Version:  # fmt: skip
    """The next version of a document; it is not in force before it is published by another person."""
    _require_keeper(actor, business_date)
    if in_force_from < issued_date:
        raise RegisterError("生效日不能早于印发日期。")
    if review_date is not None and review_date <= in_force_from:
        raise RegisterError("试行复评日须晚于生效日。")
    latest = document.versions.select_for_update().order_by("-number").first()
    if latest is not None and latest.published_date is None:
        raise RegisterError(f"v{latest.number} 尚未发布，请先发布或修改它。")
    version = Version.objects.create(
        document=document, number=(latest.number if latest else 0) + 1, label=label, reference=reference,
        meeting=meeting, issued_date=issued_date, in_force_from=in_force_from, addressees=addressees, summary=summary,
        entered_by=actor, review_date=review_date,
    )  # fmt: skip
    _trace(actor, "entered", version, f"登记 {version}", business_date)
    return version


@transaction.atomic
def set_limit_value(
    *, actor: Staff, version: Version, parameter: str, value: str, article: str, business_date: dt.date
) -> tuple[LimitValue, str]:
    """Give a parameter a value of this document; a second value replaces the first, which comes back as a text.

    Raises RegisterError for an unknown parameter, no number, or a value that is none of the parameter's choices.
    """
    _require_keeper(actor, business_date)
    if version.published_date is not None:
        raise RegisterError("已发布的版本不能再改，请登记新版本。")
    if parameter not in load_book():
        raise RegisterError(f"没有名为 {parameter} 的参数。")
    text = _limit_text(load_book().parameter(parameter), value.strip())
    before = version.limit_values.filter(parameter=parameter).values_list("value", flat=True).first() or ""
    row, _ = LimitValue.objects.update_or_create(
        version=version, parameter=parameter, defaults={"value": text, "article": article}
    )
    replaced = f"（原 {before}）" if before else ""
    _trace(actor, "valued", version, f"{version} {article}：{parameter} = {value}{replaced}", business_date)
    return row, before


def _limit_text(parameter: Parameter, value: str) -> str:
    """A value as it is kept: a number, or one of the choices that the policy has for the parameter."""
    choices = choices_of(parameter)
    if choices:
        if value not in choices:
            raise RegisterError(f"{parameter.title}的取值只能是 {'、'.join(choices)} 之一，收到“{value}”；没有登记。")
        return value
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise RegisterError(f"“{value}”不是数字。") from error
    if not number.is_finite() or number < 0:
        raise RegisterError(f"“{value}”不能作为限额。")
    return f"{number:f}"


@transaction.atomic
def publish(*, actor: Staff, version: Version, units: Iterable[OrgUnit], business_date: dt.date) -> int:
    """Put a version in force and send it to everybody of the units and below; gives how many people got it.

    The version before ends when this one begins.
    """
    _require_keeper(actor, business_date)
    version = Version.objects.select_for_update().select_related("document").get(pk=version.pk)
    if version.published_date is not None:
        raise RegisterError(f"{version} 已于 {version.published_date} 发布。")
    if version.entered_by_id == actor.pk:
        raise RegisterError("登记人不能发布自己登记的版本（四眼原则），请由另一人发布。")
    Version.objects.filter(document=version.document, in_force_to__isnull=True, number__lt=version.number).update(
        in_force_to=version.in_force_from
    )
    version.published_by = actor
    version.published_date = business_date
    version.save(update_fields=["published_by", "published_date"])
    sent = distribute(version=version, units=units, business_date=business_date)
    _trace(actor, "published", version, f"发布 {version}，下发 {sent} 人", business_date)
    return sent


def distribute(*, version: Version, units: Iterable[OrgUnit], business_date: dt.date) -> int:
    """A receipt to fill for every active person of the units and those below."""
    people: dict[int, Staff] = {}
    for unit in units:
        for person in Staff.objects.filter(unit__path__startswith=unit.path, is_active=True).select_related("unit"):
            people[person.pk] = person
    Receipt.objects.bulk_create(
        [Receipt(version=version, staff=p, unit=p.unit, sent_date=business_date) for p in people.values()],
        ignore_conflicts=True,
    )
    return len(people)


@transaction.atomic
def confirm(*, actor: Staff, version: Version, is_studied: bool, business_date: dt.date) -> Receipt:
    """Sign for a version, or that it has been studied (which signs for it too)."""
    receipt = Receipt.objects.select_for_update().filter(version=version, staff=actor).first()
    if receipt is None:
        raise RegisterError(f"{version} 没有下发给您。")
    receipt.received_date = receipt.received_date or business_date
    if is_studied:
        receipt.studied_date = receipt.studied_date or business_date
    receipt.save(update_fields=["received_date", "studied_date"])
    _trace(actor, "studied" if is_studied else "received", version, f"{actor.name} 确认 {version}", business_date)
    return receipt


@transaction.atomic
def ask(*, actor: Staff, version: Version, text: str, article: str, business_date: dt.date) -> Question:
    """Put a question to head office (CB-04)."""
    if not text.strip():
        raise RegisterError("请写明问题。")
    question = Question.objects.create(
        version=version, article=article, unit=actor.unit, asked_by=actor, text=text.strip(), asked_date=business_date
    )
    _trace(actor, "asked", version, f"{actor.unit.name} 就 {version} 提问：{text[:60]}", business_date)
    return question


@transaction.atomic
def reply(*, actor: Staff, question: Question, text: str, business_date: dt.date) -> Question:
    """Head office answers; the question is closed and who asked is told."""
    _require_keeper(actor, business_date)
    question = Question.objects.select_for_update(of=("self",)).select_related("version__document").get(pk=question.pk)
    if question.replied_date is not None:
        raise RegisterError("该问题已答复。")
    if not text.strip():
        raise RegisterError("请写明答复。")
    question.reply, question.replied_by, question.replied_date = text.strip(), actor, business_date
    question.save(update_fields=["reply", "replied_by", "replied_date"])
    _trace(actor, "replied", question.version, f"答复 {question.unit.name} 的问题", business_date)
    return question


def mark_reply_seen(*, actor: Staff, question: Question, business_date: dt.date) -> None:
    """The asker has read the reply."""
    Question.objects.filter(pk=question.pk, asked_by=actor, reply_seen_date__isnull=True).update(
        reply_seen_date=business_date
    )


def _trace(actor: Staff, what: str, version: Version, summary: str, business_date: dt.date) -> None:
    audit.record(
        actor=actor, action=f"rulebook.version.{what}", subject=("rulebook", version.pk), summary=summary,
        business_date=business_date,
    )  # fmt: skip
