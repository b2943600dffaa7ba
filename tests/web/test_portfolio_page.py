"""The bank's portfolio: totals of the end of a day by product, branch and more, for those who see the whole bank."""

import datetime as dt
import io

from shouxin.audit.models import Entry
from shouxin.facilities.models import Facility
from shouxin.limits.models import PortfolioTotal
from shouxin.reporting import portfolio
from tests.demo import DAY, WAN, DemoBank
from tests.web.test_pages import sign_in


def test_the_portfolio_is_totalled_shown_and_exported(demo_bank: DemoBank) -> None:
    from python_calamine import CalamineWorkbook

    risk = sign_in(demo_bank.staff("fengxc"))
    assert "还没有汇总" in risk.get("/portfolio/").content.decode()
    assert risk.post("/portfolio/total/").status_code == 302
    page = risk.get("/portfolio/").content.decode()
    for words in ("流动资金贷款", "城西支行", "2025-06-30"):
        assert words in page
    found = portfolio.find_portfolio(as_of=DAY)
    assert found is not None
    branches = next(one for one in found.dimensions if one.code == "BRANCH")
    products = next(one for one in found.dimensions if one.code == "PRODUCT")
    assert branches.net_fen == products.net_fen > 0, "every dimension adds up to the same"
    assert sum(row.share or 0 for row in products.rows) == 100
    assert portfolio.find_portfolio(as_of=DAY - dt.timedelta(days=1)) is None, "not yet on the day before"
    body = sign_in(demo_bank.staff("tangw")).get("/portfolio/export.xlsx").content
    rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    assert any(row[1] == "流动资金贷款" for row in rows)
    assert Entry.objects.filter(action="reporting.portfolio.exported").exists()


def test_who_does_not_see_the_whole_bank_sees_no_portfolio(demo_bank: DemoBank) -> None:
    for who in ("liujg", "hewei", "gaoyl", "admin"):
        client = sign_in(demo_bank.staff(who))
        assert client.get("/portfolio/").status_code == 403, who
        assert "/portfolio/" not in client.get("/").content.decode(), who
    assert sign_in(demo_bank.staff("wanghy")).post("/portfolio/total/").status_code == 403
    assert not PortfolioTotal.objects.exists()


def test_many_values_of_a_dimension_end_in_one_row(demo_bank: DemoBank) -> None:
    for place in range(portfolio.ROWS_MAX + 3):
        PortfolioTotal.objects.create(
            dimension="INDUSTRY", value=f"行业{place:03d}", business_date=DAY, pending_fen=0, posted_fen=WAN,
            net_fen=WAN, computed_at=dt.datetime(2025, 6, 30, tzinfo=dt.UTC),
        )  # fmt: skip
    found = portfolio.find_portfolio(as_of=DAY)
    assert found is not None
    (industries,) = found.dimensions
    assert (len(industries.rows), industries.rows[-1].net_fen) == (portfolio.ROWS_MAX + 1, 3 * WAN)


def test_balances_count_at_the_branch_that_booked_the_contract(demo_bank: DemoBank) -> None:
    """A customer of 城西 draws under a contract of the business department: there it stands, as on the group's page."""
    risk = sign_in(demo_bank.staff("fengxc"))
    b = demo_bank.customer("B")
    elsewhere = Facility.objects.filter(customer=b).exclude(branch=b.unit).select_related("node").first()
    assert elsewhere is not None
    assert elsewhere.node.booking_unit_id == elsewhere.branch_id
    risk.post("/portfolio/total/")
    found = portfolio.find_portfolio(as_of=DAY)
    assert found is not None
    branches = {row.value: row for row in next(one for one in found.dimensions if one.code == "BRANCH").rows}
    booked: dict[str, int] = {}
    for contract in Facility.objects.select_related("branch", "node"):
        net = contract.node.pending_fen + contract.node.posted_fen - contract.node.cover_fen
        booked[contract.branch.name] = booked.get(contract.branch.name, 0) + net
    assert {name: row.net_fen for name, row in branches.items()} == {name: fen for name, fen in booked.items() if fen}
    page = risk.get("/portfolio/").content.decode()
    assert "按订立合同的机构计" in page
    assert "国家或地区" in page
