"""Run the engine on the stored evidence, and record what people decide about its proposals.

The machine proposes, two people of the 认定 role at head office decide (UC-12, UC-13, BR-03): one proposes,
another confirms. Membership is written with both time axes; nothing confirmed is ever overwritten.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict

from django.db import transaction

from shouxin.audit import services as audit
from shouxin.bank.models import OrgUnit, Staff
from shouxin.domain import groups as engine
from shouxin.domain.evidence import Evidence, Register
from shouxin.domain.groups.determination import FAMILY, Group, Overlap, Star
from shouxin.domain.groups.sentences import sentence
from shouxin.domain.parameters import PolicyBook
from shouxin.groups import judgement
from shouxin.groups.engine import read_evidence
from shouxin.groups.models import (
    Candidate,
    CandidateMember,
    CustomerGroup,
    Determination,
    GroupChange,
    MergeTask,
)
from shouxin.groups.policy_settings import settings_from
from shouxin.groups.selectors import memberships_on
from shouxin.parties.models import Customer
from shouxin.policy import load_book


@transaction.atomic
def run_determination(
    *,
    actor: Staff | None,
    as_of: dt.date,
    business_date: dt.date,
    book: PolicyBook | None = None,
    anchors: Collection[str] | None = None,
) -> Determination:
    """Find the groups of a day and store them as proposals; undecided ones of earlier runs are superseded.

    ``anchors`` are parties' numbers as texts, instead of the anchor persons by parameter.
    """
    evidence = read_evidence()
    settings = settings_from(book or load_book(), as_of)
    found = engine.identify(evidence, as_of=as_of, settings=settings, anchors=anchors)
    Candidate.objects.filter(status=Candidate.Status.PROPOSED).update(status=Candidate.Status.SUPERSEDED)
    MergeTask.objects.filter(status=MergeTask.Status.OPEN).update(status=MergeTask.Status.OBSOLETE)
    confirmed = _confirmed_sets(as_of)
    merged = _merged(found, confirmed)
    overlaps = [overlap for overlap in found.overlaps if overlap.first not in merged or overlap.second not in merged]
    run = Determination.objects.create(
        as_of_date=as_of,
        requested_by=actor,
        settings={name: _plain(value) for name, value in asdict(settings).items()},
        evidence_digest=evidence_digest(evidence),
        counts={
            "groups": len(found.groups),
            "control_pairs": sum(len(star.steps) for star in found.stars if star.unit.kind == "one"),
            "overlaps": len(overlaps),
        },
        findings=[
            {
                "code": suspicion.code,
                "severity": suspicion.severity,
                "party": int(suspicion.subject),
                "message": suspicion.message,
            }
            for suspicion in found.suspicions
        ],
    )
    open_groups = [group for group in found.groups if group.label not in merged]
    done = {known for known, _ in merged.values()}
    matches = merged | _matches(open_groups, {ids: known for ids, known in confirmed.items() if known not in done})
    candidates = {group.label: _store_candidate(run, group, found, matches.get(group.label)) for group in found.groups}
    decided = _decided_apart()
    parties = {group.label: frozenset(map(int, group.customers)) for group in found.groups}
    MergeTask.objects.bulk_create(
        _task(run, overlap, candidates, decided.get(frozenset({parties[overlap.first], parties[overlap.second]})))
        for overlap in overlaps
    )
    open_count = run.merge_tasks.filter(status=MergeTask.Status.OPEN).count()
    run.counts = run.counts | {"overlaps": open_count}
    run.save(update_fields=["counts"])
    audit.record(
        actor=actor,
        action="groups.determination.run",
        subject=("determination", run.pk),
        summary=f"集团识别（截止 {as_of}）：{len(found.groups)} 个集团，{open_count} 项合并认定",
        business_date=business_date,
    )
    return run


def _decided_apart() -> dict[frozenset[frozenset[int]], MergeTask]:
    """Tasks that people decided apart, by the two sets of parties; the latest decision of a pair counts."""
    decided = GroupChange.objects.filter(kind=GroupChange.Kind.SEPARATE, status=GroupChange.Status.APPROVED)
    tasks = (change.task for change in decided.select_related("task__first", "task__second").order_by("decided_at"))
    return {
        frozenset({judgement.party_set(task.first), judgement.party_set(task.second)}): task
        for task in tasks
        if task is not None
    }


def _task(
    run: Determination, overlap: Overlap, candidates: Mapping[str, Candidate], decided: MergeTask | None
) -> MergeTask:
    """An open task, or the decision on the same two groups carried on: what is decided is not asked again (A-02)."""
    task = MergeTask(
        determination=run,
        first=candidates[overlap.first],
        second=candidates[overlap.second],
        shared=sorted(map(int, overlap.shared)),
    )
    if decided is not None:
        task.status, task.decision, task.carried_from = MergeTask.Status.DECIDED, decided.decision, decided
        task.decided_by, task.decided_at = decided.decided_by, decided.decided_at
    return task


def evidence_digest(evidence: Evidence) -> str:
    """A fingerprint of the evidence a run saw, the same for the same facts."""
    tables = (evidence.holdings, evidence.agreements, evidence.concert, evidence.kin, evidence.posts,
              evidence.dependence, evidence.guarantees)  # fmt: skip
    digest = hashlib.sha256()
    for table in tables:
        for row in table:
            digest.update(repr(row).encode())
    return digest.hexdigest()


@transaction.atomic
def confirm_candidate(
    *,
    actor: Staff,
    proposer: Staff,
    candidate: Candidate,
    name: str,
    responsible: Staff,
    reason: str,
    business_date: dt.date,
    lead_unit: OrgUnit | None = None,
) -> CustomerGroup:
    """Propose and confirm at once, where both officers sit at one table; the same checks as in two steps.

    Raises:
        DecisionError: not two people of the 认定 role at head office, no reason, already decided, or a member
            belongs to another confirmed group.
    """
    change = judgement.propose_confirmation(
        actor=proposer, candidate=candidate, name=name, responsible=responsible, reason=reason,
        business_date=business_date,
    )  # fmt: skip
    change = judgement.decide(
        actor=actor, change=change, is_approved=True, decision=reason, business_date=business_date
    )
    assert change.group is not None  # noqa: S101 - an approved confirmation has its group
    if lead_unit is not None:
        CustomerGroup.objects.filter(pk=change.group.pk).update(lead_unit=lead_unit)
        change.group.lead_unit = lead_unit
    return change.group


def _confirmed_sets(as_of: dt.date) -> dict[frozenset[int], CustomerGroup]:
    """Confirmed groups of a day by the parties that evidence alone would give them, so that an unchanged one needs no
    new decision: without members added under (四), with those that people left out.
    """
    members: dict[CustomerGroup, set[int]] = {}
    for membership in memberships_on(as_of).select_related("group", "customer"):
        parties = members.setdefault(membership.group, set())
        if membership.basis != judgement.OTHER_RELATION:
            parties.add(membership.customer.party_id)
    for group, parties in members.items():
        left_out = Customer.objects.filter(pk__in=judgement.excluded_from(group))
        parties.update(left_out.values_list("party_id", flat=True))
    return {frozenset(parties): group for group, parties in members.items()}


def _merged(
    found: engine.Determination, confirmed: Mapping[frozenset[int], CustomerGroup]
) -> dict[str, tuple[CustomerGroup, bool]]:
    """Proposals that people merged and that together still are that group: decided, so not asked again (A-02)."""
    overlapping = {label for overlap in found.overlaps for label in (overlap.first, overlap.second)}
    parties = {g.label: frozenset(map(int, g.customers)) for g in found.groups if g.label in overlapping}
    settled: dict[str, tuple[CustomerGroup, bool]] = {}
    for members, known in confirmed.items():
        inside = [label for label, own in parties.items() if own <= members]
        is_whole = len(inside) > 1 and frozenset().union(*(parties[label] for label in inside)) == members
        if is_whole and known.changes.filter(kind=GroupChange.Kind.MERGE, status=GroupChange.Status.APPROVED).exists():
            settled |= dict.fromkeys(inside, (known, True))
    return settled


def _matches(
    groups: Collection[Group], confirmed: Mapping[frozenset[int], CustomerGroup]
) -> dict[str, tuple[CustomerGroup, bool]]:
    """For each proposal that stands for a confirmed group: (the group, whether it is unchanged), by label.

    A group found unchanged has its proposal; any other is updated by the proposal with most of its members, if that is
    more than half of them (BR-03).
    """
    parties = {group.label: frozenset(map(int, group.customers)) for group in groups}
    found = {label: (confirmed[members], True) for label, members in parties.items() if members in confirmed}
    settled = {group.pk for group, _ in found.values()}
    for members, known in confirmed.items():
        if known.pk in settled:
            continue
        shares = [(len(own & members), label) for label, own in parties.items() if label not in found]
        shared, label = max(shares, key=lambda row: (row[0], row[1]), default=(0, ""))
        if 2 * shared > len(members):
            found[label] = known, False
    return found


def _store_candidate(
    run: Determination,
    group: Group,
    found: engine.Determination,
    match: tuple[CustomerGroup, bool] | None,
) -> Candidate:
    """Keep a proposal. One that stands for a changed confirmed group proposes that group's next version (BR-03)."""
    star = group.star
    known = match[0] if match and match[1] else None
    updates = match[0] if match and not match[1] else None
    last = updates.versions.order_by("-number").first() if updates else None
    candidate = Candidate.objects.create(
        determination=run,
        label=group.label,
        name=_name_of(star, found.register),
        anchor_id=int(star.unit.anchor) if star.unit.kind != "concert" else None,
        status=Candidate.Status.CONFIRMED if known else Candidate.Status.PROPOSED,
        group=known,
        updates=updates,
        version=(last.number if last else 0) + 1,
    )
    CandidateMember.objects.bulk_create(
        CandidateMember(
            candidate=candidate,
            party_id=int(member.company),
            basis=member.basis,
            is_customer=member.is_customer,
            ultimate_id=int(member.ultimate) if member.ultimate else None,
            proof=_proof_json(star, member.company, found),
        )
        for member in group.members
    )
    return candidate


def _proof_json(star: Star, company: str, found: engine.Determination) -> list[dict[str, object]]:
    control = found.settings.control_percent
    return [
        {
            "company": int(step.company),
            "total": str(step.total),
            "via": [
                {"agreement": c.agreement, "holder": int(c.holder)}
                if c.agreement
                else {"holder": int(c.holder), "votes": str(c.votes)}
                for c in step.via
            ],
            "sentence": sentence(step, star.unit, found.register, control),
        }
        for step in star.proof(company)
    ]


def _name_of(star: Star, register: Register) -> str:
    if star.unit.kind == FAMILY:
        return f"{register.name(star.unit.anchor)}及近亲属"
    if star.unit.kind == "concert":
        return f"一致行动 {star.unit.anchor}"
    return f"{register.name(star.unit.anchor)}系"


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value if isinstance(value, int | bool) else str(value)


def customers_of(candidate: Candidate) -> list[Customer]:
    """The customers among a proposal's members."""
    return list(Customer.objects.filter(party__in=candidate.members.filter(is_customer=True).values("party")))
