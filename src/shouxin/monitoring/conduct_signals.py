"""Signals of how a customer behaves and of what policy says of its industry: W18 and W23, read for many at a time.

W18 is shown by the follow-ups (contacts in a row that were refused or not answered) and by statements that stay away;
a moved main account or a changed auditor is reported by people. W23 is shown by the policy result of the evaluations.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from shouxin.domain.dates import add_months
from shouxin.domain.parameters import NotInForceError
from shouxin.engagement.models import Activity
from shouxin.facilities.evaluating import POLICY_RESULTS
from shouxin.facilities.models import Evaluation
from shouxin.monitoring.shown import Shown
from shouxin.parties.models import Customer
from shouxin.policy import load_book

_AVOIDED = frozenset({Activity.Result.REFUSED, Activity.Result.NO_ANSWER})
_CONTACTS_READ = 20  # of one customer; a longer row of refusals says no more
_RESULTS_EN = {
    "supported": "supported", "neutral": "neutral", "restricted": "restricted", "exit": "to be left",
}  # fmt: skip


def conduct_of(
    customers: Sequence[Customer], *, statements: Mapping[int, Sequence[dt.date]],
    evaluations: Mapping[int, Sequence[Evaluation]], as_of: dt.date,
) -> dict[int, list[Shown]]:  # fmt: skip
    """By customer. ``statements``: ends of the periods known; ``evaluations``: those known; both the newest first."""
    found: defaultdict[int, list[Shown]] = defaultdict(list)
    contacts = _contacts(customers, as_of)
    for customer in customers:
        for signals in (
            _avoids_contact(customer, contacts[customer.pk], as_of),
            _statements_stay_away(customer, statements.get(customer.pk, ()), as_of),
            _policy_changed(customer, evaluations.get(customer.pk, ()), as_of),
        ):
            try:
                found[customer.pk].extend(signals)
            except NotInForceError:
                continue  # the signal did not exist on that day
    return found


def _contacts(customers: Sequence[Customer], as_of: dt.date) -> defaultdict[int, list[Activity]]:
    """The latest contacts with a result, newest first."""
    rows = Activity.objects.filter(
        customer__in=customers, is_practice=False, happened_at__date__lte=as_of,
        kind__in=[Activity.Kind.CALL, Activity.Kind.VISIT],
    ).exclude(result="").order_by("customer_id", "-happened_at", "-pk")  # fmt: skip
    found: defaultdict[int, list[Activity]] = defaultdict(list)
    for row in rows.only("customer_id", "happened_at", "result"):
        if len(found[row.customer_id]) < _CONTACTS_READ:
            found[row.customer_id].append(row)
    return found


def _avoids_contact(customer: Customer, contacts: Sequence[Activity], as_of: dt.date) -> Iterator[Shown]:
    """W18: as many contacts in a row as the parameter says were refused or not answered."""
    line = load_book().at("signal.avoided_contacts", as_of)
    row: list[Activity] = []
    for contact in contacts:
        if contact.result not in _AVOIDED:
            break
        row.append(contact)
    if not row or not line.allows(Decimal(len(row))):
        return
    since, until = row[-1].happened_at.date(), row[0].happened_at.date()
    name = customer.party.name
    yield Shown(
        "W18", f"W18:{customer.pk}:contact:{row[-1].pk}",
        f"{name} 连续 {len(row)} 次联系被婉拒或未接（{since} 至 {until}）。",
        f"{name} refused or missed {len(row)} contacts in a row ({since} to {until}).",
        {"未成联系": f"{len(row)} 次", "期间": f"{since} – {until}"}, line,
    )  # fmt: skip


def _statements_stay_away(customer: Customer, ends: Sequence[dt.date], as_of: dt.date) -> Iterator[Shown]:
    """W18: the latest statement ended more months ago than the parameter says: the next one is late."""
    line = load_book().at("signal.statement_age_months", as_of)
    if not ends or as_of <= add_months(ends[0], int(line.decimal)):
        return
    name = customer.party.name
    yield Shown(
        "W18", f"W18:{customer.pk}:statement:{ends[0]}",
        f"{name} 最近一期报表为 {ends[0]}，已超过 {line.decimal:f} 个月未提供新的报表。",
        f"{name}'s latest statement is of {ends[0]}: no new one for more than {line.decimal:f} months.",
        {"最近一期报表": str(ends[0])}, line,
    )  # fmt: skip


def _policy_changed(customer: Customer, evaluations: Sequence[Evaluation], as_of: dt.date) -> Iterator[Shown]:
    """W23: the latest evaluation says that policy restricts what the one before did not."""
    line = load_book().at("signal.policy_results", as_of)
    if len(evaluations) < 2:
        return
    strict = set(load_book().items("signal.policy_results", as_of))
    now, before = evaluations[0], {tag["tag"]: tag["result"] for tag in evaluations[1].policy_tags}
    stricter = [
        tag
        for tag in now.policy_tags
        if POLICY_RESULTS[tag["result"]] in strict and POLICY_RESULTS[before.get(tag["tag"], "neutral")] not in strict
    ]
    if not stricter:
        return
    name = customer.party.name
    said = "、".join(f"{tag['tag']}：{POLICY_RESULTS[tag['result']]}" for tag in stricter)
    english = ", ".join(f"{tag['tag']}: {_RESULTS_EN[tag['result']]}" for tag in stricter)
    yield Shown(
        "W23", f"W23:{now.pk}", f"{name} 适用的信贷政策变化（{now.evaluated_date} 评价）：{said}。",
        f"Credit policy that applies to {name} changed (evaluation of {now.evaluated_date}): {english}.",
        {"信贷政策": said, "评价日": str(now.evaluated_date)}, line,
    )  # fmt: skip
