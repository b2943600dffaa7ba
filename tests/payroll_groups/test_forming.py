"""A payroll group comes into being: who may join, who signs, who looks, who decides, for how long."""

import datetime as dt

import pytest

from shouxin.audit.models import Entry
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.payroll_groups import accounts, forming, inspecting, lending, selectors
from shouxin.payroll_groups.models import Contract, Inspection, Member, PayrollGroup
from shouxin.payroll_groups.rights import PayrollGroupError, PayrollRefusedError
from shouxin.payroll_groups.waiting import waiting_for
from tests.conftest import SINCE, SmallBank
from tests.payroll_groups import school as cast
from tests.payroll_groups.school import ENDS, SIGNED, yuan

pytestmark = pytest.mark.django_db


@pytest.mark.clause("RC-08", points="on over")
def test_the_application_is_signed_by_the_employers_head(small_bank: SmallBank) -> None:
    employer = cast.employer_of(small_bank)

    def file(signed_by: str) -> PayrollGroup:
        return forming.file_application(
            actor=small_bank.manager_west, employer=employer, head_name="郑校长", signed_by=signed_by,
            application_number="申 1", applied_date=SIGNED, business_date=SIGNED,
        )  # fmt: skip

    with pytest.raises(PayrollRefusedError, match="RC-08") as refused:
        file("李副校长")
    assert refused.value.findings[0].code == "PAYROLL_APPLICATION_NOT_BY_HEAD"
    assert not PayrollGroup.objects.exists()
    assert file("郑校长").state == "forming"
    with pytest.raises(PayrollGroupError, match="已有未结束"):
        file("郑校长")


@pytest.mark.clause("RC-06", points="on over")
@pytest.mark.parametrize(
    ("employment", "proof", "code"),
    [("个体工商户", "流水", "PAYROLL_NOT_SALARIED"), ("公职人员", "", "PAYROLL_INCOME_UNPROVED"),
     ("公职人员", "工资表", ""), ("企事业单位员工", "工资表", "")],
)  # fmt: skip
def test_only_salaried_staff_join(small_bank: SmallBank, employment: str, proof: str, code: str) -> None:
    school = cast.applied(small_bank, heads=0)
    member = forming.name_member(
        actor=school.clerk, group=school.group, customer=cast.person(small_bank, "申请人"), employment=employment,
        monthly_income_fen=yuan(5_000), income_proof=proof, account_number="1", applied_date=SIGNED,
        business_date=SIGNED,
    )  # fmt: skip
    forming.complete_member(actor=school.clerk, member=member, owes_overdue=False, business_date=SIGNED)
    forming.investigate(actor=small_bank.risk_officer, group=school.group, report="已核", business_date=SIGNED)

    def confirm() -> Member:
        return forming.review_member(
            actor=small_bank.approver, member=member, qualifies=True, limit_fen=yuan(80_000), reason="",
            business_date=SIGNED,
        )  # fmt: skip

    if code:
        with pytest.raises(PayrollRefusedError, match="RC-06") as refused:
            confirm()
        assert [one.code for one in refused.value.findings] == [code]
        member.refresh_from_db()
        assert member.state == "applied"
    else:
        assert confirm().state == "qualified"


@pytest.mark.clause("RC-07", points="on over")
def test_who_was_only_listed_by_the_employer_cannot_borrow(small_bank: SmallBank) -> None:
    school = cast.confirmed(cast.applied(small_bank, heads=5, listed_only=1))
    forming.approve_contract(
        actor=small_bank.approver, contract=cast.draft(school), opinion="同意", business_date=SIGNED
    )
    cast.with_accounts(school)
    listed = school.member(6)
    assert listed.get_state_display() == "未申请"
    with pytest.raises(PayrollRefusedError) as refused:
        cast.lent(school, 6)
    assert "RC-07" in {one.article for one in refused.value.findings}
    # with an own application, a report and a review they qualify, and join by a supplement
    forming.complete_member(actor=school.clerk, member=listed, applied_date=SIGNED, business_date=SIGNED)
    with pytest.raises(PayrollRefusedError, match="RC-09"):
        forming.review_member(
            actor=small_bank.approver, member=listed, qualifies=True, limit_fen=yuan(80_000), reason="",
            business_date=SIGNED,
        )  # fmt: skip


@pytest.mark.clause("RC-09", points="on over")
def test_the_county_union_investigates_before_it_reviews_and_confirms_nine_of_ten(small_bank: SmallBank) -> None:
    school = cast.applied(small_bank, heads=10)
    early = school.member(1)
    with pytest.raises(PayrollGroupError, match="须先调查再审查"):
        forming.review_member(
            actor=small_bank.approver, member=early, qualifies=True, limit_fen=1, reason="", business_date=SIGNED
        )
    with pytest.raises(PayrollGroupError, match="须先调查再审查"):
        forming.review_unit(
            actor=small_bank.approver, group=school.group, qualifies=True, opinion="同意", business_date=SIGNED
        )
    with pytest.raises(PayrollGroupError, match="县联社"):
        forming.investigate(actor=school.clerk, group=school.group, report="本社调查", business_date=SIGNED)
    cast.confirmed(school, rejected=1)
    assert school.fresh().state == "qualified"
    states = sorted(school.group.members.values_list("state", flat=True))
    assert states == ["qualified"] * 9 + ["rejected"]


def test_nobody_reviews_what_they_investigated(small_bank: SmallBank) -> None:
    school = cast.applied(small_bank, heads=5)
    forming.investigate(actor=small_bank.risk_officer, group=school.group, report="已核", business_date=SIGNED)
    with pytest.raises(PayrollGroupError, match="四眼"):
        forming.review_member(
            actor=small_bank.risk_officer, member=school.member(1), qualifies=True, limit_fen=1, reason="",
            business_date=SIGNED,
        )  # fmt: skip


@pytest.mark.clause("RC-11", "Z01", points="on over")
@pytest.mark.parametrize(
    ("ends", "reason", "passes"),
    [(ENDS, "", True), (dt.date(2027, 3, 2), "", False), (dt.date(2027, 3, 2), "教师公寓按揭到期日一致", True)],
)
def test_a_contract_longer_than_three_years_is_an_exception(
    small_bank: SmallBank, ends: dt.date, reason: str, passes: bool
) -> None:
    school = cast.confirmed(cast.applied(small_bank))
    contract = cast.draft(school, ends=ends, reason=reason)
    found = forming.contract_findings(contract, actor=small_bank.approver, as_of=SIGNED)
    assert [one.code for one in found] == ([] if ends == ENDS else ["PAYROLL_TERM_ABOVE_USUAL"])
    if passes:
        forming.approve_contract(actor=small_bank.approver, contract=contract, opinion="同意", business_date=SIGNED)
        assert school.fresh().state == "active"
    else:
        with pytest.raises(PayrollRefusedError, match="例外"):
            forming.approve_contract(actor=small_bank.approver, contract=contract, opinion="", business_date=SIGNED)
        assert school.fresh().state == "qualified"


@pytest.mark.clause("RC-05", points="on over")
def test_a_credit_union_cannot_approve_the_limit(small_bank: SmallBank) -> None:
    school = cast.confirmed(cast.applied(small_bank))
    contract = cast.draft(school)
    RoleAssignment.objects.create(staff=small_bank.head_west, role="approver", valid_from=SINCE)
    with pytest.raises(PayrollRefusedError, match="县联社批准"):
        forming.approve_contract(actor=small_bank.head_west, contract=contract, opinion="", business_date=SIGNED)
    contract.refresh_from_db()
    assert contract.state == Contract.State.DRAFT
    done = forming.approve_contract(actor=small_bank.approver, contract=contract, opinion="同意", business_date=SIGNED)
    assert (done.limit_fen, done.approved_by) == (yuan(640_000), small_bank.approver)


@pytest.mark.parametrize(("heads", "passes"), [(4, False), (5, True)])
def test_five_members_at_least(small_bank: SmallBank, heads: int, passes: bool) -> None:
    school = cast.confirmed(cast.applied(small_bank, heads=heads))
    found = forming.contract_findings(cast.draft(school), actor=small_bank.approver, as_of=SIGNED)
    assert [one.code for one in found] == ([] if passes else ["PAYROLL_TOO_FEW_MEMBERS"])


@pytest.mark.clause("RC-12", "Z08", points="on over")
def test_a_renewal_needs_the_county_unions_consent(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)

    def renew(number: str) -> Contract:
        return forming.prepare_contract(
            actor=school.clerk, group=school.group, number=number, signed_date=ENDS, end_date=dt.date(2030, 3, 1),
            limit_fen=yuan(640_000), business_date=ENDS,
        )  # fmt: skip

    contract = renew("青山联保 2027-1")
    with pytest.raises(PayrollRefusedError, match="RC-12"):
        forming.approve_contract(actor=small_bank.approver, contract=contract, opinion="", business_date=ENDS)
    forming.withdraw_contract(actor=school.clerk, contract=contract, business_date=ENDS)
    contract = renew("青山联保 2027-2")
    with pytest.raises(PayrollGroupError, match="县联社"):  # a credit union cannot consent
        forming.consent_to_renewal(actor=school.head, contract=contract, document="同意", business_date=ENDS)
    forming.consent_to_renewal(
        actor=small_bank.risk_officer, contract=contract, document="县联社同意〔2027〕3 号", business_date=ENDS
    )
    new = forming.approve_contract(actor=small_bank.approver, contract=contract, opinion="同意", business_date=ENDS)
    old = Contract.objects.get(number="青山联保 2024-1")
    assert new.renews == old
    # what is owed goes on under the new contract, once
    assert (old.owed_fen, new.owed_fen) == (0, yuan(640_000))
    assert set(school.group.members.values_list("loans__contract", flat=True)) == {new.pk}


@pytest.mark.clause("RC-04", points="on over")
def test_units_in_two_areas_are_managed_by_the_county_union(small_bank: SmallBank) -> None:
    def level(places: list[tuple[str, object]], name: str) -> str:
        group = forming.file_application(
            actor=small_bank.manager_west, employer=cast.employer_of(small_bank, name), head_name="甲", signed_by="甲",
            application_number="1", applied_date=SIGNED, workplaces=places, business_date=SIGNED,  # type: ignore[arg-type]
        )  # fmt: skip
        return selectors.level_name(group)

    assert level([("本部", small_bank.west), ("东校区", small_bank.east)], "两区中学") == "县联社"
    assert level([("本部", small_bank.west), ("西校区", small_bank.west)], "一区中学") == "信用社"


@pytest.mark.clause("RC-03", points="on over")
def test_only_the_county_union_inspects(small_bank: SmallBank) -> None:
    school = cast.applied(small_bank, heads=1)

    def inspect(actor: object) -> Inspection:
        return inspecting.inspect(
            actor=actor, group=school.group, result="台账与专户相符", demand="补收入证明", due_date=SIGNED,  # type: ignore[arg-type]
            business_date=SIGNED,
        )  # fmt: skip

    for actor in (school.clerk, school.head):
        with pytest.raises(PayrollGroupError, match="县联社"):
            inspect(actor)
    assert not Inspection.objects.exists()
    done = inspect(small_bank.risk_officer)
    mended = inspecting.report_mended(actor=school.clerk, inspection=done, answer="已补", business_date=SIGNED)
    assert mended.mended_by == school.clerk
    assert Entry.objects.filter(action="payroll_groups.inspected").count() == 1


@pytest.mark.clause("Z07", points="on over")
def test_a_ninth_member_joins_after_the_signing(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    day = dt.date(2024, 9, 2)
    ninth = forming.name_member(
        actor=school.clerk, group=school.group, customer=cast.person(small_bank, "教师9"), employment="公职人员",
        monthly_income_fen=yuan(6_000), income_proof="工资表", account_number="6229", business_date=day,
    )  # fmt: skip
    school.members.append(ninth)
    with pytest.raises(PayrollGroupError):  # no own application, no review
        forming.admit_later(actor=school.clerk, member=ninth, supplement_number="补 1", business_date=day)
    forming.complete_member(actor=school.clerk, member=ninth, applied_date=day, owes_overdue=False, business_date=day)
    forming.investigate(actor=small_bank.risk_officer, group=school.group, report="补充调查", business_date=day)
    forming.review_member(
        actor=small_bank.approver, member=ninth, qualifies=True, limit_fen=yuan(40_000), reason="", business_date=day
    )
    with pytest.raises(PayrollGroupError, match="补充协议"):
        forming.admit_later(actor=school.clerk, member=ninth, supplement_number="", business_date=day)
    forming.admit_later(actor=school.clerk, member=ninth, supplement_number="补 1", business_date=day)
    cast.repaid(school, 1, "40000")  # room under the limit of 640,000 元
    with pytest.raises(PayrollRefusedError, match=r"2,000\.00 元") as refused:
        cast.lent(school, 9, "40000", on=day)
    assert [one.article for one in refused.value.findings] == ["RC-15"]
    cast.pay(school, 9, "2000")
    assert cast.lent(school, 9, "40000", on=day).principal_fen == yuan(40_000)


def test_a_person_is_in_one_group_only(small_bank: SmallBank) -> None:
    school = cast.applied(small_bank, heads=1)
    with pytest.raises(PayrollGroupError, match="不能再加入"):
        forming.name_member(
            actor=school.clerk, group=school.group, customer=school.members[0].customer, employment="公职人员",
            business_date=SIGNED,
        )  # fmt: skip


def test_what_waits_for_whom(small_bank: SmallBank) -> None:
    def waits(actor: Staff) -> list[str]:
        return [one.what for one in waiting_for(actor, as_of=SIGNED)]

    school = cast.applied(small_bank, heads=5)
    assert waits(small_bank.risk_officer) == ["登记调查报告"]
    assert waits(small_bank.approver) == waits(school.clerk) == waits(small_bank.manager_east) == []
    forming.investigate(actor=small_bank.risk_officer, group=school.group, report="已核", business_date=SIGNED)
    assert waits(small_bank.risk_officer) == []  # not what they investigated
    assert waits(small_bank.approver) == ["审查资格"] * 5
    for member in school.members:
        forming.review_member(
            actor=small_bank.approver, member=member, qualifies=True, limit_fen=yuan(80_000), reason="",
            business_date=SIGNED,
        )  # fmt: skip
    assert waits(small_bank.approver) == ["审查单位资格"]
    forming.review_unit(
        actor=small_bank.approver, group=school.group, qualifies=True, opinion="同意", business_date=SIGNED
    )
    forming.approve_contract(actor=small_bank.approver, contract=cast.draft(school), opinion="", business_date=SIGNED)
    cast.with_accounts(school)
    cast.pay(school, 1)
    lending.request_loan(
        actor=school.clerk, member=school.member(1), number="借 1", amount_fen=yuan(80_000),
        due_date=dt.date(2026, 3, 1), business_date=SIGNED,
    )  # fmt: skip
    assert waits(school.head) == ["复核放款"]
    inspecting.inspect(
        actor=small_bank.risk_officer, group=school.group, result="已查", demand="补资料", due_date=ENDS,
        business_date=SIGNED,
    )  # fmt: skip
    assert waits(school.clerk) == ["登记整改"]


@pytest.mark.parametrize(
    ("signed", "ends"),
    [(dt.date(2000, 1, 1), ENDS), (dt.date(9999, 1, 1), dt.date(9999, 12, 31)), (SIGNED, dt.date(9999, 12, 31)),
     (SIGNED, dt.date(2024, 2, 1))],
)  # fmt: skip
def test_a_contract_has_sensible_days(small_bank: SmallBank, signed: dt.date, ends: dt.date) -> None:
    school = cast.confirmed(cast.applied(small_bank, heads=5))
    with pytest.raises(PayrollGroupError):
        forming.prepare_contract(
            actor=school.clerk, group=school.group, number="合", signed_date=signed, end_date=ends, limit_fen=1,
            business_date=SIGNED,
        )  # fmt: skip


def test_overdue_loans_found_after_the_confirmation_undo_it(small_bank: SmallBank) -> None:
    school = cast.confirmed(cast.applied(small_bank, heads=6))
    forming.complete_member(actor=school.clerk, member=school.member(1), owes_overdue=True, business_date=SIGNED)
    assert school.member(1).state == "applied"
    forming.approve_contract(actor=small_bank.approver, contract=cast.draft(school), opinion="", business_date=SIGNED)
    assert school.group.members.filter(state="active").count() == 5


def test_a_refused_group_frees_its_people_and_its_money(small_bank: SmallBank) -> None:
    school = cast.applied(small_bank, heads=5)
    cast.with_accounts(school)
    forming.investigate(actor=small_bank.risk_officer, group=school.group, report="已核", business_date=SIGNED)
    for member in school.members:
        forming.review_member(
            actor=small_bank.approver, member=member, qualifies=True, limit_fen=1, reason="", business_date=SIGNED
        )
    cast.pay(school, 1, "2500")
    forming.review_unit(
        actor=small_bank.approver, group=school.group, qualifies=False, opinion="单位欠薪", business_date=SIGNED
    )
    accounts.refund(actor=school.head, member=school.member(1), voucher="退", business_date=SIGNED)
    assert school.fresh().fund.balance_fen == 0
    other = forming.file_application(
        actor=school.clerk, employer=cast.employer_of(small_bank, "另一中学"), head_name="甲", signed_by="甲",
        application_number="2", applied_date=SIGNED, business_date=SIGNED,
    )  # fmt: skip
    again = forming.name_member(
        actor=school.clerk, group=other, customer=school.member(1).customer, employment="公职人员", business_date=SIGNED
    )
    forming.strike(actor=school.clerk, member=again, reason="写错人", business_date=SIGNED)
    assert Member.objects.get(pk=again.pk).state == "rejected"


def test_one_place_abroad_makes_two_areas(small_bank: SmallBank) -> None:
    """The employer's own unit counts besides the ones that it names."""
    group = forming.file_application(
        actor=small_bank.manager_west, employer=cast.employer_of(small_bank), head_name="甲", signed_by="甲",
        application_number="1", applied_date=SIGNED, workplaces=[("东校区", small_bank.east)], business_date=SIGNED,
    )  # fmt: skip
    assert selectors.level_name(group) == "县联社"
