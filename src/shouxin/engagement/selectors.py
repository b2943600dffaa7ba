"""Read the relationship with a customer: timeline, people, days ahead, completeness."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from shouxin.domain.identifiers import phone_digits
from shouxin.domain.special_dates import next_occurrence
from shouxin.engagement.models import Activity, Channel, ChannelConsent, Contact, SpecialDate, SuspectedLink
from shouxin.parties.models import Customer, Party
from shouxin.policy import load_book

_TEXTS_EACH = 30


def texts_of_customers(customer_ids: Collection[int]) -> Mapping[int, list[str]]:
    """The latest follow-up texts and the people there, by which a customer is found."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    rows = Activity.objects.filter(customer__in=customer_ids).order_by("customer", "-happened_at")
    for pk, text in rows.values_list("customer", "text"):
        if len(found[pk]) < _TEXTS_EACH:
            found[pk].append(text)
    for pk, name in Contact.objects.filter(customer__in=customer_ids).exclude(name="").values_list("customer", "name"):
        found[pk].append(name)
    return found


def digits_of_customers(customer_ids: Collection[int]) -> Mapping[int, list[str]]:
    """The telephones of the people at a customer, as digits."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    people = Contact.objects.filter(customer__in=customer_ids).exclude(phone="")
    for pk, phone in people.values_list("customer", "phone"):
        found[pk].append(phone_digits(phone))
    return found


_PARTS = ("appointment", "channelconsent", "purchase", "servicecase", "servicerequest", "site", "specialdate",
          "suspectedlink")  # fmt: skip


def parts_kept_of(customer: Customer) -> frozenset[str]:
    """Of which kinds anything at all is kept for a customer, by model: one small question instead of eight large ones,
    since most of a long list has hardly any."""
    asked = ", ".join(f"EXISTS (SELECT FROM engagement_{part} WHERE customer_id = %(pk)s)" for part in _PARTS)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {asked}", {"pk": customer.pk})
        found = cursor.fetchone()
    return frozenset(part for part, is_there in zip(_PARTS, found, strict=True) if is_there)


# --- people ----------------------------------------------------------------------------------------------------------

_DOUBLE_SURNAMES = frozenset(
    [
        "欧阳",
        "司马",
        "上官",
        "诸葛",
        "东方",
        "皇甫",
        "尉迟",
        "公孙",
        "慕容",
        "令狐",
        "宇文",
        "长孙",
        "司徒",
        "夏侯",
        "轩辕",
        "端木",
        "百里",
        "南宫",
        "独孤",
        "太史",
        "申屠",
        "东郭",
    ]
)


def salutation(contact: Contact) -> str:
    """How to address somebody (HT-02): surname and title, 张总; the name itself where no title is known."""
    surname = contact.surname or (contact.name[:2] if contact.name[:2] in _DOUBLE_SURNAMES else contact.name[:1])
    return f"{surname}{contact.title}" if contact.title and surname else contact.name


def level_coverage(contacts: Collection[Contact]) -> tuple[int, int, int]:
    """Of the three levels how many are known, of how many, and that in percent (JR-08)."""
    known = {c.level for c in contacts if c.level and c.name}
    levels = len(Contact.Level)
    return len(known), levels, len(known) * 100 // levels


def has_two_decision_makers(customer: Customer) -> bool:
    """Whether a 夫妻店 has both spouses as contacts, each linked to the other (JR-03)."""
    spouses = {c.pk: c.spouse_id for c in customer.contacts.exclude(name="")}
    return any(other in spouses for other in spouses.values() if other)


def channels_for(contact: Contact) -> list[str]:
    """Channels to choose from, the preferred one first, those that the customer refused left out (TE-08, CO-06)."""
    refused = set(contact.customer.consents.filter(is_given=False).values_list("channel", flat=True))
    allowed = [value for value in Channel.values if value not in refused]
    return sorted(allowed, key=lambda value: value != contact.preferred_channel)


def batch_for_channel(customers: QuerySet[Customer], *, channel: str) -> QuerySet[Customer]:
    """Customers that a mailing by this channel may go to: whoever opted out is not in the batch (CO-06)."""
    out = ChannelConsent.objects.filter(channel=channel, is_given=False)
    return customers.exclude(pk__in=out.values("customer"))


def topics_for(contacts: Collection[Contact]) -> list[tuple[Contact, list[str], list[str]]]:
    """For a call sheet: each person with a role, the indicators it cares for, and what to talk about (SK-08)."""
    return [(c, c.role.indicators, c.role.topics) for c in contacts if c.role is not None]


# --- days ahead ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DayAhead:
    """A special date with the day on which it is kept next."""

    special_date: SpecialDate
    on: dt.date
    days_left: int


def days_ahead(customers: QuerySet[Customer], *, day: dt.date) -> list[DayAhead]:
    """Special dates inside the notice time, soonest first (SK-13)."""
    notice = load_book().whole("crm.special_date_notice_days", day)
    rows = SpecialDate.objects.filter(customer__in=customers).select_related("customer__party", "contact")
    found = []
    for row in rows:
        on = next_occurrence(
            on_or_after=day, month=row.month, day=row.day, is_lunar=row.calendar == SpecialDate.Calendar.LUNAR,
            is_leap=row.is_leap_month,
        )  # fmt: skip
        if (on - day).days <= notice:
            found.append(DayAhead(row, on, (on - day).days))
    return sorted(found, key=lambda ahead: (ahead.on, ahead.special_date.pk))


# --- figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of what should be known of a customer is, in percent, and what is missing (SM-16)."""

    percent: int
    missing: tuple[str, ...]


def completeness(customer: Customer) -> Completeness:
    """Ten facts that a customer database should have, each worth the same."""
    party, points = customer.party, {p.kind: p for p in customer.contact_points.all() if p.is_working}
    facts: dict[str, Any] = {
        "证件号码": party.uscc or party.identity_number,
        "行业" if party.kind == Party.Kind.ORGANISATION else "性别": party.industry or party.sex,
        "电话": "phone" in points,
        "邮件或地址": {"email", "address"} & set(points),
        "联系人": any(contact.name for contact in customer.contacts.all()),
        "类别": customer.main_class_id,
        "主办": customer.main_owner_id,
        "下一步": customer.next_step,
        "最近联系": customer.last_contact_date,
        "机构类别": customer.org_type,
    }
    missing = tuple(name for name, value in facts.items() if not value)
    return Completeness((len(facts) - len(missing)) * 100 // len(facts), missing)


def open_links(customers: QuerySet[Customer]) -> QuerySet[SuspectedLink]:
    """Suspected links that wait for an officer."""
    found = SuspectedLink.objects.filter(state=SuspectedLink.State.OPEN, customer__in=customers)
    return found.select_related("customer__party", "raised_by")
