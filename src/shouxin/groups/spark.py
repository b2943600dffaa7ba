"""A register that outgrows one machine: Spark keeps what can decide something, the array engine does the rest.

Most stakes of a register decide nothing: where one holder has more than half, nobody else matters; and a person with a
minority stake, without relatives, agreement, concert set or majority anywhere, is in no unit but their own. One pass
over the holdings drops both and keeps each company's total, so the answer and its proofs are those of the whole
register. What is left is a fraction of it. Needs ``shouxin[spark]`` and Java.
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import DecimalType

from shouxin.domain.evidence import MICRO_PERCENT_WHOLE
from shouxin.intake.errors import BadInputError
from shouxin.intake.parquet_files import TABLES, needed_columns

SMALL_TABLES = ("agreements", "concert", "kin", "posts")
_ENDS: Mapping[str, tuple[str, ...]] = {"agreements": ("controller",), "concert": ("member",), "kin": ("a", "b")}


def local_session(master: str = "local[2]") -> SparkSession:
    """A session on this machine; a cluster's own session comes from ``spark-submit``."""
    builder: Any = SparkSession.builder
    session: SparkSession = (
        builder.master(master)
        .appName("shouxin")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .config("spark.driver.memory", "3g")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def reduce_register(session: SparkSession, source: Path, target: Path, *, as_of: dt.date) -> int:
    """Write the deciding part of a Parquet register as a smaller one of the same form; gives its number of stakes.

    Raises:
        BadInputError: a table or column is missing, or one company has stakes in percent and in shares.
    """
    target.mkdir(parents=True, exist_ok=True)
    tables = {name: _read(session, source, name, as_of) for name in TABLES if (source / f"{name}.parquet").exists()}
    if "holdings" not in tables:
        raise BadInputError("holdings.parquet: 找不到文件")
    stakes = _stakes(tables["holdings"])
    totals = _totals(stakes, tables.get("entities"))
    kept = _deciding(stakes, totals, _named(tables)).localCheckpoint()
    _write(
        kept.select("holder", "company", "votes").orderBy("company", "holder").toArrow(), target / "holdings.parquet"
    )
    for name in SMALL_TABLES:
        if name in tables:
            _write(tables[name].toArrow(), target / f"{name}.parquet")
    _write(_entities(tables, kept, totals).toArrow(), target / "entities.parquet")
    return int(kept.count())


def _read(session: SparkSession, source: Path, name: str, as_of: dt.date) -> DataFrame:
    table = session.read.parquet(str(source / f"{name}.parquet"))
    missing = [column for column in needed_columns(name) if column not in table.columns]
    if missing:
        raise BadInputError(f"{name}.parquet: 缺少列 {'、'.join(missing)}；现有 {'、'.join(table.columns)}")
    for column in ("valid_from", "valid_to"):
        if column in table.columns:
            day = sf.col(column).cast("date")
            inside = day <= sf.lit(as_of) if column == "valid_from" else day > sf.lit(as_of)
            table = table.where(day.isNull() | inside)
    return table


def _stakes(holdings: DataFrame) -> DataFrame:
    """(holder, company, votes, is_percent), the rows of one holder in one company added up."""
    shares = sf.col("votes").cast("long") if "votes" in holdings.columns else sf.lit(None).cast("long")
    percent = sf.lit(None).cast("long")
    if "percent" in holdings.columns:
        percent = (sf.col("percent").cast(DecimalType(18, 6)) * 1_000_000).cast("long")
    rows = holdings.select(
        "holder", "company", sf.coalesce(shares, percent, sf.lit(0)).alias("votes"), shares.isNull().alias("is_percent")
    )
    mixed = rows.groupBy("company").agg(sf.count_distinct("is_percent").alias("units")).where("units > 1").limit(1)
    for row in mixed.collect():
        raise BadInputError(f"holdings.parquet: {row['company']} 既有股数又有比例，请统一为一种 [UNITS_MIXED]")
    return rows.groupBy("holder", "company", "is_percent").agg(sf.sum("votes").alias("votes"))


def _totals(stakes: DataFrame, entities: DataFrame | None) -> DataFrame:
    """(company, total): the larger of what is declared and what is known to be held (D2)."""
    known = stakes.groupBy("company").agg(sf.sum("votes").alias("known"), sf.first("is_percent").alias("is_percent"))
    declared = sf.when(sf.col("is_percent"), sf.lit(MICRO_PERCENT_WHOLE)).otherwise(sf.lit(0))
    if entities is not None and "total_votes" in entities.columns:
        own = entities.select(sf.col("id").alias("company"), sf.col("total_votes").cast("long").alias("own"))
        known = known.join(own, "company", "left")
        declared = sf.when(sf.col("is_percent"), declared).otherwise(sf.coalesce("own", sf.lit(0)))
    return known.select("company", sf.greatest(sf.col("known"), declared).alias("total"))


def _named(tables: Mapping[str, DataFrame]) -> DataFrame | None:
    """Everybody in an agreement, a concert set or a family: (holder,)."""
    parts = [
        tables[name].select(sf.col(end).alias("holder"))
        for name, ends in _ENDS.items()
        if name in tables
        for end in ends
    ]
    found = None
    for part in parts:
        found = part if found is None else found.unionByName(part)
    return found.distinct() if found is not None else None


def _deciding(stakes: DataFrame, totals: DataFrame, named: DataFrame | None) -> DataFrame:
    """The stakes that some unit's control can rest on."""
    rows = stakes.join(totals, "company").withColumn("is_majority", sf.expr("votes > total - votes"))
    in_company = sf.expr("max(is_majority AND holder <> company) OVER (PARTITION BY company)")
    of_holder = sf.expr("max(is_majority) OVER (PARTITION BY holder)")
    rows = rows.withColumn("has_majority", in_company).withColumn("controls", of_holder)
    rows = rows.join(
        totals.select(sf.col("company").alias("holder"), sf.lit(True).alias("is_company")), "holder", "left"
    )
    is_named = sf.lit(False)
    if named is not None:
        rows = rows.join(named.withColumn("is_named", sf.lit(True)), "holder", "left")
        is_named = sf.coalesce("is_named", sf.lit(False))
    may_join = sf.coalesce("is_company", sf.lit(False)) | sf.col("controls")
    return rows.where(is_named | sf.when(sf.col("has_majority"), sf.col("is_majority")).otherwise(may_join))


def _entities(tables: Mapping[str, DataFrame], kept: DataFrame, totals: DataFrame) -> DataFrame:
    """Those that the smaller register names, with the totals of the whole one."""
    mentioned = kept.select(sf.col("holder").alias("id")).union(kept.select("company"))
    for name in SMALL_TABLES:
        if name in tables:
            ends = {"agreements": ("controller", "company"), "posts": ("person",)}.get(name, _ENDS.get(name, ()))
            for end in ends:
                mentioned = mentioned.union(tables[name].select(end))
    mentioned = mentioned.distinct()
    known = totals.select(sf.col("company").alias("id"), sf.col("total").alias("total_votes"))
    if "entities" in tables:
        rest = tables["entities"].drop("total_votes")
        return rest.join(mentioned, "id", "left_semi").join(known, "id", "left")
    kind = sf.when(sf.col("total_votes").isNull(), "person").otherwise("org").alias("kind")
    return mentioned.join(known, "id", "left").select("id", kind, "total_votes")


def _write(table: pa.Table, file: Path) -> None:
    """With ids as they are; Spark's decimals of sums become whole numbers again."""
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(place, field.name, pc.cast(table[field.name], pa.int64()))
    pq.write_table(table, file, compression="lz4")
