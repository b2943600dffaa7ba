"""The bank's related parties: once each, and ended by another person with a day and a reason."""

import datetime as dt

import pytest
from django.urls import reverse

from shouxin.audit.models import Entry
from shouxin.facilities.connections import (
    ConnectionInputError,
    add_bank_relation,
    end_bank_relation,
    related_customers,
)
from shouxin.facilities.models import BankRelatedParty
from tests.demo import DAY, DemoBank
from tests.web.test_pages import sign_in


def test_the_same_relation_is_entered_once_and_ended_by_another(demo_bank: DemoBank) -> None:
    customer, risk = demo_bank.customer("B"), demo_bank.staff("fengxc")
    given = {
        "actor": risk, "party": customer.party, "relation": "主要股东", "valid_from": DAY, "source": "名册",
        "business_date": DAY,
    }  # fmt: skip
    row = add_bank_relation(**given)
    with pytest.raises(ConnectionInputError, match="没有重复登记"):
        add_bank_relation(**{**given, "valid_from": DAY - dt.timedelta(days=9)})
    end = DAY + dt.timedelta(days=1)
    with pytest.raises(ConnectionInputError, match="四眼"):
        end_bank_relation(actor=risk, row=row, valid_to=end, reason="转让", business_date=DAY)
    row.recorded_by = None
    row.save()
    client, url = sign_in(risk), reverse("related_end", args=[row.pk])
    assert url in client.get(reverse("exposure_list")).content.decode()
    said = client.post(url, {"valid_to": DAY, "reason": "转让"}, follow=True).content.decode()
    assert "结束日须晚于开始日" in said
    assert "已结束" in client.post(url, {"valid_to": end, "reason": "转让"}, follow=True).content.decode()
    assert BankRelatedParty.objects.get(pk=row.pk).valid_to == end
    assert customer.pk in related_customers(DAY)
    assert customer.pk not in related_customers(end)
    assert "转让" in Entry.objects.get(action="facilities.bank_relation.ended").summary
