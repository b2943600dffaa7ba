"""The demo bank of the worked example with short ways to its people and companies."""

import datetime as dt
from dataclasses import dataclass

import pytest

from shouxin.bank.models import Staff
from shouxin.facilities.models import Drawing, Facility
from shouxin.facilities.services import DrawingRequest, request_drawing
from shouxin.groups.models import CustomerGroup
from shouxin.parties.models import Customer
from tests import kept_rows

DAY = dt.date(2025, 6, 30)
WAN = 1_000_000


@dataclass(frozen=True)
class DemoBank:
    """The demo bank with short ways to its people, companies and contracts."""

    day: dt.date = DAY

    def staff(self, username: str) -> Staff:
        return Staff.objects.get(username=username)

    def customer(self, code: str) -> Customer:
        return Customer.objects.get(party__source_id=code)

    def facility(self, code: str, product: str = "working_capital_loan") -> Facility:
        return Facility.objects.filter(customer__party__source_id=code, product=product).order_by("pk")[0]

    @property
    def group(self) -> CustomerGroup:
        return CustomerGroup.objects.get()

    def draw(self, code: str, wan: str, *, margin: str = "0", product: str = "working_capital_loan",
             by: str = "liujg", key: str | None = None, on: dt.date = DAY) -> Drawing:  # fmt: skip
        """Ask for a drawing in 万元."""
        from shouxin.domain.money import Money

        request = DrawingRequest(
            facility=self.facility(code, product),
            amount_fen=Money.from_wan(wan).fen,
            margin_fen=Money.from_wan(margin).fen,
            value_date=on,
            maturity_date=on + dt.timedelta(days=30),
        )
        return request_drawing(
            actor=self.staff(by), request=request, key=key or f"{code}{wan}{margin}{product}{on}", business_date=DAY
        )


@pytest.fixture
def demo_bank(db: None, monkeypatch: pytest.MonkeyPatch) -> DemoBank:
    """The worked example with its people, without the long list of prospects and the slow password hash.

    Loaded by the ordinary services once per process; later tests get the same rows copied back.
    """
    from shouxin.web import demo_bank as module
    from shouxin.web import page_memory

    monkeypatch.setattr(module, "PROSPECTS", 0)
    monkeypatch.setattr(module, "make_password", lambda text: f"!{text}")
    page_memory.badges.clear()
    page_memory.choices.clear()
    kept_rows.put_back_or_load(module.load)
    return DemoBank()
