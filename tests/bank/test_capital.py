"""Capital figures: the risk department enters one by the page, another person approves it, then limits rest on it."""

import datetime as dt

import pytest
from django.urls import reverse

from shouxin.audit.models import Entry
from shouxin.bank.models import CapitalFigure
from shouxin.bank.selectors import find_capital_figure
from shouxin.bank.services import CapitalInputError, approve_capital_figure, enter_capital_figure
from tests.conftest import DAY, SmallBank
from tests.demo import WAN
from tests.web.test_pages import sign_in

EVE = DAY - dt.timedelta(days=1)


def test_a_figure_entered_on_the_page_counts_after_another_approves(small_bank: SmallBank) -> None:
    body = {"kind": "tier1", "date": EVE.isoformat(), "amount": "41000", "source": "资本充足率报表"}
    client, url = sign_in(small_bank.risk_officer), reverse("capital_enter")
    assert "录入资本数据" in client.get(reverse("bank_overview")).content.decode()
    assert "录入资本数据" not in sign_in(small_bank.manager_west).get(reverse("bank_overview")).content.decode()
    assert sign_in(small_bank.manager_west).post(url, body).status_code == 403
    assert client.post(url, body).status_code == 302
    figure = CapitalFigure.objects.get(kind="tier1", date=EVE)
    assert (figure.amount_fen, figure.entered_by) == (41_000 * WAN, small_bank.risk_officer)
    assert find_capital_figure(kind="tier1", on_or_before=EVE) != figure
    again = client.post(url, body)
    assert (again.status_code, "同一天只能有一个" in again.content.decode()) == (422, True)
    client.cookies["django_language"] = "en"
    assert "one figure per day, nothing was saved" in client.post(url, body).content.decode()
    approve_capital_figure(actor=small_bank.approver, figure=figure, business_date=DAY)
    assert find_capital_figure(kind="tier1", on_or_before=EVE) == figure
    assert Entry.objects.filter(action="bank.capital.entered", subject_id=str(figure.pk)).exists()


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"date": DAY + dt.timedelta(days=1)}, "晚于营业日"), ({"amount_fen": 0}, "大于 0"), ({"source": " "}, "来源"),
     ({"kind": "gross"}, "口径")],
)  # fmt: skip
def test_a_wrong_figure_is_refused(small_bank: SmallBank, changed: dict[str, object], why: str) -> None:
    given = {"kind": "net", "date": DAY, "amount_fen": WAN, "source": "报表", **changed}
    count = CapitalFigure.objects.count()
    with pytest.raises(CapitalInputError, match=why):
        enter_capital_figure(actor=small_bank.risk_officer, business_date=DAY, **given)  # type: ignore[arg-type]
    with pytest.raises(CapitalInputError, match="总行风险审查岗"):
        enter_capital_figure(actor=small_bank.approver, business_date=DAY, **given)  # type: ignore[arg-type]
    assert CapitalFigure.objects.count() == count
