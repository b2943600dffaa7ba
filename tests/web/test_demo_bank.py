"""The demo bank as the first command loads it: all of it, by the rules that everybody keeps, and once."""

import pytest

from shouxin.approvals.models import Case
from shouxin.bank.models import Institution
from shouxin.engagement.models import Contact
from shouxin.parties.models import Customer
from shouxin.web import demo_bank


@pytest.mark.django_db
def test_the_whole_demo_bank_is_loaded_once() -> None:
    assert list(demo_bank.load_once()) == ["Loading the demo bank …"]
    assert Institution.objects.count() == 1
    assert Customer.objects.count() > demo_bank.PROSPECTS
    assert Contact.objects.exists()
    (case,) = Case.objects.exclude(submitted_at=None)
    assert case.state != Case.State.DRAFT
    assert list(demo_bank.load_once()) == [], "a bank that is there is left alone"
