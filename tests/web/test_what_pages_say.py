"""What pages say where a figure, a day or an address is not what somebody expects."""

from django.test import Client

from shouxin.domain.money import format_wan
from shouxin.facilities import servicing
from shouxin.facilities.models import Deal
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from tests.demo import DAY, DemoBank
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
