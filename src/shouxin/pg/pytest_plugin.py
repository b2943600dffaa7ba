"""Give the test run a throw-away PostgreSQL before Django reads its settings.

Loaded with ``-p`` so that it comes first. ``DATABASE_URL`` in the environment is respected; ``SHOUXIN_PG_BIN``
chooses the programs, so the whole suite can be run on another major version.
"""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

from shouxin.pg.binaries import find_binaries
from shouxin.pg.server import THROWAWAY, PrivateServer

_server_key = pytest.StashKey[PrivateServer]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    os.environ.setdefault("SHOUXIN_SECRET_KEY", secrets.token_urlsafe(50))
    os.environ.setdefault("SHOUXIN_ENVIRONMENT", "test")
    # The browser driver runs an event loop in the test's thread, which Django would take for asynchronous code.
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    if os.environ.get("DATABASE_URL") or hasattr(early_config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="shouxin-test-"))
    server = PrivateServer(folder, find_binaries(), THROWAWAY)
    server.start()
    server.ensure_database("shouxin")
    os.environ["DATABASE_URL"] = server.url("shouxin")
    early_config.stash[_server_key] = server


def pytest_report_header(config: pytest.Config) -> str | None:
    server = config.stash.get(_server_key, None)
    if server is None:
        return None
    return f"postgresql: {server.binaries.major} ({server.binaries.origin}), private"


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(_server_key, None)
    if server is not None:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)
        os.environ.pop("DATABASE_URL", None)
