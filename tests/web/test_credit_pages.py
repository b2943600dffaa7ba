"""Pages of credit: every page for every role, the way of a group line through the pages, papers, exports."""

import datetime as dt
import io
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Case, Minutes
from shouxin.audit.models import Entry
from shouxin.facilities import servicing
from shouxin.facilities.models import CustomerLine, Deal, FinancialStatement, GroupLine, PublicLine
from shouxin.limits.models import Node
from shouxin.monitoring import watch
from shouxin.monitoring.models import Alert, Review
from shouxin.rulebook.models import Version
from tests.credit import SUB, decided, evaluated, in_force, prepared_group, propose, reviewed, submitted
from tests.demo import DAY, WAN, DemoBank
from tests.facilities.test_customer_lines import GOOD, issued, workbook
from tests.web.test_pages import sign_in


def urls(bank: DemoBank) -> list[str]:
    d, group = bank.customer("D").number, bank.group.number
    return [
        "/tasks/", "/cases/", "/cases/export.xlsx", "/lines/", "/lines/export.xlsx", "/exposures/", "/alerts/",
        "/reviews/", "/policies/", "/policies/articles/JS-11/", "/policies/articles/CB+3/", "/authorities/",
        reverse("policy_version", args=[Version.objects.get(document__code="line-management").pk]),
        reverse("customer_credit", args=[d]), reverse("customer_letter", args=[d]),
        reverse("group_credit", args=[group]),
    ]  # fmt: skip


@pytest.mark.parametrize("username", ["liujg", "hewei", "wanghy", "fengxc", "gaoyl", "tangw", "yaoj", "admin"])
def test_every_page_for_every_role(demo_bank: DemoBank, username: str) -> None:
    watch.end_of_day(as_of=DAY)
    client = sign_in(demo_bank.staff(username))
    hidden = ("/credit/", "/groups/")
    for url in urls(demo_bank):
        expected = 404 if username == "admin" and any(part in url for part in hidden) else 200
        assert client.get(url).status_code == expected, url
    alert = Alert.objects.filter(customer=demo_bank.customer("B")).first() or Alert.objects.first()
    assert alert is not None
    assert client.get(f"/alerts/{alert.pk}/").status_code == (404 if username == "admin" else 200)


def test_nothing_is_open_without_sign_in(demo_bank: DemoBank) -> None:
    for url in urls(demo_bank):
        assert Client().get(url).status_code == 302


def test_another_branch_sees_no_file_of_the_customer(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("zhoulp"))
    d = demo_bank.customer("D").number
    assert client.get(reverse("customer_credit", args=[d])).status_code == 404
    assert client.post(reverse("customer_statements", args=[d])).status_code == 404
    pledged = Deal.objects.get(customer=demo_bank.customer("D"), product="cd_pledged_loan")
    assert sign_in(demo_bank.staff("qianf")).post(
        reverse("deal_act", args=[pledged.pk, "repay"]), {"amount": "1"}
    ).status_code == 404  # fmt: skip


def post(bank: DemoBank, who: str, name: str, case: Case, **data: object) -> int:
    return int(sign_in(bank.staff(who)).post(reverse(name, args=[case.number]), data).status_code)


def test_a_group_line_the_whole_way_through_the_pages(demo_bank: DemoBank) -> None:
    """X08, X04 of the worked example."""
    prepared_group(demo_bank)
    manager = sign_in(demo_bank.staff("liujg"))
    url = reverse("group_line_propose", args=[demo_bank.group.number])
    assert manager.get(url).status_code == 200
    amounts = {f"sub-{demo_bank.customer(code).pk}": str(amount) for code, amount in SUB.items()}
    form = {"amount": "7000", "valid_from": "2025-06-30", "valid_to": "2026-06-30", "guarantee": "保证", **amounts}
    wrong = manager.post(url, {**form, f"sub-{demo_bank.customer('D').pk}": "九百"})
    assert (wrong.status_code, "不是金额" in wrong.content.decode()) == (422, True)
    assert not Case.objects.exists()
    created = manager.post(url, {**form, f"sub-{demo_bank.customer('D').pk}": "1000"})
    case = Case.objects.get()
    assert created["Location"] == reverse("case_detail", args=[case.number])
    page = manager.get(created["Location"]).content.decode()
    assert "成员额度合计 7,100.00 万元，超过集团额度 7,000.00 万元" in page
    assert post(demo_bank, "liujg", "case_withdraw", case, reason="重报") == 302
    manager.post(url, form)
    case = Case.objects.get(state="draft")
    for who in ("liujg", "hewei"):
        assert post(demo_bank, who, "case_investigate", case, opinion="属实", is_on_site="on") == 302
    assert post(demo_bank, "liujg", "case_submit", case) == 302
    assert (
        "审查意见"
        in sign_in(demo_bank.staff("fengxc")).get(reverse("case_detail", args=[case.number])).content.decode()
    )
    assert post(demo_bank, "fengxc", "case_review", case, opinion="同意", outcome="agree") == 302
    approver = sign_in(demo_bank.staff("wanghy"))
    shown = approver.get(reverse("case_detail", args=[case.number])).content.decode()
    assert "须先经行长办公会审议" in shown
    assert post(demo_bank, "wanghy", "case_decide", case, opinion="同意", outcome="approve") == 422
    upload = io.BytesIO(b"%PDF-scan")
    upload.name = "minutes.pdf"
    assert post(
        demo_bank, "fengxc", "case_minutes", case, number="行办 21 号", meeting="president", held_date="2025-06-30",
        resolution="同意", file=upload,
    ) == 302  # fmt: skip
    assert bytes(Minutes.objects.get(number="行办 21 号").file or b"") == b"%PDF-scan"
    assert approver.get(reverse("case_minutes_file", args=[case.number])).content == b"%PDF-scan"
    case.refresh_from_db()
    assert post(demo_bank, "wanghy", "case_decide", case, opinion="同意", outcome="approve",
                digest=case.payload_digest) == 302  # fmt: skip
    assert post(demo_bank, "yaoj", "case_operate", case, opinion="已签约") == 302
    case.refresh_from_db()
    assert case.state == Case.State.DONE
    line = GroupLine.objects.get(case=case)
    assert line.minutes_number == "行办 21 号"
    timeline = approver.get(reverse("case_detail", args=[case.number])).content.decode()
    for word in ("调查", "提交", "审查", "附会议纪要", "审批", "落实"):
        assert word in timeline


def test_the_approval_form_prints_and_comes_as_word_and_pdf(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = submitted(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100}))
    in_force(demo_bank, decided(demo_bank, reviewed(demo_bank, case)))
    client = sign_in(demo_bank.staff("wanghy"))
    page = client.get(reverse("case_print", args=[case.number])).content.decode()
    for words in ("授信审批表", case.number, "6,600.00", "实地核查属实", "《中华人民共和国商业银行法》"):
        assert words in page
    word = client.get(reverse("case_paper", args=[case.number, "docx"]))
    from docx import Document

    document = Document(io.BytesIO(word.content))
    text = "\n".join(c.text for t in document.tables for row in t.rows for c in row.cells)
    for words in ("6,600.00", "实地核查属实", demo_bank.customer("D").party.name):
        assert words in text
    assert "{{" not in text
    assert text.count("    年    月    日") == 5, "two investigators, review, decision, operation sign with a date"
    assert "审批机构（公章）" in "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert client.get(reverse("case_paper", args=[case.number, "pdf"])).content[:5] == b"%PDF-"
    assert Entry.objects.filter(action="reporting.case.exported").count() == 2


@pytest.mark.clause("CB-10", points="on over")
def test_a_customer_with_only_a_general_line_is_told_no_figure(demo_bank: DemoBank) -> None:
    b = demo_bank.customer("B")
    client = sign_in(demo_bank.staff("wanghy"))
    url = reverse("customer_letter", args=[b.number])
    page = client.get(url).content.decode()
    assert "没有向贵单位公开承诺的授信额度" in page
    assert not re.search(r"2,200|2200", page)
    issued(demo_bank, "2000")
    told = client.get(url).content.decode()
    assert "2,000" in told
    assert "2,200" not in told, "the internal line stays inside"
    PublicLine.objects.update(status="curing", default_kind="欠息", cure_by_date=dt.date(2025, 7, 30))
    told = client.get(url).content.decode()
    assert "2,000" in told
    assert re.search("因欠息正在限期整改，最迟于 .*7.*30.* 整改", told)
    assert "没有向贵单位公开承诺" not in told


LAWS = ("《中华人民共和国商业银行法》", "《贷款通则》", "《商业银行实施统一授信制度指引（试行）》")


@pytest.mark.clause("CB-05", points="on")
@pytest.mark.clause("CB+3", points="on over")
def test_the_certificate_and_the_notice_of_cancellation_print(demo_bank: DemoBank) -> None:
    """Both name their legal basis. Head office cancels after an event; below its line, or at a branch, it stays."""
    line, b = issued(demo_bank), demo_bank.customer("B").number
    approver, branch = sign_in(demo_bank.staff("wanghy")), sign_in(demo_bank.staff("qianf"))
    url = reverse("public_certificate", args=[line.certificate_number])
    certificate = approver.get(url).content.decode()
    for words in (
        "固定资产贷款", "境外筹资转贷款", "2,200.00 万元（人民币 22,000,000.00 元）", "（公章）", "负责人签字",
        "客户签收", *LAWS,
    ):  # fmt: skip
        assert words in certificate, words
    assert "CB+" not in certificate, "no code of a requirement on a customer's paper"
    cancel = reverse("public_line_cancel", args=[line.certificate_number])
    assert cancel in approver.get(reverse("customer_credit", args=[b])).content.decode()
    assert cancel not in branch.get(reverse("customer_credit", args=[b])).content.decode()
    event = {"event": "litigation", "amount": "1260", "reason": "败诉风险大"}
    assert branch.post(cancel, event).status_code == 403
    told = approver.post(cancel, {**event, "amount": "1259.99"}, follow=True).content.decode()
    assert "不能据此取消" in told
    assert PublicLine.objects.get().status == "active"
    approver.post(cancel, event)
    notice = approver.get(url).content.decode()
    number = PublicLine.objects.get().notice_number
    for words in (
        "取消公开额度授信通知书",
        number,
        "重大诉讼",
        "败诉风险大",
        "已报批准行备案",
        "（公章）",
        "客户签收",
        *LAWS,
    ):
        assert words in notice, words
    assert re.search(r'class="no-print[^>]*>已报批准行备案', notice), "the file's own number is not printed"


@pytest.mark.clause("CB-05", points="on")
def test_a_customers_line_prints_its_legal_basis(demo_bank: DemoBank) -> None:
    f = demo_bank.customer("F")
    case = Case.objects.create(
        number="SX-F", kind="general_line", subject_kind="customer", subject_id=str(f.pk), subject_name=f.party.name,
        unit=f.unit, created_by=demo_bank.staff("suny"), created_date=DAY, state="withdrawn",
    )  # fmt: skip
    CustomerLine.objects.create(
        evaluation=evaluated(demo_bank, customer=f, by="suny"), customer=f, amount_fen=WAN, valid_from=DAY,
        valid_to=dt.date(2026, 6, 30), case=case, rating="AA", legal_basis=list(LAWS),
    )  # fmt: skip
    page = sign_in(demo_bank.staff("suny")).get(reverse("customer_credit", args=[f.number])).content.decode()
    assert all(law in page for law in LAWS)


def test_statements_evaluation_and_rating_through_the_pages(demo_bank: DemoBank) -> None:
    f = demo_bank.customer("F").number
    client = sign_in(demo_bank.staff("suny"))
    upload = io.BytesIO(workbook(GOOD))
    upload.name = "年报.xlsx"
    client.post(reverse("customer_statements", args=[f]), {"scope": "own", "source": "年报", "file": upload})
    assert FinancialStatement.objects.count() == 2
    page = client.get(reverse("customer_credit", args=[f])).content.decode()
    assert "20,315.74" in page
    url = reverse("customer_evaluate", args=[f])
    form = {
        "method": ["M2"], "M2-net_assets": "6000", "M2-target_ratio_pct": "70", "M2-interest_debt": "7000",
        "M2-other_liabilities": "3500", "need": "4000", "other_banks_now": "0", "other_banks_expected": "0",
        "other_institutions": "0", "policy_result": "supported", "conclusion": "正常",
    }  # fmt: skip
    trial = client.post(url, {**form, "trial": "1"})
    assert (trial.status_code, "3,500.00" in trial.content.decode()) == (200, True)
    assert not demo_bank.customer("F").evaluations.exists()
    assert client.post(url, {**form, "M2-net_assets": "六千"}).status_code == 422
    assert client.post(url, {**form, "M2-net_assets": "1e9999999"}).status_code == 422
    negative = client.post(url, {**form, "M2-interest_debt": "-1"})
    assert (negative.status_code, "有息负债不能为负数" in negative.content.decode()) == (422, True)
    assert client.post(url, form).status_code == 302
    assert demo_bank.customer("F").evaluations.get().control_amount_fen == 3_500 * WAN
    assert client.post(reverse("customer_rate", args=[f]), {"grade": "AA", "model": "x"}).status_code == 403
    risk = sign_in(demo_bank.staff("fengxc"))
    assert risk.post(reverse("customer_rate", args=[f]), {"grade": "AA", "model": "对公 v2"}).status_code == 302
    assert demo_bank.customer("F").ratings.get().grade == "AA"


def test_deals_are_serviced_on_the_page(demo_bank: DemoBank) -> None:
    """X13 and Y11 through the page: the deposit is released, arrears are entered; alerts and the day's end are seen."""
    client = sign_in(demo_bank.staff("hewei"))
    pledged = Deal.objects.get(customer=demo_bank.customer("D"), product="cd_pledged_loan")
    release = {"kind": "own_cd", "after": "0", "reason": "解押"}
    client.post(reverse("deal_act", args=[pledged.pk, "cover"]), release)
    assert Node.objects.get(customer=demo_bank.customer("D"), kind="CUSTOMER").used_fen == 700 * WAN, "only 200 free"
    operations = sign_in(demo_bank.staff("yaoj"))
    operations.post(reverse("deal_act", args=[pledged.pk, "cover"]), {**release, "cause": "happened"})
    assert Node.objects.get(customer=demo_bank.customer("D"), kind="CUSTOMER").used_fen == 1_200 * WAN
    assert "W03" in client.get("/alerts/").content.decode()
    assert "超限" in sign_in(demo_bank.staff("wanghy")).get("/lines/").content.decode()
    loan = Deal.objects.get(customer=demo_bank.customer("D"), product="working_capital_loan")
    client.post(reverse("deal_act", args=[loan.pk, "overdue"]), {"since_date": "2025-03-31", "principal": "10"})
    assert "次级" in client.get(reverse("customer_credit", args=[demo_bank.customer("D").number])).content.decode()
    client.post(reverse("deal_act", args=[loan.pk, "cure"]))
    assert not loan.overdues.filter(cured_date=None).exists()
    risk = sign_in(demo_bank.staff("fengxc"))
    assert risk.post("/alerts/run/").status_code == 302
    alert = Alert.objects.get(code="W03", customer=demo_bank.customer("D"))
    assert risk.post(f"/alerts/{alert.pk}/", {"action": "补充担保"}).status_code == 302
    alert.refresh_from_db()
    assert alert.state == Alert.State.ACTED


def test_reviews_through_the_pages(demo_bank: DemoBank) -> None:
    review = Review.objects.create(group=demo_bank.group, due_date=DAY)
    url = f"/reviews/{review.pk}/"
    assert sign_in(demo_bank.staff("liujg")).post(url, {"report": "正常"}).status_code == 302
    assert sign_in(demo_bank.staff("fengxc")).post(url, {"opinion": "同意", "outcome": "continue"}).status_code == 302
    review.refresh_from_db()
    assert review.state == Review.State.CONTINUES


def test_the_register_and_the_table_of_authorities_through_the_pages(demo_bank: DemoBank) -> None:
    risk, approver = sign_in(demo_bank.staff("fengxc")), sign_in(demo_bank.staff("wanghy"))
    document = Version.objects.get(document__code="line-management").document
    answer = risk.post(
        "/policies/new/", {"document": document.pk, "issued_date": "2025-06-30", "in_force_from": "2025-07-01"}
    )
    version = Version.objects.get(number=2)
    assert answer["Location"] == reverse("policy_version", args=[version.pk])
    risk.post(reverse("policy_act", args=[version.pk, "value"]),
              {"parameter": "single.loan_pct", "value": "9", "article": "第五条"})  # fmt: skip
    units = [demo_bank.customer("D").unit_id]
    approver.post(reverse("policy_act", args=[version.pk, "publish"]), {"units": units})
    version.refresh_from_db()
    assert version.published_by == demo_bank.staff("wanghy")
    branch = sign_in(demo_bank.staff("hewei"))
    assert "待您签收和学习" in branch.get("/policies/").content.decode()
    branch.post(reverse("policy_act", args=[version.pk, "study"]))
    branch.post(reverse("policy_act", args=[version.pk, "ask"]), {"text": "口径？"})
    question = version.questions.get()
    risk.post(f"/policies/questions/{question.pk}/", {"text": "按余额。"})
    assert "按余额" in branch.get(f"/policies/questions/{question.pk}/").content.decode()
    form = {
        "level": "1",
        "role": "branch_head",
        "aggregate_max": "3000",
        "valid_from": "2025-07-01",
        "citation": "转授权书",
    }
    assert risk.post("/authorities/", form).status_code == 302
    assert risk.post("/authorities/", {**form, "aggregate_max": "abc"}).status_code == 422
    from shouxin.approvals.models import Authority

    row = Authority.objects.get(entered_by=demo_bank.staff("fengxc"))
    approver.post(reverse("authority_approve", args=[row.pk]))
    row.refresh_from_db()
    assert row.approved_by == demo_bank.staff("wanghy")
    before = Authority.objects.count()
    branch.post("/authorities/", form)
    assert Authority.objects.count() == before, "a branch enters none"


@pytest.mark.clause("UC-15", "BR-08", points="on over before")
def test_the_risk_department_administers_groups_by_configuration(demo_bank: DemoBank) -> None:
    """The department's people hold the roles; a branch with the same page cannot rate or stop a group, nor can they
    before the day their role begins."""
    assert demo_bank.staff("fengxc").unit.name == "风险控制部"
    roles = demo_bank.staff("fengxc").role_assignments.filter(role="risk_officer")
    since = roles.get().valid_from
    roles.update(valid_from=DAY + dt.timedelta(days=1))
    early = sign_in(demo_bank.staff("fengxc")).post(
        reverse("group_rate", args=[demo_bank.group.number]), {"grade": "AA", "model": "x"}
    )
    assert early.status_code == 403
    roles.update(valid_from=since)
    url = reverse("group_rate", args=[demo_bank.group.number])
    assert sign_in(demo_bank.staff("hewei")).post(url, {"grade": "AA", "model": "x"}).status_code == 403
    assert sign_in(demo_bank.staff("fengxc")).post(url, {"grade": "AA", "model": "x"}).status_code == 302
    stop = reverse("line_stop", args=["group", demo_bank.group.number])
    assert sign_in(demo_bank.staff("hewei")).post(stop, {"reason": "x"}).status_code == 403
    assert sign_in(demo_bank.staff("fengxc")).post(stop, {"reason": "涉案"}).status_code == 302
    assert demo_bank.group.limit_node.status == "FROZEN"


def test_the_case_list_needs_no_query_per_row(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("tangw"))
    client.get("/cases/")
    with CaptureQueriesContext(connection) as one:
        client.get("/cases/")
    for place in range(12):
        Case.objects.create(
            number=f"T{place}", kind="general_line", subject_kind="customer", subject_id="1", subject_name="x",
            unit=demo_bank.customer("D").unit, created_by=demo_bank.staff("liujg"), created_date=DAY, state="withdrawn",
            payload={"amount_fen": 1},
        )  # fmt: skip
    with CaptureQueriesContext(connection) as many:
        assert "T11" in client.get("/cases/").content.decode()
    assert len(many) == len(one)


@pytest.mark.clause("JS-02")
def test_the_statistics_hold_every_confirmed_group_with_its_members(demo_bank: DemoBank) -> None:
    from python_calamine import CalamineWorkbook

    answer = sign_in(demo_bank.staff("fengxc")).get("/lines/groups.xlsx")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    names = {row[9] for row in rows[1:]}
    assert names == {demo_bank.customer(code).party.name for code in "ABCDE"}
    assert {row[6] for row in rows[1:]} == {6480}, "a number, not a text"
    assert {row[7] for row in rows[1:]} == {12.96}
    assert sign_in(demo_bank.staff("hewei")).get("/lines/groups.xlsx").status_code == 403


def test_strange_input_is_said_and_never_breaks_a_page(demo_bank: DemoBank) -> None:
    """Wrong kinds, texts where numbers belong and texts that are too long end in words or 404, nothing is written."""
    risk, manager = sign_in(demo_bank.staff("fengxc")), sign_in(demo_bank.staff("liujg"))
    d, group = demo_bank.customer("D").number, demo_bank.group.number
    assert risk.post(reverse("line_stop", args=["other", group]), {"reason": "x"}).status_code == 404
    assert risk.post(reverse("line_stop", args=["group", group]), {"reason": "长" * 201}).status_code == 302
    assert demo_bank.group.limit_node.status == "ACTIVE"
    for facility in ("abc", "", "9" * 30):
        url = reverse("customer_precondition", args=[d])
        assert manager.post(url, {"facility": facility, "text": "x"}).status_code == 404
    for path in ("/cases/?before=abc&kind=x&state=y", "/cases/?before=" + "9" * 30, "/alerts/?state=x&risk=%27",
                 "/lines/?quick=x&q=%25"):  # fmt: skip
        assert risk.get(path).status_code == 200, path
    for path in ("/cases/none/", "/alerts/999999999/", "/reviews/999999999/", "/policies/versions/999999999/",
                 "/policies/articles/不存在/"):  # fmt: skip
        assert risk.get(path).status_code == 404, path
    drawing = demo_bank.draw("D", "1")
    client = sign_in(demo_bank.staff("hewei"))
    client.post(reverse("drawing_release", args=[drawing.pk]), {"minutes_number": "长" * 81})
    drawing.refresh_from_db()
    assert drawing.state == "reserved"


def test_an_excess_of_a_member_is_counted_where_it_is_seen(demo_bank: DemoBank) -> None:
    """X13: 1,200 of 900 shows on the workbench and under the lines of who sees D, not in another branch."""
    pledged = Deal.objects.get(customer=demo_bank.customer("D"), product="cd_pledged_loan")
    servicing.change_cover(
        actor=demo_bank.staff("yaoj"), deal=pledged, kind="own_cd", after_fen=0, reason="存单解押", business_date=DAY,
        has_happened=True,
    )  # fmt: skip
    for username, count in (("liujg", 1), ("hewei", 1), ("wanghy", 1), ("zhoulp", 0)):
        client = sign_in(demo_bank.staff(username))
        assert client.get("/").context["credit"]["excesses"] == count, username
        assert len(client.get("/lines/?quick=excess").context["excesses"]) == count, username


def test_a_refused_drawing_reads_as_refused_later(demo_bank: DemoBank) -> None:
    """201 of 200: the kept findings still refuse, with their figures in the order they were written."""
    drawing = demo_bank.draw("D", "201")
    drawing.refresh_from_db()
    page = sign_in(demo_bank.staff("liujg")).get(reverse("drawing_detail", args=[drawing.pk]))
    text = page.content.decode()
    assert "未能办理：有 1 项不符合规定" in text
    assert "可以办理，请留意" not in text
    assert list(page.context["findings"][0].inputs) == ["申请", "额度", "已用", "可用", "约束"]


def test_states_and_kinds_read_in_english(demo_bank: DemoBank) -> None:
    demo_bank.draw("D", "201")
    client = sign_in(demo_bank.staff("liujg"))
    client.cookies["django_language"] = "en"
    drawings, cases = (client.get(url).content.decode() for url in ("/drawings/", "/cases/"))
    assert "Refused" in drawings
    assert "已拒绝" not in drawings
    assert "Unified group line" in cases
    assert "集团统一授信" not in cases


def test_a_case_sent_back_is_investigated_again_by_the_same_people(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100})))
    client, url = sign_in(demo_bank.staff("liujg")), reverse("case_detail", args=[case.number])
    assert not client.get(url).context["may_investigate"]
    approvals.send_back(actor=demo_bank.staff("wanghy"), case=case, opinion="补充流水", business_date=DAY)
    assert client.get(url).context["may_investigate"]
    client.post(reverse("case_investigate", args=[case.number]), {"opinion": "属实", "is_on_site": "on"})
    assert not client.get(url).context["may_investigate"]


def test_what_was_entered_about_an_alert_or_a_review_stays_when_it_is_refused(demo_bank: DemoBank) -> None:
    """A number outside the view, a group without a member in view, a case for another person: said, nothing written."""
    east, number = sign_in(demo_bank.staff("maj")), demo_bank.group.number
    for subject in ("没有", number):
        answer = east.post("/alerts/report/", {"code": "W18", "level": "warn", "subject": subject, "message": "拖延"})
        page = answer.content.decode()
        assert (answer.status_code, "不在您的数据范围内" in page, "拖延" in page) == (422, True, True), subject
    assert not Alert.objects.exists()
    review = Review.objects.create(group=demo_bank.group, due_date=DAY)
    answer = sign_in(demo_bank.staff("fengxc")).post(f"/reviews/{review.pk}/", {"report": "越权填写的报告"})
    assert (answer.status_code, Review.objects.get().state) == (422, Review.State.DUE)


def test_a_freeze_waits_among_the_tasks_for_another_person(demo_bank: DemoBank) -> None:
    number = demo_bank.customer("D").number
    risk, approver = sign_in(demo_bank.staff("fengxc")), sign_in(demo_bank.staff("wanghy"))
    url = reverse("line_stop", args=["customer", number])
    risk.post(url, {"reason": "账户被查封"})
    assert "账户被查封" in approver.get("/tasks/").content.decode()
    assert "账户被查封" not in risk.get("/tasks/").content.decode()
    credit = reverse("customer_credit", args=[number])
    assert "待另一人复核" in risk.get(credit).content.decode()
    assert "确认冻结" not in risk.get(credit).content.decode()
    assert "确认冻结" in approver.get(credit).content.decode()
    assert "四眼" in risk.post(url, {"act": "confirm"}, follow=True).content.decode()
    assert "冻结已复核" in approver.post(url, {"act": "confirm"}, follow=True).content.decode()
    page = risk.get(credit).content.decode()
    assert "待另一人复核" not in page
    assert page.count(demo_bank.staff("wanghy").name) >= 1


def test_a_policy_version_names_the_limits_it_sets(demo_bank: DemoBank) -> None:
    risk = sign_in(demo_bank.staff("fengxc"))
    document = Version.objects.get(document__code="line-management").document
    given = {"document": document.pk, "issued_date": "2025-06-30", "in_force_from": "2025-07-01"}
    url = risk.post("/policies/new/", given)["Location"]
    version = Version.objects.get(number=2)
    value = {"parameter": "single.loan_pct", "value": "9", "article": "第五条"}
    risk.post(reverse("policy_act", args=[version.pk, "value"]), value)
    page = risk.get(url).content.decode()
    assert "单一客户贷款" in page
    assert "9 %" in page
    assert "没有登记条款" not in page


def test_the_template_of_statements_is_read_back(demo_bank: DemoBank) -> None:
    """An empty template filled in comes in; the names of published statements are known, one item twice is refused."""
    from openpyxl import load_workbook

    from shouxin.facilities.evaluating import EvaluationError, read_statements

    body = sign_in(demo_bank.staff("liujg")).get("/statements/template.xlsx").content
    book = load_workbook(io.BytesIO(body))
    sheet = book.active
    for row in sheet.iter_rows(min_row=2):
        row[1].value, row[2].value = 10, 20.5
    sheet["A17"] = "营业收入"  # as it stands in published statements

    def saved() -> bytes:
        stream = io.BytesIO()
        book.save(stream)
        return stream.getvalue()

    first, second = read_statements(saved(), name="模板")
    assert (str(first.period_end_date), second.items["sales"]) == ("2023-12-31", 20_500_000)
    assert len(first.items) == 20
    sheet.append(["主营业务收入", 1, 2])
    with pytest.raises(EvaluationError, match="重复"):
        read_statements(saved(), name="模板")
