"""The family and companies of the demo bank as evidence, without a database."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shouxin.domain.evidence import Dependence, Entity, EntityKind, Evidence, Holding, KinLink

BANK = Path(__file__).resolve().parents[3] / "src" / "shouxin" / "web" / "demo" / "bank.json"


def bank() -> dict[str, Any]:
    return dict(json.loads(BANK.read_text(encoding="utf-8")))


def evidence(document: Mapping[str, Any] | None = None, **extra: tuple[Any, ...]) -> Evidence:
    """The bank's evidence; ``extra`` adds rows to a table by its name."""
    bank_file = document or bank()
    entities = {name: Entity(name, name, EntityKind.PERSON) for name in bank_file["persons"]}
    entities |= {
        code: Entity(code, name, EntityKind.ORGANISATION, is_customer=True)
        for code, name in bank_file["companies"].items()
    }
    for holders in bank_file["holdings"].values():
        for holder in holders:
            entities.setdefault(holder, Entity(holder, holder, EntityKind.ORGANISATION))
    for entity in extra.pop("entities", ()):
        entities[entity.id] = entity
    tables: dict[str, tuple[Any, ...]] = {
        "holdings": tuple(
            Holding(holder=holder, company=company, votes=int(percent * 1_000_000))
            for company, holders in bank_file["holdings"].items()
            for holder, percent in holders.items()
        ),
        "kin": (
            *(
                KinLink(a=parent, b=child, relation="parent")
                for child, parents in bank_file["parents"].items()
                for parent in parents
            ),
            *(KinLink(a=a, b=b, relation="spouse") for a, b in bank_file["spouses"]),
        ),
        "dependence": tuple(
            Dependence(dependent=dependent, on=on, ratio_micro_percent=int(ratio) * 1_000_000)
            for dependent, on, _, ratio in bank_file["dependence"]
        ),
    }
    for name, rows in extra.items():
        tables[name] = (*tables.get(name, ()), *rows)
    return Evidence(entities=entities, **tables)
