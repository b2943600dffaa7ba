"""The register has the payroll groups' rule, on trial, and the laws that another has replaced."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse

from shouxin.rulebook import selectors, services
from shouxin.rulebook.models import Document, Version
from shouxin.rulebook.seed import create_register
from tests.conftest import DAY, SmallBank

pytestmark = pytest.mark.django_db


@pytest.mark.clause("RC-01", points="on over before")
def test_replaced_laws_are_shown_as_superseded(small_bank: SmallBank, client: Client) -> None:
    create_register()
    client.force_login(small_bank.risk_officer)
    for code in ("guarantee-law", "property-law"):
        version = Version.objects.get(document__code=code)
        assert (version.is_in_force(dt.date(2020, 12, 31)), version.is_in_force(dt.date(2021, 1, 1))) == (True, False)
        page = client.get(reverse("policy_version", args=[version.pk])).content.decode()
        assert "已被取代" in page
        assert "中华人民共和国民法典" in page
        assert (
            "已被取代"
            not in client.get(reverse("policy_version", args=[version.pk]) + "?as_of=2020-12-31").content.decode()
        )
    behind = {day: {one.code for one in selectors.documents_behind("RC-01", as_of=day)}
              for day in (dt.date(2020, 12, 31), DAY)}  # fmt: skip
    assert {"guarantee-law", "property-law"} <= behind[dt.date(2020, 12, 31)]
    assert "civil-code" in behind[DAY]
    assert not {"guarantee-law", "property-law"} & behind[DAY]


@pytest.mark.clause("RC-20", points="on")
def test_a_rule_on_trial_shows_its_flag_and_when_it_is_reviewed(small_bank: SmallBank, client: Client) -> None:
    create_register()
    document = Document.objects.get(code="payroll-group-loans")
    client.force_login(small_bank.risk_officer)
    first = document.versions.get()
    page = client.get(reverse("policy_version", args=[first.pk])).content.decode()
    assert "试行" in page
    assert "未定" in page
    common = {
        "actor": small_bank.risk_officer, "document": document, "issued_date": DAY, "in_force_from": DAY,
        "label": "试行", "business_date": DAY,
    }  # fmt: skip
    with pytest.raises(services.RegisterError, match="复评日"):
        services.enter_version(**common, review_date=DAY)  # type: ignore[arg-type]
    second = services.enter_version(**common, review_date=dt.date(2026, 7, 1))  # type: ignore[arg-type]
    assert "2026-07-01" in client.get(reverse("policy_version", args=[second.pk])).content.decode()
