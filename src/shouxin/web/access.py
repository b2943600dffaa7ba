"""Who is asking, what they may see, and of which day: read once per request."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import DataScope, Reach, roles_of, scope_of
from shouxin.bank.selectors import FigureMissingError, business_date_of, find_institution
from shouxin.domain.parameters import NotInForceError
from shouxin.parties.models import Customer
from shouxin.parties.selectors import editable_customers, visible_customers
from shouxin.web import page_memory

P = ParamSpec("P")
EARLIEST, LATEST = dt.date(1950, 1, 1), dt.date(2200, 1, 1)  # what a page can sensibly be asked to show
Role = RoleAssignment.Role


@dataclass(frozen=True, slots=True)
class Visit:
    """One signed-in person on one page."""

    actor: Staff
    roles: frozenset[str]
    scope: DataScope
    business_date: dt.date
    as_of: dt.date
    institution_name: str = ""
    _kept: dict[str, QuerySet[Customer]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def now(self) -> dt.datetime:
        """This hour of the business day: where the day stands still, so do the clocks of silence and pace."""
        clock = timezone.localtime()
        return dt.datetime.combine(self.business_date, clock.time(), tzinfo=clock.tzinfo)

    @property
    def is_past(self) -> bool:
        return self.as_of != self.business_date

    def has(self, *roles: str) -> bool:
        return bool(self.roles & set(roles))

    @property
    def customers(self) -> QuerySet[Customer]:
        """Those in view, as a new query each time; what the view rests on is read once a request."""
        if "seen" not in self._kept:
            self._kept["seen"] = visible_customers(self.scope)
        return self._kept["seen"].all()

    @property
    def editable_customers(self) -> QuerySet[Customer]:
        """Those in view that this person may change."""
        return editable_customers(self.scope)

    def may_change(self, customer: Customer) -> bool:
        """Whether a customer in view is more than looked on: after a handover the earlier owner only looks."""
        return self.scope.reach is not Reach.OWN or self.editable_customers.filter(pk=customer.pk).exists()

    @property
    def sees_full_phones(self) -> bool:
        """Who works with customers needs their numbers; everybody else sees them masked."""
        return self.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)


def say_today_only(request: HttpRequest, visit: Visit, text: str) -> None:
    """Where a page cannot show a past or coming day, or not all of it, it says what it shows instead."""
    if visit.is_past:
        messages.info(request, text)


def visit_of(request: HttpRequest) -> Visit:
    """Build the visit; a day that does not exist in ``as_of`` is said and today's is used."""
    actor = request.user
    assert isinstance(actor, Staff)  # noqa: S101 - the sign-in middleware lets nobody else through
    made = getattr(request, "visit", None)
    if isinstance(made, Visit) and made.actor == actor:
        return made
    if request.method != "GET":
        page_memory.forget_what_changes(actor.pk)
    prefetch_related_objects([actor], "role_assignments")
    institution = find_institution()
    as_of = business_date = business_date_of(institution)
    asked = request.GET.get("as_of", "")
    if asked:
        try:
            as_of = dt.date.fromisoformat(asked)
            if not EARLIEST <= as_of <= LATEST:
                raise ValueError(asked)
        except ValueError:
            as_of = business_date
            messages.warning(request, _("截止日“%(day)s”不存在，已按营业日显示。") % {"day": asked})
    visit = Visit(
        actor=actor,
        roles=roles_of(actor, as_of=business_date),
        scope=scope_of(actor, as_of=business_date),
        business_date=business_date,
        as_of=as_of,
        institution_name=institution.name if institution else "",
    )
    request.visit = visit  # type: ignore[attr-defined]  # what stands around the page asks again
    return visit


def page(
    *roles: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Visit, P], HttpResponse]], Callable[Concatenate[HttpRequest, P], HttpResponse]
]:
    """A page for people with any of these roles, or for everybody who is signed in when none is named."""

    def decorate(
        view: Callable[Concatenate[HttpRequest, Visit, P], HttpResponse],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @wraps(view)
        def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            visit = visit_of(request)
            if roles and not visit.has(*roles):
                labels = "、".join(str(Role(role).label) for role in roles)
                raise PermissionDenied(_("此页面需要以下岗位之一：%(roles)s") % {"roles": labels})
            try:
                return view(request, visit, *args, **kwargs)
            except (FigureMissingError, NotInForceError) as error:
                return render(request, "pages/figure_missing.html", {"reason": str(error)}, status=409)

        return wrapped

    return decorate
