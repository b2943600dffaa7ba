"""``shouxin verify`` and ``shouxin seal``: whether what must hold does hold, and the digests that prove it later."""

import datetime as dt
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from shouxin.pg.session import database


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option("--digests", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Digests exported by 'shouxin seal --out'; each must still be in the chain.")  # fmt: skip
def verify(data: Path | None, as_json: bool, digests: Path | None) -> None:
    """Check the limit ledger's invariants, the ownership of customers and the sealed trail; exit 2 on a breach."""
    with database(data):
        _set_up()
        breaches = [asdict(breach) for breach in all_breaches(digests)]
    if as_json:
        click.echo(json.dumps({"sound": not breaches, "breaches": breaches}, ensure_ascii=False, indent=1))
    else:
        for breach in breaches:
            click.echo(f"{breach['rule']} {breach['subject']}: {breach['message']}")
        click.echo(f"{len(breaches)} breaches" if breaches else "sound", err=bool(breaches))
    if breaches:
        raise click.exceptions.Exit(2)


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Append today's digests to this file.")
def seal(data: Path | None, out: Path | None) -> None:
    """Seal what was added to the audit trail and the journal; keep the digests out of the administrators' reach."""
    with database(data):
        _set_up()
        from shouxin.audit.chain import AUDIT, latest_digest
        from shouxin.audit.chain import seal as seal_source
        from shouxin.limits.verify import JOURNAL

        for source in (AUDIT, JOURNAL):
            rows = seal_source(source)
            seq, digest = latest_digest(source)
            line = json.dumps(
                {"source": source.name, "last_seq": seq, "digest": digest, "at": dt.datetime.now(dt.UTC).isoformat()}
            )
            click.echo(f"{source.name}: {rows} rows sealed, up to {seq}", err=True)
            click.echo(line)
            if out:
                with out.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")


def all_breaches(digests: Path | None = None) -> list[Any]:
    """Everything that does not hold, of all rooms, read from one snapshot."""
    from django.db import connection, transaction

    from shouxin.audit.chain import AUDIT
    from shouxin.audit.chain import list_breaches as chain_breaches
    from shouxin.limits import verify as ledger
    from shouxin.parties.verify import list_breaches as ownership_breaches
    from shouxin.payroll_groups.verify import list_breaches as payroll_breaches

    with transaction.atomic():
        if connection.in_atomic_block and not connection.savepoint_ids:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found: list[Any] = [*ledger.list_breaches()]
        found += [ledger.Breach("OWNERSHIP", subject, text) for subject, text in ownership_breaches()]
        found += [ledger.Breach(f"PAYROLL_{rule}", subject, text) for rule, subject, text in payroll_breaches()]
        found += [ledger.Breach(f"PAYROLL_{rule}", subject, text) for rule, subject, text in payroll_breaches()]
        for source in (AUDIT, ledger.JOURNAL):
            found += [
                ledger.Breach("CHAIN", f"{breach.source} {breach.first_seq}-{breach.last_seq}", breach.reason)
                for breach in chain_breaches(source)
            ]
        found += _missing_digests(digests) if digests else []
    return found


def _missing_digests(file: Path) -> list[Any]:
    """Digests kept elsewhere that the chain no longer has: it was rewritten as a whole."""
    from shouxin.audit.models import Seal
    from shouxin.limits.verify import Breach

    missing = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            kept = json.loads(line)
            wanted = {"source": kept["source"], "last_seq": kept["last_seq"], "digest": kept["digest"]}
        except (ValueError, KeyError, TypeError) as error:
            raise click.UsageError(f"{file}:{number}: not a digest: {error!r}") from error
        if wanted["last_seq"] and not Seal.objects.filter(**wanted).exists():
            missing.append(
                Breach("CHAIN", f"{kept['source']} {kept['last_seq']}", f"第 {number} 行留存的摘要已不在链中")
            )
    return missing


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    import django

    django.setup()
