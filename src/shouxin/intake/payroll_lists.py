"""Two lists of an employer: its staff who want to join a payroll group, and a month's wages. No database here."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from shouxin.domain.identifiers import IdentifierError, check_identity_number
from shouxin.domain.money import Money, MoneyError
from shouxin.intake.evidence_files import EvidenceError, RowError
from shouxin.intake.list_files import CellError, open_list, read_day, refuse_scientific

ROWS_MAX = 20_000
LENGTHS_MAX = {"name": 80, "employment": 40, "post": 80, "income_proof": 120, "account": 40}
WAGE_FEN_MAX = 10**11
"""More than any employer of a county has; a longer file is a mistake."""

STAFF_TITLES: Mapping[str, Sequence[str]] = {
    "name": ("姓名", "name"), "identity_number": ("身份证号", "身份证号码", "identity_number"),
    "employment": ("身份", "人员类别", "employment"), "post": ("岗位", "职务", "post"),
    "income": ("月固定收入（元）", "月收入（元）", "月固定收入", "月收入", "monthly_income"),
    "income_proof": ("收入证明", "income_proof"), "account": ("账号", "本人账户", "account"),
    "applied": ("申请日期", "本人申请日期", "applied_date"),
}  # fmt: skip
WAGE_TITLES: Mapping[str, Sequence[str]] = {
    "name": ("姓名", "name"), "identity_number": ("身份证号", "身份证号码", "identity_number"),
    "account": ("账号", "收款账号", "account"),
    "amount": ("实发工资（元）", "工资（元）", "实发工资", "工资", "amount"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StaffRow:
    """One of the employer's staff as the employer lists them."""

    line: int
    name: str
    identity_number: str
    employment: str
    post: str
    income_fen: int
    income_proof: str
    account: str
    applied: dt.date | None


@dataclass(frozen=True, slots=True)
class WageRow:
    """One wage; whose it is is found by account, identity number or name."""

    line: int
    name: str
    identity_number: str
    account: str
    amount_fen: int


def read_staff(path: Path, *, name: str = "") -> list[StaffRow]:
    """The employer's list. Raises EvidenceError naming every wrong cell; nothing is used then."""

    def row(line: int, cell: Callable[[str], str]) -> StaffRow:
        return StaffRow(
            line=line, name=_needed(cell, "name", "姓名"), identity_number=_identity(cell, is_needed=True),
            employment=_needed(cell, "employment", "身份"), post=_bounded(cell("post"), "岗位", LENGTHS_MAX["post"]),
            income_fen=_yuan(cell, "income", "月固定收入（元）") if cell("income") else 0,
            income_proof=_bounded(cell("income_proof"), "收入证明", LENGTHS_MAX["income_proof"]),
            account=_account(cell), applied=_day(cell, "applied", "申请日期"),
        )  # fmt: skip

    return _read(path, name, STAFF_TITLES, ("name", "identity_number", "employment"), row)


def read_wages(path: Path, *, name: str = "") -> list[WageRow]:
    """A month's payroll. Raises EvidenceError naming every wrong cell; nothing is used then."""

    def row(line: int, cell: Callable[[str], str]) -> WageRow:
        return WageRow(
            line=line, name=_needed(cell, "name", "姓名"), identity_number=_identity(cell, is_needed=False),
            account=_account(cell), amount_fen=_wage(cell),
        )  # fmt: skip

    return _read(path, name, WAGE_TITLES, ("name", "amount"), row)


_Row = TypeVar("_Row")


class _WrongCellError(ValueError):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


def _read(
    path: Path, name: str, titles: Mapping[str, Sequence[str]], needed: Sequence[str],
    make: Callable[[int, Callable[[str], str]], _Row],
) -> list[_Row]:  # fmt: skip
    sheet = open_list(path, name=name)
    places = {
        field: place for field, known in titles.items() for place, title in enumerate(sheet.titles) if title in known
    }
    missing = [titles[field][0] for field in needed if field not in places]
    if missing:
        raise EvidenceError(
            [
                RowError(
                    sheet.name,
                    1,
                    "",
                    f"缺少列：{'、'.join(missing)}；现有：{'、'.join(sheet.titles)}",
                    "COLUMN_MISSING",
                )
            ]
        )
    found: list[_Row] = []
    errors: list[RowError] = []
    for line, cells in sheet.rows():
        if len(found) + len(errors) >= ROWS_MAX:
            raise EvidenceError([RowError(sheet.name, line, "", f"超过 {ROWS_MAX:,} 行，请分开", "TOO_MANY_ROWS")])

        def cell(field: str, cells: Sequence[str] = cells) -> str:
            place = places.get(field)
            return cells[place].strip() if place is not None and place < len(cells) else ""

        try:
            found.append(make(line, cell))
        except _WrongCellError as error:
            errors.append(RowError(sheet.name, line, error.column, str(error), "VALUE_INVALID"))
    if errors:
        raise EvidenceError(errors)
    if not found:
        raise EvidenceError([RowError(sheet.name, 1, "", "没有任何数据行", "FILE_EMPTY")])
    return found


def _needed(cell: Callable[[str], str], field: str, title: str) -> str:
    text = _bounded(cell(field), title, LENGTHS_MAX.get(field, 40))
    if not text:
        raise _WrongCellError(title, f"{title}为空")
    return text


def _bounded(text: str, title: str, most: int) -> str:
    if len(text) > most:
        raise _WrongCellError(title, f"“{text[:20]}…”有 {len(text)} 个字，最多 {most} 个")
    return text


def _identity(cell: Callable[[str], str], *, is_needed: bool) -> str:
    text = cell("identity_number")
    if not text and not is_needed:
        return ""
    try:
        return check_identity_number(refuse_scientific(text))
    except (IdentifierError, CellError) as error:
        raise _WrongCellError("身份证号", str(error)) from error


def _account(cell: Callable[[str], str]) -> str:
    try:
        return _bounded(refuse_scientific(cell("account")), "账号", LENGTHS_MAX["account"])
    except CellError as error:
        raise _WrongCellError("账号", str(error)) from error


def _yuan(cell: Callable[[str], str], field: str, title: str) -> int:
    text = _needed(cell, field, title)
    try:
        fen = Money.from_yuan(text).fen
    except MoneyError as error:
        raise _WrongCellError(title, str(error)) from error
    if fen < 0:
        raise _WrongCellError(title, f"“{text}”不能为负")
    return fen


def _wage(cell: Callable[[str], str]) -> int:
    fen = _yuan(cell, "amount", "工资（元）")
    if fen > WAGE_FEN_MAX:
        raise _WrongCellError("工资（元）", "金额过大，不是一个月的工资，请核对")
    return fen


def _day(cell: Callable[[str], str], field: str, title: str) -> dt.date | None:
    try:
        return read_day(cell(field))
    except CellError as error:
        raise _WrongCellError(title, str(error)) from error
