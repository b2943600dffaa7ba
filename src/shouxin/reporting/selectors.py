"""Read models for pages that show the facts of several apps. Each is built with a fixed number of queries."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import F, Q, QuerySet, Sum

from shouxin.bank.models import CapitalFigure
from shouxin.bank.scope import DataScope, Reach
from shouxin.bank.selectors import find_capital_figure, find_limit_capital
from shouxin.domain.exposure import Totals
from shouxin.domain.groups.control import percent_text
from shouxin.domain.money import format_wan
from shouxin.facilities.models import GroupLine
from shouxin.facilities.selectors import deals_on, domain_deals, totals_of_customers
from shouxin.groups.models import Candidate, CandidateMember, Dependence, Guarantee, Holding, KinLink, Membership
from shouxin.groups.selectors import (
    find_latest_determination,
    list_candidates,
    list_open_merge_tasks,
    members_of_candidates,
    memberships_on,
)
from shouxin.limits.models import Node
from shouxin.parties.models import Customer, Party
from shouxin.parties.selectors import visible_customers, with_list_columns
from shouxin.policy import load_book
from shouxin.policy.products import find_product
from shouxin.rulebook.selectors import effective_limit

NODES_MAX = 2000
"""More than this is no picture for people; the chart says that it was cut."""


# --- groups ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capital:
    """The figures that shares are taken of, as of a day."""

    base: CapitalFigure | None
    """What the limit is held against (A-04)."""
    latest: CapitalFigure | None
    limit_percent: Decimal
    warn_percent: Decimal
    limit_citation: str = ""

    @property
    def ceiling_fen(self) -> int | None:
        """The most that a single group may have, 分 (JS-11)."""
        return int(self.base.amount_fen * self.limit_percent / 100) if self.base else None

    def share(self, fen: int) -> Decimal | None:
        return Decimal(fen) * 100 / self.base.amount_fen if self.base else None

    def latest_share(self, fen: int) -> Decimal | None:
        return Decimal(fen) * 100 / self.latest.amount_fen if self.latest else None

    def level(self, fen: int) -> str:
        """ok, warn at the warn line of either figure, over above the limit of the figure that it is held against."""
        share, latest = self.share(fen), self.latest_share(fen)
        if share is not None and share > self.limit_percent:
            return "over"
        return "warn" if max(share or Decimal(0), latest or Decimal(0)) >= self.warn_percent else "ok"


def capital_on(as_of: dt.date) -> Capital:
    limit = effective_limit("group.limit.pct_net_capital", as_of)
    return Capital(
        base=find_limit_capital(as_of=as_of),
        latest=find_capital_figure(kind=CapitalFigure.Kind.NET, on_or_before=as_of),
        limit_percent=limit.decimal,
        warn_percent=load_book().decimal("group.indicator.warn_pct", as_of),
        limit_citation=limit.citation,
    )


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A confirmed group or a proposal in the list, amounts in 分."""

    id: int
    is_confirmed: bool
    label: str
    name: str
    customer_ids: frozenset[int]
    exposure_fen: int
    gross_fen: int
    line_fen: int | None
    available_fen: int | None
    share: Decimal | None
    latest_share: Decimal | None
    level: str
    merge_task_id: int | None

    @property
    def member_count(self) -> int:
        return len(self.customer_ids)


def list_group_rows(*, scope: DataScope, as_of: dt.date, text: str = "") -> list[GroupRow]:
    """Confirmed groups and undecided proposals that hold a customer in view, the largest share first; with a text
    those that have it in their name or number."""
    members = _members_of_confirmed(as_of, text)
    proposed_ones = list_candidates(find_latest_determination()).filter(status=Candidate.Status.PROPOSED)
    candidates = list(proposed_ones.filter(Q(name__contains=text) | Q(label__contains=text)) if text else proposed_ones)
    if not members and not candidates:
        return []
    proposed = {
        candidate.pk: frozenset(
            member.party.customer.pk for member in found if member.is_customer and hasattr(member.party, "customer")
        )
        for candidate, found in _with_members(candidates)
    }
    everybody = {c for ids in [*members.values(), *proposed.values()] for c in ids}
    totals = totals_of_customers(everybody, as_of=as_of)
    tasks = {pk: task.pk for task in list_open_merge_tasks() for pk in (task.first_id, task.second_id)}
    nodes = {node.group_id: node for node in Node.objects.filter(group__in=[m.group_id for m in members])}
    lines = {
        line.group_id: line.amount_fen
        for line in GroupLine.objects.filter(valid_from__lte=as_of, valid_to__gt=as_of).order_by("valid_from", "pk")
    }
    capital = capital_on(as_of)
    in_view = _customers_in_view(scope)
    tasks_of_group = {c.group_id: tasks[c.pk] for c in Candidate.objects.filter(pk__in=tasks) if c.group_id}
    rows = []
    for membership, ids in members.items():
        if in_view is None or ids & in_view:
            group, node = membership.group, nodes.get(membership.group_id)
            rows.append(
                _group_row(
                    group.pk, True, group.number, group.name, ids, totals, capital,
                    line_fen=lines.get(group.pk), node=node, task=tasks_of_group.get(group.pk),
                )
            )  # fmt: skip
    for candidate in candidates:
        ids = proposed[candidate.pk]
        if in_view is None or ids & in_view:
            rows.append(
                _group_row(
                    candidate.pk, False, candidate.label, candidate.name, ids, totals, capital,
                    line_fen=None, node=None, task=tasks.get(candidate.pk),
                )
            )  # fmt: skip
    return sorted(rows, key=lambda row: (-row.exposure_fen, row.label))


def _group_row(
    pk: int, is_confirmed: bool, label: str, name: str, ids: frozenset[int], totals: dict[int, Totals],
    capital: Capital, *, line_fen: int | None, node: Node | None, task: int | None,
) -> GroupRow:  # fmt: skip
    exposure = sum(totals[customer].control_use_fen for customer in ids)
    available = node.own_fen if node else None
    return GroupRow(
        id=pk,
        is_confirmed=is_confirmed,
        label=label,
        name=name,
        customer_ids=ids,
        exposure_fen=exposure,
        gross_fen=sum(totals[customer].gross_fen for customer in ids),
        line_fen=line_fen,
        available_fen=available,
        share=capital.share(exposure),
        latest_share=capital.latest_share(exposure),
        level=capital.level(exposure),
        merge_task_id=task,
    )


def _members_of_confirmed(as_of: dt.date, text: str) -> dict[Membership, frozenset[int]]:
    """One membership of each group, to carry the group, with all its customers."""
    by_group: defaultdict[int, list[Membership]] = defaultdict(list)
    memberships = memberships_on(as_of)
    if text:
        memberships = memberships.filter(Q(group__name__contains=text) | Q(group__number__contains=text))
    for membership in memberships.select_related("group").order_by("pk"):
        by_group[membership.group_id].append(membership)
    return {rows[0]: frozenset(row.customer_id for row in rows) for rows in by_group.values()}


def _with_members(candidates: list[Candidate]) -> Iterable[tuple[Candidate, list[CandidateMember]]]:
    members = members_of_candidates(candidates)
    return [(candidate, members.get(candidate.pk, [])) for candidate in candidates]


def _customers_in_view(scope: DataScope) -> frozenset[int] | None:
    """Customer ids that a person sees; None for everybody."""
    if scope.reach is Reach.ALL:
        return None
    return frozenset(visible_customers(scope).values_list("pk", flat=True))


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member on the group page."""

    party: Party
    customer: Customer | None
    is_in_view: bool
    basis: str
    sentences: list[str]
    totals: Totals
    cap_fen: int | None
    used_fen: int | None

    @property
    def is_over(self) -> bool:
        """Whether it uses more than its own limit."""
        return self.cap_fen is not None and (self.used_fen or 0) > self.cap_fen


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Everything the group page shows."""

    row: GroupRow
    members: list[MemberRow]
    by_product: list[tuple[str, int]]
    by_branch: list[tuple[str, int]]
    capital: Capital
    graph: dict[str, list[dict[str, object]]]
    change_dates: list[dt.date]
    findings: list[str] = field(default_factory=list)


def group_page(
    *,
    row: GroupRow,
    anchors: Collection[int | None],
    proofs: Collection[tuple[Party, str, list[dict[str, object]]]],
    scope: DataScope,
    as_of: dt.date,
    compared_with: dt.date | None = None,
) -> GroupPage:
    """Put a group's page together. ``proofs`` are its members as (party, basis, steps), ``anchors`` those at
    the top of it. ``compared_with`` marks in the picture what is new or gone since another day."""
    customers = {
        c.party_id: c for c in Customer.objects.filter(pk__in=row.customer_ids).select_related("party", "unit")
    }
    totals = totals_of_customers(row.customer_ids, as_of=as_of)
    nodes = {n.customer_id: n for n in Node.objects.filter(customer__in=row.customer_ids, kind=Node.Kind.CUSTOMER)}
    in_view = _customers_in_view(scope)
    nothing = Totals(0, 0, Decimal(0))
    members = []
    for party, basis, steps in proofs:
        customer = customers.get(party.pk)
        node = nodes.get(customer.pk) if customer else None
        members.append(
            MemberRow(
                party=party,
                customer=customer,
                is_in_view=customer is not None and (in_view is None or customer.pk in in_view),
                basis=basis,
                sentences=[str(step["sentence"]) for step in steps],
                totals=totals.get(customer.pk, nothing) if customer else nothing,
                cap_fen=node.cap_fen if node else None,
                used_fen=node.used_fen if node else None,
            )
        )
    members.sort(key=lambda m: -m.totals.control_use_fen)
    deals = domain_deals(deals_on(as_of).filter(customer__in=row.customer_ids).select_related("branch"), as_of=as_of)
    products: defaultdict[str, int] = defaultdict(int)
    branches: defaultdict[str, int] = defaultdict(int)
    for deal, seen in deals:
        products[find_product(deal.product, as_of=as_of).name] += seen.control_use_fen
        branches[deal.branch.name] += seen.control_use_fen if seen.is_drawn else 0
    return GroupPage(
        row=row,
        members=members,
        by_product=_largest_first(products),
        by_branch=_largest_first(branches),
        capital=capital_on(as_of),
        graph=_compared_graph(members, anchors, as_of, compared_with),
        change_dates=change_dates([member.party.pk for member in members], as_of=as_of),
        findings=_suspicions_of({member.party.pk for member in members}),
    )


def _largest_first(sums: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(((name, fen) for name, fen in sums.items() if fen), key=lambda row: (-row[1], row[0]))


def _suspicions_of(parties: set[int]) -> list[str]:
    latest = find_latest_determination()
    return [found["message"] for found in latest.findings if found["party"] in parties] if latest else []


# --- the ownership picture -----------------------------------------------------------------------------------------


def _in_force(as_of: dt.date) -> Q:
    return Q(Q(valid_from__isnull=True) | Q(valid_from__lte=as_of), Q(valid_to__isnull=True) | Q(valid_to__gt=as_of))


def ownership_graph(
    members: Collection[MemberRow], *, anchors: Collection[int | None], as_of: dt.date
) -> dict[str, list[dict[str, object]]]:
    """Members, their holders up to the top, the kin between those persons, guarantees and dependence among them."""
    shown = {member.party.pk for member in members}
    edges: list[dict[str, object]] = []
    waiting = set(shown)
    while waiting and len(shown) <= NODES_MAX:
        in_force = Holding.objects.filter(_in_force(as_of), company__in=waiting)
        stakes = list(in_force.order_by("-votes", "pk")[: NODES_MAX + 1])
        edges += [_edge(s.holder_id, s.company_id, "holding", _stake_text(s)) for s in stakes]
        waiting = {stake.holder_id for stake in stakes} - shown
        shown |= waiting
    kin = list(KinLink.objects.filter(_in_force(as_of)).filter(Q(a__in=shown) | Q(b__in=shown)))
    shown |= _connecting_relatives(kin, shown)
    edges += [
        _edge(link.a_id, link.b_id, "kin", "夫妻" if link.relation == KinLink.Relation.SPOUSE else "父母子女")
        for link in kin
        if {link.a_id, link.b_id} <= shown
    ]
    edges += [
        _edge(g.guarantor_id, g.debtor_id, "guarantee", f"担保 {format_wan(g.amount_fen).removesuffix('.00')} 万")
        for g in Guarantee.objects.filter(_in_force(as_of), guarantor__in=shown, debtor__in=shown)
    ]
    dependences = list(Dependence.objects.filter(_in_force(as_of), depended_on__in=shown))
    shown |= {row.dependent_id for row in dependences}
    edges += [
        _edge(row.dependent_id, row.depended_on_id, "dependence", f"依存 {row.ratio_percent.normalize():f}%")
        for row in dependences
    ]
    parties = {party.pk: party for party in Party.objects.filter(pk__in=shown).select_related("customer")}
    for edge in edges:
        edge["source_label"] = parties[int(str(edge["source"]))].name
        edge["target_label"] = parties[int(str(edge["target"]))].name
    by_party = {member.party.pk: member for member in members}
    return {
        "nodes": [_node(party, by_party.get(pk), is_anchor=pk in anchors) for pk, party in sorted(parties.items())],
        "edges": edges,
    }


def _compared_graph(
    members: Collection[MemberRow], anchors: Collection[int | None], as_of: dt.date, other_day: dt.date | None
) -> dict[str, list[dict[str, object]]]:
    """The picture of a day; with another day, also what was there and is gone, each marked with what happened."""
    graph = ownership_graph(members, anchors=anchors, as_of=as_of)
    if other_day is None or other_day == as_of:
        return graph
    earlier = ownership_graph(members, anchors=anchors, as_of=other_day)

    def key(edge: dict[str, object]) -> tuple[object, ...]:
        return edge["source"], edge["target"], edge["kind"]

    old = {key(edge): edge for edge in earlier["edges"]}
    for edge in graph["edges"]:
        was = old.pop(key(edge), None)
        if was is None:
            edge["change"] = "new"
        elif was["label"] != edge["label"]:
            edge["change"], edge["label"] = "changed", f"{was['label']} → {edge['label']}"
    known = {node["id"] for node in graph["nodes"]}
    gone = [{**edge, "change": "gone"} for edge in old.values()]
    return {
        "nodes": graph["nodes"] + [node for node in earlier["nodes"] if node["id"] not in known],
        "edges": graph["edges"] + gone,
    }


def _edge(source: int, target: int, kind: str, label: str) -> dict[str, object]:
    return {"source": str(source), "target": str(target), "kind": kind, "label": label}


def _stake_text(stake: Holding) -> str:
    return percent_text(stake.votes, 100_000_000) if stake.is_percent else f"{stake.votes:,} 股"


def _connecting_relatives(kin: Collection[KinLink], shown: set[int]) -> set[int]:
    """People outside the picture who are kin to two or more in it: a common father shows why two are brothers."""
    touching: defaultdict[int, set[int]] = defaultdict(set)
    for link in kin:
        for outside, inside in ((link.a_id, link.b_id), (link.b_id, link.a_id)):
            if outside not in shown and inside in shown:
                touching[outside].add(inside)
    return {person for person, relatives in touching.items() if len(relatives) > 1}


def _node(party: Party, member: MemberRow | None, *, is_anchor: bool) -> dict[str, object]:
    customer = getattr(party, "customer", None)
    node: dict[str, object] = {
        "id": str(party.pk),
        "label": party.short_name or party.name,
        "kind": "person" if party.kind == Party.Kind.PERSON else "org",
        "status": "",
        "ultimate": is_anchor,
        "subtitle": "核心" if is_anchor else "",
        "amount_text": "",
        "facts": [],
        "proof": [],
    }
    if member is not None and member.customer is not None:
        use = format_wan(member.totals.control_use_fen).removesuffix(".00")
        cap = f" / {format_wan(member.cap_fen).removesuffix('.00')}" if member.cap_fen is not None else ""
        node |= {
            "status": "member",
            "amount_text": f"{use}{cap} 万{'（超过限额）' if member.is_over else ''}",
            "proof": member.sentences,
            "over": member.is_over,
            "facts": [{"label": "依据", "text": f"（{member.basis}）"}, {"label": "全称", "text": party.name}],
            "url": f"/customers/{member.customer.number}/" if member.is_in_view else "",
        }
    elif party.kind == Party.Kind.ORGANISATION:
        node["kind"] = "org" if customer else "outside"
        node["status"] = "candidate" if customer else "noncredit"
        node["subtitle"] = "" if customer else "无授信"
    return node


def change_dates(party_ids: Collection[int], *, as_of: dt.date) -> list[dt.date]:
    """The days on which a stake in one of these changed, with today's, for the slider."""
    rows = Holding.objects.filter(company__in=party_ids).values_list("valid_from", "valid_to")
    return sorted({day for row in rows for day in row if day is not None} | {as_of})


# --- the workbench ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BankTotals:
    """The bank's own sums in a person's view, 分."""

    line_fen: int
    exposure_fen: int
    customers: int


def totals_in_view(*, scope: DataScope, as_of: dt.date) -> BankTotals:
    """Caps in force on a day and control use of the customers that somebody sees; a line that ended counts no more."""
    customers = visible_customers(scope)
    in_period = Q(Q(valid_to__isnull=True) | Q(valid_to__gt=as_of), status__in=["ACTIVE", "SUSPENDED", "FROZEN"])
    with_line = GroupLine.objects.filter(valid_from__lte=as_of)
    without = with_line.exclude(group__in=with_line.filter(valid_to__gt=as_of).values("group")).values_list(
        "group", flat=True
    )
    sums = Node.objects.filter(kind=Node.Kind.CUSTOMER, customer__in=customers).aggregate(
        cap=Sum("cap_fen", filter=in_period & ~Q(parent__group__in=list(without))), used=Sum("used_fen")
    )
    with_credit = customers.filter(stage=Customer.Stage.CUSTOMER).count()
    return BankTotals(sums["cap"] or 0, sums["used"] or 0, with_credit)


def next_steps(*, scope: DataScope, as_of: dt.date, limit: int = 8) -> QuerySet[Customer]:
    """What is due within a week or overdue, the oldest first."""
    return (
        with_list_columns(visible_customers(scope))
        .filter(next_step_date__lte=as_of + dt.timedelta(days=7))
        .exclude(next_step="")
        .order_by(F("next_step_date").asc(), "pk")[:limit]
    )
