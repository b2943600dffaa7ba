"""Judge drawings and group lines: gather the figures of a day, hold them against the policy, return all findings.

Nothing here writes. Amounts are 分 of yuan; a message says what was asked, what is allowed, by which article, and what
to do next.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from shouxin.bank.models import CapitalFigure
from shouxin.bank.selectors import find_capital_figure, find_limit_capital
from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding, Severity
from shouxin.domain.money import FEN_PER_WAN, amount_en, format_wan, percent_text
from shouxin.domain.parameters import InForce
from shouxin.facilities import drawing_checks
from shouxin.facilities.connections import customers_of
from shouxin.facilities.models import Drawing
from shouxin.facilities.selectors import group_total_fen
from shouxin.groups.selectors import find_group_of, list_members, open_candidates_with
from shouxin.limits.labels import REFUSALS as LIMIT_REFUSALS
from shouxin.limits.models import Node
from shouxin.limits.services import Answer, Refusal
from shouxin.parties.models import Customer
from shouxin.policy import load_book
from shouxin.policy.products import find_product
from shouxin.rulebook.selectors import effective_limit

if TYPE_CHECKING:
    from shouxin.facilities.services import DrawingRequest


def wan(fen: int) -> str:
    """6,480.00 万元."""
    return f"{format_wan(fen)} 万元"


# --- the total of a group against net capital -----------------------------------------------------------------


def judge_group_total(*, amount_fen: int, as_of: dt.date, what: str = "集团授信额度") -> list[Finding]:
    """A group's line or use against 15 % of net capital (JS-11, HA-06), with the quarter-end view beside it (A-04).

    Before the limit was in force nothing is said.
    """
    if load_book().in_force("group.limit.pct_net_capital", as_of) is None:
        return []
    limit = effective_limit("group.limit.pct_net_capital", as_of)
    base = find_limit_capital(as_of=as_of)
    if base is not None and (expired := judge_age(base, as_of=as_of)):
        return expired
    if base is None:
        return [
            Finding(
                "CAPITAL_MISSING",
                Severity.REFUSE,
                f"缺少 {as_of} 之前的资本净额，不能核对单一集团限额，请先录入并复核资本数据。",
                "UC-05",
                message_en="No net capital has been entered.",
            )
        ]
    findings = []
    share = Decimal(amount_fen) * 100 / base.amount_fen
    shown = percent_text(share, limit.decimal, places=3)
    ceiling = int(base.amount_fen * limit.decimal / 100)
    inputs = {
        what: wan(amount_fen),
        f"资本净额（{base.date}）": wan(base.amount_fen),
        "占比": shown,
        "上限": f"{limit.decimal:f}%，即 {wan(ceiling)}",
    }
    if not limit.allows(share):
        findings.append(
            Finding(
                "GROUP_ABOVE_CAPITAL_SHARE",
                Severity.REFUSE,
                f"{what} {wan(amount_fen)}，占 {base.date} 资本净额 {wan(base.amount_fen)} 的 {shown}，"
                f"超过 {limit.decimal:f}%（{wan(ceiling)}），不得批准。",
                limit.article,
                limit.citation,
                message_en=f"{amount_en(amount_fen)} are {shown} of the net capital of {base.date}, above "
                f"{limit.decimal:f}% ({amount_en(ceiling)}).",
                remedy="压降额度，或以银团贷款、联合贷款、贷款转让方式分散。",
                inputs=inputs,
            )
        )
    quarter_end = find_capital_figure(kind=CapitalFigure.Kind.NET, on_or_before=as_of)
    if quarter_end is not None and not findings:
        findings.extend(_quarter_end_view(amount_fen, quarter_end, limit, as_of, what))
    return findings


def judge_age(figure: CapitalFigure, *, as_of: dt.date) -> list[Finding]:
    """A capital figure that is too old judges nothing any more (UC-05)."""
    is_year_end = (figure.date.month, figure.date.day) == (12, 31)
    book = load_book()
    months = (
        book.in_force("capital.year_end_max_months", as_of)
        if is_year_end
        else book.in_force("capital.quarter_end_max_months", as_of)
    )
    if months is None or as_of <= add_months(figure.date, int(months.decimal)):
        return []
    return [
        Finding(
            "CAPITAL_EXPIRED",
            Severity.REFUSE,
            f"{figure.get_kind_display()}最近一期为 {figure.date}，距 {as_of} 已超过 {months.decimal:f} 个月，"
            f"不能再用于核对限额，请录入并复核新的资本数据。",
            months.article,
            months.citation,
            message_en="The capital figure is too old.",
        )
    ]


def _quarter_end_view(
    amount_fen: int, quarter_end: CapitalFigure, limit: InForce, as_of: dt.date, what: str
) -> list[Finding]:
    """Beside the limit, the latest figure's ratio: above 15 % or at the warn line it warns, it never refuses."""
    share = Decimal(amount_fen) * 100 / quarter_end.amount_fen
    warn = load_book().in_force("group.indicator.warn_pct", as_of)
    shown = percent_text(share, limit.decimal, *([warn.decimal] if warn else []), places=3)
    inputs = {
        what: wan(amount_fen),
        f"资本净额（{quarter_end.date}）": wan(quarter_end.amount_fen),
        "占比": shown,
    }
    if not limit.allows(share):
        return [
            Finding(
                "GROUP_ABOVE_QUARTER_END_SHARE",
                Severity.WARN,
                f"{what} {wan(amount_fen)} 按 {quarter_end.date} 资本净额计为 {shown}，已超过 "
                f"{limit.decimal:f}%；限额以年末资本为准，请关注。",
                "A-04",
                limit.citation,
                message_en=f"{amount_en(amount_fen)} are {shown} of the net capital of {quarter_end.date}, above "
                f"{limit.decimal:f}%; the limit itself is held against year-end capital.",
                inputs=inputs,
            )
        ]
    if warn is not None and warn.allows(share):
        return [
            Finding(
                "GROUP_AT_WARN_LINE",
                Severity.WARN,
                f"{what} {wan(amount_fen)} 按 {quarter_end.date} 资本净额计为 {shown}，达到预警线 {warn.decimal:f}%。",
                warn.article,
                warn.citation,
                message_en=f"{amount_en(amount_fen)} are {shown} of the net capital of {quarter_end.date}: "
                f"the warning line of {warn.decimal:f}% is reached.",
                inputs=inputs,
            )
        ]
    return []


# --- approving a group line -------------------------------------------------------------------------------------


def judge_approver(*, is_head_office: bool, is_approver: bool, as_of: dt.date) -> list[Finding]:
    """Every group amount, however small, is approved at head office (JS-05)."""
    level = load_book().in_force("group.approval_level", as_of)
    if level is None:
        return []
    if is_approver and (is_head_office or level.value.text != "head_office"):
        return []
    return [
        Finding(
            "APPROVER_NOT_HEAD_OFFICE",
            Severity.REFUSE,
            "集团授信额度不论金额大小均由总行审批，请提交总行授信审批岗。",
            level.article,
            level.citation,
            message_en="Group lines are approved by an approver at head office.",
        )
    ]


ASKS_FOR_MINUTES = "，请填写会议纪要编号。"
"""Asked of who decides without minutes; a level's reason, and paper, say only that the meeting comes first."""


def judge_meeting(*, amount_fen: int, minutes_number: str, as_of: dt.date) -> list[Finding]:
    """Above the threshold the president's meeting comes first (JS-13); at the threshold it is not needed (A-07)."""
    threshold = load_book().in_force("group.meeting_threshold", as_of)
    if threshold is None:
        return []
    needs_meeting = threshold.allows(Decimal(amount_fen) / FEN_PER_WAN)
    if not needs_meeting or minutes_number.strip():
        return []
    return [
        Finding(
            "MEETING_MINUTES_MISSING",
            Severity.REFUSE,
            f"集团授信额度 {wan(amount_fen)} 超过 {threshold.decimal:,f} 万元，须先经行长办公会审议，"
            f"{ASKS_FOR_MINUTES[1:]}",
            threshold.article,
            threshold.citation,
            message_en="Minutes of the president's meeting are needed first.",
            inputs={"集团授信额度": wan(amount_fen), "上会线": f"{threshold.decimal:,f} 万元"},
        )
    ]


def judge_allocation(
    *, line_fen: int, sub_limits_fen: Mapping[int, int], member_ids: Collection[int], as_of: dt.date
) -> list[Finding]:
    """Each member has a highest limit (BR-12), only members have one, and together they stay within the line."""
    required = load_book().in_force("group.sub_limit_required", as_of)
    is_required = required is not None and required.value.text == "yes"
    names = dict(Customer.objects.filter(pk__in={*member_ids, *sub_limits_fen}).values_list("pk", "party__name"))
    findings = [
        Finding(
            "MEMBER_WITHOUT_SUB_LIMIT",
            Severity.REFUSE,
            f"成员 {names[customer]} 没有核定最高授信额度，请为每一成员核定（可为 0）。",
            "BR-12",
            "《银行集团客户授信业务风险管理办法》第七条",
        )
        for customer in sorted(set(member_ids) - set(sub_limits_fen) if is_required else ())
    ]
    findings += [
        Finding(
            "SUB_LIMIT_FOR_STRANGER",
            Severity.REFUSE,
            f"{names.get(customer, customer)} 不是该集团已认定的成员，不能分配额度。",
            "BR-03",
            "《银行集团客户授信业务风险管理办法》第二条",
        )
        for customer in sorted(set(sub_limits_fen) - set(member_ids))
    ]
    findings += [
        Finding(
            "SUB_LIMIT_NEGATIVE",
            Severity.REFUSE,
            f"成员 {names.get(customer, customer)} 的额度 {wan(amount)} 为负数；不核定额度的成员填 0。",
            "BR-12",
            message_en="A sub-limit cannot be negative; 0 means no limit for this member.",
        )
        for customer, amount in sorted(sub_limits_fen.items())
        if amount < 0
    ]
    allocated = sum(amount for amount in sub_limits_fen.values() if amount > 0)
    if allocated > line_fen:
        findings.append(
            Finding(
                "SUB_LIMITS_ABOVE_LINE",
                Severity.REFUSE,
                f"成员额度合计 {wan(allocated)}，超过集团额度 {wan(line_fen)}，多出 {wan(allocated - line_fen)}，"
                f"请压降成员额度。",
                "BR-12",
                "《银行集团客户授信业务风险管理办法》第七条",
                inputs={"成员额度合计": wan(allocated), "集团额度": wan(line_fen)},
            )
        )
    return findings


def judge_product_limits(
    *, sub_limits_fen: Mapping[int, int], product_limits_fen: Mapping[int, Mapping[str, int]], as_of: dt.date
) -> list[Finding]:
    """A product's sub-limit lies within the member's limit and only for products in scope (次级额度)."""
    names = dict(Customer.objects.filter(pk__in=product_limits_fen).values_list("pk", "party__name"))
    findings = []
    for customer, limits in sorted(product_limits_fen.items()):
        for code, amount in sorted(limits.items()):
            product = find_product(code, as_of=as_of)
            if not product.is_in_scope:
                findings.append(
                    Finding(
                        "PRODUCT_NOT_IN_SCOPE",
                        Severity.REFUSE,
                        f"{product.name} 不在本机构的授信产品范围内，不能核定产品额度。",
                        "CB-11",
                    )
                )
            if amount <= 0:
                findings.append(
                    Finding(
                        "PRODUCT_LIMIT_NOT_POSITIVE",
                        Severity.REFUSE,
                        f"{names.get(customer, customer)} 的{product.name}额度 {wan(amount)} 须大于 0；"
                        f"不设产品额度请留空。",
                        "BR-12",
                        message_en="A product limit is positive; leave it empty for none.",
                    )
                )
            ceiling = sub_limits_fen.get(customer, 0)
            if amount > ceiling:
                findings.append(
                    Finding(
                        "PRODUCT_ABOVE_SUB_LIMIT",
                        Severity.REFUSE,
                        f"{names.get(customer, customer)} 的{product.name}额度 {wan(amount)} 超过其成员额度 "
                        f"{wan(ceiling)}，"
                        f"请压降产品额度。",
                        "BR-12",
                        "《银行集团客户授信业务风险管理办法》第七条",
                        inputs={"产品额度": wan(amount), "成员额度": wan(ceiling)},
                    )
                )
    return findings


def same_person_finding() -> Finding:
    """Proposer and approver are two people."""
    return Finding("SAME_PERSON", Severity.REFUSE, "申报人与审批人不能是同一人（四眼原则），请由另一人审批。", "BR-08")


def legal_basis(*, as_of: dt.date) -> list[str]:
    """The laws and rules that every line prints (CB-05), in the order of their rank."""
    return list(load_book().items_in_force("line.legal_basis", as_of))


# --- drawing ------------------------------------------------------------------------------------------------------


def reservation_days(*, as_of: dt.date) -> int:
    """How long an approved, undrawn drawing keeps its place (A-26)."""
    return load_book().whole("line.reservation_days", as_of)


def judge_drawing(*, request: "DrawingRequest", counted_fen: int, gross_fen: int) -> list[Finding]:
    """What the rules outside the ledger say about a drawing: product, member, group and capital, and every check."""
    customer, day = request.facility.customer, request.value_date
    return [
        *_judge_product(request),
        *_judge_sub_limit(customer, day),
        *_judge_groups(customer, counted_fen, day),
        *drawing_checks.all_findings(drawing_checks.Asked(request, counted_fen, gross_fen)),
    ]


def judge_shape(request: "DrawingRequest") -> list[Finding]:
    """Whether amounts and dates make a drawing at all."""
    findings = []
    if request.amount_fen <= 0:
        findings.append(Finding("AMOUNT_NOT_POSITIVE", Severity.REFUSE, "支用金额须大于 0。", "CB-08"))
    if not 0 <= request.margin_fen <= max(request.amount_fen, 0):
        findings.append(Finding("MARGIN_OUTSIDE_AMOUNT", Severity.REFUSE, "保证金须在 0 与支用金额之间。", "JS-14"))
    if request.value_date < request.facility.start_date:
        findings.append(
            Finding(
                "BEFORE_CONTRACT",
                Severity.REFUSE,
                f"起息日 {request.value_date} 早于合同起始日 {request.facility.start_date}，请改起息日。",
                "UC-07",
                "《集团客户授信业务管理办法》第五条",
            )
        )
    if request.maturity_date is None:
        findings.append(
            Finding("MATURITY_MISSING", Severity.REFUSE, "缺少到期日，不能支用。", "UC-07", inputs={"字段": "到期日"})
        )
    elif request.maturity_date <= request.value_date:
        findings.append(Finding("MATURITY_BEFORE_START", Severity.REFUSE, "到期日须晚于起息日。", "UC-07"))
    return findings


def judge_contract(*, number: str, start_date: dt.date | None, end_date: dt.date | None) -> list[Finding]:
    """Whether a contract has a number and a period that ends after it begins (UC-07)."""
    fields = (
        ("合同编号（number）", number.strip()),
        ("起始日（start_date）", start_date),
        ("到期日（end_date）", end_date),
    )
    findings = [missing_finding(name) for name, value in fields if not value]
    if start_date is not None and end_date is not None and end_date <= start_date:
        text = f"合同到期日 {end_date} 须晚于起始日 {start_date}。"
        findings.append(Finding("PERIOD_REVERSED", Severity.REFUSE, text, "UC-07"))
    return findings


def missing_finding(field: str, article: str = "UC-07") -> Finding:
    """A field that must be said and is not."""
    return Finding("FIELD_MISSING", Severity.REFUSE, f"缺少{field}。", article, inputs={"字段": field})


def judge_commitment(request: "DrawingRequest") -> list[Finding]:
    """A drawing on a commitment: of this customer, undrawn, in this currency and not more than what is left."""
    commitment = request.commitment
    if commitment is None:
        return []
    fits = (
        commitment.customer_id == request.facility.customer_id
        and not commitment.is_drawn
        and commitment.closed_date is None
        and commitment.currency == request.facility.currency
    )
    if not fits:
        return [Finding("COMMITMENT_NOT_FOUND", Severity.REFUSE, "该客户没有这笔未提取的贷款承诺。", "A-26")]
    if request.amount_fen > commitment.amount_fen:
        return [
            Finding(
                "COMMITMENT_TOO_SMALL",
                Severity.REFUSE,
                f"承诺未提取 {wan(commitment.amount_fen)}，不足 {wan(request.amount_fen)}。",
                "A-26",
            )
        ]
    return []


def _judge_product(request: "DrawingRequest") -> list[Finding]:
    product = find_product(request.facility.product, as_of=request.value_date)
    if product.is_in_scope:
        return []
    in_force = load_book().at("scope.products", request.value_date)
    return [
        Finding(
            "PRODUCT_NOT_IN_SCOPE",
            Severity.REFUSE,
            f"{product.name} 不在本机构的授信产品范围内，须先由总行调整参数。",
            "CB-11",
            in_force.citation,
        )
    ]


def _judge_sub_limit(customer: Customer, day: dt.date) -> list[Finding]:
    """A member of a group without a highest limit of its own cannot draw (BR-12)."""
    required = load_book().in_force("group.sub_limit_required", day)
    group = find_group_of(customer.pk, as_of=day)
    if group is None or required is None or required.value.text != "yes":
        return []
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    if node is not None and node.cap_fen is not None:
        return []
    return [
        Finding(
            "MEMBER_WITHOUT_SUB_LIMIT",
            Severity.REFUSE,
            f"{customer.party.name} 是集团 {group.name} 的成员，但没有核定成员额度，不能支用；请先报批成员额度。",
            required.article,
            required.citation,
        )
    ]


def _judge_groups(customer: Customer, counted_fen: int, day: dt.date) -> list[Finding]:
    """The confirmed group, or until it is decided every proposed maximal group that holds the customer (A-02)."""
    group = find_group_of(customer.pk, as_of=day)
    if group is not None:
        members = set(list_members(group, as_of=day).values_list("customer_id", flat=True))
        use = group_total_fen(members, as_of=day) + counted_fen
        return judge_group_total(amount_fen=use, as_of=day, what=f"集团 {group.name} 支用后用信")
    findings: list[Finding] = []
    for candidate in open_candidates_with(customer.party_id):
        use = group_total_fen(customers_of(candidate), as_of=day) + counted_fen
        findings.extend(judge_group_total(amount_fen=use, as_of=day, what=f"待认定集团 {candidate.name} 支用后用信"))
    return findings


_CITATIONS = {
    "BR-12": "《银行集团客户授信业务风险管理办法》第七条",
    "JS-11": "《集团客户统一授信管理办法》第二条",
    "UC-07": "《集团客户授信业务管理办法》第五条",
    "CB-08": "《额度授信管理办法（试行）》第二条",
}


_OF_THE_PERIOD = ("LIMIT_NOT_YET_VALID", "LIMIT_PERIOD_OVER")
"""Refusals that rest on the period of a line (UC-07), whichever limit of the path it is."""


def findings_of_refusals(answer: Answer) -> list[Finding]:
    """The ledger's refusals in words, the binding limit first."""
    binding = answer.binding.node_id if answer.binding else None
    ordered = sorted(answer.refusals, key=lambda refusal: refusal.node.node_id != binding)
    return [_refusal_finding(refusal, is_binding=refusal.node.node_id == binding) for refusal in ordered]


def _refusal_finding(refusal: Refusal, *, is_binding: bool) -> Finding:
    node = refusal.node
    who = f"{node.kind} {node.name}（{node.kind_label}额度）"
    texts = LIMIT_REFUSALS.get(refusal.code, (refusal.code, refusal.code))
    inputs = {"申请": wan(refusal.asked_fen)}
    if node.cap_fen is not None:
        inputs |= {
            "额度": wan(node.cap_fen),
            "已用": wan(node.used_fen),
            "可用": wan(max(0, node.available_fen or 0)),
        }
    if is_binding:
        inputs["约束"] = "最紧的一级"
    if refusal.code == "LIMIT_EXCEEDED":
        message = (
            f"{who}：申请 {wan(refusal.asked_fen)}，可用 {wan(max(0, node.available_fen or 0))}，"
            f"不足 {wan(refusal.asked_fen - max(0, node.available_fen or 0))}。"
        )
        remedy = f"申请不超过 {wan(max(0, node.available_fen or 0))}，或先调整{node.kind_label}额度。"
    else:
        # The reason kept with a limit is of its last freeze or lifting, never of an excess.
        is_excess = refusal.code == "LIMIT_IN_EXCESS"
        reason = f"（{refusal.reason}）" if refusal.reason and not is_excess else ""
        until = f"，期限至 {refusal.valid_to}（不含）" if refusal.code == "LIMIT_PERIOD_OVER" else ""
        if refusal.code == "LIMIT_NOT_YET_VALID":
            until = f"，自 {refusal.valid_from} 起"
        message = f"{who}：{texts[0]}{until}{reason}。"
        remedy = "请联系总行授信管理部门。"
        if is_excess and node.cap_fen is not None:
            over = wan(max(0, node.used_fen - node.cap_fen))
            inputs["超出"] = over
            remedy = f"先压降 {over}，回到额度以内后再申请；还款不受限。"
    article = "UC-07" if refusal.code in _OF_THE_PERIOD else node.article
    return Finding(
        refusal.code,
        Severity.REFUSE,
        message,
        article,
        _CITATIONS.get(article, ""),
        message_en=f"{node.kind} {node.name}: {texts[1]}",
        remedy=remedy,
        inputs=inputs,
    )


def drawing_summary(drawing: Drawing) -> str:
    """One line for the trail."""
    product = find_product(drawing.facility.product, as_of=drawing.value_date)
    margin = f"，保证金 {wan(drawing.margin_fen)}" if drawing.margin_fen else ""
    return (
        f"{drawing.get_state_display()}：{drawing.facility.number} {product.name} {wan(drawing.amount_fen)}{margin}，"
        f"占用额度 {wan(drawing.counted_fen)}"
    )
