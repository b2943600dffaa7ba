"""Pages about groups: what-if, versions, another day's proofs, the family record, and the two steps of a decision."""

import datetime as dt
from pathlib import Path

import pytest
from django.urls import reverse

from shouxin.audit.models import Entry
from shouxin.facilities.group_changes import decide_change
from shouxin.groups import judgement
from shouxin.groups.models import Candidate, CustomerGroup, GroupChange, Holding, Membership, MergeTask
from shouxin.groups.services import run_determination
from shouxin.intake.evidence_files import read_evidence as read_evidence_file
from shouxin.parties.models import Party
from tests.demo import DAY, DemoBank
from tests.web.test_pages import sign_in


def stakes() -> list[tuple[int, int, int]]:
    return list(Holding.objects.order_by("pk").values_list("holder_id", "company_id", "votes"))


def test_what_if_shows_groups_exposures_and_limits_and_saves_nothing(demo_bank: DemoBank) -> None:
    """张伟 would hold 51 % of D: it leaves the first group, which then uses 700 less."""
    before = stakes()
    d = demo_bank.customer("D")
    page = sign_in(demo_bank.staff("wanghy")).get(
        "/groups/what-if/", {"holder": ["张伟", "陈明"], "company": [d.number, d.party.name], "percent": ["51", "29"]}
    )
    result = page.context["result"]
    assert page.status_code == 200
    assert [group.exposure_fen // 1_000_000 for group in result.gone] == [6480]
    assert [group.exposure_fen // 1_000_000 for group in result.come] == [5780]
    assert f"{result.come[0].share:.2f}" == "11.56"
    assert "统一额度 7,000.00 万元，可用 1,220.00 万元" in page.content.decode()
    assert stakes() == before


def test_what_if_shows_the_breach_of_a_larger_group(demo_bank: DemoBank) -> None:
    """陈建国 would buy all of F: 6,480 + 800 of 50,000 is 14.56 %, above the line of 7,000 and the warn line."""
    f = demo_bank.customer("F").party
    sellers = list(Holding.objects.filter(company=f).values_list("holder__name", flat=True))
    page = sign_in(demo_bank.staff("wanghy")).get(
        "/groups/what-if/",
        {
            "holder": ["陈建国", *sellers],
            "company": [f.name] * (1 + len(sellers)),
            "percent": ["100", *["0"] * len(sellers)],
        },
    )
    (group,) = page.context["result"].come
    assert group.exposure_fen // 1_000_000 == 7280
    assert "超出 280.00 万元" in group.line_text
    assert [finding.severity for finding in group.findings] == ["warn"], "15.17 % of the quarter-end figure"


@pytest.mark.parametrize(
    ("holder", "company", "share", "words"),
    [
        ("没有此人", "KH", "20", "不在您能看到的"),
        ("陈明", "陈芳", "20", "是个人"),
        ("陈明", "明远贸易", "abc", "不是数字"),
        ("陈明", "明远贸易", "100.5", "须在 0 与 100 之间"),
        ("", "明远贸易", "20", "请填写股东"),
    ],
)
def test_what_if_says_what_is_wrong(demo_bank: DemoBank, holder: str, company: str, share: str, words: str) -> None:
    page = sign_in(demo_bank.staff("wanghy")).get(
        "/groups/what-if/", {"holder": holder, "company": company, "percent": share}
    )
    assert page.status_code == 422
    assert words in page.content.decode()


def group_url(name: str = "group_detail") -> str:
    return reverse(name, args=[CustomerGroup.objects.get(number="JT-00001").number])


def test_proofs_of_another_day_are_computed_from_that_days_evidence(demo_bank: DemoBank) -> None:
    Membership.objects.update(valid=(dt.date(2020, 1, 1), None))
    d = Party.objects.get(source_id="D")
    Holding.objects.filter(company=d, holder__name="陈明").update(valid_from=dt.date(2025, 3, 1))
    client = sign_in(demo_bank.staff("wanghy"))
    february = client.get(group_url(), {"as_of": "2025-02-01"}).content.decode()
    assert "2025-02-01 的证据不能证明" in february
    assert "重算" in february
    april = client.get(group_url(), {"as_of": "2025-04-01"}).content.decode()
    assert "不能证明" not in april
    assert "陈明（儿子） 31%" in april


@pytest.mark.clause("UC-02", points="on before")
def test_the_group_is_seen_as_one_portfolio(demo_bank: DemoBank) -> None:
    """Sum, largest member's share, by product, by branch."""
    page = sign_in(demo_bank.staff("wanghy")).get(group_url())
    shown = page.context["page"]
    assert shown.row.exposure_fen == 6_480 * 1_000_000
    assert page.context["top_share_text"].startswith("30.86"), "B: 2,000 of 6,480"
    assert sum(fen for _name, fen in shown.by_product) == shown.row.exposure_fen
    assert {name for name, _fen in shown.by_branch} == {"城东支行", "城西支行", "营业部"}
    before = sign_in(demo_bank.staff("wanghy")).get(group_url(), {"as_of": "2025-06-29"})
    assert before.status_code == 404, "no portfolio before the group was confirmed"


@pytest.mark.clause("UC-14", points="on over")
def test_a_branch_sees_its_own_member_and_the_groups_total_only(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("zhoulp"))
    page = client.get(group_url())
    assert page.context["row"].exposure_fen == 6_480 * 1_000_000, "the total of the whole group"
    own = {member.party.source_id for member in page.context["page"].members if member.is_in_view}
    assert own
    assert "D" not in own
    assert client.get(reverse("customer_detail", args=[demo_bank.customer("D").number])).status_code == 404
    assert client.post(group_url("group_responsible"), {"responsible": "1"}).status_code == 403, "read-only"


def test_the_family_record_prints_kin_generation_path_and_proofs(demo_bank: DemoBank) -> None:
    text = sign_in(demo_bank.staff("gaoyl")).get(group_url("group_print")).content.decode()
    for words in ("直系 3 代", "旁系 2 代", "陈建国 → 陈明 → 陈小宇", "女婿", "候选", "认定岗签字", "陈明（儿子） 31%"):
        assert words in text, words
    assert "陈乐" not in text, "the fourth generation is no near relative"


def test_two_officers_decide_on_the_page(demo_bank: DemoBank) -> None:
    """One proposes to exclude, cannot decide, the other approves; the versions page shows the difference."""
    first, second = sign_in(demo_bank.staff("gaoyl")), sign_in(demo_bank.staff("linzy"))
    c = demo_bank.customer("C")
    answer = first.post(group_url("group_members"), {"kind": "exclude", "customer": c.pk, "reason": "外部乙经营"})
    assert answer.status_code == 302
    change = GroupChange.objects.get(status="proposed")
    url = reverse("group_change", args=[change.pk])
    assert first.get(url).context["form"] is None
    decided = second.post(url, {"decision": "同意", "outcome": "approve"})
    assert decided.status_code == 302
    rows = first.get(group_url("group_versions")).context["rows"]
    assert [(row["change"], row["customer"].pk) for row in rows if row["change"] != "不变"] == [("离开", c.pk)]
    by_day = first.get(group_url("group_versions"), {"from": "2025-06-29", "to": str(DAY)}).context["rows"]
    assert {row["change"] for row in by_day} == {"加入"}


def test_a_candidate_is_proposed_with_some_members_left_out(demo_bank: DemoBank) -> None:
    """One alone is a single customer and no group; two are proposed, the others stay out."""
    Membership.objects.filter(customer=demo_bank.customer("E")).delete()
    candidate = Candidate.objects.get(label="G2")
    e, f = demo_bank.customer("E").pk, demo_bank.customer("F").pk
    fields = {"with_members": "1", "name": "亮剑系", "responsible": demo_bank.staff("suny").pk, "reason": "x"}
    client, url = sign_in(demo_bank.staff("gaoyl")), reverse("candidate_detail", args=[candidate.pk])
    alone = client.post(url, fields | {"member": [f]})
    assert alone.status_code == 422
    assert "单一客户" in alone.content.decode()
    assert client.post(url, fields | {"member": [e, f]}).status_code == 302
    assert {member["customer"] for member in GroupChange.objects.get(status="proposed").members} == {e, f}


def test_a_merge_is_proposed_on_the_page_and_waits_for_the_other_officer(demo_bank: DemoBank) -> None:
    url = reverse("merge_task", args=[MergeTask.objects.get().pk])
    client = sign_in(demo_bank.staff("gaoyl"))
    assert client.post(url, {"reason": "x"}).status_code == 422, "no choice"
    assert client.post(url, {"choice": "merge", "reason": "兄弟两系"}).status_code == 302
    page = client.get(url)
    assert page.context["form"] is None
    assert "待另一位认定岗认定" in page.content.decode()
    assert Entry.objects.filter(action="groups.change.proposed").count() == 2


def test_the_lead_branch_is_started_by_head_office_only(demo_bank: DemoBank) -> None:
    url = group_url("group_lead")
    branch = sign_in(demo_bank.staff("hewei"))
    assert branch.get(url).context["form"] is None
    head = sign_in(demo_bank.staff("wanghy"))
    assert head.post(url, {"branch": "", "minutes_number": ""}).status_code == 302
    assert head.get(url).context["current"].branch.name == "城西支行"


def test_votes_beside_final_shares_with_every_path(demo_bank: DemoBank) -> None:
    """C: the family commands 55 % of the votes (B's 45 and the daughter's 10), 陈建国 owns 18.9 % of it in the end."""
    page = sign_in(demo_bank.staff("gaoyl")).get(group_url("group_owners"))

    row = next(row for row in page.context["rows"] if row.party.source_id == "C")
    shares = {owner.name: f"{owner.look_through:f}" for owner in row.owners}
    assert (row.controller, row.votes) == ("陈建国及近亲属", "55%")
    assert shares["陈建国"] == "18.9"
    assert "陈建国 —60%→ 宏达集团有限公司 —70%→ " in page.content.decode()
    d = next(row for row in page.context["rows"] if row.party.source_id == "D")
    assert {owner.name for owner in d.owners if owner.is_beneficial} == {"张伟", "陈明"}, "at least 25 %"


def test_the_evidence_workbook_is_read_by_identify_and_its_reading_is_recorded(
    demo_bank: DemoBank, tmp_path: Path
) -> None:
    answer = sign_in(demo_bank.staff("gaoyl")).get(group_url("group_evidence"))
    file = tmp_path / "evidence.xlsx"
    file.write_bytes(b"".join(answer.streaming_content) if answer.streaming else answer.content)

    evidence, skipped = read_evidence_file(file, skip_bad_rows=False)

    assert skipped == []
    names = {entity.name for entity in evidence.entities.values()}
    assert {"宏达集团有限公司", "陈建国", "陈芳"} <= names
    assert Entry.objects.filter(action="reporting.evidence.exported").count() == 1


def test_the_picture_marks_what_changed_between_two_days(demo_bank: DemoBank) -> None:
    """李秀英 sells her 20 % of D to 张伟: her edge is gone, his has another percentage."""
    d = demo_bank.customer("D").party
    sold = dt.date(2025, 6, 1)
    Holding.objects.filter(company=d, holder__name="李秀英").update(valid_to=sold)
    zhang = Holding.objects.get(company=d, holder__name="张伟")
    Holding.objects.filter(pk=zhang.pk).update(valid_to=sold)
    Holding.objects.create(company=d, holder=zhang.holder, votes=69_000_000, is_percent=True, valid_from=sold)

    page = sign_in(demo_bank.staff("gaoyl")).get(group_url(), {"compare": "2025-05-01"})

    edges = page.context["page"].graph["edges"]
    changed = {edge["change"]: edge["label"] for edge in edges if edge.get("change") and edge["target"] == str(d.pk)}
    assert changed == {"gone": "20%", "changed": "49% → 69%"}


@pytest.mark.parametrize("asked", ["²", "9" * 5000, "-1", "x"])
def test_a_version_that_is_no_number_is_the_usual_one(demo_bank: DemoBank, asked: str) -> None:
    page = sign_in(demo_bank.staff("gaoyl")).get(group_url("group_versions"), {"a": asked, "b": asked})
    assert (page.status_code, page.context["chosen"]) == (200, (0, 1))


def test_merge_tasks_and_the_end_of_a_group_are_only_for_those_who_see_a_member(demo_bank: DemoBank) -> None:
    outsider = sign_in(demo_bank.staff("maj"))
    task = MergeTask.objects.get(status="open")
    listed = outsider.get("/groups/")
    assert (list(listed.context["tasks"]), task.first.name in listed.content.decode()) == ([], False)
    assert list(sign_in(demo_bank.staff("gaoyl")).get("/groups/").context["tasks"]) == [task]
    group = CustomerGroup.objects.get(number="JT-00001")
    change = GroupChange.objects.create(
        kind="close", group=group, name=group.name, members=[], reason="已无关联", proposed_by=demo_bank.staff("gaoyl")
    )
    Membership.objects.filter(group=group).update(valid=(dt.date(2020, 1, 1), dt.date(2021, 1, 1)))
    assert outsider.get(f"/groups/changes/{change.pk}/").status_code == 404
    assert sign_in(demo_bank.staff("hewei")).get(f"/groups/changes/{change.pk}/").status_code == 200


def test_what_was_merged_is_not_asked_again_until_the_evidence_changes(demo_bank: DemoBank) -> None:
    gaoyl, linzy = demo_bank.staff("gaoyl"), demo_bank.staff("linzy")
    change = judgement.propose_merge_decision(
        actor=gaoyl, task=MergeTask.objects.get(), choice="merge", reason="兄弟两系", business_date=DAY
    )
    decide_change(actor=linzy, change=change, is_approved=True, decision="同意", business_date=DAY)
    run = run_determination(actor=gaoyl, as_of=DAY, business_date=DAY)
    assert run.counts["overlaps"] == 0
    assert set(run.candidates.values_list("status", "group__number")) == {("confirmed", "JT-00001")}
    assert not MergeTask.objects.filter(status="open").exists()
    (row,) = sign_in(gaoyl).get("/groups/").context["rows"]
    assert row.member_count == 6, "the shared members count once"
    Holding.objects.filter(company__source_id="F").delete()
    again = run_determination(actor=gaoyl, as_of=DAY, business_date=DAY)
    assert again.candidates.filter(status="proposed", updates__number="JT-00001").exists()


def test_a_merged_groups_record_shows_both_families(demo_bank: DemoBank) -> None:
    task = MergeTask.objects.get()
    change = judgement.propose_merge_decision(
        actor=demo_bank.staff("gaoyl"), task=task, choice="merge", reason="兄弟两系", business_date=DAY
    )
    decide_change(actor=demo_bank.staff("linzy"), change=change, is_approved=True, decision="同意", business_date=DAY)

    page = sign_in(demo_bank.staff("gaoyl")).get(group_url("group_print"))

    cores = {family.core for family in page.context["tree"]}
    assert {task.first.anchor.name, task.second.anchor.name} <= cores
