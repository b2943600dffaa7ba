"""How the customers of a line stand today: what they owe that is due, and how their assets are classified (CB-19).

The same is frozen with a case: a line decided on a customer that paid is not put into force on one that does not.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from shouxin.domain.credit_rules import GRADE_NAMES, GRADE_NAMES_EN, days_overdue, floor_grade, worse_of
from shouxin.domain.findings import Finding, Severity
from shouxin.facilities.models import AssetClass, Overdue
from shouxin.facilities.selectors import deals_on
from shouxin.facilities.servicing import class_thresholds
from shouxin.parties.models import Customer

_CITATION = "《额度授信管理办法（试行）》第七条（三）"
_BAD = frozenset({"substandard", "doubtful", "loss"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Grades other than 正常 and the day since which something is due, by customer."""

    grades: dict[int, str]
    overdue_since: dict[int, dt.date]

    def facts(self) -> dict[str, dict[str, str]]:
        """For a JSON column."""
        return {
            "classification": {str(pk): grade for pk, grade in sorted(self.grades.items())},
            "overdue": {str(pk): str(since) for pk, since in sorted(self.overdue_since.items())},
        }


def standing_of(customer_ids: Collection[int], *, as_of: dt.date) -> Standing:
    """A customer is as good as its worst asset, never better than its days overdue allow. Three queries."""
    owners = dict(deals_on(as_of).filter(customer_id__in=customer_ids).values_list("pk", "customer_id"))
    due = (
        Overdue.objects.filter(deal__in=owners, since_date__lte=as_of)
        .exclude(cured_date__lte=as_of)
        .order_by("since_date")
    )
    since: dict[int, dt.date] = {}
    for deal, date in due.values_list("deal_id", "since_date"):
        since.setdefault(deal, date)
    given: dict[int, str] = {}
    classes = AssetClass.objects.filter(deal__in=owners, classified_date__lte=as_of)
    for deal, grade in classes.order_by("-classified_date", "-id").values_list("deal_id", "grade"):
        given.setdefault(deal, grade)
    thresholds = class_thresholds(as_of)
    grades: dict[int, str] = {}
    overdue_since: dict[int, dt.date] = {}
    for deal, customer in owners.items():
        floor = floor_grade(days_overdue(since.get(deal), as_of), thresholds)
        grades[customer] = worse_of([grades.get(customer, "pass"), floor, given.get(deal, "pass")])
        if deal in since:
            overdue_since[customer] = min(since[deal], overdue_since.get(customer, since[deal]))
    return Standing({pk: grade for pk, grade in grades.items() if grade != "pass"}, overdue_since)


def judge_standing(standing: Standing, *, as_of: dt.date) -> tuple[list[Finding], list[str]]:
    """A bad asset or something overdue is said and makes the line an exception; a person decides (CB-19)."""
    bad = {pk: grade for pk, grade in sorted(standing.grades.items()) if grade in _BAD}
    late = dict(sorted(standing.overdue_since.items()))
    names = names_of({*bad, *late})
    findings, exceptions = [], []
    if bad:
        text = "、".join(f"{names[pk]} 五级分类为{GRADE_NAMES[grade]}" for pk, grade in bad.items())
        english = ", ".join(f"{names[pk]} is classified {GRADE_NAMES_EN[grade]}" for pk, grade in bad.items())
        exceptions.append(text)
        findings.append(
            Finding(
                "CUSTOMER_CLASSIFIED", Severity.WARN, f"{text}，新增授信须审慎，作为例外审批。", "CB-19", _CITATION,
                message_en=f"{english}: decided as an exception.",
                inputs={names[pk]: GRADE_NAMES[grade] for pk, grade in bad.items()},
            )
        )  # fmt: skip
    if late:
        told = {pk: f"自 {date} 起逾期 {days_overdue(date, as_of)} 天" for pk, date in late.items()}
        text = "、".join(f"{names[pk]} {words}" for pk, words in told.items())
        english = ", ".join(f"{names[pk]} is overdue since {date}" for pk, date in late.items())
        exceptions.append(text)
        findings.append(
            Finding(
                "CUSTOMER_OVERDUE", Severity.WARN, f"{text}，新增授信须审慎，作为例外审批。", "CB-19", _CITATION,
                message_en=f"{english}: decided as an exception.",
                inputs={names[pk]: words for pk, words in told.items()},
            )
        )  # fmt: skip
    return findings, exceptions


def names_of(customer_ids: Collection[int]) -> dict[int, str]:
    return dict(Customer.objects.filter(pk__in=customer_ids).values_list("pk", "party__name"))
