"""Write what was said and done with customers. Each function is one use case and one transaction."""

import datetime as dt
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.domain.special_dates import next_occurrence
from shouxin.engagement.models import (
    Absence,
    Activity,
    ActivityVersion,
    ChannelConsent,
    Contact,
    Greeting,
    Preference,
    SpecialDate,
    SuspectedLink,
)
from shouxin.parties.models import Customer
from shouxin.parties.ownership import cover_customers
from shouxin.parties.search_index import index_customers
from shouxin.policy import load_book


class EngagementError(ValueError):
    """Something that cannot be kept so; the text says why and what to do."""


@transaction.atomic
def record_activity(
    *,
    actor: Staff,
    customer: Customer,
    kind: str,
    text: str,
    happened_at: dt.datetime,
    business_date: dt.date,
    contact: Contact | None = None,
    result: str = "",
    is_practice: bool = False,
    link_to: str = "",
) -> Activity:
    """Keep a note, call or visit. A real contact moves 最近联系; ``link_to`` raises a suspected link."""
    if not text.strip():
        raise EngagementError("请填写内容。")
    if contact is not None and contact.customer_id != customer.pk:
        raise EngagementError("联系人不属于该客户。")
    made = Activity.objects.create(
        customer=customer, contact=contact, kind=kind, happened_at=happened_at, author=actor, author_name=actor.name,
        text=text.strip(), result=result, is_practice=is_practice,
    )  # fmt: skip
    if kind != Activity.Kind.NOTE and not is_practice and result != Activity.Result.NO_ANSWER:
        day = timezone.localdate(happened_at)
        Customer.objects.filter(pk=customer.pk).exclude(last_contact_date__gte=day).update(last_contact_date=day)
    Customer.objects.filter(pk=customer.pk).update(updated_at=timezone.now())
    index_customers([customer.pk])
    if link_to.strip():
        SuspectedLink.objects.create(
            customer=customer, activity=made, other_name=link_to.strip()[:200], text=text.strip()[:500], raised_by=actor
        )
        record_act(actor, customer, "engagement.link.raised", f"提出关联线索：{link_to.strip()}", business_date)
    return made


@transaction.atomic
def edit_activity(*, actor: Staff, activity: Activity, text: str, now: dt.datetime) -> Activity:
    """Change what one wrote oneself, for some days; the earlier text is kept. Raises EngagementError afterwards."""
    activity = Activity.objects.select_for_update(of=("self",)).get(pk=activity.pk)
    if activity.author_id != actor.pk or activity.is_imported:
        raise EngagementError("只能修改本人填写的记录；导入的历史不可修改。")
    if not text.strip():
        raise EngagementError("请填写内容。")
    if is_locked(activity, now=now):
        days = load_book().whole("crm.note_edit_days", timezone.localdate(now))
        raise EngagementError(f"记录满 {days} 天后锁定（crm.note_edit_days），请新增一条更正。")
    ActivityVersion.objects.create(activity=activity, text=activity.text, edited_by=actor)
    activity.text = text.strip()
    activity.save(update_fields=["text"])
    index_customers([activity.customer_id])
    return activity


def is_locked(activity: Activity, *, now: dt.datetime) -> bool:
    days = load_book().whole("crm.note_edit_days", timezone.localdate(now))
    return activity.is_imported or now - activity.created_at > dt.timedelta(days=days)


@transaction.atomic
def decide_link(*, actor: Staff, link: SuspectedLink, is_taken: bool, decision: str, business_date: dt.date) -> None:
    """An officer takes a suspected link up, or dismisses it with a reason."""
    if not decision.strip():
        raise EngagementError("请填写处理意见。")
    state = SuspectedLink.State.TAKEN if is_taken else SuspectedLink.State.DISMISSED
    done = SuspectedLink.objects.filter(pk=link.pk, state=SuspectedLink.State.OPEN).update(
        state=state, decided_by=actor, decision=decision.strip()[:200]
    )
    if not done:
        raise EngagementError("该线索已处理。")
    record_act(
        actor, link.customer, "engagement.link.decided", f"关联线索 {link.other_name}：{state.label}", business_date
    )


@transaction.atomic
def add_contact(*, actor: Staff, customer: Customer, business_date: dt.date, **fields: object) -> Contact:
    """Add a person at a customer; a spouse is linked from both sides (JR-03)."""
    spouse = fields.get("spouse")
    if isinstance(spouse, Contact) and spouse.customer_id != customer.pk:
        raise EngagementError("配偶须为同一客户的联系人。")
    contact = Contact.objects.create(customer=customer, **fields)
    if isinstance(spouse, Contact):
        Contact.objects.filter(pk=spouse.pk).update(spouse=contact)
    index_customers([customer.pk])
    record_act(actor, customer, "engagement.contact.added", f"新增联系人 {contact}", business_date)
    return contact


@transaction.atomic
def note_preference(
    *, actor: Staff, contact: Contact, category: str, value: str, source: str, business_date: dt.date
) -> Preference:
    """Keep what somebody likes, and where that is known from (HT-03)."""
    if not source.strip():
        raise EngagementError("请填写喜好的来源。")
    made = Preference.objects.create(
        contact=contact, category=category, value=value, source=source, noted_date=business_date
    )
    record_act(actor, contact.customer, "engagement.preference.noted", f"{contact} {made}", business_date)
    return made


@transaction.atomic
def send_greeting(*, actor: Staff, special_date: SpecialDate, text: str, business_date: dt.date) -> Greeting:
    """Keep this year's wish. The same words as an earlier year are refused: a wish is one's own (SK-13)."""
    year = next_occurrence(
        on_or_after=business_date, month=special_date.month, day=special_date.day,
        is_lunar=special_date.calendar == SpecialDate.Calendar.LUNAR, is_leap=special_date.is_leap_month,
    ).year  # fmt: skip
    earlier = special_date.greetings.filter(text=text.strip()).exclude(year=year).order_by("-year").first()
    if earlier is not None:
        raise EngagementError(f"与 {earlier.year} 年的祝辞相同，请为客户另写一句（SK-13）。")
    made, _ = Greeting.objects.update_or_create(
        special_date=special_date, year=year, defaults={"text": text.strip(), "sent_by": actor}
    )
    return made


@transaction.atomic
def announce_absence(
    *, actor: Staff, from_date: dt.date, until_date: dt.date, substitute: Staff | None, reason: str,
    business_date: dt.date,
) -> tuple[Absence, list[str]]:  # fmt: skip
    """Say that one is away; a substitute covers the customers until the day, without one it warns (HT-08)."""
    if until_date <= from_date:
        raise EngagementError(f"结束日 {until_date} 须晚于开始日 {from_date}。")
    absence = Absence.objects.create(
        staff=actor, from_date=from_date, until_date=until_date, substitute=substitute, reason=reason
    )
    if substitute is None:
        return absence, ["没有指定代看人：外出期间客户无人照看，请补充（HT-08）。"]
    cover_customers(
        actor=actor, absent=actor, substitute=substitute, from_date=from_date, until_date=until_date,
        business_date=business_date,
    )  # fmt: skip
    return absence, []


@transaction.atomic
def set_consents(*, actor: Staff, customer: Customer, given: Mapping[str, bool], business_date: dt.date) -> None:
    """Keep by which channels a customer agrees to be addressed (CO-06)."""
    for channel, is_given in given.items():
        ChannelConsent.objects.update_or_create(
            customer=customer, channel=channel, defaults={"is_given": is_given, "decided_date": business_date}
        )
    record_act(actor, customer, "engagement.consents.set", "更新渠道同意", business_date)


def record_act(actor: Staff, customer: Customer, action: str, summary: str, day: dt.date) -> None:
    audit.record(actor=actor, action=action, subject=("customer", customer.pk), summary=summary, business_date=day)
