"""Fill an empty database with the demo bank: the worked example, its people and a small list of invented prospects.

Everything goes through the ordinary services, so the demo has trails, proofs and ledger entries like a real bank.
"""

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources
from random import Random

from django.contrib.auth.hashers import make_password
from django.db import transaction

from shouxin.approvals import services as approvals
from shouxin.approvals.default_authority import create_default_authorities
from shouxin.bank.models import ExchangeRate, Institution, OrgUnit, RoleAssignment, Staff
from shouxin.bank.services import create_unit
from shouxin.domain.identifiers import phone_digits
from shouxin.domain.money import FEN_PER_WAN
from shouxin.facilities import evaluating, line_cases
from shouxin.facilities.group_lines import LineProposal, approve_line
from shouxin.groups.models import CustomerGroup
from shouxin.groups.services import confirm_candidate, run_determination
from shouxin.limits import services as limits
from shouxin.monitoring import watch
from shouxin.parties.models import Classification, ClassScheme, ContactPoint, Customer, CustomerClass, Ownership, Party
from shouxin.parties.search_index import index_customers, index_customers_of_parties
from shouxin.parties.services import ContactInput, add_contact_point, classify, search_keys
from shouxin.reporting.scenario import StoredBank, store
from shouxin.rulebook.seed import create_register
from shouxin.web import demo_payroll, demo_relationship
from shouxin.web.demo import people

PROSPECTS = 160
_SINCE = dt.date(2024, 1, 1)
_SEED = 20250630


def load_once() -> Iterator[str]:
    """Load the demo bank unless a bank is there already; yields what is being done, for the terminal."""
    if Institution.objects.exists():
        return
    yield "Loading the demo bank …"
    with transaction.atomic():
        load()
        demo_payroll.furnish()
        furnish_credit()
        demo_relationship.furnish()


def document() -> dict[str, object]:
    """The worked example as the file that ``shouxin scenario`` reads."""
    text = resources.files("shouxin.web.demo").joinpath("bank.json").read_text(encoding="utf-8")
    return dict(json.loads(text, parse_float=Decimal))


def load() -> None:
    """The whole demo bank, in one transaction."""
    units, staff = _create_people()
    bank_file = document()
    day = dt.date.fromisoformat(str(bank_file["as_of"]))
    _create_class_schemes()
    bank = store(
        bank_file, units={unit.alias: units[unit.code] for unit in people.UNITS if unit.alias}, owner=staff["liujg"]
    )
    Institution.objects.update(policy_overlay="demo-rural-bank")
    create_default_authorities()
    create_register()
    _complete_companies(bank, staff, day)
    _create_prospects(units, staff, day)
    ExchangeRate.objects.create(currency="USD", date=day, rate=Decimal("7.2"), source="外汇管理局中间价")
    _decide(bank, staff, day)


def furnish_credit() -> None:
    """Ratings, evaluations, a case on its way and the day's alerts, so that the pages have something to show."""
    day = Institution.objects.values_list("business_date", flat=True).get()
    assert day is not None  # noqa: S101 - the demo bank stands on the day of its example
    staff = {person.username: person for person in Staff.objects.all()}
    group = CustomerGroup.objects.get()
    single = Customer.objects.get(party__source_id="F")
    evaluating.rate(actor=staff["fengxc"], group=group, grade="AA", model="集团评级模型 v2", business_date=day)
    for code, grade in (("A", "AA"), ("B", "AA"), ("C", "A"), ("D", "A"), ("E", "BBB"), ("F", "A")):
        customer = Customer.objects.get(party__source_id=code)
        evaluating.rate(actor=staff["fengxc"], customer=customer, grade=grade, model="对公评级 v2", business_date=day)
    for subject, by, equity in ((None, "liujg", 6_000), (single, "suny", 1_400)):
        evaluating.evaluate(
            actor=staff[by],
            customer=subject,
            group=group if subject is None else None,
            business_date=day,
            given=evaluating.EvaluationInput(
                methods={
                    "M2": {
                        "net_assets": Decimal(equity),
                        "target_ratio_pct": Decimal(70),
                        "interest_debt": Decimal(equity) / 2,
                        "other_liabilities": Decimal(equity) / 2,
                    }
                },
                need_fen=equity * FEN_PER_WAN,
                need_basis="按营运资金需求测算",
                other_banks_now_fen=3_000 * FEN_PER_WAN,
                other_banks_expected_fen=2_000 * FEN_PER_WAN,
                other_institutions=2,
                policy_tags=(("示范市先进制造与流通", "supported"),),
                conclusion="经营稳定，现金流可覆盖利息。",
            ),
        )
    case = line_cases.propose_customer_line(
        actor=staff["suny"],
        customer=single,
        amount_fen=1_500 * FEN_PER_WAN,
        valid_from=day,
        valid_to=dt.date(day.year + 1, day.month, day.day),
        guarantee="车辆抵押",
        conditions="运费回笼账户封闭管理",
        business_date=day,
    )
    for name in ("suny", "qianf"):
        approvals.investigate(
            actor=staff[name], case=case, opinion="实地查看车队与台账，属实。", is_on_site=True, business_date=day
        )
    line_cases.submit(
        actor=staff["suny"], case=case, business_date=day,
        exception_reason="下半年新增两条干线，合同已签，需求测算未计入新增车队。",
    )  # fmt: skip
    watch.end_of_day(as_of=day)


def welcome(address: str) -> str:
    """What to do first: where, and as whom."""
    rows = "\n".join(
        f"  {person.username:<8} {person.name}  {_unit_name(person.unit)}  "
        f"{'、'.join(str(role.label) for role in person.roles)}"
        for person in people.STAFF
    )
    return (
        f"\nShouxin 授信·守信 is running at {address}\n\nSign in as one of (password {people.PASSWORD}):\n{rows}\n\n"
        f"Press Ctrl-C to stop.\n"
    )


def _unit_name(code: str) -> str:
    return next(unit.name for unit in people.UNITS if unit.code == code)


def _create_people() -> tuple[dict[str, OrgUnit], dict[str, Staff]]:
    units: dict[str, OrgUnit] = {}
    for unit in people.UNITS:
        parent = units[unit.parent] if unit.parent else None
        units[unit.code] = create_unit(code=unit.code, name=unit.name, kind=unit.kind, parent=parent)
    password = make_password(people.PASSWORD)  # hashed once: argon2 is slow on purpose
    staff = {
        person.username: Staff(
            username=person.username,
            name=person.name,
            unit=units[person.unit],
            joined_date=_SINCE,
            password=password,
        )
        for person in people.STAFF
    }
    Staff.objects.bulk_create(staff.values())
    RoleAssignment.objects.bulk_create(
        RoleAssignment(staff=staff[person.username], role=role, valid_from=_SINCE)
        for person in people.STAFF
        for role in person.roles
    )
    return units, staff


def _create_class_schemes() -> None:
    for code, name, is_main, classes in people.CLASS_SCHEMES:
        scheme = ClassScheme.objects.create(code=code, name=name, is_main=is_main, source="准客户名单")
        CustomerClass.objects.bulk_create(
            CustomerClass(
                scheme=scheme, code=class_code, name=title, description=text, follow_up_days=days, position=place
            )
            for place, (class_code, title, text, days) in enumerate(classes, start=1)
        )


def _complete_companies(bank: StoredBank, staff: dict[str, Staff], day: dt.date) -> None:
    """Full names, credit codes, contact ways, classes and the right managers for the example's companies."""
    managers = {"CD": staff["zhoulp"], "CX": staff["liujg"], "YY": staff["suny"]}
    borrower = CustomerClass.objects.get(scheme__is_main=True, code="E")
    for place, (code, customer) in enumerate(sorted(bank.customers.items()), start=1):
        party = customer.party
        party.short_name = party.name
        party.name = people.FULL_NAMES[party.name]
        party.uscc = people.CREDIT_CODES[code]
        party.legal_form, party.nature, party.industry = "有限责任公司", "民营", people.INDUSTRIES[code]
        for field, value in search_keys(party.name).items():
            setattr(party, field, value)
        party.save()
        index_customers_of_parties([party.pk])
        limits.ensure_customer_node(customer)
        customer.limit_nodes.filter(kind="CUSTOMER").update(name=party.name)
        customer.last_contact_date = day - dt.timedelta(days=place * 3)
        customer.next_step, customer.next_step_date = "季末回访", day + dt.timedelta(days=place)
        customer.save(update_fields=["last_contact_date", "next_step", "next_step_date", "updated_at"])
        customer.ownerships.update(staff=managers[customer.unit.code])
        add_contact_point(
            customer=customer,
            contact=ContactInput("phone", f"0571-8800{place:04d}", contact_name="财务部"),
        )
        add_contact_point(
            customer=customer,
            contact=ContactInput("address", f"示范市河滨路 {place * 18} 号", postcode="310000"),
        )
        classify(actor=managers[customer.unit.code], customer=customer, customer_class=borrower, business_date=day)
    for name, sex in people.SEXES.items():
        Party.objects.filter(source_id=name).update(sex=sex)
    Ownership.objects.get_or_create(
        customer=bank.customers["B"], staff=staff["liujg"], kind="assistant", defaults={"valid_from": day}
    )


def _create_prospects(units: dict[str, OrgUnit], staff: dict[str, Staff], day: dt.date) -> None:
    """A list that looks like one: mostly complete, some to repair, some without a next step. Always the same."""
    random = Random(_SEED)  # noqa: S311 - invented names, nothing secret
    managers = [staff["liujg"], staff["zhoulp"], staff["suny"], staff["maj"]]
    parties: list[Party] = []
    used: set[str] = set()
    while len(parties) < PROSPECTS:
        if random.random() < 0.75:
            trade, industry = random.choice(people.TRADES)
            name = f"{random.choice(people.PLACES)}{random.choice(people.WORDS)}{trade}有限公司"
            party = Party(kind="org", name=name, industry=industry, legal_form="有限责任公司", nature="民营")
        else:
            name = random.choice(people.SURNAMES) + random.choice(people.GIVEN)
            party = Party(kind="person", name=name)
        if name not in used:
            used.add(name)
            for field, value in search_keys(name).items():
                setattr(party, field, value)
            parties.append(party)
    Party.objects.bulk_create(parties)
    customers, classes = [], list(CustomerClass.objects.filter(scheme__is_main=True).exclude(code="E"))
    for party in parties:
        manager = random.choice(managers)
        has_next = random.random() < 0.7
        customers.append(
            Customer(
                party=party,
                number=f"KH{party.pk:08d}",
                unit=units[next(p.unit for p in people.STAFF if p.username == manager.username)],
                next_step=random.choice(people.NEXT_STEPS) if has_next else "",
                next_step_date=day + dt.timedelta(days=random.randint(-6, 25)) if has_next else None,
                last_contact_date=day - dt.timedelta(days=random.randint(0, 80)),
            )
        )
    Customer.objects.bulk_create(customers)
    by_unit = {manager.unit_id: manager for manager in managers}
    Ownership.objects.bulk_create(
        Ownership(customer=customer, staff=by_unit[customer.unit_id], valid_from=day - dt.timedelta(days=90))
        for customer in customers
    )
    contacts: list[ContactPoint] = []
    for place, customer in enumerate(customers):
        if random.random() < 0.85:
            phone = f"13{random.randint(100000000, 999999999)}"
            contacts.append(ContactPoint(customer=customer, kind="phone", value=phone, digits=phone_digits(phone)))
        if random.random() < 0.4:
            contacts.append(ContactPoint(customer=customer, kind="email", value=f"contact{place}@example.com"))
    ContactPoint.objects.bulk_create(contacts)
    chosen = [(customer, random.choice(classes)) for customer in customers if random.random() < 0.9]
    Classification.objects.bulk_create(
        Classification(customer=customer, scheme=chosen_class.scheme, customer_class=chosen_class, valid_from=day)
        for customer, chosen_class in chosen
    )
    index_customers(customer.pk for customer in customers)


def _decide(bank: StoredBank, staff: dict[str, Staff], day: dt.date) -> None:
    """Identify, confirm the first group, approve its line; the overlap with the second stays open for a person."""
    anchors = [str(bank.parties[name].pk) for name in bank.document["anchors"]]
    run = run_determination(actor=staff["gaoyl"], as_of=day, business_date=day, book=bank.book, anchors=anchors)
    first = run.candidates.get(label="G1")
    group = confirm_candidate(
        actor=staff["linzy"],
        proposer=staff["gaoyl"],
        candidate=first,
        name="宏达系（陈建国家族）",
        responsible=staff["liujg"],
        reason="陈建国与其近亲属共同控制，五家均有授信；与 G2 的重叠另行合并认定。",
        business_date=day,
        lead_unit=bank.units["城西"],
    )
    line_end = dt.date(day.year + 1, day.month, day.day)
    approve_line(
        proposal=LineProposal(
            group=group,
            amount_fen=int(bank.document["group_line"]) * FEN_PER_WAN,
            sub_limits_fen={
                bank.customers[code].pk: int(amount) * FEN_PER_WAN
                for code, amount in bank.document["sub_limits"].items()
            },
            valid_from=day,
            valid_to=line_end,
            minutes_number="行长办公会纪要〔2025〕18 号",
        ),
        proposer=staff["fengxc"],
        approver=staff["wanghy"],
        business_date=day,
    )
    for code, customer in bank.customers.items():
        if code not in bank.document["sub_limits"]:
            limits.set_cap(
                node=limits.ensure_customer_node(customer),
                amount_fen=1_000 * FEN_PER_WAN,
                valid_from=day,
                valid_to=line_end,
                approval="单户授信批复 0001",
                basis={"article": "CB-08"},
                business_date=day,
                actor_id=staff["wanghy"].pk,
            )
