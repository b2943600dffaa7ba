"""Walk a credit case the whole way, with the people of the demo bank; short enough to read a test by."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Case
from shouxin.domain.money import Money
from shouxin.facilities import evaluating, line_cases
from shouxin.groups.models import CustomerGroup
from shouxin.parties.models import Customer
from tests.demo import DAY, WAN, DemoBank

M2_14000 = {
    "M2": {
        "net_assets": Decimal(6_000), "target_ratio_pct": Decimal(70), "interest_debt": Decimal(3_000),
        "other_liabilities": Decimal(3_500),
    }
}  # fmt: skip
"""Measures 14,000 − 3,000 − 3,500 = 7,500 万元."""


def evaluated(
    bank: DemoBank, *, customer: Customer | None = None, group: CustomerGroup | None = None, by: str = "liujg",
    control: str = "7500", need: str = "9000", on: dt.date = DAY, tags: Iterable[tuple[str, str]] = (),
) -> evaluating.Evaluation:  # fmt: skip
    """An evaluation whose M2 measures ``control`` 万元."""
    debt = Decimal(14_000) - 3_500 - Decimal(control)
    methods = {"M2": {**M2_14000["M2"], "interest_debt": debt}}
    return evaluating.evaluate(
        actor=bank.staff(by), customer=customer, group=group, business_date=on,
        given=evaluating.EvaluationInput(
            methods=methods, need_fen=Money.from_wan(need).fen, other_banks_now_fen=3_000 * WAN,
            other_banks_expected_fen=2_000 * WAN, conclusion="经营正常", policy_tags=tuple(tags),
        ),
    )  # fmt: skip


def prepared_group(bank: DemoBank, *, grade: str = "AA", control: str = "7500", on: dt.date = DAY) -> CustomerGroup:
    """The demo's group with its own rating and evaluation."""
    evaluating.rate(actor=bank.staff("fengxc"), group=bank.group, grade=grade, model="集团评级 v1", business_date=on)
    evaluated(bank, group=bank.group, control=control, on=on)
    return bank.group


SUB = {"A": 1500, "B": 2200, "C": 1200, "D": 900, "E": 1200}


def propose(
    bank: DemoBank, wan: str, *, sub: dict[str, int] | None = None, by: str = "liujg", on: dt.date = DAY,
    products: dict[str, dict[str, int]] | None = None, until: dt.date | None = None,
) -> Case:  # fmt: skip
    """The lead branch proposes a line for the demo's group, 万元."""
    return line_cases.propose_group_line(
        actor=bank.staff(by), group=bank.group, amount_fen=Money.from_wan(wan).fen,
        sub_limits_fen={bank.customer(code).pk: amount * WAN for code, amount in (sub or SUB).items()},
        product_limits_fen={
            bank.customer(code).pk: {name: amount * WAN for name, amount in row.items()}
            for code, row in (products or {}).items()
        },
        valid_from=on, valid_to=until or dt.date(on.year + 1, on.month, on.day), business_date=on,
    )  # fmt: skip


def investigated(bank: DemoBank, case: Case, *, by: tuple[str, str] = ("liujg", "hewei"), on: dt.date = DAY) -> Case:
    for name in by:
        approvals.investigate(
            actor=bank.staff(name), case=case, opinion="实地核查属实", is_on_site=True, business_date=on
        )
    return case


def submitted(
    bank: DemoBank, case: Case, *, reason: str = "", by: tuple[str, str] = ("liujg", "hewei"), on: dt.date = DAY
) -> Case:
    investigated(bank, case, by=by, on=on)
    return line_cases.submit(actor=bank.staff(by[0]), case=case, exception_reason=reason, business_date=on)


def reviewed(bank: DemoBank, case: Case, *, on: dt.date = DAY) -> Case:
    return approvals.review(actor=bank.staff("fengxc"), case=case, agrees=True, opinion="同意", business_date=on)


def with_minutes(bank: DemoBank, case: Case, number: str = "行办〔2025〕20 号", *, on: dt.date = DAY) -> Case:
    minutes = approvals.record_minutes(
        actor=bank.staff("fengxc"), number=number, meeting="president", held_date=on, resolution="同意",
        business_date=on,
    )  # fmt: skip
    return approvals.attach_minutes(actor=bank.staff("fengxc"), case=case, minutes=minutes, business_date=on)


def decided(bank: DemoBank, case: Case, *, by: str = "wanghy", on: dt.date = DAY, **options: object) -> Case:
    return line_cases.decide(
        actor=bank.staff(by), case=case, is_approved=True, opinion="同意", business_date=on, **options,  # type: ignore[arg-type]
    )  # fmt: skip


def in_force(bank: DemoBank, case: Case, *, on: dt.date = DAY) -> Case:
    return line_cases.operate(actor=bank.staff("yaoj"), case=case, opinion="已签约", business_date=on)
