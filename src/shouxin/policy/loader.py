"""Read the policy files: YAML whose scalars are all texts, so that no number passes through a float.

``rules/<topic>.yaml`` holds the general values, ``rules/institutions/<name>.yaml`` what one bank sets for itself.
Anything unclear stops the start with file, line and reason: a limit that was misread must never be used.
"""

import datetime as dt
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from shouxin.domain.parameters import COMPARISONS, EVIDENCE_MARKS, UNITS, Parameter, PolicyBook, Value

RULES_DIR = Path(__file__).resolve().parent / "rules"
DEFAULT_INSTITUTION = "demo-rural-bank"
_NUMERIC_UNITS = UNITS - {"flag", "choice", "list", "text"}
_PARAMETER_FIELDS = {"title", "title_en", "unit", "comparison", "base", "base_date", "note", "reserved", "values"}
_VALUE_FIELDS = {"from", "to", "value", "article", "citation", "evidence"}
_VALUE_NEEDS = ("from", "value", "article", "citation", "evidence")


class PolicyError(Exception):
    """A policy file that cannot be used; the text names file, line, key and reason."""


class _Loader(yaml.BaseLoader):
    """Keeps every scalar a text, refuses a key given twice and remembers the line of each mapping."""


class _Mapping(dict[str, Any]):
    """A mapping that knows where it stands in its file."""

    line = 0


def _construct_mapping(loader: yaml.BaseLoader, node: yaml.MappingNode) -> _Mapping:
    found = _Mapping()
    found.line = node.start_mark.line + 1
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise PolicyError(f"{node.start_mark.name}:{key_node.start_mark.line + 1}: “{key}” 重复出现")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def load_book(institution: str | None = None, *, rules_dir: Path | None = None) -> PolicyBook:
    """The parameters of one institution (``SHOUXIN_INSTITUTION`` by default); read once per process.

    ``SHOUXIN_RULES_DIR`` names a bank's own copy of the rules folder.

    Raises:
        PolicyError: a file is not usable; nothing is loaded.
    """
    named = institution or os.environ.get("SHOUXIN_INSTITUTION") or DEFAULT_INSTITUTION
    return _load(named, rules_dir or Path(os.environ.get("SHOUXIN_RULES_DIR") or RULES_DIR))


@cache
def _load(institution: str, rules_dir: Path) -> PolicyBook:
    parameters: dict[str, Parameter] = {}
    for file in sorted(rules_dir.glob("*.yaml")):
        for key, body in read_mapping(file).items():
            if key in parameters:
                raise PolicyError(f"{file}: 参数 {key} 已在另一文件中定义")
            parameters[key] = _parameter(file, key, body)
    overlay = rules_dir / "institutions" / f"{institution}.yaml"
    if not overlay.is_file():
        raise PolicyError(f"没有机构 {institution} 的参数文件：{overlay}")
    for key, rows in read_mapping(overlay).items():
        if key not in parameters:
            raise PolicyError(f"{overlay}: 没有名为 {key} 的参数")
        general = parameters[key]
        own = tuple(_values(overlay, key, rows, general.unit, institution))
        parameters[key] = Parameter(
            **{name: getattr(general, name) for name in Parameter.__dataclass_fields__ if name != "values"},
            values=(*general.values, *own),
        )
    return PolicyBook(parameters.values(), institution)


def read_mapping(file: Path) -> _Mapping:
    """One YAML file as a mapping of texts. Raises PolicyError when it is anything else."""
    with file.open(encoding="utf-8") as stream:
        try:
            body = yaml.load(stream, _Loader)  # noqa: S506 - our loader only builds texts, lists and mappings
        except yaml.YAMLError as error:
            raise PolicyError(f"{file}: 不是有效的 YAML：{error}") from error
    if not isinstance(body, _Mapping):
        raise PolicyError(f"{file}: 内容须为“键: 值”的映射")
    return body


def _parameter(file: Path, key: str, body: object) -> Parameter:
    row = _require_mapping(file, key, body, _PARAMETER_FIELDS, ("title", "unit", "values"))
    unit = row["unit"]
    if unit not in UNITS:
        raise PolicyError(f"{file}:{row.line}: {key} 的单位“{unit}”不在 {sorted(UNITS)} 之中")
    comparison = row.get("comparison", "")
    if comparison and comparison not in COMPARISONS:
        raise PolicyError(f"{file}:{row.line}: {key} 的比较符“{comparison}”不在 {list(COMPARISONS)} 之中")
    values = tuple(_values(file, key, row["values"], unit, None))
    return Parameter(
        key=key,
        title=row["title"],
        title_en=row.get("title_en", ""),
        unit=unit,
        comparison=comparison,
        base=row.get("base", ""),
        base_date=row.get("base_date", ""),
        note=row.get("note", ""),
        reserved=row.get("reserved", ""),
        values=values,
    )


def _values(file: Path, key: str, rows: object, unit: str, institution: str | None) -> Iterator[Value]:
    if not isinstance(rows, list) or not rows:
        raise PolicyError(f"{file}: {key} 须至少有一个取值")
    previous: Value | None = None
    for body in rows:
        row = _require_mapping(file, key, body, _VALUE_FIELDS, _VALUE_NEEDS)
        where = f"{file}:{row.line}: {key}"
        if row["evidence"] not in EVIDENCE_MARKS:
            raise PolicyError(f"{where} 的依据标记“{row['evidence']}”不在 {list(EVIDENCE_MARKS)} 之中")
        value = Value(
            text=_text(where, row["value"], unit),
            valid_from=_day(where, row["from"]),
            valid_to=_day(where, row["to"]) if row.get("to") else None,
            article=row["article"],
            citation=row["citation"],
            evidence=row["evidence"],
            institution=institution,
        )
        if value.valid_to is not None and value.valid_to <= value.valid_from:
            raise PolicyError(f"{where} 的结束日须晚于开始日")
        if previous is not None and (previous.valid_to is None or previous.valid_to > value.valid_from):
            raise PolicyError(f"{where} 的取值在时间上重叠：{previous.valid_from} 的取值须先结束")
        previous = value
        yield value


def _text(where: str, value: object, unit: str) -> str | tuple[str, ...]:
    if unit == "list":
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise PolicyError(f"{where} 的取值须为列表")
        return tuple(value)
    if not isinstance(value, str):
        raise PolicyError(f"{where} 的取值须为单个文本")
    if unit == "flag" and value not in {"yes", "no"}:
        raise PolicyError(f"{where} 的取值须为 yes 或 no，收到“{value}”")
    if unit in _NUMERIC_UNITS and not value.replace(".", "", 1).lstrip("-").isdigit():
        raise PolicyError(f"{where} 的取值“{value}”不是数字")
    return value


def _day(where: str, text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise PolicyError(f"{where} 的日期“{text}”不存在或不是 年-月-日") from error


def _require_mapping(file: Path, key: str, body: object, known: set[str], needed: tuple[str, ...]) -> _Mapping:
    if not isinstance(body, _Mapping):
        raise PolicyError(f"{file}: {key} 须为映射")
    unknown = set(body) - known
    if unknown:
        raise PolicyError(f"{file}:{body.line}: {key} 有未知的属性 {sorted(unknown)}")
    missing = [name for name in needed if not body.get(name)]
    if missing:
        raise PolicyError(f"{file}:{body.line}: {key} 缺少 {missing}")
    return body


def overlay_names(rules_dir: Path = RULES_DIR) -> list[str]:
    """The institutions that have a parameter file."""
    return sorted(file.stem for file in (rules_dir / "institutions").glob("*.yaml"))
