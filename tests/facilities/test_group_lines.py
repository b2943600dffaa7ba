"""A group's line: on the 15 % line and just above it, with and without minutes, by two people."""

import datetime as dt
from dataclasses import replace

import pytest

from shouxin.domain.money import Money
from shouxin.facilities.group_lines import LineProposal, LineRefusedError, approve_line, check_line
from shouxin.facilities.models import GroupLine
from shouxin.facilities.rules import judge_group_total, legal_basis
from shouxin.limits.models import Node
from tests.conftest import SmallBank
from tests.demo import DAY, WAN, DemoBank


def proposal(
    bank: DemoBank, wan: str, *, minutes: str = "纪要 18 号", sub_limits: dict[str, int] | None = None
) -> LineProposal:
    limits = sub_limits or {"A": 1500, "B": 2200, "C": 1200, "D": 700, "E": 1000}
    return LineProposal(
        group=bank.group,
        amount_fen=Money.from_wan(wan).fen,
        sub_limits_fen={bank.customer(code).pk: amount * WAN for code, amount in limits.items()},
        valid_from=DAY,
        valid_to=dt.date(2026, 6, 30),
        minutes_number=minutes,
    )


def found(bank: DemoBank, wan: str, severity: str, **options: object) -> list[tuple[str, str]]:
    findings = check_line(
        proposal=proposal(bank, wan, **options),  # type: ignore[arg-type]
        approver=bank.staff("wanghy"),
        as_of=DAY,
    )
    return [(finding.code, finding.article) for finding in findings if finding.severity == severity]


@pytest.mark.clause("JS-11")
@pytest.mark.parametrize(
    ("wan", "refused"), [("7500", []), ("7500.000001", [("GROUP_ABOVE_CAPITAL_SHARE", "JS-11")]),
                         ("7500.01", [("GROUP_ABOVE_CAPITAL_SHARE", "JS-11")])],
)  # fmt: skip
def test_fifteen_percent_of_year_end_capital(demo_bank: DemoBank, wan: str, refused: list[tuple[str, str]]) -> None:
    """X06, X07: net capital 50,000 allows 7,500.00 and refuses 7,500.01, suggesting to syndicate."""
    assert found(demo_bank, wan, "refuse") == refused
    if refused:
        findings = check_line(proposal=proposal(demo_bank, wan), approver=demo_bank.staff("wanghy"), as_of=DAY)
        assert "银团" in findings[0].remedy


@pytest.mark.clause("HA-06", "A-08")
@pytest.mark.parametrize(("percent", "is_refused"), [("15.00", False), ("15.01", True)])
def test_the_total_is_held_against_the_percentage(small_bank: SmallBank, percent: str, is_refused: bool) -> None:
    """15.00 % is allowed, 15.01 % is refused."""
    amount = Money.from_wan(str(500 * Money.from_yuan(percent).fen // 100)).fen
    assert bool([f for f in judge_group_total(amount_fen=amount, as_of=DAY) if f.is_refusal]) is is_refused


@pytest.mark.clause("A-04")
def test_the_quarter_end_view_warns_beside_the_limit(demo_bank: DemoBank) -> None:
    """X05: 7,400 is 14.80 % of year-end capital and allowed, but 15.417 % of the quarter-end figure."""
    assert found(demo_bank, "7400", "refuse") == []
    findings = check_line(proposal=proposal(demo_bank, "7400"), approver=demo_bank.staff("wanghy"), as_of=DAY)
    assert [f.code for f in findings] == ["GROUP_ABOVE_QUARTER_END_SHARE"]
    assert "15.417%" in findings[0].message


@pytest.mark.clause("JS-12")
def test_the_indicator_alerts_at_the_warn_line(small_bank: SmallBank) -> None:
    """X02: 6,480 is 13.50 % of 48,000, exactly the warn line, which alerts; a fen less does not."""
    at_line = judge_group_total(amount_fen=6_480 * WAN, as_of=DAY)
    assert [(f.code, f.article) for f in at_line] == [("GROUP_AT_WARN_LINE", "JS-12")]
    assert judge_group_total(amount_fen=6_480 * WAN - 1, as_of=DAY) == []


@pytest.mark.clause("JS-13", "A-07")
@pytest.mark.parametrize(("wan", "needs"), [("6600.00", False), ("6600.01", True), ("7000", True)])
def test_above_the_threshold_the_meeting_comes_first(demo_bank: DemoBank, wan: str, needs: bool) -> None:
    """X03, X04: 6,600.00 needs no meeting; 6,600.01 without minutes is refused and with them passes."""
    expected = [("MEETING_MINUTES_MISSING", "JS-13")] if needs else []
    assert found(demo_bank, wan, "refuse", minutes="") == expected
    assert found(demo_bank, wan, "refuse", minutes="纪要 18 号") == []


@pytest.mark.clause("JS-05")
def test_even_a_line_of_one_is_approved_at_head_office(demo_bank: DemoBank) -> None:
    tiny = proposal(demo_bank, "1", sub_limits=dict.fromkeys("ABCDE", 0))
    refused = check_line(proposal=tiny, approver=demo_bank.staff("hewei"), as_of=DAY)
    assert [(f.code, f.article) for f in refused] == [("APPROVER_NOT_HEAD_OFFICE", "JS-05")]
    assert check_line(proposal=tiny, approver=demo_bank.staff("wanghy"), as_of=DAY) == []


@pytest.mark.clause("X08", points="on over")
def test_sub_limits_stay_within_the_line(demo_bank: DemoBank) -> None:
    """X08: with D = 1,000 the sub-limits sum to 7,100, above 7,000."""
    limits = {"A": 1500, "B": 2200, "C": 1200, "D": 1000, "E": 1200}
    assert found(demo_bank, "7000", "refuse", sub_limits=limits) == [("SUB_LIMITS_ABOVE_LINE", "BR-12")]
    assert found(demo_bank, "7000", "refuse", sub_limits={**limits, "D": 900}) == [], "7,000 of 7,000"


@pytest.mark.clause("BR-12")
def test_each_member_and_only_members_get_a_sub_limit(demo_bank: DemoBank) -> None:
    limits = {"A": 1500, "B": 2200, "C": 1200, "D": 900, "F": 100}
    assert found(demo_bank, "7000", "refuse", sub_limits=limits) == [
        ("MEMBER_WITHOUT_SUB_LIMIT", "BR-12"),
        ("SUB_LIMIT_FOR_STRANGER", "BR-03"),
    ]


@pytest.mark.clause("CB-05", points="on before")
def test_an_approved_line_prints_its_legal_basis(demo_bank: DemoBank) -> None:
    assert [len(legal_basis(as_of=dt.date(1999, 10, day))) for day in (19, 20)] == [0, 3]
    line = GroupLine.objects.get()
    assert line.legal_basis == [
        "《中华人民共和国商业银行法》",
        "《贷款通则》",
        "《商业银行实施统一授信制度指引（试行）》",
    ]


def test_approving_puts_caps_in_force_and_refusing_writes_nothing(demo_bank: DemoBank) -> None:
    people = {"proposer": demo_bank.staff("fengxc"), "approver": demo_bank.staff("wanghy"), "business_date": DAY}
    with pytest.raises(LineRefusedError):
        approve_line(proposal=proposal(demo_bank, "7500.01"), **people)  # type: ignore[arg-type]
    same = {**people, "proposer": demo_bank.staff("wanghy")}
    with pytest.raises(LineRefusedError, match="四眼"):
        approve_line(proposal=proposal(demo_bank, "7000"), **same)  # type: ignore[arg-type]
    assert GroupLine.objects.count() == 1
    approve_line(proposal=replace(proposal(demo_bank, "7400")), **people)  # type: ignore[arg-type]
    assert demo_bank.group.limit_node.cap_fen == 7_400 * WAN
    assert Node.objects.get(customer=demo_bank.customer("E"), kind="CUSTOMER").excess_cause == "CAP_CUT"
