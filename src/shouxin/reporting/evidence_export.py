"""The evidence behind a group as a workbook of evidence tables: what a checker needs to follow the proofs by hand."""

import datetime as dt
import io
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import xlsxwriter

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.domain.evidence import Dated, Evidence, Holding
from shouxin.groups.engine import read_evidence
from shouxin.groups.models import CustomerGroup
from shouxin.parties.models import Customer

MICRO = 1_000_000


def evidence_xlsx(
    *, group: CustomerGroup, customer_ids: Collection[int], actor: Staff, as_of: dt.date, business_date: dt.date
) -> bytes:
    """Everybody above a group's members with kin, posts and agreements in force on a day; recorded on the trail."""
    parties = set(Customer.objects.filter(pk__in=customer_ids).values_list("party_id", flat=True))
    evidence = read_evidence(parties)
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False}) as book:
        bold = book.add_format({"bold": True})
        for name, (header, rows) in _tables(evidence, as_of).items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, len(header) - 1, 18)
            sheet.write_row(0, 0, header, bold)
            for line, cells in enumerate(rows, start=1):
                for column, cell in enumerate(cells):
                    sheet.write_string(line, column, cell)
    audit.record(
        actor=actor,
        action="reporting.evidence.exported",
        subject=("group", group.pk),
        summary=f"导出 {group.name} 的证据表（截至 {as_of}）",
        business_date=business_date,
    )
    return stream.getvalue()


def _tables(evidence: Evidence, as_of: dt.date) -> Mapping[str, tuple[tuple[str, ...], Iterable[list[str]]]]:
    """Each evidence table with its header and rows, as texts."""

    def kept(rows: Iterable[Any]) -> list[Any]:
        return [row for row in rows if row.is_in_force(as_of)]

    return {
        "entities": (
            ("id", "name", "kind", "uscc", "legal_form", "nature", "customer", "industry", "country",
             "total_votes", "sex", "died"),
            [
                [e.id, e.name, e.kind.value, e.uscc, e.legal_form, e.nature, str(int(e.is_customer)), e.industry,
                 e.country, str(e.total_votes or ""), e.sex, str(e.died_date or "")]
                for e in evidence.entities.values()
            ],
        ),
        "holdings": (
            ("holder", "company", "percent", "votes", "valid_from", "valid_to", "source"),
            [[h.holder, h.company, *_amount(h), *_period(h), h.source] for h in kept(evidence.holdings)],
        ),
        "agreements": (
            ("controller", "company", "kind", "valid_from", "valid_to"),
            [[a.controller, a.company, a.kind, *_period(a)] for a in kept(evidence.agreements)],
        ),
        "concert": (
            ("set_id", "member", "valid_from", "valid_to"),
            [[c.set_id, c.member, *_period(c)] for c in kept(evidence.concert)],
        ),
        "kin": (
            ("a", "b", "relation", "kind", "valid_from", "valid_to"),
            [[k.a, k.b, k.relation, k.kind, *_period(k)] for k in kept(evidence.kin)],
        ),
        "posts": (
            ("person", "company", "post", "valid_from", "valid_to"),
            [[p.person, p.company, p.post, *_period(p)] for p in kept(evidence.posts)],
        ),
    }  # fmt: skip


def _amount(holding: Holding) -> tuple[str, str]:
    """(percent, votes), one of them empty."""
    if holding.is_percent:
        return f"{Decimal(holding.votes) / MICRO:f}", ""
    return "", str(holding.votes)


def _period(row: Dated) -> tuple[str, str]:
    return str(row.valid_from or ""), str(row.valid_to or "")
