"""What surrounds a public line: the line that it is a part of, the group, the bank's related parties, what was before.

CB+1 the public line is a part of the general line, so it is not promised for longer than that one stands; CB+9 a
certificate that was cancelled before; UC-01 related parties of the bank.
"""

import datetime as dt

from shouxin.domain.findings import Finding, Severity
from shouxin.facilities import rules
from shouxin.facilities.connections import related_customers
from shouxin.facilities.models import PublicLine
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.policy import load_book

_CANCELLED_CITATION = "《额度授信管理办法（试行）》公开额度授信"


def judge_surroundings(*, customer: Customer, valid_to: dt.date, as_of: dt.date) -> list[Finding]:
    """All findings about what a public line to ``valid_to`` (excluded) stands in, on a day."""
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).select_related("parent").first()
    around = [each for each in (node, node.parent if node else None) if each is not None]
    return [
        *_beyond(around, valid_to, as_of), *_exceeded(around), *_related(customer, as_of),
        *_cancelled_before(customer, as_of),
    ]  # fmt: skip


def _beyond(around: list[Node], valid_to: dt.date, as_of: dt.date) -> list[Finding]:
    """A part ends no later than its whole: refused, whichever line around it ends first (CB+1)."""
    rule = load_book().in_force("public_line.max_pct_general", as_of)
    ending = [(node.valid_to, node) for node in around if node.valid_to is not None]
    if rule is None or not ending:
        return []
    end, node = min(ending, key=lambda pair: pair[0])
    if valid_to <= end:
        return []
    whose = f"集团 {node.name} 的额度" if node.kind == Node.Kind.GROUP else "一般额度"
    return [
        Finding(
            "PUBLIC_BEYOND_GENERAL", Severity.REFUSE,
            f"公开额度到 {valid_to}（不含），晚于{whose}的到期日 {end}；公开额度是其中一部分，不能长于它。",
            rule.article, rule.citation, message_en=f"Ends on {valid_to}, after the line it is a part of ({end}).",
            remedy=f"结束日改到 {end} 或以前，或先续授信。", inputs={"公开额度到期": str(valid_to), whose: str(end)},
        )
    ]  # fmt: skip


def _exceeded(around: list[Node]) -> list[Finding]:
    """What is used already above a line around it leaves nothing to promise; that is said, a person decides."""
    return [
        Finding(
            "LINE_AROUND_EXCEEDED", Severity.WARN,
            f"{'集团' if node.kind == Node.Kind.GROUP else '客户'} {node.name} 已用 {rules.wan(node.used_fen)}，"
            f"超出额度 {rules.wan(node.cap_fen)}，公开额度在压降之前不能支用。", "UC-07",
            message_en=f"Used above the line by {rules.wan(node.used_fen - node.cap_fen)}.",
            inputs={"额度": rules.wan(node.cap_fen), "已用": rules.wan(node.used_fen)},
        )
        for node in around
        if node.cap_fen is not None and node.used_fen > node.cap_fen
    ]  # fmt: skip


def _related(customer: Customer, as_of: dt.date) -> list[Finding]:
    rule = load_book().in_force("related.group_pct", as_of)
    related = related_customers(as_of).get(customer.pk)
    if rule is None or related is None:
        return []
    text = f"{customer.party.name} 是本行关联方：{related}，公开承诺前须核对关联交易的审批。"
    return [Finding("RELATED_PARTY", Severity.WARN, text, "UC-01", rule.citation)]


def _cancelled_before(customer: Customer, as_of: dt.date) -> list[Finding]:
    last = (
        PublicLine.objects.filter(customer=customer, status=PublicLine.Status.CANCELLED, cancelled_date__lte=as_of)
        .order_by("-cancelled_date", "-id")
        .first()
    )
    if last is None:
        return []
    return [
        Finding(
            "PUBLIC_LINE_CANCELLED_BEFORE", Severity.WARN,
            f"该客户的公开额度授信证书 {last.certificate_number} 已于 {last.cancelled_date} 取消"
            f"（{last.cancel_reason}），重新公开授信须审慎。", "CB+9", _CANCELLED_CITATION,
            message_en=f"Certificate {last.certificate_number} was cancelled on {last.cancelled_date}.",
        )
    ]  # fmt: skip
