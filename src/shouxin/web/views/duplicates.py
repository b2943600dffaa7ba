"""Two entries that may be one, side by side; a branch head merges them or says that they are two."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.parties import merging
from shouxin.parties.matching import refresh_pairs
from shouxin.parties.models import CustomerMerge, DuplicatePair
from shouxin.web.access import Role, Visit, page


@page(Role.BRANCH_HEAD)
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    if request.method == "POST":
        count = refresh_pairs(day=visit.business_date)
        messages.info(request, _("共有 %(n)s 对疑似重复") % {"n": count})
        return redirect("duplicate_list")
    both = {"first__in": visit.customers, "second__in": visit.customers}
    pairs = DuplicatePair.objects.filter(state=DuplicatePair.State.OPEN, **both).select_related(
        "first__party",
        "first__unit",
        "first__main_owner",
        "first__main_class",
        "second__party",
        "second__unit",
        "second__main_owner",
        "second__main_class",
    )
    merges = CustomerMerge.objects.filter(kept__in=visit.customers, undone_at__isnull=True).select_related(
        "kept__party", "merged__party", "merged_by"
    )
    return render(
        request, "pages/duplicates.html",
        {"pairs": pairs.prefetch_related("first__contact_points", "second__contact_points")[:50], "merges": merges[:50],
         "visit": visit, "crumbs": [{"url": reverse("customer_list"), "label": _("客户名单")}]},
    )  # fmt: skip


@require_POST
@page(Role.BRANCH_HEAD)
def merge(request: HttpRequest, visit: Visit) -> HttpResponse:
    pair = get_object_or_404(
        DuplicatePair.objects.select_related("first", "second").filter(
            first__in=visit.customers, second__in=visit.customers
        ),
        pk=int(request.POST.get("pair") or 0),
    )
    if request.POST.get("act") == "different":
        DuplicatePair.objects.filter(pk=pair.pk).update(state=DuplicatePair.State.DIFFERENT, decided_by=visit.actor)
        return redirect("duplicate_list")
    kept, merged = (pair.first, pair.second) if request.POST.get("act") == "first" else (pair.second, pair.first)
    try:
        merging.merge_customers(
            actor=visit.actor, kept=kept, merged=merged, reason=request.POST.get("reason", ""),
            business_date=visit.business_date,
        )  # fmt: skip
    except merging.MergeError as error:
        messages.error(request, str(error))
    return redirect("duplicate_list")


@require_POST
@page(Role.BRANCH_HEAD)
def undo(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    found = get_object_or_404(CustomerMerge.objects.filter(kept__in=visit.customers), pk=pk)
    try:
        merging.undo_merge(actor=visit.actor, merge=found, business_date=visit.business_date)
    except merging.MergeError as error:
        messages.error(request, str(error))
    return redirect("duplicate_list")
