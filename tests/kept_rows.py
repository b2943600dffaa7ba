"""Load something through the services once per process, and give later tests the same rows by COPY.

The demo bank takes a second to load and more than three hundred tests stand on it. What the load wrote is kept as
PostgreSQL's own binary rows and copied back into the next test's transaction, with triggers at rest: the rows are what
the triggers made of them. Sequences never go back, so new rows get numbers of their own.
"""

from collections.abc import Callable

from django.db import connection, transaction

_kept: dict[str, bytes] = {}


def put_back_or_load(load: Callable[[], None]) -> None:
    """The rows that ``load`` writes into an empty bank, however they come."""
    if not _may_rest_triggers():
        load()
        return
    if _kept:
        _put_back()
        return
    before = _tables()
    load()
    after = _tables()
    changed = [table for table, rows in after.items() if before[table] and rows != before[table]]
    assert not changed, f"the load changed rows that were there before: {changed}"
    _kept.update({table: rows for table, rows in after.items() if rows and not before[table]})


def _may_rest_triggers() -> bool:
    """Only a superuser may; on a database of somebody else's every test loads for itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def _tables() -> dict[str, bytes]:
    """Every table's rows as PostgreSQL's binary COPY gives them; nothing for an empty one."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")  # noqa: S608 - a name from the catalogue
            is_empty = not cursor.fetchone()[0]
            found[table] = b"" if is_empty else _copy_out(table)
    return found


def _copy_out(table: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT (FORMAT BINARY)") as copy:
        return b"".join(bytes(block) for block in copy)


def _put_back() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, rows in _kept.items():
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(rows)
        cursor.execute("SET LOCAL session_replication_role = origin")
