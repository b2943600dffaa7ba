"""The batch writer of a hot group on a real server: caps, keys, faulty items, a lost connection, the lease."""

import asyncio
import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection
from django.utils import timezone
from psycopg.conninfo import make_conninfo

from shouxin.limits import services as limits
from shouxin.limits.admission import Admission
from shouxin.limits.batch import GroupWriter, LeaseTakenError, Request
from shouxin.limits.ledger import LedgerError
from shouxin.limits.models import Hold, Movement, Node

DAY = dt.date(2025, 6, 30)
CAP_FEN = 1_000


@pytest.fixture
def url(transactional_db: None) -> str:
    wanted = ("dbname", "user", "password", "host", "port")
    parameters = django_connection.get_connection_params()
    return make_conninfo(**{name: parameters[name] for name in wanted if parameters.get(name)})


@pytest.fixture
def facilities(transactional_db: None) -> list[Node]:
    """Two facilities of two customers under one group with a cap of 1,000."""
    group = Node.objects.create(kind="GROUP", name="G", cap_fen=CAP_FEN)
    leaves = []
    for name in "AB":
        customer = Node.objects.create(kind="CUSTOMER", parent=group, name=name)
        product = Node.objects.create(kind="PRODUCT", parent=customer, name="P")
        leaves.append(Node.objects.create(kind="FACILITY", parent=product, name=f"F{name}"))
    return leaves


@pytest.fixture
def admission() -> Iterator[Admission]:
    ways = Admission(at_once=2, batch_from=1)
    yield ways
    ways.close()


def request(facility: Node, amount_fen: int = 7, *, key: str = "", fingerprint: str = "") -> Request:
    hold = uuid.uuid4()
    return Request(
        "c", key or hold.hex, fingerprint or f"{facility.pk}:{amount_fen}", hold, facility.pk, amount_fen,
        timezone.now() + dt.timedelta(days=1), None, DAY,
    )  # fmt: skip


def write(url: str, group: Node, *requests: Request, split_from: int = 128) -> tuple[list[Any], int]:
    """The answers to requests that are all asked at once, errors included, and how many batches they took."""

    async def run() -> tuple[list[Any], int]:
        writer = GroupWriter(url=url, group_id=group.pk, split_from=split_from)
        await writer.start()
        answers = await asyncio.gather(*(writer.ask(each) for each in requests), return_exceptions=True)
        await writer.stop()
        return answers, writer.batches

    return asyncio.run(run())


def outcomes(answers: list[Mapping[str, Any]]) -> Counter[str]:
    return Counter(answer["outcome"] for answer in answers)


def counters_hold(used_fen: int) -> None:
    assert Node.objects.get(kind="GROUP").used_fen == used_fen
    assert sum(Node.objects.filter(kind="FACILITY").values_list("used_fen", flat=True)) == used_fen
    assert sum(Hold.objects.values_list("amount_fen", flat=True)) == used_fen


def test_two_hundred_at_once_stop_exactly_at_the_cap(url: str, facilities: list[Node]) -> None:
    asked = [request(facilities[n % 2]) for n in range(200)]
    answers, batches = write(url, Node.objects.get(kind="GROUP"), *asked)
    fit = CAP_FEN // 7
    assert outcomes(answers) == {"accepted": fit, "refused": 200 - fit}
    assert batches == 2, "half is told while the other half is written"
    counters_hold(fit * 7)
    for each, answer in zip(asked, answers, strict=True):
        if answer["outcome"] == "accepted":
            assert (answer["hold"], answer["asked_fen"]) == (str(each.hold_id), 7)
            assert Hold.objects.filter(pk=each.hold_id, facility_id=each.facility_id).exists()


def test_a_repeated_key_is_told_the_same_and_books_once(url: str, facilities: list[Node]) -> None:
    group, first = Node.objects.get(kind="GROUP"), request(facilities[0], key="K")
    (told, twin), _ = write(url, group, first, request(facilities[0], key="K"))
    (again, other), _ = write(
        url, group, request(facilities[0], key="K"), request(facilities[0], 8, key="K", fingerprint="other")
    )
    assert told["hold"] == twin["hold"] == again["hold"] == str(first.hold_id)
    assert again == {**told, "replayed": True}
    assert other == {"outcome": "key_reused"}
    counters_hold(7)
    one = limits.call("limit_reserve", ("c", "K", first.fingerprint, uuid.uuid4(), facilities[0].pk, 7, DAY,
                                        first.expires_at, None))  # fmt: skip
    assert one == again, "the path of one at a time tells what the batch told"


def test_a_faulty_item_fails_alone(url: str, facilities: list[Node]) -> None:
    good = [request(facilities[0]) for _ in range(4)]
    unknown = Node(pk=999_999_999)
    too_long = request(facilities[0], key="x" * 500)  # the column refuses it: the whole statement fails
    answers, _ = write(url, Node.objects.get(kind="GROUP"), *good, request(unknown), request(facilities[1], 0))
    assert [a["outcome"] for a in answers] == ["accepted"] * 4 + ["invalid"] * 2
    answers, _ = write(url, Node.objects.get(kind="GROUP"), request(facilities[1]), too_long)
    assert answers[0]["outcome"] == "accepted"
    assert isinstance(answers[1], LedgerError)
    assert answers[1].code == "REQUEST_INVALID"
    counters_hold(5 * 7)


def test_a_lost_connection_leaves_nobody_waiting(url: str, facilities: list[Node]) -> None:
    """Who waits hears that the outcome is unknown; asking again with the same key books each once."""
    group = Node.objects.get(kind="GROUP")
    asked = [request(facilities[n % 2]) for n in range(40)]

    async def run() -> list[Any]:
        writer = GroupWriter(url=url, group_id=group.pk, split_from=8)
        await writer.start()
        with psycopg.connect(url, autocommit=True) as other, other.transaction():
            other.execute("SELECT 1 FROM limits_node WHERE id = %s FOR UPDATE", [group.pk])  # the batch has to wait
            answers = asyncio.gather(*(writer.ask(each) for each in asked), return_exceptions=True)
            with psycopg.connect(url, autocommit=True) as killer:
                while not killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    " AND query LIKE '%limit_reserve_batch%'"
                ).fetchall():
                    await asyncio.sleep(0.01)
        return await answers

    answers = asyncio.run(run())
    assert {getattr(answer, "code", answer) for answer in answers} == {"OUTCOME_UNKNOWN"}
    assert not Hold.objects.exists()
    again, _ = write(url, group, *asked)
    assert outcomes(again) == {"accepted": 40}
    counters_hold(40 * 7)


def test_one_process_has_the_lease_of_a_group(url: str, facilities: list[Node]) -> None:
    group = Node.objects.get(kind="GROUP")

    async def run() -> None:
        first = GroupWriter(url=url, group_id=group.pk)
        await first.start()
        with pytest.raises(LeaseTakenError):
            await GroupWriter(url=url, group_id=group.pk).start()
        await first.stop()
        after = GroupWriter(url=url, group_id=group.pk)
        await after.start()
        await after.stop()

    asyncio.run(run())


@pytest.mark.parametrize("is_leased", [False, True])
def test_callers_in_threads_reach_the_cap_by_either_path(
    url: str, facilities: list[Node], admission: Admission, is_leased: bool
) -> None:
    """With the lease elsewhere everybody goes through the function; the answer is the same."""
    group = Node.objects.get(kind="GROUP")

    def ask(number: int) -> str:
        try:
            return str(admission.reserve(request(facilities[number % 2]), group_id=group.pk)["outcome"])
        finally:
            django_connection.close()

    with psycopg.connect(url, autocommit=True) as other:
        if is_leased:
            other.execute("SELECT pg_advisory_lock(12, hashint8(%s))", [group.pk])
        with ThreadPoolExecutor(16) as pool:
            told = Counter(pool.map(ask, range(200)))
    assert told == {"accepted": CAP_FEN // 7, "refused": 200 - CAP_FEN // 7}
    counters_hold(CAP_FEN // 7 * 7)
    assert Movement.objects.count() == 4 * (CAP_FEN // 7)
