"""A database for one run that leaves nothing behind."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shouxin.pg.binaries import find_binaries
from shouxin.pg.server import THROWAWAY, PrivateServer


@contextmanager
def scratch_database() -> Iterator[None]:
    """Point ``DATABASE_URL`` at an empty database for a block: on the given server, or on a throw-away one.

    Raises:
        DatabaseUnavailableError: no server can be had.
    """
    given = os.environ.get("DATABASE_URL")
    try:
        if given:
            with _database_on(given) as url:
                os.environ["DATABASE_URL"] = url
                yield
        else:
            with _throwaway_server() as url:
                os.environ["DATABASE_URL"] = url
                yield
    finally:
        if given:
            os.environ["DATABASE_URL"] = given
        else:
            os.environ.pop("DATABASE_URL", None)


@contextmanager
def _throwaway_server() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="shouxin-scratch-"))
    server = PrivateServer(folder / "server", find_binaries(), THROWAWAY)
    try:
        folder.chmod(0o755)
        server.start()
        server.ensure_database("scratch")
        yield server.url("scratch")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _database_on(url: str) -> Iterator[str]:
    name = f"scratch_{secrets.token_hex(8)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            parts = conninfo_to_dict(url) | {"dbname": name}
            yield make_conninfo(**{key: str(value) for key, value in parts.items()})
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
