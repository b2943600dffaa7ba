"""Pages of payroll groups: who sees them, what each role may do there, refusals with their reasons, files, English."""

import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from openpyxl import load_workbook

from shouxin.payroll_groups.models import Contract, Departure, FundEntry, Loan, Member, PayrollFile, PayrollGroup
from tests.conftest import DAY, SmallBank
from tests.payroll_groups import school as cast
from tests.payroll_groups.school import FUND, School, yuan
from tests.web.test_pages import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def school(small_bank: SmallBank) -> School:
    return cast.signed(small_bank)


def identity_number(place: int) -> str:
    """A made-up number with a right check digit (GB 11643)."""
    digits = f"11010519900101{place:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return digits + "10X98765432"[sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11]


def detail(school: School) -> str:
    return reverse("payroll_detail", args=[school.group.number])


def member_page(school: School, number: int) -> str:
    return reverse("payroll_member", args=[school.group.number, school.members[number - 1].pk])


def test_an_application_from_filing_to_the_contract(small_bank: SmallBank) -> None:
    clerk, risk, approver = (sign_in(staff) for staff in (
        small_bank.manager_west, small_bank.risk_officer, small_bank.approver
    ))  # fmt: skip
    employer = cast.employer_of(small_bank)
    form = {
        "employer": employer.number, "head_name": "郑校长", "signed_by": "李副校长", "application_number": "申 1",
        "applied_date": "2025-06-30", "places": "东校区，城东支行\n本部，城西支行",
    }  # fmt: skip
    refused = clerk.post(reverse("payroll_apply"), form)
    assert refused.status_code == 422
    assert "PAYROLL_APPLICATION_NOT_BY_HEAD" in refused.content.decode()
    wrong = clerk.post(reverse("payroll_apply"), {**form, "places": "东校区，火星支行"})
    assert "信用社有：" in wrong.content.decode()
    clerk.post(reverse("payroll_apply"), {**form, "signed_by": "郑校长"})
    group = PayrollGroup.objects.get()

    def act(client: object, name: str, **data: object) -> object:
        return client.post(reverse("payroll_act", args=[group.number, name]), data)  # type: ignore[attr-defined]

    rows = "姓名,身份证号,身份,月固定收入（元）,收入证明,账号,申请日期\n" + "".join(
        f"教师{n},{identity_number(n)},公职人员,6000,工资表,62{n},2025-06-30\n" for n in range(5)
    )
    act(clerk, "members", file=SimpleUploadedFile("名单.csv", rows.encode()))
    members = list(Member.objects.order_by("pk"))
    assert len(members) == 5
    member = reverse("payroll_member_act", args=[group.number, members[0].pk, "complete"])
    clerk.post(member, {"owes_overdue": "no"})
    members[0].refresh_from_db()
    assert members[0].owes_overdue is False
    Member.objects.update(owes_overdue=False)
    act(risk, "investigate", report="单位稳定")
    for one in members:
        approver.post(reverse("payroll_member_act", args=[group.number, one.pk, "qualify"]), {"limit": "80000"})
    act(approver, "confirm", opinion="同意")
    act(clerk, "contract", number="合 1", signed_date="2025-06-30", end_date="2028-07-01", limit="400000")
    too_long = act(approver, "approve", opinion="同意")
    assert too_long.status_code == 422  # type: ignore[attr-defined]
    assert "PAYROLL_TERM_ABOVE_USUAL" in too_long.content.decode()  # type: ignore[attr-defined]
    act(approver, "refuse", opinion="期限过长")
    act(clerk, "contract", number="合 2", signed_date="2025-06-30", end_date="2028-06-30", limit="400000")
    act(approver, "approve", opinion="同意")
    group.refresh_from_db()
    assert group.state == "active"
    assert Contract.objects.get(state="in_force").limit_fen == yuan(400_000)
    assert "县联社管理" in clerk.get(reverse("payroll_detail", args=[group.number])).content.decode()


def test_a_loan_is_refused_with_all_reasons_then_paid_out_by_another(school: School) -> None:
    clerk, head = sign_in(school.clerk), sign_in(school.head)
    ask = reverse("payroll_member_act", args=[school.group.number, school.members[0].pk, "loan"])
    loan = {"number": "借 1", "amount": "80000", "due_date": "2026-03-01"}
    refused = clerk.post(ask, {**loan, "amount": "90000"})
    assert refused.status_code == 422
    text = refused.content.decode()
    assert "PAYROLL_FUND_SHORT" in text
    assert "PAYROLL_ABOVE_MEMBER_LIMIT" in text
    assert not Loan.objects.exists()
    pay = reverse("payroll_member_act", args=[school.group.number, school.members[0].pk, "pay"])
    clerk.post(pay, {"amount": "4000", "account_number": FUND, "voucher": "基 1"})
    clerk.post(pay, {"amount": "4000", "account_number": FUND, "voucher": "基 1"})
    assert FundEntry.objects.count() == 1
    clerk.post(ask, loan)
    release = reverse("payroll_loan_act", args=[Loan.objects.get().pk, "release"])
    clerk.post(release)
    assert Loan.objects.get().state == "requested"
    assert "复核放款" in head.get(detail(school)).content.decode()
    head.post(release)
    assert Loan.objects.get().principal_fen == yuan(80_000)
    repay = reverse("payroll_loan_act", args=[Loan.objects.get().pk, "repay"])
    clerk.post(repay, {"principal": "30000.50", "interest": "", "voucher": "还 1"})
    assert "49,999.50" in clerk.get(member_page(school, 1)).content.decode()


def test_a_departure_says_what_is_missing(school: School) -> None:
    clerk, head = sign_in(school.clerk), sign_in(school.head)
    for number in (1, 2):
        cast.pay(school, number)
    cast.lent(school, 2)
    clerk.post(
        reverse("payroll_member_act", args=[school.group.number, school.members[0].pk, "leave"]),
        {"kind": "exit", "reason": "调离"},
    )
    departure = Departure.objects.get()
    text = clerk.get(member_page(school, 1)).content.decode()
    for code in ("PAYROLL_DEBT_OUTSTANDING", "PAYROLL_LEADER_CONSENT_MISSING", "PAYROLL_UNION_CONSENT_MISSING"):
        assert code in text
    finish = reverse("payroll_departure_act", args=[departure.pk, "finish"])
    assert clerk.post(finish).status_code == 422
    clerk.post(reverse("payroll_departure_act", args=[departure.pk, "leader"]), {"document": "同意 1"})
    head.post(reverse("payroll_departure_act", args=[departure.pk, "union"]))
    cast.repaid(school, 2)
    clerk.post(finish)
    assert school.member(1).state == "left"


def test_a_wrong_payroll_file_is_named_by_line_and_not_used(school: School) -> None:
    clerk = sign_in(school.clerk)
    url = reverse("payroll_act", args=[school.group.number, "payroll"])

    def send(text: str) -> str:
        upload = SimpleUploadedFile("工资.csv", text.encode())
        return str(clerk.post(url, {"month": "2025-05-01", "file": upload}, follow=True).content.decode())

    assert "第 2 行" in send("姓名,工资（元）\n教师1,六千\n")
    assert not PayrollFile.objects.exists()
    assert "8 人" in send("姓名,工资（元）\n" + "".join(f"教师{n},6000\n" for n in range(1, 9)))
    assert PayrollFile.objects.get().total_fen == yuan(48_000)


def test_another_branch_and_the_administrator_see_nothing(school: School) -> None:
    east = sign_in(school.bank.manager_east)
    assert east.get(detail(school)).status_code == 404
    assert east.get(member_page(school, 1)).status_code == 404
    assert "青山中学" not in east.get(reverse("payroll_list")).content.decode()
    assert sign_in(school.bank.administrator).get(reverse("payroll_list")).status_code == 403
    auditor_like = sign_in(school.bank.risk_officer)
    assert "列入成员" not in auditor_like.get(detail(school)).content.decode()


def test_the_list_searches_and_exports_numbers(school: School) -> None:
    clerk = sign_in(school.clerk)
    cast.pay(school, 1)
    cast.lent(school, 1)
    assert "青山中学" in clerk.get(reverse("payroll_list"), {"q": "郑校长", "state": "active"}).content.decode()
    assert "没有符合条件" in clerk.get(reverse("payroll_list"), {"q": "没有的"}).content.decode()
    book = load_workbook(io.BytesIO(clerk.get(reverse("payroll_export")).content))
    head, row = list(book.active.iter_rows(values_only=True))
    found = dict(zip(head, row, strict=True))
    assert (found["单位"], found["本金（元）"], found["保证基金（元）"], found["占比（%）"]) == (
        "青山中学",
        80_000,
        4_000,
        100,
    )


@pytest.mark.parametrize("page", ["list", "detail", "member"])
def test_english_leaves_no_chinese_but_names(school: School, page: str) -> None:
    clerk = sign_in(school.clerk)
    clerk.post(reverse("set_language"), {"language": "en"})
    url = {"list": reverse("payroll_list"), "detail": detail(school), "member": member_page(school, 1)}[page]
    body = clerk.get(url).content.decode()
    main = body[body.index("<main") : body.index("</main>")]
    labels = re.findall(r"<(?:th|dt|h2|button|label)[^>]*>([^<]+)<", main)
    chinese = [text for text in labels if re.search(r"[一-鿿]", text)]
    assert chinese == []


def test_the_past_is_shown_as_it_was(school: School) -> None:
    cast.pay(school, 1)
    cast.lent(school, 1)
    cast.repaid(school, 1, on=DAY)
    clerk = sign_in(school.clerk)
    assert "80,000.00" in clerk.get(detail(school), {"as_of": "2025-06-29"}).content.decode()
