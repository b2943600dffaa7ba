"""Bookings over HTTP beside the empty reply of the same server; prints one JSON line.

One Granian process with the site's settings, 64 connections that each wait for their answer, one hot group.
"""

import asyncio
import datetime as dt
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

CONNECTIONS = 64
DAY = dt.date(2025, 6, 30)


def prepare() -> str:
    """A small bank with one contract on a wide limit, and the key of a client system."""
    from shouxin.bank.models import Institution, RoleAssignment
    from shouxin.bank.services import create_staff, create_unit
    from shouxin.facilities.services import open_facility
    from shouxin.limits import services as limits
    from shouxin.parties.services import add_customer, create_party
    from shouxin.web.api_keys import create_client

    Institution.objects.create(name="bench", policy_overlay="demo-rural-bank", business_date=DAY)
    unit = create_unit(code="HO", name="总行", kind="head_office", parent=None)
    role = RoleAssignment.Role.RISK_OFFICER
    staff = create_staff(username="core", name="core", unit=unit, roles=[role], password="x" * 20, since=DAY)
    customer = add_customer(
        actor=None, party=create_party(kind="org", name="bench"), unit=unit, owner=staff, business_date=DAY
    )
    open_facility(
        actor=None, customer=customer, branch=unit, product="working_capital_loan", number="HT-1", start_date=DAY,
        end_date=dt.date(2035, 1, 1), business_date=DAY,
    )  # fmt: skip
    limits.set_cap(
        node=limits.ensure_customer_node(customer), amount_fen=10**15, valid_from=DAY, valid_to=None, approval="x",
        basis={}, business_date=DAY, actor_id=None,
    )  # fmt: skip
    return create_client(name="bench", username="core", scopes=["read", "book"], calls_per_minute=2_000_000_000)


async def drive(port: int, request: Callable[[], bytes], wanted: bytes, seconds: float) -> tuple[float, list[float]]:
    """Requests per second and their latencies in milliseconds; any other status stops the run."""
    latencies: list[float] = []
    stop = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (start := time.perf_counter()) < stop:
            writer.write(request())
            head = await reader.readuntil(b"\r\n\r\n")
            if wanted not in head.split(b"\r\n", 1)[0]:
                raise RuntimeError(head.decode())
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await reader.readexactly(int(line.partition(b":")[2]))
            latencies.append((time.perf_counter() - start) * 1e3)
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return len(latencies) / (time.perf_counter() - begin), sorted(latencies)


def main() -> None:
    """``python -m shouxin.bench.limits_http url seconds``."""
    os.environ["DATABASE_URL"], seconds = sys.argv[1], float(sys.argv[2])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    os.environ["SHOUXIN_ENVIRONMENT"] = "demo"
    import django

    django.setup()
    key = prepare()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "1",
         "--blocking-threads", "32", "--no-access-log", "--log-level", "warning", "shouxin.wsgi:application"],
    )  # fmt: skip
    try:
        print(json.dumps(asyncio.run(_measure(port, key, seconds))))  # noqa: T201 - read by the benchmark
    finally:
        server.terminate()
        server.wait(timeout=20)


async def _measure(port: int, key: str, seconds: float) -> dict[str, float]:
    common = f"HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n"
    body = json.dumps({"facility": "HT-1", "amount": "0.01", "expires_at": "2030-01-01T00:00:00Z"})

    def empty() -> bytes:
        return f"GET /api/v1/ping {common}\r\n".encode()

    def booking() -> bytes:
        return (
            f"POST /api/v1/holds {common}Idempotency-Key: {uuid.uuid4().hex}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    for _ in range(200):
        try:
            await drive(port, empty, b"204", 0.2)
            break
        except OSError:
            await asyncio.sleep(0.1)
    await drive(port, booking, b"201", 0.5)
    empty_rate, empty_times = await drive(port, empty, b"204", seconds)
    rate, times = await drive(port, booking, b"201", seconds)
    return {
        "empty": empty_rate, "empty_p50": empty_times[len(empty_times) // 2],
        "empty_p99": empty_times[int(len(empty_times) * 0.99)], "booking": rate, "p50": times[len(times) // 2],
        "p99": times[int(len(times) * 0.99)],
    }  # fmt: skip


if __name__ == "__main__":
    main()
