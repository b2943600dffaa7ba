"""公海: who may be picked, and who goes there soon."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.parties.pool import PoolError, candidates_for_pool, claim, release
from shouxin.parties.selectors import list_pool
from shouxin.policy import load_book
from shouxin.web.access import Role, Visit, page

WORKERS = (Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)


@page(*WORKERS)
def show(request: HttpRequest, visit: Visit) -> HttpResponse:
    book, day = load_book(), visit.business_date
    soon = candidates_for_pool(day=day, staff_id=visit.actor.pk)
    return render(
        request,
        "pages/pool.html",
        {
            "rows": list_pool()[:50],
            "soon": soon[:50],
            "claims_max": book.whole("crm.pool_claims_per_day", day),
            "capacity": book.whole("crm.pool_capacity", day),
            "visit": visit,
            "crumbs": [{"url": reverse("customer_list"), "label": _("客户名单")}],
        },
    )


@require_POST
@page(Role.CUSTOMER_MANAGER)
def claim_one(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    try:
        claim(actor=visit.actor, customer_id=pk, business_date=visit.business_date)
    except PoolError as error:
        messages.error(request, str(error))
    return redirect("pool")


@require_POST
@page(*WORKERS)
def release_one(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = get_object_or_404(visit.editable_customers, number=number)
    reason = request.POST.get("reason", "").strip() or _("主动退回")
    try:
        release(actor=visit.actor, customer_ids=[customer.pk], reason=reason, business_date=visit.business_date)
    except PoolError as error:
        messages.error(request, str(error))
        return redirect("customer_detail", number=number)
    return redirect("pool")
