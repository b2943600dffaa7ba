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
from itertools import pairwise
from typing import Any

from pypinyin import Style, lazy_pinyin, pinyin_dict
from pypinyin.seg import mmseg
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


@lru_cache(maxsize=50_000)
def _readings_of_word(word: str) -> tuple[str, ...]:
    """The readings of a word of the phrase book, or of a single character."""
    found = tuple(lazy_pinyin(word, errors=_each_character))
    return found if len(found) == len(word) else tuple(_reading(c) or c for c in word)


def _usual_readings(name: str) -> list[str]:
    """One reading for each character of a plain name: by the word it stands in where that matters."""
    if _BY_CONTEXT.isdisjoint(name):
        return [_reading(c) or c for c in name]
    return [reading for word in mmseg.seg.cut(name) for reading in _readings_of_word(word)]


def _readings_of_surname(name: str, usual: str) -> tuple[str, ...]:
    """Every reading in use of the first character of a person's name."""
    first = _READINGS_OF_SURNAMES.get(name[:1])
    return tuple(dict.fromkeys((*first, usual))) if first else (usual,)


def pinyin_of(name: str) -> tuple[str, str]:
    """Pinyin and initials of a name, lower case without spaces: 宏达集团 → hongdajituan, hdjt."""
    return _joined(_usual_readings(plain(name)))


def _joined(readings: list[str]) -> tuple[str, str]:
    return "".join(readings)[:600], "".join([reading[0] for reading in readings])[:200]


def search_vector(fields: SearchFields) -> str:
    """The lexemes of a customer with their positions, as PostgreSQL reads a tsvector."""
    name = plain(fields.name)
    return _vector(fields, name[:_PAIRS_MAX], _usual_readings(name[:_PAIRS_MAX]))


def search_keys_and_vector(fields: SearchFields) -> tuple[str, str, str]:
    """Pinyin, initials and lexemes of a new customer; the name is read once for all three."""
    name = plain(fields.name)
    readings = _usual_readings(name)
    if len(name) > _PAIRS_MAX:
        return *_joined(readings), search_vector(fields)
    return *_joined(readings), _vector(fields, name, readings)


def _vector(fields: SearchFields, name: str, readings: list[str]) -> str:
    out = [f"'{pair[0]}{pair[1]}':{i}" for i, pair in enumerate(pairwise(name), 1)]
    if len(name) == 1:
        out = [f"'{name}':1"]
    if name:
        _append_readings(out, readings, _readings_of_surname(name, readings[0]) if fields.is_person else ())
    position = _FORMER_FROM
    for former in fields.former_names:
        position = _append_pairs(out, plain(former)[:_PAIRS_MAX], position)
    position = _PHONE_FROM
    for digits in fields.digits:
        out += [f"'D{digits[i : i + 4]}':{position + i}" for i in range(len(digits) - 3)]
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


def _append_readings(out: list[str], readings: list[str], first: tuple[str, ...]) -> None:
    """Syllables and neighbouring initials; ``first`` holds all readings of a surname."""
    out += [f"'Y{syllable}':{place}" for place, syllable in enumerate(readings, 1) if len(syllable) > 1]
    out += [f"'I{a[0]}{b[0]}':{place}" for place, (a, b) in enumerate(pairwise(readings), 1)]
    for other in first:
        if other != readings[0]:
            out.append(f"'Y{other}':1")
            if len(readings) > 1:
                out.append(f"'I{other[0]}{readings[1][0]}':1")


def _append_pairs(out: list[str], text: str, position: int) -> int:
    out += [f"'{text[i : i + 2]}':{position + i}" for i in range(len(text) - 1)]
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
