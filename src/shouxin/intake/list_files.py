"""Read a list that somebody keeps in a spreadsheet: row by row, whatever its size, and say what is wrong with it.

``.csv`` in UTF-8 or GB18030 (found and named), ``.xlsx`` and ``.xls``. A file that would fill the memory is refused
before it is read: one endless line, a packed workbook that unfolds to gigabytes. Nothing here knows the database.
"""

import codecs
import csv
import datetime as dt
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from python_calamine import CalamineError, load_workbook

from shouxin.intake.evidence_files import EvidenceError, RowError

LINE_BYTES_MAX = 1_000_000
UNPACKED_BYTES_MAX = 2_000_000_000
UNPACKED_RATIO_MAX = 200
UNPACKED_RATIO_FROM = 50_000_000
COLUMNS_MAX = 200
SAMPLE_ROWS = 3
_BLOCK = 1 << 20
HEADER_ROW_MAX = 20
"""Titles below this row are no list's titles."""
Known = Callable[[tuple[str, ...]], int]
"""How many of a row's cells are titles of the table that comes in."""
WORKBOOKS = (".xlsx", ".xlsm", ".xls")


@dataclass(slots=True)
class ListFile:
    """One sheet: its titles, its encoding by name, and its rows as (line, cells), read as they are asked for."""

    path: Path
    name: str
    titles: tuple[str, ...]
    encoding: str
    sheet: str = ""
    header_row: int = 1
    _sheet_rows: list[list[Any]] | None = field(default=None, repr=False)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not empty, with the line it starts on. Raises EvidenceError where the file breaks off."""
        if self._sheet_rows is not None:
            yield from self._rows_of_sheet(self._sheet_rows)
        else:
            yield from self._rows_of_csv()

    def samples(self) -> list[list[str]]:
        """The first values of each column, for people who map columns."""
        found: list[list[str]] = [[] for _ in self.titles]
        for place, (_line, cells) in enumerate(self.rows()):
            for values, cell in zip(found, cells, strict=False):
                if cell.strip() and len(values) < SAMPLE_ROWS:
                    values.append(cell.strip()[:60])
            if place >= 50 or all(len(values) >= SAMPLE_ROWS for values in found):
                break
        return found

    def _rows_of_csv(self) -> Iterator[tuple[int, list[str]]]:
        codec = "utf-8-sig" if self.encoding == "UTF-8" else "gb18030"
        with self.path.open(encoding=codec, newline="") as stream:
            reader = csv.reader(stream, strict=True)
            try:
                for _ in range(self.header_row):
                    next(reader, None)
                line = reader.line_num + 1
                for cells in reader:
                    if any(cells) and not "".join(cells).isspace():
                        yield line, cells
                    line = reader.line_num + 1
            except csv.Error as error:
                raise EvidenceError(
                    [RowError(self.name, reader.line_num, "", f"CSV 格式有误：{error}", "CSV_BROKEN")]
                ) from error

    def _rows_of_sheet(self, values: list[list[Any]]) -> Iterator[tuple[int, list[str]]]:
        width = len(self.titles)
        for line, row in enumerate(values[self.header_row :], start=self.header_row + 1):
            cells = [_cell_text(cell) for cell in row[:width]]
            if any(cell.strip() for cell in cells):
                yield line, cells


def open_list(
    path: Path, *, name: str = "", sheet: str = "", header_row: int | None = 1, known: Known | None = None
) -> ListFile:
    """Look at a file without reading it whole.

    ``header_row`` is the row of the titles, from 1; None finds it: the row, of the first ones, in which ``known``
    recognises most titles, and the first row when it recognises no more than one anywhere else.

    Raises:
        EvidenceError: it is no list: wrong kind, encoding, titles, or a danger to this machine.
    """
    name = name or path.name
    if path.suffix.lower() in WORKBOOKS or _looks_like_workbook(path):
        return _open_workbook(path, name, sheet, header_row, known)
    encoding = _encoding_of(path, name)
    codec = "utf-8-sig" if encoding == "UTF-8" else "gb18030"
    with path.open(encoding=codec, newline="") as stream:
        try:
            head = list(islice(csv.reader(stream, strict=True), max(HEADER_ROW_MAX, header_row or 1) + 1))
        except csv.Error as error:
            raise _refused(name, f"CSV 格式有误：{error}", "CSV_BROKEN") from error
    row = _header_row(name, head, header_row, known)
    titles, below = head[row - 1 :][:1], head[row:][:1]
    return ListFile(path, name, _titles(name, _first(titles), _first(below), row), encoding, header_row=row)


def _first(rows: list[list[str]]) -> list[str]:
    return rows[0] if rows else []


def _header_row(name: str, head: list[list[str]], asked: int | None, known: Known | None) -> int:
    """The row that is asked for, or the one that looks most like titles."""
    if asked is not None:
        if not 1 <= asked <= HEADER_ROW_MAX or (asked > 1 and asked > len(head)):
            raise _refused(
                name, f"没有第 {asked} 行可作表头，请填 1 至 {min(HEADER_ROW_MAX, len(head))}", "HEADER_ROW_WRONG"
            )
        return asked
    scores = [known(tuple(title.strip() for title in row)) for row in head[:HEADER_ROW_MAX]] if known else []
    best = max(scores, default=0)
    return scores.index(best) + 1 if best >= 2 and best > scores[0] else 1


def _looks_like_workbook(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in {b"PK\x03\x04", b"\xd0\xcf\x11\xe0"}


def _encoding_of(path: Path, name: str) -> str:
    """UTF-8 when every byte is, else GB18030; a file of one endless line is refused on the way."""
    decoders = {"UTF-8": codecs.getincrementaldecoder("utf-8")(), "GB18030": codecs.getincrementaldecoder("gb18030")()}
    since_newline = line = broken = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            if b"\0" in block:
                raise _refused(name, "含有空字节，不是文本文件", "ENCODING_UNKNOWN")
            at = block.find(b"\n")
            if since_newline + (at if at >= 0 else len(block)) > LINE_BYTES_MAX:
                reason = f"第 {line + 1} 行超过 {LINE_BYTES_MAX:,} 字节，不是名单；请检查换行符后重新导出"
                raise _refused(name, reason, "LINE_TOO_LONG", line + 1)
            last = block.rfind(b"\n")
            since_newline = len(block) - last - 1 if last >= 0 else since_newline + len(block)
            before, line = line, line + block.count(b"\n")
            for encoding, decoder in list(decoders.items()):
                try:
                    decoder.decode(block)
                except UnicodeDecodeError as error:
                    broken = before + block.count(b"\n", 0, error.start) + 1
                    del decoders[encoding]
            if not decoders:
                reason = f"既不是 UTF-8 也不是 GB18030 编码的文本：第 {broken} 行有读不出的字节，请重新导出"
                raise _refused(name, reason, "ENCODING_UNKNOWN", broken)
    for encoding, decoder in decoders.items():
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise _refused(name, "文件末尾的字符不完整，可能没有传完，请重新上传", "FILE_CUT_OFF", line)


def _open_workbook(path: Path, name: str, sheet: str, header_row: int | None, known: Known | None) -> ListFile:
    if zipfile.is_zipfile(path):
        _refuse_bomb(path, name)
    elif path.suffix.lower() != ".xls":
        raise _refused(name, "不是可读的 Excel 文件，可能没有传完，请重新上传", "WORKBOOK_BROKEN")
    try:
        book = load_workbook(str(path))
        if sheet and sheet not in book.sheet_names:
            if len(book.sheet_names) > 1:
                raise _refused(name, f"没有名为 {sheet} 的工作表，现有 {'、'.join(book.sheet_names)}", "SHEET_MISSING")
            sheet = ""
        chosen = sheet or book.sheet_names[0]
        values = book.get_sheet_by_name(chosen).to_python(skip_empty_area=False)
    except (CalamineError, OSError, IndexError) as error:
        raise _refused(name, f"不是可读的 Excel 文件：{error}", "WORKBOOK_BROKEN") from error
    first = [[_cell_text(cell) for cell in row] for row in values[: max(HEADER_ROW_MAX, header_row or 1) + 1]]
    row = _header_row(name, first, header_row, known)
    head, below = _first(first[row - 1 :]), _first(first[row:])
    under = values[row : row + 50]
    while head and not head[-1].strip() and not any(_cell_text(cells[len(head) - 1]).strip() for cells in under):
        head.pop()
    encoding = path.suffix.lower().lstrip(".") or "xlsx"
    return ListFile(path, name, _titles(name, head, below, row), encoding, chosen, row, values)


def _refuse_bomb(path: Path, name: str) -> None:
    """What a workbook says of its size is not believed: its parts are unfolded and counted, and thrown away."""
    size = path.stat().st_size
    most = UNPACKED_BYTES_MAX
    if size * UNPACKED_RATIO_MAX < most:
        most = max(UNPACKED_RATIO_FROM, size * UNPACKED_RATIO_MAX)
    try:
        with zipfile.ZipFile(path) as packed, path.open("rb") as stream:
            unpacked = sum(entry.file_size for entry in packed.infolist())
            if unpacked <= most:
                unpacked = 0
                for entry in packed.infolist():
                    unpacked += _unfolded_size(stream, entry, most - unpacked)
                    if unpacked > most:
                        break
    except (zipfile.BadZipFile, zlib.error, OSError, struct.error) as error:
        raise _refused(name, f"不是可读的 Excel 文件，可能没有传完：{error}", "WORKBOOK_BROKEN") from error
    if unpacked > most:
        reason = f"展开后有 {unpacked:,} 字节以上，与文件大小不相称，已拒绝打开；请另存为普通工作簿或 CSV"
        raise _refused(name, reason, "WORKBOOK_TOO_BIG")


def _unfolded_size(stream: BinaryIO, entry: zipfile.ZipInfo, most: int) -> int:
    """How many bytes one part unfolds to; the count stops soon after ``most``."""
    stream.seek(entry.header_offset)
    name_bytes, extra_bytes = struct.unpack("<26x2H", stream.read(30))
    stream.seek(name_bytes + extra_bytes, io.SEEK_CUR)
    if entry.compress_type != zipfile.ZIP_DEFLATED:
        return entry.compress_size
    unfold, left, total = zlib.decompressobj(-zlib.MAX_WBITS), entry.compress_size, 0
    while left > 0 and not unfold.eof and total <= most:
        block = stream.read(min(left, _BLOCK))
        if not block:
            raise zipfile.BadZipFile("file ends too soon")
        left -= len(block)
        while block and total <= most:
            total += len(unfold.decompress(block, _BLOCK))
            block = unfold.unconsumed_tail
    return total


def _titles(name: str, titles: list[str], below: list[str], row: int = 1) -> tuple[str, ...]:
    """The titles, each there and each once: merged header cells and doubled headers are named by their places."""
    found = tuple(title.strip().lstrip("\ufeff") for title in titles)
    if not any(found):
        raise _refused(name, f"第 {row} 行没有列名；表头不在这一行时请指定表头所在行", "HEADER_MISSING", row)
    if len(found) > COLUMNS_MAX:
        raise _refused(name, f"有 {len(found)} 列，最多 {COLUMNS_MAX} 列", "TOO_MANY_COLUMNS")
    errors = []
    for place, title in enumerate(found, start=1):
        if not title and (place <= len(below) and below[place - 1].strip()):
            errors.append(
                RowError(
                    name,
                    row,
                    f"第 {place} 列",
                    "没有列名：表头可能有合并单元格，请拆开并逐列填写，或指定表头所在行",
                    "HEADER_MERGED",
                )
            )
        elif title and found.index(title) != place - 1:
            errors.append(RowError(name, row, title, f"列名重复：第 {found.index(title) + 1} 列与第 {place} 列",
                                   "COLUMN_DUPLICATE"))  # fmt: skip
    if errors:
        raise EvidenceError(errors)
    return found


def _refused(name: str, reason: str, code: str, line: int = 1) -> EvidenceError:
    return EvidenceError([RowError(name, line, "", reason, code)])


def _cell_text(cell: Any) -> str:
    if isinstance(cell, float):
        if abs(cell) >= 1e15:
            return f"{cell:.10E}"  # a spreadsheet keeps 15 digits: let the check say so
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    return "" if cell is None else str(cell)


# --- cells that spreadsheets change ----------------------------------------------------------------------------------

_DATE = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T]\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?)?"
)
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,3}")
_DAY_ZERO = dt.date(1899, 12, 30)


class CellError(ValueError):
    """One cell cannot be read; the text says why and what to do."""


def read_day(text: str) -> dt.date | None:
    """A date as people and spreadsheets write it: 2025-06-30, 2025/6/30, 2025年6月30日, 20250630, 45838."""
    text = text.strip()
    if not text:
        return None
    match = _DATE.fullmatch(text) or _COMPACT_DATE.fullmatch(text)
    try:
        if match:
            return dt.date(int(match[1]), int(match[2]), int(match[3]))
        if text.isascii() and text.isdigit() and 20_000 <= int(text) <= 80_000:  # days of Excel, 1954 to 2119
            return _DAY_ZERO + dt.timedelta(days=int(text))
    except ValueError:
        pass
    raise CellError(f"日期“{text[:20]}”不存在或不是 年-月-日（如 2025-06-30）")


def refuse_scientific(text: str) -> str:
    """A long number as it is, or why it is lost: a spreadsheet keeps only fifteen digits of a number."""
    if _SCIENTIFIC.fullmatch(text):
        raise CellError(f"“{text[:24]}”已被表格软件改成科学计数，末几位已丢失；请把该列设为文本后重新导出")
    return text
