"""Payroll groups over HTTP: sums and members in the account's view, nothing beyond it."""

import pytest
from django.test import Client

from shouxin.web.api_keys import create_client
from tests.conftest import SmallBank
from tests.payroll_groups import school as cast

pytestmark = pytest.mark.django_db


def test_groups_and_members_in_view(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    cast.repaid(school, 1, "50000")
    http = Client()
    keys = {
        staff.username: {"X-API-Key": create_client(name=staff.username, username=staff.username, scopes=["read"])}
        for staff in (school.clerk, small_bank.manager_east)
    }
    own, other = keys[school.clerk.username], keys[small_bank.manager_east.username]
    (row,) = http.get("/api/v1/payroll-groups", headers=own).json()["payroll_groups"]
    assert (row["employer"], row["principal"], row["fund"], row["level"]) == (
        "青山中学", "590000.00", "32000.00", "credit_union",
    )  # fmt: skip
    detail = http.get(f"/api/v1/payroll-groups/{school.group.number}", headers=own).json()
    assert [(one["name"], one["owed"], one["fund"]) for one in detail["people"]][:2] == [
        ("教师1", "30000.00", "4000.00"), ("教师2", "80000.00", "4000.00"),
    ]  # fmt: skip
    assert http.get("/api/v1/payroll-groups", headers=other).json()["payroll_groups"] == []
    missing = http.get(f"/api/v1/payroll-groups/{school.group.number}", headers=other)
    assert (missing.status_code, missing.json()["findings"][0]["code"]) == (404, "PAYROLL_GROUP_UNKNOWN")
