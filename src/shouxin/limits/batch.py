"""The batch writer: one writer for a hot group decides what waits, in one transaction, and answers after its commit.

It holds a lease on the group, an advisory lock that ends with its connection, so that of several processes one
writes batches; the others go through ``limit_reserve``. Both take the same row locks and may be at work at once. An
item that makes no reservation never fails its batch; should a batch fail nevertheless, its items are asked one by one.
"""

import asyncio
import concurrent.futures
import datetime as dt
import threading
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from shouxin.limits.ledger import LedgerError

_LEASE_SPACE = 12  # the class of the advisory locks that are leases
_BATCH_SQL = (
    "SELECT told, answer FROM limit_reserve_batch(%b::text[], %b::text[], %b::text[], %b::uuid[], %b::bigint[],"
    " %b::bigint[], %b::timestamptz[], %b::bigint[], %b::date)"
)
_ONE_SQL = "SELECT limit_reserve(%s, %s, %s, %s, %s, %s, %s, %s, %s)"


class LeaseTakenError(Exception):
    """Another process writes this group's batches."""


@dataclass(frozen=True, slots=True)
class Request:
    """One reservation that is asked for; the amount in 分."""

    caller: str
    key: str
    fingerprint: str
    hold_id: uuid.UUID
    facility_id: int
    amount_fen: int
    expires_at: dt.datetime
    actor_id: int | None
    business_date: dt.date


Told = Mapping[str, Any] | LedgerError
Reply = asyncio.Future[Mapping[str, Any]] | concurrent.futures.Future[Mapping[str, Any]]


class GroupWriter:
    """Takes requests of one group and writes them in batches.

    Start it, ask and stop it in one event loop; ``hand_over`` is for other threads.
    """

    def __init__(self, *, url: str, group_id: int, most: int = 512, split_from: int = 128) -> None:
        self._url, self._group_id, self._most, self._split_from = url, group_id, most, split_from
        self._waiting: deque[tuple[Request, Reply]] = deque()
        self._door = threading.Lock()  # nobody is let in after the writer has gone
        self._is_gone = False
        self._is_writing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._is_stopping = False
        self.batches = 0

    async def start(self) -> None:
        """Take the lease and begin. Raises LeaseTakenError when another writer has it."""
        self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        cursor = await self._connection.execute(
            "SELECT pg_try_advisory_lock(%s, hashint8(%s))", [_LEASE_SPACE, self._group_id]
        )
        row = await cursor.fetchone()
        if not row or not row[0]:
            await self._connection.close()
            raise LeaseTakenError(f"group {self._group_id} has a writer")
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, then give the lease back."""
        self._is_stopping = True
        self._arrived.set()
        if self._task:
            await self._task
        if self._connection:
            await self._connection.close()

    def ask(self, request: Request) -> "asyncio.Future[Mapping[str, Any]]":
        """The ledger's answer to one request, once it is committed."""
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self._arrived.set()
        return future

    def hand_over(self, request: Request) -> "concurrent.futures.Future[Mapping[str, Any]] | None":
        """As ``ask``, from another thread; None when this writer has ended. One wake-up serves all who wait."""
        future: concurrent.futures.Future[Mapping[str, Any]] = concurrent.futures.Future()
        with self._door:
            if self._is_gone or self._loop is None:
                return None
            is_first = not self._waiting
            self._waiting.append((request, future))
        if is_first:
            self._loop.call_soon_threadsafe(self._arrived.set)
        return future

    @property
    def is_alive(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def is_busy(self) -> bool:
        """Whether a batch is being written or waits: whoever comes now does best to join."""
        return self._is_writing or bool(self._waiting)

    async def _run(self) -> None:
        try:
            while not self._is_stopping or self._waiting:
                if not self._waiting:
                    self._arrived.clear()
                    if not self._waiting:  # somebody may have come from another thread meanwhile
                        await self._arrived.wait()
                    continue
                await self._write_on()
        except BaseException as error:
            # Whoever waits must hear that the outcome is not known; asking again with the same key tells it.
            self._leave(_unknown(error))
            raise
        self._leave(LedgerError("OUTCOME_UNKNOWN", "记账已停止，请用同一编号重试。"))

    async def _write_on(self) -> None:
        """Write while many wait. While the database writes one batch, those of the last are told and ask again.

        Callers that were all told at once would come back all at once, and the database would stand idle meanwhile:
        so of many, half goes first. Of few, everybody goes at once: what a batch costs by itself weighs more there.
        """
        self._is_writing = True
        batch = self._take(len(self._waiting) // 2 if len(self._waiting) >= self._split_from else self._most)
        answers = await self._write(batch)
        while len(self._waiting) >= self._split_from // 2:
            coming = self._take(self._most)
            writing = asyncio.create_task(self._write(coming))
            await asyncio.sleep(0)  # the statement is on its way before anybody is told
            _tell(batch, answers)
            batch, answers = coming, await writing
        self._is_writing = False
        _tell(batch, answers)

    def _take(self, most: int) -> list[tuple[Request, Reply]]:
        """The next batch: what waits, of the first one's business date."""
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), most, self._most))]
        day = taken[0][0].business_date
        other = [item for item in taken if item[0].business_date != day]
        self._waiting.extendleft(reversed(other))
        return [item for item in taken if item[0].business_date == day] if other else taken

    def _leave(self, error: LedgerError) -> None:
        with self._door:
            self._is_gone, self._is_writing = True, False
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    async def _write(self, batch: Sequence[tuple[Request, Reply]]) -> list[Told]:
        """What each of a batch is to be told, in its order, committed."""
        assert self._connection is not None  # noqa: S101 - start comes first
        requests = [request for request, _ in batch]
        arrays = (
            [r.caller for r in requests], [r.key for r in requests], [r.fingerprint for r in requests],
            [r.hold_id for r in requests], [r.facility_id for r in requests], [r.amount_fen for r in requests],
            [r.expires_at for r in requests], [r.actor_id for r in requests], requests[0].business_date,
        )  # fmt: skip
        self.batches += 1
        told: list[Told | None] = [None] * len(batch)
        try:
            cursor = await self._connection.execute(_BATCH_SQL, arrays, prepare=True, binary=True)
            for numbers, answer in await cursor.fetchall():
                if answer["outcome"] != "busy":
                    for number in numbers:
                        told[number - 1] = answer
        except psycopg.OperationalError as error:
            _tell(batch, [_unknown(error)] * len(batch))
            raise
        except psycopg.Error:
            pass  # nothing of it was written: each is asked alone, and only the faulty one fails
        return [
            await self._write_alone(request) if each is None else each
            for request, each in zip(requests, told, strict=True)
        ]

    async def _write_alone(self, request: Request) -> Told:
        """One request by the ordinary function; what is wrong with it stays its own."""
        assert self._connection is not None  # noqa: S101 - start comes first
        arguments = (
            request.caller, request.key, request.fingerprint, request.hold_id, request.facility_id, request.amount_fen,
            request.business_date, request.expires_at, request.actor_id,
        )  # fmt: skip
        try:
            cursor = await self._connection.execute(_ONE_SQL, arguments)
            row = await cursor.fetchone()
        except psycopg.OperationalError as error:
            return _unknown(error)
        except psycopg.Error as error:
            return LedgerError("REQUEST_INVALID", f"该笔请求无法处理：{error.diag.message_primary}")
        assert row is not None  # noqa: S101 - a function gives one row
        answer: Mapping[str, Any] = row[0]
        return answer


def _unknown(error: BaseException) -> LedgerError:
    return LedgerError("OUTCOME_UNKNOWN", f"记账中断，请用同一编号重试：{error!r}")


def _tell(batch: Sequence[tuple[Request, Reply]], answers: Sequence[Told]) -> None:
    """Answer those who wait. What the database told many alike is completed by each one's own hold and amount."""
    for (request, future), answer in zip(batch, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, LedgerError):
            future.set_exception(answer)
        elif answer["outcome"] == "accepted" and "hold" not in answer:
            future.set_result({**answer, "asked_fen": request.amount_fen, "hold": str(request.hold_id)})
        else:
            future.set_result(answer)
