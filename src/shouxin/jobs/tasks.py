"""Jobs of the job room itself: a heartbeat, which shows in ``/healthz`` and tests that a worker is at work."""

from procrastinate.contrib.django import app


@app.task(name="jobs.echo", queue="default")
def echo(text: str) -> str:
    """Give the text back; for trying whether a worker runs."""
    return text
