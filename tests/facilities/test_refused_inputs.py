"""What may not be entered: negative limits, periods that are over, releases beyond the room, impossible statements."""

import datetime as dt
import io
import zipfile

import pytest
from click.testing import CliRunner
from django.db import IntegrityError, transaction
from django.urls import reverse
from python_calamine import CalamineWorkbook

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Act, Case, Delegation, Minutes
from shouxin.approvals.selectors import tasks_of
from shouxin.approvals.services import CaseError, CaseRefusedError
from shouxin.bank.scope import scope_of
from shouxin.facilities import connections, evaluating, group_lines, line_cases, servicing
from shouxin.facilities.line_life import list_lines
from shouxin.facilities.models import CoverChange, Deal, Drawing, FinancialStatement, GroupLine
from shouxin.facilities.services import DrawingRequest, check_drawing, request_drawing
from shouxin.groups.selectors import find_group_of
from shouxin.reporting import case_documents
from shouxin.web.case_commands import list_cases
from tests.credit import SUB, evaluated, investigated, prepared_group, propose, reviewed, submitted, with_minutes
from tests.demo import DAY, WAN, DemoBank
from tests.facilities.test_customer_lines import issued, rate
from tests.web.test_pages import sign_in


def found(case: Case, code: str, on: dt.date = DAY) -> list[str]:
    return [f.message for f in line_cases.judge(case, as_of=on).findings if f.code == code]


def test_a_negative_limit_is_refused_in_form_service_rules_and_table(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    d = demo_bank.customer("D").pk
    manager = sign_in(demo_bank.staff("liujg"))
    url = reverse("group_line_propose", args=[demo_bank.group.number])
    data = {
        "amount": "7000", "valid_from": "2025-06-30", "valid_to": "2026-06-30",
        **{f"sub-{demo_bank.customer(code).pk}": str(amount) for code, amount in SUB.items()},
    }  # fmt: skip
    product = f"prod-{d}-working_capital_loan"
    for wrong in (
        {f"sub-{d}": "-5"}, {f"sub-{d}": "9e30"}, {f"sub-{d}": "1.0000001"}, {product: "-1"}, {product: "0"},
        {"amount": "0"}, {"amount": "-7000"},
    ):  # fmt: skip
        answer = manager.post(url, {**data, **wrong})
        assert answer.status_code == 422, wrong
    assert not Case.objects.exists()
    with pytest.raises(CaseError, match="不小于 0"):
        propose(demo_bank, "7000", sub={**SUB, "D": -5})
    case = propose(demo_bank, "7000", sub={**SUB, "D": 0})
    assert found(case, "SUB_LIMIT_NEGATIVE") == []
    case.payload = {**case.payload, "sub_limits": {**case.payload["sub_limits"], str(d): -5}}
    assert len(found(case, "SUB_LIMIT_NEGATIVE")) == 1, "whatever wrote it"
    case.payload = {**case.payload, "product_limits": {str(d): {"working_capital_loan": 0}}}
    assert len(found(case, "PRODUCT_LIMIT_NOT_POSITIVE")) == 1
    line = GroupLine(
        group=demo_bank.group, amount_fen=WAN, sub_limits={str(d): -5}, valid_from=DAY,
        valid_to=DAY + dt.timedelta(days=1), proposed_by=demo_bank.staff("liujg"),
        approved_by=demo_bank.staff("wanghy"),
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="sub_limits_not_negative"), transaction.atomic():
        line.save()
    assert group_lines.GroupLine.objects.filter(sub_limits__has_key=str(d)).count() <= 1


def test_a_period_that_is_over_is_refused_and_a_far_start_is_said(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = propose(demo_bank, "7000", on=dt.date(2024, 6, 29), until=DAY)
    assert len(found(case, "PERIOD_PAST")) == 1, "the end is excluded: it ended yesterday"
    assert found(case, "PERIOD_PAST", DAY - dt.timedelta(days=1)) == []
    case.payload = {**case.payload, "valid_from": "2025-03-30", "valid_to": "2026-03-30"}
    assert found(case, "START_FAR_AWAY") == []
    case.payload = {**case.payload, "valid_from": "2025-03-29", "valid_to": "2026-03-29"}
    assert "2025-03-29 早于" in found(case, "START_FAR_AWAY")[0]
    case.payload = {**case.payload, "valid_from": "2025-10-01", "valid_to": "2026-09-30"}
    assert "2025-10-01 晚于" in found(case, "START_FAR_AWAY")[0]


def test_a_sub_limit_below_present_use_is_said_with_the_excess(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    assert found(propose(demo_bank, "7000", sub={**SUB, "B": 2000}), "SUB_LIMIT_BELOW_USE") == []
    Case.objects.all().update(state=Case.State.WITHDRAWN)
    (text,) = found(propose(demo_bank, "7000", sub={**SUB, "B": 1999}), "SUB_LIMIT_BELOW_USE")
    assert "生效后超出 1.00 万元" in text


def test_above_the_need_asks_for_a_reason_but_raises_no_level(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    demo_bank.group.evaluations.update(need_fen=6_000 * WAN)
    case = investigated(demo_bank, propose(demo_bank, "6500", sub={**SUB, "A": 1000}))
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    assert [f.code for f in refused.value.findings] == ["EXCEPTION_REASON_MISSING"]
    case = line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="旺季", business_date=DAY)
    assert (case.exceptions, case.level_name) == ([], "总行审批")


def test_a_members_exit_is_decided_on_the_groups_total(demo_bank: DemoBank) -> None:
    d = demo_bank.customer("D")
    assert find_group_of(d.pk, as_of=DAY) is not None
    case = line_cases.propose_exit(
        actor=demo_bank.staff("liujg"), customer=d, plan="收回", until_date=dt.date(2025, 12, 31), business_date=DAY
    )
    assert line_cases.judge(case, as_of=DAY).authority.aggregate_fen == 6_480 * WAN


def test_a_release_beyond_the_room_is_refused_unless_it_has_happened(demo_bank: DemoBank) -> None:
    """B uses 2,000 of 2,200: 200 may be released, not a fen more; a fact is entered by operations alone."""
    acceptance = Deal.objects.get(customer=demo_bank.customer("B"), product="bank_acceptance")

    def change(after_fen: int, *, by: str, has_happened: bool = False) -> servicing.CoverOutcome:
        return servicing.change_cover(
            actor=demo_bank.staff(by), deal=acceptance, kind="margin", after_fen=after_fen, reason="客户申请",
            business_date=DAY, has_happened=has_happened,
        )  # fmt: skip

    with pytest.raises(servicing.ServicingError, match=r"只余 200\.00 万元"):
        change(800 * WAN - 1, by="qianf")
    with pytest.raises(servicing.ServicingError, match="由授信操作岗登记"):
        change(800 * WAN - 1, by="qianf", has_happened=True)
    assert not CoverChange.objects.exists()
    assert change(800 * WAN, by="qianf").excess_fen == 0
    assert change(700 * WAN, by="yaoj", has_happened=True).excess_fen == 100 * WAN
    assert CoverChange.objects.filter(has_happened=True).count() == 1


def test_arrears_before_the_loan_are_refused(demo_bank: DemoBank) -> None:
    loan = Deal.objects.get(customer=demo_bank.customer("E"), product="working_capital_loan")
    with pytest.raises(servicing.ServicingError, match="发放日"):
        servicing.record_overdue(
            actor=demo_bank.staff("yaoj"), deal=loan, since_date=loan.start_date - dt.timedelta(days=1),
            principal_fen=WAN, interest_fen=0, business_date=DAY,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("items", "why"),
    [({"current_assets": 101}, "流动资产合计"), ({"current_assets": 100}, ""),
     ({"total_assets": -100, "total_liabilities": -60, "equity": -40}, "不能为负数")],
)  # fmt: skip
def test_a_balanced_but_impossible_statement_is_refused(items: dict[str, int], why: str) -> None:
    whole = {"total_assets": 100, "total_liabilities": 60, "equity": 40, **items}
    reasons = evaluating.judge_statement(
        evaluating.StatementInput(DAY, {name: value * WAN for name, value in whole.items()})
    )
    assert (why in "；".join(reasons)) if why else reasons == []


def test_a_wrong_statement_is_voided_and_replaced(demo_bank: DemoBank) -> None:
    d, by = demo_bank.customer("D"), demo_bank.staff("liujg")

    def enter(assets: int) -> FinancialStatement:
        items = {"total_assets": assets * WAN, "total_liabilities": 0, "equity": assets * WAN}
        (stored,) = evaluating.add_statements(
            actor=by, customer=d, scope="own", source="年报", business_date=DAY,
            statements=[evaluating.StatementInput(dt.date(2024, 12, 31), items)],
        )  # fmt: skip
        return stored

    wrong = enter(100)
    with pytest.raises(evaluating.EvaluationError, match="已录入"):
        enter(200)
    with pytest.raises(evaluating.EvaluationError, match="作废原因"):
        evaluating.void_statement(actor=by, statement=wrong, reason=" ", business_date=DAY)
    answer = sign_in(by).post(reverse("statement_void", args=[wrong.pk]), {"reason": "录错单位"}, follow=True)
    assert "录错单位" in answer.content.decode()
    assert evaluating.latest_statement(d.pk, as_of=DAY) is None
    assert evaluating.latest_statement(d.pk, as_of=DAY - dt.timedelta(days=1)) == wrong, "as it was yesterday"
    right = enter(200)
    assert evaluating.latest_statement(d.pk, as_of=DAY) == right
    with pytest.raises(evaluating.EvaluationError, match="已于"):
        evaluating.void_statement(actor=by, statement=wrong, reason="再次", business_date=DAY)


def test_a_general_line_below_use_is_said(demo_bank: DemoBank) -> None:
    f = demo_bank.customer("F")
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny")
    case = line_cases.propose_customer_line(
        actor=demo_bank.staff("suny"), customer=f, amount_fen=799 * WAN, valid_from=DAY,
        valid_to=dt.date(2026, 6, 30), business_date=DAY,
    )  # fmt: skip
    assert "生效后超出 1.00 万元" in found(case, "SUB_LIMIT_BELOW_USE")[0]


@pytest.mark.parametrize(
    ("maturity", "reason", "severity"),
    [("2026-06-30", "", None), ("2026-07-01", "", "refuse"), ("2026-07-01", " ", "refuse"),
     ("2026-07-01", "项目回款在七月", "warn")],
)  # fmt: skip
def test_maturity_beyond_the_line_needs_a_reason(
    demo_bank: DemoBank, maturity: str, reason: str, severity: str | None
) -> None:
    request = DrawingRequest(
        demo_bank.facility("D"), WAN, 0, DAY, maturity_date=dt.date.fromisoformat(maturity), exception_reason=reason
    )
    severities = [f.severity for f in check_drawing(request=request)[0] if f.code == "MATURITY_BEYOND_LINE"]
    assert severities == ([severity] if severity else [])


def test_a_drawing_form_without_maturity_is_refused(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("liujg"))
    url = reverse("drawing_new", args=[demo_bank.customer("D").number])
    form = {
        "facility": str(demo_bank.facility("D").pk), "amount": "1", "value_date": "2025-06-30", "key": "no-maturity",
        "maturity_date": "",
    }  # fmt: skip
    assert client.post(url, form).status_code == 422
    assert not Drawing.objects.exists()
    assert client.get(url).context["form"]["maturity_date"].value() == dt.date(2026, 6, 30), "the line's end"


def test_a_delegate_opens_the_case_that_waits_and_only_while_it_waits(demo_bank: DemoBank) -> None:
    """A branch head stands in for head office's approver: a case of another branch opens while it waits."""
    prepared_group(demo_bank)
    case = propose(demo_bank, "6600", sub={**SUB, "A": 1100})
    case = reviewed(demo_bank, submitted(demo_bank, case))
    deputy = demo_bank.staff("hewei")
    day = {"valid_from": DAY, "valid_to": DAY + dt.timedelta(days=7), "reason": "出差", "business_date": DAY}
    Case.objects.filter(pk=case.pk).update(unit=demo_bank.customer("E").unit)
    Act.objects.filter(case=case, actor=deputy).update(actor=demo_bank.staff("suny"))
    url = reverse("case_detail", args=[case.number])
    assert sign_in(deputy).get(url).status_code == 404
    given = approvals.delegate(actor=demo_bank.staff("wanghy"), to=deputy, **day)
    assert [task.case.pk for task in tasks_of(deputy, as_of=DAY)] == [case.pk]
    assert sign_in(deputy).get(url).status_code == 200
    approvals.revoke_delegation(actor=demo_bank.staff("wanghy"), delegation=given, business_date=DAY)
    assert sign_in(deputy).get(url).status_code == 404


def test_who_may_stand_in_and_for_how_long(demo_bank: DemoBank) -> None:
    def delegate(to: str, days: int, start: dt.date = DAY, by: str = "wanghy") -> object:
        return approvals.delegate(
            actor=demo_bank.staff(by), to=demo_bank.staff(to), valid_from=start,
            valid_to=start + dt.timedelta(days=days), reason="出差", business_date=DAY,
        )  # fmt: skip

    for to, days, start, by, why in (
        ("liujg", 7, DAY, "wanghy", "不能受托"), ("hewei", 91, DAY, "wanghy", "最长 90 天"),
        ("hewei", 7, DAY - dt.timedelta(days=1), "wanghy", "过去"), ("hewei", 7, DAY, "liujg", "没有可以委托"),
    ):  # fmt: skip
        with pytest.raises(CaseError, match=why):
            delegate(to, days, start, by)
    delegate("hewei", 90)
    with pytest.raises(CaseError, match="重叠"):
        delegate("qianf", 7, DAY + dt.timedelta(days=89))
    delegate("qianf", 7, DAY + dt.timedelta(days=90))
    with pytest.raises(IntegrityError, match="one_delegation_of_a_person_at_a_time"), transaction.atomic():
        Delegation.objects.create(
            delegator=demo_bank.staff("wanghy"), delegate=demo_bank.staff("qianf"), reason="x", valid_from=DAY,
            valid_to=DAY + dt.timedelta(days=1),
        )  # fmt: skip
    given = Delegation.objects.get(delegate=demo_bank.staff("hewei"))
    approvals.revoke_delegation(actor=demo_bank.staff("wanghy"), delegation=given, business_date=DAY)
    delegate("qianf", 7)


def test_a_scoped_view_counts_a_connected_set_whole_without_strange_names(demo_bank: DemoBank) -> None:
    d = demo_bank.customer("D")
    rows = connections.large_exposures(as_of=DAY, customers=[d], is_scoped=True)
    together = max(rows, key=lambda row: len(row.customer_ids))
    assert (f"{together.share:.3f}", len(together.names), together.hidden_count) == ("16.887", 1, 5)
    page = sign_in(demo_bank.staff("hewei")).get("/exposures/").content.decode()
    assert "户不在您的数据范围内" in page


def test_the_lines_sheet_has_numbers_and_the_use_of_public_lines(demo_bank: DemoBank) -> None:
    issued(demo_bank)
    b = demo_bank.customer("B")
    request = DrawingRequest(
        demo_bank.facility("B"), 10 * WAN, 0, DAY, DAY + dt.timedelta(days=90), is_under_public_line=True
    )
    request_drawing(actor=demo_bank.staff("zhoulp"), request=request, key="public", business_date=DAY)
    (row,) = [r for r in list_lines(scope=scope_of(demo_bank.staff("wanghy"), as_of=DAY), as_of=DAY)
              if r.kind == "public"]  # fmt: skip
    assert (row.subject_id, row.used_fen) == (b.pk, 10 * WAN)
    body = sign_in(demo_bank.staff("wanghy")).get("/lines/export.xlsx?quick=public").content
    cells = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    assert cells[1][4:6] == [2200.0, 10.0]


def test_minutes_take_papers_only_and_one_file_for_a_number(demo_bank: DemoBank) -> None:
    def record(file: bytes | None, name: str = "a.pdf") -> Minutes:
        return approvals.record_minutes(
            actor=demo_bank.staff("fengxc"), number="行办 1 号", meeting="president", held_date=DAY, resolution="同意",
            business_date=DAY, file_name=name, file=file,
        )  # fmt: skip

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as book:
        book.writestr("xl/workbook.xml", "x")
    for wrong in (b"MZ\x90\x00", b"<html>", archive.getvalue(), b"PK broken"):
        with pytest.raises(CaseError, match="不是 PDF"):
            record(wrong)
    assert not Minutes.objects.exists()
    assert record(None).file is None
    scan = record(b"%PDF-1.7 one")
    assert bytes(Minutes.objects.get().file or b"") == b"%PDF-1.7 one", "the scan comes later"
    assert record(b"%PDF-1.7 one") == scan
    with pytest.raises(CaseError, match="另一份文件"):
        record(b"%PDF-1.7 two")


def test_the_approval_form_says_meeting_site_and_what_was_superseded(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = submitted(demo_bank, propose(demo_bank, "7000"))
    case = approvals.send_back(actor=demo_bank.staff("fengxc"), case=case, opinion="补充", business_date=DAY)
    case = with_minutes(demo_bank, submitted(demo_bank, case))
    form = case_documents.approval_form(case, as_of=DAY)
    assert form["minutes"] == "行长办公会 行办〔2025〕20 号，2025-06-30，决议：同意"
    assert [opinion["role"] for opinion in form["opinions"]] == ["调查（现场；第 1 轮，已被后一轮取代）"] * 2 + [
        "调查（现场）"
    ] * 2
    assert len(case_documents.approval_docx(case, as_of=DAY)) > 1000


def test_a_trial_without_a_method_says_so(demo_bank: DemoBank) -> None:
    url = reverse("customer_evaluate", args=[demo_bank.customer("D").number])
    page = sign_in(demo_bank.staff("liujg")).post(url, {"trial": "1", "need": "1", "conclusion": "x"})
    assert "请先勾选测算方法" in page.content.decode()


def test_an_unknown_state_of_cases_is_told_the_known_ones() -> None:
    answer = CliRunner().invoke(list_cases, ["--as", "x", "--state", "foo"])
    assert answer.exit_code == 2
    assert "withdrawn" in answer.output
