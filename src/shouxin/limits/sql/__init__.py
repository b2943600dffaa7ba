"""The ledger's functions, in files by topic. A migration that changes one calls ``install`` again."""

from pathlib import Path

_DROP = """
DO $$
DECLARE
    old regprocedure;
BEGIN
    FOR old IN SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.proname LIKE 'limit\\_%' AND p.pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION IF EXISTS ' || old || ' CASCADE';
    END LOOP;
END $$;
"""


def install() -> str:
    """The statements that replace every function of the ledger by the files' present text."""
    files = sorted(Path(__file__).resolve().parent.glob("*.sql"))
    # Bodies may call functions of a later file; they are looked up when they run.
    return "SET check_function_bodies = off;" + _DROP + "".join(file.read_text(encoding="utf-8") for file in files)
