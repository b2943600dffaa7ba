"""Seven wrong inputs, each by the service and by a page: refused with what to do, and not one row is written."""

import datetime as dt
import io
from collections.abc import Callable

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from shouxin.approvals.models import Case
from shouxin.approvals.services import CaseError
from shouxin.audit.models import Entry
from shouxin.bank.models import CapitalFigure, ExchangeRate
from shouxin.facilities import evaluating, line_cases
from shouxin.facilities.models import Drawing
from shouxin.facilities.services import DrawingRequest, open_facility, request_drawing
from shouxin.limits.models import Hold, Node
from tests.credit import SUB, decided, evaluated, investigated, prepared_group, propose, reviewed, submitted
from tests.demo import DAY, WAN, DemoBank
from tests.facilities.test_customer_lines import GOOD, YEAR, rate, workbook
from tests.web.test_pages import sign_in

ROOMS = ("approvals", "facilities", "limits", "audit", "monitoring", "groups")


def rows() -> dict[str, int]:
    """How many rows every table of cases, acts, lines, ledger, alerts and trail has."""
    return {
        model._meta.label: model._default_manager.count()
        for room in ROOMS
        for model in apps.get_app_config(room).get_models()
    }


def refused(act: Callable[[], object], words: str, error: type[Exception] = CaseError) -> None:
    """The act is refused with these words and leaves every table as it was."""
    before = rows()
    with pytest.raises(error) as caught:
        act()
    assert words in str(caught.value)
    assert rows() == before


def page_refused(client: Client, url: str, data: dict[str, object], words: str, status: int = 422) -> None:
    """The page says so too and leaves every table as it was."""
    before = rows()
    answer = client.post(url, data, follow=status == 200)
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert rows() == before


def approve_form(case: Case) -> dict[str, object]:
    return {"opinion": "同意", "outcome": "approve", "digest": case.payload_digest}


def test_a_second_case_on_the_same_subject(demo_bank: DemoBank) -> None:
    first = propose(demo_bank, "7000")
    refused(lambda: propose(demo_bank, "6000"), f"已有在办案件 {first.number}（调查中），请先办结或撤回")
    form: dict[str, object] = {
        "amount": "6000", "valid_from": "2025-06-30", "valid_to": "2026-06-30", "guarantee": "保证",
        **{f"sub-{demo_bank.customer(code).pk}": str(amount) for code, amount in {**SUB, "A": 500}.items()},
    }  # fmt: skip
    client = sign_in(demo_bank.staff("liujg"))
    page_refused(
        client, reverse("group_line_propose", args=[demo_bank.group.number]), form, "请先办结或撤回，再发起新的"
    )


def test_approval_after_the_facts_changed_and_without_minutes(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7000")))
    approver, url = sign_in(demo_bank.staff("wanghy")), reverse("case_decide", args=[case.number])
    refused(lambda: decided(demo_bank, case), "须先经行长办公会审议，请登记并附上会议纪要后再审批")
    page_refused(approver, url, approve_form(case), "请登记并附上会议纪要后再审批")
    evaluating.rate(actor=demo_bank.staff("fengxc"), group=demo_bank.group, grade="A", model="x", business_date=DAY)
    refused(
        lambda: decided(demo_bank, case),
        "提交之后以下事实已变化：信用等级。本次审批不能依据旧事实，请退回补充后重新提交",
    )
    page_refused(approver, url, approve_form(case), "请退回补充后重新提交")
    case.refresh_from_db()
    assert case.state == Case.State.DECIDE


def test_an_approver_who_made_the_case(demo_bank: DemoBank) -> None:
    f, both = demo_bank.customer("F"), demo_bank.staff("wanghy")
    both.role_assignments.create(role="customer_manager", valid_from=dt.date(2024, 1, 1))
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny", control="1000")
    case = line_cases.propose_customer_line(
        actor=both, customer=f, amount_fen=1_000 * WAN, valid_from=DAY, valid_to=YEAR, business_date=DAY
    )
    investigated(demo_bank, case, by=("suny", "taoy"))
    case = line_cases.submit(actor=demo_bank.staff("suny"), case=case, exception_reason="", business_date=DAY)
    case = reviewed(demo_bank, case)
    refused(lambda: decided(demo_bank, case), "请由另一人审批")
    url = reverse("case_decide", args=[case.number])
    page_refused(sign_in(both), url, approve_form(case), "请由另一人审批")
    assert decided(demo_bank, case, by="zhaoq").state == Case.State.APPROVED, "somebody else may"


def test_an_expired_capital_figure(demo_bank: DemoBank) -> None:
    """The year-end figure of 2023 serves until 2025-06-30 and not a day longer."""
    prepared_group(demo_bank)
    CapitalFigure.objects.filter(date=dt.date(2024, 12, 31)).update(date=dt.date(2023, 12, 31))
    case = investigated(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100}))
    later = DAY + dt.timedelta(days=1)
    words = "最近一期为 2023-12-31，距 2025-07-01 已超过 18 个月，不能再用于核对限额，请录入并复核新的资本数据"

    def submit(day: dt.date) -> Case:
        return line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=day)

    refused(lambda: submit(later), words)
    from shouxin.bank.models import Institution

    Institution.objects.update(business_date=later)
    page_refused(sign_in(demo_bank.staff("liujg")), reverse("case_submit", args=[case.number]), {}, words)
    assert submit(DAY).state == Case.State.REVIEW, "on its last day it still judges"


def test_a_rate_missing_for_the_day(demo_bank: DemoBank) -> None:
    """What was asked is kept as refused with its reason; the ledger has not moved."""
    ExchangeRate.objects.all().update(date=DAY - dt.timedelta(days=1))
    b = demo_bank.customer("B")
    facility = open_facility(
        actor=None, customer=b, branch=b.unit, product="融资性保函", number="HT-USD", start_date=DAY, currency="USD",
        end_date=YEAR, business_date=DAY,
    )  # fmt: skip
    words = f"缺少 USD 在 {DAY} 的汇率（最近为 2025-06-29），请先录入当日汇率"
    before, used = rows(), Node.objects.get(customer=b, kind="CUSTOMER").used_fen
    drawing = request_drawing(
        actor=demo_bank.staff("zhoulp"), key="usd", business_date=DAY,
        request=DrawingRequest(facility, 10 * WAN, 0, DAY, YEAR),
    )  # fmt: skip
    assert (drawing.state, drawing.findings[0]["code"]) == ("refused", "RATE_MISSING")
    assert words in drawing.findings[0]["message"]
    form = {
        "facility": str(facility.pk), "amount": "10", "margin": "0", "value_date": "2025-06-30", "key": "page",
        "maturity_date": "2026-06-29",
    }  # fmt: skip
    page = sign_in(demo_bank.staff("zhoulp")).post(reverse("drawing_new", args=[b.number]), form, follow=True)
    assert words in page.content.decode()
    changed = {table for table, count in rows().items() if count != before[table]}
    assert changed == {Drawing._meta.label, Entry._meta.label}, "the two refusals and their entries in the trail"
    assert Node.objects.get(customer=b, kind="CUSTOMER").used_fen == used
    assert not Hold.objects.filter(drawing__in=Drawing.objects.all()).exists()


def test_a_statement_that_does_not_balance(demo_bank: DemoBank) -> None:
    d, by = demo_bank.customer("D"), demo_bank.staff("liujg")
    wrong = [list(row) for row in GOOD]
    wrong[3][2] = 5315.73
    words = "相差 0.01 万元"

    def add() -> object:
        return evaluating.add_statements(
            actor=by, customer=d, statements=evaluating.read_statements(workbook(wrong), name="年报.xlsx"),
            scope="own", source="年报", business_date=DAY,
        )  # fmt: skip

    refused(add, words, evaluating.EvaluationError)
    upload = io.BytesIO(workbook(wrong))
    upload.name = "年报.xlsx"
    form: dict[str, object] = {"scope": "own", "source": "年报", "file": upload}
    page_refused(sign_in(by), reverse("customer_statements", args=[d.number]), form, words, status=200)
