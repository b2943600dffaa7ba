"""What happens to lines after they were decided: stopped and reinstated, run off, closed, coming to their end."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from shouxin.approvals.models import Case
from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import DataScope, roles_of
from shouxin.domain.dates import add_months
from shouxin.facilities import public_lines
from shouxin.facilities.models import CustomerLine, GroupLine, LineFreeze, PublicLine
from shouxin.groups.models import CustomerGroup
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.policy import load_book

_Role = RoleAssignment.Role
REASON_LENGTH_MAX = 200  # of the column that keeps it
_MAY_STOP = frozenset({_Role.RISK_OFFICER, _Role.APPROVER})


class LineError(Exception):
    """The act is not possible; the text says what to do. Nothing was written."""


def _node(customer: Customer | None, group: CustomerGroup | None) -> Node:
    found = (
        Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
        if customer is not None
        else Node.objects.filter(group=group, kind=Node.Kind.GROUP).first()
    )
    if found is None:
        raise LineError("还没有核定额度，不能冻结。")
    return found


def _require_stopper(actor: Staff, as_of: dt.date) -> None:
    if not may_stop(actor, as_of=as_of):
        raise LineError("额度的冻结与解冻由总行风险审查或授信审批岗办理。")


def _require_reason(reason: str, name: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX:
        raise LineError(f"请填写{name}，最多 {REASON_LENGTH_MAX} 个字。")


@transaction.atomic
def freeze(
    *, actor: Staff, reason: str, business_date: dt.date, customer: Customer | None = None,
    group: CustomerGroup | None = None,
) -> LineFreeze:  # fmt: skip
    """Stop a customer's or a group's line at once; another person confirms it. Repayments go on (I6, I8).

    A stop protects the bank and cannot wait for a second person; that it was right is for a second person to say.
    """
    _require_stopper(actor, business_date)
    _require_reason(reason, "冻结原因")
    node = _node(customer, group)
    if LineFreeze.objects.filter(customer=customer, group=group, lifted_date__isnull=True).exists():
        raise LineError("该额度已经冻结。")
    record = LineFreeze.objects.create(
        customer=customer, group=group, reason=reason, frozen_date=business_date, frozen_by=actor
    )
    limits.set_status(
        node=node, status=Node.Status.FROZEN, reason=reason, business_date=business_date, actor_id=actor.pk
    )
    _trace(record, actor, "frozen", f"冻结 {node.name}：{reason}", business_date)
    return record


@transaction.atomic
def confirm_freeze(*, actor: Staff, record: LineFreeze, business_date: dt.date) -> LineFreeze:
    """Another person confirms a stop. Raises LineError for the one who made it, or when there is nothing to confirm."""
    _require_stopper(actor, business_date)
    record = LineFreeze.objects.select_for_update(of=("self",)).get(pk=record.pk)
    if record.lifted_date is not None:
        raise LineError("该冻结已解除，无需复核。")
    if record.confirmed_date is not None:
        raise LineError("该冻结已复核。")
    if record.frozen_by_id == actor.pk:
        raise LineError("冻结人不能自行复核，请由另一人办理（四眼原则）。")
    record.confirmed_date, record.confirmed_by = business_date, actor
    record.save(update_fields=["confirmed_date", "confirmed_by"])
    _trace(record, actor, "freeze_confirmed", f"确认冻结 {_node(record.customer, record.group).name}", business_date)
    return record


def freezes_to_confirm(actor: Staff, *, as_of: dt.date) -> list[LineFreeze]:
    """Stops that wait for this person's confirmation, the oldest first; none for whoever may not stop a line."""
    if not may_stop(actor, as_of=as_of):
        return []
    waiting = LineFreeze.objects.filter(confirmed_date__isnull=True, lifted_date__isnull=True).exclude(frozen_by=actor)
    return list(waiting.select_related("customer__party", "group", "frozen_by").order_by("frozen_date", "pk"))


def may_stop(actor: Staff, *, as_of: dt.date) -> bool:
    """Whether somebody may stop lines, confirm and lift stops: risk officers and approvers of head office."""
    return actor.unit.is_head_office and bool(roles_of(actor, as_of=as_of) & _MAY_STOP)


@transaction.atomic
def unfreeze(*, actor: Staff, record: LineFreeze, reason: str, business_date: dt.date) -> LineFreeze:
    """Another person lifts a stop (I15)."""
    _require_stopper(actor, business_date)
    record = LineFreeze.objects.select_for_update(of=("self",)).get(pk=record.pk)
    if record.lifted_date is not None:
        raise LineError("该冻结已解除。")
    if record.frozen_by_id == actor.pk:
        raise LineError("冻结人不能自行解冻，请由另一人办理（四眼原则）。")
    _require_reason(reason, "解冻原因")
    record.lifted_date, record.lifted_by, record.lift_reason = business_date, actor, reason
    record.save(update_fields=["lifted_date", "lifted_by", "lift_reason"])
    node = _node(record.customer, record.group)
    limits.set_status(
        node=node, status=Node.Status.ACTIVE, reason=reason, business_date=business_date, actor_id=actor.pk
    )
    _trace(record, actor, "unfrozen", f"解冻 {node.name}：{reason}", business_date)
    return record


def _trace(record: LineFreeze, actor: Staff, what: str, summary: str, business_date: dt.date) -> None:
    subject = ("customer", record.customer_id) if record.customer_id else ("group", record.group_id)
    audit.record(
        actor=actor, action=f"facilities.line.{what}", subject=subject, summary=summary, business_date=business_date
    )


# --- leaving a customer ---------------------------------------------------------------------------------------------


@transaction.atomic
def start_run_off(*, customer: Customer, case: Case, actor: Staff, business_date: dt.date) -> int:
    """Cut the line to what is used and let nothing new be drawn; gives what is left to come back, 分."""
    node = Node.objects.select_for_update().get(customer=customer, kind=Node.Kind.CUSTOMER)
    used = int(node.used_fen)
    limits.set_cap(
        node=node, amount_fen=used, valid_from=business_date,
        valid_to=dt.date.fromisoformat(case.payload["until_date"]), approval=f"退出批复 {case.number}",
        basis={"article": "CB+8", "case": case.number}, business_date=business_date, actor_id=actor.pk,
    )  # fmt: skip
    limits.set_status(
        node=node, status=Node.Status.SUSPENDED, reason=f"压降退出（{case.number}）", business_date=business_date,
        actor_id=actor.pk,
    )  # fmt: skip
    CustomerLine.objects.filter(customer=customer, status=CustomerLine.Status.ACTIVE).update(
        status=CustomerLine.Status.RUN_OFF, amount_fen=used
    )
    PublicLine.objects.filter(customer=customer, status__in=["active", "curing"]).update(
        status=PublicLine.Status.REPLACED
    )
    return used


def exit_is_decided(customer: Customer) -> bool:
    """Whether an exit of this customer was approved and put in force."""
    return Case.objects.filter(
        kind=Case.Kind.LINE_CHANGE, subject_kind="customer", subject_id=str(customer.pk), state=Case.State.DONE
    ).exists()


@transaction.atomic
def finish_exit(*, actor: Staff, customer: Customer, business_date: dt.date) -> None:
    """Close a line that has run off. Raises LineError while anything is still out or no exit was decided."""
    if not roles_of(actor, as_of=business_date) & {_Role.OPERATIONS, _Role.APPROVER}:
        raise LineError("关闭额度由授信操作或授信审批岗办理。")
    node = Node.objects.select_for_update().filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    if node is None or not exit_is_decided(customer):
        raise LineError("没有已生效的退出批复，请先报批退出方案。")
    if node.used_fen:
        raise LineError(f"尚有 {node.used_fen / 1_000_000:,.2f} 万元未收回，收回后才能关闭额度。")
    limits.set_cap(
        node=node, amount_fen=0, valid_from=business_date, valid_to=None, approval="退出完成",
        basis={"article": "CB+8"}, business_date=business_date, actor_id=actor.pk,
    )  # fmt: skip
    limits.set_status(
        node=node, status=Node.Status.CLOSED, reason="退出完成", business_date=business_date, actor_id=actor.pk
    )
    CustomerLine.objects.filter(customer=customer, status=CustomerLine.Status.RUN_OFF).update(
        status=CustomerLine.Status.CLOSED, amount_fen=0
    )
    audit.record(
        actor=actor, action="facilities.line.closed", subject=("customer", customer.pk),
        summary=f"{customer.party.name} 退出完成，额度关闭", business_date=business_date,
    )  # fmt: skip


def amount_in_force(customer: Customer, *, is_public: bool) -> int | None:
    """A customer's general or public line in force, 分; None without one."""
    lines = PublicLine.objects.filter(status__in=public_lines.OPEN) if is_public else CustomerLine.objects.filter(
        status=CustomerLine.Status.ACTIVE
    )  # fmt: skip
    return lines.filter(customer=customer).order_by("-pk").values_list("amount_fen", flat=True).first()


# --- lines and their ends -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line in force for lists: 分, the end excluded, whether its renewal may begin."""

    kind: str
    kind_name: str
    name: str
    subject_id: int
    number: str
    amount_fen: int
    used_fen: int
    valid_from: dt.date
    valid_to: dt.date
    status: str
    flag: str
    is_renewable: bool
    is_expired: bool
    lead_name: str = ""


def renewal_begins(valid_to: dt.date, *, as_of: dt.date) -> dt.date:
    """The day from which a line's renewal is due: three months before its end (CB+10, ABC practice)."""
    return add_months(valid_to, -load_book().whole("line.renew_lead_months", as_of))


def renewable_until(as_of: dt.date) -> dt.date:
    """The last end of a line whose renewal may be due on a day; ``renewal_begins`` decides for each."""
    return add_months(as_of, load_book().whole("line.renew_lead_months", as_of)) + dt.timedelta(days=3)


def list_lines(*, scope: DataScope, as_of: dt.date, ending_by: dt.date | None = None) -> list[LineRow]:
    """Every line in force that somebody may see, by its end; group lines where a member is in view.

    ``ending_by``: only those that end on or before this day.
    """
    customers = visible_customers(scope)
    ending = Q(valid_to__lte=ending_by) if ending_by else Q()
    rows: list[LineRow] = []
    groups = (
        GroupLine.objects.filter(valid_from__lte=as_of, group__memberships__customer__in=customers)
        .select_related("group__lead_unit", "group__limit_node")
        .order_by("group_id", "-valid_from", "-id")
        .distinct("group_id", "valid_from", "id")
    )
    seen: set[int] = set()
    for line in groups:
        if line.group_id in seen:
            continue
        seen.add(line.group_id)
        if ending_by and line.valid_to > ending_by:
            continue
        node = getattr(line.group, "limit_node", None)
        rows.append(
            _row("group", "集团统一授信", line.group.name, line.group_id, line.group.number, line.amount_fen, node,
                 line.valid_from, line.valid_to, as_of, lead=line.group.lead_unit.name if line.group.lead_unit else "")
        )  # fmt: skip
    single = list(
        CustomerLine.objects.filter(ending, customer__in=customers, status__in=["active", "run_off"]).select_related(
            "customer__party", "customer__unit"
        )
    )
    ids = [line.customer_id for line in single]
    nodes = {n.customer_id: n for n in Node.objects.filter(customer__in=ids, kind=Node.Kind.CUSTOMER)}
    rows.extend(
        _row(
            "customer", "一般额度授信", line.customer.party.name, line.customer_id, line.customer.number,
            line.amount_fen, nodes.get(line.customer_id), line.valid_from, line.valid_to, as_of,
            lead=line.customer.unit.name, flag=line.flag,
        )
        for line in single
    )  # fmt: skip
    public = list(
        PublicLine.objects.filter(ending, customer__in=customers, status__in=["active", "curing"]).select_related(
            "customer__party", "customer__unit"
        )
    )
    used = public_lines.used_by_customer([certificate.customer_id for certificate in public])
    for certificate in public:
        flag = f"限期整改至 {certificate.cure_by_date}" if certificate.cure_by_date else ""
        rows.append(
            _row("public", "公开额度授信", certificate.customer.party.name, certificate.customer_id,
                 certificate.customer.number, certificate.amount_fen, None, certificate.valid_from,
                 certificate.valid_to, as_of, lead=certificate.customer.unit.name, flag=flag,
                 used_fen=used[certificate.customer_id])
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row.valid_to, row.name))


def _row(
    kind: str, kind_name: str, name: str, subject_id: int, number: str, amount_fen: int, node: Node | None,
    valid_from: dt.date, valid_to: dt.date, as_of: dt.date, *, lead: str, flag: str = "", used_fen: int = 0,
) -> LineRow:  # fmt: skip
    status = "已到期" if valid_to <= as_of else node.get_status_display() if node else "有效"
    excess = "超限" if node is not None and node.excess_cause else ""
    return LineRow(
        kind=kind, kind_name=kind_name, name=name, subject_id=subject_id, number=number, amount_fen=amount_fen,
        used_fen=node.used_fen if node else used_fen, valid_from=valid_from, valid_to=valid_to, status=excess or status,
        flag=flag, is_renewable=renewal_begins(valid_to, as_of=as_of) <= as_of, is_expired=valid_to <= as_of,
        lead_name=lead,
    )  # fmt: skip
