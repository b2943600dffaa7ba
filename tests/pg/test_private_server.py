"""The private server: starts, is found again, survives kill -9, refuses another major version's data."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shouxin.pg import server as module
from shouxin.pg.binaries import Binaries, DatabaseUnavailableError, find_binaries, list_binaries
from shouxin.pg.server import THROWAWAY, PrivateServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateServer]:
    server = PrivateServer(tmp_path / "data", find_binaries(), THROWAWAY)
    server.start()
    server.ensure_database("bank")
    yield server
    server.stop()


def kill_server(server: PrivateServer) -> None:
    pid = int((server.data / "postmaster.pid").read_text().split("\n", 1)[0])
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    for process in [pid, *map(int, children)]:
        os.kill(process, signal.SIGKILL)


def test_it_listens_on_a_private_socket_only_and_finds_chinese_text(server: PrivateServer) -> None:
    assert server.socket_folder.stat().st_mode & 0o077 == 0
    with psycopg.connect(server.url("bank")) as connection:
        row = connection.execute("SELECT current_setting('listen_addresses'), '宏达集团' ~ '^\\w+$'").fetchone()
    assert row == ("", True)


def test_what_was_committed_survives_kill_9(server: PrivateServer) -> None:
    with psycopg.connect(server.url("bank"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        connection.execute("CHECKPOINT")
    kill_server(server)
    server.start()
    with psycopg.connect(server.url("bank")) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)


def test_a_second_start_goes_on_with_the_running_server(server: PrivateServer) -> None:
    before = (server.data / "postmaster.pid").read_text()
    PrivateServer(server.folder, server.binaries, THROWAWAY).start()
    assert (server.data / "postmaster.pid").read_text() == before


def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(server: PrivateServer) -> None:
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n0\n5432\n\n\n")
    server.start()
    assert server.is_running()


def test_stop_leaves_no_pid_file_and_may_be_repeated(server: PrivateServer) -> None:
    server.stop()
    assert not (server.data / "postmaster.pid").exists()
    server.stop()


def test_data_of_another_major_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    binaries = find_binaries()
    server = PrivateServer(tmp_path, binaries)
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("13\n")
    with pytest.raises(DatabaseUnavailableError) as caught:
        server.start()
    text = str(caught.value)
    assert "made by PostgreSQL 13" in text
    assert "nothing was changed" in text
    assert "SHOUXIN_PG_BIN" in text
    assert sorted(path.name for path in server.data.iterdir()) == ["PG_VERSION"]


def test_a_long_path_gets_its_socket_elsewhere_in_a_private_folder(tmp_path: Path) -> None:
    server = PrivateServer(tmp_path / ("x" * 100), find_binaries(), THROWAWAY)
    server.start()
    try:
        assert server.is_running()
        assert server.socket_folder.stat().st_mode & 0o077 == 0
    finally:
        server.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root needs another account to run PostgreSQL")
def test_root_without_user_namespaces_runs_it_as_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOUXIN_PG_NO_NAMESPACE", "1")
    module._uses_namespace.cache_clear()
    public = Path(tempfile.mkdtemp(prefix="shouxin-test-", dir="/tmp"))
    public.chmod(0o755)
    try:
        with pytest.raises(DatabaseUnavailableError, match="cannot enter"):
            PrivateServer(tmp_path / "data", find_binaries(), THROWAWAY).start()
        server = PrivateServer(public / "data", _reachable_binaries(), THROWAWAY)
        server.start()
        assert server.is_running()
        server.stop()
        assert server.folder.owner() == "nobody"
    finally:
        shutil.rmtree(public)
        module._uses_namespace.cache_clear()


def _reachable_binaries() -> Binaries:
    for binaries in list_binaries():
        if all(parent.stat().st_mode & 0o001 for parent in binaries.folder.parents):
            return binaries
    pytest.skip("no PostgreSQL programs that another account may run")


def test_the_named_programs_win_and_a_wrong_name_is_said(tmp_path: Path) -> None:
    any_installation: Binaries = next(list_binaries())
    named = find_binaries({"SHOUXIN_PG_BIN": str(any_installation.folder)})
    assert (named.folder, named.origin) == (any_installation.folder, "SHOUXIN_PG_BIN")
    with pytest.raises(DatabaseUnavailableError, match="holds no PostgreSQL programs"):
        find_binaries({"SHOUXIN_PG_BIN": str(tmp_path)})
