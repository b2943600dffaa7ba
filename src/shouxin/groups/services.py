"""Run the engine on the stored evidence, and record what people decide about its proposals.

The machine proposes, two people of the 认定 role at head office decide (UC-12, UC-13, BR-03): one proposes,
another confirms. Membership is written with both time axes; nothing confirmed is ever overwritten.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict

from django.db import transaction
from django.utils import timezone
from psycopg.types.range import DateRange, TimestamptzRange

from shouxin.audit import services as audit
from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain import groups as engine
from shouxin.domain.evidence import Evidence, Register
from shouxin.domain.groups.determination import FAMILY, Group, Star
from shouxin.domain.groups.sentences import sentence
from shouxin.domain.parameters import PolicyBook
from shouxin.groups.engine import read_evidence
from shouxin.groups.models import (
    Candidate,
    CandidateMember,
    CustomerGroup,
    Determination,
    Membership,
    MergeTask,
)
from shouxin.groups.policy_settings import settings_from
from shouxin.groups.selectors import memberships_on
from shouxin.parties.models import Customer
from shouxin.policy import load_book


class DecisionError(Exception):
    """A decision that may not be taken so; the text says why and by whom it may."""


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
    run = Determination.objects.create(
        as_of_date=as_of,
        requested_by=actor,
        settings={name: _plain(value) for name, value in asdict(settings).items()},
        evidence_digest=evidence_digest(evidence),
        counts={
            "groups": len(found.groups),
            "control_pairs": sum(len(star.steps) for star in found.stars if star.unit.kind == "one"),
            "overlaps": len(found.overlaps),
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
    confirmed = _confirmed_sets(as_of)
    candidates = {group.label: _store_candidate(run, group, found, confirmed) for group in found.groups}
    MergeTask.objects.bulk_create(
        MergeTask(
            determination=run,
            first=candidates[overlap.first],
            second=candidates[overlap.second],
            shared=sorted(map(int, overlap.shared)),
        )
        for overlap in found.overlaps
    )
    audit.record(
        actor=actor,
        action="groups.determination.run",
        subject=("determination", run.pk),
        summary=f"集团识别（截止 {as_of}）：{len(found.groups)} 个集团，{len(found.overlaps)} 项合并认定",
        business_date=business_date,
    )
    return run


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
    """Make a proposal a group customer with a named responsible person (BR-11), valid from today on.

    Raises:
        DecisionError: not two people of the 认定 role at head office, no reason, already decided, or a member
            belongs to another confirmed group.
    """
    _require_two_officers(actor, proposer, business_date)
    if not reason.strip():
        raise DecisionError("请填写认定意见。")
    candidate = Candidate.objects.select_for_update().get(pk=candidate.pk)
    if candidate.status != Candidate.Status.PROPOSED:
        raise DecisionError(f"该提案为“{candidate.get_status_display()}”，不能再认定。")
    members = list(
        candidate.members.filter(is_customer=True, party__customer__isnull=False).select_related("party__customer")
    )
    customers = [member.party.customer for member in members]
    taken = (
        memberships_on(business_date).filter(customer__in=customers).select_related("customer__party", "group").first()
    )
    if taken is not None:
        raise DecisionError(f"{taken.customer} 已是集团 {taken.group.name} 的成员，请先处理合并认定。")
    group = CustomerGroup.objects.create(
        number=f"JT-{CustomerGroup.objects.count() + 1:05d}", name=name, responsible=responsible, lead_unit=lead_unit
    )
    now = timezone.now()
    Membership.objects.bulk_create(
        Membership(
            group=group,
            customer=member.party.customer,
            basis=member.basis,
            evidence=member.proof,
            candidate=candidate,
            valid=DateRange(business_date, None),
            recorded=TimestamptzRange(now, None),
            proposed_by=proposer,
            confirmed_by=actor,
        )
        for member in members
    )
    Candidate.objects.filter(pk=candidate.pk).update(
        status=Candidate.Status.CONFIRMED, group=group, reason=reason, decided_by=actor, decided_at=now
    )
    audit.record(
        actor=actor,
        action="groups.candidate.confirmed",
        subject=("group", group.pk),
        summary=f"认定集团客户 {group.name}：{len(members)} 家成员，负责人 {responsible.name}。{reason}",
        business_date=business_date,
        details={"candidate": candidate.pk, "proposed_by": proposer.username},
    )
    return group


@transaction.atomic
def decide_merge_task(
    *, actor: Staff, proposer: Staff, task: MergeTask, decision: str, business_date: dt.date
) -> MergeTask:
    """Record what two overlapping proposals are judged to be. Raises DecisionError as for a confirmation."""
    _require_two_officers(actor, proposer, business_date)
    if not decision.strip():
        raise DecisionError("请填写合并认定的决定和理由。")
    task = MergeTask.objects.select_for_update().get(pk=task.pk)
    if task.status != MergeTask.Status.OPEN:
        raise DecisionError(f"该任务为“{task.get_status_display()}”，不能再认定。")
    task.status = MergeTask.Status.DECIDED
    task.decision = decision
    task.decided_by = actor
    task.decided_at = timezone.now()
    task.save(update_fields=["status", "decision", "decided_by", "decided_at"])
    audit.record(
        actor=actor,
        action="groups.merge_task.decided",
        subject=("determination", task.determination_id),
        summary=f"合并认定 {task.first.label}/{task.second.label}：{decision}",
        business_date=business_date,
        details={"proposed_by": proposer.username},
    )
    return task


def _require_two_officers(actor: Staff, proposer: Staff, as_of: dt.date) -> None:
    for person in (actor, proposer):
        is_officer = RoleAssignment.Role.IDENTIFICATION_OFFICER in roles_of(person, as_of=as_of)
        if not is_officer or not person.unit.is_head_office:
            raise DecisionError(f"{person.name} 没有总行集团认定权限，集团范围由总行认定岗确定（UC-13）。")
    if actor.pk == proposer.pk:
        raise DecisionError("提议人与认定人不能是同一人（四眼原则），请由另一位认定岗办理。")


def _confirmed_sets(as_of: dt.date) -> dict[frozenset[int], CustomerGroup]:
    """Confirmed groups of a day by their members' party numbers, so that an unchanged one needs no new decision."""
    members: dict[CustomerGroup, set[int]] = {}
    for membership in memberships_on(as_of).select_related("group", "customer"):
        members.setdefault(membership.group, set()).add(membership.customer.party_id)
    return {frozenset(parties): group for group, parties in members.items()}


def _store_candidate(
    run: Determination,
    group: Group,
    found: engine.Determination,
    confirmed: Mapping[frozenset[int], CustomerGroup],
) -> Candidate:
    star = group.star
    known = confirmed.get(frozenset(map(int, group.customers)))
    candidate = Candidate.objects.create(
        determination=run,
        label=group.label,
        name=_name_of(star, found.register),
        anchor_id=int(star.unit.anchor) if star.unit.kind != "concert" else None,
        status=Candidate.Status.CONFIRMED if known else Candidate.Status.PROPOSED,
        group=known,
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
