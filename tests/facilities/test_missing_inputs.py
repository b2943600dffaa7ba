"""What must be said and is not: refused by the service with the field and what to do, whatever way it came in."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shouxin.approvals.models import Case
from shouxin.approvals.services import CaseRefusedError
from shouxin.domain.money import Money
from shouxin.facilities import line_cases
from shouxin.facilities.models import Drawing, Facility
from shouxin.facilities.services import DrawingRequest, InvalidRequestError, open_facility, request_drawing
from shouxin.web.case_commands import open_case
from tests.credit import SUB
from tests.demo import DAY, WAN, DemoBank

YEAR = dt.date(2026, 6, 30)


@pytest.mark.parametrize(
    ("amount", "maturity", "code"),
    [(0, YEAR, "AMOUNT_NOT_POSITIVE"), (WAN, None, "MATURITY_MISSING"), (WAN, DAY, "MATURITY_BEFORE_START")],
)
def test_a_drawing_without_amount_or_maturity_is_refused(
    demo_bank: DemoBank, amount: int, maturity: dt.date | None, code: str
) -> None:
    request = DrawingRequest(demo_bank.facility("D"), amount, 0, DAY, maturity)
    with pytest.raises(InvalidRequestError) as refused:
        request_drawing(actor=demo_bank.staff("liujg"), request=request, key="k", business_date=DAY)
    assert [(f.code, bool(f.advice), bool(f.advice_en)) for f in refused.value.findings] == [(code, True, True)]
    assert not Drawing.objects.exists()


@pytest.mark.parametrize(
    ("number", "start", "end", "words"),
    [
        (" ", DAY, YEAR, "合同编号"), ("HT-9", None, YEAR, "起始日"), ("HT-9", DAY, None, "到期日"),
        ("HT-9", DAY, DAY, "须晚于起始日"),
    ],
)  # fmt: skip
def test_a_contract_without_number_or_period_is_refused(
    demo_bank: DemoBank, number: str, start: Any, end: Any, words: str
) -> None:
    before = Facility.objects.count()
    with pytest.raises(InvalidRequestError, match=words):
        open_facility(
            actor=None, customer=demo_bank.customer("D"), branch=demo_bank.customer("D").unit, business_date=DAY,
            product="working_capital_loan", number=number, start_date=start, end_date=end,
        )  # fmt: skip
    assert Facility.objects.count() == before


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        ({"amount_fen": 0}, "AMOUNT_NOT_POSITIVE", "amount"),
        ({"valid_from": None}, "FIELD_MISSING", "valid_from"),
        ({"valid_to": None}, "FIELD_MISSING", "valid_to"),
        ({"valid_to": DAY}, "PERIOD_REVERSED", "须晚于起始日"),
    ],
)
def test_a_line_without_amount_or_period_is_refused(
    demo_bank: DemoBank, wrong: dict[str, Any], code: str, words: str
) -> None:
    given = {"amount_fen": Money.from_wan("7000").fen, "valid_from": DAY, "valid_to": YEAR, **wrong}
    limits = {demo_bank.customer(name).pk: amount * WAN for name, amount in SUB.items()}
    with pytest.raises(CaseRefusedError, match=words) as refused:
        line_cases.propose_group_line(
            actor=demo_bank.staff("liujg"), group=demo_bank.group, sub_limits_fen=limits, business_date=DAY, **given
        )
    assert [(f.code, bool(f.advice)) for f in refused.value.findings] == [(code, True)]
    with pytest.raises(CaseRefusedError, match=words):
        line_cases.propose_customer_line(
            actor=demo_bank.staff("liujg"), customer=demo_bank.customer("D"), business_date=DAY, **given
        )
    with pytest.raises(CaseRefusedError, match="完成日"):
        line_cases.propose_exit(
            actor=demo_bank.staff("liujg"), customer=demo_bank.customer("D"), plan="压降", until_date=None,
            business_date=DAY,
        )  # fmt: skip
    assert not Case.objects.exists()


def test_a_file_without_a_date_is_refused_by_the_command_with_the_field(demo_bank: DemoBank, tmp_path: Path) -> None:
    file = tmp_path / "case.json"
    number = demo_bank.customer("D").number
    file.write_text(json.dumps({"kind": "general", "subject": number, "amount": "100", "valid_from": "2025-06-30"}))
    answer = CliRunner().invoke(open_case, [str(file), "--as", "liujg"])
    assert answer.exit_code == 2
    assert "到期日（valid_to）" in answer.output
    assert "没有写入任何内容" in answer.output
    assert not Case.objects.exists()
