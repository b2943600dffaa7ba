"""The line rule is of 1999-10-20: on that day it judges, the day before it says nothing. No database is needed."""

import datetime as dt
from collections.abc import Callable

import pytest

from shouxin.bank.models import CapitalFigure
from shouxin.domain.credit_rules import floor_grade
from shouxin.domain.findings import Finding
from shouxin.facilities import line_judging, public_lines, rules, servicing, use_approval
from shouxin.facilities.models import Drawing, Evaluation, Facility
from shouxin.facilities.services import DrawingRequest, counted_fen
from shouxin.parties.models import Customer, Party
from shouxin.policy import load_book
from shouxin.policy.products import catalogue, find_product
from tests.demo import DAY, WAN

EVE, FIRST = dt.date(1999, 10, 19), dt.date(1999, 10, 20)
RATED = {"control_amount_fen": 5_000 * WAN, "need_fen": 6_000 * WAN, "other_banks_now_fen": 3_000 * WAN,
         "other_banks_expected_fen": 2_000 * WAN}  # fmt: skip

Judge = Callable[[dt.date], list[Finding]]


def evaluation(**fields: object) -> Judge:
    """What is said of an evaluation like the example's, with some fields otherwise; the line asked for is 5,000."""
    amount = fields.pop("amount", 5_000 * WAN)
    assert isinstance(amount, int)
    made = Evaluation(**{**RATED, **fields})
    return lambda day: line_judging.judge_evaluation(made, amount_fen=amount, as_of=day, who="F")[0]


def eligible(name: str, **fields: str) -> Judge:
    customer = Customer(party=Party(**{"kind": "org", "name": name, **fields}))
    return lambda day: line_judging.judge_eligible(customer, as_of=day)


def points(clause: str, words: str) -> pytest.MarkDecorator:
    return pytest.mark.clause(clause, points=words)


CB13, CB14 = ("ABOVE_CONTROL_AMOUNT", "CB-13"), ("ABOVE_NEED", "CB-14")
CASES = [
    pytest.param(eligible("华东证券有限公司"), ("NOT_ELIGIBLE", "CB-09"), marks=points("CB-09", "over before")),
    pytest.param(eligible("王某", kind="person"), ("NOT_ELIGIBLE", "CB-09"), marks=points("CB-09", "over before")),
    pytest.param(eligible("示例制造有限公司", legal_form="有限责任公司"), None, marks=points("CB-09", "on")),
    pytest.param(
        lambda day: line_judging.judge_evaluation(None, amount_fen=WAN, as_of=day, who="F")[0],
        ("EVALUATION_MISSING", "CB-12"), marks=[points("CB-07", "over before"), points("CB-12", "before")],
    ),
    pytest.param(evaluation(), None, marks=[points("CB-07", "on"), points("CB-13", "on"), points("CB-16", "on")]),
    pytest.param(evaluation(amount=5_000 * WAN + WAN // 100), CB13, marks=points("CB-13", "over before")),
    pytest.param(evaluation(need_fen=5_000 * WAN), None, marks=points("CB-14", "on")),
    pytest.param(evaluation(need_fen=5_000 * WAN - WAN // 100), CB14, marks=points("CB-14", "over before")),
    pytest.param(evaluation(need_fen=None), ("NEED_MISSING", "CB-14"), marks=points("CB-14", "over before")),
    pytest.param(
        evaluation(other_banks_expected_fen=None), ("OTHER_BANKS_MISSING", "CB-15"),
        marks=points("CB-15", "over before"),
    ),
    pytest.param(
        evaluation(policy_tags=[{"tag": "道路运输业", "result": "restricted"}]), ("POLICY_CONFLICT", "CB-16"),
        marks=points("CB-16", "over before"),
    ),
    pytest.param(evaluation(policy_tags=[{"tag": "道路", "result": "neutral"}]), None, marks=points("CB-16", "on")),
    pytest.param(
        lambda day: line_judging.judge_rating(None, who="F", as_of=day)[0],
        ("RATING_MISSING", "CB+12"), marks=points("CB+12", "over before"),
    ),
    pytest.param(
        lambda day: line_judging.judge_rating("BBB", who="F", as_of=day)[0], None,
        marks=points("CB+12", "on"),
    ),
    pytest.param(
        lambda day: line_judging.judge_rating("BB", who="F", as_of=day)[0],
        ("RATING_RESTRICTED", "CB+6"), marks=points("CB+6", "over before"),
    ),
    pytest.param(
        lambda day: line_judging.judge_term(FIRST, dt.date(2000, 10, 21), as_of=day)[0], ("TERM_TOO_LONG", "UC-07"),
        marks=points("UC-07", "over before"),
    ),
    pytest.param(
        lambda day: line_judging.judge_term(FIRST, dt.date(2000, 10, 20), as_of=day)[0], None,
        marks=points("UC-07", "on"),
    ),
    pytest.param(
        lambda day: public_lines.judge_within_general(amount_fen=WAN + 1, general_fen=WAN, as_of=day),
        ("PUBLIC_ABOVE_GENERAL", "CB+1"), marks=points("CB+1", "over before"),
    ),
    pytest.param(
        lambda day: public_lines.judge_within_general(amount_fen=WAN, general_fen=WAN, as_of=day), None,
        marks=points("CB+1", "on"),
    ),
    pytest.param(
        lambda day: rules.judge_age(CapitalFigure(kind="net", date=dt.date(1997, 12, 31), amount_fen=WAN), as_of=day),
        ("CAPITAL_EXPIRED", "UC-05"), marks=points("UC-05", "over before"),
    ),
    pytest.param(
        lambda day: rules.judge_age(CapitalFigure(kind="net", date=dt.date(1998, 12, 31), amount_fen=WAN), as_of=day),
        None, marks=points("UC-05", "on"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("judge", "said"), CASES)
def test_a_rule_judges_from_its_day(judge: Judge, said: tuple[str, str] | None) -> None:
    """Nothing on the eve; on the first day the reason with its article, or nothing where the figure is on the line."""
    assert judge(EVE) == []
    found = [(f.code, f.article) for f in judge(FIRST) if f.code != "OTHER_BANKS_CHANGE"]
    assert found == ([said] if said else [])


@pytest.mark.clause("CB-19", points="on over before")
@pytest.mark.parametrize(
    ("day", "overdue", "grade"),
    [(dt.date(2023, 7, 1), 90, "mention"), (dt.date(2023, 7, 1), 91, "substandard"),
     (dt.date(2023, 6, 30), 91, "pass")],
)  # fmt: skip
def test_the_floors_by_days_overdue_begin_with_their_rule(day: dt.date, overdue: int, grade: str) -> None:
    assert floor_grade(overdue, servicing.class_thresholds(day)) == grade


@pytest.mark.clause("CB+4", points="on over before")
def test_which_way_the_use_of_a_line_takes() -> None:
    """Fully covered by cash, or a pledged certificate: exempt; a fen uncovered: the meeting. Before the rule: none."""

    def way(product: str, counted: int, day: dt.date = FIRST, *, public: bool = False) -> str:
        drawing = Drawing(facility=Facility(product=product), counted_fen=counted, value_date=day)
        return use_approval.kind_of(drawing, is_under_public_line=public)

    assert [way("bank_acceptance", 0), way("bank_acceptance", 1)] == ["use_exempt", "use_other"]
    assert [way("cd_pledged_loan", 1), way("cd_pledged_loan", 1, EVE)] == ["use_exempt", "use_other"]
    assert way("working_capital_loan", 1, public=True) == "use_public"


def use_of(product: str, day: dt.date = DAY, wan: int = 100) -> int:
    facility = Facility(product=product, currency="CNY", customer=Customer())
    return counted_fen(DrawingRequest(facility, wan * WAN, 0, day)) // WAN


@pytest.mark.clause("CB-06", points="on over")
def test_every_kind_of_credit_uses_the_line_and_a_deposit_does_not() -> None:
    """A letter of credit of 100 uses 100; a deposit of 100 uses 0."""
    six = ("流动资金贷款", "融资性保函", "银行承兑汇票", "信用证", "进出口贸易融资", "信用卡透支")
    assert [use_of(find_product(name, as_of=DAY).code) for name in six] == [100] * 6
    assert use_of(find_product("存款", as_of=DAY).code) == 0


def narrowed(monkeypatch: pytest.MonkeyPatch, *left_out: str, since: dt.date) -> None:
    scope = tuple(code for code in load_book().items("scope.products", DAY) if code not in left_out)
    book = load_book().overlaid({"scope.products": scope}, institution="x", citation="x", valid_from=since)
    monkeypatch.setattr("shouxin.policy.products.load_book", lambda: book)


@pytest.mark.clause("CB-11", points="on over before")
def test_the_eleven_are_in_scope_and_another_is_refused_until_the_parameter_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Factoring is none of the eleven: in scope only while the parameter lists it; before the rule all credit is."""
    eleven = [product.code for product in catalogue().values() if product.cb11]
    assert all(find_product(code, as_of=FIRST).is_in_scope for code in eleven)
    narrowed(monkeypatch, "factoring", since=FIRST)
    assert [find_product("factoring", as_of=day).is_in_scope for day in (EVE, FIRST)] == [True, False]
    narrowed(monkeypatch, since=FIRST)
    assert find_product("factoring", as_of=FIRST).is_in_scope, "added by parameter"


@pytest.mark.clause("UC-03", points="on over before")
def test_an_undrawn_commitment_counts_from_the_day_the_scope_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 undrawn count 200; where the institution leaves commitments out they count 0, but not before that day."""
    assert use_of("loan_commitment_1y", wan=200) == 200
    narrowed(monkeypatch, "loan_commitment_1y", since=DAY)
    assert [use_of("loan_commitment_1y", day, 200) for day in (DAY, DAY - dt.timedelta(days=1))] == [0, 200]
