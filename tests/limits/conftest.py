"""A chain of limits to reserve on."""

import datetime as dt
from dataclasses import dataclass

import pytest

from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.parties.services import add_customer, create_party
from tests.conftest import DAY, SmallBank

YEAR_END = dt.date(2026, 1, 1)


@dataclass(frozen=True)
class Chain:
    """One customer with a cap of 900 under a group of its own, and a facility without a cap."""

    group: Node
    customer: Node
    facility: Node


@pytest.fixture
def chain(small_bank: SmallBank) -> Chain:
    customer = add_customer(
        actor=None,
        party=create_party(kind="org", name="明远贸易有限公司"),
        unit=small_bank.west,
        owner=small_bank.manager_west,
        business_date=DAY,
    )
    facility = limits.add_facility_node(
        customer, product="working_capital_loan", product_name="流贷", name="合同一", valid_from=DAY, valid_to=YEAR_END
    )
    node = limits.ensure_customer_node(customer)
    limits.set_cap(
        node=node,
        amount_fen=900,
        valid_from=DAY,
        valid_to=YEAR_END,
        approval="批复 1",
        basis={},
        business_date=DAY,
        actor_id=None,
    )
    assert node.parent is not None
    return Chain(group=node.parent, customer=node, facility=facility)
