"""Read models about groups that need the engine: proofs of another day, families, and what would be if.

Nothing here is stored. A past day's proof is computed anew from the evidence in force on that day, with that day's
parameters.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from django.db.models import Q

from shouxin.bank.scope import DataScope, Reach
from shouxin.domain.evidence import MICRO_PERCENT_WHOLE, Evidence, Holding, Register
from shouxin.domain.findings import Finding
from shouxin.domain.groups import Determination, identify
from shouxin.domain.groups.control import percent_text
from shouxin.domain.groups.determination import CONCERT, FAMILY, ONE, Group, family_of
from shouxin.domain.groups.kinship import FamilyTree, Kin, kin_term
from shouxin.domain.groups.lookthrough import (
    ControlPath,
    closed_ring_text,
    control_paths,
    direct_shares,
    look_through,
    percent_of,
)
from shouxin.domain.groups.sentences import sentence
from shouxin.domain.money import format_wan
from shouxin.facilities.rules import judge_group_total
from shouxin.facilities.selectors import totals_of_customers
from shouxin.groups.engine import read_evidence
from shouxin.groups.models import GroupChange, Membership
from shouxin.groups.models import Holding as StoredHolding
from shouxin.groups.policy_settings import settings_from
from shouxin.groups.selectors import memberships_on
from shouxin.limits.models import Node
from shouxin.parties.models import Customer, Party
from shouxin.parties.selectors import visible_customers
from shouxin.policy import load_book
from shouxin.reporting.selectors import Capital, capital_on


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The basis and the proof of one member on a day; no sentences when the evidence of that day does not prove it."""

    basis: str
    sentences: list[str]


def proofs_on(party_ids: Collection[int], *, as_of: dt.date) -> dict[int, Recomputed]:
    """Why some parties belonged together on a day, from that day's evidence and parameters, by party."""
    settings = settings_from(load_book(), as_of)
    found = identify(read_evidence(party_ids), as_of=as_of, settings=settings)
    wanted = {str(pk) for pk in party_ids}
    best = max(found.groups, key=lambda group: (len(wanted & group.customers), group.label), default=None)
    proofs = {}
    for pk in party_ids:
        group = best if best is not None and str(pk) in best.customers else None
        proofs[pk] = _proof_in(group, str(pk), found)
    return proofs


def _proof_in(group: Group | None, company: str, found: Determination) -> Recomputed:
    if group is None:
        return Recomputed("", [])
    star = group.star
    basis = next(member.basis for member in group.members if member.company == company)
    if company not in star.steps:
        return Recomputed(basis, [f"{found.register.name(company)} 本身控制其他成员"])
    control = found.settings.control_percent
    return Recomputed(basis, [sentence(step, star.unit, found.register, control) for step in star.proof(company)])


# --- families -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relative:
    """One person in a family: what the core person calls them, how far, by which path, and what they hold."""

    name: str
    term: str
    generation: str
    path: str
    is_member: bool
    posts: list[str]
    stakes: list[str]


@dataclass(frozen=True, slots=True)
class Family:
    """A core person with near relatives, those who count first, then in-laws as candidates."""

    core: str
    relatives: list[Relative]


def family_tree(members: Sequence[Membership], *, as_of: dt.date) -> list[Family]:
    """The families behind a group's members on a day, one for each core person of its proposals."""
    anchors = {
        str(row.candidate.anchor_id)
        for row in members
        if row.candidate is not None and row.candidate.anchor_id is not None
    }
    merges = GroupChange.objects.filter(
        group__in={row.group_id for row in members}, kind=GroupChange.Kind.MERGE, status=GroupChange.Status.APPROVED
    )
    for first, second in merges.values_list("task__first__anchor_id", "task__second__anchor_id"):
        anchors |= {str(anchor) for anchor in (first, second) if anchor is not None}
    evidence = read_evidence({row.customer.party_id for row in members} | {int(anchor) for anchor in anchors})
    register, settings = evidence.on(as_of), settings_from(load_book(), as_of)
    tree = FamilyTree.of(register)
    families = []
    for anchor in sorted(anchors, key=int):
        if not register.is_person(anchor):
            continue
        near = family_of(anchor, tree, settings)
        generations = {
            "lineal_generations": settings.lineal_generations,
            "collateral_generations": settings.collateral_generations,
        }  # fmt: skip
        in_laws = {} if settings.in_laws_are_members else tree.in_laws(anchor, near, **generations)
        core = Kin(anchor, "self", 1, (anchor,), "")
        rows = [_relative(kin, register, is_member=True) for kin in (core, *near.values())]
        rows += [_relative(kin, register, is_member=False) for kin in in_laws.values()]
        families.append(Family(register.name(anchor), rows))
    return families


_RELATIONS = {"lineal": "直系", "collateral": "旁系", "spouse": "配偶", "in_law": "姻亲", "self": "本人"}


def _relative(kin: Kin, register: Register, *, is_member: bool) -> Relative:
    word = _RELATIONS.get(kin.relation, "")
    generation = f"{word} {kin.generation} 代" if kin.relation in ("lineal", "collateral") else word
    return Relative(
        name=register.name(kin.person),
        term=kin_term(kin, register),
        generation=generation,
        path=" → ".join(register.name(person) for person in kin.path),
        is_member=is_member,
        posts=[f"{register.name(post.company)} {post.post}" for post in register.posts if post.person == kin.person],
        stakes=[
            f"{register.name(company)} {percent_text(votes, register.total[company])}"
            for company, votes in register.stakes_of.get(kin.person, ())
        ],
    )


# --- whose money ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """One person or company above a member: votes that it commands in it beside what it owns in the end."""

    name: str
    is_person: bool
    look_through: Decimal
    is_beneficial: bool
    paths: list[str]


@dataclass(frozen=True, slots=True)
class MemberOwners:
    """One member: who commands its votes with how much of them, and who owns it in the end, the largest first."""

    party: Party
    controller: str
    votes: str
    owners: list[OwnerRow]
    rings: list[str]


OWNERS_SHOWN, PATHS_SHOWN = 12, 6


def owners_of(party_ids: Collection[int], *, as_of: dt.date) -> list[MemberOwners]:
    """Control by votes beside final shares for some parties on a day, each with its paths; nothing is stored (D8)."""
    settings, line = settings_from(load_book(), as_of), load_book().decimal("owner.beneficial_pct", as_of)
    evidence = read_evidence(party_ids)
    found = identify(evidence, as_of=as_of, settings=settings)
    register = found.register
    shares = direct_shares(evidence, register)
    rows = []
    for party in Party.objects.filter(pk__in=party_ids).order_by("pk"):
        company = str(party.pk)
        through = look_through(company, shares)
        largest = sorted(through.share_of.items(), key=lambda row: (-row[1], int(row[0])))[:OWNERS_SHOWN]
        controller, votes = _controller_of(company, found)
        owners = [
            OwnerRow(
                name=register.name(owner),
                is_person=register.is_person(owner),
                look_through=Decimal(percent_of(share)),
                is_beneficial=register.is_person(owner) and share * 100 >= Fraction(line),
                paths=[_path_text(path, register) for path in control_paths({owner}, company, shares)[:PATHS_SHOWN]],
            )
            for owner, share in largest
        ]
        rings = [closed_ring_text(ring, register) for ring in through.singular_rings]
        rows.append(MemberOwners(party, controller, votes, owners, rings))
    return rows


def _controller_of(company: str, found: Determination) -> tuple[str, str]:
    """Who commands a company's votes and what part of them; the widest unit, one holder before a family."""
    register = found.register
    stars = [star for star in found.stars if company in star.steps]
    if not stars:
        return "", ""
    star = max(stars, key=lambda star: (len(star.steps), star.unit.kind == ONE, star.unit.anchor))
    inside = star.unit.members | star.steps.keys()
    votes = sum(own for holder, own in register.votes_of.get(company, {}).items() if holder in inside)
    total = register.total.get(company, 0)
    name = f"一致行动 {star.unit.anchor}" if star.unit.kind == CONCERT else register.name(star.unit.anchor)
    return (f"{name}及近亲属" if star.unit.kind == FAMILY else name), percent_text(votes, total) if total else ""


def _path_text(path: ControlPath, register: Register) -> str:
    """甲 —60%→ 乙 —70%→ 丙 = 42%."""
    text = register.name(path.entities[0])
    for share, entity in zip(path.shares, path.entities[1:], strict=True):
        text += f" —{percent_of(share)}%→ {register.name(entity)}"
    return text if len(path.shares) == 1 else f"{text} = {percent_of(path.product)}%"


# --- what if ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Supposition:
    """``holder`` would have ``percent`` of the votes of ``company``; ids are parties."""

    holder: int
    company: int
    percent: Decimal


class SuppositionError(ValueError):
    """A supposition that cannot be read; the text says which part."""


def find_supposition(holder: str, company: str, percent: str, *, scope: DataScope) -> Supposition:
    """Read one supposition as people write it: names or customer numbers, and a percentage.

    Parties are those that a person may see: customers in view and what is in the evidence about them.

    Raises:
        SuppositionError: somebody is not found or not clear, or the percentage is none.
    """
    try:
        share = Decimal(percent.removesuffix("%"))
    except InvalidOperation as error:
        raise SuppositionError(f"持股比例“{percent}”不是数字") from error
    if not share.is_finite() or not 0 <= share <= 100 or share * 1_000_000 != int(share * 1_000_000):
        raise SuppositionError(f"持股比例“{percent}”须在 0 与 100 之间，最多 6 位小数")
    found = _find_party(company, "被投资企业", scope)
    if found.kind == Party.Kind.PERSON:
        raise SuppositionError(f"{found.name} 是个人，不能被持股")
    owner = _find_party(holder, "股东", scope)
    if owner.pk == found.pk:
        raise SuppositionError(f"{found.name} 不能持有自己")
    return Supposition(owner.pk, found.pk, share)


def _find_party(text: str, what: str, scope: DataScope) -> Party:
    if not text:
        raise SuppositionError(f"请填写{what}")
    known = Party.objects.filter(pk__in=_known_parties(scope)) if scope.reach is not Reach.ALL else Party.objects.all()
    matching = known.filter(Q(name=text) | Q(short_name=text) | Q(customer__number=text))
    found = list(matching.order_by("pk")[:2]) or list(known.filter(name__contains=text).order_by("pk")[:2])
    if not found:
        raise SuppositionError(f"{what}“{text}”不在您能看到的客户和证据中")
    if len(found) > 1:
        raise SuppositionError(f"{what}“{text}”有多个，请填写完整名称或客户号")
    return found[0]


def _known_parties(scope: DataScope) -> set[int]:
    """Customers in view and who holds them or is held by them."""
    own = set(visible_customers(scope).values_list("party_id", flat=True))
    stakes = StoredHolding.objects.filter(Q(holder__in=own) | Q(company__in=own)).values_list("holder_id", "company_id")
    return own | {pk for pair in stakes for pk in pair}


def names_in_groups(*, scope: DataScope, as_of: dt.date, limit: int = 200) -> list[str]:
    """Names to choose from: members of groups in view and their holders."""
    members = (
        memberships_on(as_of).filter(customer__in=visible_customers(scope)).values_list("customer__party", flat=True)
    )
    holders = StoredHolding.objects.filter(company__in=members).values_list("holder", flat=True)
    found = Party.objects.filter(Q(pk__in=members) | Q(pk__in=holders)).order_by("name")
    return list(found.values_list("name", flat=True)[:limit])


@dataclass(frozen=True, slots=True)
class SupposedGroup:
    """One group as it is or would be, amounts in 分."""

    names: list[str]
    exposure_fen: int
    share: Decimal | None
    findings: list[Finding]
    sentences: list[tuple[str, list[str]]]
    line_text: str


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Groups that would go, come and stay, and what the engine would newly point out."""

    gone: list[SupposedGroup]
    come: list[SupposedGroup]
    stayed: int
    new_findings: list[str]


def what_if(suppositions: Sequence[Supposition], *, scope: DataScope, as_of: dt.date) -> WhatIf:
    """Run the engine on the evidence as it is and as it would be; nothing is written.

    Groups are shown when they hold a customer in view, findings when they are about one or somebody asked about.
    """
    settings = settings_from(load_book(), as_of)
    evidence = read_evidence()
    supposed = evidence
    for supposition in suppositions:
        supposed = _suppose(supposed, supposition)
    before = identify(evidence, as_of=as_of, settings=settings)
    after = identify(supposed, as_of=as_of, settings=settings)
    old = {group.customers: group for group in before.groups}
    new = {group.customers: group for group in after.groups}
    known = {(finding.code, finding.subject, finding.message) for finding in before.suspicions}
    in_view = {str(pk) for pk in visible_customers(scope).values_list("party_id", flat=True)}
    asked = {str(pk) for supposition in suppositions for pk in (supposition.holder, supposition.company)}
    told = evidence.entities.keys() if scope.reach is Reach.ALL else in_view | asked

    def shown(
        groups: dict[frozenset[str], Group], others: Collection[frozenset[str]], found: Determination
    ) -> list[SupposedGroup]:
        chosen = [group for members, group in groups.items() if members not in others and members & in_view]
        return sorted((_supposed(group, found, as_of) for group in chosen), key=lambda group: -group.exposure_fen)

    return WhatIf(
        gone=shown(old, new.keys(), before),
        come=shown(new, old.keys(), after),
        stayed=len(old.keys() & new.keys()),
        new_findings=[
            finding.message
            for finding in after.suspicions
            if (finding.code, finding.subject, finding.message) not in known and finding.subject in told
        ],
    )


def _suppose(evidence: Evidence, supposition: Supposition) -> Evidence:
    """The holder has this percentage instead of what it had; what it sold or bought elsewhere is not guessed."""
    pair = str(supposition.holder), str(supposition.company)
    rows = [row for row in evidence.holdings if row.company == pair[1]]
    is_percent = not rows or all(row.is_percent for row in rows)
    kept = tuple(row for row in evidence.holdings if (row.holder, row.company) != pair)
    micro = int(supposition.percent * 1_000_000)
    if is_percent:
        return replace(evidence, holdings=(*kept, Holding(holder=pair[0], company=pair[1], votes=micro)))
    entity = evidence.entities[pair[1]]
    whole = entity.total_votes or sum(row.votes for row in rows if not row.is_percent)
    votes = whole * micro // MICRO_PERCENT_WHOLE
    return replace(evidence, holdings=(*kept, Holding(holder=pair[0], company=pair[1], votes=votes, is_percent=False)))


def _supposed(group: Group, found: Determination, as_of: dt.date) -> SupposedGroup:
    parties = {int(company) for company in group.customers}
    customers = list(Customer.objects.filter(party__in=parties).values_list("pk", flat=True))
    exposure = sum(totals.control_use_fen for totals in totals_of_customers(customers, as_of=as_of).values())
    capital = capital_on(as_of)
    register = found.register
    return SupposedGroup(
        names=[register.name(company) for company in sorted(group.customers, key=int)],
        exposure_fen=exposure,
        share=capital.share(exposure),
        findings=_breaches(exposure, capital, as_of),
        sentences=[
            (register.name(company), _proof_in(group, company, found).sentences)
            for company in sorted(group.customers, key=int)
        ],
        line_text=_line_text(customers, exposure, as_of),
    )


def _breaches(exposure_fen: int, capital: Capital, as_of: dt.date) -> list[Finding]:
    return judge_group_total(amount_fen=exposure_fen, as_of=as_of, what="合并后用信合计") if capital.base else []


def _line_text(customer_ids: Iterable[int], exposure_fen: int, as_of: dt.date) -> str:
    """How the exposure stands against the lines of the confirmed groups among these customers."""
    groups = set(memberships_on(as_of).filter(customer__in=list(customer_ids)).values_list("group_id", flat=True))
    texts = []
    for node in Node.objects.filter(group__in=groups, kind=Node.Kind.GROUP, cap_fen__isnull=False).order_by("pk"):
        room = (node.cap_fen or 0) - exposure_fen
        word = "可用" if room >= 0 else "超出"
        texts.append(f"{node.name} 统一额度 {format_wan(node.cap_fen or 0)} 万元，{word} {format_wan(abs(room))} 万元")
    return "；".join(texts)
