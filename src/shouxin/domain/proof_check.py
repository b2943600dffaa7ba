"""Replay proofs of control without the engine: an independent reader of the evidence that believes nothing.

A proof is a list of steps; each says that a unit controls a company by contributions of holders that are in the unit or
were proved in an earlier step, or by an agreement of one of those. The checker recomputes totals and sums from the
evidence, and follows every kin path of a family along parent and spouse links that are in force, to persons who are
alive and near enough. It imports the evidence values and nothing of the engine.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

from shouxin.domain.evidence import MICRO_PERCENT_WHOLE, EntityKind, Evidence, Holding

UNIT_KINDS = ("one", "family", "concert")


class ProofError(Exception):
    """A proof that does not hold; the text says which step and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRules:
    """The rules that a run says it followed."""

    control_percent: Decimal = Decimal(50)
    control_includes_line: bool = False
    lineal_generations: int = 3
    collateral_generations: int = 2
    include_spouse: bool = True
    in_laws_are_members: bool = False
    is_transitive: bool = False


class ProofChecker:
    """The evidence of one day, ready to replay proofs against."""

    def __init__(self, evidence: Evidence, *, as_of: dt.date, rules: ProofRules | None = None) -> None:
        self._rules = rules or ProofRules()
        self._persons = {e.id for e in evidence.entities.values() if e.kind is EntityKind.PERSON}
        self._dead = {e.id for e in evidence.entities.values() if e.died_date is not None and e.died_date <= as_of}
        self._votes: dict[tuple[str, str], int] = {}
        self._total: dict[str, int] = {}
        held: defaultdict[str, list[Holding]] = defaultdict(list)
        for holding in evidence.holdings:
            if holding.is_in_force(as_of):
                held[holding.company].append(holding)
        for company, rows in held.items():
            entity = evidence.entities.get(company)
            self._count(company, rows, entity.total_votes if entity else None)
        self._agreements = {
            (row.controller, row.company, row.kind) for row in evidence.agreements if row.is_in_force(as_of)
        }
        self._concert: defaultdict[str, set[str]] = defaultdict(set)
        for row in evidence.concert:
            if row.is_in_force(as_of):
                self._concert[row.set_id].add(row.member)
        self._links: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for link in evidence.kin:
            if link.is_in_force(as_of):
                there, back = ("d", "u") if link.relation == "parent" else ("s", "s")
                self._links[link.a, link.b].add(there)
                self._links[link.b, link.a].add(back)

    def _count(self, company: str, rows: Sequence[Holding], declared: int | None) -> None:
        """Votes of one company in one unit: micro-percent, shares, or a share's 10⁻⁸ where both occur."""
        shares = sum(row.votes for row in rows if not row.is_percent)
        if all(row.is_percent for row in rows):
            share_unit, percent_unit, whole = 0, 1, MICRO_PERCENT_WHOLE
        elif not any(row.is_percent for row in rows):
            share_unit, percent_unit, whole = 1, 0, declared or 0
        else:
            share_unit, percent_unit = MICRO_PERCENT_WHOLE, declared or shares
            whole = percent_unit * MICRO_PERCENT_WHOLE
        known = 0
        for row in rows:
            votes = row.votes * (percent_unit if row.is_percent else share_unit)
            pair = (row.holder, company)
            self._votes[pair] = self._votes.get(pair, 0) + votes
            known += votes
        self._total[company] = max(whole, known)

    # --- one proof -------------------------------------------------------------------------------------------------

    def check(self, proof: Mapping[str, Any]) -> None:
        """Replay one proof. Raises ProofError at the first thing that does not hold."""
        members = self._members(proof)
        proved: set[str] = set()
        for step in proof["steps"]:
            if step["company"] in proved:
                raise ProofError(f"{step['company']}: proved twice")
            self._check_step(step, members, proved)
            proved.add(step["company"])
        if proof["company"] not in proved:
            raise ProofError(f"{proof['company']}: no step proves it")

    def _members(self, proof: Mapping[str, Any]) -> set[str]:
        kind, anchor = proof["unit_kind"], proof["anchor"]
        if kind not in UNIT_KINDS:
            raise ProofError(f"{anchor}: {kind} is no kind of unit")
        if "unit" in proof and proof["unit"] != f"{kind}:{anchor}":
            raise ProofError(f"{anchor}: the unit is {kind}:{anchor}, not {proof['unit']}")
        relatives = proof.get("family", ())
        if kind != "family":
            if relatives:
                raise ProofError(f"{anchor}: a unit of kind {kind} has no family")
            members = {anchor} if kind == "one" else set(self._concert.get(anchor, ()))
            if not members:
                raise ProofError(f"{anchor}: nobody is in this concert set on the day")
            return members
        if anchor not in self._persons:
            raise ProofError(f"{anchor}: a family is a person's")
        for relative in relatives:
            self._check_kin(anchor, relative["person"], relative["path"])
        return {anchor, *(relative["person"] for relative in relatives)}

    def _check_kin(self, anchor: str, person: str, path: Sequence[str]) -> None:
        if len(path) < 2 or path[0] != anchor or path[-1] != person:
            raise ProofError(f"{person}: the kin path does not lead from {anchor}")
        if len(set(path)) != len(path) and not self._rules.is_transitive:
            raise ProofError(f"{person}: the kin path passes somebody twice")
        if person in self._dead:
            raise ProofError(f"{person}: has died")
        marks = [self._links.get(pair, set()) for pair in pairwise(path)]
        for (a, b), found in zip(pairwise(path), marks, strict=True):
            if not found:
                raise ProofError(f"{person}: {a} and {b} are neither parent and child nor married")
        if not self._rules.is_transitive and not any(self._is_near("".join(steps)) for steps in product(*marks)):
            raise ProofError(f"{person}: not near enough to {anchor}")

    def _is_near(self, steps: str) -> bool:
        """Whether a path of u(p), d(own) and s(pouse) steps stays within the family."""
        rules = self._rules
        if steps == "s":
            return rules.include_spouse
        if self._is_near_by_blood(steps):
            return True
        return rules.in_laws_are_members and (
            (steps.endswith("s") and self._is_near_by_blood(steps[:-1]))
            or (rules.include_spouse and steps.startswith("s") and self._is_near_by_blood(steps[1:]))
        )

    def _is_near_by_blood(self, steps: str) -> bool:
        up, down = steps.count("u"), steps.count("d")
        if not steps or steps != "u" * up + "d" * down:
            return False
        if up and down:
            return max(up, down) + 1 <= self._rules.collateral_generations
        return up + down + 1 <= self._rules.lineal_generations

    def _check_step(self, step: Mapping[str, Any], members: set[str], proved: set[str]) -> None:
        company, via = step["company"], step["via"]
        if company in members:
            raise ProofError(f"{company}: a unit does not control its own members")
        total, votes, seen = self._total.get(company, 0), 0, set()
        for part in via:
            holder = part["holder"]
            if holder not in members and holder not in proved:
                raise ProofError(f"{company}: {holder} is neither in the unit nor proved before")
            if holder == company or holder in seen:
                raise ProofError(f"{company}: {holder} counts twice or is the company itself")
            seen.add(holder)
            if "agreement" in part:
                if (holder, company, part["agreement"]) not in self._agreements or len(via) > 1:
                    raise ProofError(f"{company}: no agreement {part['agreement']} of {holder}")
                return
            own = self._votes.get((holder, company), 0)
            if part["votes"] != own:
                raise ProofError(f"{company}: {holder} has {own} votes, not {part['votes']}")
            votes += own
        if step["total"] != total:
            raise ProofError(f"{company}: the total is {total}, not {step['total']}")
        line = total * self._rules.control_percent
        passes = votes * 100 >= line if self._rules.control_includes_line else votes * 100 > line
        if not (votes > 0 and passes):
            raise ProofError(f"{company}: {votes} of {total} is not more than {self._rules.control_percent} %")

    # --- a whole result --------------------------------------------------------------------------------------------

    def check_result(
        self,
        proofs: Iterable[Mapping[str, Any]],
        control: Iterable[tuple[str, str]],
        groups: Iterable[tuple[str, str, str]],
    ) -> None:
        """Whether proofs that hold are those of the result: ``control`` is (unit, company), ``groups`` (group, anchor,
        member). Raises ProofError for a pair without proof, a proof without pair, a member that nothing proves.
        """
        proved = {(f"{p['unit_kind']}:{p['anchor']}", step["company"]) for p in proofs for step in p["steps"]}
        pairs = set(control)
        for unit, company in sorted(pairs - proved):
            raise ProofError(f"control.csv: {unit} → {company} has no proof")
        for unit, company in sorted(proved - pairs):
            raise ProofError(f"control.csv: {unit} → {company} is proved and not listed")
        for group, anchor, member in groups:
            units = [f"{kind}:{anchor}" for kind in UNIT_KINDS]
            is_itself = member == anchor or member in self._concert.get(anchor, ())
            if not is_itself and not any((unit, member) in proved for unit in units):
                raise ProofError(f"groups.csv: nothing proves {member} in group {group}")
