"""Everything outside the ledger that a drawing is held against, one small check each; a tuple names them all.

A check returns all its findings for the drawing as it would stand. The rooms under the percentages are gathered beside
the ledger's own path, so that the strictest valid limit can be named with its article.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from shouxin.bank.models import CapitalFigure
from shouxin.bank.selectors import (
    FigureMissingError,
    find_capital_figure,
    find_limit_capital,
    find_year_end_capital,
    get_rate,
)
from shouxin.domain.credit_rules import BRANCH_FORMS, Room, room_under, strictest
from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding, Severity
from shouxin.domain.money import format_wan
from shouxin.facilities import connections, public_lines
from shouxin.facilities.evaluating import find_rating, is_at_or_below
from shouxin.facilities.models import Precondition
from shouxin.facilities.selectors import deals_on, domain_deals, group_total_fen, totals_of_customers
from shouxin.facilities.servicing import customer_grade, is_multi_branch
from shouxin.groups.selectors import find_group_of, list_members
from shouxin.limits.models import Node
from shouxin.limits.services import Answer
from shouxin.parties.models import Customer
from shouxin.policy import load_book
from shouxin.policy.products import find_product
from shouxin.rulebook.selectors import effective_limit

if TYPE_CHECKING:
    from shouxin.facilities.services import DrawingRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """A drawing as the checks see it: amounts in 分 of yuan."""

    request: "DrawingRequest"
    counted_fen: int
    gross_fen: int

    @property
    def customer(self) -> Customer:
        return self.request.facility.customer

    @property
    def day(self) -> dt.date:
        return self.request.value_date


def _is_in_force(key: str, day: dt.date) -> bool:
    return load_book().in_force(key, day) is not None


# --- the checks -----------------------------------------------------------------------------------------------------


def check_rate_age(asked: Asked) -> list[Finding]:
    """A foreign currency is controlled at the rate of the day (A-27)."""
    currency = asked.request.facility.currency
    if currency == "CNY":
        return []
    limit = load_book().in_force("fx.control_max_age_days", asked.day)
    try:
        rate = get_rate(currency=currency, as_of=asked.day)
    except FigureMissingError as error:
        return [Finding("RATE_MISSING", Severity.REFUSE, str(error), "A-27", limit.citation if limit else "")]
    if limit is None or limit.allows(Decimal((asked.day - rate.date).days)):
        return []
    return [
        Finding(
            "RATE_MISSING", Severity.REFUSE,
            f"缺少 {currency} 在 {asked.day} 的汇率（最近为 {rate.date}），请先录入当日汇率。", "A-27", limit.citation,
            message_en="The exchange rate of the day is missing.",
        )
    ]  # fmt: skip


def check_preconditions(asked: Asked) -> list[Finding]:
    """Conditions of the contract come first (step 12)."""
    open_ones = Precondition.objects.filter(facility=asked.request.facility).exclude(met_date__lte=asked.day)
    return [
        Finding(
            "PRECONDITION_OPEN", Severity.REFUSE, f"放款前提未落实：{row.text}，请落实并登记凭据。", "BR-10",
            "授信批复所附条件", message_en="A condition precedent is not met.",
        )
        for row in open_ones
    ]  # fmt: skip


def check_rollout(asked: Asked) -> list[Finding]:
    """Customers of the classes that the bank has rolled out must have a line (CB-17)."""
    classes = load_book().in_force("rollout.classes", asked.day)
    if classes is None:
        return []
    node = Node.objects.filter(customer=asked.customer, kind=Node.Kind.CUSTOMER).first()
    if node is not None and node.cap_fen is not None:
        return []
    names = {"multi_branch": "多头授信客户", "group": "集团客户", "pass_mention": "五级分类正常、关注的客户"}
    for name in classes.value.text:
        if _belongs(name, asked):
            return [
                Finding(
                    "LINE_REQUIRED", Severity.REFUSE,
                    f"{asked.customer.party.name} 属于{names[name]}，须先核定额度才能支用。", classes.article,
                    classes.citation, message_en="This class of customers must have a line first.",
                )
            ]  # fmt: skip
    return []


def _belongs(name: str, asked: Asked) -> bool:
    customer, day = asked.customer, asked.day
    if name == "multi_branch":
        return is_multi_branch(customer.pk, as_of=day)
    if name == "group":
        return False  # a member without a limit of its own is refused by BR-12 already
    return customer_grade(customer.pk, as_of=day) in ("pass", "mention")


def check_legal_person(asked: Asked) -> list[Finding]:
    """The customer is the legal person: its branches draw in its name and in its line (A-15)."""
    party = asked.customer.party
    if party.legal_form not in BRANCH_FORMS:
        return []
    return [
        Finding(
            "NOT_A_LEGAL_PERSON", Severity.REFUSE,
            f"{party.name} 是{party.legal_form}，不是法人，不能以自己的名义用信。", "CB-08",
            "《额度授信管理办法（试行）》第二条",
        )
    ]  # fmt: skip


def check_grade(asked: Asked) -> list[Finding]:
    """Credit to a customer with a bad asset is said, and for the worst grades refused by nobody but a person."""
    grade = customer_grade(asked.customer.pk, as_of=asked.day)
    if grade in ("pass", "mention"):
        return []
    return [
        Finding(
            "CUSTOMER_CLASSIFIED", Severity.WARN,
            f"{asked.customer.party.name} 有不良资产，五级分类不在正常、关注之列，新增授信须审慎。", "CB-19",
            "《额度授信管理办法（试行）》第七条（三）",
        )
    ]  # fmt: skip


def check_term(asked: Asked) -> list[Finding]:
    """Working-capital loans: three years, exceptionally five."""
    maturity = asked.request.maturity_date
    rule = find_product(asked.request.facility.product, as_of=asked.day)
    if maturity is None or rule.code != "working_capital_loan" or not _is_in_force("wl.term_max_years", asked.day):
        return []
    usual = load_book().at("wl.term_max_years", asked.day)
    most = load_book().at("wl.term_exception_years", asked.day)
    if maturity <= add_months(asked.day, 12 * int(usual.decimal)):
        return []
    if maturity <= add_months(asked.day, 12 * int(most.decimal)):
        return [
            Finding(
                "TERM_EXCEPTION", Severity.WARN,
                f"流动资金贷款期限超过 {usual.decimal:f} 年，属例外（不超过 {most.decimal:f} 年），请说明理由。",
                usual.article, usual.citation,
            )
        ]  # fmt: skip
    return [
        Finding(
            "TERM_TOO_LONG",
            Severity.REFUSE,
            f"流动资金贷款期限不得超过 {most.decimal:f} 年，请改到期日。",
            most.article,
            most.citation,
        )
    ]


def line_end(customer: Customer) -> dt.date | None:
    """Where the customer's line ends, its own or its group's, whichever is earlier; the day itself is excluded."""
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).select_related("parent").first()
    ends = [each.valid_to for each in (node, node.parent if node else None) if each is not None and each.valid_to]
    return min(ends) if ends else None


def check_maturity_within_line(asked: Asked) -> list[Finding]:
    """Credit that runs on after its line has ended is an exception with a reason (UC-07)."""
    end, maturity = line_end(asked.customer), asked.request.maturity_date
    if end is None or maturity is None or maturity <= end:
        return []
    reason = asked.request.exception_reason.strip()
    said = f"到期日 {maturity} 晚于额度到期日 {end}"
    return [
        Finding(
            "MATURITY_BEYOND_LINE", Severity.WARN if reason else Severity.REFUSE,
            f"{said}，例外理由：{reason}" if reason else f"{said}，请改到期日，或写明例外理由。", "UC-07",
            message_en=f"Matures on {maturity}, after the line ends on {end}.",
            remedy="" if reason else "改到期日，或在“例外理由”中说明。",
        )
    ]  # fmt: skip


def check_restricted_rating(asked: Asked) -> list[Finding]:
    """A restricted rating: the use is decided one level up (CB+6)."""
    rating = find_rating(customer=asked.customer, as_of=asked.day)
    line = load_book().in_force("line.restricted_rating", asked.day)
    if rating is None or line is None or not is_at_or_below(rating.grade, str(line.value.text), as_of=asked.day):
        return []
    return [
        Finding(
            "RATING_RESTRICTED",
            Severity.WARN,
            f"信用等级 {rating.grade} 不高于 {line.value.text}，额度限制使用，使用审批上收一级。",
            line.article,
            line.citation,
        )
    ]


def check_single_loans(asked: Asked) -> list[Finding]:
    """Loans to one borrower are at most 10 % of net capital (X15)."""
    room = _single_loan_room(asked)
    if room is None or asked.gross_fen <= room.room_fen:
        return []
    return [
        Finding(
            "SINGLE_LOANS_ABOVE_SHARE", Severity.REFUSE,
            f"单一客户贷款 {format_wan(room.used_fen + asked.gross_fen)} 万元，超过资本净额的上限 "
            f"{format_wan(room.limit_fen)} 万元。", room.article, room.citation,
            message_en="Loans to one borrower above the share of net capital.",
            remedy="压降金额，或以银团贷款分散。",
        )
    ]  # fmt: skip


def check_large_exposure(asked: Asked) -> list[Finding]:
    """Single 15 % and connected 20 % of net Tier 1 after conversion (X16, X18), since 2018-07-01."""
    if not _is_in_force("le.single_nonbank_pct", asked.day):
        return []
    tier1 = find_capital_figure(kind=CapitalFigure.Kind.TIER1, on_or_before=asked.day)
    if tier1 is None:
        return [
            Finding("CAPITAL_MISSING", Severity.REFUSE, "缺少一级资本净额，不能核对大额风险暴露，请先录入。", "X16")
        ]
    new = _converted(asked)
    return [
        Finding(
            "LARGE_EXPOSURE_ABOVE_LIMIT", Severity.REFUSE,
            f"{room.name}：支用后 {format_wan(room.used_fen + new)} 万元，超过 {tier1.date} 一级资本净额的上限 "
            f"{format_wan(room.limit_fen)} 万元。", room.article, room.citation,
            message_en="Above the large exposure limit.", remedy="压降金额，或由他行分担。",
        )
        for room in _large_exposure_rooms(asked)
        if new > room.room_fen
    ]  # fmt: skip


def check_related_party(asked: Asked) -> list[Finding]:
    """The bank's own related parties (UC-01, Y09)."""
    return connections.judge_related(customer=asked.customer, amount_fen=asked.counted_fen, as_of=asked.day)


def check_public_line(asked: Asked) -> list[Finding]:
    """A drawing inside the public line (CB+1, CB+3, CB+9)."""
    if not asked.request.is_under_public_line:
        return []
    return public_lines.judge_use(
        customer=asked.customer, product=asked.request.facility.product, counted_fen=asked.counted_fen, as_of=asked.day
    )


CHECKS: Sequence[Callable[[Asked], list[Finding]]] = (
    check_rate_age, check_preconditions, check_legal_person, check_rollout, check_grade, check_term,
    check_maturity_within_line,
    check_restricted_rating, check_single_loans, check_large_exposure, check_related_party, check_public_line,
)  # fmt: skip


def all_findings(asked: Asked) -> list[Finding]:
    """Every check's findings."""
    return [finding for check in CHECKS for finding in check(asked)]


# --- the strictest limit --------------------------------------------------------------------------------------------


def rooms(asked: Asked, answer: Answer | None) -> list[Room]:
    """What is left under every limit that holds for the drawing: the ledger's path and the shares of capital."""
    found = [
        Room(f"{node.kind_label}额度 {node.name}", node.article, "", node.cap_fen, node.used_fen)
        for node in (answer.path if answer else ())
        if node.cap_fen is not None
    ]
    single = _single_loan_room(asked)
    group = _group_room(asked)
    found += [room for room in (single, group) if room is not None]
    if _is_in_force("le.single_nonbank_pct", asked.day):
        found += _large_exposure_rooms(asked)
    return found


def strictest_finding(asked: Asked, answer: Answer | None) -> list[Finding]:
    """Which valid limit leaves least, for the person who asks."""
    found = rooms(asked, answer)
    least = strictest(found)
    if least is None:
        return []
    return [
        Finding(
            "STRICTEST_LIMIT",
            Severity.INFO,
            f"{len(found)} 项有效限额中最紧的是{least.name}：余 {format_wan(max(0, least.room_fen))} 万元。",
            least.article,
            least.citation,
            message_en=f"The strictest valid limit leaves {format_wan(max(0, least.room_fen))}.",
            inputs={room.name: f"余 {format_wan(max(0, room.room_fen))} 万元" for room in found},
        )
    ]


def _single_loan_room(asked: Asked) -> Room | None:
    loans = set(load_book().items_in_force("scope.loan_products", asked.day))
    if find_product(asked.request.facility.product, as_of=asked.day).code not in loans:
        return None
    capital = find_year_end_capital(kind=CapitalFigure.Kind.NET, as_of=asked.day)
    if capital is None or load_book().in_force("single.loan_pct", asked.day) is None:
        return None  # a missing figure is said by the group's own check
    limit = effective_limit("single.loan_pct", asked.day)
    used = sum(
        seen.amount_fen
        for deal, seen in domain_deals(deals_on(asked.day).filter(customer=asked.customer), as_of=asked.day)
        if deal.product in loans and deal.is_drawn
    )
    return room_under(
        name="单一客户贷款比例", article=limit.article, citation=limit.citation, base_fen=capital.amount_fen,
        percent=limit.decimal, used_fen=used,
    )  # fmt: skip


def _group_room(asked: Asked) -> Room | None:
    group = find_group_of(asked.customer.pk, as_of=asked.day)
    capital = find_limit_capital(as_of=asked.day)
    if group is None or capital is None or not _is_in_force("group.limit.pct_net_capital", asked.day):
        return None
    limit = effective_limit("group.limit.pct_net_capital", asked.day)
    members = {m.customer_id for m in list_members(group, as_of=asked.day)}
    return room_under(
        name="单一集团占资本净额", article=limit.article, citation=limit.citation, base_fen=capital.amount_fen,
        percent=limit.decimal, used_fen=group_total_fen(members, as_of=asked.day),
    )  # fmt: skip


def _converted(asked: Asked) -> int:
    factor = find_product(asked.request.facility.product, as_of=asked.day).conversion_factor
    return int((asked.counted_fen * factor).to_integral_value())


def _large_exposure_rooms(asked: Asked) -> list[Room]:
    tier1 = find_capital_figure(kind=CapitalFigure.Kind.TIER1, on_or_before=asked.day)
    if tier1 is None:
        return []
    book = load_book()
    together = connections.connected_set(asked.customer, as_of=asked.day)
    totals = totals_of_customers(together, as_of=asked.day)
    single, connected = book.at("le.single_nonbank_pct", asked.day), book.at("le.connected_nonbank_pct", asked.day)
    single, connected = (effective_limit(limit.parameter.key, asked.day) for limit in (single, connected))
    rows = [
        room_under(
            name="大额风险暴露（单一客户）",
            article=single.article,
            citation=single.citation,
            base_fen=tier1.amount_fen,
            percent=single.decimal,
            used_fen=int(totals[asked.customer.pk].large_exposure_fen),
        )
    ]
    if len(together) > 1:
        rows.append(
            room_under(
                name=f"大额风险暴露（{len(together)} 户关联客户）",
                article=connected.article,
                citation=connected.citation,
                base_fen=tier1.amount_fen,
                percent=connected.decimal,
                used_fen=int(sum(total.large_exposure_fen for total in totals.values())),
            )
        )
    return rows
