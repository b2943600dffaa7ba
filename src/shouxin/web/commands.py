"""Commands that run the site: ``demo`` to try it, ``serve`` for production settings, ``setup``, ``manage``."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click

from shouxin.pg.session import database

_READY_SECONDS_MAX = 60


@click.command()
@click.option("--port", type=int, default=8000, show_default=True, help="Port on 127.0.0.1, or the next free one.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives.")
def demo(port: int, no_browser: bool, data: Path | None) -> None:
    """Start a demo bank on this machine and say where."""
    os.environ.setdefault("SHOUXIN_ENVIRONMENT", "demo")
    _stop_on_terminate()
    with database(data, is_owner=True):
        click.echo("Preparing the database …", err=True)
        _migrate()
        from shouxin.web import demo_bank

        for line in demo_bank.load_once():
            click.echo(line, err=True)
        port = _free_port(port)
        address = f"http://127.0.0.1:{port}/"
        with _server(port=port, host="127.0.0.1", workers=1) as process, _worker(concurrency=1):
            _wait_until_ready(address, process)
            click.echo(demo_bank.welcome(address))
            if not no_browser and sys.stdout.isatty():
                webbrowser.open(address)
            _wait(process)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=8000, show_default=True)
@click.option("--workers", type=int, default=2, show_default=True)
@click.option("--jobs", type=click.IntRange(0, 32), default=2, show_default=True,
              help="Background jobs at one time; 0 where 'shouxin worker' runs elsewhere.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives.")
def serve(host: str, port: int, workers: int, jobs: int, data: Path | None) -> None:
    """Serve with production settings behind a TLS proxy; migrates the database first."""
    os.environ.setdefault("SHOUXIN_ENVIRONMENT", "production")
    _stop_on_terminate()
    with database(data, is_owner=True):
        os.environ["SHOUXIN_SERVING"] = "1"
        _migrate()
        from django.core.management import call_command

        call_command("collectstatic", interactive=False, verbosity=0)
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(_server(port=port, host=host, workers=workers))
            if jobs:
                stack.enter_context(_worker(concurrency=jobs))
            click.echo(f"Serving on {host}:{port}", err=True)
            _wait(process)


@click.command()
@click.option("--name", required=True, help="The bank's name, 机构名称.")
@click.option("--administrator", required=True, help="User name of the first administrator; the password is asked for.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False))
@click.password_option(help="Password of the administrator (asked for when not given).")
def setup(name: str, administrator: str, data: Path | None, password: str) -> None:
    """Set up an empty bank: head office and one administrator."""
    with database(data):
        _migrate()
        from shouxin.bank.services import SetUpAlreadyError, set_up

        try:
            set_up(name=name, administrator=administrator, password=password)
        except SetUpAlreadyError as error:
            raise click.UsageError(str(error)) from error
        click.echo(f"{name}: done. Sign in as {administrator}.")


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage(data: Path | None, arguments: tuple[str, ...]) -> None:
    """Run one of Django's own commands with the database of this folder."""
    with database(data):
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
        from django.core.management import execute_from_command_line

        execute_from_command_line(["shouxin manage", *arguments])


def _migrate() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


def _server(*, port: int, host: str, workers: int) -> subprocess.Popen[bytes]:
    """The site in a process group of its own, so that one Ctrl-C here stops things in the right order."""
    return subprocess.Popen(  # noqa: S603 - our own arguments; no threads yet
        [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)),
            *("--workers", str(workers), "--blocking-threads", os.environ.get("SHOUXIN_THREADS", "4")),
            *("--no-access-log", "--log-level", "warning"),
            "shouxin.wsgi:application",
        ],
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads have been started yet
    )


@contextlib.contextmanager
def _worker(*, concurrency: int) -> Iterator[None]:
    """The process that runs background jobs, beside the site; it ends with the block."""
    process = subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "shouxin", "worker", "--concurrency", str(concurrency)],
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads have been started yet
    )
    try:
        yield
    finally:
        _stop(process)


def _end_with_parent() -> None:
    """In the child before it starts: be told to stop when the command is killed without a chance to say so."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise click.ClickException("The web server stopped before it was ready; its messages are above.")
        try:
            with urllib.request.urlopen(f"{address}healthz", timeout=5) as answer:  # noqa: S310 - our own address
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise click.ClickException(f"The web server did not answer within {_READY_SECONDS_MAX} s.")


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Until the server ends by itself, or Ctrl-C or SIGTERM asks for it."""
    try:
        code = process.wait()
        if code:
            raise click.ClickException(f"The web server ended with code {code}.")
    except (KeyboardInterrupt, SystemExit):
        click.echo("\nStopping …", err=True)
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it after a while."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()


def _stop_on_terminate() -> None:
    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(0)

    # Both by name: a shell's background job starts with Ctrl-C ignored, and Python would leave it so.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _free_port(wanted: int) -> int:
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise click.ClickException(f"No free port from {wanted} on; choose one with --port.")
