"""Lists as files: CSV and Excel, formulas neutralised, telephones masked by role, each export on the trail."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal

import xlsxwriter

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.bank.selectors import find_limit_capital
from shouxin.domain.identifiers import mask_phone
from shouxin.domain.money import in_wan
from shouxin.facilities.line_judging import is_financial
from shouxin.facilities.selectors import find_line, totals_of_customers
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members
from shouxin.reporting.list_rows import ListRow

HEAD = (
    "客户号", "名称", "统一社会信用代码", "阶段", "类别", "所属机构", "客户经理", "集团", "额度（万元）",
    "已用（万元）", "电话", "下一步", "下一步日期", "最近联系",
)  # fmt: skip
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | Decimal
"""What stands in a cell: a text, which is never run as a formula, or a number, which is counted with."""


def neutral(cell: Cell) -> str:
    """A text that a spreadsheet will not run as a formula; a number as it is, negative ones too."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_DANGEROUS) else str(cell)


def customer_csv(rows: Iterable[ListRow], *, actor: Staff, masks_phones: bool, business_date: dt.date) -> bytes:
    """The list as CSV with a byte order mark, so that Excel reads the Chinese."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(HEAD)
    count = 0
    for cells in _cells(rows, masks_phones=masks_phones):
        writer.writerow([neutral(cell) for cell in cells])
        count += 1
    _record(actor, "CSV", count, business_date)
    return stream.getvalue().encode("utf-8-sig")


def customer_xlsx(rows: Iterable[ListRow], *, actor: Staff, masks_phones: bool, business_date: dt.date) -> bytes:
    """The list as an Excel sheet."""
    cells = list(_cells(rows, masks_phones=masks_phones))
    _record(actor, "Excel", len(cells), business_date)
    return table_xlsx("客户名单", HEAD, cells)


def _cells(rows: Iterable[ListRow], *, masks_phones: bool) -> Iterator[list[Cell]]:
    for row in rows:
        phone = row.phone or ""
        yield [
            row.number,
            row.name,
            row.uscc or "",
            row.stage_name,
            row.class_name,
            row.unit_name,
            row.owner_name,
            row.group_name or "",
            "" if row.cap_fen is None else in_wan(row.cap_fen),
            "" if row.used_fen is None else in_wan(row.used_fen),
            mask_phone(phone) if masks_phones and phone else phone,
            row.next_step,
            str(row.next_step_date or ""),
            str(row.last_contact_date or ""),
        ]


def _record(actor: Staff, form: str, count: int, business_date: dt.date) -> None:
    audit.record(
        actor=actor,
        action="reporting.customers.exported",
        subject=("export", "customers"),
        summary=f"导出客户名单 {form}，{count} 行",
        business_date=business_date,
    )


def table_xlsx(title: str, head: Iterable[str], rows: Iterable[Iterable[Cell]]) -> bytes:
    """Any table as an Excel sheet. Texts are written as texts, so nothing in them is run; numbers can be summed."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet(title[:31])
        titles = list(head)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(titles) - 1, 18)
        sheet.write_row(0, 0, titles, book.add_format({"bold": True}))
        amount = book.add_format({"num_format": "#,##0.00####"})
        for place, cells in enumerate(rows, start=1):
            for column, cell in enumerate(cells):
                if isinstance(cell, str):
                    sheet.write_string(place, column, cell)
                else:
                    sheet.write_number(place, column, cell, amount if isinstance(cell, Decimal) else None)
    return stream.getvalue()


def table_csv(head: Iterable[str], rows: Iterable[Iterable[Cell]]) -> bytes:
    """Any table as CSV with a byte order mark; what a spreadsheet would run as a formula is made a text."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(head)
    writer.writerows([neutral(cell) for cell in cells] for cells in rows)
    return stream.getvalue().encode("utf-8-sig")


GROUP_HEAD = (
    "集团编号", "集团名称", "集团状态", "负责人", "牵头行", "统一额度（万元）", "集团用信（万元）",
    "占资本净额（%）",    "成员客户号", "成员名称", "统一社会信用代码", "认定依据", "成员用信（万元）",
    "金融机构",
)  # fmt: skip


def group_statistics(*, actor: Staff, as_of: dt.date, business_date: dt.date) -> bytes:
    """客户风险统计 of group customers: every confirmed group with all its members on a day (JS-02)."""
    capital = find_limit_capital(as_of=as_of)
    rows: list[list[Cell]] = []
    for group in CustomerGroup.objects.select_related("responsible", "lead_unit"):
        members = list(list_members(group, as_of=as_of))
        totals = totals_of_customers([m.customer_id for m in members], as_of=as_of)
        use = sum(total.control_use_fen for total in totals.values())
        line = find_line(group.pk, as_of=as_of)
        share: Cell = round(Decimal(use) * 100 / capital.amount_fen, 2) if capital else ""
        head: list[Cell] = [
            group.number, group.name, group.get_status_display(), group.responsible.name,
            group.lead_unit.name if group.lead_unit else "", in_wan(line.amount_fen) if line else "",
            in_wan(use), share,
        ]  # fmt: skip
        rows += [
            [*head, m.customer.number, m.customer.party.name, m.customer.party.uscc or "", m.basis,
             in_wan(totals[m.customer_id].control_use_fen),
             "是" if is_financial(m.customer.party, as_of=as_of) else "否"]
            for m in members
        ]  # fmt: skip
    audit.record(
        actor=actor,
        action="reporting.groups.exported",
        subject=("export", "groups"),
        summary=f"导出集团客户统计 {len(rows)} 行",
        business_date=business_date,
    )
    return table_xlsx("集团客户", GROUP_HEAD, rows)
