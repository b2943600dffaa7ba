"""``identify`` and ``check-proofs`` for a register in Parquet, on the engine over arrays."""

import datetime as dt
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from shouxin.domain.groups import arrays
from shouxin.groups.commands import persons_in, settings_of
from shouxin.groups.proof_columns import ProofColumnsError, check_proofs
from shouxin.intake.errors import BadInputError
from shouxin.intake.parquet_files import read_register, write_result


def identify_parquet(
    source: Path, *, as_of: dt.date, out: Path | None, as_json: bool, options: Mapping[str, Any]
) -> None:
    """Read, find and write; progress goes to standard error, one line a stage.

    Raises:
        BadInputError: tables that cannot be used, or settings that the array engine does not answer for.
    """
    settings = settings_of(as_of, options)
    if not arrays.supports(settings):
        raise BadInputError(
            "Parquet 登记簿只支持表决权过半数、核心人物家庭的口径；其他口径请改用 CSV 证据表（同一命令）。"
        )
    anchors = None if options["anchors"] is None else persons_in(options["anchors"])
    began = time.perf_counter()
    with deciding_part(source, as_of=as_of, with_spark=options.get("with_spark", False)) as folder:
        register = read_register(folder, as_of=as_of, settings=settings, anchors=anchors)
    columns = register.columns
    _say(f"{columns.n:,} entities, {columns.holder.size:,} holdings read", began)
    try:
        found = arrays.identify(columns, settings)
    except arrays.ColumnsError as error:
        raise BadInputError(str(error)) from error
    groups = int(found.group_unit.size)
    _say(f"{found.units.count:,} ultimate units, {groups:,} groups of two or more customers", began)
    if out is not None:
        counts = write_result(found, register, out)
        about = {
            "as_of": as_of.isoformat(),
            "groups": groups,
            "lineal_generations": settings.lineal_generations,
            "collateral_generations": settings.collateral_generations,
            "include_spouse": settings.include_spouse,
            "source": str(source.resolve()),
        }
        (out / "run.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        _say("; ".join(f"{name}.parquet {count:,} rows" for name, count in counts.items()), began)
    sizes = found.group_starts[1:] - found.group_starts[:-1]
    summary = {
        "as_of": as_of.isoformat(),
        "ultimate_control_pairs": int(found.units.company.size),
        "groups_found": groups,
        "largest_group": int(sizes.max()) if groups else 0,
        "rings": int(found.rings.size),
    }
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False, indent=1))
    else:
        for name, value in summary.items():
            click.echo(f"{name}: {value}")


@contextmanager
def deciding_part(source: Path, *, as_of: dt.date, with_spark: bool) -> Iterator[Path]:
    """The register itself, or for a time the part of it that can decide something, made by Spark.

    Raises:
        BadInputError: Spark is not installed, or tables that it cannot use.
    """
    if not with_spark:
        yield source
        return
    try:
        from shouxin.groups.spark import local_session, reduce_register
    except ImportError as error:
        raise BadInputError("--spark 需要 shouxin[spark]（pip install 'shouxin[spark]'）和 Java") from error
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        session = local_session()
        stakes = reduce_register(session, source, Path(folder), as_of=as_of)
        session.stop()
        _say(f"{stakes:,} holdings can decide something", began)
        yield Path(folder)


def _say(text: str, began: float) -> None:
    click.echo(f"{time.perf_counter() - began:6.1f} s  {text}", err=True)


def check_parquet(folder: Path, evidence: Path | None) -> int:
    """Replay the proofs of a Parquet result against the Parquet evidence; gives their number.

    Raises:
        BadInputError: no such result, or a proof that does not hold.
    """
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return check_proofs(folder, evidence or Path(about["source"]), about)
    except (OSError, KeyError, ValueError) as error:
        raise BadInputError(f"{folder}: not the output of identify --out: {error!r}") from error
    except ProofColumnsError as error:
        raise BadInputError(str(error)) from error
