"""One place that makes sure a command has a database: the bank's by ``DATABASE_URL``, or a private one."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shouxin.pg.binaries import DatabaseUnavailableError, find_binaries
from shouxin.pg.server import DURABLE, PrivateServer

DATABASE = "shouxin"


def default_data_folder() -> Path:
    """``SHOUXIN_DATA``, or ``.shouxin`` below the current folder."""
    return Path(os.environ.get("SHOUXIN_DATA") or Path.cwd() / ".shouxin")


@contextmanager
def database(folder: Path | None = None, *, is_owner: bool = False) -> Iterator[str]:
    """Give ``DATABASE_URL`` for the time of a block and a signing key of this machine's own.

    A private server that this block started is stopped at its end; one that ran already is left running. The
    owner of a folder, of which there is one at a time, stops it in any case: after a crash it goes on with the
    server that was left behind.

    Raises:
        DatabaseUnavailableError: no server can be had, or the folder has another owner.
    """
    if os.environ.get("DATABASE_URL"):
        yield os.environ["DATABASE_URL"]
        return
    folder = (folder or default_data_folder()).resolve()
    server = PrivateServer(folder, find_binaries(), DURABLE)
    lock = _own(folder) if is_owner else None
    was_running = (server.data / "PG_VERSION").exists() and server.is_running()
    server.start()
    server.ensure_database(DATABASE)
    os.environ["DATABASE_URL"] = server.url(DATABASE)
    os.environ.setdefault("SHOUXIN_SECRET_KEY", _machine_key(folder))
    try:
        yield os.environ["DATABASE_URL"]
    finally:
        del os.environ["DATABASE_URL"]
        if is_owner or not was_running:
            server.stop()
        if lock is not None:
            lock.close()


def _own(folder: Path) -> IO[str]:
    """Hold the folder until the file is closed or this process ends, however it ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (folder / "owner.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise DatabaseUnavailableError(
            f"Shouxin is running on {folder} already; stop it first, or give another folder with --data."
        ) from error
    return file


def _machine_key(folder: Path) -> str:
    """A random key kept beside the private data, so that sessions survive a restart of the demo."""
    file = folder / "secret-key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(50))
    return file.read_text().strip()
