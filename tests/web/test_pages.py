"""Every page for every role: seen, refused or not there; lists page, filter and export without a query per row."""

import csv
import io
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from shouxin.audit.models import Entry
from shouxin.bank.models import ExchangeRate, Staff
from shouxin.facilities.models import Drawing, Facility
from shouxin.groups.models import Candidate, CustomerGroup, Determination, GroupChange, MergeTask
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.parties.services import ContactInput, add_prospect
from shouxin.reporting.exports import neutral
from tests.conftest import SmallBank
from tests.demo import DAY, WAN, DemoBank


def sign_in(staff: Staff) -> Client:
    client = Client()
    client.force_login(staff, backend="shouxin.bank.backends.StaffBackend")
    return client


def urls(bank: DemoBank) -> dict[str, str]:
    d = bank.customer("D").number
    return {
        "workbench": "/",
        "search": "/search/?q=明远",
        "customer_list": "/customers/",
        "customer_add": "/customers/new/",
        "export_csv": "/customers/export.csv",
        "export_xlsx": "/customers/export.xlsx",
        "print": "/customers/print/",
        "customer": reverse("customer_detail", args=[d]),
        "drawing_new": reverse("drawing_new", args=[d]),
        "drawings": "/drawings/",
        "groups": "/groups/",
        "group": reverse("group_detail", args=[CustomerGroup.objects.get().number]),
        "candidate": reverse("candidate_detail", args=[Candidate.objects.get(label="G2").pk]),
        "task": reverse("merge_task", args=[MergeTask.objects.get().pk]),
        "what_if": "/groups/what-if/?holder=陈明&company=明远贸易&percent=60",
        "members": reverse("group_members", args=[CustomerGroup.objects.get().number]),
        "versions": reverse("group_versions", args=[CustomerGroup.objects.get().number]),
        "lead": reverse("group_lead", args=[CustomerGroup.objects.get().number]),
        "family": reverse("group_print", args=[CustomerGroup.objects.get().number]),
        "change": reverse("group_change", args=[GroupChange.objects.get().pk]),
        "parameters": "/parameters/",
        "parameter": "/parameters/group.limit.pct_net_capital/",
        "products": "/products/",
        "bank": "/bank/",
    }


GROUP_PAGES = ("group", "candidate", "task", "versions", "lead", "family", "change")
NOT_OK = {
    # role holder: {page: status}; every other page answers 200
    "liujg": {"members": 403},
    "hewei": {"candidate": 404, "members": 403},  # none of its members is a customer of this branch
    "zhoulp": {"customer": 404, "drawing_new": 404, "members": 403, "what_if": 422},  # another branch, same group
    "maj": {"customer": 404, "drawing_new": 404, "members": 403, "what_if": 422, **dict.fromkeys(GROUP_PAGES, 404)},
    "wanghy": {"customer_add": 403, "drawing_new": 403, "members": 403},
    "fengxc": {"customer_add": 403, "drawing_new": 403, "members": 403},
    "gaoyl": {"customer_add": 403, "drawing_new": 403},
    "tangw": {"customer_add": 403, "drawing_new": 403, "members": 403},
    "admin": {
        "customer_add": 403, "drawing_new": 403, "customer": 404, "members": 403, "what_if": 422,
        **dict.fromkeys(GROUP_PAGES, 404),
    },
}  # fmt: skip


def test_every_page_for_every_role(demo_bank: DemoBank) -> None:
    for username, exceptions in NOT_OK.items():
        client = sign_in(demo_bank.staff(username))
        for name, url in urls(demo_bank).items():
            assert client.get(url).status_code == exceptions.get(name, 200), (username, name)


def test_nothing_but_sign_in_and_health_is_open(demo_bank: DemoBank) -> None:
    client = Client()
    for url in urls(demo_bank).values():
        answer = client.get(url)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in/")
    assert client.get("/sign-in/").status_code == 200
    assert client.get("/healthz").json() == {"status": "ok"}


def test_five_wrong_passwords_lock_the_name_for_a_while(small_bank: SmallBank) -> None:
    small_bank.manager_west.set_password("right-password")
    small_bank.manager_west.save()
    client = Client()
    form = {"username": "manager-west", "password": "wrong"}
    statuses = [client.post("/sign-in/", form).status_code for _ in range(6)]
    assert statuses[:4] == [200] * 4
    assert statuses[-1] in {403, 429}
    again = client.post("/sign-in/", {**form, "password": "right-password"})
    assert again.status_code in {403, 429}, "locked even with the right password"


def test_pages_carry_the_headers_that_keep_browsers_safe(demo_bank: DemoBank) -> None:
    answer = sign_in(demo_bank.staff("liujg")).get("/")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src", 1)[1].split(";", 1)[0]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_chinese_first_and_english_by_choice(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("liujg"))
    assert "客户名单" in client.get("/customers/", headers={"Accept-Language": "en"}).content.decode()
    client.post("/i18n/language/", {"language": "en", "next": "/customers/"})
    page = client.get("/customers/").content.decode()
    assert "Customer list" in page
    assert '<html lang="en"' in page


# --- the list ------------------------------------------------------------------------------------------------------


def fill(owner: Staff, count: int) -> None:
    for n in range(count):
        add_prospect(
            actor=owner, name=f"公司{n:03d}", kind="org", contacts=(ContactInput("phone", f"0571880{n:05d}"),),
            customer_class=None, business_date=DAY,
        )  # fmt: skip


def test_paging_visits_each_row_once_and_comes_back(small_bank: SmallBank) -> None:
    fill(small_bank.manager_west, 45)
    client = sign_in(small_bank.manager_west)
    seen: list[str] = []
    page = client.get("/customers/")
    while True:
        seen += re.findall(r'href="/customers/(KH\d+)/"', page.content.decode())
        after = page.context["pager"]["after"]
        if not after:
            break
        page = client.get("/customers/", {"after": after})
    assert len(seen) == len(set(seen)) == 45
    back = client.get("/customers/", {"before": page.context["pager"]["before"]})
    assert [c.number for c in back.context["rows"]] == seen[20:40]
    assert client.get("/customers/", {"after": "broken"}).status_code == 200


def test_a_longer_page_asks_no_more_of_the_database(small_bank: SmallBank) -> None:
    client = sign_in(small_bank.manager_west)
    counts = []
    for count in (3, 15):
        fill(small_bank.manager_west, count)
        with CaptureQueriesContext(connection) as queries:
            client.get("/customers/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_filters_narrow_and_an_empty_result_says_so(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("liujg"))
    page = client.get("/customers/", {"q": "明远"})
    assert [c.name for c in page.context["rows"]] == ["明远贸易有限公司"]
    assert "没有符合条件的客户" in client.get("/customers/", {"q": "不存在的"}).content.decode()
    part = client.get("/customers/", {"q": "明远"}, headers={"HX-Request": "true", "HX-Target": "customer-table"})
    assert part.content.decode().lstrip().startswith('<div class="table-scroll">')


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_is_neutralised(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"
    assert neutral("正常") == "正常"


def test_exports_follow_the_view_mask_telephones_by_role_and_leave_a_trail(demo_bank: DemoBank) -> None:
    rows = {}
    for username in ("liujg", "tangw"):
        body = sign_in(demo_bank.staff(username)).get("/customers/export.csv").content.decode("utf-8-sig")
        rows[username] = list(csv.DictReader(io.StringIO(body)))
    assert {row["名称"] for row in rows["liujg"]} < {row["名称"] for row in rows["tangw"]}
    assert all("*" not in row["电话"] for row in rows["liujg"])
    assert all("****" in row["电话"] for row in rows["tangw"])
    assert Entry.objects.filter(action="reporting.customers.exported").count() == 2


def test_a_doubled_prospect_is_shown_before_it_is_made(small_bank: SmallBank) -> None:
    fill(small_bank.manager_east, 1)
    client = sign_in(small_bank.manager_west)
    form = {"name": "公司000", "kind": "org", "phone": ""}
    refused = client.post("/customers/new/", form)
    assert refused.status_code == 409
    assert "公司***" in refused.content.decode(), "outside one's view the name is masked"
    assert client.post("/customers/new/", {**form, "confirm_duplicate": "on"}).status_code == 302
    assert Customer.objects.count() == 2


# --- a drawing through the page ---------------------------------------------------------------------------------


def drawing_form(bank: DemoBank, amount: str, **more: str) -> dict[str, str]:
    return {
        "facility": str(bank.facility("D").pk), "amount": amount, "margin": "0", "value_date": DAY.isoformat(),
        "maturity_date": "2026-06-30", "key": f"key-{amount}", **more,
    }  # fmt: skip


def test_a_refused_drawing_is_422_with_the_article_and_an_accepted_one_goes_on(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("liujg"))
    url = urls(demo_bank)["drawing_new"]
    refused = client.post(url, drawing_form(demo_bank, "201"))
    page = refused.content.decode()
    assert refused.status_code == 422
    for text in ("明远贸易有限公司的成员额度", "申请 201.00 万元，可用 200.00 万元", "BR-12", "申请不超过 200.00 万元"):
        assert text in page
    accepted = client.post(url, drawing_form(demo_bank, "200"))
    assert accepted.status_code == 302
    assert client.get(accepted["Location"]).status_code == 200
    drawing = Drawing.objects.get(state="reserved")
    assert client.post(reverse("drawing_release", args=[drawing.pk])).status_code == 403
    head = sign_in(demo_bank.staff("hewei"))
    assert head.post(reverse("drawing_release", args=[drawing.pk]), {"minutes_number": "贷审 1 号"}).status_code == 302
    drawing.refresh_from_db()
    assert drawing.state == "posted"
    assert demo_bank.group.limit_node.used_fen == 6_680 * WAN


@pytest.mark.parametrize("amount", ["", "abc", "-1", "0", "0.0000001", "1e30", "NaN"])
def test_an_amount_that_is_none_is_said_at_its_field_and_nothing_is_written(demo_bank: DemoBank, amount: str) -> None:
    client = sign_in(demo_bank.staff("liujg"))
    answer = client.post(urls(demo_bank)["drawing_new"], drawing_form(demo_bank, amount))
    assert answer.status_code == 422
    assert not Drawing.objects.exclude(state="refused").exists()
    assert demo_bank.group.limit_node.used_fen == 6_480 * WAN


def test_a_trial_shows_the_path_and_writes_nothing(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("liujg"))
    answer = client.post(urls(demo_bank)["drawing_new"], drawing_form(demo_bank, "201", simulate="1"))
    assert answer.status_code == 422
    assert "试算结果（未保存）" in answer.content.decode()
    assert not Drawing.objects.exists()


# --- groups --------------------------------------------------------------------------------------------------------


def test_the_group_page_shows_members_proofs_exposure_and_the_line(demo_bank: DemoBank) -> None:
    page = sign_in(demo_bank.staff("wanghy")).get(urls(demo_bank)["group"]).content.decode()
    for text in ("7,000", "6,480", "520", "12.96%", "13.50%", "陈明（儿子） 31% + 李秀英（配偶） 20% = 51%",
                 "宏达建材有限公司 45% + 陈芳（女儿） 10% = 55%", "《贷款通则》"):  # fmt: skip
        assert text in page, text


@pytest.mark.clause("JS-12")
def test_the_indicator_page_shows_the_largest_group_its_share_and_the_alert(demo_bank: DemoBank) -> None:
    page = sign_in(demo_bank.staff("fengxc")).get("/")
    assert page.context["largest"].name == "宏达系（陈建国家族）"
    assert f"{page.context['largest'].share:.2f}" == "12.96"
    assert page.context["largest"].level == "warn"
    text = page.content.decode()
    for words in ("宏达系（陈建国家族）", "12.96%", "2024-12-31"):
        assert words in text


def test_only_two_identification_officers_confirm_a_proposal(demo_bank: DemoBank) -> None:
    run = sign_in(demo_bank.staff("gaoyl")).post("/groups/identify/")
    assert run.status_code == 302
    assert sign_in(demo_bank.staff("hewei")).post("/groups/identify/").status_code == 403
    candidate = Determination.objects.latest("pk").candidates.get(status="proposed")
    url = reverse("candidate_detail", args=[candidate.pk])
    form = {
        "name": "亮剑系", "responsible": demo_bank.staff("suny").pk, "reason": "共同控制",
    }  # fmt: skip
    answer = sign_in(demo_bank.staff("linzy")).post(url, form)
    assert answer.status_code == 422, "A, B and E belong to the first group already"
    assert "已是集团" in answer.content.decode()
    assert CustomerGroup.objects.count() == 1


def test_the_past_is_shown_as_it_was(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("wanghy"))
    assert client.get("/groups/", {"as_of": "2025-01-01"}).context["rows"] == [] or all(
        row.exposure_fen == 0 for row in client.get("/groups/", {"as_of": "2025-01-01"}).context["rows"]
    )
    assert "不存在" in client.get("/groups/", {"as_of": "2025-02-30"}).content.decode()


@pytest.mark.clause("CB-05", points="on")
def test_the_group_page_prints_the_legal_basis_of_its_line(demo_bank: DemoBank) -> None:
    page = sign_in(demo_bank.staff("wanghy")).get(urls(demo_bank)["group"]).content.decode()
    for law in ("《中华人民共和国商业银行法》", "《贷款通则》", "《商业银行实施统一授信制度指引（试行）》"):
        assert law in page


@pytest.mark.clause("CB-01", points="on")
def test_the_menu_shows_the_eight_parts_of_the_line_rule(small_bank: SmallBank) -> None:
    """In the order of its contents, each with a page of its own."""
    client = sign_in(small_bank.approver)
    menu = client.get("/parameters/").content.decode().partition('<details class="sidebar-fold">')[2]
    parts = re.findall(r'href="([^"]+)".*?<span>(.*?)</span>', menu.partition("</details>")[0], re.DOTALL)
    assert [label for _, label in parts] == [
        "总则", "一般额度授信", "公开额度授信", "多头授信客户及集团客户", "授信额度及使用额度的审批", "后续管理",
        "信贷管理信息系统", "附则",
    ]  # fmt: skip
    assert len({url for url, _ in parts}) == 8
    for url, label in parts:
        assert client.get(url.partition("#")[0]).status_code == 200, label


def test_a_frozen_limit_says_why(demo_bank: DemoBank) -> None:
    node = Node.objects.get(group=demo_bank.group)
    limits.set_status(node=node, status="FROZEN", reason="成员逾期", business_date=DAY, actor_id=None)
    drawing = demo_bank.draw("D", "1")
    assert "额度已冻结（成员逾期）" in drawing.findings[0]["message"]


# --- whatever is typed ---------------------------------------------------------------------------------------------

STRANGE = [
    "\x00", "a\x00b", "%", "_", "'", '"', "\\", "1e999", "-1", "9" * 400, "０", "²", "2025-02-30", "0001-01-01",
    "9999-12-31", "<script>alert(1)</script>", "(((((", "MTIzfA==", "😀" * 50, "||",
]  # fmt: skip


def test_no_strange_text_in_an_address_breaks_a_page(demo_bank: DemoBank) -> None:
    """Fuzzing every query parameter: an answer, a refusal or not found, never a fault of ours."""
    client = sign_in(demo_bank.staff("hewei"))
    client.raise_request_exception = False
    d = demo_bank.customer("D").number
    keys = {
        "/customers/": ("q", "class", "stage", "unit", "quick", "after", "before", "as_of"),
        "/customers/export.csv": ("q", "class"), "/search/": ("q",), "/groups/": ("q", "as_of"), "/": ("as_of",),
        "/parameters/": ("q", "as_of"), "/drawings/": ("state",), "/products/": ("as_of",), "/bank/": ("as_of",),
        f"/customers/{d}/": ("as_of",), "/groups/JT-00001/": ("as_of",),
    }  # fmt: skip
    broken = [
        (url, key, text)
        for url, names in keys.items()
        for key in names
        for text in STRANGE
        if client.get(url, {key: text}).status_code >= 500
    ]
    assert broken == []
    assert "<script>alert" not in client.get("/customers/", {"q": "<script>alert(1)</script>"}).content.decode()


def test_no_strange_text_in_a_form_breaks_it_or_books_anything(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("hewei"))
    client.raise_request_exception = False
    url = urls(demo_bank)["drawing_new"]
    for field in ("facility", "amount", "margin", "value_date", "maturity_date", "purpose", "key"):
        for text in STRANGE:
            form = {**drawing_form(demo_bank, "201"), field: text}
            assert client.post(url, form).status_code < 500, (field, text)
    assert demo_bank.group.limit_node.used_fen == 6_480 * WAN


def test_a_missing_rate_is_said_and_nothing_is_written(demo_bank: DemoBank) -> None:
    ExchangeRate.objects.all().delete()
    Facility.objects.filter(pk=demo_bank.facility("D").pk).update(currency="USD")
    client = sign_in(demo_bank.staff("liujg"))
    answer = client.post(urls(demo_bank)["drawing_new"], drawing_form(demo_bank, "1"))
    assert answer.status_code == 409
    assert "缺少 USD" in answer.content.decode()
    assert not Drawing.objects.exists()


def test_a_drawing_before_its_contract_is_refused(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("liujg"))
    form = {**drawing_form(demo_bank, "1"), "value_date": "2025-01-01"}
    answer = client.post(urls(demo_bank)["drawing_new"], form)
    assert answer.status_code == 422
    assert "早于合同起始日" in answer.content.decode()
