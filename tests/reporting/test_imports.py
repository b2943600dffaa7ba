"""Imports: counted, all or nothing, nothing lost, nothing doubled, the five list fields kept."""

import datetime as dt
from pathlib import Path

import pytest

from shouxin.bank.models import CapitalFigure
from shouxin.bank.selectors import find_year_end_capital
from shouxin.bank.services import FourEyesError, approve_capital_figure
from shouxin.facilities.selectors import totals_of_customers
from shouxin.groups.models import Holding, KinLink
from shouxin.intake.evidence_files import EvidenceError
from shouxin.limits.models import Node
from shouxin.parties.models import ClassScheme, Customer, CustomerClass, Party
from shouxin.reporting.import_jobs import import_now
from shouxin.reporting.models import ImportJob
from tests.conftest import DAY, SmallBank

ENTITIES = (
    "编号,名称,类型,统一社会信用代码,客户\nA,甲公司,机构,91330100MA2DEM01X9,1\nB,乙公司,机构,,1\np,张三,个人,,0\n"
)
HOLDINGS = "holder,company,percent\np,A,60\nA,B,51.5\np,A,5\n"


def bring(
    tmp_path: Path, bank: SmallBank, table: str, content: str | bytes, *, skips: bool = False, dry: bool = False
) -> ImportJob:
    file = tmp_path / f"{table}.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_now(
        actor=bank.manager_west, table=table, path=file, business_date=DAY, skips_bad_rows=skips, is_dry_run=dry
    )


def counts(job: ImportJob) -> tuple[int, int, int, int]:
    assert job.created + job.updated + job.skipped + job.failed == job.rows_read
    return job.created, job.updated, job.skipped, job.failed


def test_evidence_comes_in_once_and_again_unchanged(small_bank: SmallBank, tmp_path: Path) -> None:
    assert counts(bring(tmp_path, small_bank, "entities", ENTITIES)) == (3, 0, 0, 0)
    assert counts(bring(tmp_path, small_bank, "holdings", HOLDINGS)) == (3, 0, 0, 0)
    assert counts(bring(tmp_path, small_bank, "entities", ENTITIES)) == (0, 0, 3, 0)
    assert counts(bring(tmp_path, small_bank, "holdings", HOLDINGS)) == (0, 0, 3, 0)
    assert sorted(Holding.objects.values_list("votes", flat=True)) == [5_000_000, 51_500_000, 60_000_000]
    assert {c.party.name for c in Customer.objects.all()} == {"甲公司", "乙公司"}


def test_a_blank_never_overwrites_and_a_new_value_does(small_bank: SmallBank, tmp_path: Path) -> None:
    bring(tmp_path, small_bank, "entities", ENTITIES)
    changed = ENTITIES.replace("91330100MA2DEM01X9", "").replace("乙公司", "乙公司（新名）")
    assert counts(bring(tmp_path, small_bank, "entities", changed)) == (0, 1, 2, 0)
    assert Party.objects.get(source_id="A").uscc == "91330100MA2DEM01X9"
    assert Party.objects.get(source_id="B").name == "乙公司（新名）"


def test_one_wrong_row_writes_nothing_unless_it_may_be_skipped(small_bank: SmallBank, tmp_path: Path) -> None:
    bring(tmp_path, small_bank, "entities", ENTITIES)
    wrong = HOLDINGS + "p,Z,1\np,B,101\n"
    with pytest.raises(EvidenceError) as caught:
        bring(tmp_path, small_bank, "holdings", wrong)
    assert [(e.line, e.column) for e in sorted(caught.value.errors, key=lambda e: e.line)] == [
        (5, "company"),
        (6, "percent"),
    ]
    assert not Holding.objects.exists()
    assert counts(bring(tmp_path, small_bank, "holdings", wrong, skips=True)) == (3, 0, 0, 2)


def test_a_dry_run_counts_and_writes_nothing(small_bank: SmallBank, tmp_path: Path) -> None:
    assert counts(bring(tmp_path, small_bank, "entities", ENTITIES, dry=True)) == (3, 0, 0, 0)
    assert not Party.objects.exists()


def test_a_kinship_circle_and_a_taken_credit_code_are_named(small_bank: SmallBank, tmp_path: Path) -> None:
    people = "id,name,kind\np,张三,person\nq,李四,person\n"
    bring(tmp_path, small_bank, "entities", people)
    with pytest.raises(EvidenceError, match="亲属成环"):
        bring(tmp_path, small_bank, "kin", "a,b,relation\np,q,parent\nq,p,parent\n")
    assert not KinLink.objects.exists()
    bring(tmp_path, small_bank, "entities", ENTITIES)
    with pytest.raises(EvidenceError, match="已属于另一主体"):
        bring(tmp_path, small_bank, "entities", "id,name,kind,uscc\nX,别家,org,91330100MA2DEM01X9\n")


@pytest.mark.clause("NS-04")
def test_the_five_list_fields_are_importable(small_bank: SmallBank, tmp_path: Path) -> None:
    """Name, address, post code, telephone and e-mail come in from a GB18030 file with Chinese headers."""
    scheme = ClassScheme.objects.create(code="four", name="四类", is_main=True)
    CustomerClass.objects.create(scheme=scheme, code="A", name="准客户", follow_up_days=7, position=1)
    text = (
        "名称,地址,邮编,电话号码,邮件地址,类别,类型,身份证号\n"
        "明远贸易,河滨路18号,310000,0571-88001234,a@example.com,准客户,,\n"
        "孔明,,,13812345678,,,个人,11010519491231002X\n"
    )
    assert counts(bring(tmp_path, small_bank, "customers", text.encode("gb18030"))) == (2, 0, 0, 0)
    customer = Customer.objects.get(party__name="明远贸易")
    assert {(c.kind, c.value, c.postcode) for c in customer.contact_points.all()} == {
        ("address", "河滨路18号", "310000"),
        ("phone", "0571-88001234", ""),
        ("email", "a@example.com", ""),
    }
    assert Customer.objects.get(pk=customer.pk).is_valid
    assert str(Party.objects.get(name="孔明").birth_date) == "1949-12-31"
    assert counts(bring(tmp_path, small_bank, "customers", text.encode("gb18030"))) == (0, 0, 2, 0)
    assert Customer.objects.count() == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("甲,机构,,11010519491231002X", "个人填身份证号"),
        ("甲,个人,,110105194912310021", "校验位不符"),
        ("甲,机构,91330100MA2DEM01X8,", "校验位不符"),
        (",机构,,", "不能为空"),
    ],
)
def test_a_customer_with_a_wrong_number_is_refused(
    small_bank: SmallBank, tmp_path: Path, row: str, reason: str
) -> None:
    with pytest.raises(EvidenceError, match=reason):
        bring(tmp_path, small_bank, "customers", f"名称,类型,统一社会信用代码,身份证号\n{row}\n")
    assert not Customer.objects.exists()


def test_capital_is_entered_and_waits_for_a_second_person(small_bank: SmallBank, tmp_path: Path) -> None:
    outcome = bring(tmp_path, small_bank, "capital", "口径,报告日,金额\n资本净额,2023-12-31,450000000.00\n")
    assert counts(outcome) == (1, 0, 0, 0)
    figure = CapitalFigure.objects.get(date="2023-12-31")
    assert (figure.amount_fen, figure.entered_by, figure.approved_by) == (
        45_000_000_000,
        small_bank.manager_west,
        None,
    )
    year_end = dt.date(2023, 12, 31)
    assert find_year_end_capital(kind="net", as_of=year_end) is None, "not in use before it is approved"
    with pytest.raises(FourEyesError):
        approve_capital_figure(actor=small_bank.manager_west, figure=figure, business_date=DAY)
    approve_capital_figure(actor=small_bank.risk_officer, figure=figure, business_date=DAY)
    assert find_year_end_capital(kind="net", as_of=year_end) == figure


DEALS = (
    "客户,机构,产品,金额,保证金,发放日,到期日\n"
    "A,W,流贷,15000000.00,,2025-03-01,2026-03-01\n"
    "A,城东支行,银承,20000000,10000000,2025-03-01,2025-09-01\n"
    "A,W,流贷,15000000.00,,2025-03-01,2026-03-01\n"
)


def test_deals_come_into_the_ledger_once_even_when_two_are_alike(small_bank: SmallBank, tmp_path: Path) -> None:
    """Two equal loans of 1,500 and an acceptance of 2,000 with half margin use 4,000; read again nothing is added."""
    bring(tmp_path, small_bank, "entities", ENTITIES)
    assert counts(bring(tmp_path, small_bank, "deals", DEALS)) == (3, 0, 0, 0)
    assert counts(bring(tmp_path, small_bank, "deals", DEALS)) == (0, 0, 3, 0)
    node = Node.objects.get(customer__party__source_id="A", kind="CUSTOMER")
    assert node.used_fen == 4_000 * 1_000_000
    customer = Customer.objects.get(party__source_id="A")
    assert totals_of_customers([customer.pk], as_of=DAY)[customer.pk].control_use_fen == node.used_fen


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("Z,W,流贷,1,,2025-03-01,", "客户", "没有编号或客户号为 Z"),
        ("A,火星,流贷,1,,2025-03-01,", "机构", "没有机构号或名称为 火星"),
        ("A,W,股票质押,1,,2025-03-01,", "产品", "CB-11"),
        ("A,W,流贷,0,,2025-03-01,", "金额", "须大于 0"),
        ("A,W,流贷,1.001,,2025-03-01,", "金额", "不足一分"),
        ("A,W,流贷,1,,2025-03-01,2025-01-01", "到期日", "须晚于发放日"),
    ],
)
def test_a_wrong_deal_is_named_and_nothing_is_written(
    small_bank: SmallBank, tmp_path: Path, row: str, column: str, reason: str
) -> None:
    bring(tmp_path, small_bank, "entities", ENTITIES)
    with pytest.raises(EvidenceError, match=reason) as caught:
        bring(tmp_path, small_bank, "deals", DEALS + row + "\n")
    assert (caught.value.errors[0].line, caught.value.errors[0].column) == (5, column)
    assert not Node.objects.exists()


def test_holdings_above_the_whole_of_a_company_on_one_day_are_named(small_bank: SmallBank, tmp_path: Path) -> None:
    """100 % is taken; a hundredth more is refused at its line, on the days of both, with what is known already."""
    bring(tmp_path, small_bank, "entities", ENTITIES + "q,李四,个人,,0\n")
    head = "holder,company,percent,valid_from,valid_to\n"
    first = head + "p,A,60,2024-01-01,2025-01-01\nq,A,40,,\n"
    assert counts(bring(tmp_path, small_bank, "holdings", first)) == (2, 0, 0, 0)
    with pytest.raises(EvidenceError) as caught:
        bring(tmp_path, small_bank, "holdings", head + "p,A,60.01,2025-01-01,\n")
    assert [(e.line, e.column) for e in caught.value.errors] == [(2, "percent")]
    assert "A 2025-01-01 的持股合计 100.01%，超过 100%（第 2 行与库中已有的）" in caught.value.errors[0].reason
    assert counts(bring(tmp_path, small_bank, "holdings", head + "p,A,60,2025-01-01,\n")) == (1, 0, 0, 0)
    with pytest.raises(EvidenceError, match="超过 100%（第 2、3 行）"):
        bring(tmp_path, small_bank, "holdings", head + "p,B,70,,\nq,B,30.5,,\n")
    assert counts(bring(tmp_path, small_bank, "holdings", head + "p,B,70,,2025-01-01\nq,B,30.5,2025-01-01,\n")) == (
        2, 0, 0, 0,
    )  # fmt: skip


TITLED = "某银行集团客户股东名册,,\n导出日,2025-06-30,\n,,\n" + HOLDINGS


@pytest.mark.parametrize("row", [None, 4])
def test_titles_below_the_first_row_are_found_or_named(small_bank: SmallBank, tmp_path: Path, row: int | None) -> None:
    """The row with most known titles; the lines of errors are those of the file."""
    bring(tmp_path, small_bank, "entities", ENTITIES)
    file = tmp_path / "list.csv"
    file.write_text(TITLED + "p,Z,1\n", encoding="utf-8")
    with pytest.raises(EvidenceError) as caught:
        import_now(actor=None, table="holdings", path=file, business_date=DAY, header_row=row)
    assert [(e.line, e.column) for e in caught.value.errors] == [(8, "company")]
    file.write_text(TITLED, encoding="utf-8")
    job = import_now(actor=None, table="holdings", path=file, business_date=DAY, header_row=row)
    assert (counts(job), job.header_row, job.titles) == ((3, 0, 0, 0), 4, ["holder", "company", "percent"])


def test_a_row_that_holds_no_titles_is_refused(small_bank: SmallBank, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(HOLDINGS, encoding="utf-8")
    for row in (9, 21, 0):
        with pytest.raises(EvidenceError, match="可作表头"):
            import_now(actor=None, table="holdings", path=file, business_date=DAY, header_row=row)
    assert not ImportJob.objects.exists()
