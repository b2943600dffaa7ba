"""Background work of this room: the credit end of every day, once per day whatever is retried."""

from procrastinate.contrib.django import app

from shouxin.bank.selectors import get_business_date
from shouxin.jobs.services import run_once
from shouxin.monitoring import watch


@app.periodic(cron="50 1 * * *")
@app.task(name="monitoring.end_of_day", queue="default", retry=3)
def end_of_day(timestamp: int) -> dict[str, object]:  # noqa: ARG001
    """Class floors, uncured public lines, alerts and due reviews of the bank's business day."""
    day = get_business_date()

    def act() -> dict[str, object]:
        done = watch.end_of_day(as_of=day)
        return {
            "alerts": done.alerts,
            "lowered": len(done.lowered),
            "cancelled": len(done.cancelled),
            "reviews": done.reviews,
        }

    return run_once(job="monitoring.end_of_day", run_key=day.isoformat(), act=act)
