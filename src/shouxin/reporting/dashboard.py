"""The figures of the dashboard: where the bank's lines stand, for the page, the API and the command alike."""

import datetime as dt
from dataclasses import dataclass

from shouxin.approvals.models import Case
from shouxin.approvals.selectors import cases_in_view
from shouxin.bank.models import Staff
from shouxin.bank.scope import DataScope
from shouxin.facilities import line_life
from shouxin.monitoring import watch
from shouxin.monitoring.alerts import alerts_in_view
from shouxin.monitoring.models import Alert


@dataclass(frozen=True, slots=True)
class CreditCounts:
    """What of credit needs somebody: lines to renew, excesses, exceptions on the way, alerts."""

    renewable: int
    excesses: int
    exceptions: int
    alerts: int
    red_alerts: int


def credit_counts(*, actor: Staff, scope: DataScope, as_of: dt.date, business_date: dt.date) -> CreditCounts:
    """Counts in somebody's view: lines and alerts as of a day, cases as they are on the business day."""
    open_alerts = alerts_in_view(scope, as_of=as_of).filter(state=Alert.State.OPEN).distinct()
    cases = cases_in_view(actor, as_of=business_date).filter(state__in=Case.OPEN_STATES)
    return CreditCounts(
        renewable=sum(line.is_renewable for line in line_life.list_lines(scope=scope, as_of=as_of)),
        excesses=len(watch.open_excesses(scope=scope, as_of=as_of)),
        exceptions=cases.exclude(exceptions=[]).count(),
        alerts=open_alerts.count(),
        red_alerts=open_alerts.filter(level=Alert.Level.RED).count(),
    )
