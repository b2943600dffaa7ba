"""The sweeper and the end of day: each part may be started again at any time and does only what is left.

``end_of_day`` runs all of it for a business day under one run key; every part commits in steps.
"""

import csv
import datetime as dt
import hashlib
import io
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from shouxin.audit import chain
from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.money import Money, MoneyError
from shouxin.jobs.services import run_once
from shouxin.limits import lines, measures
from shouxin.limits import services as limits
from shouxin.limits.ledger import refusal_text
from shouxin.limits.models import (
    CapShift,
    Earmark,
    Hold,
    Mitigant,
    Node,
    ReconciliationItem,
    ReconciliationRun,
)
from shouxin.limits.verify import JOURNAL

_STEP = 100


def expire_due(*, business_date: dt.date) -> int:
    """End every reservation whose time is over; those at work elsewhere are left for the next time."""
    ended = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT limit_expire_due(%s, %s)", [business_date, _STEP])
            step = int(cursor.fetchone()[0])
        ended += step
        if step < _STEP:
            return ended


def expire_lines(*, business_date: dt.date) -> int:
    """Facilities whose period is over become EXPIRED; what stands on them stays."""
    over = Node.objects.filter(kind=Node.Kind.FACILITY, standing=Node.Status.ACTIVE, valid_to__lte=business_date)
    ended = 0
    for node in over.order_by("pk").iterator():
        limits.set_status(node=node, status="EXPIRED", reason="到期", business_date=business_date, actor_id=None)
        ended += 1
    return ended


def return_due(*, business_date: dt.date) -> int:
    """Temporary caps and transfers whose return date has come go back; 串用 when the borrower no longer needs it."""
    back = CapShift.objects.filter(returned_at__isnull=True)
    free = Q(kind=CapShift.Kind.FUNGIBLE, node__cap_fen__gte=F("node__used_fen") + F("amount_fen"))
    returned = 0
    for shift in back.filter(Q(return_date__lte=business_date) | free).order_by("pk"):
        with transaction.atomic():
            lines.return_shift(shift=shift, business_date=business_date, actor_id=None)
        returned += 1
    for earmark in Earmark.objects.filter(released_at__isnull=True, until_date__lte=business_date).order_by("pk"):
        lines.release_earmark(earmark_id=earmark.pk, business_date=business_date, reason="到期", actor_id=None)
        returned += 1
    return returned


def expire_cover(*, business_date: dt.date) -> int:
    """Mitigants whose validity is over count nothing any more; what they covered may be in excess then."""
    over = Mitigant.objects.filter(valid_to__lte=business_date, eligible_fen__gt=0).order_by("pk")
    for mitigant in list(over):
        measures.set_value(mitigant=mitigant, value_fen=0, business_date=business_date, reason="到期", actor_id=None)
    return len(over)


def revalue_all(*, business_date: dt.date) -> int:
    """Carry every standing foreign-currency hold at the newest rates (A-27)."""
    measures.take_published_rates(business_date=business_date)
    holds = measures.list_holds_to_revalue(business_date=business_date)
    for hold_id in holds:
        measures.revalue(hold_id=hold_id, business_date=business_date)
    return len(holds)


def close_month(*, business_date: dt.date) -> int:
    """Snapshots of the month before the one of a day, of every node that has none yet."""
    month_end = business_date.replace(day=1) - dt.timedelta(days=1)
    closed = 0
    open_nodes = Node.objects.filter(Q(closed_through_date__isnull=True) | Q(closed_through_date__lt=month_end))
    for node_id in list(open_nodes.order_by("pk").values_list("pk", flat=True)):
        with connection.cursor() as cursor:
            cursor.execute("SELECT limit_close_month(%s, %s)", [node_id, month_end])
            closed += int(cursor.fetchone()[0])
    return closed


def total_portfolio(*, business_date: dt.date) -> int:
    """The sums by currency, product, branch, industry, country and guarantor."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT limit_total_portfolio(%s)", [business_date])
        return int(cursor.fetchone()[0])


def end_of_day(*, business_date: dt.date) -> dict[str, object]:
    """All parts for one day, once; after a failure the run goes on where it stopped."""

    def act() -> Mapping[str, object]:
        return {
            "expired": expire_due(business_date=business_date),
            "lines_expired": expire_lines(business_date=business_date),
            "returned": return_due(business_date=business_date),
            "cover_expired": expire_cover(business_date=business_date),
            "revalued": revalue_all(business_date=business_date),
            "months_closed": close_month(business_date=business_date),
            "portfolio_rows": total_portfolio(business_date=business_date),
            "sealed": chain.seal(JOURNAL) + chain.seal(chain.AUDIT),
        }

    return run_once(job="limits.end_of_day", run_key=business_date.isoformat(), act=act)


# --- reconciliation with a product system ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileError:
    """A line that cannot be read."""

    line: int
    column: str
    reason: str


class ReconciliationFileError(ValueError):
    """The file has lines that cannot be read; nothing was compared."""

    def __init__(self, errors: list[FileError]) -> None:
        super().__init__("；".join(f"第 {e.line} 行 {e.column}：{e.reason}" for e in errors))
        self.errors = errors


@transaction.atomic
def reconcile(*, system: str, business_date: dt.date, text: str, actor: Staff | None = None) -> ReconciliationRun:
    """Compare what stands in the ledger with a product system's file (CSV: hold, facility, balance in yuan).

    Booked here and not there: a reversal is proposed. There and not here: an upload. The same file is compared once.
    Who hands the file in proposes its differences, so somebody else decides on them.

    Raises:
        ReconciliationFileError: some line cannot be read; every such line is named.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = ReconciliationRun.objects.filter(system=system, business_date=business_date, digest=digest).first()
    if known is not None:
        return known
    theirs, facilities = _read_file(text)
    run = ReconciliationRun.objects.create(system=system, business_date=business_date, digest=digest)
    ours = {
        str(hold.pk): hold
        for hold in Hold.objects.filter(state=Hold.State.POSTED, balance_fen__gt=0, facility__in=facilities.values())
    }
    items = []
    for reference, hold in ours.items():
        if reference not in theirs:
            items.append(_item(run, "REVERSE", reference, hold, None))
        elif theirs[reference][1] != hold.balance_fen:
            items.append(_item(run, "AMOUNT", reference, hold, theirs[reference][1]))
    for reference, (facility, amount) in theirs.items():
        if reference not in ours and amount:
            item = _item(run, "UPLOAD", reference, None, amount)
            item.facility_id = facilities[facility]
            items.append(item)
    for item in items:
        item.proposed_by = actor
    ReconciliationItem.objects.bulk_create(items)
    run.matched = len(ours.keys() & theirs.keys()) - sum(item.proposal == "AMOUNT" for item in items)
    run.save(update_fields=["matched"])
    audit.record(
        actor=actor, action="limits.reconciliation.compared", subject=("reconciliation", run.pk),
        summary=f"对账 {system}：一致 {run.matched} 笔，差异 {len(items)} 笔", business_date=business_date,
        details={"digest": digest},
    )  # fmt: skip
    return run


def _item(
    run: ReconciliationRun, proposal: str, reference: str, hold: Hold | None, fen: int | None
) -> ReconciliationItem:
    return ReconciliationItem(
        run=run, proposal=proposal, reference=reference, hold=hold, facility=hold.facility if hold else None,
        ledger_fen=hold.balance_fen if hold else None, system_fen=fen,
    )  # fmt: skip


def _read_file(text: str) -> tuple[dict[str, tuple[str, int]], dict[str, int]]:
    rows, errors = {}, []
    reader = csv.DictReader(io.StringIO(text))
    missing = {"hold", "facility", "balance"} - set(reader.fieldnames or ())
    if missing:
        raise ReconciliationFileError([FileError(1, "、".join(sorted(missing)), "缺少列")])
    names = {str(name): pk for pk, name in Node.objects.filter(kind=Node.Kind.FACILITY).values_list("pk", "name")}
    for number, row in enumerate(reader, start=2):
        reference, facility = (row["hold"] or "").strip(), (row["facility"] or "").strip()
        try:
            fen = Money.from_yuan(row["balance"] or "").fen
        except MoneyError as error:
            errors.append(FileError(number, "balance", str(error)))
            continue
        if fen < 0:
            errors.append(FileError(number, "balance", "余额不能为负"))
        elif not reference or reference in rows:
            errors.append(FileError(number, "hold", "为空" if not reference else "重复"))
        elif facility not in names:
            errors.append(FileError(number, "facility", f"没有合同 {facility}"))
        else:
            rows[reference] = (facility, fen)
    if errors:
        raise ReconciliationFileError(errors)
    return rows, {facility: names[facility] for facility, _ in rows.values()}


@transaction.atomic
def decide_difference(
    *, actor: Staff, item: ReconciliationItem, is_agreed: bool, proposer: Staff, business_date: dt.date
) -> None:
    """Carry a proposal out or dismiss it: one person proposes it, another with authority decides.

    Raises:
        LineActNotAllowedError: the same person, or no such role.
        LedgerError: it was decided before, or the ledger refuses.
    """
    item = ReconciliationItem.objects.select_for_update(of=("self",)).get(pk=item.pk)
    if RoleAssignment.Role.APPROVER not in roles_of(actor, as_of=business_date):
        raise lines.LineActNotAllowedError("您没有此项权限：对账差异由授信审批岗处理。")
    if proposer.pk == actor.pk:
        raise lines.LineActNotAllowedError("提出人不能复核自己的差异处理（四眼原则）。")
    if item.state != ReconciliationItem.State.PROPOSED:
        raise limits.LedgerError("DECIDED_ALREADY", "该差异已处理。")
    if is_agreed and item.proposal == ReconciliationItem.Proposal.REVERSE and item.hold_id:
        limits.reverse(
            hold_id=item.hold_id, business_date=business_date, reason=f"对账冲销 {item.run_id}", maker_id=proposer.pk,
            checker_id=actor.pk,
        )  # fmt: skip
    elif is_agreed and item.proposal == ReconciliationItem.Proposal.UPLOAD:
        _upload(item, actor, business_date)
    item.state = ReconciliationItem.State.DONE if is_agreed else ReconciliationItem.State.DISMISSED
    item.proposed_by, item.decided_by, item.decided_at = proposer, actor, timezone.now()
    item.save(update_fields=["state", "proposed_by", "decided_by", "decided_at", "hold"])
    audit.record(
        actor=actor, action="limits.reconciliation.decided", subject=("limit", item.facility_id or 0),
        summary=f"{item.get_proposal_display()} {item.reference}：{item.get_state_display()}",
        business_date=business_date,
        details={"item": item.pk, "proposed_by": proposer.username},
    )  # fmt: skip


def _upload(item: ReconciliationItem, actor: Staff, business_date: dt.date) -> None:
    """Book what the product system has and the ledger has not; judged like any reservation."""
    assert item.facility is not None  # noqa: S101 - an upload always names its facility
    assert item.system_fen is not None  # noqa: S101
    answer = limits.reserve(
        caller="limits.reconciliation", key=str(item.pk), facility=item.facility, amount_fen=item.system_fen,
        business_date=business_date, expires_at=timezone.now() + dt.timedelta(hours=1), actor_id=actor.pk,
    )  # fmt: skip
    if answer.hold_id is None:
        raise limits.LedgerError("UPLOAD_REFUSED", f"补录被额度拒绝：{'；'.join(map(refusal_text, answer.refusals))}。")
    limits.post(
        hold_id=uuid.UUID(str(answer.hold_id)),
        amount_fen=item.system_fen,
        business_date=business_date,
        actor_id=actor.pk,
    )
    item.hold_id = answer.hold_id
