"""Every address of the site for every role: nobody outside sees it, nobody inside sees more than their view.

The addresses are read from the site itself, so a page that is added later is walked too.
"""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from shouxin.bank.models import Staff
from shouxin.bank.scope import scope_of
from shouxin.engagement.models import Activity
from shouxin.engagement.services import record_activity
from shouxin.groups.models import Candidate, CustomerGroup, GroupChange, MergeTask
from shouxin.parties import handover
from shouxin.parties.models import ContactPoint, Customer, Handover
from shouxin.parties.selectors import visible_customers
from shouxin.reporting.import_jobs import stage_file
from shouxin.reporting.models import ImportJob
from tests.demo import DAY, DemoBank
from tests.engagement.test_engagement import NOON
from tests.web.test_pages import sign_in

PEOPLE = ("liujg", "zhoulp", "maj", "hewei", "qianf", "wanghy", "fengxc", "gaoyl", "tangw", "admin")
OPEN_TO_ALL = {"healthz", "sign_in", "set_language", "sign_out"}
# Their members are shown to whoever sees one of them, and a dossier to whoever approves it: tested with those pages.
SHOWS_RELATED = (
    "exposure_", "group_", "candidate_", "merge_task", "what_if", "drawing", "workbench", "parameter", "product",
    "bank", "capital",
)  # fmt: skip


def names_of_addresses() -> Iterator[tuple[str, URLPattern]]:
    def walk(patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str, URLPattern]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                if not pattern.namespace:
                    yield from walk(pattern.url_patterns)
            elif pattern.name:
                yield pattern.name, pattern

    yield from walk(get_resolver().url_patterns)


def arguments_for(pattern: URLPattern, customer: Customer, bank: DemoBank) -> dict[str, object] | None:
    """Values for the parts of an address; None where this test knows none."""
    known: dict[str, object] = {
        "number": CustomerGroup.objects.get().number if pattern.name.startswith("group_") else customer.number,
        "form": "csv", "line": 2, "what": "activity", "key": "group.limit.pct_net_capital",
    }  # fmt: skip
    numbers = {
        "import": ImportJob.objects.get().pk, "handover": Handover.objects.get().pk,
        "candidate": Candidate.objects.get(label="G2").pk,
        "merge_task": MergeTask.objects.get().pk, "group_change": GroupChange.objects.get().pk,
        "activity": Activity.objects.get().pk, "customer": customer.pk, "pool": customer.pk,
    }  # fmt: skip
    found: dict[str, object] = {}
    for name, converter in pattern.pattern.converters.items():
        kind = type(converter).__name__
        if "UUID" in kind:
            found[name] = "00000000-0000-0000-0000-000000000000"
        elif name == "pk":
            found[name] = next((pk for start, pk in numbers.items() if pattern.name.startswith(start)), 1)
        elif name in known:
            found[name] = known[name]
        else:  # an address that other tests know better: at least it refuses the street and does not break
            found[name] = 1 if "Int" in kind else "x"
    return found


@pytest.fixture
def bank(demo_bank: DemoBank, tmp_path: object) -> DemoBank:
    """The demo bank with an import, a handover, a note and a telephone at every customer."""
    manager = demo_bank.staff("zhoulp")
    file = tmp_path / "list.csv"  # type: ignore[operator]
    file.write_text("名称\n导入中的公司\n", encoding="utf-8")
    stage_file(actor=demo_bank.staff("liujg"), path=file, business_date=DAY)
    handover.draft(actor=manager, from_staff=manager, reason="调岗", business_date=DAY)
    record_activity(
        actor=manager, customer=Customer.objects.filter(main_owner=manager)[0], kind="note", text="只给主办看的话",
        happened_at=NOON, business_date=DAY,
    )  # fmt: skip
    return demo_bank


def addresses(bank: DemoBank, customer: Customer) -> Iterator[tuple[str, str]]:
    for name, pattern in names_of_addresses():
        arguments = arguments_for(pattern, customer, bank)
        if arguments is not None:
            yield name, reverse(name, kwargs=arguments)


def test_every_address_is_walked(bank: DemoBank) -> None:
    walked = {name for name, _ in addresses(bank, Customer.objects.all()[0])}
    assert {name for name, _ in names_of_addresses()} - walked == set()


def test_nothing_is_open_to_the_street(bank: DemoBank) -> None:
    client = Client()
    for name, url in addresses(bank, Customer.objects.all()[0]):
        if name not in OPEN_TO_ALL and "language" not in name:
            for answer in (client.get(url), client.post(url)):
                assert answer.status_code in {302, 401, 405}, (name, answer.status_code)
                if answer.status_code == 302:
                    assert answer["Location"].startswith("/sign-in/"), name


@pytest.mark.parametrize("username", PEOPLE)
def test_nobody_sees_more_than_their_view(bank: DemoBank, username: str) -> None:
    """No address names a customer outside the view, nor a telephone in full to those who see it masked."""
    staff = bank.staff(username)
    client = sign_in(Staff.objects.get(pk=staff.pk))
    client.raise_request_exception = False
    seen = set(visible_customers(scope_of(staff, as_of=DAY)).values_list("pk", flat=True))
    hidden = list(Customer.objects.exclude(pk__in=seen).select_related("party"))
    roles = set(staff.role_assignments.values_list("role", flat=True))
    masked = [] if roles & {"customer_manager", "branch_head"} else list(ContactPoint.objects.filter(kind="phone"))
    target = (hidden or list(Customer.objects.all()))[0]
    for name, url in addresses(bank, target):
        if name in OPEN_TO_ALL or "language" in name:
            continue
        answer = client.get(url)
        assert answer.status_code < 500, (name, answer.status_code)
        text = (
            b"".join(answer).decode("utf-8", "replace")
            if answer.streaming
            else answer.content.decode("utf-8", "replace")
        )
        for point in masked:
            assert point.value not in text, (name, point.value)
        if not name.startswith(SHOWS_RELATED):
            leaked = [c.party.name for c in hidden if c.party.name in text]
            assert leaked == [], (name, leaked)
            assert "只给主办看的话" not in text or Activity.objects.get().customer_id in seen, name


def test_who_sees_telephones_masked_cannot_spell_one_out_by_searching(bank: DemoBank) -> None:
    """The whole number finds its customer, a part of it finds nothing; whoever works with customers finds by parts."""
    point = ContactPoint.objects.filter(kind="phone", customer=bank.customer("D")).first()
    assert point is not None
    part, whole = point.digits[-6:], point.digits

    def found(username: str, text: str) -> int:
        return len(sign_in(bank.staff(username)).get("/customers/", {"q": text}).context["rows"])

    assert (found("tangw", part), found("tangw", whole)) == (0, 1)
    assert found("liujg", part) >= 1
