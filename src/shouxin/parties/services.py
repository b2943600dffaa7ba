"""Add and change parties and customers. Each function is one use case and one transaction."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import OrgUnit, Staff
from shouxin.domain.identifiers import birth_date_of, phone_digits
from shouxin.domain.search_text import pinyin_of
from shouxin.parties.models import Classification, ContactPoint, Customer, CustomerClass, FormerName, Ownership, Party
from shouxin.parties.search_index import index_customers, index_customers_of_parties


class CustomerInputError(ValueError):
    """Input that cannot be kept, by field, in words for the user."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("；".join(errors.values()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class ContactInput:
    """One contact way as a user gives it."""

    kind: str
    value: str
    postcode: str = ""
    contact_name: str = ""


def search_keys(name: str) -> dict[str, str]:
    """Pinyin and its initials, lower case without spaces: 宏达集团 → hongdajituan, hdjt."""
    pinyin, initials = pinyin_of(name)
    return {"pinyin": pinyin, "pinyin_initials": initials}


def create_party(*, kind: str, name: str, source_id: str | None = None, **fields: object) -> Party:
    """Add one party with its search keys. Identifiers are checked by whoever reads the input."""
    return Party.objects.create(kind=kind, name=name, source_id=source_id, **search_keys(name), **fields)


@transaction.atomic
def add_customer(
    *,
    actor: Staff | None,
    party: Party,
    unit: OrgUnit,
    owner: Staff,
    business_date: dt.date,
    stage: str = Customer.Stage.PROSPECT,
    customer_class: CustomerClass | None = None,
    contacts: tuple[ContactInput, ...] = (),
    number: str | None = None,
    org_type: str = "",
    next_step: str = "",
    next_step_date: dt.date | None = None,
    referred_by: Customer | None = None,
) -> Customer:
    """Put a party on the list of one person (CL-03) with its contact ways (NS-04) and class (CL-02)."""
    customer = Customer.objects.create(
        party=party,
        number=number or f"KH{party.pk:08d}",
        stage=stage,
        unit=unit,
        org_type=org_type,
        referred_by=referred_by,
        next_step=next_step,
        next_step_date=next_step_date,
    )
    Ownership.objects.create(customer=customer, staff=owner, valid_from=business_date)
    for contact in contacts:
        _put_contact_point(customer, contact)
    if customer_class is not None:
        classify(actor=actor, customer=customer, customer_class=customer_class, business_date=business_date)
    index_customers([customer.pk])
    audit.record(
        actor=actor,
        action="parties.customer.added",
        subject=("customer", customer.pk),
        summary=f"新增{customer.get_stage_display()} {party.name}，主办 {owner.name}",
        business_date=business_date,
    )
    return customer


@transaction.atomic
def add_contact_point(*, customer: Customer, contact: ContactInput) -> ContactPoint:
    """Add a contact way; the same one twice is the same one."""
    point = _put_contact_point(customer, contact)
    Customer.objects.filter(pk=customer.pk).update(updated_at=timezone.now())
    index_customers([customer.pk])
    return point


def _put_contact_point(customer: Customer, contact: ContactInput) -> ContactPoint:
    digits = phone_digits(contact.value) if contact.kind == ContactPoint.Kind.PHONE else ""
    point, _ = ContactPoint.objects.update_or_create(
        customer=customer,
        kind=contact.kind,
        value=contact.value.strip(),
        defaults={
            "digits": digits,
            "postcode": contact.postcode,
            "contact_name": contact.contact_name,
            "is_working": True,
        },
    )
    return point


@transaction.atomic
def classify(
    *, actor: Staff | None, customer: Customer, customer_class: CustomerClass, business_date: dt.date
) -> Classification:
    """Give a customer a class in the scheme of that class from a day on; the earlier one ends that day."""
    open_ones = customer.classifications.filter(scheme=customer_class.scheme, valid_to__isnull=True)
    current = open_ones.select_for_update().first()
    if current is not None:
        if current.customer_class_id == customer_class.pk:
            return current
        current.valid_to = business_date
        current.save(update_fields=["valid_to"])
    decided = Classification.objects.create(
        customer=customer,
        scheme=customer_class.scheme,
        customer_class=customer_class,
        valid_from=business_date,
        decided_by=actor,
    )
    before = current.customer_class.name if current else "未分类"
    audit.record(
        actor=actor,
        action="parties.customer.classified",
        subject=("customer", customer.pk),
        summary=f"{customer_class.scheme.name}：{before} → {customer_class.name}",
        business_date=business_date,
    )
    return decided


@transaction.atomic
def add_prospect(
    *,
    actor: Staff,
    name: str,
    kind: str,
    contacts: tuple[ContactInput, ...],
    customer_class: CustomerClass | None,
    business_date: dt.date,
    next_step: str = "",
    next_step_date: dt.date | None = None,
    uscc: str = "",
    identity_number: str = "",
    org_type: str = "",
    referred_by: Customer | None = None,
) -> Customer:
    """Fill one line of one's own list. Raises CustomerInputError without a name or with a number that is taken."""
    name = name.strip()
    if not name:
        raise CustomerInputError({"name": "请填写名称"})
    taken = {"uscc": uscc, "identity_number": identity_number}
    for field, number in taken.items():
        if number and Party.objects.filter(**{field: number}).exists():
            raise CustomerInputError({field: "该证件号码已属于另一主体，请核对或向其所属机构了解"})
    party = create_party(
        kind=kind,
        name=name,
        uscc=uscc or None,
        identity_number=identity_number or None,
        birth_date=birth_date_of(identity_number) if identity_number else None,
    )
    return add_customer(
        actor=actor,
        party=party,
        unit=actor.unit,
        owner=actor,
        business_date=business_date,
        customer_class=customer_class,
        contacts=contacts,
        next_step=next_step,
        next_step_date=next_step_date,
        org_type=org_type,
        referred_by=referred_by,
    )


@transaction.atomic
def set_next_step(
    *, actor: Staff, customer: Customer, next_step: str, next_step_date: dt.date, business_date: dt.date
) -> None:
    """Plan what happens next with a customer and when."""
    customer.next_step, customer.next_step_date = next_step, next_step_date
    customer.save(update_fields=["next_step", "next_step_date", "updated_at"])
    index_customers([customer.pk])
    audit.record(
        actor=actor,
        action="parties.customer.next_step",
        subject=("customer", customer.pk),
        summary=f"下一步：{next_step}（{next_step_date}）",
        business_date=business_date,
    )


@transaction.atomic
def rename_party(*, actor: Staff | None, party: Party, name: str, business_date: dt.date) -> None:
    """Give a party its new name; the old one stays known and found."""
    name = name.strip()
    if not name:
        raise CustomerInputError({"name": "请填写名称"})
    party = Party.objects.select_for_update().get(pk=party.pk)
    if party.name == name:
        return
    FormerName.objects.update_or_create(party=party, name=party.name, defaults={"until_date": business_date})
    before, party.name = party.name, name
    for field, value in search_keys(name).items():
        setattr(party, field, value)
    party.save(update_fields=["name", "pinyin", "pinyin_initials"])
    index_customers_of_parties([party.pk])
    audit.record(
        actor=actor,
        action="parties.party.renamed",
        subject=("party", party.pk),
        summary=f"更名：{before} → {name}",
        business_date=business_date,
    )


@transaction.atomic
def update_row(
    *,
    actor: Staff,
    customer: Customer,
    customer_class: CustomerClass | None,
    next_step: str,
    next_step_date: dt.date | None,
    business_date: dt.date,
) -> None:
    """What a row of the list is edited by: its class and its next step. An empty class leaves the class as it is."""
    if customer_class is not None:
        classify(actor=actor, customer=customer, customer_class=customer_class, business_date=business_date)
    if (next_step, next_step_date) != (customer.next_step, customer.next_step_date):
        if next_step and next_step_date:
            set_next_step(
                actor=actor, customer=customer, next_step=next_step, next_step_date=next_step_date,
                business_date=business_date,
            )  # fmt: skip
        else:
            Customer.objects.filter(pk=customer.pk).update(next_step="", next_step_date=None, updated_at=timezone.now())
            index_customers([customer.pk])


@transaction.atomic
def ask_for_customer(*, actor: Staff, customer_id: int, business_date: dt.date) -> None:
    """Ask whoever looks after a customer for it; the request stands on that customer's timeline."""
    customer = Customer.objects.get(pk=customer_id)
    audit.record(
        actor=actor,
        action="parties.customer.asked_for",
        subject=("customer", customer.pk),
        summary=f"{actor.display_name} 申请了解或移交该客户",
        business_date=business_date,
    )
