"""A backup holds everything, a restore brings it back and is checked; nothing is ever written over."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

pytestmark = pytest.mark.django_db(transaction=True)


def run(url: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """In a process of its own: this one's Django has its database already."""
    words = [sys.executable, "-c", "from shouxin.cli import main; main()", *map(str, arguments)]
    environment = os.environ | {"DATABASE_URL": url}
    return subprocess.run(words, capture_output=True, text=True, env=environment, check=False)


def url_of(name: str) -> str:
    return make_conninfo(
        **{k: str(v) for k, v in conninfo_to_dict(os.environ["DATABASE_URL"]).items()} | {"dbname": name}
    )


@pytest.fixture
def empty_database() -> str:
    name = "restored"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    return url_of(name)


def rows(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None
        return int(row[0])


def test_what_was_saved_comes_back(tmp_path: Path, empty_database: str) -> None:
    from django.db import connection

    from shouxin.bank.services import create_unit

    create_unit(code="HO", name="总行", kind="head_office", parent=None)
    source = url_of(str(connection.settings_dict["NAME"]))
    file = tmp_path / "bank.backup"

    saved = run(source, "backup", file)
    again = run(source, "backup", file)
    into_full = run(source, "restore", file)

    assert saved.returncode == 0, saved.stderr
    assert (again.returncode, into_full.returncode) == (2, 2), "nothing is written over"
    assert not file.with_name("bank.backup.part").exists()
    ran = run(empty_database, "restore", file)
    assert ran.returncode == 0, ran.stderr
    assert "restored and sound" in ran.stdout
    assert rows(empty_database, "bank_orgunit") == 1
    assert rows(empty_database, "django_migrations") == rows(source, "django_migrations")


def test_no_backup_file_is_said_and_nothing_is_left(tmp_path: Path, empty_database: str) -> None:
    file = tmp_path / "bank.backup"
    file.write_bytes(b"not a backup")

    ran = run(empty_database, "restore", file)

    assert ran.returncode == 2
    with psycopg.connect(empty_database) as connection:
        row = connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'django_migrations'").fetchone()
        assert row == (0,)
