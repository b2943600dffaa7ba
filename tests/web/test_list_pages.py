"""The list through its pages: saved views, columns, acts on many, rows in place, board, import, pool, handover."""

import datetime as dt
import io

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse

from shouxin.audit.models import Entry
from shouxin.engagement.models import Activity, Contact, RoleCard, SuspectedLink
from shouxin.parties.models import ClassScheme, Customer, CustomerClass, Handover, SavedView
from shouxin.parties.pool import release
from shouxin.parties.services import ContactInput, add_prospect
from shouxin.reporting.models import ImportJob
from shouxin.web.demo_relationship import furnish
from tests.conftest import DAY, SmallBank
from tests.demo import DemoBank
from tests.web.test_pages import sign_in


@pytest.fixture
def classes(db: None) -> dict[str, CustomerClass]:
    scheme = ClassScheme.objects.create(code="four", name="四类", is_main=True)
    return {
        code: CustomerClass.objects.create(scheme=scheme, code=code, name=f"{code} 类", follow_up_days=7, position=n)
        for n, code in enumerate("AB")
    }


def fill(bank: SmallBank, count: int, name: str = "公司") -> list[Customer]:
    return [
        add_prospect(
            actor=bank.manager_west, name=f"{name}{n:02d}", kind="org", customer_class=None, business_date=DAY,
            contacts=(ContactInput("phone", f"138{n:08d}"),),
        )
        for n in range(count)
    ]  # fmt: skip


def names(client: Client, **query: str) -> list[str]:
    return [c.name for c in client.get("/customers/", query).context["rows"]]


def test_a_saved_view_keeps_filters_columns_and_order_and_may_be_shared(small_bank: SmallBank) -> None:
    fill(small_bank, 2)
    client = sign_in(small_bank.head_west)
    query = "q=公司01&columns=stage,phone&order=next-step&after=whatever"
    client.post("/customers/views/", {"name": "我的", "query": query, "pinned": "1", "shared": "1"})
    view = SavedView.objects.get()
    assert (view.is_pinned, view.shared_with) == (True, small_bank.west)
    page = client.get(f"/customers/?{view.query}")
    assert [c.name for c in page.context["rows"]] == ["公司01"]
    assert page.context["columns"] == ("stage", "phone")
    assert "13800000001" in page.content.decode()
    for staff, shown in ((small_bank.manager_west, 1), (small_bank.manager_east, 0)):
        assert len(sign_in(staff).get("/customers/").context["views"]) == shown
    sign_in(small_bank.manager_west).post(f"/customers/views/{view.pk}/delete/")
    assert SavedView.objects.exists(), "another's view is not deleted"
    client.post(f"/customers/views/{view.pk}/delete/")
    assert not SavedView.objects.exists()


def test_every_order_visits_each_row_once_and_comes_back(small_bank: SmallBank) -> None:
    for n, customer in enumerate(fill(small_bank, 45)):
        day = None if n % 3 else DAY.replace(day=1 + n % 20)
        Customer.objects.filter(pk=customer.pk).update(last_contact_date=day, next_step_date=day)
    client = sign_in(small_bank.manager_west)
    for order in ("updated", "next-step", "last-contact"):
        pages, after = [], ""
        while True:
            page = client.get("/customers/", {"order": order, "after": after})
            pages.append([c.pk for c in page.context["rows"]])
            after = page.context["pager"]["after"]
            if not after:
                break
        assert len({pk for p in pages for pk in p}) == sum(map(len, pages)) == 45
        back = client.get("/customers/", {"order": order, "before": page.context["pager"]["before"]})
        assert [c.pk for c in back.context["rows"]] == pages[1], order


def test_acts_on_selected_rows_and_on_all_that_match(small_bank: SmallBank, classes: dict[str, CustomerClass]) -> None:
    customers = fill(small_bank, 30)
    fill(small_bank, 3, name="别的")
    client = sign_in(small_bank.head_west)
    numbers = [customers[0].number, f"{customers[1].number},{customers[2].number}"]
    client.post("/customers/selected/", {"act": "class", "class": classes["A"].pk, "selected": numbers})
    assert Customer.objects.filter(main_class=classes["A"]).count() == 3
    client.post("/customers/selected/", {"act": "tag", "tag": "重点", "all": "1", "query": "q=公司"})
    assert Customer.objects.filter(tags__tag__name="重点").count() == 30
    before = Customer.objects.filter(main_owner=small_bank.head_west).count()
    client.post(
        "/customers/selected/",
        {"act": "transfer", "to": small_bank.head_west.pk, "reason": "调整", "all": "1", "query": "q=别的"},
    )
    assert (before, Customer.objects.filter(main_owner=small_bank.head_west).count()) == (0, 3)
    book = openpyxl.load_workbook(
        io.BytesIO(client.post("/customers/selected/", {"act": "export", "selected": numbers}).content)
    )
    assert book.active.max_row == 4
    assert Entry.objects.filter(action="reporting.customers.exported").count() == 1


def test_nobody_acts_on_what_they_may_not_change(small_bank: SmallBank, classes: dict[str, CustomerClass]) -> None:
    customer = fill(small_bank, 1)[0]
    form = {"act": "class", "class": classes["A"].pk, "selected": customer.number}
    sign_in(small_bank.manager_east).post("/customers/selected/", form)
    assert sign_in(small_bank.risk_officer).post("/customers/selected/", form).status_code == 403
    own = sign_in(small_bank.manager_west)
    own.post("/customers/selected/", {"act": "transfer", "to": small_bank.manager_east.pk, "reason": "x",
                                      "selected": customer.number})  # fmt: skip
    customer.refresh_from_db()
    assert (customer.main_class, customer.main_owner) == (None, small_bank.manager_west)


def test_a_row_is_edited_in_place(small_bank: SmallBank, classes: dict[str, CustomerClass]) -> None:
    customer = fill(small_bank, 1)[0]
    client, url = sign_in(small_bank.manager_west), reverse("customer_row", args=[customer.number])
    assert "<form" in client.get(url).content.decode()
    wrong = client.post(url, {"next_step": "回访", "customer_class": ""}, headers={"HX-Request": "true"})
    assert (wrong.status_code, "请填写下一步的日期" in wrong.content.decode()) == (422, True)
    good = {"next_step": "回访", "next_step_date": "2025-07-05", "customer_class": classes["B"].pk}
    row = client.post(url, good, headers={"HX-Request": "true"}).content.decode()
    assert "回访" in row
    assert "B 类" in row
    assert sign_in(small_bank.manager_east).get(url).status_code == 404
    lanes = {lane["label"]: lane["count"] for lane in client.get("/customers/board/").context["lanes"]}
    assert lanes == {"A 类": 0, "B 类": 1, "未分类": 0}


def test_a_list_comes_in_through_the_pages(small_bank: SmallBank, run_jobs: object) -> None:
    client = sign_in(small_bank.manager_west)
    file = io.BytesIO("企业全称,电话\n明远贸易,13812345678\n差公司,12\n".encode("gb18030"))
    file.name = "名单.csv"
    page = client.post("/imports/", {"file": file}, follow=True)
    job = ImportJob.objects.get()
    assert (job.encoding, job.state) == ("GB18030", "staged")
    assert "13812345678" in page.content.decode(), "three sample values"
    client.post(f"/imports/{job.pk}/check/", {"column-0": "name", "column-1": "phone", "save_as": "我行"})
    job.refresh_from_db()
    assert (job.new_rows, job.error_rows) == (1, 1)
    client.post(f"/imports/{job.pk}/act/", {"act": "run"})
    job.refresh_from_db()
    assert job.state == "checked", "errors are mended or skipped first"
    client.post(f"/imports/{job.pk}/rows/3/", {"cell-0": "差公司", "cell-1": "13900000000"})
    client.post(f"/imports/{job.pk}/act/", {"act": "run"})
    run_jobs()  # type: ignore[operator]
    job.refresh_from_db()
    assert (job.state, job.created) == ("done", 2)
    assert sign_in(small_bank.manager_east).get(f"/imports/{job.pk}/").status_code == 404
    client.post(f"/imports/{job.pk}/act/", {"act": "undo"})
    assert not Customer.objects.exists()


def test_pool_and_handover_through_the_pages(small_bank: SmallBank) -> None:
    customers = fill(small_bank, 2)
    release(actor=small_bank.manager_west, customer_ids=[customers[0].pk], reason="x", business_date=DAY)
    east = sign_in(small_bank.manager_east)
    assert "公司00" in east.get("/pool/").content.decode()
    east.post(f"/pool/{customers[0].pk}/claim/")
    assert Customer.objects.get(pk=customers[0].pk).main_owner == small_bank.manager_east
    refused = sign_in(small_bank.administrator).post(
        "/handovers/disable/", {"staff": small_bank.manager_west.pk}, follow=True
    )
    assert "主办客户 1 项" in refused.content.decode()
    made = Handover.objects.get()
    head = sign_in(small_bank.head_west)
    head.post(f"/handovers/{made.pk}/act/", {"act": "review"})
    head.post(f"/handovers/{made.pk}/act/", {"act": "assign", "to-all": small_bank.head_west.pk})
    item = made.items.get()
    head.post(f"/handovers/items/{item.pk}/",
              {"visited_date": "2025-06-30", "notice_date": "2025-06-30", "notice_way": "当面"})  # fmt: skip
    made.refresh_from_db()
    assert made.state == "visited"
    page = head.get(f"/handovers/{made.pk}/print/").content.decode()
    assert all(text in page for text in ("移交清单", "监交人签字", "公司01"))
    assert sign_in(small_bank.manager_east).get(f"/handovers/{made.pk}/").status_code == 404


def test_a_note_with_a_suspected_link_reaches_the_officers(small_bank: SmallBank) -> None:
    customer = fill(small_bank, 1)[0]
    client = sign_in(small_bank.manager_west)
    form = {"kind": "visit", "happened_at": "2025-06-30T10:00", "text": "老板的弟弟开了新公司", "link_to": "亮剑运输"}
    client.post(reverse("engagement_add", args=[customer.number, "activity"]), form)
    assert Activity.objects.get().author == small_bank.manager_west
    officer = sign_in(small_bank.identification_officer)
    assert "亮剑运输" in officer.get("/suspected-links/").content.decode()
    officer.post("/suspected-links/", {"link": SuspectedLink.objects.get().pk, "act": "take", "decision": "查登记"})
    assert SuspectedLink.objects.get().state == "taken"
    page = client.get(reverse("customer_detail", args=[customer.number]), {"event": "visit"}).content.decode()
    assert "老板的弟弟开了新公司" in page
    assert client.get("/suspected-links/").status_code == 403


def test_a_duplicate_outside_the_view_is_masked_and_can_be_asked_for(small_bank: SmallBank) -> None:
    customer = fill(small_bank, 1, name="明远贸易")[0]
    client = sign_in(small_bank.manager_east)
    part = client.get("/customers/similar/", {"name": "明远贸易00"}).content.decode()
    assert "明远***" in part
    assert "城西支行" in part
    client.post(reverse("customer_ask", args=[customer.pk]))
    entry = Entry.objects.get(action="parties.customer.asked_for")
    assert (entry.actor, entry.subject_id) == (small_bank.manager_east, str(customer.pk))


@pytest.mark.clause("NS-07")
def test_the_outline_of_a_call_is_printable(small_bank: SmallBank) -> None:
    """One sheet with whom to ask for, what they care for, and the steps; another's customer has none for me."""
    customer = fill(small_bank, 1)[0]
    role = RoleCard.objects.get(name="财务总监")
    Contact.objects.create(customer=customer, name="张建国", title="总", role=role)
    url = reverse("call_sheet", args=[customer.number])
    page = sign_in(small_bank.manager_west).get(url).content.decode()
    assert all(text in page for text in ("沟通提纲", "张总", "现金流", "问候与称呼", "data-print"))
    assert sign_in(small_bank.manager_east).get(url).status_code == 404


@pytest.mark.clause("QU-07")
def test_customers_that_nobody_contacted_for_long_are_listed(small_bank: SmallBank) -> None:
    """More than 30 days without a contact: on the line not yet, a day over it yes."""
    customers = fill(small_bank, 3)
    for customer, days in zip(customers, (30, 31, 90), strict=True):
        Customer.objects.filter(pk=customer.pk).update(last_contact_date=DAY - dt.timedelta(days=days))
    client = sign_in(small_bank.manager_west)
    assert sorted(names(client, quick="silent")) == ["公司01", "公司02"]
    assert names(client, quick="silent", order="last-contact") == ["公司02", "公司01"]


def test_the_demo_banks_relationships_show_on_its_pages(demo_bank: DemoBank) -> None:
    """Every part of a customer's page has something to show, and the quality page names who holds too much."""
    furnish()
    page = sign_in(demo_bank.staff("liujg")).get(f"/customers/{demo_bank.customer('D').number}/").content.decode()
    for text in ("陈总", "公司章程第 8 条", "城西仓库", "收款终端", "未查明 30", "经常性客户", "对账单改为每月电子版"):
        assert text in page, text
    quality = sign_in(demo_bank.staff("fengxc")).get("/customer-quality/").content.decode()
    assert "请选择机构" in quality
    unit = demo_bank.customer("D").unit.code
    assert "预警线 30" in sign_in(demo_bank.staff("fengxc")).get(f"/customer-quality/?unit={unit}").content.decode()
    assert "篮球" in sign_in(demo_bank.staff("liujg")).get("/community/").content.decode()
