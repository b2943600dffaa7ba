"""One place that makes sure a command has a database: the bank's by ``DATABASE_URL``, or a private one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shouxin.pg.binaries import find_binaries
from shouxin.pg.server import DURABLE, PrivateServer

DATABASE = "shouxin"


def default_data_folder() -> Path:
    """``SHOUXIN_DATA``, or ``.shouxin`` below the current folder."""
    return Path(os.environ.get("SHOUXIN_DATA") or Path.cwd() / ".shouxin")


@contextmanager
def database(folder: Path | None = None, *, keep_running: bool = False) -> Iterator[str]:
    """Give ``DATABASE_URL`` for the time of a block and a signing key of this machine's own.

    A private server that this block started is stopped at its end; one that ran already is left running.

    Raises:
        DatabaseUnavailableError: no server can be had.
    """
    if os.environ.get("DATABASE_URL"):
        yield os.environ["DATABASE_URL"]
        return
    folder = (folder or default_data_folder()).resolve()
    server = PrivateServer(folder, find_binaries(), DURABLE)
    was_running = (server.data / "PG_VERSION").exists() and server.is_running()
    server.start()
    server.ensure_database(DATABASE)
    os.environ["DATABASE_URL"] = server.url(DATABASE)
    os.environ.setdefault("SHOUXIN_SECRET_KEY", _machine_key(folder))
    try:
        yield os.environ["DATABASE_URL"]
    finally:
        del os.environ["DATABASE_URL"]
        if not was_running and not keep_running:
            server.stop()


def _machine_key(folder: Path) -> str:
    """A random key kept beside the private data, so that sessions survive a restart of the demo."""
    file = folder / "secret-key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(50))
    return file.read_text().strip()
