"""Every kind of bad row is named with file, line, column and reason, and nothing is written."""

import datetime as dt
from pathlib import Path

import pytest
import xlsxwriter
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shouxin.domain.groups import identify as identify_groups
from shouxin.groups.commands import identify
from shouxin.groups.policy_settings import settings_from
from shouxin.intake.evidence_files import EvidenceError, decode, read_csv, read_evidence
from shouxin.policy import load_book

DAY = dt.date(2025, 6, 30)
ENTITIES = "id,name,kind,customer\nA,甲公司,org,1\nB,乙公司,org,1\np,张三,person,0\nq,李四,person,0\n"
HOLDINGS = "holder,company,percent\nA,B,60\np,A,51\n"


def write(folder: Path, **tables: str | bytes) -> Path:
    for name, content in {"entities": ENTITIES, "holdings": HOLDINGS, **tables}.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.csv").write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("table", "content", "line", "column", "reason", "code"),
    [
        ("holdings", "holder,company,percent\nA,B,60,extra\n", 2, "", "有 4 列，表头有 3 列", "COLUMN_COUNT"),
        ("holdings", "holder,company,percent\nA,B,101\n", 2, "percent", "须在 0 与 100 之间", "PERCENT_RANGE"),
        ("holdings", "holder,company,percent\nA,B,-1\n", 2, "percent", "须在 0 与 100 之间", "PERCENT_RANGE"),
        ("holdings", "holder,company,votes\nA,B,-5\n", 2, "votes", "不能为负数", "NUMBER_NEGATIVE"),
        ("holdings", "holder,company,percent\nA,B,abc\n", 2, "percent", "不是数字", "NUMBER_INVALID"),
        ("holdings", "holder,company,percent\nA,B,1.2345678\n", 2, "percent", "最多 6 位小数", "PERCENT_DECIMALS"),
        ("holdings", "holder,company,percent\nA,B,10\nA,Z,10\n", 3, "company", "编号 Z 不在 entities 中", "ID_UNKNOWN"),
        ("holdings", "holder,company,percent\nA,p,10\n", 2, "company", "是个人，不能被持股", "KIND_WRONG"),
        ("holdings", "holder,company\nA,B\n", 2, "percent", "须填且只填一个", "PERCENT_OR_VOTES"),
        ("holdings", "holder,percent\nA,10\n", 1, "", "缺少列 company", "COLUMN_MISSING"),
        (
            "holdings",
            "holder,company,percent,valid_from\nA,B,60,2025-02-30\n",
            2,
            "valid_from",
            "不存在",
            "DATE_INVALID",
        ),
        (
            "holdings",
            "holder,company,percent,valid_from,valid_to\nA,B,60,2025-02-01,2025-01-01\n",
            2,
            "valid_to",
            "须晚于开始日",
            "PERIOD_REVERSED",
        ),
        ("entities", ENTITIES + "A,再来,org,0\n", 6, "id", "编号 A 重复", "ID_DUPLICATE"),
        ("entities", "id,name,kind\nA,甲,robot\n", 2, "kind", "不在可用的取值", "CHOICE_UNKNOWN"),
        ("kin", "a,b,relation\np,p,parent\n", 2, "b", "不能是自己的亲属", "KIN_SELF"),
        ("kin", "a,b,relation\np,q,parent\nq,p,parent\n", 3, "b", "亲属成环", "KIN_CYCLE"),
        ("kin", "a,b,relation\np,A,parent\n", 2, "b", "是机构", "KIND_WRONG"),
        ("agreements", "controller,company,kind\nA,B,friendship\n", 2, "kind", "不在可用的取值", "CHOICE_UNKNOWN"),
        pytest.param(
            "agreements",
            "controller,company,kind,seats,board\nA,B,董事会多数,4,8\n",
            2,
            "seats",
            "不构成董事会多数（UC-09）",
            "SEATS_NO_MAJORITY",
            marks=pytest.mark.clause("UC-09", points="on"),
        ),
        (
            "agreements",
            "controller,company,kind,seats,board\nA,B,董事会多数,3,7\n",
            2,
            "seats",
            "3/7",
            "SEATS_NO_MAJORITY",
        ),
        ("agreements", "controller,company,kind,seats,board\nA,B,董事会多数,8,7\n", 2, "seats", "之间", "SEATS_RANGE"),
        ("guarantees", "guarantor,debtor,amount\nA,B,0\n", 2, "amount", "须大于 0", "VALUE_INVALID"),
        ("holdings", '持有人,公司,持股比例\nA,B,"60\n', 2, "", "CSV 格式有误", "CSV_BROKEN"),
        (
            "holdings",
            b"holder,company,percent\nA,B,60\n\xff\xff,B,1\n",
            3,
            "",
            "既不是 UTF-8 也不是 GB18030",
            "ENCODING_UNKNOWN",
        ),
    ],
)
def test_a_bad_row_is_named(
    tmp_path: Path, table: str, content: str | bytes, line: int, column: str, reason: str, code: str
) -> None:
    source = write(tmp_path, **{table: content})
    with pytest.raises(EvidenceError) as caught:
        read_evidence(source)
    error = caught.value.errors[0]
    assert (error.file, error.line, error.column) == (f"{table}.csv", line, column)
    assert reason in error.reason
    assert error.code == code
    out = tmp_path / "out"
    answer = CliRunner().invoke(identify, [str(source), "--as-of", "2025-06-30", "--out", str(out)])
    assert answer.exit_code == 2
    assert f"{table}.csv 第 {line} 行" in answer.output
    assert not out.exists()


def test_the_period_of_a_dependence_and_many_circles(tmp_path: Path) -> None:
    periods = {
        "2024": (1, 1),
        "2024年": (1, 1),
        "2024Q3": (7, 1),
        "2024H2": (7, 1),
        "2024-06": (6, 1),
        "2024-06-30": (6, 30),
    }
    rows = "".join(f"A,B,60,{period}\n" for period in periods)
    evidence, _ = read_evidence(write(tmp_path, dependence="dependent,on,ratio,period\n" + rows))
    assert [(d.valid_from.month, d.valid_from.day) for d in evidence.dependence if d.valid_from] == [*periods.values()]
    with pytest.raises(EvidenceError, match="PERIOD_INVALID"):
        read_evidence(write(tmp_path, dependence="dependent,on,ratio,period\nA,B,60,2024Q5\n"))
    people = "".join(f"k{n},k,person\n" for n in range(6))
    circles = "k0,k1,parent\nk1,k0,parent\nk1,k2,parent\nk3,k4,parent\nk4,k5,parent\nk5,k3,parent\n"
    source = write(tmp_path, entities="id,name,kind\nA,a,org\nB,b,org\np,p,person\n" + people,
                   kin="a,b,relation\n" + circles, dependence="dependent,on,ratio\n")  # fmt: skip
    evidence, errors = read_evidence(source, skip_bad_rows=True)
    assert [(error.line, error.code) for error in errors] == [(3, "KIN_CYCLE"), (7, "KIN_CYCLE")]
    assert len(evidence.kin) == 4


def test_all_bad_rows_are_listed_at_once_and_may_be_skipped(tmp_path: Path) -> None:
    source = write(tmp_path, holdings="holder,company,percent\nA,B,101\nA,B,60\nA,Z,1\n")
    with pytest.raises(EvidenceError) as caught:
        read_evidence(source)
    assert [error.line for error in caught.value.errors] == [2, 4]
    evidence, skipped = read_evidence(source, skip_bad_rows=True)
    assert (len(evidence.holdings), len(skipped)) == (1, 2)


def test_chinese_headers_and_gb18030_are_read_and_named(tmp_path: Path) -> None:
    source = write(tmp_path, holdings="股东,公司,持股比例\nA,B,60%\n".encode("gb18030"))
    assert read_csv(source / "holdings.csv").encoding == "GB18030"
    evidence, _ = read_evidence(source)
    assert evidence.holdings[0].votes == 60_000_000
    assert decode("\ufeff股东".encode()) == ("股东", "UTF-8")


def test_a_workbook_with_sheets_is_read_like_the_files(tmp_path: Path) -> None:
    file = tmp_path / "evidence.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        for name, text in (("entities", ENTITIES), ("holdings", HOLDINGS)):
            sheet = book.add_worksheet(name)
            for row, line in enumerate(text.strip().split("\n")):
                for column, cell in enumerate(line.split(",")):
                    sheet.write(row, column, int(cell) if cell.isdigit() else cell)
    evidence, _ = read_evidence(file)
    assert {(h.holder, h.company, h.votes) for h in evidence.holdings} == {
        ("A", "B", 60_000_000),
        ("p", "A", 51_000_000),
    }


def test_no_workbook_is_said(tmp_path: Path) -> None:
    (tmp_path / "evidence.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(EvidenceError, match="不是可读的 Excel"):
        read_evidence(tmp_path / "evidence.xlsx")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.one_of(st.binary(max_size=200), st.text(alphabet="A,B\n\"'1.％%é公司\x00", max_size=80).map(str.encode))
)
def test_whatever_the_bytes_it_reads_or_says_why(tmp_path: Path, content: bytes) -> None:
    """Fuzzing the reader: any file is either evidence or an EvidenceError, never another exception."""
    source = write(tmp_path, holdings=b"holder,company,percent\n" + content)
    try:
        read_evidence(source)
    except EvidenceError as error:
        complete = [row.file == "holdings.csv" and row.line >= 1 and bool(row.reason) for row in error.errors]
    else:
        complete = [True]
    assert all(complete)


@pytest.mark.clause("UC-09", points="over")
def test_four_of_seven_directors_are_a_majority_with_thirty_percent_of_the_shares(tmp_path: Path) -> None:
    folder = write(
        tmp_path, holdings="holder,company,percent\nA,B,30\n",
        agreements="控制人,公司,方式,任命席位,董事会席位\nA,B,董事会多数,4,7\n",
    )  # fmt: skip
    found = identify_groups(read_evidence(folder)[0], as_of=DAY, settings=settings_from(load_book(), DAY))
    assert [sorted(group.customers) for group in found.groups] == [["A", "B"]]
