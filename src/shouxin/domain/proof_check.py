"""Replay proofs of control without the engine: an independent reader of the evidence that believes nothing.

A proof is a list of steps; each says that a unit controls a company by contributions of holders that are in the unit or
were proved in an earlier step, or by an agreement of one of those. The checker recomputes totals and sums from the
evidence and the kin paths of a family from parent and spouse links.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from shouxin.domain.evidence import MICRO_PERCENT_WHOLE, Evidence


class ProofError(Exception):
    """A proof that does not hold; the text says which step and why."""


class ProofChecker:
    """The evidence of one day, ready to replay proofs against."""

    def __init__(self, evidence: Evidence, *, as_of: dt.date, control_percent: Decimal) -> None:
        self._percent = control_percent
        self._votes: defaultdict[tuple[str, str], int] = defaultdict(int)
        held: defaultdict[str, int] = defaultdict(int)
        whole: dict[str, int] = {}
        for holding in evidence.holdings:
            if not holding.is_in_force(as_of):
                continue
            entity = evidence.entities.get(holding.company)
            declared = entity.total_votes if entity else None
            if holding.is_percent and declared is None:
                factor, whole[holding.company] = 1, MICRO_PERCENT_WHOLE
            elif holding.is_percent:
                raise ProofError(f"{holding.company}: percent beside a declared total is outside this checker")
            else:
                factor, whole[holding.company] = 1, declared or 0
            self._votes[holding.holder, holding.company] += holding.votes * factor
            held[holding.company] += holding.votes * factor
        self._total = {company: max(whole[company], held[company]) for company in held}
        self._agreements = {
            (row.controller, row.company, row.kind) for row in evidence.agreements if row.is_in_force(as_of)
        }
        self._concert = {(row.set_id, row.member) for row in evidence.concert if row.is_in_force(as_of)}
        self._parents = {(row.a, row.b) for row in evidence.kin if row.relation == "parent" and row.is_in_force(as_of)}
        self._spouses = {
            frozenset((row.a, row.b)) for row in evidence.kin if row.relation == "spouse" and row.is_in_force(as_of)
        }

    def check(self, proof: Mapping[str, Any]) -> None:
        """Replay one proof. Raises ProofError at the first thing that does not hold."""
        members = self._members(proof)
        proved: set[str] = set()
        for step in proof["steps"]:
            self._check_step(step, members, proved)
            proved.add(step["company"])
        if proof["company"] not in proved:
            raise ProofError(f"{proof['company']}: no step proves it")

    def _members(self, proof: Mapping[str, Any]) -> set[str]:
        kind, anchor = proof["unit_kind"], proof["anchor"]
        if kind == "one":
            return {anchor}
        if kind == "concert":
            return {member for name, member in self._concert if name == anchor}
        for relative in proof.get("family", ()):
            self._check_kin(anchor, relative["person"], relative["path"])
        return {anchor, *(relative["person"] for relative in proof.get("family", ()))}

    def _check_kin(self, anchor: str, person: str, path: Sequence[str]) -> None:
        if not path or path[0] != anchor or path[-1] != person:
            raise ProofError(f"{person}: the kin path does not lead from {anchor}")
        for a, b in pairwise(path):
            if (a, b) not in self._parents and (b, a) not in self._parents and frozenset((a, b)) not in self._spouses:
                raise ProofError(f"{person}: {a} and {b} are neither parent and child nor married")

    def _check_step(self, step: Mapping[str, Any], members: set[str], proved: set[str]) -> None:
        company = step["company"]
        if company in members:
            raise ProofError(f"{company}: a unit does not control its own members")
        total, votes, seen = self._total.get(company, 0), 0, set()
        for part in step["via"]:
            if "agreement" in part:
                holder = part["holder"]
                if (holder, company, part["agreement"]) not in self._agreements:
                    raise ProofError(f"{company}: no agreement {part['agreement']} of {holder}")
                if holder not in members and holder not in proved:
                    raise ProofError(f"{company}: {holder} is neither in the unit nor proved before")
                return
            holder = part["holder"]
            if holder == company or holder in seen:
                raise ProofError(f"{company}: {holder} counts twice or is the company itself")
            if holder not in members and holder not in proved:
                raise ProofError(f"{company}: {holder} is neither in the unit nor proved before")
            if self._votes[holder, company] != int(part["votes"]):
                raise ProofError(f"{company}: {holder} has {self._votes[holder, company]} votes, not {part['votes']}")
            seen.add(holder)
            votes += int(part["votes"])
        if int(step["total"]) != total:
            raise ProofError(f"{company}: the total is {total}, not {step['total']}")
        if not votes * 100 > total * self._percent:
            raise ProofError(f"{company}: {votes} of {total} is not more than {self._percent} %")
