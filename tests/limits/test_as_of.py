"""What a counter was by business date, as known at an instant: it never changes later, with snapshots or without."""

import datetime as dt
import uuid

from django.db import connection
from django.utils import timezone

from shouxin.limits import services as limits
from shouxin.limits.models import Node, Placement
from tests.conftest import DAY
from tests.limits.conftest import Chain
from tests.limits.test_ledger import reserve

JUNE, JULY = dt.date(2025, 6, 30), dt.date(2025, 7, 31)


def balance(node: Node, valid_at: dt.date, known_at: dt.datetime | None = None) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pending_fen, posted_fen FROM limit_balance(%s, %s, %s)", [node.pk, valid_at, known_at or "infinity"]
        )
        return tuple(cursor.fetchone())  # type: ignore[return-value]


def folded(node: Node, valid_at: dt.date, known_at: dt.datetime | None = None) -> tuple[int, int]:
    """The same from the journal alone."""
    rows = node.movements.filter(business_date__lte=valid_at)
    if known_at:
        rows = rows.filter(recorded_at__lte=known_at)
    return sum(row.pending_fen for row in rows), sum(row.posted_fen for row in rows)


def close_month(month_end: dt.date) -> list[bool]:
    closed = []
    with connection.cursor() as cursor:
        for node in Node.objects.all():
            cursor.execute("SELECT limit_close_month(%s, %s)", [node.pk, month_end])
            closed.append(cursor.fetchone()[0])
    return closed


def book(chain: Chain, amount_fen: int, on: dt.date) -> uuid.UUID:
    answer = reserve(chain, amount_fen, on=on)
    assert answer.hold_id is not None
    limits.post(hold_id=answer.hold_id, amount_fen=amount_fen, business_date=on, actor_id=None)
    return answer.hold_id


def test_a_month_that_was_closed_answers_as_the_journal_does_also_after_late_entries(chain: Chain) -> None:
    first = book(chain, 100, JUNE)
    book(chain, 50, dt.date(2025, 7, 10))
    before_closing = timezone.now()
    assert all(close_month(JUNE))
    assert not any(close_month(JUNE)), "a month is closed once"
    after_closing = timezone.now()
    limits.release(hold_id=first, amount_fen=30, business_date=JUNE, reason="补记", actor_id=None)
    book(chain, 20, dt.date(2025, 8, 1))
    assert all(close_month(JULY))
    limits.release(hold_id=first, amount_fen=10, business_date=dt.date(2025, 7, 15), reason="补记", actor_id=None)
    for known_at in (before_closing, after_closing, None):
        for day in (dt.date(2025, 6, 29), JUNE, dt.date(2025, 7, 12), JULY, dt.date(2025, 8, 2)):
            for node in (chain.group, chain.facility):
                assert balance(node, day, known_at) == folded(node, day, known_at), (day, known_at)
    assert balance(chain.group, JUNE, after_closing) == (0, 100)
    assert balance(chain.group, JUNE) == (0, 70)


def test_a_backdated_membership_adds_what_is_known_and_re_decides_nothing(chain: Chain) -> None:
    """I12: moved today as of a past day; the past acceptances stand, both views of the placement are kept."""
    reserve(chain, 400)
    first_group = Node.objects.create(kind="GROUP", name="甲集团", cap_fen=1_000)
    second_group = Node.objects.create(kind="GROUP", name="乙集团", cap_fen=100)
    customer = chain.customer.customer
    assert customer is not None
    limits.move_customer(customer, to=first_group, business_date=DAY, reason="认定", actor_id=None)
    known_then = timezone.now()
    earlier = DAY - dt.timedelta(days=30)
    over = limits.move_customer(customer, to=second_group, business_date=earlier, reason="补充认定", actor_id=None)
    assert over == 300

    def parent(on: dt.date, known_at: dt.datetime) -> int:
        return Placement.objects.get(valid__contains=on, recorded__contains=known_at).parent_id

    assert parent(DAY, known_then) == first_group.pk
    assert parent(earlier - dt.timedelta(days=1), known_then) == chain.group.pk
    assert parent(DAY, timezone.now()) == second_group.pk
    assert parent(earlier, timezone.now()) == second_group.pk
    assert parent(earlier - dt.timedelta(days=1), timezone.now()) == chain.group.pk
