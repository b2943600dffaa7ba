"""Write evidence tables as CSV files: what every converter ends with."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Rows = list[tuple[str, ...]]

_PERIOD = ("valid_from", "valid_to")
HEADERS: Mapping[str, tuple[str, ...]] = {
    "entities": (
        "id", "name", "kind", "uscc", "legal_form", "nature", "customer", "industry", "total_votes", "sex", "died",
    ),
    "holdings": ("holder", "company", "percent", "votes", "cash_percent", *_PERIOD, "source"),
    "agreements": ("controller", "company", "kind", *_PERIOD),
    "kin": ("a", "b", "relation", "kind", *_PERIOD),
    "posts": ("person", "company", "post", *_PERIOD),
    "dependence": ("dependent", "on", "ratio", "kind", "period"),
}  # fmt: skip


def write_tables(tables: Mapping[str, Sequence[tuple[str, ...]]], out: Path) -> Iterable[tuple[str, int]]:
    """Write each table as CSV; gives their names and row counts."""
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(HEADERS[name])
            writer.writerows(rows)
        yield name, len(rows)
