"""Background jobs of the ledger: the sweeper each minute, the end of a business day, sealing."""

from procrastinate.contrib.django import app

from shouxin.audit import chain
from shouxin.bank.selectors import get_business_date
from shouxin.limits import day
from shouxin.limits.verify import JOURNAL


@app.periodic(cron="* * * * *")
@app.task(name="limits.sweep", queueing_lock="limits.sweep", pass_context=False)
def sweep(timestamp: int) -> int:  # noqa: ARG001 - the minute that called
    """End reservations whose time is over."""
    return day.expire_due(business_date=get_business_date())


@app.periodic(cron="*/10 * * * *")
@app.task(name="limits.seal", queueing_lock="limits.seal", pass_context=False)
def seal(timestamp: int) -> int:  # noqa: ARG001
    """Seal what was added to the journal and the audit trail."""
    return chain.seal(JOURNAL) + chain.seal(chain.AUDIT)


@app.periodic(cron="30 18 * * *")
@app.task(name="limits.end_of_day", queueing_lock="limits.end_of_day", pass_context=False)
def end_of_day(timestamp: int) -> dict[str, object]:  # noqa: ARG001
    """Expiry, returns, revaluation, snapshots, totals and sealing of the business day, once."""
    return day.end_of_day(business_date=get_business_date())
