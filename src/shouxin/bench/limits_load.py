"""Callers for the benchmark of the ledger, in processes of their own: ``batch`` and ``orm``; one JSON line each."""

import asyncio
import datetime as dt
import json
import sys
import threading
import time
import uuid

DAY = dt.date(2025, 6, 30)


def batch(url: str, group_id: int, facilities: list[int], in_flight: int, seconds: float) -> dict[str, object]:
    """Callers that each wait for their answer before they ask again, in front of one batch writer."""
    from shouxin.limits.batch import GroupWriter, Request

    latencies: list[float] = []
    outcomes = {"accepted": 0, "refused": 0}
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)

    async def run() -> float:
        writer = GroupWriter(url=url, group_id=group_id)
        await writer.start()
        stop = time.perf_counter() + seconds

        async def caller(number: int) -> None:
            turn = number
            while (start := time.perf_counter()) < stop:
                turn += 1
                hold = uuid.uuid4()
                facility = facilities[turn % len(facilities)]
                answer = await writer.ask(
                    Request("bench", hold.hex, "f" * 64, hold, facility, 1, expires, None, DAY)
                )  # fmt: skip
                outcomes[answer["outcome"]] += 1
                latencies.append(time.perf_counter() - start)

        begin = time.perf_counter()
        await asyncio.gather(*(caller(number) for number in range(in_flight)))
        took = time.perf_counter() - begin
        await writer.stop()
        return took

    cpu = time.process_time()
    took = asyncio.run(run())
    return _result(latencies, took, time.process_time() - cpu) | outcomes


def orm(url: str, group_id: int, facilities: list[int], in_flight: int, seconds: float) -> dict[str, object]:  # noqa: ARG001
    """The usual way: select_for_update and F() in one transaction, leaf to root, with key, hold and journal."""
    from django.db import connection, transaction
    from django.db.models import F
    from django.utils import timezone

    from shouxin.limits.models import Hold, IdempotencyKey, Movement, Node

    latencies: list[float] = []
    lock = threading.Lock()
    accepted = refused = 0
    stop = time.perf_counter() + seconds

    def once(facility: int) -> bool:
        with transaction.atomic():
            key = uuid.uuid4()
            record = IdempotencyKey.objects.create(
                caller="orm", key=key.hex, fingerprint="f", answer={}, recorded_at=timezone.now()
            )
            path: list[int] = []
            node_id: int | None = facility
            while node_id is not None:
                node = Node.objects.select_for_update(no_key=True).get(pk=node_id)
                if node.cap_fen is not None and node.used_fen + 1 > node.cap_fen:
                    record.answer = {"outcome": "refused"}
                    record.save(update_fields=["answer"])
                    return False
                path.append(node.pk)
                node_id = node.parent_id
            now = timezone.now()
            hold = Hold.objects.create(
                id=key, facility_id=facility, amount_fen=1, business_date=DAY, created_at=now,
                expires_at=now + dt.timedelta(days=1),
            )  # fmt: skip
            for level, each in enumerate(path):
                Node.objects.filter(pk=each).update(pending_fen=F("pending_fen") + 1)
                Movement.objects.create(
                    operation="RESERVE", hold=hold, node_id=each, level=level, pending_fen=1, business_date=DAY,
                    recorded_at=now,
                )  # fmt: skip
            record.answer = {"outcome": "accepted", "hold": hold.pk.hex}
            record.save(update_fields=["answer"])
        return True

    def caller(number: int) -> None:
        nonlocal accepted, refused
        turn = number
        while (start := time.perf_counter()) < stop:
            turn += 1
            is_in = once(facilities[turn % len(facilities)])
            with lock:
                accepted, refused = accepted + is_in, refused + (not is_in)
                latencies.append(time.perf_counter() - start)
        connection.close()

    cpu, begin = time.process_time(), time.perf_counter()
    threads = [threading.Thread(target=caller, args=(number,)) for number in range(in_flight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begin
    return _result(latencies, took, time.process_time() - cpu) | {"accepted": accepted, "refused": refused}


def _result(latencies: list[float], took: float, cpu: float) -> dict[str, object]:
    ordered = sorted(latencies) or [0.0]
    return {
        "per_second": len(latencies) / took,
        "p50_ms": ordered[len(ordered) // 2] * 1e3,
        "p99_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3,
        "cpu_s": cpu,
        "count": len(latencies),
    }


def main() -> None:
    """``python -m shouxin.bench.limits_load way url group facilities in_flight seconds``."""
    way, url, group_id, facilities, in_flight, seconds = sys.argv[1:]
    import os

    os.environ["DATABASE_URL"] = url
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    import django

    django.setup()
    run = {"batch": batch, "orm": orm}[way]
    leaves = [int(text) for text in facilities.split(",")]
    print(json.dumps(run(url, int(group_id), leaves, int(in_flight), float(seconds))))  # noqa: T201 - read by the benchmark


if __name__ == "__main__":
    main()
