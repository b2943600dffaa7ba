"""``shouxin worker``: the process that runs background jobs from the database's own queue."""

import os
from pathlib import Path

import click

from shouxin.pg.session import database


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 32), default=2, show_default=True, help="Jobs at one time.")
@click.option("--once", is_flag=True, help="Do what waits now, then end.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives.")
def worker(concurrency: int, once: bool, data: Path | None) -> None:
    """Run background jobs: imports, expiry of reservations, end of day. Any number of workers may run at once."""
    with database(data):
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
        import django

        django.setup()
        run_worker(concurrency=concurrency, once=once)


def run_worker(*, concurrency: int, once: bool) -> None:
    """Take jobs until stopped by a signal, or until none waits."""
    from procrastinate.contrib.django import app

    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
    with app.replace_connector(connector) as working:
        working.run_worker(concurrency=concurrency, wait=not once, delete_jobs="successful")
