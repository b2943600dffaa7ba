"""Half-yearly reviews: planned from the line or the last one, reported by the branch, continued by risk officers."""

import datetime as dt

from django.db import transaction
from django.db.models import Q, QuerySet

from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import DataScope, Reach, roles_of, scope_of
from shouxin.domain.dates import add_months
from shouxin.facilities.models import CustomerLine, GroupLine
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import memberships_on
from shouxin.monitoring.models import Review
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.policy import load_book

_Role = RoleAssignment.Role


class ReviewError(ValueError):
    """The act is not possible; the text says what to do."""


@transaction.atomic
def plan_reviews(*, as_of: dt.date) -> int:
    """Put the next review of every line in force on the list, half a year after the line began or was reviewed last."""
    rule = load_book().in_force("line.review_months", as_of)
    if rule is None:
        return 0
    months = int(rule.decimal)
    horizon = as_of + dt.timedelta(days=load_book().whole("line.review_ahead_days", as_of))
    planned = 0
    groups = GroupLine.objects.filter(valid_from__lte=as_of, valid_to__gt=as_of).select_related("group")
    for group in {line.group for line in groups}:
        since = min(line.valid_from for line in groups if line.group_id == group.pk)
        planned += _plan(since, months, horizon, group=group)
    for line in CustomerLine.objects.filter(status="active", valid_from__lte=as_of).select_related("customer"):
        planned += _plan(line.valid_from, months, horizon, customer=line.customer)
    return planned


def _plan(
    since: dt.date,
    months: int,
    horizon: dt.date,
    *,
    group: CustomerGroup | None = None,
    customer: Customer | None = None,
) -> int:
    reviews = Review.objects.filter(group=group, customer=customer)
    if reviews.filter(state__in=[Review.State.DUE, Review.State.REPORTED]).exists():
        return 0
    last = reviews.order_by("-reported_date").values_list("reported_date", flat=True).first()
    due = add_months(last or since, months)
    if due > horizon:
        return 0
    Review.objects.create(group=group, customer=customer, due_date=due)
    return 1


def reviews_in_view(scope: DataScope, *, as_of: dt.date) -> QuerySet[Review]:
    """Reviews of customers that somebody sees and of groups with such a member."""
    reviews = Review.objects.select_related("customer__party", "group", "reported_by", "opinion_by")
    if scope.reach is Reach.ALL:
        return reviews
    customers = visible_customers(scope)
    groups = memberships_on(as_of).filter(customer__in=customers).values("group")
    return reviews.filter(customer__in=customers) | reviews.filter(group__in=groups)


def reviews_to_do(person: Staff, *, as_of: dt.date) -> list[Review]:
    """Reviews that wait: the report for managers and branch heads, the opinion for another risk officer."""
    roles = roles_of(person, as_of=as_of)
    waiting = Q()
    if roles & {_Role.CUSTOMER_MANAGER, _Role.BRANCH_HEAD}:
        waiting |= Q(state=Review.State.DUE)
    if _Role.RISK_OFFICER in roles:
        waiting |= Q(state=Review.State.REPORTED) & ~Q(reported_by=person)
    if not waiting:
        return []
    seen = reviews_in_view(scope_of(person, as_of=as_of), as_of=as_of).values("pk")
    found = Review.objects.filter(waiting, pk__in=seen).select_related("customer__party", "group", "reported_by")
    return list(found.order_by("due_date", "pk"))


@transaction.atomic
def report_review(
    *, actor: Staff, review: Review, report: str, has_major_change: bool, business_date: dt.date
) -> Review:
    """The branch's full investigation."""
    review = Review.objects.select_for_update(of=("self",)).get(pk=review.pk)
    if not roles_of(actor, as_of=business_date) & {_Role.CUSTOMER_MANAGER, _Role.BRANCH_HEAD}:
        raise ReviewError("授信后调查由客户经理或支行行长办理。")
    if not reviews_in_view(scope_of(actor, as_of=business_date), as_of=business_date).filter(pk=review.pk).exists():
        raise ReviewError("该对象不在您的数据范围内。")
    if review.state != Review.State.DUE:
        raise ReviewError(f"该次调查为“{review.get_state_display()}”，不能再填报。")
    if not report.strip():
        raise ReviewError("请填写调查报告。")
    review.report, review.has_major_change = report, has_major_change
    review.reported_by, review.reported_date, review.state = actor, business_date, Review.State.REPORTED
    review.save()
    _trace(review, actor, "reported", "授信后全面调查", business_date)
    return review


@transaction.atomic
def give_opinion(*, actor: Staff, review: Review, opinion: str, continues: bool, business_date: dt.date) -> Review:
    """The risk department's opinion. Without a major change the line goes on and is reported to the approving branch;
    with one it cannot simply go on: it must be adjusted by a new case."""
    review = Review.objects.select_for_update(of=("self",)).get(pk=review.pk)
    if _Role.RISK_OFFICER not in roles_of(actor, as_of=business_date):
        raise ReviewError("意见由总行风险审查岗出具。")
    if review.state != Review.State.REPORTED:
        raise ReviewError("须先有调查报告。")
    if not opinion.strip():
        raise ReviewError("请填写意见；没有风险部门意见不能继续使用（CB+8）。")
    if continues and review.has_major_change:
        raise ReviewError("调查发现重大变化，不能直接继续使用，请重新申报额度。")
    review.opinion, review.opinion_by, review.opinion_date = opinion, actor, business_date
    review.state = Review.State.CONTINUES if continues else Review.State.STOPPED
    review.filed_date = business_date if continues else None
    review.save()
    _trace(review, actor, review.state, f"授信后调查意见：{review.get_state_display()}", business_date)
    return review


def _trace(review: Review, actor: Staff, what: str, summary: str, business_date: dt.date) -> None:
    subject = ("group", review.group_id) if review.group_id else ("customer", review.customer_id)
    audit.record(
        actor=actor, action=f"monitoring.review.{what}", subject=subject, summary=summary, business_date=business_date
    )
