"""Evidence tables as Parquet, for registers of millions: read into columns, and results written as columns.

The tables and columns are those of the CSV files, one ``<table>.parquet`` each; ``holdings`` must be there. Ids are
whole numbers or texts, the same kind in all tables. Votes are whole numbers; ``percent`` may be a decimal or a number
with at most six decimals. Without ``entities`` every held company is an organisation with credit here and everybody
else a holder, which is what a public register is.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shouxin.domain.evidence import MICRO_PERCENT_WHOLE, Evidence
from shouxin.domain.groups import kernels
from shouxin.domain.groups.arrays import Columns, Result, joined_rows
from shouxin.domain.groups.kernels import Flags, Ints, Longs
from shouxin.domain.groups.settings import GroupSettings
from shouxin.intake.errors import BadInputError

TABLES = ("entities", "holdings", "agreements", "concert", "kin", "posts")
_IDS: Mapping[str, tuple[str, ...]] = {
    "holdings": ("holder", "company"),
    "agreements": ("controller", "company"),
    "concert": ("member",),
    "kin": ("a", "b"),
    "posts": ("person", "company"),
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "entities": ("id", "kind"),
    "holdings": ("holder", "company"),
    "agreements": ("controller", "company", "kind"),
    "concert": ("set_id", "member"),
    "kin": ("a", "b", "relation"),
    "posts": ("person", "post"),
}


def needed_columns(table: str) -> tuple[str, ...]:
    """The columns that a table must have."""
    return _NEEDED[table]


@dataclass(frozen=True, slots=True)
class NumberedRegister:
    """Columns of a day, and what the numbers stand for: ``ids`` of entities and ``concert_ids`` of sets."""

    columns: Columns
    ids: pa.Array | None
    concert_ids: tuple[str, ...]

    def ids_of(self, numbers: Ints) -> pa.Array:
        """The callers' ids of some numbers."""
        if self.ids is None:
            return pa.array(numbers)
        return self.ids.take(pa.array(numbers))


def read_register(
    source: Path, *, as_of: dt.date, settings: GroupSettings, anchors: Iterable[str] | None
) -> NumberedRegister:
    """The register of a day from Parquet tables.

    Raises:
        BadInputError: a table or column is missing, of a wrong type, or holds values that cannot be; the text names
            table, column, the first rows and why.
    """
    tables = {name: _read(source, name, as_of) for name in TABLES if (source / f"{name}.parquet").is_file()}
    ids, numbers, n = _number(tables)
    holder, company = numbers["holdings", "holder"], numbers["holdings", "company"]
    if not kernels.is_sorted(company):
        order = kernels.order_by(company, kernels.starts_of(company, n))
        holder, company = holder[order], company[order]
    else:
        order = None
    entities = _entities(tables, numbers, n, company, settings, as_of)
    votes, declared = _votes(tables["holdings"], order, company, entities.total_votes, n)
    kin = _links(tables, numbers)
    sets, set_ids = _concert(tables, numbers)
    agreements = _agreements(tables, numbers)
    columns = Columns(
        n=n,
        holder=holder,
        company=company,
        votes=joined_rows(company, holder, votes, n),
        declared=declared,
        is_customer=entities.is_customer,
        is_person=entities.is_person,
        is_linking=entities.is_linking,
        is_dead=entities.is_dead,
        parent=kin[0],
        child=kin[1],
        spouse_a=kin[2],
        spouse_b=kin[3],
        agreement_controller=agreements[0],
        agreement_company=agreements[1],
        anchors=None if anchors is None else _numbers_of(anchors, ids, n),
        key_persons=_key_persons(tables, numbers, settings),
        concert=sets,
    )
    return NumberedRegister(columns, ids, set_ids)


def _read(source: Path, name: str, as_of: dt.date) -> pa.Table:
    """One table with the rows in force on the day."""
    file = source / f"{name}.parquet"
    try:
        table = pq.read_table(file, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise BadInputError(f"{file.name}: 不是 Parquet 文件：{error}") from error
    missing = [column for column in _NEEDED[name] if column not in table.column_names]
    if missing:
        raise BadInputError(f"{file.name}: 缺少列 {'、'.join(missing)}；现有 {'、'.join(table.column_names)}")
    keep = None
    for column, holds in (("valid_from", pc.less_equal), ("valid_to", pc.greater)):
        if column not in table.column_names or table[column].null_count == table.num_rows:
            continue
        days = table[column] if pa.types.is_date(table[column].type) else pc.cast(table[column], pa.date32())
        inside = pc.or_kleene(pc.is_null(days), holds(days, pa.scalar(as_of)))
        keep = inside if keep is None else pc.and_(keep, inside)
    return table if keep is None else table.filter(keep)


# --- ids to numbers -----------------------------------------------------------------------------------------------


def _number(tables: Mapping[str, pa.Table]) -> tuple[pa.Array | None, dict[tuple[str, str], Ints], int]:
    """Numbers for all ids. Small whole-number ids are taken as they are; others are looked up once."""
    columns = {
        (name, column): table[column]
        for name, table in tables.items()
        for column in (("id",) if name == "entities" else _IDS[name])
        if column in table.column_names
    }
    for (name, column), values in columns.items():
        if values.null_count:
            row = pc.index(pc.is_null(values), True).as_py() + 1
            raise BadInputError(f"{name}.parquet 第 {row} 行，列“{column}”：不能为空 [VALUE_MISSING]")
    if all(pa.types.is_integer(values.type) for values in columns.values()):
        arrays = {key: _as_numpy(values) for key, values in columns.items()}
        lowest = min((int(values.min()) for values in arrays.values() if values.size), default=0)
        highest = max((int(values.max()) for values in arrays.values() if values.size), default=-1)
        rows = sum(values.size for values in arrays.values())
        if lowest >= 0 and highest < max(4 * rows, 1024):
            return None, {key: values.astype(np.int32, copy=False) for key, values in arrays.items()}, highest + 1
    kinds = {str(values.type) for values in columns.values()}
    every = pa.chunked_array([chunk for values in columns.values() for chunk in pc.cast(values, pa.string()).chunks])
    if len(kinds) > 1 and any("int" in kind for kind in kinds) and "string" in kinds:
        raise BadInputError(f"编号的类型不一致：{'、'.join(sorted(kinds))}；各表须同为整数或同为文本")
    encoded = every.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    numbers, at = {}, 0
    for key, values in columns.items():
        numbers[key] = codes[at : at + len(values)]
        at += len(values)
    return encoded.dictionary, numbers, len(encoded.dictionary)


def _as_numpy(values: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    return np.asarray(values.to_numpy())


def _numbers_of(ids: Iterable[str], known: pa.Array | None, n: int) -> Ints:
    wanted = sorted(set(ids))
    if known is None:
        numbers = [int(text) for text in wanted if text.isdigit() and int(text) < n]
    else:
        found = pc.index_in(pa.array(wanted, pa.string()), value_set=known)
        numbers = [number for number in found.to_pylist() if number is not None]
    if len(numbers) < len(wanted):
        raise BadInputError(f"{len(wanted) - len(numbers)} 个核心人物编号不在证据表中")
    return np.array(sorted(numbers), np.int32)


# --- what is known of entities ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entities:
    is_customer: Flags
    is_person: Flags
    is_linking: Flags
    is_dead: Flags
    total_votes: Longs


def _entities(
    tables: Mapping[str, pa.Table],
    numbers: Mapping[tuple[str, str], Ints],
    n: int,
    company: Ints,
    settings: GroupSettings,
    as_of: dt.date,
) -> _Entities:
    is_company = np.zeros(n, np.bool_)
    is_company[company] = True
    linking, dead, total = np.ones(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.int64)
    if "entities" not in tables:
        return _Entities(is_company, ~is_company, linking, dead, total)
    table, at = tables["entities"], numbers["entities", "id"]
    if np.unique(at).size < at.size:
        raise BadInputError("entities.parquet: 有重复的编号 [ID_DUPLICATE]")
    unknown = np.zeros(n, np.bool_)
    for mentioned in numbers.values():
        unknown[mentioned] = True
    unknown[at] = False
    if unknown.any():
        raise BadInputError(f"{int(unknown.sum())} 个编号不在 entities.parquet 中 [ID_UNKNOWN]")
    person = np.zeros(n, np.bool_)
    kind = pc.equal(pc.cast(table["kind"], pa.string()), "person")
    person[at] = _flags(kind)
    if (person & is_company).any():
        raise BadInputError(f"{int((person & is_company).sum())} 个个人被登记为被持股企业 [KIND_WRONG]")
    customer = ~person
    if "customer" in table.column_names:
        marked = _flags(_as_flag(table["customer"]))
        if marked.any():
            customer = np.zeros(n, np.bool_)
            customer[at] = marked
            customer &= ~person
    for column, parts in (("nature", settings.non_linking_natures), ("name", settings.non_linking_names)):
        if column in table.column_names:
            for part in parts:
                linking[at[_flags(pc.match_substring(pc.cast(table[column], pa.string()), part))]] = False
    if "died" in table.column_names:
        died = pc.cast(table["died"], pa.date32())
        dead[at] = _flags(pc.less_equal(died, pa.scalar(as_of)))
    if "total_votes" in table.column_names:
        total[at] = _whole(table["total_votes"], "entities", "total_votes")
    return _Entities(customer, person, linking, dead, total)


def _as_flag(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(values.type):
        return values
    return pc.is_in(pc.cast(values, pa.string()), value_set=pa.array(["1", "是", "yes", "true"]))


def _flags(values: pa.ChunkedArray) -> Flags:
    return np.asarray(pc.fill_null(values, False).to_numpy(), np.bool_)


def _whole(values: pa.ChunkedArray, table: str, column: str) -> Longs:
    """Whole numbers that are not negative; empty is 0."""
    try:
        numbers = np.asarray(pc.cast(pc.fill_null(values, 0), pa.int64()).to_numpy())
    except pa.ArrowException as error:
        raise BadInputError(f"{table}.parquet 列“{column}”：须为整数：{error} [NUMBER_INVALID]") from error
    bad = numbers < 0
    if bad.any():
        row = int(np.argmax(bad)) + 1
        raise BadInputError(f"{table}.parquet 第 {row} 行，列“{column}”：不能为负数 [NUMBER_NEGATIVE]")
    return numbers


# --- votes --------------------------------------------------------------------------------------------------------


def _votes(table: pa.Table, order: Ints | None, company: Ints, total_votes: Longs, n: int) -> tuple[Longs, Longs]:
    """Votes in one unit a company, and the declared totals in that unit."""
    has_votes, has_percent = "votes" in table.column_names, "percent" in table.column_names
    if not has_votes and not has_percent:
        raise BadInputError("holdings.parquet: 须有列 votes 或 percent")
    if not has_percent or table["percent"].null_count == table.num_rows:
        votes = _in_order(_whole(table["votes"], "holdings", "votes"), order)
        declared = total_votes.copy()
    elif not has_votes or table["votes"].null_count == table.num_rows:
        votes = _in_order(_micro_percent(table["percent"]), order)
        declared = np.zeros(n, np.int64)
        declared[company] = MICRO_PERCENT_WHOLE
    else:
        votes, declared = _mixed(table, order, company, total_votes, n)
    return votes, declared


def _in_order(values: Longs, order: Ints | None) -> Longs:
    return values if order is None else values[order]


def _micro_percent(values: pa.ChunkedArray) -> Longs:
    """Percent with up to six decimals as whole millionths; empty is 0."""
    try:
        micro = pc.multiply(pc.cast(pc.fill_null(values, 0), pa.decimal128(18, 6)), pa.scalar(Decimal(1_000_000)))
        numbers = np.asarray(pc.cast(micro, pa.int64()).to_numpy())
    except pa.ArrowException as error:
        raise BadInputError(
            f"holdings.parquet 列“percent”：须为最多 6 位小数的数：{error} [PERCENT_DECIMALS]"
        ) from error
    bad = (numbers < 0) | (numbers > MICRO_PERCENT_WHOLE)
    if bad.any():
        row = int(np.argmax(bad)) + 1
        raise BadInputError(f"holdings.parquet 第 {row} 行，列“percent”：须在 0 与 100 之间 [PERCENT_RANGE]")
    return numbers


def _mixed(table: pa.Table, order: Ints | None, company: Ints, total_votes: Longs, n: int) -> tuple[Longs, Longs]:
    """Some rows in shares and some in percent: one unit a company, the finer one only where both occur."""
    is_percent = _in_order(np.asarray(pc.is_valid(table["percent"]).to_numpy()), order)
    is_votes = _in_order(np.asarray(pc.is_valid(table["votes"]).to_numpy()), order)
    if (is_percent == is_votes).any():
        row = int(np.argmax(is_percent == is_votes)) + 1
        raise BadInputError(f"holdings.parquet 第 {row} 行：percent 与 votes 须填且只填一个 [PERCENT_OR_VOTES]")
    shares = _in_order(_whole(table["votes"], "holdings", "votes"), order)
    micro = _in_order(_micro_percent(table["percent"]), order)
    has_percent, has_votes = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    has_percent[company[is_percent]] = True
    has_votes[company[is_votes]] = True
    votes, declared = np.where(is_percent, micro, shares), total_votes.copy()
    declared[has_percent & ~has_votes] = MICRO_PERCENT_WHOLE
    both = has_percent & has_votes
    if both.any():
        held = np.zeros(n, np.int64)
        rows = np.flatnonzero(both[company])
        np.add.at(held, company[rows], shares[rows])
        whole = np.where(total_votes > 0, total_votes, held)
        if int(whole[both].max()) > kernels.TOTAL_MAX // (2 * MICRO_PERCENT_WHOLE):
            raise BadInputError("holdings.parquet: 同一公司既有股数又有比例且股数过大，请统一为一种 [UNITS_MIXED]")
        votes[rows] = np.where(is_percent[rows], micro[rows] * whole[company[rows]], shares[rows] * MICRO_PERCENT_WHOLE)
        declared[both] = whole[both] * MICRO_PERCENT_WHOLE
    return votes, declared


# --- persons, sets, agreements ------------------------------------------------------------------------------------

_NONE = np.empty(0, np.int32)


def _links(tables: Mapping[str, pa.Table], numbers: Mapping[tuple[str, str], Ints]) -> tuple[Ints, Ints, Ints, Ints]:
    if "kin" not in tables:
        return _NONE, _NONE, _NONE, _NONE
    relation = pc.cast(tables["kin"]["relation"], pa.string())
    is_parent, is_spouse = _flags(pc.equal(relation, "parent")), _flags(pc.equal(relation, "spouse"))
    if not (is_parent | is_spouse).all():
        row = int(np.argmin(is_parent | is_spouse)) + 1
        raise BadInputError(f"kin.parquet 第 {row} 行，列“relation”：须为 parent 或 spouse [CHOICE_UNKNOWN]")
    a, b = numbers["kin", "a"], numbers["kin", "b"]
    if (a == b).any():
        raise BadInputError(f"kin.parquet 第 {int(np.argmax(a == b)) + 1} 行：不能是自己的亲属 [KIN_SELF]")
    return a[is_parent], b[is_parent], a[is_spouse], b[is_spouse]


def _concert(
    tables: Mapping[str, pa.Table], numbers: Mapping[tuple[str, str], Ints]
) -> tuple[Sequence[Ints], tuple[str, ...]]:
    if "concert" not in tables:
        return (), ()
    names = pc.cast(tables["concert"]["set_id"], pa.string()).to_pylist()
    members: dict[str, set[int]] = {}
    for name, member in zip(names, numbers["concert", "member"].tolist(), strict=True):
        members.setdefault(name, set()).add(member)
    ordered = sorted(members)
    return [np.array(sorted(members[name]), np.int32) for name in ordered], tuple(ordered)


def _agreements(tables: Mapping[str, pa.Table], numbers: Mapping[tuple[str, str], Ints]) -> tuple[Ints, Ints]:
    if "agreements" not in tables:
        return _NONE, _NONE
    controller, company = numbers["agreements", "controller"], numbers["agreements", "company"]
    own = controller == company
    return controller[~own], company[~own]


def _key_persons(
    tables: Mapping[str, pa.Table], numbers: Mapping[tuple[str, str], Ints], settings: GroupSettings
) -> Ints:
    if "posts" not in tables:
        return _NONE
    posts = pc.cast(tables["posts"]["post"], pa.string())
    is_key = _flags(pc.is_in(posts, value_set=pa.array(sorted(settings.anchor_posts), pa.string())))
    return np.unique(numbers["posts", "person"][is_key]).astype(np.int32)


# --- out ----------------------------------------------------------------------------------------------------------


def write_result(result: Result, register: NumberedRegister, out: Path) -> Mapping[str, int]:
    """control, groups, proofs and findings as Parquet; gives their row counts.

    ``proofs`` has one row per contribution: unit_kind, anchor, step (place in the unit's proof), company, total,
    holder, votes (null: by agreement).
    """
    out.mkdir(parents=True, exist_ok=True)
    units = result.units
    owner = np.repeat(np.arange(units.count, dtype=np.int32), np.diff(units.starts))
    row_of_via = np.repeat(np.arange(units.company.size, dtype=np.int32), np.diff(units.via_starts))
    kinds, anchors = _unit_columns(result, register)
    written = {
        "control": {
            "unit_kind": kinds.take(pa.array(owner)),
            "anchor": anchors.take(pa.array(owner)),
            "company": register.ids_of(units.company),
        },
        "groups": _group_columns(result, register, kinds, anchors),
        "proofs": {
            "unit_kind": kinds.take(pa.array(owner[row_of_via])),
            "anchor": anchors.take(pa.array(owner[row_of_via])),
            "step": pa.array((row_of_via - units.starts[owner[row_of_via]]).astype(np.int32)),
            "company": register.ids_of(units.company[row_of_via]),
            "total": pa.array(result.total[units.company[row_of_via]]),
            "holder": register.ids_of(units.via_holder),
            "votes": pa.array(units.via_votes, mask=units.via_votes < 0),
        },
        "findings": _finding_columns(result, register),
    }
    for name, columns in written.items():
        pq.write_table(pa.table(columns), out / f"{name}.parquet", compression="lz4")
    return {name: len(columns["anchor" if "anchor" in columns else "subject"]) for name, columns in written.items()}


def _unit_columns(result: Result, register: NumberedRegister) -> tuple[pa.Array, pa.Array]:
    units = result.units
    kinds = pa.DictionaryArray.from_arrays(pa.array(units.kind.astype(np.int8)), pa.array(["one", "family", "concert"]))
    is_set = units.kind == 2
    anchors = register.ids_of(np.where(is_set, 0, units.anchor).astype(np.int32))
    if is_set.any():
        texts = pc.cast(anchors, pa.string()).to_pylist()
        for place in np.flatnonzero(is_set).tolist():
            texts[place] = register.concert_ids[units.anchor[place]]
        anchors = pa.array(texts)
    return kinds, anchors


def _group_columns(
    result: Result, register: NumberedRegister, kinds: pa.Array, anchors: pa.Array
) -> dict[str, pa.Array]:
    sizes = np.diff(result.group_starts)
    number = np.repeat(np.arange(1, sizes.size + 1, dtype=np.int32), sizes)
    unit = pa.array(np.repeat(result.group_unit, sizes))
    return {
        "group": pa.array(number),
        "unit_kind": kinds.take(unit),
        "anchor": anchors.take(unit),
        "member": register.ids_of(result.group_member),
    }


def _finding_columns(result: Result, register: NumberedRegister) -> dict[str, pa.Array]:
    declared = register.columns.declared
    above = np.flatnonzero((declared > 0) & (result.total > declared))
    codes = ["HOLDINGS_ABOVE_TOTAL"] * above.size + ["CROSS_HOLDING_RING"] * result.rings.size
    subjects = np.concatenate([above, result.rings]).astype(np.int32)
    return {"code": pa.array(codes, pa.string()), "subject": register.ids_of(subjects)}


def write_evidence(evidence: Evidence, out: Path) -> Iterable[tuple[str, int]]:
    """Evidence that was read and checked from CSV or a workbook, as Parquet tables; gives names and row counts."""
    out.mkdir(parents=True, exist_ok=True)
    period: dict[str, Callable[[Any], Any]] = {
        "valid_from": lambda row: row.valid_from, "valid_to": lambda row: row.valid_to,
    }  # fmt: skip
    shapes: Mapping[str, tuple[Iterable[Any], Mapping[str, Callable[[Any], Any]]]] = {
        "entities": (
            evidence.entities.values(),
            {
                "id": lambda e: e.id, "name": lambda e: e.name, "kind": lambda e: e.kind.value,
                "uscc": lambda e: e.uscc,
                "nature": lambda e: e.nature, "customer": lambda e: e.is_customer,
                "total_votes": lambda e: e.total_votes, "sex": lambda e: e.sex, "died": lambda e: e.died_date,
            },
        ),
        "holdings": (
            evidence.holdings,
            {
                "holder": lambda h: h.holder, "company": lambda h: h.company,
                "percent": lambda h: Decimal(h.votes).scaleb(-6) if h.is_percent else None,
                "votes": lambda h: None if h.is_percent else h.votes, **period,
            },
        ),
        "agreements": (
            evidence.agreements,
            {"controller": lambda a: a.controller, "company": lambda a: a.company, "kind": lambda a: a.kind, **period},
        ),
        "concert": (evidence.concert, {"set_id": lambda c: c.set_id, "member": lambda c: c.member, **period}),
        "kin": (
            evidence.kin,
            {"a": lambda k: k.a, "b": lambda k: k.b, "relation": lambda k: k.relation,
             "kind": lambda k: k.kind, **period},
        ),
        "posts": (
            evidence.posts,
            {"person": lambda p: p.person, "company": lambda p: p.company, "post": lambda p: p.post, **period},
        ),
    }  # fmt: skip
    types = {"percent": pa.decimal128(18, 6), "votes": pa.int64(), "total_votes": pa.int64(), "valid_from": pa.date32(),
             "valid_to": pa.date32(), "died": pa.date32(), "customer": pa.bool_()}  # fmt: skip
    for name, (rows, columns) in shapes.items():
        kept = list(rows)
        if kept or name in ("entities", "holdings"):
            table = pa.table(
                {column: pa.array([read(row) for row in kept], types.get(column, pa.string()))
                 for column, read in columns.items()}
            )  # fmt: skip
            pq.write_table(table, out / f"{name}.parquet", compression="lz4")
            yield name, len(kept)
