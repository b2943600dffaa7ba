"""What people decide about groups: proposals of one officer, decisions of another, versions, and limits that follow."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from shouxin.audit.models import Entry
from shouxin.bank.scope import scope_of
from shouxin.facilities.group_changes import decide_change
from shouxin.groups import judgement
from shouxin.groups.judgement import DecisionError
from shouxin.groups.models import Agreement, Candidate, CustomerGroup, GroupChange, Holding, Membership, MergeTask
from shouxin.groups.selectors import find_latest_determination, memberships_on
from shouxin.groups.services import run_determination
from shouxin.limits.models import Excess, Node
from shouxin.parties.models import Customer, Party
from shouxin.reporting.selectors import list_group_rows
from tests.demo import DAY, WAN, DemoBank


def anchors() -> list[str]:
    """The core persons of the worked example."""
    return [
        str(pk)
        for pk in Party.objects.filter(name__in=("陈建国", "陈明", "陈建军", "陈亮")).values_list("pk", flat=True)
    ]


def members(group: CustomerGroup, day: dt.date = DAY) -> set[str]:
    rows = memberships_on(day).filter(group=group)
    return set(rows.values_list("customer__party__source_id", flat=True))


def approve(bank: DemoBank, change: GroupChange, words: str = "同意") -> GroupChange:
    return decide_change(
        actor=bank.staff("linzy"), change=change, is_approved=True, decision=words, business_date=DAY
    ).change


def identify_again(bank: DemoBank, day: dt.date = DAY) -> list[Candidate]:
    run_determination(actor=bank.staff("gaoyl"), as_of=day, business_date=day, anchors=anchors())
    return list(Candidate.objects.filter(determination=find_latest_determination(), status="proposed"))


def single_customer(bank: DemoBank, name: str = "诚信五金有限公司") -> Customer:
    from shouxin.limits.services import ensure_customer_node

    party = Party.objects.create(kind="org", name=name, source_id="Z")
    customer = Customer.objects.create(
        party=party, number="KH99990001", unit=bank.staff("liujg").unit, stage=Customer.Stage.CUSTOMER
    )
    ensure_customer_node(customer)
    return customer


# --- a share transfer makes version 2 --------------------------------------------------------------------------------


def sell_d_to_a_stranger() -> None:
    """陈明 and 李秀英 sell their parts of D; from the day on it belongs to 张伟."""
    d = Party.objects.get(source_id="D")
    Holding.objects.filter(company=d, holder__name__in=("陈明", "李秀英")).update(valid_to=DAY)


@pytest.mark.clause("BR-03", "HA-02", points="on over")
def test_limits_follow_the_old_version_until_the_new_one_is_confirmed(demo_bank: DemoBank) -> None:
    group = demo_bank.group
    node = Node.objects.get(group=group)
    used, version = node.used_fen, group.versions.get()
    assert (version.number, members(group)) == (1, {"A", "B", "C", "D", "E"})
    sell_d_to_a_stranger()
    (proposal,) = [candidate for candidate in identify_again(demo_bank) if candidate.updates == group]
    assert proposal.version == 2
    assert members(group) == {"A", "B", "C", "D", "E"}, "v1 still rules"
    assert Node.objects.get(customer=demo_bank.customer("D"), kind="CUSTOMER").parent_id == node.pk
    change = judgement.propose_confirmation(
        actor=demo_bank.staff("gaoyl"), candidate=proposal, name="", responsible=None, reason="股权已转让",
        business_date=DAY,
    )  # fmt: skip
    assert members(group) == {"A", "B", "C", "D", "E"}, "a proposal changes nothing"
    approve(demo_bank, change)
    assert members(group) == {"A", "B", "C", "E"}
    assert [v.number for v in group.versions.all()] == [1, 2]
    d = Node.objects.get(customer=demo_bank.customer("D"), kind="CUSTOMER")
    assert d.parent_id != node.pk
    assert Node.objects.get(pk=node.pk).used_fen == used - d.used_fen


def test_what_was_known_before_stays_known(demo_bank: DemoBank) -> None:
    """A member that leaves today belonged yesterday, as known then and as known now (I11 for membership)."""
    group = demo_bank.group
    Membership.objects.filter(group=group).update(valid=(dt.date(2025, 1, 1), None))
    before = timezone.now()
    change = judgement.propose_exclusion(
        actor=demo_bank.staff("gaoyl"), group=group, customer=demo_bank.customer("E"), reason="已处置",
        business_date=DAY,
    )  # fmt: skip
    approve(demo_bank, change)
    assert "E" not in members(group)
    assert "E" in members(group, dt.date(2025, 6, 29)), "valid time: it belonged until the day"
    known = memberships_on(DAY, known_at=before).filter(group=group)
    assert known.filter(customer__party__source_id="E").exists(), "recorded time: that was known then"


def test_an_unchanged_group_needs_no_new_decision(demo_bank: DemoBank) -> None:
    candidates = identify_again(demo_bank)
    assert all(candidate.updates is None for candidate in candidates)
    assert Candidate.objects.filter(determination=find_latest_determination(), group=demo_bank.group).count() == 1


# --- (四): added by people ----------------------------------------------------------------------------------------


@pytest.mark.clause("UC-12", points="on over before")
@pytest.mark.clause("BR-02", "HA-02")
def test_only_with_role_reason_and_evidence_is_a_member_added_under_four(demo_bank: DemoBank) -> None:
    customer = single_customer(demo_bank)
    ask = {
        "group": demo_bank.group, "customer": customer, "reason": "低价向集团供货", "evidence": "购销合同 2025-017",
        "business_date": DAY,
    }  # fmt: skip
    tomorrow = demo_bank.staff("fengxc")
    tomorrow.role_assignments.create(role="identification_officer", valid_from=DAY + dt.timedelta(days=1))
    for who in (demo_bank.staff("liujg"), tomorrow):
        with pytest.raises(DecisionError, match="没有总行集团认定权限"):
            judgement.propose_addition(actor=who, **ask)
    with pytest.raises(DecisionError, match="证据"):
        judgement.propose_addition(actor=demo_bank.staff("gaoyl"), **{**ask, "evidence": " "})
    with pytest.raises(DecisionError, match="理由"):
        judgement.propose_addition(actor=demo_bank.staff("gaoyl"), **{**ask, "reason": ""})
    change = judgement.propose_addition(actor=demo_bank.staff("gaoyl"), **ask)
    approve(demo_bank, change)
    row = memberships_on(DAY).get(customer=customer)
    assert (row.group, row.basis) == (demo_bank.group, "四")
    assert "购销合同 2025-017" in row.evidence[0]["sentence"]
    again = identify_again(demo_bank)
    assert all(candidate.updates is None for candidate in again), "the machine does not take (四) members out"
    out = judgement.propose_exclusion(
        actor=demo_bank.staff("linzy"), group=demo_bank.group, customer=customer, reason="关系已终止", business_date=DAY
    )
    decide_change(actor=demo_bank.staff("gaoyl"), change=out, is_approved=True, decision="同意", business_date=DAY)
    assert not memberships_on(DAY).filter(customer=customer).exists(), "and it can be removed again"


def test_an_excluded_member_is_not_proposed_again(demo_bank: DemoBank) -> None:
    change = judgement.propose_exclusion(
        actor=demo_bank.staff("gaoyl"), group=demo_bank.group, customer=demo_bank.customer("C"), reason="外部乙经营",
        business_date=DAY,
    )  # fmt: skip
    approve(demo_bank, change)
    assert all(candidate.updates is None for candidate in identify_again(demo_bank))
    assert members(demo_bank.group) == {"A", "B", "D", "E"}


def test_joining_above_the_line_opens_an_excess_and_is_not_refused(demo_bank: DemoBank) -> None:
    """The group's line need not suffice for what a new member brings (I13)."""
    customer = single_customer(demo_bank)
    node = Node.objects.get(customer=customer, kind="CUSTOMER")
    group_node = Node.objects.get(group=demo_bank.group)
    Node.objects.filter(pk__in=[node.pk, node.parent_id]).update(posted_fen=2_000 * WAN)
    change = judgement.propose_addition(
        actor=demo_bank.staff("gaoyl"), group=demo_bank.group, customer=customer, reason="代垫", evidence="凭证",
        business_date=DAY,
    )  # fmt: skip
    decided = decide_change(
        actor=demo_bank.staff("linzy"), change=change, is_approved=True, decision="同意", business_date=DAY
    )
    assert decided.excess_fen > 0
    excess = Excess.objects.get(node=group_node, closed_at__isnull=True)
    assert (excess.cause, excess.amount_fen) == ("MEMBERSHIP", decided.excess_fen)


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.clause("UC-13", points="on over before")
def test_a_branch_cannot_decide_and_nobody_decides_alone(demo_bank: DemoBank) -> None:
    change = judgement.propose_exclusion(
        actor=demo_bank.staff("gaoyl"), group=demo_bank.group, customer=demo_bank.customer("C"), reason="x",
        business_date=DAY,
    )  # fmt: skip
    for username, words in (
        ("hewei", "没有总行集团认定权限"),
        ("wanghy", "没有总行集团认定权限"),
        ("gaoyl", "不能是同一人"),
    ):
        with pytest.raises(DecisionError, match=words):
            judgement.decide(
                actor=demo_bank.staff(username), change=change, is_approved=True, decision="同意", business_date=DAY
            )
    assert "C" in members(demo_bank.group)
    officer = demo_bank.staff("linzy")
    role = officer.role_assignments.filter(role="identification_officer")
    role.update(valid_from=DAY + dt.timedelta(days=1))
    with pytest.raises(DecisionError, match="没有总行集团认定权限"):
        approve(demo_bank, change)
    role.update(valid_from=DAY)
    approve(demo_bank, change)
    assert "C" not in members(demo_bank.group), "head office's second officer decides it"
    with pytest.raises(IntegrityError), transaction.atomic():
        GroupChange.objects.filter(pk=change.pk).update(decided_by=change.proposed_by)


@pytest.mark.clause("BR-11", points="on over")
def test_a_new_group_is_activated_with_its_responsible_person(demo_bank: DemoBank) -> None:
    """P and its subsidiary Q are proposed: without a person nothing is proposed, with one the group is there; the
    table knows no group without."""
    p = single_customer(demo_bank, "母公司")
    party = Party.objects.create(kind="org", name="子公司", source_id="Q")
    q = Customer.objects.create(party=party, number="KH99990002", unit=p.unit, stage=Customer.Stage.CUSTOMER)
    Holding.objects.create(holder=p.party, company=party, votes=60_000_000)
    candidate = next(c for c in identify_again(demo_bank) if c.members.filter(party=party).exists())
    ask: dict[str, Any] = {
        "actor": demo_bank.staff("gaoyl"), "candidate": candidate, "name": "母子系", "reason": "股权控制",
        "business_date": DAY,
    }  # fmt: skip
    before = GroupChange.objects.count()
    with pytest.raises(DecisionError, match="没有负责人不能生效（BR-11）"):
        judgement.propose_confirmation(**ask, responsible=None)
    assert GroupChange.objects.count() == before
    approve(demo_bank, judgement.propose_confirmation(**ask, responsible=demo_bank.staff("suny")))
    group = CustomerGroup.objects.get(name="母子系")
    assert (group.status, group.responsible) == (CustomerGroup.Status.ACTIVE, demo_bank.staff("suny"))
    assert set(memberships_on(DAY).filter(group=group).values_list("customer", flat=True)) == {p.pk, q.pk}
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerGroup.objects.filter(pk=group.pk).update(responsible=None)


def test_a_group_without_a_responsible_person_cannot_be_activated(demo_bank: DemoBank) -> None:
    sell_d_to_a_stranger()
    candidate = next(c for c in Candidate.objects.filter(status="proposed") if c.updates is None)
    with pytest.raises(DecisionError, match="负责人"):
        judgement.propose_confirmation(
            actor=demo_bank.staff("gaoyl"), candidate=candidate, name="亮剑系", responsible=None, reason="共同控制",
            business_date=DAY,
        )  # fmt: skip
    judgement.name_responsible(
        actor=demo_bank.staff("gaoyl"), group=demo_bank.group, responsible=demo_bank.staff("suny"), business_date=DAY
    )
    assert demo_bank.group.responsible.username == "suny"
    assert Entry.objects.filter(action="groups.responsible.named").exists()


def test_a_refused_and_a_withdrawn_proposal_change_nothing_and_are_kept(demo_bank: DemoBank) -> None:
    ask = {"group": demo_bank.group, "customer": demo_bank.customer("C"), "reason": "x", "business_date": DAY}
    first = judgement.propose_exclusion(actor=demo_bank.staff("gaoyl"), **ask)
    with pytest.raises(DecisionError, match="已有待认定的提议"):
        judgement.propose_exclusion(actor=demo_bank.staff("linzy"), **ask)
    judgement.decide(
        actor=demo_bank.staff("linzy"), change=first, is_approved=False, decision="证据不足", business_date=DAY
    )
    second = judgement.propose_exclusion(actor=demo_bank.staff("gaoyl"), **ask)
    with pytest.raises(DecisionError, match="只有提议人"):
        judgement.withdraw(actor=demo_bank.staff("linzy"), change=second, business_date=DAY)
    judgement.withdraw(actor=demo_bank.staff("gaoyl"), change=second, business_date=DAY)
    assert list(demo_bank.group.changes.order_by("pk").values_list("status", flat=True)) == [
        "approved", "refused", "withdrawn",
    ]  # fmt: skip
    assert demo_bank.group.versions.count() == 1


def test_a_proposal_on_a_superseded_candidate_is_not_approved(demo_bank: DemoBank) -> None:
    """The facts changed between proposal and decision: refused with what to do."""
    sell_d_to_a_stranger()
    proposal = next(c for c in identify_again(demo_bank) if c.updates is not None)
    change = judgement.propose_confirmation(
        actor=demo_bank.staff("gaoyl"), candidate=proposal, name="", responsible=None, reason="转让", business_date=DAY
    )
    identify_again(demo_bank)
    with pytest.raises(DecisionError, match="按新提案重新提议"):
        approve(demo_bank, change)
    assert members(demo_bank.group) == {"A", "B", "C", "D", "E"}


# --- two proposals share members (A-02) ---------------------------------------------------------------------------


@pytest.mark.clause("A-02")
def test_overlapping_proposals_are_merged_by_decision(demo_bank: DemoBank) -> None:
    task = MergeTask.objects.get()
    change = judgement.propose_merge_decision(
        actor=demo_bank.staff("gaoyl"), task=task, choice="merge", reason="兄弟两系合并管理", business_date=DAY
    )
    approve(demo_bank, change)
    assert members(demo_bank.group) == {"A", "B", "C", "D", "E", "F"}
    assert [version.number for version in demo_bank.group.versions.all()] == [1, 2]
    task.refresh_from_db()
    assert task.status == "decided"


def test_or_kept_apart_with_the_shared_ones_left_to_the_first(demo_bank: DemoBank) -> None:
    task = MergeTask.objects.get()
    change = judgement.propose_merge_decision(
        actor=demo_bank.staff("gaoyl"), task=task, choice="first", reason="各自经营", business_date=DAY
    )
    approve(demo_bank, change)
    second = Candidate.objects.get(label="G2")
    assert judgement.members_of(second) != [], "F is left"
    with pytest.raises(DecisionError, match="单一客户"):
        judgement.propose_confirmation(
            actor=demo_bank.staff("gaoyl"), candidate=second, name="亮剑系", responsible=demo_bank.staff("suny"),
            reason="其余成员", business_date=DAY,
        )  # fmt: skip
    assert not GroupChange.objects.filter(candidate=second, kind=GroupChange.Kind.CONFIRM).exists()


def test_groups_kept_apart_are_not_asked_about_again(demo_bank: DemoBank) -> None:
    task = MergeTask.objects.get()
    change = judgement.propose_merge_decision(
        actor=demo_bank.staff("gaoyl"), task=task, choice="first", reason="各自经营", business_date=DAY
    )
    approve(demo_bank, change)

    identify_again(demo_bank)

    again = MergeTask.objects.get(determination=find_latest_determination())
    assert (again.status, again.carried_from) == (MergeTask.Status.DECIDED, task)
    with pytest.raises(DecisionError, match="单一客户"):
        judgement.propose_confirmation(
            actor=demo_bank.staff("gaoyl"), candidate=Candidate.objects.get(pk=again.second_id), name="亮剑系",
            responsible=demo_bank.staff("suny"), reason="x", business_date=DAY,
        )  # fmt: skip
    Holding.objects.filter(company__source_id="F").delete()
    identify_again(demo_bank)
    newest = MergeTask.objects.filter(determination=find_latest_determination(), carried_from__isnull=False)
    assert not newest.exists(), "other evidence is another question"


def test_the_difference_of_two_versions() -> None:
    before = [{"customer": 1, "basis": "三"}, {"customer": 2, "basis": "三"}, {"customer": 3, "basis": "三"}]
    after = [{"customer": 2, "basis": "三"}, {"customer": 3, "basis": "四"}, {"customer": 4, "basis": "四"}]
    assert judgement.difference(before, after) == {"came": [4], "went": [1], "basis_changed": [3], "stayed": [2]}


# --- the worked changes with their amounts ------------------------------------------------------------------------


def confirmed(bank: DemoBank, proposal: Candidate) -> GroupChange:
    change = judgement.propose_confirmation(
        actor=bank.staff("gaoyl"), candidate=proposal, name="", responsible=None, reason="证据变化", business_date=DAY
    )
    return approve(bank, change)


@pytest.mark.clause("Y01")
def test_y01_the_wife_sells_her_part_of_d(demo_bank: DemoBank) -> None:
    """31 % is left: v2 {A, B, C, E}; v1 rules the limits until confirmed; then D stands alone with 700, G1 at 5,780."""
    node = Node.objects.get(group=demo_bank.group)
    d = Party.objects.get(source_id="D")
    Holding.objects.filter(company=d, holder__name="李秀英").update(valid_to=DAY)
    Holding.objects.filter(company=d, holder__name="张伟").update(votes=69_000_000)

    (proposal,) = [candidate for candidate in identify_again(demo_bank) if candidate.updates == demo_bank.group]
    before = Node.objects.get(pk=node.pk).used_fen
    confirmed(demo_bank, proposal)

    alone = Node.objects.get(customer=demo_bank.customer("D"), kind="CUSTOMER")
    assert (proposal.version, before) == (2, 6_480 * WAN)
    assert members(demo_bank.group) == {"A", "B", "C", "E"}
    assert Node.objects.get(pk=node.pk).used_fen == 5_780 * WAN
    assert (alone.used_fen, alone.parent.used_fen, alone.parent.group) == (700 * WAN, 700 * WAN, None)


@pytest.mark.clause("Y03", points="on over")
def test_y03_f_joins_and_the_group_is_280_over_its_line(demo_bank: DemoBank) -> None:
    """A may appoint the board of F: 7,280 of 7,000, drawings stop until it is cured."""
    a, f = Party.objects.get(source_id="A"), Party.objects.get(source_id="F")
    Agreement.objects.create(controller=a, company=f, kind="board_majority", valid_from=dt.date(2025, 6, 1))

    proposal = next(candidate for candidate in identify_again(demo_bank) if candidate.updates == demo_bank.group)
    confirmed(demo_bank, proposal)

    node = Node.objects.get(group=demo_bank.group)
    excess = Excess.objects.get(node=node, closed_at__isnull=True)
    assert members(demo_bank.group) == set("ABCDEF")
    assert (node.used_fen, excess.amount_fen, excess.cause) == (7_280 * WAN, 280 * WAN, "MEMBERSHIP")
    drawing = demo_bank.draw("D", "1")
    assert drawing.state == "refused"
    assert any(finding["code"] == "LIMIT_IN_EXCESS" for finding in drawing.findings)


@pytest.mark.clause("Y08", points="on over")
def test_y08_a_group_left_with_one_member_is_closed_and_the_member_is_single(demo_bank: DemoBank) -> None:
    group = demo_bank.group
    for code in "BCDE":
        group.refresh_from_db()
        assert group.status == CustomerGroup.Status.ACTIVE, "two members are a group still"
        change = judgement.propose_exclusion(
            actor=demo_bank.staff("gaoyl"), group=group, customer=demo_bank.customer(code), reason="已处置",
            business_date=DAY,
        )  # fmt: skip
        approve(demo_bank, change)

    group.refresh_from_db()
    assert group.status == CustomerGroup.Status.CLOSED
    assert members(group) == set()
    alone = Node.objects.get(customer=demo_bank.customer("A"), kind="CUSTOMER")
    assert alone.parent.group is None, "a group of its own"
    rows = list_group_rows(scope=scope_of(demo_bank.staff("gaoyl"), as_of=DAY), as_of=DAY)
    assert not any(row.is_confirmed and row.id == group.pk for row in rows)
