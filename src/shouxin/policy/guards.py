"""Keep policy and code together: every parameter is read by some rule or marked reserved, and every read exists.

The readers are found by looking for the key as a literal text in the source; the parameters page shows them.
"""

import ast
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shouxin.domain.parameters import PolicyBook
from shouxin.policy.loader import load_book, overlay_names
from shouxin.policy.products import catalogue

PACKAGE = Path(__file__).resolve().parent.parent
_READS = {"at", "in_force", "decimal", "whole", "flag", "text", "items", "items_in_force"}


@dataclass(frozen=True, slots=True)
class Reader:
    """A place in the source that reads a parameter."""

    module: str
    line: int


@cache
def readers() -> dict[str, tuple[Reader, ...]]:
    """Where each key is read, by key. Keys made up at run time (``ccf.…``) are found through the product catalogue."""
    found: defaultdict[str, list[Reader]] = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READS:
                for key in _keys_of(node):
                    found[key].append(Reader(module, node.lineno))
    return {key: tuple(places) for key, places in found.items()}


def _keys_of(call: ast.Call) -> list[str]:
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and "." in first.value:
        return [first.value]
    made_up = isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant)
    if made_up and str(first.values[0].value) == "ccf.":  # type: ignore[union-attr]
        return sorted({f"ccf.{product.ccf}" for product in catalogue().values() if product.ccf})
    return []


def check(book: PolicyBook | None = None) -> list[str]:
    """What is wrong between policy and code, in words that say what to change; empty when all is well."""
    book = book or load_book()
    for name in overlay_names():
        load_book(name)
    read = readers()
    problems = [
        f"{places[0].module}:{places[0].line} 读取的参数 {key} 不存在，请在 policy/rules 中增加。"
        for key, places in sorted(read.items())
        if key not in book
    ]
    for key in book:
        if book.parameter(key).is_reserved and key in read:
            problems.append(f"参数 {key} 已被 {read[key][0].module} 读取，请去掉它的 reserved。")
        elif not book.parameter(key).is_reserved and key not in read:
            problems.append(f"参数 {key} 没有任何规则读取，请写明 reserved 及原因，或删除。")
    return problems
