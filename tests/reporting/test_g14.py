"""G14 part IV of a quarter: which sets, by kind of exposure, until when."""

import datetime as dt
import io

import pytest

from shouxin.audit.models import Entry
from shouxin.reporting.g14 import part_four
from tests.demo import DAY, WAN, DemoBank
from tests.web.test_pages import sign_in


@pytest.mark.clause("X19")
def test_the_connected_set_is_reported_with_its_quarter(demo_bank: DemoBank) -> None:
    """6,586 of 39,000 is 16.887 %, room 1,214 to 20 %; in part IV of 2025Q2, due on 2025-07-18."""
    from python_calamine import CalamineWorkbook

    report = part_four(as_of=dt.date(2025, 7, 10))
    assert (report.quarter_end, report.due_date) == (DAY, dt.date(2025, 7, 18))
    connected, group = report.rows
    assert (connected.total, f"{connected.share:.3f}", len(connected.names)) == (6_586 * WAN, "16.887", 6)
    assert (connected.general, connected.potential) == (5_300 * WAN, 1_286 * WAN)
    assert (group.total, group.general, group.potential) == (5_786 * WAN, 4_500 * WAN, 1_286 * WAN)
    assert group.mitigated == (1_000 + 120 * 2 // 10 + 500 + 50) * WAN, "margin and own deposits after conversion"
    client = sign_in(demo_bank.staff("fengxc"))
    page = client.get("/exposures/").content.decode()
    for words in ("16.887%", "1,214", "2025-07-18 前报送"):
        assert words in page
    body = client.get("/exposures/g14.xlsx").content
    rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    assert [row[3] for row in rows[1:]] == [6586.0, 5786.0]
    assert Entry.objects.filter(action="reporting.g14.exported").exists()


def test_a_branch_exports_no_report_of_the_bank(demo_bank: DemoBank) -> None:
    client = sign_in(demo_bank.staff("hewei"))
    assert client.get("/exposures/g14.xlsx").status_code == 403
    assert "前报送" not in client.get("/exposures/").content.decode()
    assert not Entry.objects.filter(action="reporting.g14.exported").exists()
