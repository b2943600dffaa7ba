"""Make two entries one, and take that back: every row that refers to the one is pointed at the other.

Which columns refer to a customer is read from the database's own catalogue, so that a table that is added later is
moved too; ``REVIEWED`` says how each is treated, and a test fails when one is missing there. Persons become one by
identity number or by hand (A-32).
"""

import datetime as dt
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.parties.models import Customer, CustomerMerge, DuplicatePair, FormerName, Ownership
from shouxin.parties.ownership import lock_customers
from shouxin.parties.search_index import index_customers


class MergeError(ValueError):
    """Two entries that cannot become one, or a merge that cannot be taken back; the text says why."""


MOVE, KEEP, STOP = "move", "keep", "stop"
REVIEWED: dict[tuple[str, str], str] = {
    # move: the row follows · keep: the row is about that entry itself · stop: merge only when there is none
    ("parties_contactpoint", "customer_id"): MOVE,
    ("parties_customertag", "customer_id"): MOVE,
    ("parties_classification", "customer_id"): MOVE,
    ("parties_ownership", "customer_id"): MOVE,
    ("parties_customer", "referred_by_id"): MOVE,
    ("parties_customer", "merged_into_id"): MOVE,
    ("engagement_contact", "customer_id"): MOVE,
    ("engagement_specialdate", "customer_id"): MOVE,
    ("engagement_activity", "customer_id"): MOVE,
    ("engagement_appointment", "customer_id"): MOVE,
    ("engagement_channelconsent", "customer_id"): MOVE,
    ("engagement_suspectedlink", "customer_id"): MOVE,
    ("engagement_site", "customer_id"): MOVE,
    ("engagement_purchase", "customer_id"): MOVE,
    ("engagement_endsale", "end_customer_id"): MOVE,
    ("engagement_servicerequest", "customer_id"): MOVE,
    ("engagement_servicecase", "customer_id"): MOVE,
    ("engagement_contribution", "customer_id"): MOVE,
    ("parties_customerprofile", "customer_id"): MOVE,
    ("parties_segmentmark", "customer_id"): MOVE,
    ("parties_segmentmember", "customer_id"): KEEP,
    ("parties_handoveritem", "customer_id"): STOP,
    ("parties_customermerge", "kept_id"): KEEP,
    ("parties_customermerge", "merged_id"): KEEP,
    ("parties_duplicatepair", "first_id"): KEEP,
    ("parties_duplicatepair", "second_id"): KEEP,
    ("limits_node", "customer_id"): STOP,
    ("limits_mitigant", "customer_id"): STOP,
    ("facilities_creditrating", "customer_id"): STOP,
    ("facilities_customerline", "customer_id"): STOP,
    ("facilities_evaluation", "customer_id"): STOP,
    ("facilities_financialstatement", "customer_id"): STOP,
    ("facilities_linefreeze", "customer_id"): STOP,
    ("facilities_managingbranch", "customer_id"): STOP,
    ("facilities_publicline", "customer_id"): STOP,
    ("facilities_relatedtransaction", "customer_id"): STOP,
    ("monitoring_alert", "customer_id"): STOP,
    ("monitoring_review", "customer_id"): STOP,
    ("facilities_facility", "customer_id"): STOP,
    ("facilities_deal", "customer_id"): STOP,
    ("groups_membership", "customer_id"): STOP,
    ("payroll_groups_payrollgroup", "employer_id"): STOP,
    ("payroll_groups_member", "customer_id"): STOP,
}


def foreign_keys_to(table: str) -> list[tuple[str, str]]:
    """Every (table, column) that refers to a table, as the database knows them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
            " WHERE c.contype = 'f' AND c.confrelid = %s::regclass ORDER BY 1, 2",
            [table],
        )
        return [(str(name), str(column)) for name, column in cursor.fetchall()]


@transaction.atomic
def merge_customers(
    *, actor: Staff, kept: Customer, merged: Customer, reason: str, business_date: dt.date
) -> CustomerMerge:
    """Make ``merged`` part of ``kept``. Its rows move, its names stay known, it leaves the list.

    Raises:
        MergeError: the same entry, different credit codes or identity numbers, or credit on the side that would go.
    """
    if not reason.strip():
        raise MergeError("请写明合并理由。")
    rows = {c.pk: c for c in lock_customers([kept.pk, merged.pk])}
    kept, merged = rows[kept.pk], rows[merged.pk]
    _refuse(kept, merged)
    moves = _move_rows(kept, merged, business_date)
    FormerName.objects.get_or_create(party=kept.party, name=merged.party.name)
    before = {"pooled_date": merged.pooled_date.isoformat() if merged.pooled_date else None}
    Customer.objects.filter(pk=merged.pk).update(merged_into=kept, pooled_date=None, updated_at=timezone.now())
    Customer.objects.filter(pk=kept.pk).update(updated_at=timezone.now())
    record = CustomerMerge.objects.create(
        kept=kept, merged=merged, reason=reason, moves=moves, before=before, merged_by=actor
    )
    DuplicatePair.objects.filter(first__in=[kept.pk, merged.pk], second__in=[kept.pk, merged.pk]).update(
        state=DuplicatePair.State.MERGED, decided_by=actor
    )
    index_customers([kept.pk])
    _record(actor, kept, f"合并 {merged.party.name}（{merged.number}）：{reason}", "merged", business_date)
    return record


def _refuse(kept: Customer, merged: Customer) -> None:
    if kept.pk == merged.pk or kept.merged_into_id or merged.merged_into_id:
        raise MergeError("须为两个未合并的不同客户。")
    if kept.party.kind != merged.party.kind:
        raise MergeError("机构与个人不能合并。")
    for field, label in (("uscc", "统一社会信用代码"), ("identity_number", "身份证号")):
        ours, theirs = getattr(kept.party, field), getattr(merged.party, field)
        if ours and theirs and ours != theirs:
            raise MergeError(f"两者的{label}不同，不是同一主体，不能合并。")
    with connection.cursor() as cursor:
        for table, column in foreign_keys_to("parties_customer"):
            if REVIEWED.get((table, column), STOP) == STOP:
                cursor.execute(f'SELECT EXISTS (SELECT FROM {table} WHERE "{column}" = %s)', [merged.pk])  # noqa: S608
                if cursor.fetchone()[0]:
                    raise MergeError(
                        f"{merged.party.name}（{merged.number}）有授信、集团或移交记录，请保留该户，把另一户并入。"
                    )


def _move_rows(kept: Customer, merged: Customer, day: dt.date) -> list[dict[str, Any]]:
    """Point rows at the kept customer; those that would stand twice, or be a second 主办, are left and noted."""
    moves: list[dict[str, Any]] = []
    ended = list(Ownership.objects.filter(customer=merged, valid_to__isnull=True).values_list("pk", flat=True))
    Ownership.objects.filter(pk__in=ended).update(valid_to=day)
    if ended:
        moves.append({"table": "parties_ownership", "column": "", "ended": ended})
    with connection.cursor() as cursor:
        for table, column in foreign_keys_to("parties_customer"):
            if REVIEWED.get((table, column)) != MOVE or table == "parties_ownership":
                continue
            cursor.execute(f'SELECT id FROM {table} WHERE "{column}" = %s ORDER BY id', [merged.pk])  # noqa: S608
            moved = [pk for (pk,) in cursor.fetchall() if _move_one(table, column, pk, kept.pk)]
            if moved:
                moves.append({"table": table, "column": column, "ids": moved})
    return moves


def _move_one(table: str, column: str, pk: int, target: int) -> bool:
    """Move one row; False when the target has the same already, which the table's own constraint says."""
    from django.db import IntegrityError

    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'UPDATE {table} SET "{column}" = %s WHERE id = %s', [target, pk])  # noqa: S608
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except IntegrityError:
        return False
    return True


@transaction.atomic
def undo_merge(*, actor: Staff, merge: CustomerMerge, business_date: dt.date) -> None:
    """Take a merge back: what moved goes home, what was ended goes on. Raises MergeError when it is undone already."""
    merge = CustomerMerge.objects.select_for_update(of=("self",)).select_related("kept", "merged").get(pk=merge.pk)
    if merge.undone_at is not None:
        raise MergeError("该合并已撤销。")
    lock_customers([merge.kept_id, merge.merged_id])
    with connection.cursor() as cursor:
        for move in merge.moves:
            if "ended" in move:
                Ownership.objects.filter(pk__in=move["ended"]).update(valid_to=None)
                continue
            cursor.execute(
                f'UPDATE {move["table"]} SET "{move["column"]}" = %s WHERE id = ANY(%s)',  # noqa: S608
                [merge.merged_id, move["ids"]],
            )
    pooled = merge.before.get("pooled_date")
    Customer.objects.filter(pk=merge.merged_id).update(
        merged_into=None, pooled_date=dt.date.fromisoformat(pooled) if pooled else None, updated_at=timezone.now()
    )
    FormerName.objects.filter(party=merge.kept.party_id, name=merge.merged.party.name).delete()
    both = [merge.kept_id, merge.merged_id]
    DuplicatePair.objects.filter(first__in=both, second__in=both).update(
        state=DuplicatePair.State.OPEN, decided_by=None
    )
    merge.undone_by, merge.undone_at = actor, timezone.now()
    merge.save(update_fields=["undone_by", "undone_at"])
    index_customers([merge.kept_id, merge.merged_id])
    _record(
        actor, merge.kept, f"撤销合并 {merge.merged.party.name}（{merge.merged.number}）", "unmerged", business_date
    )


def _record(actor: Staff, customer: Customer, summary: str, what: str, day: dt.date) -> None:
    audit.record(
        actor=actor,
        action=f"parties.customer.{what}",
        subject=("customer", customer.pk),
        summary=summary,
        business_date=day,
    )
