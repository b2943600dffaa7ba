"""The worked example through the services of the demo bank, figure by figure: credit, limits, exposures, transactions,
changes of members, a related party of the bank, the public line."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import transaction

from shouxin.approvals.services import CaseRefusedError
from shouxin.bank.models import CapitalFigure
from shouxin.domain.money import Money
from shouxin.facilities import connections, line_cases, public_lines, rules
from shouxin.facilities.models import Deal, Drawing
from shouxin.facilities.selectors import group_total_fen, totals_of_customers
from shouxin.facilities.services import DrawingRequest, check_drawing, release_drawing
from shouxin.groups.models import Agreement, Candidate, Guarantee, Holding, MergeTask
from shouxin.groups.services import run_determination
from shouxin.limits.models import Node
from shouxin.monitoring import watch
from shouxin.monitoring.models import Alert
from shouxin.parties.models import Customer, Party
from shouxin.policy import load_book
from shouxin.reporting.selectors import capital_on
from tests.credit import investigated, prepared_group, propose
from tests.demo import DAY, WAN, DemoBank

BEFORE_EXPOSURES = dt.date(2018, 6, 30)
BEFORE_RELATED = dt.date(2022, 2, 28)
BEFORE_GROUPS = dt.date(2003, 10, 22)


def fen(wan: str) -> int:
    return Money.from_wan(wan).fen


def pks(bank: DemoBank, codes: str) -> list[int]:
    return [bank.customer(code).pk for code in codes]


# --- 7.4 and 7.5: credit, limits, exposures ---------------------------------------------------------------------------


@pytest.mark.clause("X01", "X02", points="on")
def test_x01_x02_the_line_of_capital_and_the_groups_share(demo_bank: DemoBank) -> None:
    """7,500 by the year-end, 7,200 by the quarter-end; 6,480 is 12.96 % and 13.50 %: the warn line alerts."""
    capital = capital_on(DAY)
    assert capital.ceiling_fen == 7_500 * WAN
    quarter = CapitalFigure.objects.get(kind="net", date=DAY)
    limit = load_book().decimal("group.limit.pct_net_capital", DAY)
    assert quarter.amount_fen * limit / 100 == 7_200 * WAN
    used = {code: totals_of_customers(pks(demo_bank, code), as_of=DAY) for code in "ABCDEF"}
    sums = {code: next(iter(totals.values())) for code, totals in used.items()}
    assert {code: row.control_use_fen // WAN for code, row in sums.items()} == {
        "A": 1500, "B": 2000, "C": 1180, "D": 700, "E": 1100, "F": 800,
    }  # fmt: skip
    assert sum(sums[code].gross_fen for code in "ABCDE") == 8_200 * WAN
    assert [group_total_fen(pks(demo_bank, codes), as_of=DAY) // WAN for codes in ("ABCDE", "ABEF", "ABCDEF")] == [
        6_480, 5_400, 7_280,
    ]  # fmt: skip
    (finding,) = rules.judge_group_total(amount_fen=6_480 * WAN, as_of=DAY)
    assert (finding.code, finding.inputs["占比"]) == ("GROUP_AT_WARN_LINE", "13.50%")
    assert Decimal(6_480) * 100 / 50_000 == Decimal("12.96")
    watch.watch_group(demo_bank.group, as_of=DAY)
    assert "13.50%" in Alert.objects.get(code="W01").message


@pytest.mark.clause("X02", points="over before")
def test_x02_just_below_the_warn_line_and_before_its_day_nothing_is_said(demo_bank: DemoBank) -> None:
    assert rules.judge_group_total(amount_fen=fen("6479.99"), as_of=DAY) == []
    assert rules.judge_group_total(amount_fen=fen("6480"), as_of=BEFORE_GROUPS) == []
    assert watch.watch_group(demo_bank.group, as_of=BEFORE_GROUPS) == []


@pytest.mark.clause("X15", points="on over before")
def test_x15_loans_to_one_borrower(demo_bank: DemoBank) -> None:
    """A 3.00 %, D 2.40 % (the pledged loan counts); 10 % of 50,000 is 5,000, not a fen more, since 1995-07-01."""
    from shouxin.facilities.drawing_checks import Asked, _single_loan_room

    Node.objects.update(cap_fen=None)
    Node.objects.filter(kind="CUSTOMER").update(cap_fen=99_000 * WAN)
    used = {}
    for code in "ABCDE":
        request = DrawingRequest(demo_bank.facility(code), WAN, 0, DAY, DAY + dt.timedelta(days=90))
        room = _single_loan_room(Asked(request, WAN, WAN))
        assert room is not None
        used[code] = f"{Decimal(room.used_fen) * 100 / (50_000 * WAN):.2f}"
    assert used == {"A": "3.00", "B": "2.00", "C": "1.40", "D": "2.40", "E": "1.20"}

    def is_refused(wan: str, day: dt.date = DAY) -> bool:
        request = DrawingRequest(demo_bank.facility("D"), fen(wan), 0, day, day + dt.timedelta(days=90))
        return "SINGLE_LOANS_ABOVE_SHARE" in [f.code for f in check_drawing(request=request)[0]]

    assert not is_refused("3800.00")
    assert is_refused("3800.01")
    from shouxin.facilities.models import Facility

    Facility.objects.update(start_date=dt.date(1990, 1, 1))
    CapitalFigure.objects.create(kind="net", date=dt.date(1994, 12, 31), amount_fen=50_000 * WAN, source="G40")
    assert is_refused("5000.01", dt.date(1995, 7, 1))
    assert not is_refused("5000.01", dt.date(1995, 6, 30))


@pytest.mark.clause("X16", "X17", "X18", "X19", points="on over before")
def test_x16_to_x19_large_exposures(demo_bank: DemoBank) -> None:
    """2.5 % of 39,000 is 975, 5 % is 1,950, 20 % is 7,800; nothing of it before 2018-07-01."""
    people = Customer.objects.filter(stage="customer")

    def rows(day: dt.date = DAY) -> dict[str, connections.LargeExposure]:
        found = connections.large_exposures(as_of=day, customers=people)
        codes = dict(Customer.objects.values_list("pk", "party__source_id"))
        return {"".join(sorted(codes[pk] for pk in row.customer_ids)): row for row in found}

    shown = rows()
    assert {name: row.exposure_wan for name, row in shown.items()} == {
        "ABCDEF": "6,586.00", "ABCDE": "5,786.00", "B": "2,000.00", "A": "1,500.00", "F": "800.00", "C": "796.00",
        "E": "790.00", "D": "700.00",
    }  # fmt: skip
    assert {name for name, row in shown.items() if row.is_large} == {"ABCDEF", "ABCDE", "A", "B"}
    assert [name for name, row in shown.items() if row.starts_dependence_test] == ["B"]
    assert [f"{shown[name].share:.3f}" for name in ("B", "ABCDE", "ABCDEF")] == ["5.128", "14.836", "16.887"]
    assert (shown["ABCDEF"].room_fen, shown["ABCDEF"].limit_percent) == (1_214 * WAN, 20)
    f = demo_bank.customer("F").pk
    assert f in connections.connected_set(demo_bank.customer("B"), as_of=DAY), "62 % of F's income comes from B"

    d = Deal.objects.get(customer=demo_bank.customer("D"), product="working_capital_loan")
    b = Deal.objects.get(customer=demo_bank.customer("B"), product="working_capital_loan")
    for wan, is_large in (("975.00", False), ("975.01", True)):
        Deal.objects.filter(pk=d.pk).update(amount_fen=fen(wan))
        assert rows()["D"].is_large is is_large
    for wan, is_tested in (("950.00", False), ("950.01", True)):
        Deal.objects.filter(pk=b.pk).update(amount_fen=fen(wan))
        assert rows()["B"].starts_dependence_test is is_tested, "with 1,000 of the acceptance"
    Deal.objects.filter(pk=b.pk).update(amount_fen=1_000 * WAN)
    for wan, is_above in (("1914.00", False), ("1914.01", True)):
        Deal.objects.filter(pk=d.pk).update(amount_fen=fen(wan))
        assert rows()["ABCDEF"].is_above_limit is is_above, "1,214 more"
    for wan, is_above in (("2714.00", False), ("2714.01", True)):
        Deal.objects.filter(pk=d.pk).update(amount_fen=fen(wan))
        assert rows()["ABCDE"].is_above_limit is is_above, "2,014 more"
    CapitalFigure.objects.filter(kind="tier1").update(date=dt.date(2018, 3, 31))
    Deal.objects.update(start_date=dt.date(2018, 1, 1))
    assert rows(BEFORE_EXPOSURES) == {}
    assert rows(dt.date(2018, 7, 1))["B"].is_large

    from shouxin.reporting import g14

    before = g14.part_four(as_of=BEFORE_EXPOSURES)
    assert (before.quarter_end, before.due_date, before.rows) == (BEFORE_EXPOSURES, None, [])
    assert g14.part_four(as_of=dt.date(2018, 9, 30)).due_date == dt.date(2018, 10, 18)


@pytest.mark.clause("X20", points="on over before")
def test_x20_guarantees_inside_the_group(demo_bank: DemoBank) -> None:
    """A→D→E→B→A is a circle; 2,800 of 7,000 is 40.00 %; 2,100 is 30 % and not above; nothing before the rule."""
    found = connections.group_guarantees(demo_bank.group, line_fen=7_000 * WAN, as_of=DAY)
    assert ([f.article for f in found.findings], found.total_fen) == (["W09", "W10"], 2_800 * WAN)
    assert "占集团额度 7,000.00 万元的 40.00%，超过 30%" in found.findings[1].message
    assert {name[:4] for name in found.cycle} == {"宏达集团", "宏达建材", "明远贸易", "建军钢构"}
    Guarantee.objects.filter(debtor__source_id="A").update(valid_to=DAY)
    for wan, articles in (("500", []), ("500.01", ["W10"])):
        Guarantee.objects.filter(guarantor__source_id="A").update(amount_fen=fen(wan))
        broken = connections.group_guarantees(demo_bank.group, line_fen=7_000 * WAN, as_of=DAY)
        assert [f.article for f in broken.findings] == articles, wan
    from shouxin.groups.models import Membership

    Membership.objects.update(valid=(None, None))
    Guarantee.objects.update(valid_from=None)
    then = connections.group_guarantees(demo_bank.group, line_fen=7_000 * WAN, as_of=BEFORE_GROUPS)
    assert (then.total_fen > 2_100 * WAN, "W10" in [f.article for f in then.findings]) == (True, False)


@pytest.mark.clause("X21", "X22", points="on over before")
def test_x21_x22_transactions_that_a_customer_reports(demo_bank: DemoBank) -> None:
    """450 of 4,000 is 11.25 %, of 5,000 it is 9.00 %; equipment of 200 for 1 yuan is 13.33 % of 1,500."""
    d, e, c = (demo_bank.customer(code) for code in "DEC")

    def judged(net: str, *, price: int | None, fair: int | None = None, day: dt.date = DAY) -> list[str]:
        given = connections.TransactionInput(
            counterparty=e.party, traded_date=day, net_assets_fen=fen(net), price_fen=price, fair_value_fen=fair
        )
        return [f.message for f in connections.judge_transaction(given, as_of=day) if f.article == "X21"]

    assert "占净资产 11.25%" in judged("4000", price=fen("450"))[0]
    for item in ("关联关系", "项目和性质", "金额或比例", "定价政策"):
        assert item in judged("4000", price=fen("450"))[0], "the four items"
    assert judged("5000", price=fen("450")) == [], "9.00 %"
    assert judged("4500", price=fen("450")) != [], "exactly 10 %"
    assert judged("4500.01", price=fen("450")) == [], "just less than 10 %"
    assert "占净资产 13.33%" in judged("1500", price=100, fair=fen("200"))[0]
    assert judged("1500", price=100) == [], "by its price it would be missed"
    assert judged("4000", price=fen("450"), day=BEFORE_GROUPS) == []
    given = connections.TransactionInput(
        counterparty=d.party, traded_date=DAY, net_assets_fen=fen("1500"), price_fen=100, fair_value_fen=fen("200")
    )
    row = watch.record_transaction(actor=demo_bank.staff("liujg"), customer=c, given=given, business_date=DAY)
    assert (row.must_report, row.due_date, row.reported_date) == (True, dt.date(2025, 7, 14), None)
    assert {alert.code for alert in Alert.objects.filter(customer=c)} == {"W07", "W08"}


# --- 7.7: who belongs to the group ------------------------------------------------------------------------------------

ANCHORS = ("陈建国", "李秀英", "陈明", "陈建军", "陈亮", "陈乐", "王强", "张伟")


def found_after(
    bank: DemoBank, change: Callable[[], object], closure: str = "anchor"
) -> tuple[set[str], int, set[str]]:
    """The maximal groups by their companies, the overlaps, the companies of in-laws; then all is undone."""
    book = load_book().overlaid({"group.closure": closure}, institution="x", citation="x", valid_from=BEFORE_GROUPS)
    with transaction.atomic():
        change()
        anchors = [str(Party.objects.get(source_id=name).pk) for name in ANCHORS]
        run = run_determination(actor=bank.staff("gaoyl"), as_of=DAY, business_date=DAY, book=book, anchors=anchors)
        groups = {
            "".join(sorted(candidate.members.filter(is_customer=True).values_list("party__source_id", flat=True)))
            for candidate in Candidate.objects.filter(determination=run)
        }
        overlaps = MergeTask.objects.filter(determination=run).count()
        told = {finding["party"] for finding in run.findings if finding["code"] == "IN_LAW_CANDIDATE"}
        hints = set(Party.objects.filter(pk__in=told).values_list("source_id", flat=True))
        transaction.set_rollback(True)
    return groups, overlaps, hints


def company(bank: DemoBank, code: str, owner: str, percent: int = 100) -> None:
    """A new company of somebody with credit at the bank."""
    party = Party.objects.create(kind=Party.Kind.ORGANISATION, name=f"新设{code}", source_id=code)
    Customer.objects.create(party=party, number=f"NEW-{code}", unit=bank.customer("D").unit, stage="customer")
    Holding.objects.create(holder=Party.objects.get(source_id=owner), company=party, votes=percent * 1_000_000)


@pytest.mark.clause("Y02", "Y04", "Y05", "Y06", "Y07", points="on over")
def test_y02_to_y07_who_belongs_to_the_group(demo_bank: DemoBank) -> None:
    def party(name: str) -> Party:
        return Party.objects.get(source_id=name)

    def after(change: Callable[[], object] = lambda: None, closure: str = "anchor") -> tuple[set[str], int, set[str]]:
        return found_after(demo_bank, change, closure)

    assert after()[:2] == ({"ABCDE", "ABEF"}, 1), "as it stands: two that overlap"
    sells = Holding.objects.filter(company=party("C"), holder=party("陈芳"))
    assert after(lambda: sells.update(valid_to=DAY))[:2] == ({"ABDE", "ABEF"}, 1), "Y02: 45 % is no control"
    assert after(closure="transitive")[0] == {"ABCDEF"}, "Y04"
    board = {"controller": party("A"), "company": party("F"), "kind": "board_majority"}
    assert after(lambda: Agreement.objects.create(**board))[0] == {"ABCDEF"}, "Y03: the same members"
    assert after(lambda: company(demo_bank, "H", "陈乐"))[:2] == ({"ABCDE", "ABCDH", "ABEF"}, 3), "Y05: overlaps"
    groups, _, hints = after(lambda: company(demo_bank, "K", "王强"))
    assert (groups, "K" in hints) == ({"ABCDE", "ABEF"}, True), "Y06: a candidate of in-laws, no member"
    assert after(lambda: company(demo_bank, "L", "张伟"))[0] == {"ABCDE", "ABEF"}, "Y07: 49 % of D link nothing"


@pytest.mark.clause("Y09", points="on over before")
def test_y09_a_shareholder_of_the_bank_and_his_group(demo_bank: DemoBank) -> None:
    """陈建国 buys 6 % of the bank: A–E are related parties; 480.00 to D is major, 479.99 is not, unless the sum reaches
    2,400; the group of 6,480 stays within 7,200, a new line of 7,400 does not. Nothing of it before 2022-03-01."""
    connections.add_bank_relation(
        actor=demo_bank.staff("fengxc"), party=Party.objects.get(source_id="陈建国"), relation="持股 6% 的股东",
        valid_from=dt.date(2020, 1, 1), source="股东名册", business_date=DAY,
    )  # fmt: skip
    assert set(connections.related_customers(DAY)) == set(pks(demo_bank, "ABCDE"))
    Node.objects.filter(kind="CUSTOMER").update(cap_fen=6_000 * WAN)
    Node.objects.filter(group=demo_bank.group).update(cap_fen=7_400 * WAN)

    def of(wan: str, day: dt.date = DAY) -> dict[str, str]:
        found = connections.judge_related(customer=demo_bank.customer("D"), amount_fen=fen(wan), as_of=day)
        return {f.code: f.severity for f in found}

    assert of("480.00") == {"RELATED_PARTY": "info", "RELATED_MAJOR": "warn"}
    assert of("479.99") == {"RELATED_PARTY": "info"}
    assert of("479.99", BEFORE_RELATED) == of("480.00", BEFORE_RELATED) == {}
    assert of("720.00") == {"RELATED_PARTY": "info", "RELATED_MAJOR": "warn"}, "the group at 7,200: 15.00 %"
    assert of("720.01")["RELATED_ABOVE_LIMIT"] == "refuse", "7,200.01"

    loan = Deal.objects.get(customer=demo_bank.customer("D"), product="working_capital_loan")
    Deal.objects.filter(customer=demo_bank.customer("B")).update(closed_date=DAY)
    for before, is_major in (("2000.00", False), ("2000.01", True)):
        Deal.objects.filter(pk=loan.pk).update(amount_fen=fen(before))
        assert ("RELATED_MAJOR" in of("399.99")) is is_major, "2,399.99 and 2,400.00 together"

    first = demo_bank.draw("D", "399.99")
    assert (first.state, "RELATED_MAJOR" in [f["code"] for f in first.findings]) == ("reserved", True)
    release_drawing(actor=demo_bank.staff("wanghy"), drawing=first, business_date=DAY, minutes_number="贷审 1 号")
    assert "RELATED_MAJOR" not in of("479.99"), "less than a further 1 % since the sum of 2,400"
    Drawing.objects.filter(pk=first.pk).update(state=Drawing.State.VOIDED)
    assert "RELATED_MAJOR" in of("479.99"), "a drawing that was withdrawn settled nothing"

    members = pks(demo_bank, "ABCDE")
    for wan, codes in (("7200", ["RELATED_PARTY"]), ("7200.01", ["RELATED_PARTY", "RELATED_ABOVE_LIMIT"])):
        found = connections.judge_related_line(member_ids=members, amount_fen=fen(wan), as_of=DAY)
        assert [f.code for f in found] == codes
    assert connections.judge_related_line(member_ids=members, amount_fen=fen("7400"), as_of=BEFORE_RELATED) == []
    prepared_group(demo_bank)
    case = investigated(demo_bank, propose(demo_bank, "7400"))
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    (finding,) = refused.value.findings
    assert (finding.code, finding.article) == ("RELATED_ABOVE_LIMIT", "Y09")
    assert "7,400.00 万元占 2025-06-30 资本净额 15.42%" in finding.message
    assert "《银行保险机构关联交易管理办法》（2022年第1号）第十六条" in finding.citation


# --- 7.9: the public line ---------------------------------------------------------------------------------------------


@pytest.mark.clause("7.9", points="on over")
def test_the_public_line_of_b(demo_bank: DemoBank) -> None:
    """AA, 68 %, 4,200, three clean years: a certificate of 2,200; no fixed-asset loan under it; interest due on
    2025-08-01 and not paid by 2025-08-31: cancelled on 2025-09-01 with notice and report, the general line stays."""
    from shouxin.facilities.models import PublicLine
    from tests.facilities.test_customer_lines import issued

    issued(demo_bank)
    b, line = demo_bank.customer("B"), PublicLine.objects.get()
    assert (line.amount_fen, line.is_exception) == (2_200 * WAN, False)
    tests = {test.name: test.is_met for test in public_lines.eligibility(b, as_of=DAY)}
    assert list(tests.values()) == [True] * 4
    refused = public_lines.judge_use(customer=b, product="fixed_asset_loan", counted_fen=WAN, as_of=DAY)
    assert [(f.code, f.article) for f in refused] == [("PRODUCT_EXCLUDED_FROM_PUBLIC_LINE", "CB+3")]
    due = dt.date(2025, 8, 1)
    loan = Deal.objects.get(customer=b, product="working_capital_loan")
    watch.record_overdue(
        actor=demo_bank.staff("yaoj"), deal=loan, since_date=due, principal_fen=0, interest_fen=WAN, business_date=due
    )
    line.refresh_from_db()
    assert (line.status, line.cure_by_date) == ("curing", dt.date(2025, 8, 31))
    assert watch.end_of_day(as_of=dt.date(2025, 8, 31)).cancelled == []
    (cancelled,) = watch.end_of_day(as_of=dt.date(2025, 9, 1)).cancelled
    assert (cancelled.cancelled_date, cancelled.reported_date) == (dt.date(2025, 9, 1), dt.date(2025, 9, 1))
    assert cancelled.notice_number
    assert Node.objects.get(customer=b, kind="CUSTOMER").cap_fen == 2_200 * WAN, "the general line stays"
    assert public_lines.latest_cancellation(b.pk) == cancelled, "and is flagged"
