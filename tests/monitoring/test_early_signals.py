"""Signals from statements, ratings, other banks and evidence: on the line, just short of it, before it was in force.

Each figure is checked on the alert: what it was held against stands beside it with its source.
"""

import datetime as dt
from decimal import Decimal

import pytest

from shouxin.domain.money import Money
from shouxin.facilities.models import CreditRating, Evaluation, FinancialStatement
from shouxin.groups.models import Agreement, Guarantee, Holding, Post
from shouxin.monitoring import early_signals
from shouxin.monitoring.alerts import AlertError
from shouxin.monitoring.models import Alert
from shouxin.parties.models import Customer, Party
from tests.conftest import SmallBank

DAY = dt.date(2025, 6, 30)
BEFORE = dt.date(2003, 10, 22)
"""The day before the catalogue of signals was in force."""
BASE = {"total_assets": "100", "total_liabilities": "50", "equity": "50"}


@pytest.fixture
def firm(small_bank: SmallBank) -> Customer:
    party = Party.objects.create(kind=Party.Kind.ORGANISATION, name="东河机械有限公司", industry="机械制造")
    return Customer.objects.create(party=party, number="K1", unit=small_bank.west)


def statement(firm: Customer, year: int, **items: str) -> None:
    figures = {name: Money.from_wan(text).fen for name, text in {**BASE, **items}.items()}
    FinancialStatement.objects.create(
        customer=firm, scope="own", period_end_date=dt.date(year, 12, 31), items=figures, source="年报"
    )


def raised(firm: Customer, on: dt.date = DAY) -> list[str]:
    return [alert.code for alert in early_signals.raise_early_signals([firm], as_of=on)]


def two_years(firm: Customer, before: dict[str, str], now: dict[str, str], last: int = 2024) -> list[str]:
    """What the last of two years shows, on a day after it."""
    FinancialStatement.objects.all().delete()
    Alert.objects.all().delete()
    statement(firm, last - 1, **before)
    statement(firm, last, **now)
    return raised(firm, dt.date(last + 1, 6, 30))


def debts(text: str) -> dict[str, str]:
    return {"total_liabilities": text, "equity": str(100 - Decimal(text))}


def test_w14_leverage_above_the_line_of_the_industry(firm: Customer) -> None:
    """70 % is allowed, a little more is not; a builder may have 80 %."""
    assert two_years(firm, debts("70"), debts("70")) == []
    assert two_years(firm, debts("70"), debts("70.01")) == ["W14"]
    alert = Alert.objects.get()
    assert alert.inputs["资产负债率"] == "70.01%"
    assert (alert.inputs["阈值"], "第十一条" in alert.inputs["依据"]) == ("≤ 70%", True)
    assert raised(firm) == [], "the same statement raises nothing twice"
    Alert.objects.update(state=Alert.State.CLOSED)
    assert raised(firm) == [], "nor once its alert is closed"
    firm.party.industry = "建筑业"
    assert two_years(firm, debts("80"), debts("80")) == []
    assert two_years(firm, debts("80"), debts("80.01")) == ["W14"]


def test_w14_leverage_up_ten_points_in_a_year(firm: Customer) -> None:
    assert two_years(firm, debts("40"), debts("49.99")) == []
    assert two_years(firm, debts("40"), debts("50")) == ["W14"]
    assert Alert.objects.get().inputs["上年同期"] == "40.00%"
    assert two_years(firm, debts("40"), debts("50"), last=2001) == [], "before the signal was in force"


@pytest.mark.parametrize("item", ["sales", "net_profit", "operating_cash_flow"])
def test_w15_two_falls_in_a_row(firm: Customer, item: str) -> None:
    statement(firm, 2022, **{item: "300"})
    statement(firm, 2023, **{item: "290"})
    assert raised(firm) == [], "one fall is none"
    statement(firm, 2024, **{item: "290"})
    assert raised(firm) == [], "the same is no fall"
    FinancialStatement.objects.filter(period_end_date__year=2024).delete()
    statement(firm, 2024, **{item: "289.99"})
    assert raised(firm) == ["W15"]
    assert "300.00 → 290.00 → 289.99 万元" in Alert.objects.get().inputs.values()


def test_w15_before_it_was_in_force_and_over_a_gap(firm: Customer) -> None:
    for year, sales in ((2000, "300"), (2001, "200"), (2002, "100")):
        statement(firm, year, sales=sales)
    assert raised(firm, BEFORE) == []
    assert raised(firm, dt.date(2003, 10, 23)) == ["W15"]
    Alert.objects.all().delete()
    FinancialStatement.objects.filter(period_end_date__year=2001).delete()
    assert raised(firm, dt.date(2003, 10, 23)) == [], "years that are missing prove no fall in a row"


@pytest.mark.parametrize(("flow", "balance"), [("sales", "receivables"), ("cost_of_sales", "stock")])
def test_w16_turnover_down_thirty_percent(firm: Customer, flow: str, balance: str) -> None:
    before = {flow: "1000", balance: "100"}
    assert two_years(firm, before, {flow: "700.1", balance: "100"}) == []
    assert two_years(firm, before, {flow: "700", balance: "100"}) == ["W16"]
    assert "10.00 → 7.00 次" in Alert.objects.get().inputs.values()
    assert two_years(firm, before, {flow: "700", balance: "100"}, last=2001) == []


def test_w24_investment_outside_the_business(firm: Customer) -> None:
    before = {"long_investments": "100"}
    assert two_years(firm, before, {"long_investments": "129.99"}) == []
    assert two_years(firm, before, {"long_investments": "130"}) == ["W24"]
    assert two_years(firm, {"long_investments": "0"}, {"long_investments": "1"}) == ["W24"]
    assert two_years(firm, before, {"long_investments": "130"}, last=2001) == []


def test_w13_guarantees_for_others_against_net_assets(firm: Customer) -> None:
    other = Party.objects.create(kind=Party.Kind.ORGANISATION, name="外部公司")
    statement(firm, 2024, **debts("0"))
    guarantee = Guarantee.objects.create(
        guarantor=firm.party, debtor=other, amount_fen=Money.from_wan("29.99").fen, valid_from=dt.date(1999, 1, 1)
    )
    assert raised(firm) == []
    Guarantee.objects.filter(pk=guarantee.pk).update(amount_fen=Money.from_wan("30").fen)
    assert raised(firm) == ["W13"]
    assert Alert.objects.get().inputs["占比"] == "30.00%"
    Guarantee.objects.filter(pk=guarantee.pk).update(valid_to=DAY, amount_fen=Money.from_wan("40").fen)
    assert raised(firm) == [], "it has ended"
    FinancialStatement.objects.update(period_end_date=dt.date(1998, 12, 31))
    assert raised(firm, BEFORE) == []
    assert "W13" in raised(firm, dt.date(2003, 10, 23))


def rate(bank: SmallBank, firm: Customer, grade: str, on: dt.date) -> None:
    CreditRating.objects.create(
        customer=firm, grade=grade, model="v1", rated_date=on, valid_to=dt.date(2026, 1, 1), rated_by=bank.risk_officer
    )


def test_w21_down_two_notches(small_bank: SmallBank, firm: Customer) -> None:
    """AA to A is one, AA to BBB two; measured against the rating before, on the scale from best to worst."""
    rate(small_bank, firm, "AA", dt.date(2003, 1, 1))
    rate(small_bank, firm, "A", dt.date(2003, 2, 1))
    assert raised(firm) == []
    rate(small_bank, firm, "BB", dt.date(2003, 3, 1))
    assert raised(firm, BEFORE) == []
    assert raised(firm) == ["W21"]
    assert Alert.objects.get().inputs["下调级数"] == "2"
    rate(small_bank, firm, "AAA", dt.date(2004, 3, 1))
    assert raised(firm) == [], "up is no warning"


def evaluated(bank: SmallBank, firm: Customer, on: dt.date, now: str, expected: str) -> None:
    Evaluation.objects.create(
        customer=firm, evaluated_date=on, valid_to=dt.date(2026, 1, 1), conclusion="x", made_by=bank.manager_west,
        other_banks_now_fen=Money.from_wan(now).fen, other_banks_expected_fen=Money.from_wan(expected).fen,
        control_amount_fen=1,
    )  # fmt: skip


def test_w22_other_banks_reduce_by_thirty_percent(small_bank: SmallBank, firm: Customer) -> None:
    evaluated(small_bank, firm, dt.date(2003, 1, 1), "1000", "700.01")
    assert raised(firm) == []
    evaluated(small_bank, firm, dt.date(2003, 2, 1), "1000", "700")
    assert raised(firm, BEFORE) == []
    assert raised(firm) == ["W22"]
    assert Alert.objects.get().inputs["他行授信"] == "1,000.00 → 700.00 万元"
    evaluated(small_bank, firm, dt.date(2004, 2, 1), "700", "700")
    assert raised(firm) == ["W22"], "what was expected has come: a new fact"


def test_w11_a_change_of_holders_controller_or_representative(firm: Customer) -> None:
    """Told for thirty days after; the first that is known of a company is no change, nor the same put down again."""
    old, new = (Party.objects.create(kind=Party.Kind.PERSON, name=name) for name in ("旧人", "新人"))
    start, day = dt.date(2020, 1, 1), dt.date(2025, 6, 1)
    Holding.objects.create(holder=old, company=firm.party, votes=60_000_000, valid_from=start, valid_to=day)
    assert raised(firm, dt.date(2020, 1, 2)) == [], "known for the first time"
    same = Holding.objects.create(holder=old, company=firm.party, votes=60_000_000, valid_from=day)
    assert raised(firm) == [], "the same share written down again"
    same.delete()
    Holding.objects.create(holder=new, company=firm.party, votes=60_000_000, valid_from=day)
    assert raised(firm, dt.date(2025, 7, 2)) == [], "thirty-one days after"
    assert raised(firm, dt.date(2025, 7, 1)) == ["W11"]
    alert = Alert.objects.get()
    assert (alert.inputs["变更前"], alert.inputs["变更后"]) == ("股东 旧人 60%", "股东 新人 60%")
    assert (alert.inputs["阈值"], alert.risk_type) == ("≤ 30 天", "资产重组")
    Post.objects.create(
        person=old, company=firm.party, post="法定代表人", valid_from=start, valid_to=dt.date(2025, 6, 2)
    )
    Post.objects.create(person=old, company=firm.party, post="司机", valid_from=start, valid_to=dt.date(2025, 6, 3))
    Agreement.objects.create(controller=old, company=firm.party, kind="actual_controller", valid_from=start)
    assert raised(firm) == ["W11"], "the representative, not the driver"
    Agreement.objects.create(
        controller=new, company=firm.party, kind="actual_controller", valid_from=dt.date(2025, 6, 4)
    )
    assert raised(firm) == ["W11"]


def test_w11_before_it_was_in_force(firm: Customer) -> None:
    old, new = (Party.objects.create(kind=Party.Kind.PERSON, name=name) for name in ("旧人", "新人"))
    Holding.objects.create(holder=old, company=firm.party, votes=1, valid_from=dt.date(2000, 1, 1))
    Holding.objects.create(holder=new, company=firm.party, votes=1, valid_from=dt.date(2003, 10, 20))
    assert raised(firm, BEFORE) == []
    assert raised(firm, dt.date(2003, 10, 23)) == ["W11"]


@pytest.mark.parametrize(
    ("event", "wan", "code"),
    [("litigation", "14.99", ""), ("litigation", "15", "W13"), ("restructuring", "0", "W12"), ("personnel", "0", "W11"),
     ("accident", "0", "W20")],
)  # fmt: skip
def test_an_event_that_is_reported_opens_its_alert(
    small_bank: SmallBank, firm: Customer, event: str, wan: str, code: str
) -> None:
    """Litigation from 30 % of the net assets of 50; a head office approver reports nothing."""
    statement(firm, 2024)
    given = {"customer": firm, "event": event, "amount_fen": Money.from_wan(wan).fen, "business_date": DAY}
    with pytest.raises(AlertError, match="客户经理"):
        early_signals.report_event(actor=small_bank.approver, **given)  # type: ignore[arg-type]
    assert not Alert.objects.exists()
    alert = early_signals.report_event(actor=small_bank.manager_west, **given)  # type: ignore[arg-type]
    assert (alert.code if alert else "") == code
    if alert:
        assert {notice.unit for notice in alert.notices.all()} == {small_bank.west}
