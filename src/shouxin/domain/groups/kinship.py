"""Near relatives 近亲属, computed from two facts only: who is whose parent, who is married to whom.

Generations 代 count oneself as 1. Lineal: a distance of k steps is generation k + 1. Collateral: with distances a and
b to the nearest common ancestor, generation max(a, b) + 1, so brothers and sisters are 2 and a nephew is 3 (D9).
The family of a person is that person with the near relatives (D10), never the relatives' relatives. In-laws are
candidates only. Who has died is no member of a family, but still connects it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shouxin.domain.evidence import Register


@dataclass(frozen=True, slots=True)
class Kin:
    """One relative: how they are related and the persons from the ego to them, both included."""

    person: str
    relation: str
    generation: int
    path: tuple[str, ...]
    steps: str


@dataclass(frozen=True, slots=True)
class FamilyTree:
    """Parents, children and spouses on one day."""

    parents: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]]
    spouses: Mapping[str, tuple[str, ...]]
    dead: frozenset[str]

    @classmethod
    def of(cls, register: Register) -> "FamilyTree":
        parents: defaultdict[str, list[str]] = defaultdict(list)
        children: defaultdict[str, list[str]] = defaultdict(list)
        spouses: defaultdict[str, list[str]] = defaultdict(list)
        for link in register.kin:
            if link.relation == "parent":
                parents[link.b].append(link.a)
                children[link.a].append(link.b)
            else:
                spouses[link.a].append(link.b)
                spouses[link.b].append(link.a)
        involved = {person for link in register.kin for person in (link.a, link.b)}
        dead = frozenset(person for person in involved if register.is_dead(person))
        return cls(_frozen(parents), _frozen(children), _frozen(spouses), dead)

    def near_relatives(
        self, person: str, *, lineal_generations: int, collateral_generations: int, include_spouse: bool
    ) -> dict[str, Kin]:
        """The near relatives of a person by id, each by the shortest path, the person not included."""
        found: dict[str, Kin] = {}
        up = self._walk({person: (person,)}, self.parents, lineal_generations - 1)
        down = self._walk({person: (person,)}, self.children, lineal_generations - 1)
        for relation, mark, reached in (("lineal", "u", up), ("lineal", "d", down)):
            for relative, path in reached.items():
                found.setdefault(relative, Kin(relative, relation, len(path), path, mark * (len(path) - 1)))
        if include_spouse:
            for spouse in self.spouses.get(person, ()):
                found.setdefault(spouse, Kin(spouse, "spouse", 1, (person, spouse), "s"))
        for kin in self._collaterals(person, collateral_generations):
            found.setdefault(kin.person, kin)
        found.pop(person, None)
        return {relative: kin for relative, kin in found.items() if relative not in self.dead}

    def in_laws(self, person: str, near: Mapping[str, Kin], **generations: int) -> dict[str, Kin]:
        """Spouses of near relatives, and near relatives of the spouse: candidates for a person to judge (A-21)."""
        found: dict[str, Kin] = {}
        for kin in near.values():
            if kin.relation == "spouse":
                beyond = self.near_relatives(kin.person, include_spouse=False, **generations)
                rows = [(other.person, other.path, other.steps) for other in beyond.values()]
            else:
                rows = [(spouse, (kin.person, spouse), "s") for spouse in self.spouses.get(kin.person, ())]
            for relative, path, steps in rows:
                if relative != person and relative not in near and relative not in self.dead:
                    found.setdefault(relative, Kin(relative, "in_law", 0, kin.path + path[1:], kin.steps + steps))
        return found

    def _collaterals(self, person: str, generations: int) -> Iterable[Kin]:
        reach = generations - 1
        for ancestor, up in self._walk({person: (person,)}, self.parents, reach).items():
            for relative, path in self._walk({ancestor: up}, self.children, reach).items():
                down_steps = len(path) - len(up)
                if relative not in up and down_steps and len(up) > 1:
                    steps = "u" * (len(up) - 1) + "d" * down_steps
                    yield Kin(relative, "collateral", max(len(up) - 1, down_steps) + 1, path, steps)

    @staticmethod
    def _walk(
        start: Mapping[str, tuple[str, ...]], links: Mapping[str, tuple[str, ...]], steps: int
    ) -> dict[str, tuple[str, ...]]:
        """Everybody within some steps along one kind of link, with the shortest path; the start is left out."""
        reached: dict[str, tuple[str, ...]] = {}
        edge = dict(start)
        for _ in range(steps):
            further: dict[str, tuple[str, ...]] = {}
            for at, path in edge.items():
                for other in links.get(at, ()):
                    if other not in reached and other not in start and other not in further:
                        further[other] = (*path, other)
            reached.update(further)
            edge = further
        return reached


def _frozen(links: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {person: tuple(sorted(set(others))) for person, others in links.items()}


_TERMS = {
    # steps from the ego: (male, female, unknown)
    "u": ("父亲", "母亲", "父母"),
    "d": ("儿子", "女儿", "子女"),
    "s": ("配偶", "配偶", "配偶"),
    "ud": ("兄弟", "姐妹", "兄弟姐妹"),
    "uu": ("祖父", "祖母", "祖父母"),
    "dd": ("孙子", "孙女", "孙子女"),
    "uuu": ("曾祖父", "曾祖母", "曾祖父母"),
    "ddd": ("曾孙", "曾孙女", "曾孙子女"),
    "uud": ("叔伯舅", "姑姨", "父母的兄弟姐妹"),
    "udd": ("侄甥", "侄女甥女", "兄弟姐妹的子女"),
    "uudd": ("堂表兄弟", "堂表姐妹", "堂表兄弟姐妹"),
    "ds": ("女婿", "儿媳", "子女的配偶"),
    "us": ("继父", "继母", "父母的配偶"),
    "su": ("岳父/公公", "岳母/婆婆", "配偶的父母"),
    "uds": ("姐夫妹夫", "嫂子弟媳", "兄弟姐妹的配偶"),
    "sud": ("配偶的兄弟", "配偶的姐妹", "配偶的兄弟姐妹"),
    "sd": ("继子", "继女", "配偶的子女"),
}
_OUTER = {"uu": ("外祖父", "外祖母", "外祖父母"), "dd": ("外孙", "外孙女", "外孙子女")}


def kin_term(kin: Kin, register: Register) -> str:
    """What the ego calls this relative: 父亲, 配偶, 兄弟 …; without a known sex the general word."""
    if not kin.steps:
        return "本人"
    sexes = {"M": 0, "F": 1}
    entity = register.entities.get(kin.person)
    column = sexes.get(entity.sex if entity else "", 2)
    if kin.steps in _OUTER and len(kin.path) == 3:
        between = register.entities.get(kin.path[1])
        if between is not None and between.sex == "F":
            return _OUTER[kin.steps][column]
    return _TERMS[kin.steps][column] if kin.steps in _TERMS else "亲属"
