"""The hash chain over what is only added: audit entries and the limit journal.

Rows are sealed some time after they were written, in the order of their numbers, so that no act waits for it. A block
is sealed only behind a gap-free watermark: every transaction that could still add a smaller number is over. Each row
is encoded field by field as ``length:bytes`` (NULL as ``-``), so that no two rows have one encoding; the digest of a
block is SHA-256 over the digest before it and its rows.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from shouxin.audit.models import Seal

BLOCK_ROWS_MAX = 5_000
_WAIT_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Source:
    """A table whose rows are only added: its columns as texts, and the number that orders them."""

    name: str
    table: str
    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChainBreach:
    """Where the rows no longer are what was sealed."""

    source: str
    first_seq: int
    last_seq: int
    reason: str


AUDIT = Source(
    "audit",
    "audit_entry",
    "id",
    ("id", "recorded_at", "business_date", "actor_id", "actor_name", "action", "subject_kind", "subject_id", "summary",
     "details"),
)  # fmt: skip


def encode(fields: Sequence[str | None]) -> bytes:
    """The canonical form of a row."""
    parts = []
    for field in fields:
        if field is None:
            parts.append(b"-")
        else:
            raw = field.encode()
            parts.append(b"%d:%s" % (len(raw), raw))
    return b"".join(parts)


def seal(source: Source) -> int:
    """Seal what was added since the last time, up to the watermark; returns how many rows."""
    mark = _watermark(source)
    sealed = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(13, hashtext(%s))", [source.name])
            last = Seal.objects.filter(source=source.name).order_by("-last_seq").first()
            after, before = (last.last_seq, last.digest) if last else (0, "")
            rows = list(_rows(source, after + 1, mark, limit=BLOCK_ROWS_MAX))
            if not rows:
                return sealed
            Seal.objects.create(
                source=source.name, first_seq=rows[0][0], last_seq=rows[-1][0], rows=len(rows), previous=before,
                digest=_digest(before, [row for _, row in rows]), sealed_at=timezone.now(),
            )  # fmt: skip
            sealed += len(rows)


def list_breaches(source: Source) -> list[ChainBreach]:
    """Every block whose rows or place in the chain differ from what was sealed."""
    breaches, before, after = [], "", 0
    for block in Seal.objects.filter(source=source.name).order_by("last_seq"):
        rows = list(_rows(source, after + 1, block.last_seq))
        reason = ""
        if block.previous != before:
            reason = "前一封存段缺失或被改动"
        elif len(rows) != block.rows:
            reason = f"封存 {block.rows} 行，现有 {len(rows)} 行"
        elif _digest(before, [row for _, row in rows]) != block.digest:
            reason = "内容与封存时不同"
        if reason:
            breaches.append(ChainBreach(source.name, block.first_seq, block.last_seq, reason))
        before, after = block.digest, block.last_seq
    return breaches


def latest_digest(source: Source) -> tuple[int, str]:
    """The number and digest that stand for everything sealed so far; (0, '') before the first block."""
    last = Seal.objects.filter(source=source.name).order_by("-last_seq").first()
    return (last.last_seq, last.digest) if last else (0, "")


def _digest(before: str, rows: Sequence[bytes]) -> str:
    digest = hashlib.sha256(before.encode())
    for row in rows:
        digest.update(b"%d;" % len(row))
        digest.update(row)
    return digest.hexdigest()


def _rows(source: Source, first: int, last: int, *, limit: int | None = None) -> Iterator[tuple[int, bytes]]:
    columns = ", ".join(f"{name}::text" if name != "recorded_at" else "extract(epoch FROM recorded_at)::text"
                        for name in source.columns)  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {source.key}, {columns} FROM {source.table}"  # noqa: S608 - our own table and columns
            f" WHERE {source.key} BETWEEN %s AND %s ORDER BY 1 LIMIT %s",
            [first, last, limit],
        )
        for number, *fields in cursor:
            yield number, encode(fields)


def _watermark(source: Source) -> int:
    """The highest number below which nothing can appear any more: who writes the table now must first be done."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max({source.key}), 0) FROM {source.table}")  # noqa: S608
        mark = int(cursor.fetchone()[0])
        writers = (
            "SELECT virtualtransaction FROM pg_locks WHERE relation = %s::regclass AND mode = 'RowExclusiveLock'"
            " AND granted AND pid <> pg_backend_pid()"
        )
        cursor.execute(writers, [source.table])
        waiting = {row[0] for row in cursor.fetchall()}
        deadline = time.monotonic() + _WAIT_SECONDS_MAX
        while waiting:
            if time.monotonic() > deadline:
                return 0  # somebody holds a transaction open for long: nothing is sealed this time
            time.sleep(0.02)
            cursor.execute(writers, [source.table])
            waiting &= {row[0] for row in cursor.fetchall()}
    return mark
