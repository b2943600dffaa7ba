"""Which branch leads the group: the example of the demo bank, in 万元."""

from shouxin.domain.lead_branch import choose_lead, rank_branches

STOCK = {"城东": 2500, "城西": 2880, "营业部": 900}


def lead(**now: bool) -> str | None:
    chosen = choose_lead(stock_at_quarter_end_fen=STOCK, has_credit_now=now)
    return chosen.branch if chosen else None


def test_the_largest_stock_leads_until_it_has_no_credit_at_all() -> None:
    assert lead(城东=True, 城西=True, 营业部=True) == "城西"
    assert lead(城东=True, 城西=False, 营业部=True) == "城东"
    assert lead(城东=False, 城西=False, 营业部=True) == "营业部"
    assert lead() is None


def test_the_meeting_goes_before_the_computation() -> None:
    chosen = choose_lead(stock_at_quarter_end_fen=STOCK, has_credit_now={}, meeting_choice=("城东", "纪要 7 号"))
    assert chosen is not None
    assert (chosen.branch, chosen.minutes, chosen.ranking[0]) == ("城东", "纪要 7 号", ("城西", 2880))


def test_a_tie_goes_to_the_larger_undrawn_amount_then_to_the_code() -> None:
    assert [branch for branch, _ in rank_branches({"B": 10, "A": 10, "C": 10}, undrawn_fen={"C": 1})] == ["C", "A", "B"]
