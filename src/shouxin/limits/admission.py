"""Reservations that stand alone: each is committed before it is answered, and takes the path that suits the load.

Few at a time on a group go through ``limit_reserve``, two at once, since more would only wait for the group's row.
When more wait than ``SHOUXIN_BATCH_FROM``, they are handed to the group's batch writer of this process.
"""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from shouxin.limits.batch import GroupWriter, LeaseTakenError, Request
from shouxin.limits.ledger import read_json

_TRY_AGAIN_SECONDS = 5.0  # after another process was found to have a group's lease


class KeyBusyError(Exception):
    """The first request with this key is still at work."""


class Admission:
    """The ways into the ledger of one process."""

    def __init__(self, *, at_once: int, batch_from: int) -> None:
        self._at_once, self._batch_from = at_once, batch_from
        self._lock = threading.Lock()
        self._in_flight: defaultdict[int, int] = defaultdict(int)
        self._gates: dict[int, threading.BoundedSemaphore] = {}
        self._writers: dict[int, GroupWriter] = {}
        self._not_before: dict[int, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Lock | None = None

    def reserve(self, request: Request, *, group_id: int) -> Mapping[str, Any]:
        """The ledger's answer, committed. Raises KeyBusyError while the same key is at work."""
        with self._lock:
            self._in_flight[group_id] += 1
            writer = self._writers.get(group_id)
            is_hot = self._in_flight[group_id] > self._batch_from or (writer is not None and writer.is_busy)
            gate = self._gates.setdefault(group_id, threading.BoundedSemaphore(self._at_once))
        try:
            if is_hot:
                answer = self._by_batch(request, group_id)
                if answer is not None:
                    return answer
            with gate:
                return _by_function(request)
        finally:
            with self._lock:
                self._in_flight[group_id] -= 1

    def _by_batch(self, request: Request, group_id: int) -> Mapping[str, Any] | None:
        """The writer's answer; None when another process has the group's lease, or the writer has just ended."""
        if time.monotonic() < self._not_before.get(group_id, 0.0):
            return None
        try:
            writer = self._writers.get(group_id)
            if writer is None or not writer.is_alive:
                started = asyncio.run_coroutine_threadsafe(self._start_writer(group_id), self._running_loop())
                writer = started.result()
        except LeaseTakenError:
            self._not_before[group_id] = time.monotonic() + _TRY_AGAIN_SECONDS
            return None
        future = writer.hand_over(request)
        return future.result() if future else None

    async def _start_writer(self, group_id: int) -> GroupWriter:
        """The group's writer, started once however many ask for it."""
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            writer = self._writers.get(group_id)
            if writer is None or not writer.is_alive:
                writer = GroupWriter(url=_url(), group_id=group_id)
                await writer.start()
                self._writers[group_id] = writer
            return writer

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="batch-writer", daemon=True).start()
            return self._loop

    def close(self) -> None:
        """Stop the writers, after they have written what waits."""
        if self._loop is None:
            return
        for writer in self._writers.values():
            asyncio.run_coroutine_threadsafe(writer.stop(), self._loop).result()
        self._writers.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop = self._starting = None


_RESERVE = (
    "SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended(%s || chr(31) || %s, 11))"
    " THEN limit_reserve(%s, %s, %s, %s, %s, %s, %s, %s, %s) END"
)


def _by_function(request: Request) -> Mapping[str, Any]:
    """One statement that is a transaction of its own, so the server is asked once. Inside one it gets a savepoint."""
    with transaction.atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
        cursor.execute(
            _RESERVE,
            (
                request.caller, request.key, request.caller, request.key, request.fingerprint, request.hold_id,
                request.facility_id, request.amount_fen, request.business_date, request.expires_at, request.actor_id,
            ),
        )  # fmt: skip
        (answer,) = cursor.fetchone()
    if answer is None:
        raise KeyBusyError(request.key)
    return read_json(answer)


def _url() -> str:
    from psycopg.conninfo import make_conninfo

    parameters = connection.get_connection_params()
    wanted = ("dbname", "user", "password", "host", "port")
    return make_conninfo(**{name: parameters[name] for name in wanted if parameters.get(name)})


admission = Admission(at_once=settings.SHOUXIN_RESERVE_AT_ONCE, batch_from=settings.SHOUXIN_BATCH_FROM)
