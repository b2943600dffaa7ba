"""The Spark driver gives what the array engine gives on the whole register: same pairs, groups and proofs.

Slow (Java starts): ``make test-spark``. On a local cluster of two workers, so that tables really travel.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shouxin.bench.registers import make_register, write_register
from shouxin.intake.errors import BadInputError
from shouxin.intake.parquet_files import write_evidence
from tests.groups.test_parquet import DAY, run
from tests.oracle.cases import random_evidence

pyspark = pytest.importorskip("pyspark", reason="shouxin[spark] is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session() -> Iterator[object]:
    from shouxin.groups.spark import local_session

    session = local_session("local-cluster[2,1,1024]")
    yield session
    session.stop()


def result_of(folder: Path, out: Path) -> dict[str, list[dict[str, object]]]:
    answer = run("identify", folder, "--as-of", DAY, "--out", out)
    assert answer.exit_code == 0, answer.output
    names = ("control", "groups", "proofs")
    return {
        name: sorted(pq.read_table(out / f"{name}.parquet").to_pylist(), key=repr)
        for name in names
        if (out / f"{name}.parquet").exists()
    }


@pytest.mark.parametrize("seed", range(8))
def test_the_deciding_part_gives_the_answer_of_the_whole(session: object, tmp_path: Path, seed: int) -> None:
    from shouxin.groups.spark import reduce_register

    evidence, _anchors = random_evidence(seed)
    list(write_evidence(evidence, tmp_path / "whole"))

    reduce_register(session, tmp_path / "whole", tmp_path / "part", as_of=DAY)

    assert result_of(tmp_path / "part", tmp_path / "b") == result_of(tmp_path / "whole", tmp_path / "a")


def test_a_made_up_register_shrinks_and_keeps_its_groups(session: object, tmp_path: Path) -> None:
    from shouxin.groups.spark import reduce_register

    made = make_register(20_000)
    write_register(made, tmp_path / "whole")

    kept = reduce_register(session, tmp_path / "whole", tmp_path / "part", as_of=DAY)

    assert kept < made.holder.size * 0.8
    assert result_of(tmp_path / "part", tmp_path / "b") == result_of(tmp_path / "whole", tmp_path / "a")


def test_a_company_in_two_units_is_refused(session: object, tmp_path: Path) -> None:
    import pyarrow as pa

    from shouxin.groups.spark import reduce_register

    table = pa.table({"holder": [1, 2], "company": [3, 3], "votes": [10, None], "percent": [None, "20"]})
    (tmp_path / "whole").mkdir()
    pq.write_table(table, tmp_path / "whole" / "holdings.parquet")

    with pytest.raises(BadInputError, match="UNITS_MIXED"):
        reduce_register(session, tmp_path / "whole", tmp_path / "part", as_of=DAY)
