"""``shouxin bench groups``: the group engine on made-up registers beside its peers, in one interleaved run.

The floor is reading the same Parquet and joining everything that touches (union-find): no determination can do less.
The other peers do the same determination by other means: DuckDB by SQL rounds, networkx by walking from every holder,
clingo by a logic program, Spark where it is installed. scipy's connected components joins everything, like the floor.
"""

import datetime as dt
import statistics
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shouxin.bench.registers import MadeRegister, make_register, write_register
from shouxin.bench.report import Report, Row, interleaved, peak_mib, percentile
from shouxin.domain.groups import arrays, kernels
from shouxin.domain.groups.live import LiveRegister
from shouxin.domain.groups.settings import GroupSettings
from shouxin.groups.policy_settings import settings_from
from shouxin.intake.parquet_files import read_register
from shouxin.policy import load_book

DAY = dt.date(2025, 6, 30)
EDITS = 20_000
Labels = NDArray[np.int32]
Contenders = dict[str, Callable[[], object]]


@click.command()
@click.option("--quick", is_flag=True, help="Small registers only; ends within 45 seconds.")
@click.option("--sizes", default="100000,1000000,10000000", show_default=True, help="Holdings of each register.")
@click.option("--rounds", default=3, show_default=True, help="Interleaved runs of each contender.")
@click.option("--seed", default=7, show_default=True, help="Another register of the same shape.")
@click.option("--spark", is_flag=True, help="Spark too, at 1,000,000 (needs shouxin[spark] and Java).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def groups(quick: bool, sizes: str, rounds: int, seed: int, spark: bool, as_json: bool) -> None:
    """Group determination beside reading + union-find, scipy, DuckDB, networkx and clingo."""
    report = Report("groups")
    settings = settings_from(load_book(), DAY)
    wanted = [100_000] if quick else [int(float(size)) for size in sizes.split(",")]
    _compilation(report, settings)
    per_holding: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in wanted:
            made = make_register(size, seed=seed)
            place = Path(folder) / str(size)
            write_register(made, place)
            per_holding.append((size, _one_size(report, made, place, settings, rounds)))
            _edits(report, made, settings)
            if size <= 100_000:
                _small_peers(report, made, settings)
            if size == 1_000_000 and spark:
                _spark_peer(report, made, place, settings)
        _clingo(report, settings, seed)
    if len(per_holding) > 2:
        logs = np.log([[size, wall] for size, wall in per_holding])
        slope = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
        report.add(Row("growth: exponent of the time over holdings", slope, "1 is linear"))
    report.finish(as_json=as_json)


def _compilation(report: Report, settings: GroupSettings) -> None:
    """The first call in this process: compiled, or loaded from the cache of an earlier one."""
    began = time.perf_counter()
    arrays.identify(_columns(make_register(1_000)), settings)
    took = time.perf_counter() - began
    report.add(Row("first call in this process (compiling, or loading the cache)", took, "s", peak_mib=peak_mib()))


def _columns(made: MadeRegister, *, with_families: bool = True) -> arrays.Columns:
    is_company = np.arange(made.n) < made.companies
    nobody = np.empty(0, np.int32)
    return arrays.Columns(
        n=made.n,
        holder=made.holder,
        company=made.company,
        votes=arrays.joined_rows(made.company, made.holder, made.votes, made.n),
        declared=np.zeros(made.n, np.int64),
        is_customer=is_company,
        is_person=~is_company,
        is_linking=np.ones(made.n, np.bool_),
        is_dead=np.zeros(made.n, np.bool_),
        parent=made.parent if with_families else nobody,
        child=made.child if with_families else nobody,
        spouse_a=made.spouse_a if with_families else nobody,
        spouse_b=made.spouse_b if with_families else nobody,
    )


def _one_size(report: Report, made: MadeRegister, place: Path, settings: GroupSettings, rounds: int) -> float:
    """All that runs at every size; gives the wall time of the engine alone."""
    alone = _columns(made, with_families=False)
    name = f"{made.holder.size:,} holdings"

    def end_to_end(*, with_proofs: bool, with_families: bool) -> arrays.Result:
        register = read_register(place, as_of=DAY, settings=settings, anchors=None)
        columns = register.columns if with_families else _without_families(register.columns)
        return arrays.identify(columns, settings, with_proofs=with_proofs)

    contenders: Contenders = {
        "engine": lambda: arrays.identify(alone, settings, with_proofs=False),
        "scipy": lambda: _scipy(made),
        "whole": lambda: end_to_end(with_proofs=False, with_families=False),
        "whole with proofs and families": lambda: end_to_end(with_proofs=True, with_families=True),
        "floor": lambda: _floor(place, made.n),
    }
    if made.holder.size <= 1_000_000:
        contenders["duckdb"] = lambda: _duckdb(place)
    timings = interleaved(contenders, rounds=rounds)
    engine = timings["engine"]
    peers = {"engine": "scipy", "whole": "floor", "whole with proofs and families": "floor"}
    words = {
        "engine": "engine alone, in memory, no families",
        "whole": "read Parquet + engine, no proofs",
        "whole with proofs and families": "read Parquet + engine, proofs, families of 5 % of persons",
    }
    peer_words = {"scipy": "scipy connected_components", "floor": "read Parquet + union-find"}
    for key, peer in peers.items():
        ratio = timings[peer].wall_s / timings[key].wall_s
        row = Row(f"{name}: {words[key]}", timings[key].wall_s, "s", cpu_s=timings[key].cpu_s, peer=peer_words[peer])
        row.ratio, row.peak_mib = ratio, peak_mib()
        report.add(row)
    if "duckdb" in timings:
        report.require(_partition(_duckdb(place)) == _partition(_tops(alone, settings)), f"{name}: DuckDB differs")
        ratio = timings["duckdb"].wall_s / timings["whole"].wall_s
        report.add(
            Row(f"{name}: ours against DuckDB", timings["whole"].wall_s, "s", peer="DuckDB SQL rounds", ratio=ratio)
        )
    return engine.wall_s


def _edits(report: Report, made: MadeRegister, settings: GroupSettings) -> None:
    """One stake changed at a time, of random companies; at the end the partition is that of a full run."""
    random = np.random.default_rng(11)
    columns = _columns(made, with_families=False)
    live = LiveRegister(columns)
    starts = kernels.starts_of(made.company, made.n)
    companies = random.integers(0, made.companies, EDITS)
    companies = companies[starts[companies + 1] > starts[companies]]
    rows = starts[companies] + (random.random(companies.size) * (starts[companies + 1] - starts[companies])).astype(int)
    edits = list(zip(made.holder[rows].tolist(), companies.tolist(), (made.votes[rows] * random.random(rows.size) * 3)
                     .astype(np.int64).tolist(), strict=True))  # fmt: skip
    live.set_votes(holder=edits[0][0], company=edits[0][1], votes=edits[0][2])
    walls = []
    for holder, company, votes in edits:
        began = time.perf_counter()
        live.set_votes(holder=holder, company=company, votes=votes)
        walls.append(time.perf_counter() - began)
    changed = columns.votes.copy()
    for holder, company, votes in edits:
        at = slice(starts[company], starts[company + 1])
        own = np.flatnonzero(made.holder[at] == holder) + starts[company]
        changed[own] = 0
        changed[own[0]] = votes
    after = replace(columns, votes=changed)
    began = time.perf_counter()
    full = _tops(after, settings)
    full_s = time.perf_counter() - began
    sample = random.integers(0, made.n, 20_000).tolist()
    report.require(all(full[at] in (-1, live.top(at)) for at in sample), "a changed register differs from a full run")
    median = statistics.median(walls)
    report.add(Row(f"{made.holder.size:,} holdings: one changed stake", median * 1e6, "µs", p50_ms=median * 1e3,
                   p99_ms=percentile(walls, 0.99) * 1e3, peer="the engine's full run",
                   ratio=full_s / median))  # fmt: skip


def _without_families(columns: arrays.Columns) -> arrays.Columns:
    nobody = np.empty(0, np.int32)
    return replace(columns, parent=nobody, child=nobody, spouse_a=nobody, spouse_b=nobody)


# --- peers --------------------------------------------------------------------------------------------------------


def _floor(place: Path, n: int) -> Labels:
    table = pq.read_table(place / "holdings.parquet")
    return kernels.union_find(table["holder"].to_numpy(), table["company"].to_numpy(), n)


def _scipy(made: MadeRegister) -> Labels:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(made.holder.size, np.int8)
    graph = coo_matrix((ones, (made.holder, made.company)), shape=(made.n, made.n)).tocsr()
    labels: Labels = connected_components(graph, directed=False)[1]
    return labels


def _duckdb(place: Path) -> Labels:
    """The merging of clusters as SQL: sum by cluster, join what passes, relabel, until nothing changes."""
    import duckdb

    database = duckdb.connect()
    database.execute("SET threads = 2")
    database.execute(
        f"""
        CREATE TABLE stake AS SELECT holder, company, sum(votes)::BIGINT AS votes
        FROM read_parquet('{place}/holdings.parquet') WHERE holder <> company GROUP BY ALL;
        CREATE TABLE total AS SELECT company, sum(votes)::BIGINT AS total
        FROM read_parquet('{place}/holdings.parquet') GROUP BY company;
        CREATE TABLE label AS SELECT DISTINCT unnest([holder, company]) AS entity, entity AS cluster FROM stake
        """  # noqa: S608
    )
    while True:
        database.execute(
            """
            CREATE OR REPLACE TABLE link AS
            SELECT h.cluster AS a, any_value(c.cluster) AS b
            FROM stake JOIN label h ON h.entity = stake.holder JOIN label c ON c.entity = stake.company
            JOIN total USING (company)
            WHERE h.cluster <> c.cluster
            GROUP BY stake.company, h.cluster HAVING 2 * sum(votes) > any_value(total)
            """
        )
        (count,) = database.execute("SELECT count(*) FROM link").fetchone() or (0,)
        if not count:
            break
        database.execute(
            "CREATE OR REPLACE TABLE pairs AS SELECT a, b FROM link UNION ALL SELECT b, a FROM link;"
            "CREATE OR REPLACE TABLE low AS SELECT a AS cluster, a AS smallest FROM pairs GROUP BY a"
        )
        while True:  # the smallest label of everything that is linked
            (moved,) = database.execute(
                """
                CREATE OR REPLACE TABLE lower AS
                SELECT low.cluster, least(any_value(low.smallest), min(other.smallest)) AS smallest
                FROM low JOIN pairs ON pairs.a = low.cluster JOIN low other ON other.cluster = pairs.b
                GROUP BY low.cluster;
                SELECT count(*) FROM lower JOIN low USING (cluster) WHERE lower.smallest < low.smallest
                """
            ).fetchone() or (0,)
            database.execute("CREATE OR REPLACE TABLE low AS FROM lower")
            if not moved:
                break
        database.execute("UPDATE label SET cluster = low.smallest FROM low WHERE low.cluster = label.cluster")
    found = database.execute("SELECT entity, cluster FROM label").fetchnumpy()
    labels = np.full(int(found["entity"].max()) + 1, -1, np.int32)
    labels[found["entity"]] = found["cluster"]
    return labels


def _tops(columns: arrays.Columns, settings: GroupSettings) -> Labels:
    """Each entity's ultimate unit, −1 where it is alone: the partition that the engine finds."""
    units = arrays.identify(columns, settings, with_proofs=False).units
    labels = np.full(columns.n, -1, np.int32)
    labels[units.company] = np.repeat(units.anchor, np.diff(units.starts))
    labels[units.anchor] = units.anchor
    return labels


def _partition(labels: Labels) -> set[frozenset[int]]:
    """The clusters of two or more."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-2))
    return {frozenset(part.tolist()) for part in np.split(order, starts[1:]) if part.size > 1 and labels[part[0]] != -1}


def _small_peers(report: Report, made: MadeRegister, settings: GroupSettings) -> None:
    """Peers that would take minutes on more."""
    columns = _columns(made, with_families=False)
    contenders: Contenders = {
        "ours": lambda: arrays.identify(columns, settings),
        "networkx": lambda: _networkx(made),
    }
    timings = interleaved(contenders, rounds=1)
    expected = arrays.identify(columns, settings).units
    by_top = {
        int(anchor): set(expected.company[expected.starts[place] : expected.starts[place + 1]].tolist())
        for place, anchor in enumerate(expected.anchor.tolist())
    }
    walked = _networkx(made)
    report.require(all(walked[anchor] == companies for anchor, companies in by_top.items()), "networkx differs")
    ratio = timings["networkx"].wall_s / timings["ours"].wall_s
    report.add(Row(f"{made.holder.size:,} holdings: ours against networkx", timings["ours"].wall_s, "s",
                   peer="networkx, walked from every holder", ratio=ratio))  # fmt: skip


def _networkx(made: MadeRegister) -> dict[int, set[int]]:
    """What each holder controls, walked over a networkx graph: what a script of thirty lines would do."""
    import networkx as nx

    graph = nx.DiGraph()
    total: defaultdict[int, int] = defaultdict(int)
    for holder, company, votes in zip(made.holder.tolist(), made.company.tolist(), made.votes.tolist(), strict=True):
        total[company] += votes
        if holder != company:
            before = graph.edges[holder, company]["votes"] if graph.has_edge(holder, company) else 0
            graph.add_edge(holder, company, votes=before + votes)
    found: dict[int, set[int]] = {}
    for unit in graph:
        held: defaultdict[int, int] = defaultdict(int)
        controlled: set[int] = set()
        waiting = deque([unit])
        while waiting:
            at = waiting.popleft()
            for company, data in graph[at].items():
                held[company] += data["votes"]
                if company != unit and company not in controlled and 2 * held[company] > total[company]:
                    controlled.add(company)
                    waiting.append(company)
        if controlled:
            found[unit] = controlled
    return found


CLINGO_RULES = """
in(U,U) :- cand(U).
in(U,Y) :- ctrl(U,Y).
ctrl(U,Y) :- cand(U), total(Y,T), reach(U,Y), U != Y, #sum { V,X : h(X,Y,V), in(U,X), X != Y } > T/2.
reach(U,Y) :- cand(U), h(U,Y,_).
reach(U,Y) :- reach(U,X), h(X,Y,_).
#show ctrl/2.
"""


def _clingo(report: Report, settings: GroupSettings, seed: int) -> None:
    """A logic program with the same rule on 10,000 holdings: the outside oracle, and how far it is from fast."""
    try:
        import clingo
    except ImportError:
        report.notes.append("clingo is not installed: not compared")
        return
    made = make_register(10_000, seed=seed)
    columns = _columns(made, with_families=False)
    sums: defaultdict[tuple[int, int], int] = defaultdict(int)
    for holder, company, votes in zip(made.holder.tolist(), made.company.tolist(), made.votes.tolist(), strict=True):
        sums[holder, company] += votes
    total: defaultdict[int, int] = defaultdict(int)
    for (_holder, company), votes in sums.items():
        total[company] += votes
    units = arrays.identify(columns, settings).units
    candidates = set(units.anchor.tolist())
    facts = [f"h({h},{c},{2 * v})." for (h, c), v in sums.items()]
    facts += [f"total({company},{2 * votes})." for company, votes in total.items()]
    facts += [f"cand({unit})." for unit in candidates]

    def solve() -> set[tuple[int, int]]:
        control = clingo.Control(["--warn=none"])
        control.add("base", [], CLINGO_RULES + "\n".join(facts))
        control.ground([("base", [])])
        found: set[tuple[int, int]] = set()
        control.solve(on_model=lambda model: found.update((s.arguments[0].number, s.arguments[1].number)
                                                          for s in model.symbols(shown=True)))  # fmt: skip
        return found

    walls = []
    for _ in range(3):
        began = time.perf_counter()
        arrays.identify(columns, settings)
        walls.append(time.perf_counter() - began)
    began = time.perf_counter()
    answer = solve()
    took = time.perf_counter() - began
    owner = np.repeat(units.anchor, np.diff(units.starts)).tolist()
    report.require(answer == set(zip(owner, units.company.tolist(), strict=True)), "clingo differs")
    ours = statistics.median(walls)
    report.add(Row("10,000 holdings: ours against clingo", ours, "s", peer="clingo", ratio=took / ours))


def _spark_peer(report: Report, made: MadeRegister, place: Path, settings: GroupSettings) -> None:
    """Both ways to use Spark: the rounds that one would write, and our pass that keeps only what can decide."""
    from shouxin.bench.spark_peer import merge_clusters
    from shouxin.groups.spark import local_session, reduce_register

    session = local_session()
    merge_clusters(session, place / "holdings.parquet", made.n)  # the first run starts Java's compilers
    began = time.perf_counter()
    labels = merge_clusters(session, place / "holdings.parquet", made.n)
    rounds_s = time.perf_counter() - began
    columns = _columns(made, with_families=False)
    report.require(_partition(labels) == _partition(_tops(columns, settings)), "Spark differs")
    part = place / "part"
    began = time.perf_counter()
    kept = reduce_register(session, place, part, as_of=DAY)
    reduced = arrays.identify(read_register(part, as_of=DAY, settings=settings, anchors=None).columns, settings)
    reduced_s = time.perf_counter() - began
    session.stop()
    walls = []
    for _ in range(3):
        began = time.perf_counter()
        whole = arrays.identify(read_register(place, as_of=DAY, settings=settings, anchors=None).columns, settings)
        walls.append(time.perf_counter() - began)
    ours = statistics.median(walls)
    report.require(whole.units.company.size == reduced.units.company.size, "the part that Spark keeps differs")
    name = f"{made.holder.size:,} holdings"
    report.add(Row(f"{name}: ours with families and proofs against Spark local[2]", ours, "s", peer="Spark rounds",
                   ratio=rounds_s / ours))  # fmt: skip
    report.add(Row(f"{name}: --spark (one pass in Spark keeps {kept:,}, the rest on arrays)", reduced_s, "s",
                   peer="Spark rounds", ratio=rounds_s / reduced_s))  # fmt: skip
