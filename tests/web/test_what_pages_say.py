"""What pages say where a figure, a day or an address is not what somebody expects."""

from django.test import Client

from shouxin.bank.models import CapitalFigure
from shouxin.domain.money import format_wan
from shouxin.facilities import servicing
from shouxin.facilities.models import Deal, Facility, GroupLine
from shouxin.limits import lines
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.monitoring.alerts import raise_alert
from shouxin.monitoring.models import Alert
from shouxin.reporting.todo import count_pressing
from shouxin.web.credit_forms import ManagingForm, RatingForm
from tests.credit import SUB, prepared_group, propose
from tests.demo import DAY, WAN, DemoBank
from tests.web.test_pages import sign_in


def opened(client: Client, url: str, **query: str) -> str:
    return client.get(url, query).content.decode()


def test_an_address_for_forms_says_so_and_leads_back(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("liujg"))
    for url, back in (
        ("/cases/SX-1/submit/", "/cases/SX-1/"),
        (f"/lines/customer/{demo_bank.customer('D').number}/stop/", "/lines/"),
        (f"/customers/{demo_bank.customer('D').number}/lock/", f"/customers/{demo_bank.customer('D').number}/"),
        ("/deals/999999/repay/", "/"),
    ):
        answer = client.get(url)
        page = answer.content.decode()
        assert (answer.status_code, "此地址只用于提交" in page, f'href="{back}"' in page) == (405, True, True), url
    deal = Deal.objects.filter(customer=demo_bank.customer("D"))[0]
    assert f"/customers/{demo_bank.customer('D').number}/credit/" in opened(client, f"/deals/{deal.pk}/repay/")
    assert "此地址只用于提交" not in sign_in(demo_bank.staff("liujg")).get("/api/v1/nothing").content.decode()


def test_the_reason_of_a_lifted_freeze_is_no_reason_of_an_excess(demo_bank: DemoBank) -> None:
    """1,100 of 900 after a freeze was lifted: the refusal names the amount to reduce, not why the freeze ended."""
    customer, node = demo_bank.customer("D"), Node.objects.get(customer=demo_bank.customer("D"), kind="CUSTOMER")
    for status, reason in (("FROZEN", "账户被查封"), ("ACTIVE", "查封已解除")):
        limits.set_status(node=node, status=status, reason=reason, business_date=DAY, actor_id=None)
    over = exceed(demo_bank)
    finding = next(f for f in demo_bank.draw("D", "1").findings if f["code"] == "LIMIT_IN_EXCESS")
    assert "查封" not in finding["message"]
    assert f"先压降 {over}" in finding["remedy"]
    client = sign_in(demo_bank.staff("wanghy"))
    for url in (f"/customers/{customer.number}/", f"/limits/{node.parent_id}/"):
        assert "查封已解除" not in opened(client, url).split("额度树（万元）")[-1].split("未结超额")[0], url


def exceed(bank: DemoBank) -> str:
    """D uses more than its limit once its pledged deposit is released; gives by how much, in words."""
    pledged = Deal.objects.get(customer=bank.customer("D"), product="cd_pledged_loan")
    servicing.change_cover(
        actor=bank.staff("yaoj"), deal=pledged, kind="own_cd", after_fen=0, reason="存单解押", business_date=DAY,
        has_happened=True,
    )  # fmt: skip
    node = Node.objects.get(customer=bank.customer("D"), kind="CUSTOMER")
    return f"{format_wan(node.used_fen - (node.cap_fen or 0))} 万元"


def test_the_home_page_and_the_badge_count_all_that_waits(demo_bank: DemoBank) -> None:
    """An alert to act on and a freeze that another person asked for stand on home, in the badge and on /tasks/."""
    risk, approver = demo_bank.staff("fengxc"), demo_bank.staff("wanghy")
    before = count_pressing(risk, as_of=DAY)
    alert = raise_alert(code="W18", customer=demo_bank.customer("D"), business_date=DAY, message="拖延付款")
    Alert.objects.filter(pk=alert.pk).update(owner=risk)
    node = Node.objects.get(customer=demo_bank.customer("D"), kind="CUSTOMER")
    lines.propose_status(actor=approver, node=node, act="FREEZE", reason="账户被查封", business_date=DAY)
    client = sign_in(risk)
    page = client.get("/")
    assert {"alerts", "freezes"} <= {part for part, _name, _count in page.context["todo_parts"]}
    assert "没有待办" not in page.content.decode()
    items = page.context["navigation"]()[0]["items"]
    assert items[1]["badge"] == before + 2
    assert "账户被查封" in opened(client, "/tasks/")
    assert "账户被查封" not in opened(sign_in(approver), "/tasks/")


def test_a_group_and_a_member_above_their_limits_say_so_in_red(demo_bank: DemoBank) -> None:
    """6,480 of a line of 6,000, D above its own limit: badge, finding with the excess, member, picture, file."""
    exceed(demo_bank)
    GroupLine.objects.filter(group=demo_bank.group).update(amount_fen=6_000 * WAN)
    client = sign_in(demo_bank.staff("wanghy"))
    answer = client.get(f"/groups/{demo_bank.group.number}/")
    assert {"text": "超过额度", "tone": "red"} in answer.context["badges"]
    finding = next(f for f in answer.context["findings"] if f.code == "GROUP_ABOVE_LINE")
    use = answer.context["row"].exposure_fen
    assert f"超出 {format_wan(use - 6_000 * WAN)} 万元" in finding.message
    page = answer.content.decode()
    assert page.count("超过限额") >= 2, "beside the member and in the picture"
    assert "超过限额" in opened(client, f"/customers/{demo_bank.customer('D').number}/credit/")


def test_a_line_that_ended_says_so_and_counts_no_more(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("wanghy"))
    before = client.get("/").context["totals"].line_fen
    GroupLine.objects.filter(group=demo_bank.group).update(valid_from=DAY.replace(year=2024), valid_to=DAY)
    page = opened(client, f"/groups/{demo_bank.group.number}/")
    assert f"已到期 {DAY}" in page
    assert "尚未批准" not in page
    assert client.get(f"/groups/{demo_bank.group.number}/").context["available_fen"] == 0
    assert client.get("/").context["totals"].line_fen < before
    row = next(row for row in client.get("/lines/").context["rows"] if row.kind == "group")
    assert (row.is_expired, row.status) == (True, "已到期")


def test_pages_that_cannot_show_a_past_day_say_so(demo_bank: DemoBank) -> None:
    client, group = sign_in(demo_bank.staff("wanghy")), demo_bank.group
    node = Node.objects.get(group=group)
    past = "2025-03-31"
    for url, words in (
        ("/", "按营业日 2025-06-30"), (f"/groups/{group.number}/credit/", "批复、评级、评价和冻结为目前的记录"),
        (f"/limits/{node.pk}/", "不能按 2025-03-31 显示"), ("/limits/", "不能按 2025-03-31 显示"),
    ):  # fmt: skip
        assert words in opened(client, url, as_of=past), url
        assert words not in opened(client, url), url


def test_the_report_of_a_quarter_to_come_is_refused_and_old_capital_is_said(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("fengxc"))
    page = client.get("/exposures/g14/", {"as_of": "2026-12-31"})
    assert "不能编制这一期报表" in page.content.decode()
    assert page.context["report"].quarter_end == DAY
    answer = client.get("/exposures/g14.xlsx", {"as_of": "2026-12-31"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/exposures/g14/")
    assert client.get("/exposures/g14.xlsx", {"as_of": str(DAY)}).status_code == 200
    latest = CapitalFigure.objects.filter(kind="tier1").latest("date")
    CapitalFigure.objects.filter(kind="tier1").exclude(pk=latest.pk).delete()
    CapitalFigure.objects.filter(pk=latest.pk).update(date="2023-09-30")
    assert "不能再用于核对限额" in opened(client, "/exposures/g14/")


def test_a_case_that_one_may_not_open_is_a_number_without_a_link(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = propose(demo_bank, "6600", sub={**SUB, "A": 1100})
    GroupLine.objects.filter(group=demo_bank.group).update(case=case)
    seen = set()
    url = f"/groups/{demo_bank.group.number}/credit/"
    for username in ("wanghy", "zhoulp", "liujg", "yaoj"):
        client = sign_in(demo_bank.staff(username))
        page = opened(client, url)
        may_open = client.get(f"/cases/{case.number}/").status_code == 200
        assert case.number in page
        assert (f'href="/cases/{case.number}/"' in page) == may_open, username
        seen.add(may_open)
    assert seen == {True, False}


def test_forms_offer_what_can_be_chosen(demo_bank: DemoBank) -> None:
    """No grade beforehand, branches only, no closing before an exit; a field's name apart from its fault."""
    assert RatingForm(as_of=DAY).fields["grade"].choices[0][0] == ""
    assert {unit.kind for unit in ManagingForm().fields["branch"].queryset} <= {"branch", "sub_branch"}
    number, client = demo_bank.customer("D").number, sign_in(demo_bank.staff("yaoj"))
    assert "退出完成，关闭额度" not in opened(client, f"/customers/{number}/credit/")
    deal = Deal.objects.filter(customer=demo_bank.customer("D"), is_drawn=True)[0]
    page = client.post(f"/deals/{deal.pk}/repay/", {"amount": "0"}, follow=True).content.decode()
    assert "还款金额：金额须大于 0" in page


def test_a_drawing_without_a_contract_says_where_to_open_one(demo_bank: DemoBank) -> None:
    customer = demo_bank.customer("D")
    client, url = sign_in(demo_bank.staff("liujg")), f"/customers/{customer.number}/drawings/new/"
    assert "没有当日有效的合同" not in opened(client, url)
    Facility.objects.filter(customer=customer).update(end_date=DAY)
    assert "没有当日有效的合同" in opened(client, url)


def test_a_step_of_a_case_is_confirmed(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = propose(demo_bank, "6600", sub={**SUB, "A": 1100})
    client = sign_in(demo_bank.staff("liujg"))
    answer = client.post(f"/cases/{case.number}/investigate/", {"opinion": "属实", "is_on_site": "on"}, follow=True)
    assert "调查意见已保存。状态：" in answer.content.decode()
