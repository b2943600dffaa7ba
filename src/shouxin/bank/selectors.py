"""Read the bank's own facts as of a day."""

import datetime as dt

from django.db.models import Q, QuerySet
from django.utils import timezone

from shouxin.bank.models import CapitalFigure, ExchangeRate, Institution, OrgUnit
from shouxin.policy import load_book


class FigureMissingError(LookupError):
    """A figure that a rule needs has not been entered; the text says which and for when."""


def get_institution() -> Institution:
    """The bank. Raises FigureMissingError before it has been set up."""
    institution = Institution.objects.first()
    if institution is None:
        raise FigureMissingError("尚未建立机构信息，请先运行 shouxin demo 或 shouxin setup。")
    return institution


def find_institution() -> Institution | None:
    return Institution.objects.first()


def get_business_date() -> dt.date:
    """The day that new entries are booked on: the institution's own, or today."""
    return business_date_of(find_institution())


def business_date_of(institution: Institution | None) -> dt.date:
    """The same of an institution that was read already."""
    return institution.business_date if institution and institution.business_date else timezone.localdate()


def _in_use() -> QuerySet[CapitalFigure]:
    """Figures that a second person has approved, or that came with the bank when it was set up."""
    return CapitalFigure.objects.filter(Q(entered_by__isnull=True) | Q(approved_by__isnull=False))


def find_capital_figure(*, kind: str, on_or_before: dt.date) -> CapitalFigure | None:
    """The latest figure of a kind that was dated on or before a day."""
    return _in_use().filter(kind=kind, date__lte=on_or_before).order_by("-date").first()


def find_year_end_capital(*, kind: str, as_of: dt.date) -> CapitalFigure | None:
    """The latest year-end (31 December) figure known on a day (JS-11, A-04)."""
    return _in_use().filter(kind=kind, date__lte=as_of, date__month=12, date__day=31).order_by("-date").first()


def find_limit_capital(*, as_of: dt.date) -> CapitalFigure | None:
    """The net capital that a group's limit is held against (A-04): of the last year end, or the latest one.

    Which of them is the institution's parameter; before it was in force the year end's.
    """
    base = load_book().in_force("group.limit.capital_base", as_of)
    if base is not None and base.value.text == "latest":
        return find_capital_figure(kind=CapitalFigure.Kind.NET, on_or_before=as_of)
    return find_year_end_capital(kind=CapitalFigure.Kind.NET, as_of=as_of)


def get_rate(*, currency: str, as_of: dt.date) -> ExchangeRate:
    """The latest rate on or before a day. Raises FigureMissingError when there is none."""
    rate = ExchangeRate.objects.filter(currency=currency, date__lte=as_of).order_by("-date").first()
    if rate is None:
        raise FigureMissingError(f"缺少 {currency} 在 {as_of} 或之前的汇率，请先录入汇率。")
    return rate


def list_branches() -> list[OrgUnit]:
    """Every unit that can hold customers."""
    return list(OrgUnit.objects.filter(kind__in=[OrgUnit.Kind.BRANCH, OrgUnit.Kind.SUB_BRANCH], is_active=True))
