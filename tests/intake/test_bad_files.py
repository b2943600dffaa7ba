"""Files that nobody should send: refused with a sentence before they fill the memory, or read with nothing lost."""

import resource
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shouxin.intake.customer_rows import SYNONYMS, match_columns, rows_reader
from shouxin.intake.evidence_files import EvidenceError
from shouxin.intake.list_files import open_list


def read(path: Path) -> list[tuple[int, list[str]]]:
    return list(open_list(path).rows())


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(EvidenceError) as caught:
        read(path)
    return caught.value.errors[0].code, caught.value.errors[0].reason


def test_two_hundred_megabytes_in_one_line_cost_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "line.csv"
    with file.open("wb") as out:
        for _ in range(200):
            out.write(b"a,b," * (1 << 18))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code, reason = refusal(file)
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    file.unlink()
    assert code == "LINE_TOO_LONG"
    assert "第 1 行" in reason
    assert grown_mib < 50


def test_one_long_line_far_down_is_refused_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes("名称\n甲\n".encode() + b"x" * 3_000_000)
    assert refusal(file) == ("LINE_TOO_LONG", refusal(file)[1])
    assert "第 3 行" in refusal(file)[1]


def test_a_bomb_whose_directory_lies_is_not_unfolded(tmp_path: Path) -> None:
    """The sizes that a workbook states are not believed: the packed parts are counted while they unfold."""
    file = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    content = file.read_bytes()
    size = (60_000_000).to_bytes(4, "little")
    assert content.count(size) == 2
    file.write_bytes(content.replace(size, (1_000).to_bytes(4, "little")))
    assert refusal(file)[0] == "WORKBOOK_TOO_BIG"


def test_an_upload_that_stopped_half_way_is_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.xlsx"
    with xlsxwriter.Workbook(str(whole)) as book:
        sheet = book.add_worksheet()
        for line in range(200):
            sheet.write_row(line, 0, ["名称" if line == 0 else f"公司{line}", "电话"])
    half = tmp_path / "half.xlsx"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert refusal(half)[0] == "WORKBOOK_BROKEN"
    text = tmp_path / "half.csv"
    text.write_bytes("名称,电话\n公司甲,1\n公司乙".encode()[:-1])
    assert refusal(text)[0] == "FILE_CUT_OFF"


def test_one_broken_byte_in_a_gb18030_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes("名称,备注\n公司甲,一\n公司".encode("gb18030") + b"\xff" + "乙,二\n".encode("gb18030"))
    code, reason = refusal(file)
    assert code == "ENCODING_UNKNOWN"
    assert "第 3 行" in reason


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"\xef\xbb\xbf", b"  ,  \n"])
def test_an_empty_file_says_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    assert refusal(file)[0] == "HEADER_MISSING"


def test_titles_alone_are_a_list_without_rows(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("名称,电话\n\n,,\n", encoding="utf-8")
    assert read(file) == []


def test_merged_title_cells_of_a_workbook_are_named(tmp_path: Path) -> None:
    file = tmp_path / "merged.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:B1", "名称")
        sheet.write_row(1, 0, ["甲", "138"])
    assert refusal(file)[0] == "HEADER_MERGED"


def test_formulas_give_what_they_show_and_texts_stay_texts(tmp_path: Path) -> None:
    file = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(str(file), {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["名称", "电话", "备注"])
        sheet.write_formula(1, 0, '="甲"&"公司"', value="甲公司")
        sheet.write_number(1, 1, 13812345678)
        sheet.write_string(1, 2, "=1+1")
    assert read(file) == [(2, ["甲公司", "13812345678", "=1+1"])]


def test_doubled_and_missing_titles_are_all_named(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("名称,电话,名称,\n甲,1,乙,2\n", encoding="utf-8")
    with pytest.raises(EvidenceError) as caught:
        read(file)
    assert [error.code for error in caught.value.errors] == ["COLUMN_DUPLICATE", "HEADER_MERGED"]


def _tried(path: Path) -> None:
    """Read a file to its end: rows or a sentence, nothing else."""
    try:
        source = open_list(path)
        rows = list(source.rows())
    except EvidenceError as error:
        sentences = [one.reason for one in error.errors]
        assert all(sentences) and sentences  # noqa: PT018 - either outcome is right
        return
    found = rows_reader(match_columns(source.titles), len(source.titles))(rows)
    assert [line for line, _, _ in found] == [line for line, _ in rows]
    assert len({line for line, _ in rows}) == len(rows), "a line is read once"


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_rows_or_a_sentence(tmp_path: Path, content: bytes) -> None:
    for name in ("list.csv", "list.xlsx", "list.xls"):
        file = tmp_path / name
        file.write_bytes(content)
        _tried(file)


_CELL = st.text(st.sampled_from('甲乙,"\n\r\t\x00\x1f;=+E0123456789.-/年月日@ \u3000\u2028\\'), max_size=12)


@given(
    st.lists(st.sampled_from([t for ts in SYNONYMS.values() for t in ts]), min_size=1, max_size=6, unique=True),
    st.lists(st.lists(_CELL, max_size=7), max_size=6),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_is_rows_or_a_sentence(
    tmp_path: Path, titles: list[str], rows: list[list[str]], encoding: str, end: str
) -> None:
    file = tmp_path / "list.csv"
    text = end.join(",".join(cells) for cells in [titles, *rows])
    file.write_bytes(text.encode(encoding, "replace"))
    _tried(file)
