"""The determination as one would write it for Spark: rounds of sums by cluster, labels jumped on the driver."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf


def merge_clusters(session: SparkSession, holdings: Path, n: int) -> NDArray[np.int32]:
    """The cluster of each entity 0 … n - 1: who passes half of a company's votes joins it, until nothing changes."""
    rows = session.read.parquet(str(holdings)).where("holder <> company")
    stake = rows.groupBy("holder", "company").agg(sf.sum("votes").alias("votes")).cache()
    every = session.read.parquet(str(holdings)).groupBy("company").agg(sf.sum("votes").alias("total")).cache()
    label = np.arange(n, dtype=np.int32)
    while True:
        names = session.createDataFrame(_pairs(label))
        holders = names.withColumnRenamed("entity", "holder").withColumnRenamed("cluster", "a")
        companies = names.withColumnRenamed("entity", "company").withColumnRenamed("cluster", "b")
        links = (
            stake.join(holders, "holder").join(companies, "company").where("a <> b").join(every, "company")
            .groupBy("company", "a", "b").agg(sf.sum("votes").alias("votes"), sf.first("total").alias("total"))
            .where("2 * votes > total").select("a", "b").toPandas()
        )  # fmt: skip
        if links.empty:
            return label
        label = _jumped(label, links["a"].to_numpy(), links["b"].to_numpy())


def _pairs(label: NDArray[np.int32]) -> "pandas.DataFrame":  # type: ignore[name-defined] # noqa: F821
    import pandas as pd

    return pd.DataFrame({"entity": np.arange(label.size, dtype=np.int64), "cluster": label.astype(np.int64)})


def _jumped(label: NDArray[np.int32], a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int32]:
    """The smallest label of everything that is linked, by jumping to the label's label."""
    low = np.arange(label.size, dtype=np.int32)
    while True:
        before = low.copy()
        smaller = np.minimum(low[a], low[b])
        np.minimum.at(low, a, smaller)
        np.minimum.at(low, b, smaller)
        low = low[low]
        if np.array_equal(low, before):
            return low[label]
