"""Who counts together beyond the managed group: the connected set of large exposures, the bank's own related parties,
guarantees inside a group, and transactions that customers must report. Amounts are 分 of yuan.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.db.models import Q

from shouxin.audit import services as audit
from shouxin.bank.models import CapitalFigure, RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.bank.selectors import find_capital_figure
from shouxin.domain.credit_rules import (
    REPORT_ITEM_NAMES,
    must_report,
    price_deviation_pct,
    related_kind,
    transaction_weight_fen,
)
from shouxin.domain.exposure import find_guarantee_cycle, intragroup_guarantees_fen
from shouxin.domain.findings import Finding, Severity
from shouxin.domain.money import Money, amount_en, format_wan, percent_text
from shouxin.facilities.models import BankRelatedParty, Drawing, RelatedTransaction
from shouxin.facilities.selectors import deals_on, domain_deals, totals_of_customers
from shouxin.groups.models import Candidate, CustomerGroup, Dependence, Guarantee
from shouxin.groups.selectors import find_group_of, list_members, memberships_on, open_candidates_with
from shouxin.parties.models import Customer, Party
from shouxin.policy import load_book
from shouxin.rulebook.selectors import effective_limit


class ConnectionInputError(ValueError):
    """An entry that cannot be kept; the text says why. Nothing was written."""


def _in_force(as_of: dt.date) -> Q:
    return Q(Q(valid_from__isnull=True) | Q(valid_from__lte=as_of), Q(valid_to__isnull=True) | Q(valid_to__gt=as_of))


# --- large exposures --------------------------------------------------------------------------------------------------


def connected_set(customer: Customer, *, as_of: dt.date) -> frozenset[int]:
    """Customers that are one for large exposures: their group (or every undecided proposal) and economic dependence,
    followed from each to the next."""
    least = load_book().in_force("le.dependence_income_pct", as_of)
    found: set[int] = set()
    waiting = {customer.pk}
    while waiting:
        found |= waiting
        parties = dict(Customer.objects.filter(pk__in=waiting).values_list("party_id", "pk"))
        nearby: set[int] = set()
        for party, pk in parties.items():
            nearby |= _group_customers(pk, party, as_of)
        if least is None:
            links = Dependence.objects.none()
        else:
            links = Dependence.objects.filter(_in_force(as_of), ratio_percent__gte=least.decimal).filter(
                Q(dependent__in=parties) | Q(depended_on__in=parties)
            )
        for a, b in links.values_list("dependent__customer", "depended_on__customer"):
            nearby |= {pk for pk in (a, b) if pk is not None}
        waiting = nearby - found
    return frozenset(found)


def _group_customers(customer_id: int, party_id: int, as_of: dt.date) -> set[int]:
    group = find_group_of(customer_id, as_of=as_of)
    if group is not None:
        return {m.customer_id for m in list_members(group, as_of=as_of)}
    found: set[int] = set()
    for candidate in open_candidates_with(party_id):
        found |= customers_of(candidate)
    return found


def customers_of(candidate: Candidate) -> set[int]:
    """The credit customers of a proposal."""
    return set(
        candidate.members.filter(is_customer=True, party__customer__isnull=False).values_list(
            "party__customer__pk", flat=True
        )
    )


@dataclass(frozen=True, slots=True)
class LargeExposure:
    """A customer or a connected set with its exposure after conversion, percent of net Tier 1.

    ``hidden_count`` of its customers lie outside the view: they count in the sum and are not named. ``group_name`` is
    that of the confirmed group whose members with credit the set is, empty for a wider set or a single customer.
    """

    names: tuple[str, ...]
    customer_ids: frozenset[int]
    exposure_fen: Decimal
    share: Decimal
    is_large: bool
    limit_percent: Decimal
    is_above_limit: bool
    starts_dependence_test: bool
    room_fen: int
    limit_citation: str
    hidden_count: int = 0
    group_name: str = ""

    @property
    def exposure_wan(self) -> str:
        """万元 with two decimals, rounded half up as reports are."""
        return f"{(self.exposure_fen / 1_000_000).quantize(Decimal('0.01'), ROUND_HALF_UP):,f}"


def large_exposures(
    *, as_of: dt.date, customers: Iterable[Customer], is_scoped: bool = False
) -> list[LargeExposure]:  # fmt: skip
    """Every customer and every connected set with credit, largest first (X16-X19). Empty without a Tier 1 figure and
    on days before the rule was in force.

    A set is always held whole against its limit; with ``is_scoped`` only the customers given are named in it.
    """
    tier1 = find_capital_figure(kind=CapitalFigure.Kind.TIER1, on_or_before=as_of)
    if tier1 is None:
        return []
    book = load_book()
    threshold = book.in_force("le.threshold_pct", as_of)
    if threshold is None:
        return []
    single, connected = book.at("le.single_nonbank_pct", as_of), book.at("le.connected_nonbank_pct", as_of)
    single, connected = (effective_limit(limit.parameter.key, as_of) for limit in (single, connected))
    dependence = book.at("le.dependence_test_pct", as_of)
    people = {c.pk: c for c in customers}
    with_credit = set(deals_on(as_of).filter(customer__in=people).values_list("customer_id", flat=True))
    sets: set[frozenset[int]] = set()
    for pk in with_credit:
        if not any(pk in found for found in sets):
            sets.add(connected_set(people[pk], as_of=as_of))
    groups = _groups_of(with_credit, as_of)
    sets |= {found for found in groups if len(found) > 1}
    everyone = with_credit | set().union(*sets) if sets else with_credit
    totals = totals_of_customers(everyone, as_of=as_of)
    names = dict(Customer.objects.filter(pk__in=everyone).values_list("pk", "party__name"))
    rows = []
    for ids in [frozenset({pk}) for pk in with_credit] + [found for found in sets if len(found) > 1]:
        exposure = sum((totals[pk].large_exposure_fen for pk in ids), Decimal(0))
        share = exposure * 100 / tier1.amount_fen
        limit = connected if len(ids) > 1 else single
        room = int(tier1.amount_fen * limit.decimal / 100 - exposure)
        rows.append(
            LargeExposure(
                names=tuple(sorted(names[pk] for pk in ids if not is_scoped or pk in people)),
                hidden_count=len(ids - people.keys()) if is_scoped else 0, customer_ids=ids,
                exposure_fen=exposure, share=share,
                is_large=threshold.allows(share), limit_percent=limit.decimal, is_above_limit=not limit.allows(share),
                starts_dependence_test=len(ids) == 1 and dependence.allows(share), room_fen=max(0, room),
                limit_citation=limit.citation, group_name=groups.get(ids, "") if len(ids) > 1 else "",
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: (-row.share, row.names))


def _groups_of(customers: set[int], as_of: dt.date) -> dict[frozenset[int], str]:
    """The members with credit of every confirmed group, by name: a group is held against the limit beside the wider
    connected set."""
    memberships = memberships_on(as_of)
    groups = memberships.filter(customer__in=customers).values("group")
    members: defaultdict[tuple[int, str], set[int]] = defaultdict(set)
    with_credit = deals_on(as_of).values("customer")
    whole = memberships.filter(group__in=groups, customer__in=with_credit)
    for pk, name, customer in whole.values_list("group", "group__name", "customer"):
        members[pk, name].add(customer)
    return {frozenset(ids): name for (_, name), ids in members.items()}


# --- guarantees inside a group --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GroupGuarantees:
    """Guarantees among a group's members: sum, share of the line and a circle of them, if any."""

    total_fen: int
    line_fen: int | None
    share: Decimal | None
    cycle: tuple[str, ...]
    rows: tuple[tuple[str, str, int], ...]
    findings: tuple[Finding, ...]


def group_guarantees(group: CustomerGroup, *, line_fen: int | None, as_of: dt.date) -> GroupGuarantees:
    """Circles (W09) and the share above which a warning is due (W10), of what is in force on a day (X20)."""
    members = [m.customer.party for m in list_members(group, as_of=as_of)]
    names = {str(party.pk): party.name for party in members}
    rows = [
        (str(g.guarantor_id), str(g.debtor_id), g.amount_fen)
        for g in Guarantee.objects.filter(
            _in_force(as_of), guarantor__in=members, debtor__in=members
        ).order_by("pk")
    ]  # fmt: skip
    total = intragroup_guarantees_fen(rows, names)
    cycle = find_guarantee_cycle(rows, list(names))
    findings = []
    if cycle:
        path = " → ".join(names[party] for party in [*cycle, cycle[0]])
        findings.append(
            Finding(
                "GUARANTEE_CYCLE",
                Severity.WARN,
                f"集团内循环担保：{path}，担保不增加还款来源。",
                "W09",
                "预警信号目录",
                message_en=f"Guarantees inside the group run in a circle: {path}; they add no source of repayment.",
                remedy="要求以第三方担保或抵押置换。",
            )
        )
    share = Decimal(total) * 100 / line_fen if line_fen else None
    line = load_book().in_force("intragroup_guarantee.max_pct", as_of)
    if share is not None and line is not None and line.allows(share):
        shown = percent_text(share, line.decimal)
        findings.append(
            Finding(
                "GUARANTEE_SHARE", Severity.WARN,
                f"集团内互保 {format_wan(total)} 万元，占集团额度 {format_wan(line_fen or 0)} 万元的 {shown}，"
                f"超过 {line.decimal:f}%。", line.article, line.citation,
                message_en=f"Guarantees among members, {amount_en(total)}, are {shown} of the group's line of "
                f"{amount_en(line_fen or 0)}, above {line.decimal:f}%.",
                inputs={"集团内互保": f"{format_wan(total)} 万元", "占比": shown},
            )
        )  # fmt: skip
    return GroupGuarantees(
        total, line_fen, share, tuple(names[p] for p in cycle),
        tuple((names[a], names[b], fen) for a, b, fen in rows), tuple(findings),
    )  # fmt: skip


# --- related parties of the bank ------------------------------------------------------------------------------------


@transaction.atomic
def add_bank_relation(
    *, actor: Staff, party: Party, relation: str, valid_from: dt.date, source: str, business_date: dt.date,
    valid_to: dt.date | None = None,
) -> BankRelatedParty:  # fmt: skip
    """Enter a related party of the bank (UC-01).

    Raises ConnectionInputError without relation or source, or when the same relation of the party is there already.
    """
    _require_relations_keeper(actor, business_date)
    if not relation.strip() or not source.strip():
        raise ConnectionInputError("请填写关系和来源。")
    if valid_to is not None and valid_to <= valid_from:
        raise ConnectionInputError("结束日须晚于开始日。")
    party = Party.objects.select_for_update(of=("self",)).get(pk=party.pk)  # two at once wait for each other
    relation = relation.strip()
    same = BankRelatedParty.objects.filter(party=party, relation=relation)
    same = same.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=valid_from))
    standing = (same.filter(valid_from__lt=valid_to) if valid_to else same).first()
    if standing is not None:
        raise ConnectionInputError(
            f"{party.name}（{relation}）已登记，自 {standing.valid_from} 起；没有重复登记，如有变化请先结束原来的登记。"
        )
    row = BankRelatedParty.objects.create(
        party=party, relation=relation, valid_from=valid_from, valid_to=valid_to, source=source, recorded_by=actor
    )
    audit.record(
        actor=actor, action="facilities.bank_relation.added", subject=("party", party.pk),
        summary=f"登记本行关联方 {party.name}：{relation}", business_date=business_date,
    )  # fmt: skip
    return row


@transaction.atomic
def end_bank_relation(
    *, actor: Staff, row: BankRelatedParty, valid_to: dt.date, reason: str, business_date: dt.date
) -> BankRelatedParty:
    """End an entry from a day on (that day excluded), by another person than who entered it; the reason is audited.

    Raises ConnectionInputError for the one who entered it, one ended already, a day not after its start, no reason.
    """
    _require_relations_keeper(actor, business_date)
    row = BankRelatedParty.objects.select_for_update(of=("self",)).select_related("party").get(pk=row.pk)
    if row.recorded_by_id == actor.pk:
        raise ConnectionInputError("登记人不能结束自己登记的关联方，请由另一人办理（四眼原则）。")
    if row.valid_to is not None:
        raise ConnectionInputError(f"{row.party.name}（{row.relation}）已登记到 {row.valid_to}（不含）结束。")
    if valid_to <= row.valid_from:
        raise ConnectionInputError(f"结束日须晚于开始日 {row.valid_from}。")
    if not reason.strip():
        raise ConnectionInputError("请写明结束的原因。")
    row.valid_to = valid_to
    row.save(update_fields=["valid_to"])
    audit.record(
        actor=actor, action="facilities.bank_relation.ended", subject=("party", row.party_id),
        summary=f"结束本行关联方 {row.party.name}：{row.relation}，{valid_to} 起：{reason.strip()}",
        business_date=business_date,
    )  # fmt: skip
    return row


def _require_relations_keeper(actor: Staff, as_of: dt.date) -> None:
    role = RoleAssignment.Role
    if not roles_of(actor, as_of=as_of) & {role.RISK_OFFICER, role.IDENTIFICATION_OFFICER}:
        raise ConnectionInputError("本行关联方由风险审查或集团认定岗登记。")


def related_customers(as_of: dt.date) -> dict[int, str]:
    """Customers that are related parties of the bank on a day, with why: themselves, their group, or the family at the
    top of their group."""
    found: dict[int, str] = {}
    rows = BankRelatedParty.objects.filter(valid_from__lte=as_of).filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=as_of)
    )
    for row in rows.select_related("party"):
        reason = f"{row.party.name}（{row.relation}）"
        own = Customer.objects.filter(party=row.party).first()
        groups = set(
            Candidate.objects.filter(status=Candidate.Status.CONFIRMED, group__isnull=False)
            .filter(Q(anchor=row.party) | Q(members__ultimate=row.party))
            .values_list("group", flat=True)
        )
        if own is not None:
            found.setdefault(own.pk, reason)
            group = find_group_of(own.pk, as_of=as_of)
            groups |= {group.pk} if group else set()
        for pk in memberships_on(as_of).filter(group__in=groups).values_list("customer_id", flat=True):
            found.setdefault(pk, f"{reason}及其近亲属控制")
    return found


def related_net_fen(customer_ids: Collection[int], *, as_of: dt.date) -> dict[int, int]:
    """Credit to each less what the rule deducts: margin, own certificates, treasury bonds."""
    deduct = set(load_book().items("related.deduct", as_of))
    sums = dict.fromkeys(customer_ids, 0)
    for deal, seen in domain_deals(deals_on(as_of).filter(customer__in=customer_ids), as_of=as_of):
        cover = (
            (seen.margin_fen if "margin" in deduct else 0)
            + (seen.own_cd_fen if "own_cd" in deduct else 0)
            + (seen.treasury_fen if "treasury" in deduct else 0)
        )
        sums[deal.customer_id] += max(0, seen.gross_fen - cover) if seen.is_in_scope else 0
    return sums


def judge_related(*, customer: Customer, amount_fen: int, as_of: dt.date) -> list[Finding]:
    """A drawing of a related party: its own, its group's and all related parties' share, and whether it is major."""
    if not any(value.is_in_force(as_of) for value in load_book().parameter("related.single_pct").values):
        return []
    related = related_customers(as_of)
    if customer.pk not in related:
        return []
    capital = find_capital_figure(kind=CapitalFigure.Kind.NET, on_or_before=as_of)
    if capital is None:
        return [Finding("CAPITAL_MISSING", Severity.REFUSE, "缺少资本净额，不能核对关联方授信，请先录入。", "Y09")]
    book = load_book()
    net = related_net_fen(list(related), as_of=as_of)
    group = find_group_of(customer.pk, as_of=as_of)
    members = {m.customer_id for m in list_members(group, as_of=as_of)} if group else {customer.pk}
    checks = (
        ("单一关联方", book.at("related.single_pct", as_of), net[customer.pk]),
        ("关联方所在集团", book.at("related.group_pct", as_of),
         sum(related_net_fen(members, as_of=as_of).values()) if group else net[customer.pk]),
        ("全部关联方", book.at("related.all_pct", as_of), sum(net.values())),
    )  # fmt: skip
    findings = [
        Finding(
            "RELATED_PARTY", Severity.INFO, f"{customer.party.name} 是本行关联方：{related[customer.pk]}。", "UC-01",
            "《银行保险机构关联交易管理办法》（2022年第1号）",
        )
    ]  # fmt: skip
    for name, limit, used in checks:
        share = Decimal(used + amount_fen) * 100 / capital.amount_fen
        if not limit.allows(share):
            shown = percent_text(share, limit.decimal)
            findings.append(
                Finding(
                    "RELATED_ABOVE_LIMIT", Severity.REFUSE,
                    f"{name}授信 {format_wan(used + amount_fen)} 万元，占 {capital.date} 资本净额 {shown}，"
                    f"超过 {limit.decimal:f}%。", limit.article, limit.citation,
                )
            )  # fmt: skip
    cumulative = net[customer.pk] + amount_fen
    kind = related_kind(
        amount_fen, cumulative, capital.amount_fen,
        single=book.decimal("related.major_single_pct", as_of),
        cumulative=book.decimal("related.major_cumulative_pct", as_of),
        step=book.decimal("related.major_step_pct", as_of), major_before_fen=_last_major(customer),
    )  # fmt: skip
    by_sum = book.at("related.major_cumulative_pct", as_of)
    is_by_sum = by_sum.allows(Decimal(cumulative) * 100 / capital.amount_fen)
    if kind == "major":
        findings.append(
            Finding(
                "RELATED_MAJOR", Severity.WARN,
                f"重大关联交易：本笔 {format_wan(amount_fen)} 万元，累计 {format_wan(cumulative)} 万元，"
                f"须经关联交易控制委员会审查、董事会批准。", "Y09",
                book.at("related.major_single_pct", as_of).citation, message_en="A major related transaction.",
                inputs={
                    "本笔": f"{format_wan(amount_fen)} 万元", "累计": f"{format_wan(cumulative)} 万元",
                    "认定": "累计" if is_by_sum else "单笔",
                },
            )
        )  # fmt: skip
    return findings


def _last_major(customer: Customer) -> int | None:
    """The sum at which a drawing of this customer was judged major by accumulation last, 分; None when none was."""
    drawings = Drawing.objects.filter(facility__customer=customer, findings__contains=[{"code": "RELATED_MAJOR"}])
    for drawing in drawings.exclude(state__in=[Drawing.State.REFUSED, Drawing.State.VOIDED]):
        inputs = dict(next(f for f in drawing.findings if f["code"] == "RELATED_MAJOR")["inputs"])
        if inputs["认定"] == "累计":
            return Money.from_wan(inputs["累计"].removesuffix(" 万元").replace(",", "")).fen
    return None


def judge_related_line(*, member_ids: Collection[int], amount_fen: int, as_of: dt.date) -> list[Finding]:
    """The line of a group with a related party of the bank: at most 15 % of the last quarter-end net capital (Y09)."""
    if not any(value.is_in_force(as_of) for value in load_book().parameter("related.group_pct").values):
        return []
    related = related_customers(as_of)
    touched = sorted({related[pk] for pk in member_ids if pk in related})
    capital = find_capital_figure(kind=CapitalFigure.Kind.NET, on_or_before=as_of)
    if not touched or capital is None:
        return []
    limit = load_book().at("related.group_pct", as_of)
    share = Decimal(amount_fen) * 100 / capital.amount_fen
    text = f"集团中有本行关联方：{'、'.join(touched)}"
    findings = [Finding("RELATED_PARTY", Severity.INFO, f"{text}。", "UC-01", limit.citation)]
    if not limit.allows(share):
        shown = percent_text(share, limit.decimal)
        findings.append(
            Finding(
                "RELATED_ABOVE_LIMIT",
                Severity.REFUSE,
                f"{text}；额度 {format_wan(amount_fen)} 万元占 {capital.date} 资本净额 {shown}，"
                f"超过 {limit.decimal:f}%。",
                limit.article,
                limit.citation,
            )
        )
    return findings


# --- transactions that customers report -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TransactionInput:
    """A customer's transaction with a related party; amounts in 分."""

    counterparty: Party
    traded_date: dt.date
    net_assets_fen: int
    price_fen: int | None = None
    fair_value_fen: int | None = None
    relation: str = ""
    nature: str = ""
    amount_text: str = ""
    pricing: str = ""


def judge_transaction(given: TransactionInput, *, as_of: dt.date) -> list[Finding]:
    """Whether the customer must report it, and whether the price departs from fair value (W07, W08)."""
    line = load_book().in_force("related_tx.report_pct", as_of)
    weight = transaction_weight_fen(price_fen=given.price_fen, fair_value_fen=given.fair_value_fen)
    findings = []
    if line is not None and must_report(weight, given.net_assets_fen, line.decimal):
        share = Decimal(weight) * 100 / given.net_assets_fen
        shown = percent_text(share, line.decimal)
        missing = [
            REPORT_ITEM_NAMES[item]
            for item, text in (("relation", given.relation), ("nature", given.nature), ("amount", given.amount_text),
                               ("pricing", given.pricing))
            if not text.strip()
        ]  # fmt: skip
        findings.append(
            Finding(
                "RELATED_TRANSACTION_TO_REPORT", Severity.WARN,
                f"关联交易 {format_wan(weight)} 万元，占净资产 {shown}，达到 {line.decimal:f}%，客户须报告四项内容"
                + (f"；尚缺：{'、'.join(missing)}" if missing else "，已齐。"), "X21", line.citation,
                message_en=f"A related transaction of {amount_en(weight)} is {shown} of net assets, at or above "
                f"{line.decimal:f}%: the customer reports its four items"
                + (f"; {len(missing)} of them are missing." if missing else ", which are complete."),
                inputs={"交易分量": f"{format_wan(weight)} 万元", "占净资产": shown},
            )
        )  # fmt: skip
    deviation = price_deviation_pct(given.price_fen, given.fair_value_fen)
    limit = load_book().in_force("signal.price_deviation_pct", as_of)
    if deviation is not None and limit is not None and limit.allows(deviation):
        shown = percent_text(deviation, limit.decimal)
        findings.append(
            Finding(
                "PRICE_NOT_FAIR", Severity.WARN, f"价格偏离公允价值 {shown}，超过 {limit.decimal:f}%。", "W08",
                limit.citation,
                message_en=f"The price deviates from fair value by {shown}, more than {limit.decimal:f}%.",
            )
        )  # fmt: skip
    return findings


@transaction.atomic
def record_transaction(
    *, actor: Staff, customer: Customer, given: TransactionInput, business_date: dt.date
) -> RelatedTransaction:
    """Keep a transaction; one that must be reported has a due day and counts as reported once all four items are there.

    Raises:
        ConnectionInputError: no value, no net assets, or a counterparty that is the customer itself.
    """
    problems = []
    if given.price_fen is None and given.fair_value_fen is None:
        problems.append("请填写交易价格或公允价值")
    if (given.price_fen or 0) < 0 or (given.fair_value_fen or 0) < 0:
        problems.append("交易价格和公允价值不能为负数")
    if given.net_assets_fen <= 0:
        problems.append("客户净资产须大于 0，请先录入报表")
    if given.counterparty.pk == customer.party_id:
        problems.append("交易对手不能是客户自己")
    if given.traded_date > business_date:
        problems.append("交易日不能晚于营业日")
    if problems:
        raise ConnectionInputError("；".join(problems))
    weight = transaction_weight_fen(price_fen=given.price_fen, fair_value_fen=given.fair_value_fen)
    line = load_book().in_force("related_tx.report_pct", given.traded_date)
    reportable = line is not None and must_report(weight, given.net_assets_fen, line.decimal)
    items = (given.relation, given.nature, given.amount_text, given.pricing)
    is_complete = all(text.strip() for text in items)
    row = RelatedTransaction.objects.create(
        customer=customer, counterparty=given.counterparty, traded_date=given.traded_date, price_fen=given.price_fen,
        fair_value_fen=given.fair_value_fen, net_assets_fen=given.net_assets_fen, relation=given.relation,
        nature=given.nature, amount_text=given.amount_text, pricing=given.pricing, must_report=reportable,
        due_date=working_days_after(given.traded_date, load_book().whole("related_tx.report_days", given.traded_date))
        if reportable else None,
        reported_date=business_date if reportable and is_complete else None, recorded_by=actor,
    )  # fmt: skip
    audit.record(
        actor=actor, action="facilities.related_transaction.recorded", subject=("customer", customer.pk),
        summary=f"关联交易：与 {given.counterparty.name}，{format_wan(weight)} 万元"
        + ("，须报告" if reportable else ""), business_date=business_date,
    )  # fmt: skip
    return row


def working_days_after(day: dt.date, count: int) -> dt.date:
    """So many Mondays to Fridays later; public holidays are not known here."""
    while count > 0:
        day += dt.timedelta(days=1)
        count -= day.weekday() < 5
    return day
