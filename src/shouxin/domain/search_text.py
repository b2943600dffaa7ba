"""What a customer is found by, as lexemes of a text index, and what was typed, as a query over the same lexemes.

A name is cut into pairs of neighbouring characters, so that two Chinese characters are enough and no word list is
needed. Each kind of key has a capital in front that no name can hold, since names are compared in lower case:

``鹏飞`` pairs of a name, a former name or a follow-up text · ``Ypeng`` a syllable · ``Ipf`` two neighbouring initials ·
``D8800`` four neighbouring digits of a telephone · ``P…`` a whole telephone · ``C…`` a code, number or mail address.

Neighbours stand at neighbouring positions, and a query asks for them in that order: a hit is a real substring.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pypinyin import Style, lazy_pinyin, pinyin_dict
from pypinyin.style import convert

_PAIRS_MAX = 120
_FORMER_FROM, _TEXT_FROM, _PHONE_FROM = 300, 2_000, 1_000
_GAP = 4
_CODE_CHARACTERS_MIN = 4
_READINGS_OF_SURNAMES: dict[str, tuple[str, ...]] = {
    "单": ("shan", "dan"), "仇": ("qiu", "chou"), "曾": ("zeng", "ceng"), "解": ("xie", "jie"), "区": ("ou", "qu"),
    "朴": ("piao", "pu"), "查": ("zha", "cha"), "盖": ("ge", "gai"), "翟": ("zhai", "di"), "覃": ("qin", "tan"),
    "乐": ("yue", "le"), "员": ("yun", "yuan"), "种": ("chong", "zhong"), "折": ("she", "zhe"), "缪": ("miao", "mou"),
    "盛": ("sheng", "cheng"), "卜": ("bu",), "秘": ("bi", "mi"), "尉": ("wei", "yu"), "万": ("wan", "mo"),
    "长": ("chang", "zhang"), "召": ("shao", "zhao"), "哈": ("ha",), "黑": ("he", "hei"), "冼": ("xian",),
    "贾": ("jia", "gu"), "柏": ("bai", "bo"), "重": ("chong", "zhong"), "繁": ("po", "fan"), "车": ("che", "ju"),
    "祭": ("zhai", "ji"), "曲": ("qu",), "逄": ("pang",), "隗": ("wei", "kui"), "晟": ("cheng", "sheng"),
    "石": ("shi", "dan"), "宓": ("mi", "fu"), "炅": ("gui", "jiong"), "谌": ("chen", "shen"), "那": ("na",),
}  # fmt: skip
# Read by the word they stand in, not alone: 重庆, 银行, 长沙 …
_BY_CONTEXT = frozenset("重行长乐都朝厦藏曾")
_LATIN = re.compile(r"[a-z]{2,}")
_TELEPHONE = re.compile(r"[\d\s()+\-（）]{4,}")


@dataclass(frozen=True, slots=True)
class SearchFields:
    """Everything that one customer is found by; ``digits`` are telephones as digits only."""

    name: str
    is_person: bool
    number: str = ""
    uscc: str = ""
    former_names: tuple[str, ...] = ()
    digits: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


def plain(text: str) -> str:
    """A text as it is compared: one width, lower case, letters and digits only."""
    if text.isalnum() and not text.isascii():
        folded = unicodedata.normalize("NFKC", text).lower()
        return folded if folded.isalnum() else "".join(c for c in folded if c.isalnum())
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


@lru_cache(maxsize=50_000)
def _reading(character: str) -> str:
    """The usual reading of one Chinese character without its tone; of anything else nothing."""
    marks = pinyin_dict.pinyin_dict.get(ord(character))
    return str(convert(marks.split(",")[0], Style.NORMAL, strict=False)).replace("ü", "v") if marks else ""


def _each_character(rest: str) -> Any:
    return list(rest)


def readings(name: str, *, is_person: bool) -> list[tuple[str, ...]]:
    """The readings of each character of a plain name; of a surname all that are in use, a letter reads as itself."""
    if _BY_CONTEXT.isdisjoint(name):
        found: list[tuple[str, ...]] = [(_reading(c) or c,) for c in name]
    else:
        found = [(text,) for text in lazy_pinyin(name, errors=_each_character)]
        if len(found) != len(name):
            found = [(_reading(c) or c,) for c in name]
    first = _READINGS_OF_SURNAMES.get(name[:1])
    if first and is_person:
        found[0] = tuple(dict.fromkeys((*first, *found[0])))
    return found


def pinyin_of(name: str) -> tuple[str, str]:
    """Pinyin and initials of a name, lower case without spaces: 宏达集团 → hongdajituan, hdjt."""
    parts = readings(plain(name), is_person=False)
    return "".join(p[-1] for p in parts)[:600], "".join(p[-1][0] for p in parts if p[-1])[:200]


def search_vector(fields: SearchFields) -> str:
    """The lexemes of a customer with their positions, as PostgreSQL reads a tsvector."""
    name = plain(fields.name)[:_PAIRS_MAX]
    out = [f"'{name[i : i + 2]}':{i + 1}" for i in range(len(name) - 1)] or [f"'{name}':1"] * bool(name)
    _append_readings(out, readings(name, is_person=fields.is_person) if name else [])
    position = _FORMER_FROM
    for former in fields.former_names:
        position = _append_pairs(out, plain(former)[:_PAIRS_MAX], position)
    position = _PHONE_FROM
    for digits in fields.digits:
        for i in range(len(digits) - 3):
            out.append(f"'D{digits[i : i + 4]}':{position + i}")
        out.append(f"'P{digits}'")
        position += len(digits) + _GAP
    for code in (fields.number, fields.uscc, *fields.mails):
        if code:
            out.append(f"'C{_quoted(code)}'")
    position = _TEXT_FROM
    for text in fields.texts:
        if position > 15_000:
            break  # positions of a tsvector end at 16,383; older texts stay found in the timeline
        position = _append_pairs(out, plain(text)[:1_000], position)
    return " ".join(out)


def _append_readings(out: list[str], parts: list[tuple[str, ...]]) -> None:
    before: tuple[str, ...] = ()
    for place, part in enumerate(parts, start=1):
        out.extend(f"'Y{syllable}':{place}" for syllable in part if len(syllable) > 1)
        if before:
            out.extend(f"'I{a[0]}{b[0]}':{place - 1}" for a in before for b in part if a and b)
        before = part


def _append_pairs(out: list[str], text: str, position: int) -> int:
    out.extend(f"'{text[i : i + 2]}':{position + i}" for i in range(len(text) - 1))
    return position + len(text) + _GAP


def _quoted(text: str) -> str:
    return text.strip().lower().replace("\\", "").replace("'", "")


def search_query(text: str, *, finds_part_of_phone: bool = True) -> str:
    """What was typed as a tsquery; empty when nothing can match.

    Whoever sees telephones masked finds them by the whole number only: parts would spell a number out.
    """
    text = text.strip()[:200]
    words = plain(text)
    if not words:
        return ""
    ways = [_in_order("", [words[i : i + 2] for i in range(len(words) - 1)])] if len(words) > 1 else [f"'{words}':*"]
    lower = unicodedata.normalize("NFKC", text).lower().strip()
    if _LATIN.fullmatch(words):
        ways.append(_in_order("I", [words[i : i + 2] for i in range(len(words) - 1)]))
        ways.extend(_in_order("Y", syllables, last_is_open=True) for syllables in split_syllables(words))
    if len(lower) >= _CODE_CHARACTERS_MIN and re.fullmatch(r"[0-9a-z@._+\-]+", lower):
        ways.append(f"'C{_quoted(lower)}':*")
    digits = re.sub(r"\D", "", lower) if _TELEPHONE.fullmatch(lower) else ""
    if len(digits) >= 4:
        whole = digits.lstrip("0")
        ways.append(f"'P{whole or digits}'")
        if finds_part_of_phone:
            ways.extend(
                _in_order("D", [found[i : i + 4] for i in range(len(found) - 3)])
                for found in dict.fromkeys((digits, whole))
                if len(found) >= 4
            )
    return " | ".join(ways)


def _in_order(mark: str, parts: Iterable[str], *, last_is_open: bool = False) -> str:
    quoted = [f"'{mark}{part}'" for part in parts]
    if last_is_open:
        quoted[-1] += ":*"
    return f"({' <-> '.join(quoted)})"


@lru_cache(maxsize=1)
def _syllables() -> frozenset[str]:
    common = range(0x4E00, 0x9FA6)
    return frozenset(s for s in (_reading(chr(code)) for code in common) if len(s) > 1 and s.isascii())


def split_syllables(letters: str, *, ways_max: int = 6) -> list[list[str]]:
    """Letters as Chinese syllables in every way there is, the last one possibly unfinished: pengf → peng, f."""
    known = _syllables()
    found: list[list[str]] = []

    def go(rest: str, before: list[str]) -> None:
        if len(found) >= ways_max:
            return
        if any(s.startswith(rest) for s in known):
            found.append([*before, rest])
        for length in range(min(6, len(rest) - 1), 1, -1):
            if rest[:length] in known:
                go(rest[length:], [*before, rest[:length]])

    if len(letters) <= 60:
        go(letters, [])
    return found
