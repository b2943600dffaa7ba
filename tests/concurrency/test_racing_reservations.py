"""Racing requests on real connections never pass a cap, and a repeated key books once."""

import datetime as dt
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from shouxin.limits import services as limits
from shouxin.limits.models import Movement, Node

DAY = dt.date(2025, 6, 30)
CAP_FEN = 1_000


@pytest.fixture
def facility(transactional_db: None) -> Node:
    group = Node.objects.create(kind="GROUP", name="G", cap_fen=CAP_FEN)
    customer = Node.objects.create(kind="CUSTOMER", parent=group, name="C")
    product = Node.objects.create(kind="PRODUCT", parent=customer, name="P")
    return Node.objects.create(kind="FACILITY", parent=product, name="F")


def reserve(facility: Node, key: str, amount_fen: int) -> limits.Answer:
    try:
        return limits.reserve(
            caller="race",
            key=key,
            facility=facility,
            amount_fen=amount_fen,
            business_date=DAY,
            expires_at=timezone.now() + dt.timedelta(days=1),
            actor_id=None,
        )
    finally:
        connection.close()


def test_sixteen_callers_stop_exactly_at_the_cap(facility: Node) -> None:
    """200 requests of 7 on a cap of 1,000: 142 fit, whichever come first."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: reserve(facility, f"k{n}", 7), range(200)))
    assert Counter(answer.is_accepted for answer in answers) == {True: CAP_FEN // 7, False: 200 - CAP_FEN // 7}
    for node in Node.objects.all():
        assert node.used_fen == CAP_FEN // 7 * 7
    assert Movement.objects.filter(operation="RESERVE").count() == 4 * (CAP_FEN // 7)


def test_one_key_sent_sixteen_times_at_once_books_once(facility: Node) -> None:
    key = uuid.uuid4().hex
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: reserve(facility, key, 10), range(16)))
    assert len({answer.hold_id for answer in answers}) == 1
    assert sum(not answer.is_replayed for answer in answers) == 1
    assert Node.objects.get(kind="GROUP").used_fen == 10
