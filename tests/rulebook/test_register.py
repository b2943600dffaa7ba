"""The policy register: versions and days, issuer hierarchy, receipts and study, questions to head office."""

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

import shouxin
from shouxin.bank.models import Staff
from shouxin.facilities.line_judging import judge_eligible
from shouxin.facilities.rules import judge_group_total
from shouxin.facilities.services import DrawingRequest, check_drawing, open_facility
from shouxin.parties.services import add_customer, create_party
from shouxin.reporting.selectors import capital_on
from shouxin.rulebook import selectors, services
from shouxin.rulebook.models import Document, Receipt, Version
from shouxin.rulebook.requirements import IN_FINDINGS
from shouxin.rulebook.seed import create_register
from shouxin.rulebook.services import RegisterError
from tests.conftest import DAY, SINCE, SmallBank
from tests.demo import WAN
from tests.web.test_pages import sign_in

KEY = "group.limit.pct_net_capital"


@pytest.fixture
def register(small_bank: SmallBank) -> SmallBank:
    create_register()
    return small_bank


def version_two(bank: SmallBank, code: str = "line-management", in_force: dt.date = DAY) -> Version:
    return services.enter_version(
        actor=bank.risk_officer, document=Document.objects.get(code=code), issued_date=in_force,
        in_force_from=in_force, business_date=DAY,
    )  # fmt: skip


@pytest.mark.clause("CB-02", points="on before")
def test_a_loan_of_the_day_before_is_not_judged_by_the_first_version(register: SmallBank) -> None:
    version = selectors.find_version("line-management", as_of=dt.date(1999, 10, 20))
    assert version is not None
    assert (version.number, version.label, version.meeting) == (1, "试行", "第33次行长办公会议")
    assert version.issued_date == dt.date(1999, 10, 20)
    assert "苏州、三峡" in version.addressees
    eve = dt.date(1999, 10, 19)
    assert selectors.find_version("line-management", as_of=eve) is None
    assert selectors.clauses_of("CB-09", as_of=eve) == []
    customer = add_customer(
        actor=None, party=create_party(kind="org", name="某证券有限公司"), unit=register.west,
        owner=register.manager_west, business_date=DAY,
    )  # fmt: skip
    facility = open_facility(
        actor=None, customer=customer, branch=register.west, product="流贷", number="HT-1", start_date=eve,
        end_date=DAY, business_date=DAY,
    )  # fmt: skip
    said, _ = check_drawing(request=DrawingRequest(facility, WAN, 0, eve))
    assert [f.article for f in said if f.article.startswith("CB")] == [], "the loan is not judged by it"
    judged = [[f.code for f in judge_eligible(customer, as_of=day)] for day in (eve, dt.date(1999, 10, 20))]
    assert judged == [[], ["NOT_ELIGIBLE"]]


@pytest.mark.clause("CB-02", points="over")
@pytest.mark.clause("CB+13", points="on before")
def test_a_new_version_ends_the_one_before_it_and_not_the_past(register: SmallBank) -> None:
    """Head office's version 2 of 2025-07-01 judges from its day on, not the day before it, and only once published."""
    version = version_two(register, in_force=dt.date(2025, 7, 1))
    before = selectors.find_version("line-management", as_of=dt.date(2025, 7, 1))
    assert before is not None
    assert before.number == 1, "not in force before it is published"
    services.publish(actor=register.approver, version=version, units=[], business_date=DAY)
    days = (dt.date(2025, 6, 30), dt.date(2025, 7, 1))
    on_day = [selectors.find_version("line-management", as_of=day) for day in days]
    assert [v.number for v in on_day if v] == [1, 2]


def test_the_one_who_entered_it_cannot_publish(register: SmallBank) -> None:
    version = version_two(register)
    with pytest.raises(RegisterError, match="四眼"):
        services.publish(actor=register.risk_officer, version=version, units=[], business_date=DAY)
    with pytest.raises(IntegrityError, match="version_four_eyes"), transaction.atomic():
        Version.objects.filter(pk=version.pk).update(published_by=register.risk_officer)


@pytest.mark.clause("CB+13", points="over")
def test_only_head_office_changes_the_rule(register: SmallBank) -> None:
    with pytest.raises(RegisterError, match="总行"):
        services.enter_version(
            actor=register.head_west, document=Document.objects.get(code="line-management"), issued_date=DAY,
            in_force_from=DAY, business_date=DAY,
        )  # fmt: skip
    version = selectors.find_version("line-management", as_of=DAY)
    assert version is not None
    assert "总行" in version.document.owner, "changed and explained by head office"


@pytest.mark.clause("CB-03", points="on over before")
def test_study_is_counted_by_unit_and_who_is_missing_is_listed(register: SmallBank) -> None:
    """Sent to three branches; one of five has not confirmed at one of them: 80 %, listed first."""
    for place in range(4):
        Staff.objects.create(username=f"east-{place}", name=f"东{place}", unit=register.east, joined_date=SINCE)
    from shouxin.bank.services import create_unit

    third = create_unit(code="N", name="城北支行", kind="branch", parent=register.head_office)
    Staff.objects.create(username="north", name="北", unit=third, joined_date=SINCE)
    version = version_two(register)
    assert not Receipt.objects.exists(), "nothing is sent before it is published"
    sent = services.publish(
        actor=register.approver, version=version, units=[register.east, register.west, third], business_date=DAY
    )
    assert sent == Receipt.objects.count() == 9
    for receipt in Receipt.objects.exclude(staff__username="east-3"):
        services.confirm(actor=receipt.staff, version=version, is_studied=True, business_date=DAY)
    services.confirm(actor=Staff.objects.get(username="east-3"), version=version, is_studied=False, business_date=DAY)
    first = selectors.study_progress(version)[0]
    assert (first.unit_name, first.percent, first.received, first.open_names) == ("城东支行", 80, 5, ("东3",))
    assert [row.percent for row in selectors.study_progress(version)[1:]] == [100, 100]
    with pytest.raises(RegisterError, match="没有下发"):
        services.confirm(actor=register.operator, version=version, is_studied=True, business_date=DAY)
    services.confirm(actor=Staff.objects.get(username="east-3"), version=version, is_studied=True, business_date=DAY)
    assert {row.percent for row in selectors.study_progress(version)} == {100}


@pytest.mark.clause("CB-04", points="on over before")
def test_a_question_waits_at_head_office_and_the_asker_is_told(register: SmallBank) -> None:
    version = selectors.find_version("line-management", as_of=DAY)
    assert version is not None
    question = services.ask(
        actor=register.manager_west, version=version, text="分公司如何归户？", article="第二条", business_date=DAY
    )
    assert list(selectors.open_questions()) == [question]
    assert list(selectors.unseen_replies(register.manager_west)) == [], "no reply yet"
    with pytest.raises(RegisterError, match="总行"):
        services.reply(actor=register.head_west, question=question, text="x", business_date=DAY)
    services.reply(actor=register.risk_officer, question=question, text="按法人归户。", business_date=DAY)
    assert list(selectors.open_questions()) == []
    assert list(selectors.unseen_replies(register.manager_west)) == [question]
    services.mark_reply_seen(actor=register.manager_west, question=question, business_date=DAY)
    assert list(selectors.unseen_replies(register.manager_west)) == []


@pytest.mark.clause("HA-01", points="on over before")
def test_a_stricter_limit_of_the_province_union_overrides_the_banks(register: SmallBank) -> None:
    """12 % of 50,000 is 6,000: allowed on the line, refused a fen above, and not before it was in force."""
    document = Document.objects.create(
        code="province", title="省联社授信管理规定", issuer="province_union", issuer_name="省联社"
    )
    version = services.enter_version(
        actor=register.risk_officer, document=document, issued_date=DAY, in_force_from=DAY, business_date=DAY
    )
    services.set_limit_value(
        actor=register.risk_officer, version=version, parameter=KEY, value="12", article="第八条", business_date=DAY
    )
    assert selectors.effective_limit(KEY, DAY).decimal == 15, "not published yet"
    services.publish(actor=register.approver, version=version, units=[], business_date=DAY)
    assert [f.code for f in judge_group_total(amount_fen=6_000 * WAN, as_of=DAY) if f.is_refusal] == []
    (refused,) = [f for f in judge_group_total(amount_fen=6_000 * WAN + 1, as_of=DAY) if f.is_refusal]
    assert (refused.article, refused.citation) == ("HA-01", "《省联社授信管理规定》第八条")
    capital = capital_on(DAY)
    assert (capital.limit_percent, capital.limit_citation) == (Decimal(12), "《省联社授信管理规定》第八条")
    client = sign_in(register.risk_officer)
    for url in ("/", reverse("parameter_detail", args=[KEY]), reverse("policy_article", args=["HA-01"])):
        assert "省联社授信管理规定" in client.get(url).content.decode(), url
    earlier = DAY - dt.timedelta(days=1)
    assert [f.code for f in judge_group_total(amount_fen=7_000 * WAN, as_of=earlier) if f.is_refusal] == []
    assert [(row.issuer, row.value, row.is_ruling) for row in selectors.ranked_values(KEY, DAY)] == [
        ("省联社", Decimal(12), True), ("本行制度", Decimal(15), False),
    ]  # fmt: skip


def test_a_laxer_value_of_a_higher_issuer_does_not_loosen(register: SmallBank) -> None:
    version = version_two(register, code="group-guideline")
    services.set_limit_value(
        actor=register.risk_officer, version=version, parameter=KEY, value="20", article="第十二条", business_date=DAY
    )
    services.publish(actor=register.approver, version=version, units=[], business_date=DAY)
    assert selectors.effective_limit(KEY, DAY).decimal == 15


@pytest.mark.parametrize(("parameter", "value", "why"), [("no.such", "1", "没有名为"), (KEY, "十", "不是数字"),
                                                        (KEY, "-1", "不能作为限额"),
                                                        ("group.limit.measure", "20", "line、balance")])  # fmt: skip
def test_a_wrong_limit_value_is_refused(register: SmallBank, parameter: str, value: str, why: str) -> None:
    version = version_two(register)
    with pytest.raises(RegisterError, match=why):
        services.set_limit_value(
            actor=register.risk_officer, version=version, parameter=parameter, value=value, article="x",
            business_date=DAY,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("requirement", "documents"),
    [
        pytest.param(name, documents, marks=pytest.mark.clause(name, points="on before"))
        for name, documents in (
            (
                "BR-01",
                {"中华人民共和国银行业监督管理法", "中华人民共和国商业银行法", "商业银行集团客户授信业务风险管理指引"},
            ),
            ("JS-01", {"商业银行集团客户授信业务风险管理指引", "商业银行授信工作尽职指引", "统一授信管理办法"}),
            ("UC-01", {"商业银行集团客户授信业务风险管理指引", "银行保险机构关联交易管理办法"}),
            ("CB-05", {"中华人民共和国商业银行法", "贷款通则", "商业银行实施统一授信制度指引（试行）"}),
            ("CB+11", {"额度授信管理办法"}),
        )
    ],
)  # fmt: skip
def test_the_bases_are_cited_highest_issuer_first(register: SmallBank, requirement: str, documents: set[str]) -> None:
    """Every base is named from the day it was in force, none before."""
    found = selectors.clauses_of(requirement, as_of=DAY)
    assert {clause.version.document.title for clause in found} >= documents
    ranks = [clause.version.document.rank for clause in found]
    assert ranks == sorted(ranks)
    first = min(clause.version.in_force_from for clause in found)
    assert [bool(selectors.clauses_of(requirement, as_of=day)) for day in (first - dt.timedelta(days=1), first)] == [
        False, True,
    ]  # fmt: skip
    if requirement == "CB+11":
        assert all(words in found[0].text for words in ("控制客户授信风险", "简化额度内的审批", "参与市场竞争"))


def test_a_new_document_with_its_articles_is_registered_by_pages(register: SmallBank) -> None:
    """The keeper registers a text, its version and articles; a finding's article links to it; nobody else may."""
    client = sign_in(register.risk_officer)
    body = {
        "code": "small-loans", "title": "小额贷款管理办法", "issuer": "bank", "issuer_name": "示范农商银行",
        "owner": "风险部",
    }  # fmt: skip
    assert sign_in(register.manager_west).post("/policies/documents/new/", body).status_code == 302
    assert not Document.objects.filter(code="small-loans").exists()
    client.post("/policies/documents/new/", body)
    client.post("/policies/documents/new/", {**body, "title": "重复"})
    document = Document.objects.get(code="small-loans")
    assert document.title == "小额贷款管理办法"
    client.post("/policies/new/", {"document": document.pk, "issued_date": DAY, "in_force_from": DAY})
    version = document.versions.get()
    article = {"requirement": "XD-01", "article": "第三条", "text": "单户不超过 50 万元"}
    clause = f"/policies/versions/{version.pk}/clause/"
    assert client.get("/policies/articles/XD-01/").status_code == 404, "nobody knows it yet"
    said = client.post(clause, {**article, "article": "第二条"}, follow=True).content.decode()
    assert "已登记条款 第二条（XD-01）" in said
    assert "没有被任何规则或参数引用" in said
    assert "已更正为 第三条" in client.post(clause, article, follow=True).content.decode()
    assert "须为字母" in client.post(clause, {**article, "requirement": "12.X"}, follow=True).content.decode()
    assert version.clauses.get().article == "第三条", "corrected before publication"
    services.publish(actor=register.approver, version=version, units=[register.west], business_date=DAY)
    client.post(f"/policies/versions/{version.pk}/clause/", {**article, "text": "改"})
    assert version.clauses.get().text == "单户不超过 50 万元", "a published version does not change"
    assert "单户不超过 50 万元" in client.get("/policies/articles/XD-01/").content.decode()


def test_a_second_value_says_what_it_replaces(register: SmallBank) -> None:
    version = version_two(register)
    client, body = sign_in(register.risk_officer), {"parameter": KEY, "value": "12", "article": "第八条"}
    url = reverse("policy_act", args=[version.pk, "value"])
    assert f"已登记 {KEY} 的取值 12" in client.post(url, body, follow=True).content.decode()
    assert f"{KEY} 的取值由 12 改为 11" in client.post(url, {**body, "value": "11"}, follow=True).content.decode()
    choice = {"parameter": "group.limit.measure", "value": "balance", "article": "第八条"}
    assert "的取值 balance" in client.post(url, choice, follow=True).content.decode()
    assert client.get(reverse("policy_article", args=["XX-1"])).status_code == 404


def test_every_article_named_in_the_sources_is_known() -> None:
    named = re.compile(r'"((?:A|BR|CB|CL|CM|HA|JS|NS|QU|RC|SK|SM|TR|UC)[+-][0-9]{1,2}|W[0-9]{2})"')
    root = Path(shouxin.__file__).parent
    found = {name for file in root.rglob("*.py") for name in named.findall(file.read_text(encoding="utf-8"))}
    assert found <= IN_FINDINGS
    assert "JS-11" in found
