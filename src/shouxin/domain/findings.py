"""What a rule says about a case: one finding per broken or strained rule, in words for the person at the desk.

A check returns all its findings as values; nothing is raised for a rule that says no.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from shouxin.domain.finding_texts import FINDING_TEXTS


class Severity(StrEnum):
    """Whether a finding stops the act, warns, or only informs."""

    REFUSE = "refuse"
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of one rule.

    ``message`` says what was asked, what is allowed and what to do next; ``article`` is the id of the requirement
    that the rule comes from (JS-11), ``citation`` its document and article as printed; ``inputs`` are the figures
    it was judged by, already formatted with their units.
    """

    code: str
    severity: Severity
    message: str
    article: str
    citation: str = ""
    message_en: str = ""
    remedy: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_refusal(self) -> bool:
        return self.severity is Severity.REFUSE

    @property
    def english(self) -> str:
        """The sentence in English: the rule's own, or that of its code; the Chinese one when there is neither."""
        known = FINDING_TEXTS.get(self.code)
        return self.message_en or (known.english if known else self.message)

    @property
    def advice(self) -> str:
        """What to do: the rule's own words, or those of its code."""
        known = FINDING_TEXTS.get(self.code)
        return self.remedy or (known.remedy if known else "")

    @property
    def advice_en(self) -> str:
        """What to do in English where the code's text has it."""
        known = FINDING_TEXTS.get(self.code)
        return known.remedy_en if known else ""

    def stored(self) -> dict[str, Any]:
        """For a JSON column. ``inputs`` become pairs: PostgreSQL's jsonb would sort the keys of an object."""
        return {**asdict(self), "inputs": [list(pair) for pair in self.inputs.items()]}

    @classmethod
    def from_stored(cls, row: Mapping[str, Any]) -> Self:
        """The finding as it was judged, from what ``stored`` gave."""
        return cls(**{**row, "severity": Severity(row["severity"]), "inputs": dict(row["inputs"])})
