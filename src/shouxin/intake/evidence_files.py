"""Read the evidence tables that users keep: CSV files (UTF-8 or GB18030) in a folder, or the sheets of one workbook.

Each table is read by its columns, in any order, English or Chinese. A row that cannot be read is reported with file,
line, column and reason; all of them are collected, and the run stops unless bad rows are to be skipped. Nothing here
knows the database: the importer and the file commands share this reader.
"""

import csv
import datetime as dt
import gc
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, load_workbook

from shouxin.domain.evidence import (
    Agreement,
    ConcertMember,
    Dependence,
    Entity,
    EntityKind,
    Evidence,
    Guarantee,
    Holding,
    KinLink,
    Post,
)
from shouxin.domain.identifiers import IdentifierError, check_credit_code
from shouxin.domain.money import Money, MoneyError
from shouxin.policy import load_book

MICRO = 1_000_000
ROW_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing that is wrong: where, in words that say what to do, and as a code for machines."""

    file: str
    line: int
    column: str
    reason: str
    code: str = "VALUE_INVALID"

    def __str__(self) -> str:
        place = f"，列“{self.column}”" if self.column else ""
        return f"{self.file} 第 {self.line} 行{place}：{self.reason} [{self.code}]"


class EvidenceError(Exception):
    """Files that cannot be used; ``errors`` has every row that is wrong."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = list(errors)


class _CellError(ValueError):
    """One cell cannot be read; the text says why."""

    def __init__(self, column: str, reason: str, code: str = "VALUE_INVALID") -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class RawTable:
    """The texts of one table with the line each row starts on."""

    file: str
    header: tuple[str, ...]
    rows: list[tuple[int, list[str]]]
    encoding: str
    errors: list[RowError] = field(default_factory=list)


# --- columns and their Chinese names --------------------------------------------------------------------------

_PERIOD = {"valid_from": ("自", "开始日期"), "valid_to": ("至", "结束日期")}
_COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "entities": {
        "id": ("编号", "主体编号"),
        "name": ("名称", "姓名"),
        "kind": ("类型",),
        "uscc": ("统一社会信用代码", "信用代码"),
        "legal_form": ("法律形式",),
        "nature": ("性质", "企业性质"),
        "customer": ("客户", "是否客户"),
        "industry": ("行业",),
        "country": ("国家或地区", "国别", "注册地国家"),
        "total_votes": ("总表决权", "总股本"),
        "sex": ("性别",),
        "died": ("去世日期",),
    },
    "holdings": {
        "holder": ("股东", "持有人"),
        "company": ("公司", "被投资企业"),
        "percent": ("持股比例", "比例"),
        "votes": ("表决权", "持股数"),
        "cash_percent": ("收益权比例",),
        "source": ("来源",),
        **_PERIOD,
    },
    "agreements": {
        "controller": ("控制人",),
        "company": ("公司",),
        "kind": ("方式", "类型"),
        "seats": ("任命席位",),
        "board": ("董事会席位",),
        **_PERIOD,
    },
    "concert": {"set_id": ("一致行动编号",), "member": ("成员",), **_PERIOD},
    "kin": {"a": ("甲",), "b": ("乙",), "relation": ("关系",), "kind": ("性质", "类型"), **_PERIOD},
    "posts": {"person": ("人员", "姓名"), "company": ("公司",), "post": ("职务",), **_PERIOD},
    "dependence": {
        "dependent": ("依存方",),
        "on": ("被依存方",),
        "ratio": ("比例",),
        "kind": ("类别", "类型"),
        "period": ("期间",),
    },
    "guarantees": {"guarantor": ("担保人",), "debtor": ("债务人", "被担保人"), "amount": ("金额",), **_PERIOD},
    "deals": {
        "customer": ("客户", "客户编号", "客户号"),
        "branch": ("机构", "机构号", "支行"),
        "product": ("产品",),
        "amount": ("金额",),
        "currency": ("币种",),
        "margin": ("保证金",),
        "own_cd": ("本行存单",),
        "treasury": ("国债",),
        "drawn": ("已提取",),
        "date": ("发放日", "日期"),
        "maturity": ("到期日",),
        "number": ("业务编号",),
    },
    "capital": {"kind": ("口径",), "date": ("报告日", "日期"), "amount": ("金额",), "source": ("来源",)},
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "entities": ("id", "name", "kind"),
    "holdings": ("holder", "company"),
    "agreements": ("controller", "company", "kind"),
    "concert": ("set_id", "member"),
    "kin": ("a", "b", "relation"),
    "posts": ("person", "company", "post"),
    "dependence": ("dependent", "on", "ratio"),
    "guarantees": ("guarantor", "debtor", "amount"),
    "deals": ("customer", "branch", "product", "amount", "date"),
    "capital": ("kind", "date", "amount"),
}


def columns_of(table: str) -> Mapping[str, tuple[str, ...]]:
    """The columns of a table with their other names."""
    return _COLUMNS[table]


def needed_of(table: str) -> tuple[str, ...]:
    return _NEEDED[table]


EVIDENCE_TABLES = ("entities", "holdings", "agreements", "concert", "kin", "posts", "dependence", "guarantees")
TABLES = tuple(_COLUMNS)
_KINDS = {
    "org": "org",
    "机构": "org",
    "企业": "org",
    "公司": "org",
    "person": "person",
    "个人": "person",
    "自然人": "person",
}
_RELATIONS = {"parent": "parent", "父母": "parent", "spouse": "spouse", "配偶": "spouse"}
_KIN_KINDS = {"": "blood", "blood": "blood", "血亲": "blood", "adoptive": "adoptive", "收养": "adoptive",
              "step": "step", "继": "step"}  # fmt: skip
_AGREEMENTS = {
    "board_majority": "board_majority", "董事会多数": "board_majority", "voting_agreement": "voting_agreement",
    "表决权协议": "voting_agreement", "contract": "contract", "协议控制": "contract",
    "actual_controller": "actual_controller", "实际控制人": "actual_controller",
}  # fmt: skip
_SEXES = {"": "", "M": "M", "男": "M", "F": "F", "女": "F"}
_YES = {"": False, "0": False, "否": False, "no": False, "1": True, "是": True, "yes": True}


# --- cells -------------------------------------------------------------------------------------------------------


class _Row:
    """The cells of one row by column name; a missing optional column reads as empty."""

    __slots__ = ("_cells", "_places")

    def __init__(self, places: Mapping[str, int], cells: list[str]) -> None:
        self._places = places
        self._cells = cells

    def text(self, column: str) -> str:
        place = self._places.get(column)
        return self._cells[place].strip() if place is not None else ""

    def needed(self, column: str) -> str:
        text = self.text(column)
        if not text:
            raise _CellError(column, "不能为空", "VALUE_MISSING")
        return text

    def choice(self, column: str, choices: Mapping[str, Any]) -> Any:
        text = self.text(column)
        if text not in choices:
            raise _CellError(
                column, f"“{text}”不在可用的取值 {'、'.join(key for key in choices if key)} 之中", "CHOICE_UNKNOWN"
            )
        return choices[text]

    def day(self, column: str) -> dt.date | None:
        text = self.text(column)
        if not text:
            return None
        try:
            return dt.date.fromisoformat(text[:10] if text.endswith("00:00:00") else text)
        except ValueError:
            raise _CellError(column, f"日期“{text}”不存在或不是 年-月-日（如 2025-06-30）", "DATE_INVALID") from None

    def period(self) -> dict[str, dt.date | None]:
        start, end = self.day("valid_from"), self.day("valid_to")
        if start is not None and end is not None and end <= start:
            raise _CellError("valid_to", f"结束日 {end} 须晚于开始日 {start}（不含结束日）", "PERIOD_REVERSED")
        return {"valid_from": start, "valid_to": end}

    def micro_percent(self, column: str) -> int:
        text = self.needed(column).removesuffix("%").strip()
        number = self._decimal(column, text)
        if not 0 <= number <= 100:
            raise _CellError(column, f"比例 {text} 须在 0 与 100 之间", "PERCENT_RANGE")
        micro = number * MICRO
        if micro != micro.to_integral_value():
            raise _CellError(column, f"比例 {text} 最多 6 位小数", "PERCENT_DECIMALS")
        return int(micro)

    def whole(self, column: str) -> int:
        text = self.needed(column).replace(",", "")
        number = self._decimal(column, text)
        if number != number.to_integral_value():
            raise _CellError(column, f"“{text}”须为整数", "NUMBER_NOT_WHOLE")
        if number < 0:
            raise _CellError(column, f"“{text}”不能为负数", "NUMBER_NEGATIVE")
        return int(number)

    def _decimal(self, column: str, text: str) -> Decimal:
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise _CellError(column, f"“{text}”不是数字", "NUMBER_INVALID") from None
        if not number.is_finite():
            raise _CellError(column, f"“{text}”不是数字", "NUMBER_INVALID")
        return number


class _PatientRow(_Row):
    """Reads on after a wrong cell, so that a row says everything that is wrong with it; what it gives is not used."""

    __slots__ = ("wrong",)

    def __init__(self, places: Mapping[str, int], cells: list[str]) -> None:
        super().__init__(places, cells)
        self.wrong: dict[str, _CellError] = {}

    def _note(self, error: _CellError) -> None:
        self.wrong.setdefault(error.column, error)

    def needed(self, column: str) -> str:
        try:
            return super().needed(column)
        except _CellError as error:
            self._note(error)
            return "0"

    def choice(self, column: str, choices: Mapping[str, Any]) -> Any:
        try:
            return super().choice(column, choices)
        except _CellError as error:
            self._note(error)
            return next(iter(choices.values()))

    def day(self, column: str) -> dt.date | None:
        try:
            return super().day(column)
        except _CellError as error:
            self._note(error)
            return None

    def period(self) -> dict[str, dt.date | None]:
        try:
            return super().period()
        except _CellError as error:
            self._note(error)
            return {"valid_from": None, "valid_to": None}

    def micro_percent(self, column: str) -> int:
        try:
            return super().micro_percent(column)
        except _CellError as error:
            self._note(error)
            return 0

    def whole(self, column: str) -> int:
        try:
            return super().whole(column)
        except _CellError as error:
            self._note(error)
            return 0


def _all_wrong(reader: Callable[[_Row], Any], places: Mapping[str, int], cells: list[str]) -> list[_CellError]:
    row = _PatientRow(places, cells)
    try:
        reader(row)
    except _CellError as error:
        row.wrong.setdefault(error.column, error)
    return list(row.wrong.values())


# --- one typed row of each table -------------------------------------------------------------------------------


def _entity(row: _Row) -> Entity:
    kind = EntityKind(row.choice("kind", _KINDS))
    code = row.text("uscc")
    if code and kind is EntityKind.ORGANISATION:
        try:
            code = check_credit_code(code)
        except IdentifierError as error:
            raise _CellError("uscc", str(error), "USCC_INVALID") from error
    country = row.text("country").upper() or "CN"
    if not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise _CellError("country", "国家或地区须为两个字母的代码（ISO 3166-1），如 CN、HK、US")
    return Entity(
        id=row.needed("id"),
        name=row.needed("name"),
        kind=kind,
        is_customer=row.choice("customer", _YES),
        uscc=code,
        legal_form=row.text("legal_form"),
        nature=row.text("nature"),
        industry=row.text("industry"),
        country=country,
        total_votes=row.whole("total_votes") if row.text("total_votes") else None,
        sex=row.choice("sex", _SEXES),
        died_date=row.day("died"),
    )


def _holding(row: _Row) -> Holding:
    has_percent, has_votes = bool(row.text("percent")), bool(row.text("votes"))
    if has_percent == has_votes:
        raise _CellError("percent", "percent 与 votes 须填且只填一个", "PERCENT_OR_VOTES")
    return Holding(
        holder=row.needed("holder"),
        company=row.needed("company"),
        votes=row.micro_percent("percent") if has_percent else row.whole("votes"),
        is_percent=has_percent,
        cash_micro_percent=row.micro_percent("cash_percent") if row.text("cash_percent") else None,
        source=row.text("source"),
        **row.period(),
    )


def _agreement(row: _Row) -> Agreement:
    kind = row.choice("kind", _AGREEMENTS)
    if kind == "board_majority" and (row.text("seats") or row.text("board")):
        _require_majority(seats=row.whole("seats"), board=row.whole("board"))
    return Agreement(controller=row.needed("controller"), company=row.needed("company"), kind=kind, **row.period())


def _require_majority(*, seats: int, board: int) -> None:
    """Where the seats are known, they must be a majority: 4 of 7 are, 3 of 7 and 4 of 8 are not (UC-09)."""
    if not 0 < seats <= board:
        raise _CellError("seats", f"任命席位 {seats} 须在 1 与董事会席位 {board} 之间", "SEATS_RANGE")
    line = load_book().at(
        "control.board_majority", dt.date.max
    )  # the value in force last: a file has no day of its own
    if not line.allows(Decimal(seats) * 100 / board):
        raise _CellError(
            "seats", f"任命 {seats}/{board} 席，不超过 {line.decimal:f}%，不构成董事会多数（{line.article}）",
            "SEATS_NO_MAJORITY",
        )  # fmt: skip


def _concert(row: _Row) -> ConcertMember:
    return ConcertMember(set_id=row.needed("set_id"), member=row.needed("member"), **row.period())


def _kin(row: _Row) -> KinLink:
    link = KinLink(
        a=row.needed("a"),
        b=row.needed("b"),
        relation=row.choice("relation", _RELATIONS),
        kind=row.choice("kind", _KIN_KINDS),
        **row.period(),
    )
    if link.a == link.b:
        raise _CellError("b", f"{link.a} 不能是自己的亲属", "KIN_SELF")
    return link


def _post(row: _Row) -> Post:
    return Post(person=row.needed("person"), company=row.needed("company"), post=row.needed("post"), **row.period())


def _dependence(row: _Row) -> Dependence:
    return Dependence(
        dependent=row.needed("dependent"),
        on=row.needed("on"),
        ratio_micro_percent=row.micro_percent("ratio"),
        kind=row.text("kind"),
        valid_from=_start_of(row),
    )


def _start_of(row: _Row) -> dt.date | None:
    """A figure of a year, half-year, quarter, month or day is evidence from its start on; without one it is open."""
    text = row.text("period")
    if not text:
        return None
    match = re.fullmatch(r"(\d{4})年?(?:([QH])([1-4])|-(\d{1,2})(?:-(\d{1,2}))?)?", text.upper())
    try:
        if match is None or (match[2] == "H" and int(match[3]) > 2):
            raise ValueError(text)
        month = 1 + (int(match[3]) - 1) * (3 if match[2] == "Q" else 6) if match[2] else int(match[4] or 1)
        return dt.date(int(match[1]), month, int(match[5] or 1))
    except ValueError:
        raise _CellError("period", f"期间“{text}”须如 2024、2024Q2、2024H1、2024-06", "PERIOD_INVALID") from None


def _guarantee(row: _Row) -> Guarantee:
    try:
        amount = Money.from_yuan(row.needed("amount"))
    except MoneyError as error:
        raise _CellError("amount", str(error)) from error
    if amount.fen <= 0:
        raise _CellError("amount", "担保金额须大于 0（元）")
    return Guarantee(
        guarantor=row.needed("guarantor"), debtor=row.needed("debtor"), amount_fen=amount.fen, **row.period()
    )


@dataclass(frozen=True, slots=True)
class CapitalRow:
    """Net or Tier 1 capital on a reporting day, 分."""

    kind: str
    date: dt.date
    amount_fen: int
    source: str


@dataclass(frozen=True, slots=True)
class DealRow:
    """One piece of credit as another system has it; amounts in 分 of its currency."""

    customer: str
    branch: str
    product: str
    amount_fen: int
    currency: str
    margin_fen: int
    own_cd_fen: int
    treasury_fen: int
    is_drawn: bool
    date: dt.date
    maturity: dt.date | None
    number: str


_CAPITAL_KINDS = {"net": "net", "资本净额": "net", "tier1": "tier1", "一级资本净额": "tier1"}


def _yuan(row: _Row, column: str) -> int:
    """An amount in 元, 0 when the cell is empty."""
    try:
        amount = Money.from_yuan(row.text(column) or 0)
    except MoneyError as error:
        raise _CellError(column, str(error)) from error
    if amount.fen < 0:
        raise _CellError(column, "金额不能为负数（元）")
    return amount.fen


def _deal(row: _Row) -> DealRow:
    amount, date, maturity = _yuan(row, "amount"), row.day("date"), row.day("maturity")
    if amount == 0:
        raise _CellError("amount", "金额须大于 0（元）")
    if date is None:
        raise _CellError("date", "不能为空", "VALUE_MISSING")
    if maturity is not None and maturity <= date:
        raise _CellError("maturity", f"到期日 {maturity} 须晚于发放日 {date}", "PERIOD_REVERSED")
    currency = row.text("currency").upper() or "CNY"
    if len(currency) != 3 or not currency.isalpha():
        raise _CellError("currency", f"币种“{currency}”须为三个字母，如 CNY、USD")
    return DealRow(
        customer=row.needed("customer"),
        branch=row.needed("branch"),
        product=row.needed("product"),
        amount_fen=amount,
        currency=currency,
        margin_fen=_yuan(row, "margin"),
        own_cd_fen=_yuan(row, "own_cd"),
        treasury_fen=_yuan(row, "treasury"),
        is_drawn=row.choice("drawn", {**_YES, "": True}),
        date=date,
        maturity=maturity,
        number=row.text("number"),
    )


def _capital(row: _Row) -> CapitalRow:
    date = row.day("date")
    if date is None:
        raise _CellError("date", "不能为空", "VALUE_MISSING")
    try:
        amount = Money.from_yuan(row.needed("amount"))
    except MoneyError as error:
        raise _CellError("amount", str(error)) from error
    if amount.fen <= 0:
        raise _CellError("amount", "金额须大于 0（元）")
    return CapitalRow(row.choice("kind", _CAPITAL_KINDS), date, amount.fen, row.text("source"))


_READERS: Mapping[str, Callable[[_Row], Any]] = {
    "entities": _entity, "holdings": _holding, "agreements": _agreement, "concert": _concert, "kin": _kin,
    "posts": _post, "dependence": _dependence, "guarantees": _guarantee, "capital": _capital,
    "deals": _deal,
}  # fmt: skip


# --- tables ------------------------------------------------------------------------------------------------------


def decode(content: bytes) -> tuple[str, str]:
    """The text of a file and the name of its encoding: UTF-8 first, then GB18030. Raises UnicodeDecodeError."""
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return content.decode("gb18030"), "GB18030"


def read_csv(file: Path) -> RawTable:
    """The rows of a CSV file. Raises EvidenceError when it is no text or has a NUL."""
    try:
        text, encoding = decode(file.read_bytes())
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise EvidenceError(
            [RowError(file.name, line, "", "既不是 UTF-8 也不是 GB18030 编码的文本", "ENCODING_UNKNOWN")]
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    header: tuple[str, ...] = ()
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise EvidenceError([RowError(file.name, line, "", f"CSV 格式有误：{error}", "CSV_BROKEN")]) from error
        if not header:
            header = tuple(cell.strip() for cell in cells)
        elif cells and not "".join(cells).isspace() and any(cells):
            rows.append((line, cells))
    return RawTable(file.name, header, rows, encoding)


def read_sheets(file: Path) -> dict[str, RawTable]:
    """The sheets of a workbook as texts, by name. Raises EvidenceError when it is no workbook."""
    try:
        workbook = load_workbook(str(file))
        sheets = {
            name: workbook.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in workbook.sheet_names
        }
    except (CalamineError, OSError) as error:
        raise EvidenceError(
            [RowError(file.name, 1, "", f"不是可读的 Excel 文件：{error}", "WORKBOOK_BROKEN")]
        ) from error
    return {name: _sheet(f"{file.name}[{name}]", values) for name, values in sheets.items()}


def _sheet(name: str, values: list[list[Any]]) -> RawTable:
    rows = [[_cell_text(cell) for cell in row] for row in values]
    header = tuple(cell.strip() for cell in rows[0]) if rows else ()
    body = [(line, cells) for line, cells in enumerate(rows[1:], start=2) if any(cell.strip() for cell in cells)]
    return RawTable(name, header, body, "xlsx")


def _cell_text(cell: Any) -> str:
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    return str(cell)


def read_table(table: str, raw: RawTable) -> tuple[list[tuple[int, Any]], list[RowError]]:
    """The typed rows of one table with their lines, and every row that cannot be read."""
    places, errors = _places(table, raw)
    rows: list[tuple[int, Any]] = []
    if errors:
        return rows, errors
    reader, width = _READERS[table], len(raw.header)
    for line, cells in raw.rows:
        if len(cells) != width:
            reason = f"有 {len(cells)} 列，表头有 {width} 列"
            errors.append(RowError(raw.file, line, "", reason, "COLUMN_COUNT"))
            continue
        try:
            rows.append((line, reader(_Row(places, cells))))
        except _CellError:
            for error in _all_wrong(reader, places, cells):
                place = places.get(error.column)
                title = error.column if place is None else raw.header[place]
                errors.append(RowError(raw.file, line, title, error.reason, error.code))
    return rows, errors


def _places(table: str, raw: RawTable) -> tuple[dict[str, int], list[RowError]]:
    known = _COLUMNS[table]
    by_name = {synonym: name for name, synonyms in known.items() for synonym in (name, *synonyms)}
    places: dict[str, int] = {}
    errors = []
    for place, title in enumerate(raw.header):
        name = by_name.get(title) or by_name.get(title.lower())
        if name is None:
            continue  # more columns are welcome
        if name in places:
            errors.append(RowError(raw.file, 1, title, f"与列“{raw.header[places[name]]}”重复", "COLUMN_DUPLICATE"))
        places[name] = place
    missing = [name for name in _NEEDED[table] if name not in places]
    if missing:
        errors.append(
            RowError(
                raw.file,
                1,
                "",
                f"缺少列 {'、'.join(missing)}；现有 {'、'.join(raw.header) or '（空）'}",
                "COLUMN_MISSING",
            )
        )
    return places, errors


# --- a whole folder ----------------------------------------------------------------------------------------------


def read_evidence(source: Path, *, skip_bad_rows: bool = False) -> tuple[Evidence, list[RowError]]:
    """All evidence tables of a folder or a workbook, and the rows that were skipped.

    Raises:
        EvidenceError: any row is wrong and bad rows are not to be skipped, or there are no entities or holdings.
    """
    with _collector_paused():
        raw = _raw_tables(source)
        tables: dict[str, list[tuple[int, Any]]] = {}
        errors: list[RowError] = []
        for table in EVIDENCE_TABLES:
            tables[table], found = read_table(table, raw[table]) if table in raw else ([], [])
            errors += found
        errors += _cross_check(tables, {table: raw[table].file for table in raw})
    if errors and not skip_bad_rows:
        raise EvidenceError(errors)
    bad = {(error.file, error.line) for error in errors}
    kept = {
        table: tuple(row for line, row in rows if (raw[table].file, line) not in bad)
        for table, rows in tables.items()
        if table in raw
    }
    entities = {entity.id: entity for entity in kept.get("entities", ())}
    return (
        Evidence(
            entities=entities,
            holdings=kept.get("holdings", ()),
            agreements=kept.get("agreements", ()),
            concert=kept.get("concert", ()),
            kin=kept.get("kin", ()),
            posts=kept.get("posts", ()),
            dependence=kept.get("dependence", ()),
            guarantees=kept.get("guarantees", ()),
        ),
        errors,
    )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Rows hold no cycles: looking for some while millions are made takes half of the reading time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _raw_tables(source: Path) -> dict[str, RawTable]:
    if source.is_file():
        sheets = read_sheets(source)
        found = {table: sheets[table] for table in EVIDENCE_TABLES if table in sheets}
    else:
        found = {
            table: read_csv(source / f"{table}.csv") for table in EVIDENCE_TABLES if (source / f"{table}.csv").is_file()
        }
    missing = [table for table in ("entities", "holdings") if table not in found]
    if missing:
        raise EvidenceError(
            [
                RowError(
                    str(source.name),
                    1,
                    "",
                    f"没有证据表 {'、'.join(f'{name}.csv' for name in missing)}",
                    "TABLE_MISSING",
                )
            ]
        )
    return found


_REFERENCES: Mapping[str, tuple[str, ...]] = {
    "holdings": ("holder", "company"), "agreements": ("controller", "company"), "concert": ("member",),
    "kin": ("a", "b"), "posts": ("person", "company"), "dependence": ("dependent", "on"),
    "guarantees": ("guarantor", "debtor"),
}  # fmt: skip


def _cross_check(tables: Mapping[str, list[tuple[int, Any]]], files: Mapping[str, str]) -> Iterator[RowError]:
    """Ids that are given twice or not at all, persons where organisations belong, and circles of parents."""
    kinds: dict[str, EntityKind] = {}
    for line, entity in tables["entities"]:
        if entity.id in kinds:
            yield RowError(files["entities"], line, "id", f"编号 {entity.id} 重复", "ID_DUPLICATE")
        kinds[entity.id] = entity.kind
    for table, columns in _REFERENCES.items():
        for line, row in tables[table]:
            for column in columns:
                if getattr(row, column) not in kinds:
                    yield RowError(
                        files[table], line, column, f"编号 {getattr(row, column)} 不在 entities 中", "ID_UNKNOWN"
                    )
    for line, link in tables["kin"]:
        for column in ("a", "b"):
            if kinds.get(getattr(link, column)) is EntityKind.ORGANISATION:
                yield RowError(
                    files["kin"], line, column, f"{getattr(link, column)} 是机构，亲属只能是个人", "KIND_WRONG"
                )
    for line, holding in tables["holdings"]:
        if kinds.get(holding.company) is EntityKind.PERSON:
            yield RowError(files["holdings"], line, "company", f"{holding.company} 是个人，不能被持股", "KIND_WRONG")
    yield from parent_circles(tables["kin"], files.get("kin", ""))


def parent_circles(kin: Iterable[tuple[int, KinLink]], file: str) -> Iterator[RowError]:
    """Nobody is their own ancestor: walk down from everybody once; a link back to the way itself closes a circle."""
    below: dict[str, list[tuple[int, str]]] = {}
    for line, link in kin:
        if link.relation == "parent":
            below.setdefault(link.a, []).append((line, link.b))
    on_the_way, done = 1, 2
    state: dict[str, int] = {}
    for start in below:
        if start in state:
            continue
        state[start] = on_the_way
        way = [(start, iter(below[start]))]
        while way:
            person, children = way[-1]
            line, child = next(children, (0, ""))
            if not line:
                state[person] = done
                way.pop()
            elif state.get(child) == on_the_way:
                yield RowError(file, line, "b", f"亲属成环：{child} 会成为自己的长辈，请核对父母关系", "KIN_CYCLE")
            elif child not in state:
                state[child] = on_the_way
                way.append((child, iter(below.get(child, ()))))
