"""How numbers, dates, secrets and icons look on a page: ``{% load shouxin_format %}``.

Amounts arrive as integer 分, ratios as ``Decimal`` (or ``int``, ``Fraction``); a float is refused, because a figure
that was a float somewhere may no longer be the figure. Nothing (``None``, or Django's empty text for a missing
variable) shows as an em dash.
"""

import datetime
import functools
import re
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from shouxin.approvals.models import Case
from shouxin.facilities.case_contents import amount_standing_fen

register = template.Library()

Missing = Literal[""] | None
Fen = int | Missing
Ratio = Decimal | Fraction | int | Missing

NOTHING: Final = "—"
FEN_PER_YUAN: Final = 100
FEN_PER_WAN: Final = 10_000 * FEN_PER_YUAN
FEN_PER_YI: Final = 10_000 * FEN_PER_WAN
ICON_DIR: Final = Path(__file__).resolve().parent.parent / "static" / "vendor" / "tabler-icons"


# --- amounts ----------------------------------------------------------------------------------------------------


def _grouped(value: Decimal, decimals: int) -> str:
    return f"{value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP):,f}"


def _fen(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"an amount is integer 分, not {type(value).__name__}")
    return value


def _in_unit(fen: int, fen_per_unit: int) -> str:
    """Whole numbers without decimals, anything else with two: ``7,000``, ``6,600.01``, ``1.50``."""
    whole, rest = divmod(abs(fen), fen_per_unit)
    if not rest:
        return f"{-whole if fen < 0 else whole:,d}"
    return _grouped(Decimal(fen) / fen_per_unit, 2)


@register.filter
def wan(value: Fen) -> str:
    """Integer 分 in 万元, at most two decimals, rounded half up. For refusals take ``wan_exact``."""
    return NOTHING if value is None or value == "" else _in_unit(_fen(value), FEN_PER_WAN)


@register.filter
def wan_exact(value: Fen) -> str:
    """Integer 分 in 万元: two decimals where that is all there is, otherwise ≈ with the exact yuan behind it.

    The one 分 over a limit is seen by the mark and told by the title; ``7,500``, ``7,500.01``, ``≈7,500.00``.
    """
    if value is None or value == "":
        return NOTHING
    if not _fen(value) % (FEN_PER_WAN // 100):
        return wan(value)
    return format_html('<span class="approx" title="{} {}">≈{}</span>', yuan(value), gettext("元"), wan(value))


@register.filter
def wan_plain(value: Fen) -> str:
    """As ``wan_exact`` for where no markup may stand: ``≈7,500.00``."""
    if value is None or value == "":
        return NOTHING
    return wan(value) if not _fen(value) % (FEN_PER_WAN // 100) else f"≈{wan(value)}"


@register.filter
def wan_fixed(value: Fen) -> str:
    """Integer 分 in 万元 with two decimals always, as papers print it; the exact yuan stands beside it there."""
    return NOTHING if value is None or value == "" else _grouped(Decimal(_fen(value)) / FEN_PER_WAN, 2)


@register.filter
def yi(value: Fen) -> str:
    """Integer 分 in 亿元, two decimals: the unit of totals."""
    return NOTHING if value is None or value == "" else _grouped(Decimal(_fen(value)) / FEN_PER_YI, 2)


@register.filter
def yuan(value: Fen) -> str:
    """Integer 分 in 元, always with 角 and 分: ``1,234.50``."""
    return NOTHING if value is None or value == "" else _grouped(Decimal(_fen(value)) / FEN_PER_YUAN, 2)


@register.filter
def signed_wan(value: Fen) -> str:
    """A change in 万元 with its sign: ``+200``, ``−80.50``, ``0``; ``≈`` and the exact yuan behind a rounded one."""
    if value is None or value == "":
        return NOTHING
    text = wan_exact(abs(_fen(value)))
    return text if value == 0 else format_html("{}{}", "+" if value > 0 else "−", text)


# --- ratios -----------------------------------------------------------------------------------------------------


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, Fraction):
        return Decimal(value.numerator) / value.denominator
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise TypeError(f"a ratio is Decimal, Fraction or int, not {type(value).__name__}")


@register.filter
def pct(value: Ratio, decimals: int = 2) -> str:
    """A ratio of one as percent: ``0.1296`` → ``12.96%``; ``{{ ratio|pct:1 }}`` for other decimals."""
    return NOTHING if value is None or value == "" else f"{_grouped(_decimal(value) * 100, decimals)}%"


@register.filter
def points(value: Ratio, decimals: int = 2) -> str:
    """A figure that is in percent already: ``12.96`` → ``12.96%``; ``{{ limit|points:0 }}`` for other decimals."""
    return NOTHING if value is None or value == "" else f"{_grouped(_decimal(value), decimals)}%"


@register.filter
def pct_plain(value: Ratio) -> str:
    """A ratio of one as percent without trailing zeros, for parameters: ``0.15`` → ``15%``."""
    if value is None or value == "":
        return NOTHING
    return f"{(_decimal(value) * 100).normalize():f}%"


@register.filter
def grouped(value: int | Missing) -> str:
    """A count with thousands separators."""
    return NOTHING if value is None or value == "" else f"{value:,d}"


# --- days -------------------------------------------------------------------------------------------------------


def _local(value: datetime.date) -> datetime.date:
    if isinstance(value, datetime.datetime) and timezone.is_aware(value):
        return timezone.localtime(value)
    return value


@register.filter
def day(value: datetime.date | Missing) -> str:
    """``2026-11-23``; an instant shows the local day."""
    return NOTHING if value is None or value == "" else f"{_local(value):%Y-%m-%d}"


@register.filter
def day_long(value: datetime.date | Missing) -> str:
    """``2026 年 11 月 23 日``, in English ``23 November 2026``."""
    if value is None or value == "":
        return NOTHING
    local = _local(value)
    if (get_language() or "zh").startswith("zh"):
        return f"{local.year} 年 {local.month} 月 {local.day} 日"
    return f"{local.day} {_ENGLISH_MONTHS[local.month - 1]} {local.year}"


_ENGLISH_MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


@register.filter
def moment(value: datetime.datetime | Missing) -> str:
    """``2026-11-23 14:05`` in local time."""
    return NOTHING if value is None or value == "" else f"{_local(value):%Y-%m-%d %H:%M}"


@register.filter
def minutes(value: datetime.timedelta) -> int:
    """Whole minutes, rounded up: what to tell somebody who waits."""
    return -(-int(value.total_seconds()) // 60)


# --- what not everybody may read --------------------------------------------------------------------------------


@register.filter
def mask_id(value: str | None) -> str:
    """An identity number with the birthday and sequence hidden: ``330102********1234``."""
    text = (value or "").strip()
    if not text:
        return NOTHING
    if len(text) < 8:
        return text[:1] + "*" * (len(text) - 1)
    head = 6 if len(text) >= 15 else 2
    tail = 4 if len(text) >= 15 else 2
    return f"{text[:head]}{'*' * (len(text) - head - tail)}{text[-tail:]}"


@register.filter
def mask_phone(value: str | None) -> str:
    """A telephone number with its middle hidden: ``138****5678``, ``0571-****7654``."""
    text = (value or "").strip()
    digits = [at for at, character in enumerate(text) if character.isdigit()]
    if not digits:
        return NOTHING
    keep_tail = 4 if len(digits) >= 7 else 1
    keep_head = max(0, min(len(digits) - keep_tail - 4, 4 if text.startswith("0") else 3))
    if text.startswith("+"):
        keep_head = max(0, len(digits) - keep_tail - 4)
    hidden = set(digits[keep_head : len(digits) - keep_tail])
    return "".join("*" if at in hidden else character for at, character in enumerate(text))


@register.filter
def translated(value: object) -> str:
    """A word of the model, such as a state or an act, in the reader's language; what has no translation stays."""
    text = str(value)
    return gettext(text) if text else ""


@register.filter
def initial(value: str | None) -> str:
    """The first character of a name, for the round mark beside it."""
    return (value or "").strip()[:1].upper() or "?"


# --- icons ------------------------------------------------------------------------------------------------------


class UnknownIconError(LookupError):
    """The name is not among the vendored icons; add it to tools/vendor_js.py."""


@functools.cache
def _icon_paths(name: str) -> SafeString:
    file = ICON_DIR / f"{name}.svg"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not file.is_file():
        raise UnknownIconError(name)
    paths = re.findall(r'<path d="[^"]+" />', file.read_text(encoding="utf-8"))
    return mark_safe("".join(paths))  # noqa: S308 — a vendored file, checked by its sha256


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """``{% icon "users" %}`` as an inline drawing; a ``label`` makes it speak, otherwise it is decoration."""
    return _drawn(name, str(label), css)


@functools.lru_cache(maxsize=1024)
def _drawn(name: str, label: str, css: str) -> SafeString:
    return format_html(
        '<svg class="icon{}" width="20" height="20" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        ' stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" {}>{}</svg>',
        f" {css}" if css else "",
        format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"'),
        _icon_paths(name),
    )


@register.filter
def standing_fen(case: Case) -> int | None:
    """What a case stands for now in 分: asked for, or approved once it is decided (less the members refused)."""
    return amount_standing_fen(case)
