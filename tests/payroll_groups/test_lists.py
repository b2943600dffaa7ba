"""Files of an employer: the list of its staff, a month's wages, and the signal when wages do not come."""

import datetime as dt
from pathlib import Path

import pytest

from shouxin.intake.evidence_files import EvidenceError
from shouxin.intake.payroll_lists import read_staff, read_wages
from shouxin.monitoring.models import Alert
from shouxin.monitoring.watch import end_of_day
from shouxin.payroll_groups import listing
from shouxin.payroll_groups.models import Member, PayrollFile
from shouxin.payroll_groups.verify import list_breaches
from tests.conftest import SmallBank
from tests.payroll_groups import school as cast
from tests.payroll_groups.school import SIGNED, School, yuan

pytestmark = pytest.mark.django_db
ID_1, ID_2 = "11010519491231002X", "440524188001010014"


def file(folder: Path, text: str, name: str = "名单.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def wages(school: School, folder: Path, month: dt.date, day: dt.date, *, without: int = 0) -> PayrollFile:
    rows = "".join(f"教师{number},622{number},6000.00\n" for number in range(1 + without, 9))
    path = file(folder, f"姓名,账号,工资（元）\n{rows}教务处李,7777,5500\n", "工资.csv")
    return listing.receive_payroll(
        actor=school.clerk, group=school.group, month=month, rows=read_wages(path), file_name="工资.csv",
        business_date=day,
    )  # fmt: skip


@pytest.mark.clause("RC-07", points="on over")
def test_the_employers_list_makes_applicants_only_of_those_who_applied(small_bank: SmallBank, tmp_path: Path) -> None:
    school = cast.applied(small_bank, heads=0)
    path = file(
        tmp_path,
        "姓名,身份证号,身份,月固定收入（元）,收入证明,申请日期\n"
        f'张老师,{ID_1},公职人员,"6,000.00",工资表,2024-03-01\n李老师,{ID_2},公职人员,5500,工资表,\n',
    )
    made = listing.name_members(
        actor=school.clerk, group=school.group, rows=read_staff(path), file_name="名单.csv", business_date=SIGNED
    )
    assert [(str(member), member.get_state_display()) for member in made] == [
        ("张老师", "已申请"),
        ("李老师", "未申请"),
    ]
    assert made[0].monthly_income_fen == yuan(6_000)
    assert made[0].customer.party.identity_number == ID_1


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("姓名,身份证号\n张,1\n", "缺少列：身份"),
        (f"姓名,身份证号,身份\n张,{ID_1[:-1]}0,公职人员\n,{ID_2},公职人员\n", "第 3 行，列“姓名”"),
        (f"姓名,身份证号,身份,月收入（元）\n张,{ID_1},公职人员,六千\n", "第 2 行，列“月固定收入（元）”"),
        (f"姓名,身份证号,身份,月收入（元）\n张,{ID_1},公职人员,-1\n", "不能为负"),
        (f"姓名,身份证号,身份,账号\n张,{ID_1},公职人员,6.22848E+18\n", "科学计数"),
        ("姓名,身份证号,身份\n", "没有任何数据行"),
        (f"姓名,身份证号,身份,岗位\n张,{ID_1},公职人员,{'教' * 81}\n", "最多 80 个"),
    ],
)
def test_a_bad_list_says_where_and_why(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(EvidenceError, match=r"[A-Z_]+") as error:
        read_staff(file(tmp_path, text))
    assert where in str(error.value)


def test_a_row_that_is_refused_stops_the_whole_list(small_bank: SmallBank, tmp_path: Path) -> None:
    school = cast.applied(small_bank, heads=0)
    path = file(tmp_path, f"姓名,身份证号,身份\n张老师,{ID_1},公职人员\n王老师,{ID_1},公职人员\n")
    with pytest.raises(EvidenceError, match=r"第 3 行.*另一姓名"):
        listing.name_members(
            actor=school.clerk, group=school.group, rows=read_staff(path), file_name="名单.csv", business_date=SIGNED
        )
    assert not Member.objects.exists()


@pytest.mark.clause("RC-14", "Z09", "W25", points="on over")
def test_a_missing_payroll_raises_an_alert_once(small_bank: SmallBank, tmp_path: Path) -> None:
    school = cast.signed(small_bank)
    for number in range(3, 7):
        wages(school, tmp_path, dt.date(2024, number, 1), dt.date(2024, number, 28))
    end_of_day(as_of=dt.date(2024, 7, 31))
    assert not Alert.objects.filter(code="W25").exists()  # July is not over
    end_of_day(as_of=dt.date(2024, 8, 1))
    end_of_day(as_of=dt.date(2024, 8, 1))
    alert = Alert.objects.get(code="W25")
    assert (alert.customer, "2024-07" in alert.message) == (school.employer, True)
    kept = wages(school, tmp_path, dt.date(2024, 7, 1), dt.date(2024, 8, 2), without=1)
    assert (kept.staff_count, kept.total_fen) == (8, yuan(7 * 6_000 + 5_500))
    end_of_day(as_of=dt.date(2024, 8, 2))
    assert "教师1" in Alert.objects.filter(code="W25").latest("pk").message  # no longer paid: has left?
    assert Alert.objects.filter(code="W25").count() == 2


def test_the_books_are_sound(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    cast.repaid(school, 1, "50000")
    assert list_breaches() == []
    school.group.contracts.update(owed_fen=1)
    assert [rule for rule, _subject, _message in list_breaches()] == ["CONTRACT"]
