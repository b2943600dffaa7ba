"""A product system's file handed in by one person, its differences decided by another; the journal as a file."""

import io

import click
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import load_workbook

from shouxin.audit.models import Entry
from shouxin.limits import services as limits
from shouxin.limits.models import Movement, Node, ReconciliationItem, ReconciliationRun
from shouxin.web.reconcile_commands import compare
from tests.conftest import DAY, SmallBank
from tests.limits.conftest import Chain, chain  # noqa: F401 - a fixture
from tests.limits.test_day import book, file_of
from tests.limits.test_ledger import reserve
from tests.web.test_limit_pages import signed_in


def handed_in(text: str, encoding: str = "utf-8") -> dict[str, object]:
    return {"system": "核心系统", "file": SimpleUploadedFile("day.csv", text.encode(encoding))}


def test_one_hands_in_another_decides(chain: Chain, small_bank: SmallBank) -> None:  # noqa: F811
    only_here = book(chain, 200)
    text = file_of(("核心-9", chain.facility.name, "0.50"))
    risk, approver = signed_in(small_bank.risk_officer), signed_in(small_bank.approver)
    assert signed_in(small_bank.manager_west).get("/limits/reconciliations/").status_code == 403
    assert approver.post("/limits/reconciliations/", handed_in(text)).status_code == 403
    address = risk.post("/limits/reconciliations/", handed_in(text, "gb18030")).headers["Location"]
    assert "同意并办理" not in risk.get(address).content.decode(), "who proposes does not decide"
    assert "同意并办理" in approver.get(address).content.decode()
    reversal = ReconciliationItem.objects.get(reference=str(only_here))
    assert risk.post(f"/limits/reconciliations/items/{reversal.pk}/", {"agree": "1"}).status_code == 403
    assert Node.objects.get(pk=chain.group.pk).used_fen == 200
    approver.post(f"/limits/reconciliations/items/{reversal.pk}/", {"agree": "1"})
    assert Node.objects.get(pk=chain.group.pk).used_fen == 0
    upload = ReconciliationItem.objects.get(reference="核心-9")
    approver.post(f"/limits/reconciliations/items/{upload.pk}/", {"agree": "0"})
    upload.refresh_from_db()
    assert (upload.state, Node.objects.get(pk=chain.group.pk).used_fen) == ("DISMISSED", 0)
    assert signed_in(small_bank.risk_officer).get("/limits/reconciliations/").status_code == 200


def test_a_bad_file_is_refused_line_by_line(chain: Chain, small_bank: SmallBank) -> None:  # noqa: F811
    risk = signed_in(small_bank.risk_officer)
    answer = risk.post("/limits/reconciliations/", handed_in(file_of(("a", chain.facility.name, "-1"))))
    assert answer.status_code == 422
    assert "第 2 行" in answer.content.decode()
    assert "余额不能为负" in answer.content.decode()
    assert risk.post("/limits/reconciliations/", {"system": "核心系统"}).status_code == 422
    with pytest.raises(click.UsageError, match="第 2 行 facility"):
        compare(content=file_of(("a", "没有", "1")).encode(), system="核心系统", username="risk")
    with pytest.raises(click.UsageError, match="不是总行风险管理岗"):
        compare(content=b"", system="核心系统", username="manager-west")
    assert not ReconciliationRun.objects.exists()


def test_the_command_proposes_as_a_person(chain: Chain, small_bank: SmallBank) -> None:  # noqa: F811
    hold = book(chain, 200)
    told = compare(content=file_of().encode(), system="核心系统", username="risk")
    assert told == "一致 0 笔，差异 0 笔", "a file that names no contract says nothing about ours"
    told = compare(content=file_of((hold, chain.facility.name, "3.00")).encode(), system="核心系统", username="risk")
    assert "金额不一致" in told
    assert ReconciliationItem.objects.get().proposed_by == small_bank.risk_officer


def test_the_journal_as_a_file_with_the_same_filters(chain: Chain, small_bank: SmallBank) -> None:  # noqa: F811
    hold = reserve(chain, 400).hold_id
    assert hold is not None
    limits.void(hold_id=hold, business_date=DAY, reason="=cmd()", actor_id=None)
    client = signed_in(small_bank.manager_west)
    address = f"/limits/{chain.group.pk}/journal"
    voided = client.get(f"{address}.csv", {"operation": "VOID"}).content.decode("utf-8-sig")
    assert len(voided.splitlines()) == 1 + Movement.objects.filter(operation="VOID").count()
    assert ",'=cmd()" in voided
    sheet = load_workbook(io.BytesIO(client.get(f"{address}.xlsx").content)).active
    assert sheet.max_row == 1 + Movement.objects.count()
    amounts = [row[4].value for row in sheet.iter_rows(min_row=2)]
    assert round(sum(amounts), 9) == 0, "numbers, that a sheet adds up: reserved and voided"
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None} == {"s", "n"}
    assert ",-0.0004," in voided, "a negative number is no formula"
    assert Entry.objects.filter(action="reporting.journal.exported").count() == 2
    assert signed_in(small_bank.manager_east).get(f"{address}.csv").status_code == 404
    assert client.get(f"{address}.pdf").status_code == 404
    assert "journal.csv?operation=VOID" in client.get(f"{address}/?operation=VOID").content.decode()
