"""What a signal shows before it becomes an alert."""

from collections.abc import Mapping
from dataclasses import dataclass

from shouxin.domain.parameters import InForce


@dataclass(frozen=True, slots=True)
class Shown:
    """A signal that the data show: what it says, in both languages, the figures behind it, and the value it was held
    against. ``key`` names the fact: the same fact is raised once."""

    code: str
    key: str
    message: str
    message_en: str
    inputs: Mapping[str, str]
    line: InForce
