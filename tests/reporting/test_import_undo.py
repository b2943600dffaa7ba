"""Every kind of import has a number and is taken back: reversed, kept because somebody went on with it, gone."""

import datetime as dt
from pathlib import Path

import pytest

from shouxin.audit.models import Entry
from shouxin.bank.models import CapitalFigure
from shouxin.bank.services import approve_capital_figure
from shouxin.engagement.models import Activity, BestTime, Contact
from shouxin.groups.models import Holding, Post
from shouxin.intake.evidence_files import EvidenceError
from shouxin.parties.bulk import tag_many
from shouxin.parties.models import ClassScheme, Customer, CustomerClass, Party
from shouxin.parties.selectors import search_filter
from shouxin.parties.services import ContactInput, add_contact_point, add_prospect, classify, set_next_step
from shouxin.reporting import import_jobs
from shouxin.reporting.import_jobs import ImportRefusedError, import_now
from shouxin.reporting.import_tables import KINDS
from shouxin.reporting.models import ImportJob, ImportRow
from tests.conftest import DAY, SmallBank

ENTITIES = "编号,名称,类型,客户\nA,甲公司,机构,1\nB,乙公司,机构,1\np,张三,个人,0\n"


def bring(tmp_path: Path, bank: SmallBank, table: str, text: str, **options: bool) -> ImportJob:
    file = tmp_path / f"{table}.csv"
    file.write_text(text, encoding="utf-8")
    return import_now(actor=bank.manager_west, table=table, path=file, business_date=DAY, **options)  # type: ignore[arg-type]


def take_back(job: ImportJob) -> dict[str, int]:
    found = import_jobs.undo(job=ImportJob.objects.get(pk=job.pk), actor=job.started_by, business_date=DAY)
    assert sum(found.values()) == job.created + job.updated
    return {name: n for name, n in found.items() if n}


def customer(bank: SmallBank, name: str) -> Customer:
    return add_prospect(
        actor=bank.manager_west, name=name, kind="org", contacts=(), customer_class=None, business_date=DAY
    )


def test_contacts_go_again_but_not_those_that_are_used(small_bank: SmallBank, tmp_path: Path) -> None:
    customer(small_bank, "明远贸易")
    job = bring(
        tmp_path,
        small_bank,
        "contacts",
        "客户,姓名,电话\n"
        + "".join(f"明远贸易,{name},8888000{n}\n" for n, name in enumerate(("张三", "李四", "王五", "赵六"))),
    )
    Contact.objects.filter(name="李四").update(title="总")
    BestTime.objects.create(contact=Contact.objects.get(name="王五"), weekday=1, from_hour=9, to_hour=10)
    Contact.objects.filter(name="赵六").delete()
    assert take_back(job) == {"reversed": 1, "kept": 2, "gone": 1}
    assert set(Contact.objects.values_list("name", flat=True)) == {"李四", "王五"}


def test_follow_ups_go_again_with_the_day_of_the_last_contact(small_bank: SmallBank, tmp_path: Path) -> None:
    one, two = customer(small_bank, "明远贸易"), customer(small_bank, "建军钢构")
    Customer.objects.filter(pk=one.pk).update(last_contact_date=dt.date(2024, 1, 2))
    text = "客户,方式,时间,跟进人,内容\n明远贸易,拜访,2024-05-06 10:30,老王,谈扩建冷库\n建军钢构,电话,2024/5/7,,报价\n"
    job = bring(tmp_path, small_bank, "follow_ups", text)
    Customer.objects.filter(pk=two.pk).update(last_contact_date=dt.date(2025, 6, 1))
    assert Customer.objects.filter(search_filter("冷库")).exists()
    assert take_back(job) == {"reversed": 2}
    assert not Activity.objects.exists()
    assert not Customer.objects.filter(search_filter("冷库")).exists()
    days = dict(Customer.objects.values_list("pk", "last_contact_date"))
    assert days == {one.pk: dt.date(2024, 1, 2), two.pk: dt.date(2025, 6, 1)}


def test_entities_and_what_they_put_on_the_list_go_again(small_bank: SmallBank, tmp_path: Path) -> None:
    first = bring(tmp_path, small_bank, "entities", ENTITIES)
    assert first.created == 3
    second = bring(tmp_path, small_bank, "entities", "id,name,kind,industry\nA,甲公司,org,纺织\nB,乙新,org,\n")
    assert (second.created, second.updated) == (0, 2)
    Party.objects.filter(source_id="A").update(industry="建材")
    assert take_back(second) == {"reversed": 1, "kept": 1}
    assert set(Party.objects.values_list("name", "industry")) == {("甲公司", "建材"), ("乙公司", ""), ("张三", "")}
    assert Customer.objects.filter(search_filter("乙公司")).exists()
    set_next_step(
        actor=small_bank.manager_west, customer=Customer.objects.get(party__source_id="B"), next_step="回访",
        next_step_date=DAY, business_date=DAY,
    )  # fmt: skip
    assert take_back(first) == {"reversed": 1, "kept": 2}, "B is worked on, A was edited, the person goes"
    assert set(Party.objects.values_list("source_id", flat=True)) == {"A", "B"}


@pytest.mark.parametrize(
    ("table", "text", "changed"),
    [
        ("holdings", "holder,company,percent\np,A,60\nA,B,51.5\n", "holder,company,percent\np,A,70\nA,B,51.5\n"),
        ("posts", "person,company,post,valid_to\np,A,董事长,\np,B,董事,\n",
         "person,company,post,valid_to\np,A,董事长,2026-01-01\np,B,董事,\n"),
        ("dependence", "dependent,on,ratio\nA,B,60\nB,A,30\n", "dependent,on,ratio\nA,B,70\nB,A,30\n"),
        ("guarantees", "guarantor,debtor,amount,valid_to\nA,B,100,\nB,A,100,\n",
         "guarantor,debtor,amount,valid_to\nA,B,100,2027-01-01\nB,A,100,\n"),
        ("agreements", "controller,company,kind,valid_to\np,A,合同,\np,B,实际控制人,\n".replace("合同", "协议控制"),
         "controller,company,kind,valid_to\np,A,协议控制,2027-01-01\np,B,实际控制人,\n"),
        ("concert", "set_id,member,valid_to\ns,p,\ns,A,\n", "set_id,member,valid_to\ns,p,2027-01-01\ns,A,\n"),
    ],
)  # fmt: skip
def test_evidence_is_put_back_as_it_was(
    small_bank: SmallBank, tmp_path: Path, table: str, text: str, changed: str
) -> None:
    bring(tmp_path, small_bank, "entities", ENTITIES)
    first = bring(tmp_path, small_bank, table, text)
    model = {"holdings": Holding, "posts": Post}.get(table)
    before = list(model.objects.order_by("pk").values()) if model else []
    second = bring(tmp_path, small_bank, table, changed)
    assert (first.created, second.updated, second.skipped) == (2, 1, 1)
    assert take_back(second) == {"reversed": 1}
    if model:
        assert list(model.objects.order_by("pk").values()) == before
    assert take_back(first) == {"reversed": 2}


def test_kin_of_two_people_is_taken_back(small_bank: SmallBank, tmp_path: Path) -> None:
    bring(tmp_path, small_bank, "entities", "id,name,kind\np,张三,person\nq,李四,person\n")
    job = bring(tmp_path, small_bank, "kin", "a,b,relation\np,q,spouse\n")
    assert take_back(job) == {"reversed": 1}


def test_capital_that_somebody_approved_stays(small_bank: SmallBank, tmp_path: Path) -> None:
    job = bring(
        tmp_path, small_bank, "capital", "口径,报告日,金额\n资本净额,2023-12-31,450000000\n资本净额,2022-12-31,1\n"
    )
    figure = CapitalFigure.objects.get(date="2023-12-31")
    approve_capital_figure(actor=small_bank.risk_officer, figure=figure, business_date=DAY)
    assert take_back(job) == {"reversed": 1, "kept": 1}


def test_deals_stand_in_the_ledger_and_say_so(small_bank: SmallBank) -> None:
    assert [table for table, kind in KINDS.items() if kind.undo is None] == ["deals"]
    job = ImportJob.objects.create(table="deals", file_name="d.csv", state="done", business_date=DAY)
    with pytest.raises(ImportRefusedError, match="不能撤销：存量业务导入后即记入额度账本"):
        import_jobs.undo(job=job, actor=None, business_date=DAY)


def test_what_is_only_looked_at_uses_no_number_and_leaves_no_trail(small_bank: SmallBank, tmp_path: Path) -> None:
    entries = Entry.objects.count()
    assert bring(tmp_path, small_bank, "entities", ENTITIES, is_dry_run=True).created == 3
    with pytest.raises(EvidenceError):
        bring(tmp_path, small_bank, "holdings", "holder,company,percent\nx,y,1\n")
    assert (Entry.objects.count(), ImportJob.objects.count()) == (entries, 0)
    jobs = [bring(tmp_path, small_bank, "entities", ENTITIES) for _ in "12"]
    assert [job.number for job in jobs] == [1, 2]
    assert "导入主体（entities.csv）：新增 3" in Entry.objects.order_by("-pk")[1].summary


def test_a_row_of_evidence_says_everything_that_is_wrong(small_bank: SmallBank, tmp_path: Path) -> None:
    bring(tmp_path, small_bank, "entities", ENTITIES)
    text = "股东,公司,比例,自,至\np,Z,101,2025-13-01,2025-01-01\np,A,5,,\n"
    job = bring(tmp_path, small_bank, "holdings", text, skips_bad_rows=True)
    row = ImportRow.objects.get(job=job, state="error")
    assert [column for column, _ in row.findings] == ["percent", "valid_from"]
    titles, failed = import_jobs.failed_rows(job)
    assert titles == ["股东", "公司", "比例", "自", "至", "错误"]
    assert "比例：比例 101 须在 0 与 100 之间；自：" in failed[-1]


def test_customers_that_somebody_tagged_classed_or_wrote_to_stay(small_bank: SmallBank, tmp_path: Path) -> None:
    scheme = ClassScheme.objects.create(code="four", name="四类", is_main=True)
    first, second = (
        CustomerClass.objects.create(scheme=scheme, code=c, name=c, follow_up_days=7, position=n)
        for n, c in enumerate("AB")
    )
    job = bring(tmp_path, small_bank, "customers", "名称,类别\n甲,A\n乙,A\n丙,A\n丁,A\n戊,A\n")
    of = {c.party.name: c for c in Customer.objects.select_related("party")}
    manager = small_bank.manager_west
    tag_many(actor=manager, customer_ids=[of["甲"].pk], name="重点", business_date=DAY)
    classify(actor=manager, customer=of["乙"], customer_class=second, business_date=DAY)
    add_contact_point(customer=of["丙"], contact=ContactInput("phone", "13800000001"))
    later = bring(tmp_path, small_bank, "customers", "名称,类别\n丁,B\n戊,B\n")
    classify(actor=manager, customer=of["戊"], customer_class=first, business_date=DAY)
    assert take_back(later) == {"reversed": 1, "kept": 1}
    assert {c.party.name: c.main_class.code for c in Customer.objects.select_related("party", "main_class")} == {  # type: ignore[union-attr]
        "甲": "A", "乙": "B", "丙": "A", "丁": "A", "戊": "A",
    }  # fmt: skip
    assert take_back(job) == {"reversed": 1, "kept": 4}, "imports are undone one after the other"
