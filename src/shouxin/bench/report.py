"""The report that every benchmark prints: one row per case, its peer and the ratio (> 1: faster than the peer)."""

import json
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import click


@dataclass(slots=True)
class Row:
    """One measured case. ``value`` in ``unit``; percentiles in milliseconds; CPU in seconds; memory in MiB."""

    case: str
    value: float
    unit: str
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_s: float | None = None
    peak_mib: float | None = None
    peer: str | None = None
    ratio: float | None = None


@dataclass(slots=True)
class Report:
    """``correct`` is False as soon as any answer of the run was wrong; a wrong benchmark exits with 2."""

    bench: str
    correct: bool = True
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, row: Row) -> Row:
        self.rows.append(row)
        click.echo(_line(row), err=True)
        return row

    def require(self, is_right: bool, what: str) -> None:
        if not is_right:
            self.correct = False
            click.echo(f"WRONG: {what}", err=True)

    def finish(self, *, as_json: bool) -> None:
        """Print the report on standard output and leave with 2 when an answer was wrong."""
        if as_json:
            document: dict[str, Any] = {"bench": self.bench, "correct": self.correct,
                                        "rows": [asdict(row) for row in self.rows], "notes": self.notes}  # fmt: skip
            click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        else:
            click.echo(
                "| case | value | p50 / p99 ms | CPU s | peak MiB | peer | ratio |\n|---|---|---|---|---|---|---|"
            )
            for row in self.rows:
                click.echo(_table_row(row))
            for note in self.notes:
                click.echo(note)
            click.echo("every answer was right" if self.correct else "SOME ANSWERS WERE WRONG")
        if not self.correct:
            raise click.exceptions.Exit(2)


def _number(value: float | None, places: int = 3) -> str:
    return "" if value is None else f"{value:,.{places}g}" if abs(value) < 1000 else f"{value:,.0f}"


def _line(row: Row) -> str:
    peer = f"   {_number(row.ratio)}× {row.peer}" if row.peer else ""
    return f"{row.case}: {_number(row.value)} {row.unit}{peer}"


def _table_row(row: Row) -> str:
    tails = f"{_number(row.p50_ms)} / {_number(row.p99_ms)}" if row.p50_ms is not None else ""
    return (
        f"| {row.case} | {_number(row.value)} {row.unit} | {tails} | {_number(row.cpu_s)} | {_number(row.peak_mib)} "
        f"| {row.peer or ''} | {_number(row.ratio)} |"
    )


def interleaved(contenders: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, "Timing"]:
    """Run every contender once a round, so that a noisy minute hits all alike; gives the medians."""
    walls: dict[str, list[float]] = {name: [] for name in contenders}
    cpus: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            walls[name].append(time.perf_counter() - wall)
            cpus[name].append(time.process_time() - cpu)
    return {name: Timing(statistics.median(walls[name]), statistics.median(cpus[name])) for name in contenders}


@dataclass(frozen=True, slots=True)
class Timing:
    """Median wall and CPU seconds."""

    wall_s: float
    cpu_s: float


def peak_mib() -> float:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
