"""Payroll groups as commands: lists and wages by file, refused whole with exit 2."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shouxin.cli import cli
from shouxin.payroll_groups.models import Member, PayrollFile
from shouxin.web import case_commands
from tests.conftest import SmallBank
from tests.payroll_groups import school as cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _this_database(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def here(_data: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(case_commands, "database", here)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["payroll-groups", *words])


def test_lists_and_wages_by_command(small_bank: SmallBank, tmp_path: Path) -> None:
    school = cast.signed(small_bank)
    number, clerk = school.group.number, school.clerk.username
    (row,) = json.loads(run("list", "--as", clerk, "--json").stdout)["payroll_groups"]
    assert (row["employer"], row["limit_yuan"], row["missing_months"][0]) == ("青山中学", "640,000.00", "2024-03")
    file = tmp_path / "工资.csv"
    file.write_text("姓名,工资（元）\n教师1,6000\n教师2,六千\n", encoding="utf-8")
    wrong = run("wages", number, str(file), "--month", "2025-05", "--as", clerk)
    assert (wrong.exit_code, PayrollFile.objects.count()) == (2, 0)
    assert "第 3 行" in wrong.stderr
    assert "没有写入任何内容" in wrong.stderr
    file.write_text("姓名,工资（元）\n教师1,6000\n校医,5000\n", encoding="utf-8")
    kept = json.loads(run("wages", number, str(file), "--month", "2025-05", "--as", clerk, "--json").stdout)
    assert kept == {"month": "2025-05", "people": 2, "members": 1, "total_yuan": "11,000.00"}
    assert run("wages", number, str(file), "--month", "2025-05", "--as", clerk).exit_code == 2
    assert run("wages", number, str(file), "--month", "2025-13", "--as", clerk).exit_code == 2
    staff = tmp_path / "名单.csv"
    staff.write_text("姓名,身份证号,身份\n周老师,11010519491231002X,公职人员\n", encoding="utf-8")
    assert "未申请" in run("members", number, str(staff), "--as", clerk).stdout
    assert Member.objects.filter(customer__party__name="周老师").count() == 1
    east = run("members", number, str(staff), "--as", small_bank.manager_east.username)
    assert east.exit_code == 2
    assert "数据范围" in east.stderr
