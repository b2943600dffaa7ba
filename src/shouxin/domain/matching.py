"""Names that may be the same organisation: what a name is without its legal form, and near names among a million.

A pair comes with a score out of 100 and the reasons for it. Nothing is decided here: persons are never matched by name.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

_FORMS = re.compile(
    r"(股份有限责任公司|集团股份有限公司|集团有限责任公司|集团有限公司|股份有限公司|有限责任公司|有限公司|股份公司|总公司|分公司|"
    r"合伙企业|有限合伙|普通合伙|个体工商户|集团|公司|厂|店|商行|经营部)+$"
)
_BRACKETS = re.compile(r"[(\[【〔（].*?[)\]】〕）]")
_NOT_WORD = re.compile(r"[\W_]+")
_NUMBERS = re.compile(r"\d+")
_PLACE_WORDS = re.compile(r"(省|市|县|区|自治区|自治州)")
RARE_PAIRS = 4
POSTINGS_MAX = 3_000
CANDIDATES_MAX = 12


def core_of(name: str) -> str:
    """A company's name as it is compared: one width, without brackets' signs, legal form and signs between.

    What stands in brackets stays, since 中国（上海） and 中国（北京） are two.
    """
    text = unicodedata.normalize("NFKC", name).lower()
    text = _NOT_WORD.sub("", text)
    bare = _FORMS.sub("", text)
    return bare if len(bare) >= 2 else text


def score_names(first: str, second: str) -> tuple[int, tuple[str, ...]]:
    """How alike two organisations' names are, 0-100, and why."""
    a, b = core_of(first), core_of(second)
    if a == b:
        return (100, ("名称相同",)) if first == second else (97, ("去掉法律形式、括号与全半角后名称相同",))
    if _NUMBERS.sub("#", a) == _NUMBERS.sub("#", b):
        return min(60, round(fuzz.ratio(a, b))), ("只差名称中的编号",)
    c, d = _PLACE_WORDS.sub("", a), _PLACE_WORDS.sub("", b)
    if c == d:
        return 92, ("只差行政区划用字",)
    shorter, longer = sorted((c, d), key=len)
    ratio = fuzz.ratio(c, d)
    if len(shorter) >= 3 and shorter in longer:
        return max(round(ratio), 80), (f"“{shorter}”是另一名称的一部分",)
    if len(shorter) >= 3 and _is_subsequence(shorter, longer):
        return max(round(ratio), 75), (f"“{shorter}”的各字依次出现在另一名称中",)
    return round(ratio), (f"名称相似度 {round(ratio)}",)


def near_addresses(first: str, second: str) -> int:
    """How alike two addresses are, 0-100; another number of a house or a room is another address."""
    a, b = (_NOT_WORD.sub("", unicodedata.normalize("NFKC", text).lower()) for text in (first, second))
    if _NUMBERS.findall(a) != _NUMBERS.findall(b):
        return 0
    return round(fuzz.ratio(_PLACE_WORDS.sub("", a), _PLACE_WORDS.sub("", b)))


def _is_subsequence(short: str, long: str) -> bool:
    rest = iter(long)
    return all(character in rest for character in short)


@dataclass(frozen=True, slots=True)
class Match:
    """One near name: its place in the index, the score and the reasons."""

    place: int
    score: int
    reasons: tuple[str, ...]


class NameIndex:
    """Near names among many: rows that share a name's rarest pairs of characters, scored one by one."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._cores = [core_of(name) for name in names]
        codes, rows = _pairs(self._cores)
        order = np.argsort(codes, kind="stable")
        self._rows = rows[order]
        self._codes, self._starts = np.unique(codes[order], return_index=True)
        self._ends = np.append(self._starts[1:], len(order))

    def find(self, name: str, *, score_min: int = 75, count: int = 5) -> list[Match]:
        """The nearest names from a score on, best first; equal scores in the order of the index."""
        core = core_of(name)
        found = []
        for place in self._candidates(core):
            score, reasons = score_names(name, self.names[place])
            if score >= score_min:
                found.append(Match(int(place), score, reasons))
        found.sort(key=lambda match: (-match.score, match.place))
        return found[:count]

    def _candidates(self, core: str) -> npt.NDArray[np.int32]:
        codes, _ = _pairs([core])
        if not len(codes) or not len(self._codes):
            return np.empty(0, np.int32)
        at = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        at = at[self._codes[at] == codes]
        sizes = self._ends[at] - self._starts[at]
        rare = at[np.argsort(sizes, kind="stable")][:RARE_PAIRS]
        parts = [self._rows[self._starts[i] : self._ends[i]][:POSTINGS_MAX] for i in rare]
        if not parts:
            return np.empty(0, np.int32)
        rows, shared = np.unique(np.concatenate(parts), return_counts=True)
        if len(rows) > CANDIDATES_MAX:
            rows = rows[np.argsort(-shared, kind="stable")[:CANDIDATES_MAX]]
        return rows


def _pairs(texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Each pair of neighbouring characters of each text as a number, with the row of its text."""
    characters = np.frombuffer("\n".join(texts).encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    if len(characters) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int32)
    is_break = characters == 10
    rows = np.cumsum(is_break, dtype=np.int32)
    kept = ~(is_break[:-1] | is_break[1:])
    return ((characters[:-1] << 21) | characters[1:])[kept], rows[:-1][kept]


def match_all(names: Sequence[str], others: Sequence[str], *, score_min: int = 85) -> Iterator[tuple[int, Match]]:
    """The nearest of ``others`` for each of ``names`` that has one."""
    index = NameIndex(others)
    for place, name in enumerate(names):
        if best := index.find(name, score_min=score_min, count=1):
            yield place, best[0]
