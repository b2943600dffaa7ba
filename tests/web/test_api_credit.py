"""The credit file over HTTP and by command: the same services, the same roles and four eyes, nothing half-done."""

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from shouxin.cli import cli
from shouxin.facilities.models import CreditRating, Deal, LineFreeze, Overdue, Repayment
from shouxin.monitoring import reviews
from shouxin.monitoring.models import Review
from shouxin.web import case_commands
from shouxin.web.api.credit_acts import ACTS
from tests.demo import DAY, DemoBank
from tests.web.test_api_cases import Desk, desk

__all__ = ["desk"]


def deal_of(bank: DemoBank, code: str = "C") -> Deal:
    return Deal.objects.filter(customer=bank.customer(code), product="working_capital_loan").order_by("pk")[0]


def test_a_repayment_is_booked_once_and_refused_beyond_the_debt(desk: Desk) -> None:
    deal = deal_of(desk.bank)
    body = {"deal": deal.number, "amount": "1000000.00"}
    first = desk.send("hewei", "post", "/credit/repay", body, key="k1")
    again = desk.send("hewei", "post", "/credit/repay", body, key="k1")
    assert first.status_code == again.status_code == 200, first.content
    assert first.json() == again.json()
    assert Repayment.objects.count() == 1
    assert desk.post("hewei", "/credit/repay", deal=deal.number, amount="999999999.00").status_code == 422
    assert desk.post("liujg", "/credit/repay", **body).status_code == 422
    assert desk.post("hewei", "/credit/repay", deal="没有", amount="1.00").status_code == 404
    assert Repayment.objects.count() == 1


def test_a_freeze_by_one_is_confirmed_by_another(desk: Desk) -> None:
    number = desk.bank.customer("F").number
    assert desk.post("fengxc", "/credit/freeze", subject=number, reason="涉诉").status_code == 200
    assert desk.post("fengxc", "/credit/confirm-freeze", subject=number).status_code == 422
    assert desk.post("wanghy", "/credit/confirm-freeze", subject=number).status_code == 200
    assert desk.post("wanghy", "/credit/unfreeze", subject=number, reason="解除").status_code == 200
    assert LineFreeze.objects.get().lifted_date == DAY


def test_rating_evaluation_statements_and_arrears(desk: Desk) -> None:
    bank = desk.bank
    f = bank.customer("F").number
    assert desk.post("fengxc", "/credit/rating", subject=f, grade="AA", model="对公 v3").json()["done"] == {
        "grade": "AA"
    }
    assert CreditRating.objects.get(model="对公 v3").customer == bank.customer("F")
    made = desk.post(
        "suny", "/credit/evaluation", subject=f, need="90000000.00", conclusion="正常",
        methods={"M2": {"net_assets": "1400", "target_ratio_pct": "70", "interest_debt": "700",
                        "other_liabilities": "700"}},
    )  # fmt: skip
    assert made.status_code == 200, made.content
    zero = desk.post(
        "suny", "/credit/evaluation", subject=f, need="90000000.00", conclusion="正常",
        methods={"M2": {"net_assets": "1400", "target_ratio_pct": "70", "interest_debt": "-1",
                        "other_liabilities": "700"}},
    )  # fmt: skip
    assert zero.status_code == 422
    period = {"period_end_date": "2024-12-31", "items": {"total_assets": "100.00"}}
    missing = desk.post("suny", "/credit/statements", subject=f, source="审计报告", periods=[period])
    assert missing.status_code == 422
    assert "缺少" in missing.json()["findings"][0]["message"]
    deal = deal_of(bank)
    late = {"deal": deal.number, "since_date": "2025-06-30", "principal": "1000.00"}
    assert desk.post("yaoj", "/credit/overdue", **late).status_code == 200
    assert desk.post("yaoj", "/credit/cure", deal=deal.number).status_code == 200
    assert Overdue.objects.get().cured_date == DAY


def test_a_review_from_report_to_opinion(desk: Desk) -> None:
    review = Review.objects.create(group=desk.bank.group, due_date=DAY + dt.timedelta(days=3))
    assert reviews.reviews_to_do(desk.bank.staff("liujg"), as_of=DAY) == [review]
    assert desk.post("liujg", "/credit/review-report", review=review.pk, report="经营正常").status_code == 200
    done = desk.post("fengxc", "/credit/review-opinion", review=review.pk, opinion="同意继续使用", continues=True)
    assert done.status_code == 200, done.content


def test_the_command_takes_the_same_json(demo_bank: DemoBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def here(_data: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(case_commands, "database", here)
    file = tmp_path / "repay.json"

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["credit", *words])
        return result.exit_code, result.output

    file.write_text(json.dumps({"deal": deal_of(demo_bank).number, "amount": "1.00"}))
    assert run("repay", str(file), "--as", "hewei")[0] == 0
    code, text = run("repay", str(file), "--as", "liujg")
    assert (code, "没有写入任何内容" in text) == (2, True)
    code, text = run("nothing", str(file), "--as", "hewei")
    assert (code, all(name in text for name in ACTS)) == (2, True)
    file.write_text("{}")
    assert "deal" in run("repay", str(file), "--as", "hewei")[1]
    assert Repayment.objects.count() == 1
