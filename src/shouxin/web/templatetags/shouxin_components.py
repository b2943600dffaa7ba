"""Small drawn parts that need a decision before they are HTML: ``{% load shouxin_components %}``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, Literal, Protocol

from django import forms, template
from django.forms.boundfield import BoundField
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from shouxin.domain.findings import Finding
from shouxin.web import kept_text
from shouxin.web.templatetags.shouxin_format import NOTHING, Fen, icon, translated, wan

register = template.Library()

UsageLevel = Literal["ok", "warn", "full", "over", "none"]

WARN_FROM_RATIO: Final = Decimal("0.85")
BAR_LENGTH: Final = 1000
TONES: Final = frozenset({"plain", "blue", "green", "amber", "red", "violet", "navy"})


# --- usage of a limit -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Usage:
    """What a usage bar draws: ``position`` of 1,000, a level that gives the colour, and the percent in words."""

    position: int
    level: UsageLevel
    percent: str

    @property
    def words(self) -> str:
        """Said beside the bar, since a colour alone says nothing to some readers."""
        return {"warn": _("接近限额"), "full": _("已用满"), "over": _("超过限额")}.get(self.level, "")


def usage_of(used: Fen, cap: Fen, warn_from: Decimal = WARN_FROM_RATIO) -> Usage:
    """The bar of ``used`` against ``cap``, both in 分: ok, warn from 85 %, full at the cap, over above it."""
    if used is None or used == "" or cap is None or cap == "" or (cap == 0 and used == 0):
        return Usage(0, "none", NOTHING)
    if cap <= 0:
        return Usage(BAR_LENGTH, "over", NOTHING)
    ratio = Decimal(used) / cap
    level = _usage_level(used, cap, ratio, warn_from)
    return Usage(min(BAR_LENGTH, max(0, int(ratio * BAR_LENGTH))), level, _usage_percent(ratio, level))


def _usage_level(used: int, cap: int, ratio: Decimal, warn_from: Decimal) -> UsageLevel:
    if used > cap:
        return "over"
    if used == cap:
        return "full"
    return "warn" if ratio >= warn_from else "ok"


def _usage_percent(ratio: Decimal, level: UsageLevel) -> str:
    """Whole percent, but never rounded onto the cap: 99.9 % shows as <100%, 100.1 % as >100%."""
    whole = (ratio * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    if whole == 100 and level != "full":
        return "<100%" if ratio < 1 else ">100%"
    return f"{whole:,f}%"


@register.simple_tag
def usage_bar(used: Fen, cap: Fen, label: str = "", warn_from: Decimal | None = None) -> SafeString:
    """``{% usage_bar used cap label="宏达集团" %}``, both amounts in 分."""
    usage = usage_of(used, cap, warn_from or WARN_FROM_RATIO)
    words = format_html('<span class="visually-hidden">{}</span>', usage.words) if usage.words else ""
    return format_html(
        '<span class="usage usage-{}"><progress max="1000" value="{}" aria-label="{}" title="{} / {} {}">{}</progress>'
        '<span class="usage-figure">{}</span>{}</span>',
        usage.level, usage.position, label or _("已用比例"), wan(used), wan(cap), _("万元"), usage.percent,
        usage.percent, words,
    )  # fmt: skip


# --- badges -----------------------------------------------------------------------------------------------------


@register.simple_tag
def badge(text: object, tone: str = "plain", icon_name: str = "") -> SafeString:
    """``{% badge "预警 2" "amber" %}``; tones: plain blue green amber red violet navy."""
    if tone not in TONES:
        raise ValueError(f"unknown tone {tone!r}")
    drawn = icon(icon_name) if icon_name else ""
    return format_html('<span class="pill pill-{}">{}{}</span>', tone, drawn, translated(text))


class Said(Protocol):
    """A sentence that was written in both languages: a finding, an alert."""

    @property
    def message(self) -> str: ...

    @property
    def english(self) -> str: ...


# --- findings ---------------------------------------------------------------------------------------------------


@register.filter
def in_language(said: Said | Mapping[str, str]) -> str:
    """What a finding, an alert or the row of a form says in the reader's language."""
    if isinstance(said, Mapping):
        return _plain_levels(said["english" if _is_english() else "message"])
    return _plain_levels(said.english if _is_english() else said.message)


_LEVEL_CODES = {"GROUP": "集团额度", "CUSTOMER": "客户额度", "PRODUCT": "产品额度", "FACILITY": "合同额度"}
_CODED = re.compile(r"\b(GROUP|CUSTOMER|PRODUCT|FACILITY) (?=\S)")
_CODED_WITH_WORD = re.compile(r"\b(?:GROUP|CUSTOMER|PRODUCT|FACILITY) (.+?)（([^（）]+)额度）")


def _plain_levels(text: str) -> str:
    """The ledger's codes of a level, which files and programs read, as the level's name for people."""
    if _is_english():
        return _CODED.sub(lambda found: f"{_(_LEVEL_CODES[found[1]])} ", text)
    return _CODED_WITH_WORD.sub(r"\1的\2额度", text)


@register.filter
def advice(finding: Finding) -> str:
    """What to do about it in the reader's language: a rule's own words go through the catalogue of texts."""
    if not _is_english():
        return finding.advice
    own = translated(finding.remedy)
    return own if own != finding.remedy else finding.advice_en or own


def _is_english() -> bool:
    return (get_language() or "").startswith("en")


@register.filter
def kept(text: object) -> str:
    """A sentence that is kept as it was written, such as the reason of a level, in the reader's language."""
    return kept_text.kept(str(text))


@register.filter
def graph_in_language(graph: Mapping[str, Sequence[Mapping[str, object]]]) -> dict[str, list[dict[str, object]]]:
    """An ownership graph with its words in the reader's language; the names of parties stay."""
    words = ("subtitle", "amount_text")
    return {
        "nodes": [
            {
                **node,
                **{key: kept(node.get(key, "")) for key in words},
                "facts": [
                    {"label": kept(fact["label"]), "text": kept(fact["text"])} for fact in _facts(node.get("facts"))
                ],
                "proof": [proof_text(str(line)) for line in _facts(node.get("proof"))],
            }
            for node in graph["nodes"]
        ],
        "edges": [{**edge, "label": kept(edge.get("label", ""))} for edge in graph["edges"]],
    }


def _facts(value: object) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


@register.filter
def label(text: str) -> str:
    """The name of a figure in the reader's language; a day in brackets behind it stays."""
    if not _is_english():
        return str(translated(text))
    if text.endswith("）") and "（" in text:
        name, _bracket, rest = text[:-1].rpartition("（")
        return f"{kept(name)} ({rest})"
    return kept(text)


@register.filter
def figure(text: str) -> str:
    """A figure with its unit in the reader's language; 万元 with two decimals at most, ≈ where that rounds."""
    known = str(translated(_MANY_DECIMALS.sub(_rounded, text)))
    if _is_english():
        for word in ("万元", "余", "即", "天", "个月"):
            known = known.replace(word, _(word))
    return known


_MANY_DECIMALS = re.compile(r"([\d,]+\.\d{3,6})(?= 万元)")


def _rounded(found: re.Match[str]) -> str:
    amount = Decimal(found[1].replace(",", ""))
    return f"≈{amount.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP):,f}"


_IN_BRACKETS = re.compile(r"（([^（）]+)）")
_PROOF_WORDS = (
    "→ 控制", "可任命董事会多数成员", "按表决权协议行使多数表决权", "按协议控制其经营决策", "登记为实际控制人",
)  # fmt: skip


@register.filter
def proof_text(sentence: str) -> str:
    """A step of a proof in the reader's language: names and figures stay, kin terms and the verbs are translated."""
    if not _is_english():
        return sentence
    text = _IN_BRACKETS.sub(lambda found: f" ({translated(found[1])})", sentence)
    for word in _PROOF_WORDS:
        text = text.replace(word, f" {translated(word)} ")
    return " ".join(text.split())


@register.filter
def refusals(findings: Sequence[Finding]) -> list[Finding]:
    """Those that stop the act."""
    return [finding for finding in findings if finding.is_refusal]


# --- tables -----------------------------------------------------------------------------------------------------


@register.inclusion_tag("components/data_table.html")
def data_table(
    columns: Sequence[Mapping[str, str]],
    rows: Sequence[Mapping[str, object]],
    caption: str = "",
    empty: str = "",
) -> dict[str, object]:
    """A plain table that becomes cards on a telephone.

    ``columns``: ``{"label": …, "kind": "text" | "number" | "centre"}``. ``rows``: ``{"cells": [...], "url": …}``; the
    first cell carries the link. Cells are escaped unless they were made safe.
    """
    shown = [
        {
            "url": row.get("url", ""),
            "tone": row.get("tone", ""),
            "cells": list(zip(columns, _cells(row), strict=True)),
        }
        for row in rows
    ]
    return {"columns": columns, "rows": shown, "caption": caption, "empty": empty}


def _cells(row: Mapping[str, object]) -> Sequence[object]:
    cells = row["cells"]
    if not isinstance(cells, Sequence):
        raise TypeError("a row has a sequence of cells")
    return cells


# --- forms ------------------------------------------------------------------------------------------------------


@register.filter
def control(field: BoundField) -> SafeString:
    """The input of a form field with the class that its kind needs."""
    widget = field.field.widget
    if isinstance(widget, forms.CheckboxInput):
        css = "form-check-input"
    elif isinstance(widget, (forms.CheckboxSelectMultiple, forms.RadioSelect)):
        css = "form-choices"
    elif isinstance(widget, forms.Select):
        css = "form-select"
    else:
        css = "form-control"
    if isinstance(widget, forms.Select) and _is_english():
        widget.choices = _choices_in_english(widget.choices)
    own = widget.attrs.get("class", "")
    invalid = " is-invalid" if field.errors else ""
    return field.as_widget(attrs={"class": f"{css} {own}".strip() + invalid})


def _choices_in_english(choices: Any) -> Any:
    """The words of a model's choices, which are kept in Chinese; rows of the database are names and stay."""
    if isinstance(choices, forms.models.ModelChoiceIterator):
        return choices
    return [
        (value, _choices_in_english(label) if isinstance(label, (list, tuple)) else kept(label))
        for value, label in choices
    ]


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, forms.CheckboxInput)


@register.filter
def is_choice_list(field: BoundField) -> bool:
    return isinstance(field.field.widget, (forms.CheckboxSelectMultiple, forms.RadioSelect))
