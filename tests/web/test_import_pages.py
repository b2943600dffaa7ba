"""The import pages: who brings in what, findings at their cells, undo or the reason why not."""

import io
from pathlib import Path

import pytest
from django.test import Client

from shouxin.groups.models import Holding
from shouxin.parties.models import Customer, Party
from shouxin.reporting.models import ImportJob
from tests.conftest import DAY, SmallBank
from tests.web.test_pages import sign_in


@pytest.fixture(autouse=True)
def _uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOUXIN_UPLOADS", str(tmp_path / "uploads"))


def upload(client: Client, table: str, text: str, name: str = "list.csv") -> ImportJob:
    file = io.BytesIO(text.encode())
    file.name = name
    client.post("/imports/", {"file": file, "table": table})
    return ImportJob.objects.latest("pk")


def check(client: Client, job: ImportJob, *columns: str) -> str:
    data = {f"column-{n}": column for n, column in enumerate(columns)}
    return client.post(f"/imports/{job.pk}/check/", data, follow=True).content.decode()


def test_evidence_is_brought_in_by_the_identification_officer(small_bank: SmallBank, run_jobs: object) -> None:
    client = sign_in(small_bank.identification_officer)
    page = client.get("/imports/?table=holdings").content.decode()
    assert "持股" in page
    assert "客户名单</a>" not in page.split('<ul class="chips">')[1].split("</ul>")[0]
    for table, text, columns in (
        ("entities", "编号,名称,类型\np,张三,个人\nA,甲公司,机构\n", ("id", "name", "kind")),
        ("holdings", "holder,company,percent\np,A,60\np,Z,101\n", ("holder", "company", "percent")),
    ):
        job = upload(client, table, text)
        assert job.table == table
        page = check(client, job, *columns)
        client.post(f"/imports/{job.pk}/act/", {"act": "run", "skip": "1"})
        run_jobs()  # type: ignore[operator]
    assert "比例 101 须在 0 与 100 之间" in page
    assert 'name="cell-2"' in page
    assert Holding.objects.count() == 1
    page = client.post(f"/imports/{job.pk}/act/", {"act": "undo"}, follow=True).content.decode()
    assert "已撤销 1 行" in page
    assert not Holding.objects.exists()
    assert Party.objects.count() == 2


def test_a_customer_manager_brings_in_customers_not_evidence(small_bank: SmallBank) -> None:
    job = upload(sign_in(small_bank.manager_west), "holdings", "名称,holder\n甲,乙\n")
    assert job.table == "customers"
    assert sign_in(small_bank.administrator).get("/imports/").status_code == 403


def test_a_column_is_taken_once_and_a_lost_file_is_said(small_bank: SmallBank) -> None:
    client = sign_in(small_bank.manager_west)
    job = upload(client, "customers", "甲列,乙列\n明远,建军\n")
    assert "有两列都对应到“名称”" in check(client, job, "name", "name")
    assert "缺少列 名称" in check(client, job, "", "phone")
    Path(job.stored_path).unlink()
    assert "请重新上传" in check(client, job, "name", "phone")
    assert ImportJob.objects.get().state == "staged"


def test_rows_go_on_from_the_last_line_of_the_page_before(small_bank: SmallBank) -> None:
    client = sign_in(small_bank.manager_west)
    job = upload(client, "customers", "名称\n" + "".join(f"公司{n}\n" for n in range(70)))
    page = check(client, job, "name")
    assert ("?state=all&amp;after=51" in page, "公司60" in page) == (True, False)
    page = client.get(f"/imports/{job.pk}/?state=all&after=51").content.decode()
    assert ("公司60" in page, "下一页" in page) == (True, False)


def test_what_cannot_be_undone_says_why(small_bank: SmallBank) -> None:
    job = ImportJob.objects.create(
        table="deals", file_name="d.csv", state="done", business_date=DAY, number=1, started_by=small_bank.manager_west
    )
    page = sign_in(small_bank.manager_west).get(f"/imports/{job.pk}/").content.decode()
    assert "账本只增不改" in page
    assert "撤销导入" not in page
    answer = sign_in(small_bank.manager_west).post(f"/imports/{job.pk}/act/", {"act": "undo"}, follow=True)
    assert "不能撤销" in answer.content.decode()
    assert not Customer.objects.exists()


def test_the_row_of_the_titles_is_chosen_on_the_page(small_bank: SmallBank, tmp_path: Path) -> None:
    """Two rows of words above: found by itself; another row may be taken, and one that is none is refused."""
    client = sign_in(small_bank.manager_west)
    text = "客户名单 2025,,\n制表人,张三,\n名称,类型,电话\n河滨有限公司,机构,0571-88001234\n"
    job = upload(client, "customers", text)
    assert (job.header_row, job.titles) == (3, ["名称", "类型", "电话"])
    assert 'name="header_row" min="1" max="20" value="3"' in client.get(f"/imports/{job.pk}/").content.decode()
    page = check(client, job, "name", "kind", "phone")
    assert "河滨有限公司" in page
    again = client.post(f"/imports/{job.pk}/check/", {"act": "header", "header_row": "2"}, follow=True)
    assert "没有列名" in again.content.decode(), "two titles above three columns"
    client.post(f"/imports/{job.pk}/check/", {"act": "header", "header_row": "4"})
    job.refresh_from_db()
    assert (job.header_row, job.titles[0], job.state, job.rows_read) == (4, "河滨有限公司", "staged", 0)
    refused = client.post(f"/imports/{job.pk}/check/", {"act": "header", "header_row": "30"}, follow=True)
    assert "可作表头" in refused.content.decode()
