"""Deals after they were drawn: repayments, cash cover that comes and goes, overdue, five-class results, branches.

A repayment is never refused for a limit. Cover that is taken away raises the exposure at once, whatever the caps say:
the excess is recorded and stops new drawings until it is cured (X13, X14).
"""

import datetime as dt
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.db.models import Count

from shouxin.audit import services as audit
from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from shouxin.bank.scope import DataScope, roles_of, scope_of
from shouxin.bank.selectors import get_rate
from shouxin.domain.credit_rules import GRADE_NAMES, GRADES, days_overdue, floor_grade, worse_of
from shouxin.domain.money import format_wan
from shouxin.facilities import public_lines
from shouxin.facilities.models import AssetClass, CoverChange, Deal, ManagingBranch, Overdue, Repayment
from shouxin.facilities.selectors import deals_on, domain_deals
from shouxin.limits import services as limits
from shouxin.limits.measures import raise_use
from shouxin.limits.models import Hold
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.policy import load_book
from shouxin.policy.products import find_product

_Role = RoleAssignment.Role
_MAY_SERVICE = frozenset({_Role.OPERATIONS, _Role.BRANCH_HEAD})


class ServicingError(ValueError):
    """The entry is not possible; the text says why and what to do. Nothing was written."""


def _require(actor: Staff, customer: Customer, roles: frozenset[_Role], as_of: dt.date, who: str) -> None:
    if not roles_of(actor, as_of=as_of) & roles:
        raise ServicingError(f"您没有此项权限：{who}。")
    if not visible_customers(scope_of(actor, as_of=as_of)).filter(pk=customer.pk).exists():
        raise ServicingError("该客户不在您的数据范围内。")


def _locked(deal: Deal) -> Deal:
    found = (
        Deal.objects.select_for_update(of=("self",)).select_related("customer__party", "facility__node").get(pk=deal.pk)
    )
    if found.closed_date is not None:
        raise ServicingError(f"{found.number} 已于 {found.closed_date} 结清。")
    return found


def _use_in_currency(deal: Deal) -> int:
    """Control use of a deal as it stands, 分 of its own currency."""
    rule = find_product(deal.product, as_of=deal.start_date)
    if not rule.is_in_scope:
        return 0
    cover = (
        (deal.margin_fen if rule.is_net_of_margin else 0)
        + (deal.own_cd_fen if rule.deducts_own_cd else 0)
        + (deal.treasury_fen if rule.deducts_treasury else 0)
    )
    return max(0, deal.amount_fen - cover)


def _yuan(fen: int, currency: str, day: dt.date) -> int:
    if currency == "CNY":
        return fen
    return int((Decimal(fen) * get_rate(currency=currency, as_of=day).rate).quantize(Decimal(1), ROUND_HALF_UP))


@transaction.atomic
def repay(*, actor: Staff, deal: Deal, amount_fen: int, business_date: dt.date) -> Repayment:
    """Take a repayment off a deal and give its share of the line back; the whole rest closes it.

    Raises:
        ServicingError: nothing or more than what is out, or somebody without the role.
    """
    deal = _locked(deal)
    _require(actor, deal.customer, _MAY_SERVICE, business_date, "还款由授信操作岗或支行行长登记")
    if not 0 < amount_fen <= deal.amount_fen:
        raise ServicingError(f"还款金额须大于 0 且不超过余额 {format_wan(deal.amount_fen)} 万元。")
    before, is_final = _use_in_currency(deal), amount_fen == deal.amount_fen
    hold = Hold.objects.filter(pk=deal.hold_id).first() if deal.hold_id else None
    released = 0
    if is_final:
        released = hold.balance_fen if hold else 0
        deal.closed_date = business_date
    else:
        deal.amount_fen -= amount_fen
        after = _use_in_currency(deal)
        if hold and before:
            released = hold.balance_fen - hold.balance_fen * after // before
    if hold and released:
        limits.release(
            hold_id=hold.pk, amount_fen=released, business_date=business_date, reason=f"还款 {deal.number}",
            actor_id=actor.pk,
        )  # fmt: skip
    deal.save(update_fields=["amount_fen", "closed_date"])
    repayment = Repayment.objects.create(
        deal=deal, amount_fen=amount_fen, counted_fen=released, repaid_date=business_date, is_final=is_final,
        recorded_by=actor,
    )  # fmt: skip
    if is_final:
        _cure(deal, business_date)
    _trace(
        deal,
        actor,
        "repaid",
        f"{deal.number} 还款 {format_wan(amount_fen)} 万元，释放额度 {format_wan(released)} 万元",
        business_date,
    )
    return repayment


@dataclass(frozen=True, slots=True)
class CoverOutcome:
    """A change of cover and the excess that it opened, 分."""

    change: CoverChange
    excess_fen: int


@transaction.atomic
def change_cover(
    *, actor: Staff, deal: Deal, kind: str, after_fen: int, reason: str, business_date: dt.date,
    has_happened: bool = False,
) -> CoverOutcome:  # fmt: skip
    """Set margin, own certificate or treasury bond of a deal to a new amount; the exposure follows at once.

    A release that somebody asks for stays within the free room of customer and group. Cover that is gone already
    (``has_happened``: drawn down, expired, fallen in value) is a fact and is never refused for a limit (I13); such a
    fact above a limit is entered by operations.

    Raises:
        ServicingError: negative, above the deal, without reason, unchanged, or a release beyond the free room.
    """
    deal = _locked(deal)
    _require(actor, deal.customer, _MAY_SERVICE, business_date, "担保变更由授信操作岗或支行行长登记")
    if kind not in CoverChange.Kind.values:
        raise ServicingError("请选择保证金、本行存单或国债。")
    if not reason.strip():
        raise ServicingError("请填写变更原因。")
    field = f"{kind}_fen"
    before_fen: int = getattr(deal, field)
    if after_fen == before_fen or not 0 <= after_fen <= deal.amount_fen:
        raise ServicingError(f"新的金额须在 0 与业务金额 {format_wan(deal.amount_fen)} 万元之间，且与现在不同。")
    use_before = _use_in_currency(deal)
    setattr(deal, field, after_fen)
    difference = _yuan(_use_in_currency(deal) - use_before, deal.currency, business_date)
    may_exceed = has_happened and _Role.OPERATIONS in roles_of(actor, as_of=business_date)
    short = _short_of_room(deal, difference)
    if short and not has_happened:
        raise ServicingError(
            f"释放后敞口增加 {format_wan(difference)} 万元，{'；'.join(short)}，不能释放。"
            f"请先还款、补足其他担保或申报额度；"
            f"担保已经划扣、到期或灭失的，由授信操作岗按“已发生”登记。"
        )
    if short and not may_exceed:
        raise ServicingError(f"{'；'.join(short)}；已发生的担保减少使额度超限的，由授信操作岗登记。")
    excess = _follow(deal, difference, reason, actor, business_date)
    if excess and not may_exceed:  # the room was taken between reading it and booking under the ledger's locks
        raise ServicingError("额度余额刚被他人占用，担保没有变更，请刷新后重试。")
    deal.save(update_fields=[field, "hold"])
    change = CoverChange.objects.create(
        deal=deal, kind=kind, before_fen=before_fen, after_fen=after_fen, counted_change_fen=difference,
        has_happened=has_happened,
        changed_date=business_date, reason=reason, recorded_by=actor,
    )  # fmt: skip
    _trace(
        deal,
        actor,
        "cover_changed",
        f"{deal.number} {change.get_kind_display()} {format_wan(before_fen)} → {format_wan(after_fen)} 万元，"
        f"敞口变化 {format_wan(difference)} 万元"
        + ("，已发生" if has_happened else "")
        + (f"，超限 {format_wan(excess)} 万元" if excess else ""),
        business_date,
    )
    return CoverOutcome(change, excess)


def _short_of_room(deal: Deal, more_fen: int) -> list[str]:
    """The limits on a deal's path with less free room than an exposure would rise by, in words."""
    found: list[str] = []
    node = deal.facility.node if deal.facility is not None and more_fen > 0 else None
    while node is not None:
        if node.own_fen is not None and node.own_fen < more_fen:
            free = max(0, node.own_fen)
            found.append(f"{node.get_kind_display()}额度 {node.name} 只余 {format_wan(free)} 万元")
        node = node.parent
    return found


def _follow(deal: Deal, difference: int, reason: str, actor: Staff, business_date: dt.date) -> int:
    if difference > 0:
        if deal.facility is None:
            raise ServicingError(f"{deal.number} 没有对应的合同，不能在额度账上调整，请先补录合同。")
        raised = raise_use(
            hold_id=deal.hold_id, facility=deal.facility.node, amount_fen=difference, business_date=business_date,
            reason=reason, actor_id=actor.pk,
        )  # fmt: skip
        deal.hold_id = raised.hold_id
        return raised.excess_fen
    hold = Hold.objects.filter(pk=deal.hold_id).first() if deal.hold_id else None
    if difference < 0 and hold is not None:
        limits.release(
            hold_id=hold.pk, amount_fen=min(-difference, hold.balance_fen), business_date=business_date, reason=reason,
            actor_id=actor.pk,
        )  # fmt: skip
    return 0


# --- overdue and classes --------------------------------------------------------------------------------------------


@transaction.atomic
def record_overdue(
    *, actor: Staff, deal: Deal, since_date: dt.date, principal_fen: int, interest_fen: int, business_date: dt.date,
    is_forced_advance: bool = False,
) -> Overdue:  # fmt: skip
    """Principal or interest not paid when due, or a forced advance; a public line gets its days to cure (CB+9)."""
    deal = _locked(deal)
    _require(actor, deal.customer, _MAY_SERVICE, business_date, "逾期由授信操作岗或支行行长登记")
    if since_date > business_date:
        raise ServicingError(f"应还日 {since_date} 晚于营业日 {business_date}。")
    if since_date < deal.start_date:
        raise ServicingError(f"应还日 {since_date} 早于 {deal.number} 的发放日 {deal.start_date}，请核对。")
    if principal_fen < 0 or interest_fen < 0 or principal_fen + interest_fen <= 0:
        raise ServicingError("请填写逾期本金或欠息金额。")
    if principal_fen > deal.amount_fen:
        raise ServicingError("逾期本金不能大于业务余额。")
    if deal.overdues.filter(cured_date__isnull=True).exists():
        raise ServicingError(f"{deal.number} 已有未偿还的逾期，请先登记偿还。")
    overdue = Overdue.objects.create(
        deal=deal, since_date=since_date, principal_fen=principal_fen, interest_fen=interest_fen,
        is_forced_advance=is_forced_advance, recorded_by=actor,
    )  # fmt: skip
    kind = "垫款" if is_forced_advance else "本金逾期" if principal_fen else "欠息"
    public_lines.report_default(customer=deal.customer, kind=kind, default_date=since_date, business_date=business_date)
    _trace(
        deal,
        actor,
        "overdue",
        f"{deal.number} {kind}：本金 {format_wan(principal_fen)} 万元，利息 {format_wan(interest_fen)} 万元，"
        f"自 {since_date}",
        business_date,
    )
    return overdue


@transaction.atomic
def cure_overdue(*, actor: Staff, overdue: Overdue, business_date: dt.date) -> Overdue:
    """The arrears were paid."""
    overdue = Overdue.objects.select_for_update(of=("self",)).select_related("deal__customer__party").get(pk=overdue.pk)
    _require(actor, overdue.deal.customer, _MAY_SERVICE, business_date, "偿还由授信操作岗或支行行长登记")
    if overdue.cured_date is not None:
        raise ServicingError("该逾期已登记偿还。")
    if business_date < overdue.since_date:
        raise ServicingError("偿还日不能早于应还日。")
    _cure(overdue.deal, business_date)
    overdue.refresh_from_db()
    _trace(overdue.deal, actor, "overdue_cured", f"{overdue.deal.number} 逾期已偿还", business_date)
    return overdue


def _cure(deal: Deal, business_date: dt.date) -> None:
    deal.overdues.filter(cured_date__isnull=True).update(cured_date=business_date)
    public_lines.settle_cured(customer=deal.customer, business_date=business_date)


def class_thresholds(as_of: dt.date) -> dict[str, int]:
    """Days that must be exceeded for each grade; no grade that was not in force yet."""
    book = load_book()
    found = {
        "mention": book.in_force("class.days_over.mention", as_of),
        "substandard": book.in_force("class.days_over.substandard", as_of),
        "doubtful": book.in_force("class.days_over.doubtful", as_of),
        "loss": book.in_force("class.days_over.loss", as_of),
    }
    return {grade: int(line.decimal) for grade, line in found.items() if line is not None}


def floor_of(deal: Deal, *, as_of: dt.date) -> tuple[str, int]:
    """The best grade that a deal may have on a day, and its days overdue."""
    since = (
        deal.overdues.filter(since_date__lte=as_of)
        .exclude(cured_date__lte=as_of)
        .order_by("since_date")
        .values_list("since_date", flat=True)
        .first()
    )
    days = days_overdue(since, as_of)
    return floor_grade(days, class_thresholds(as_of)), days


@transaction.atomic
def classify(*, actor: Staff | None, deal: Deal, grade: str, reason: str, business_date: dt.date) -> AssetClass:
    """Give a deal its five-class result. Raises ServicingError for a grade better than its days overdue allow."""
    if actor is not None:
        _require(actor, deal.customer, frozenset({_Role.RISK_OFFICER}), business_date, "五级分类由风险审查岗认定")
    if grade not in GRADES:
        raise ServicingError("请选择正常、关注、次级、可疑或损失。")
    if not reason.strip():
        raise ServicingError("请填写分类理由。")
    floor, days = floor_of(deal, as_of=business_date)
    if GRADES.index(grade) < GRADES.index(floor):
        citation = load_book().at("class.days_over.substandard", business_date).citation
        raise ServicingError(
            f"{deal.number} 逾期 {days} 天，至少为{GRADE_NAMES[floor]}，不能认定为{GRADE_NAMES[grade]}"
            f"（{citation}，CB-19）。"
        )
    row = AssetClass.objects.create(
        deal=deal,
        grade=grade,
        floor=floor,
        days_overdue=days,
        classified_date=business_date,
        reason=reason,
        decided_by=actor,
    )
    _trace(deal, actor, "classified", f"{deal.number} 五级分类：{row.get_grade_display()}（{reason}）", business_date)
    return row


def grade_of(deal: Deal, *, as_of: dt.date) -> str:
    """The grade of a deal on a day: as classified, but never better than its days overdue allow."""
    floor, _days = floor_of(deal, as_of=as_of)
    latest = deal.classes.filter(classified_date__lte=as_of).first()
    return worse_of([floor, latest.grade if latest else "pass"])


def customer_grade(customer_id: int, *, as_of: dt.date) -> str:
    """A customer is as good as its worst asset (CB-19)."""
    return worse_of(grade_of(deal, as_of=as_of) for deal in deals_on(as_of).filter(customer_id=customer_id))


@transaction.atomic
def lower_to_floors(*, as_of: dt.date) -> list[AssetClass]:
    """Lower every overdue deal whose recorded grade is better than its days allow; gives what was lowered."""
    lowered = []
    for deal in deals_on(as_of).filter(overdues__cured_date__isnull=True, overdues__since_date__lte=as_of).distinct():
        floor, days = floor_of(deal, as_of=as_of)
        latest = deal.classes.filter(classified_date__lte=as_of).first()
        if GRADES.index(latest.grade if latest else "pass") < GRADES.index(floor):
            lowered.append(
                classify(actor=None, deal=deal, grade=floor, reason=f"逾期 {days} 天，按天数下限", business_date=as_of)
            )
    return lowered


# --- several branches -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MultiBranch:
    """A customer with credit at more than one branch and who manages it."""

    customer: Customer
    branches: list[tuple[str, int]]
    managing: ManagingBranch | None


def branches_of(customer_id: int, *, as_of: dt.date) -> list[tuple[OrgUnit, int]]:
    """Where a customer has credit on a day, with its control use there, largest first (CB-18)."""
    pairs = domain_deals(deals_on(as_of).filter(customer_id=customer_id).select_related("branch"), as_of=as_of)
    sums: dict[int, int] = {}
    units: dict[int, OrgUnit] = {}
    for deal, seen in pairs:
        units[deal.branch_id] = deal.branch
        sums[deal.branch_id] = sums.get(deal.branch_id, 0) + seen.control_use_fen
    return sorted(((units[pk], fen) for pk, fen in sums.items()), key=lambda row: (-row[1], row[0].code))


def is_multi_branch(customer_id: int, *, as_of: dt.date) -> bool:
    """Credit at two branches or more makes a 多头授信客户 the same day (CB-18)."""
    least = load_book().in_force("line.multi_branch_min", as_of)
    branches = deals_on(as_of).filter(customer_id=customer_id).values("branch_id").distinct().count()
    return least is not None and least.allows(Decimal(branches))


def list_multi_branch(*, scope: DataScope, as_of: dt.date) -> list[MultiBranch]:
    """多头授信客户 in somebody's view."""
    least = load_book().in_force("line.multi_branch_min", as_of)
    if least is None:
        return []
    ids = (
        deals_on(as_of)
        .filter(customer__in=visible_customers(scope))
        .values("customer_id")
        .annotate(n=Count("branch_id", distinct=True))
        .filter(n__gte=int(least.decimal))
        .values_list("customer_id", flat=True)
    )
    customers = Customer.objects.filter(pk__in=list(ids)).select_related("party", "unit").order_by("number")
    return [
        MultiBranch(
            customer,
            [(unit.name, fen) for unit, fen in branches_of(customer.pk, as_of=as_of)],
            customer.managing_branches.filter(decided_date__lte=as_of).select_related("branch").first(),
        )
        for customer in customers
    ]


@transaction.atomic
def name_managing_branch(
    *, actor: Staff, customer: Customer, branch: OrgUnit, reason: str, business_date: dt.date
) -> ManagingBranch:
    """Head office names the branch that is best for risk control (CB+7): a decision with a reason, never computed."""
    if not actor.unit.is_head_office or not roles_of(actor, as_of=business_date) & {
        _Role.RISK_OFFICER, _Role.APPROVER
    }:  # fmt: skip
        raise ServicingError("管理行由总行风险审查或授信审批岗指定。")
    if not reason.strip():
        raise ServicingError("请写明为什么该行最利于控制风险。")
    if branch.pk not in {unit.pk for unit, _ in branches_of(customer.pk, as_of=business_date)}:
        raise ServicingError(f"{branch.name} 没有该客户的授信，请在有授信的机构中指定。")
    decision = ManagingBranch.objects.create(
        customer=customer, branch=branch, reason=reason, decided_date=business_date, decided_by=actor
    )
    audit.record(
        actor=actor, action="facilities.managing_branch.named", subject=("customer", customer.pk),
        summary=f"管理行：{branch.name}（{reason}）", business_date=business_date,
    )  # fmt: skip
    return decision


def _trace(deal: Deal, actor: Staff | None, what: str, summary: str, business_date: dt.date) -> None:
    audit.record(
        actor=actor, action=f"facilities.deal.{what}", subject=("customer", deal.customer_id), summary=summary,
        business_date=business_date, details={"deal": deal.number},
    )  # fmt: skip
