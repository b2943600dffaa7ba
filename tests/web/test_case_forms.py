"""Changing a draft or a returned case: everything entered is kept, each refusal once, signatures stand for contents."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Case
from shouxin.facilities import line_cases
from shouxin.facilities.models import CustomerLine
from tests.credit import SUB, decided, evaluated, in_force, investigated, prepared_group, propose, reviewed, submitted
from tests.demo import DAY, WAN, DemoBank
from tests.facilities.test_customer_lines import YEAR, rate
from tests.web.test_pages import sign_in


def boxes(client: Client, url: str) -> dict[str, str]:
    """Every input of the page's form with what stands in it."""
    page = client.get(url).content.decode()
    found = dict(re.findall(r'<input[^>]*name="((?:sub|prod)-[^"]+)" value="([^"]*)"', page))
    for name in ("amount", "valid_from", "valid_to", "guarantee", "until_date"):
        match = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
        found[name] = match[1] if match else ""
    for name in ("conditions", "exception_reason", "plan"):
        match = re.search(rf'<textarea name="{name}"[^>]*>\s*([^<]*)</textarea>', page)
        found[name] = match[1].strip() if match else ""
    return found


def group_form(bank: DemoBank, wan: str = "7000", **changed: str) -> dict[str, str]:
    return {
        "amount": wan, "valid_from": "2025-06-30", "valid_to": "2026-06-30", "guarantee": "保证",
        "conditions": "每季报送报表", "exception_reason": "",
        **{f"sub-{bank.customer(code).pk}": str(amount) for code, amount in SUB.items()}, **changed,
    }  # fmt: skip


def test_a_group_case_is_corrected_after_a_refused_submission(demo_bank: DemoBank) -> None:
    """X08: 7,100 in 7,000 is refused once with what to do; corrected on its page both sign again and it goes on."""
    prepared_group(demo_bank)
    d = demo_bank.customer("D").pk
    manager = sign_in(demo_bank.staff("liujg"))
    manager.post(
        reverse("group_line_propose", args=[demo_bank.group.number]),
        group_form(demo_bank, **{f"sub-{d}": "1000", f"prod-{d}-working_capital_loan": "650.5"}),
    )
    case = investigated(demo_bank, Case.objects.get())
    answer = manager.post(reverse("case_submit", args=[case.number]), {"exception_reason": "扩产在即"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert page.count("成员额度合计 7,100.00 万元，超过集团额度 7,000.00 万元") == 1
    assert "怎么办" in page
    assert "扩产在即" in page, "what was entered is still there"
    assert "冻结摘要" not in page
    edit = reverse("case_edit", args=[case.number])
    assert edit in page
    kept = boxes(manager, edit)
    assert (kept["amount"], kept["guarantee"], kept["conditions"]) == ("7000", "保证", "每季报送报表")
    assert (kept[f"sub-{d}"], kept[f"prod-{d}-working_capital_loan"]) == ("1000", "650.5")
    wrong = manager.post(edit, {**kept, f"sub-{d}": "九百", "exception_reason": "扩产"})
    assert (wrong.status_code, "不是金额" in wrong.content.decode(), "九百" in wrong.content.decode()) == (422,) + (
        True,
    ) * 2
    assert manager.post(edit, {**kept, f"sub-{d}": "900", "exception_reason": "扩产"}).status_code == 302
    case.refresh_from_db()
    assert (case.payload["sub_limits"][str(d)], case.exception_reason, case.round) == (900 * WAN, "扩产", 2)
    stop = manager.post(reverse("case_submit", args=[case.number]), {"exception_reason": "扩产"})
    assert "须有 2 名调查人现场调查并签署意见，目前 0 名" in stop.content.decode()
    submitted(demo_bank, case)
    page = manager.get(reverse("case_detail", args=[case.number])).content.decode()
    assert "冻结摘要" in page
    assert edit not in page


def test_a_returned_case_keeps_its_contents_and_reason_and_loses_its_digest(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank, control="6000")
    case = submitted(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100}), reason="在手订单")
    assert case.payload_digest
    approvals.send_back(actor=demo_bank.staff("fengxc"), case=case, opinion="补充流水", business_date=DAY)
    manager = sign_in(demo_bank.staff("liujg"))
    page = manager.get(reverse("case_detail", args=[case.number])).content.decode()
    assert "冻结摘要" not in page
    assert "在手订单" in page
    case.refresh_from_db()
    assert (case.payload_digest, case.level, case.findings) == ("", None, [])
    edit = reverse("case_edit", args=[case.number])
    kept = boxes(manager, edit)
    assert (kept["amount"], kept["exception_reason"]) == ("6600", "在手订单")
    assert manager.post(edit, kept).status_code == 302
    case.refresh_from_db()
    assert case.round == 2, "nothing was changed, nothing begins anew"


def test_who_may_change_what_when(demo_bank: DemoBank) -> None:
    """A colleague who has no part in the case cannot, nobody can while it is frozen; nothing is written."""
    prepared_group(demo_bank)
    case = propose(demo_bank, "6600", sub={**SUB, "A": 1100})
    edit = reverse("case_edit", args=[case.number])
    assert sign_in(demo_bank.staff("hewei")).post(edit, group_form(demo_bank)).status_code == 302
    assert sign_in(demo_bank.staff("wanghy")).get(edit).status_code == 403
    assert sign_in(demo_bank.staff("zhoulp")).get(edit).status_code == 404
    case.refresh_from_db()
    assert case.payload["amount_fen"] == 6_600 * WAN
    submitted(demo_bank, case)
    assert sign_in(demo_bank.staff("liujg")).post(edit, group_form(demo_bank)).status_code == 302
    case.refresh_from_db()
    assert case.payload["amount_fen"] == 6_600 * WAN


@pytest.mark.parametrize(
    ("kind", "who", "code", "entered", "changed"),
    [
        ("general", "suny", "F",
         {"amount": "900", "guarantee": "抵押", "conditions": "x", "prod-working_capital_loan": "500"},
         {"amount": "850"}),
        ("public", "zhoulp", "B", {"amount": "2000"}, {"amount": "1800"}),
        ("exit", "suny", "F", {"plan": "半年内收回", "until_date": "2025-12-31"}, {"plan": "一年内收回"}),
    ],
)  # fmt: skip
def test_every_kind_of_customer_case_is_changed_on_its_form(
    demo_bank: DemoBank, kind: str, who: str, code: str, entered: dict[str, str], changed: dict[str, str]
) -> None:
    client, number = sign_in(demo_bank.staff(who)), demo_bank.customer(code).number
    period = {} if kind == "exit" else {"valid_from": "2025-06-30", "valid_to": "2026-06-30"}
    assert client.post(reverse("line_propose", args=[number, kind]), {**period, **entered}).status_code == 302
    case = Case.objects.get()
    edit = reverse("case_edit", args=[case.number])
    kept = boxes(client, edit)
    for name, value in entered.items():
        assert kept[name] == value, name
    assert client.post(edit, {**kept, **changed, "exception_reason": "说明"}).status_code == 302
    before = case.payload
    case.refresh_from_db()
    assert case.exception_reason == "说明"
    assert {name for name in before if before[name] != case.payload[name]} == {
        "amount_fen" if "amount" in changed else "plan"
    }


def test_product_limits_of_a_customer_are_proposed_and_put_in_force(demo_bank: DemoBank) -> None:
    """次级额度: within the line; a product limit above the line is refused."""
    f = demo_bank.customer("F")
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny", control="900")
    client = sign_in(demo_bank.staff("suny"))
    form = {
        "amount": "900",
        "valid_from": str(DAY),
        "valid_to": str(YEAR),
        "is_revolving": "on",
        "prod-working_capital_loan": "900.01",
    }
    client.post(reverse("line_propose", args=[f.number, "general"]), form)
    case = Case.objects.get()
    assert [x.code for x in line_cases.judge(case, as_of=DAY).findings if x.is_refusal] == ["PRODUCT_ABOVE_SUB_LIMIT"]
    client.post(reverse("case_edit", args=[case.number]), {**form, "prod-working_capital_loan": "850"})
    case.refresh_from_db()
    case = submitted(demo_bank, case, by=("suny", "qianf"))
    in_force(demo_bank, decided(demo_bank, reviewed(demo_bank, case), by="qianf" if case.level == 1 else "wanghy"))
    assert CustomerLine.objects.get(customer=f, status="active").product_limits == {"working_capital_loan": 850 * WAN}
