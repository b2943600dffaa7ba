"""Every number that a rule uses is a parameter: dated, with unit, comparison, base and the article it comes from.

A changed number is a new dated value, so any past day can be judged again by what was in force then. An institution's
own values lie over the general ones and may be stricter or, where its own rule says so, different.
"""

import datetime as dt
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
UNITS = frozenset(
    {"percent", "wan", "yuan", "days", "working_days", "months", "years", "hours", "minutes", "generations",
     "count", "ratio", "flag", "choice", "list", "text", "decimals"}
)  # fmt: skip
EVIDENCE_MARKS = {
    "S": "制度原文",
    "F": "公开文本所见",
    "E": "转引",
    "G": "通常理解，待本机构确认",
    "D": "系统默认，待本机构确认",
}


class UnknownParameterError(KeyError):
    """A rule asked for a parameter that no policy file has."""

    def __str__(self) -> str:
        return str(self.args[0])


class NotInForceError(LookupError):
    """The parameter has no value on that day."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value from a day (included) to a day (excluded, None is open) with where it stands."""

    text: str | tuple[str, ...]
    valid_from: dt.date
    valid_to: dt.date | None
    article: str
    citation: str
    evidence: str
    institution: str | None = None

    def is_in_force(self, day: dt.date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter with all its values; ``comparison`` says how a figure is held against it."""

    key: str
    title: str
    title_en: str
    unit: str
    comparison: str
    base: str
    base_date: str
    note: str
    reserved: str
    values: tuple[Value, ...]

    @property
    def is_reserved(self) -> bool:
        """Kept for a rule that is not built yet; ``reserved`` says which."""
        return bool(self.reserved)


def choices_of(parameter: Parameter) -> tuple[str, ...]:
    """What a parameter that is no number may be: yes or no, or any of the items its dated values have; else none."""
    if parameter.unit == "flag":
        return ("yes", "no")
    if parameter.unit not in ("choice", "list", "text"):
        return ()
    items = [item for value in parameter.values for item in _items(value.text)]
    return tuple(dict.fromkeys(items))


def _items(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


@dataclass(frozen=True, slots=True)
class InForce:
    """A parameter on one day: what a rule compares with and cites."""

    parameter: Parameter
    value: Value

    @property
    def decimal(self) -> Decimal:
        if not isinstance(self.value.text, str):
            raise TypeError(f"{self.parameter.key} is a list, not a number")
        try:
            return Decimal(self.value.text)
        except InvalidOperation as error:
            raise TypeError(f"{self.parameter.key} is “{self.value.text}”, not a number") from error

    @property
    def article(self) -> str:
        return self.value.article

    @property
    def citation(self) -> str:
        return self.value.citation

    def allows(self, figure: Decimal) -> bool:
        """Whether a figure holds against the value, compared unrounded: 15.00 % is allowed by ``<= 15`` (A-08)."""
        return COMPARISONS[self.parameter.comparison](figure, self.decimal)


class PolicyBook:
    """All parameters of one institution. Immutable; asked by key and day."""

    def __init__(self, parameters: Iterable[Parameter], institution: str | None = None) -> None:
        self._parameters = {parameter.key: parameter for parameter in parameters}
        self.institution = institution

    def keys(self) -> list[str]:
        return sorted(self._parameters)

    def __contains__(self, key: str) -> bool:
        return key in self._parameters

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def parameter(self, key: str) -> Parameter:
        """Raises UnknownParameterError for a key that no policy file has."""
        try:
            return self._parameters[key]
        except KeyError:
            raise UnknownParameterError(f"制度参数中没有 {key}") from None

    def at(self, key: str, as_of: dt.date) -> InForce:
        """The value in force on a day: the institution's own before the general one, the latest start first.

        Raises:
            UnknownParameterError: no such key.
            NotInForceError: no value on that day.
        """
        parameter = self.parameter(key)
        in_force = [value for value in parameter.values if value.is_in_force(as_of)]
        if not in_force:
            raise NotInForceError(f"参数 {key}（{parameter.title}）在 {as_of} 没有生效的取值")
        return InForce(parameter, max(in_force, key=lambda v: (v.institution is not None, v.valid_from)))

    def in_force(self, key: str, as_of: dt.date) -> InForce | None:
        """As ``at``, but None on a day without a value: a rule that is not in force yet judges nothing.

        Raises UnknownParameterError for a key that no policy file has.
        """
        try:
            return self.at(key, as_of)
        except NotInForceError:
            return None

    def decimal(self, key: str, as_of: dt.date) -> Decimal:
        return self.at(key, as_of).decimal

    def whole(self, key: str, as_of: dt.date) -> int:
        """A whole number; raises TypeError for a fraction."""
        number = self.decimal(key, as_of)
        if number != number.to_integral_value():
            raise TypeError(f"{key} is {number}, not a whole number")
        return int(number)

    def flag(self, key: str, as_of: dt.date) -> bool:
        return self.text(key, as_of) == "yes"

    def text(self, key: str, as_of: dt.date) -> str:
        text = self.at(key, as_of).value.text
        if not isinstance(text, str):
            raise TypeError(f"{key} is a list, not a text")
        return text

    def items(self, key: str, as_of: dt.date) -> tuple[str, ...]:
        text = self.at(key, as_of).value.text
        return (text,) if isinstance(text, str) else text

    def items_in_force(self, key: str, as_of: dt.date) -> tuple[str, ...]:
        """As ``items``, but none on a day without a value."""
        return self.items(key, as_of) if self.in_force(key, as_of) else ()

    def history(self, key: str) -> tuple[Value, ...]:
        """Every value, newest first."""
        return tuple(sorted(self.parameter(key).values, key=lambda value: value.valid_from, reverse=True))

    def overlaid(
        self, values: Mapping[str, str | tuple[str, ...]], *, institution: str, citation: str, valid_from: dt.date
    ) -> "PolicyBook":
        """A book in which some keys have an institution's own value from a day on."""
        parameters = dict(self._parameters)
        for key, text in values.items():
            parameter = self.parameter(key)
            own = Value(text, valid_from, None, parameter.values[-1].article, citation, "D", institution)
            parameters[key] = replace(parameter, values=(*(v for v in parameter.values if v.institution is None), own))
        return PolicyBook(parameters.values(), institution)
