"""The customer list and a customer's page."""

import base64
import datetime as dt
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.audit import selectors as audit
from shouxin.facilities import selectors as facilities
from shouxin.groups.selectors import find_group_of, open_candidates_with
from shouxin.limits.models import Node
from shouxin.parties import services
from shouxin.parties.models import ContactPoint, Customer, CustomerClass
from shouxin.parties.selectors import (
    classification_on,
    find_similar,
    list_classes,
    search_filter,
    visible_customers,
    with_validity,
)
from shouxin.policy.products import resolve_product
from shouxin.reporting.exports import customer_csv, customer_xlsx
from shouxin.reporting.selectors import customer_rows
from shouxin.web.access import Role, Visit, page
from shouxin.web.forms import ClassForm, ContactForm, NextStepForm, ProspectForm
from shouxin.web.templatetags.shouxin_format import moment

ROWS_PER_PAGE = 20
COUNT_MAX = 1000
EXPORT_ROWS_MAX = 50_000


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to; all of it lives in the URL."""

    text: str
    stage: str
    customer_class: str
    unit: str
    quick: str

    @classmethod
    def of(cls, request: HttpRequest) -> "Filters":
        get = request.GET.get
        return cls(get("q", "").strip(), get("stage", ""), get("class", ""), get("unit", ""), get("quick", ""))

    def apply(self, customers: QuerySet[Customer], *, as_of: dt.date) -> QuerySet[Customer]:
        customers = with_validity(customers.filter(search_filter(self.text)))
        if self.stage in Customer.Stage.values:
            customers = customers.filter(stage=self.stage)
        if self.customer_class.isascii() and self.customer_class.isdigit():
            customers = customers.filter(
                classifications__customer_class_id=int(self.customer_class), classifications__valid_to__isnull=True
            )
        if self.unit:
            customers = customers.filter(unit__code=self.unit)
        match self.quick:
            case "no-next-step":
                return customers.filter(next_step="")
            case "overdue":
                return customers.filter(next_step_date__lt=as_of)
            case "repair":
                return customers.filter(is_valid=False)  # type: ignore[misc]
            case "group":
                return customers.filter(memberships__valid__contains=as_of, memberships__recorded__upper_inf=True)
        return customers

    @property
    def is_any(self) -> bool:
        return any((self.text, self.stage, self.customer_class, self.unit, self.quick))


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    filters = Filters.of(request)
    found = filters.apply(visit.customers, as_of=visit.as_of)
    rows, pager = _page_of(customer_rows(found, as_of=visit.as_of), request)
    count = found.order_by()[: COUNT_MAX + 1].count()
    pager["count_text"] = (
        _("%(n)s 户") % {"n": f"{count:,}"} if count <= COUNT_MAX else _("%(n)s+ 户") % {"n": f"{COUNT_MAX:,}"}
    )
    context = {"rows": rows, "pager": pager, "filters": filters, "as_of": visit.as_of, "visit": visit}
    if request.headers.get("HX-Target") == "customer-table":
        return render(request, "pages/_customer_table.html", context)
    classes = list_classes().filter(scheme__is_main=True)
    counts = dict(
        CustomerClass.objects.filter(
            classifications__customer__in=visit.customers, classifications__valid_to__isnull=True
        )
        .values_list("pk")
        .annotate(n=Count("classifications__customer", distinct=True))
    )
    units = {
        c["unit__code"]: c["unit__name"]
        for c in visit.customers.order_by().values("unit__code", "unit__name").distinct()
    }
    actions = [
        {"label": _("打印"), "url": _with_query(request, "customer_print"), "icon": "printer"},
        {"label": _("导出 Excel"), "url": _with_query(request, "customer_export", "xlsx"), "icon": "download"},
        {"label": "CSV", "url": _with_query(request, "customer_export", "csv"), "icon": "download"},
    ]
    if visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD):
        actions.append({"label": _("新建准客户"), "url": reverse("customer_add"), "icon": "plus", "primary": True})  # type: ignore[dict-item]
    return render(
        request,
        "pages/customer_list.html",
        context
        | {
            "classes": [(c, counts.get(c.pk, 0)) for c in classes],
            "units": sorted(units.items()),
            "stages": Customer.Stage.choices,
            "chips": _chips(filters),
            "actions": actions,
        },
    )


def _chips(filters: Filters) -> list[dict[str, object]]:
    names = (
        ("", _("全部")),
        ("no-next-step", _("无下一步")),
        ("overdue", _("已逾期")),
        ("repair", _("待补全")),
        ("group", _("集团成员")),
    )
    return [{"value": value, "label": label, "active": filters.quick == value} for value, label in names]


def _with_query(request: HttpRequest, name: str, *arguments: str) -> str:
    query = request.GET.copy()
    for key in ("after", "before"):
        query.pop(key, None)
    return reverse(name, args=arguments) + (f"?{query.urlencode()}" if query else "")


# --- keyset paging: newest change first, the number breaks ties ----------------------------------------------------


def _page_of(customers: QuerySet[Customer], request: HttpRequest) -> tuple[list[Customer], dict[str, str]]:
    """One page after or before a cursor, and the cursors of its neighbours."""
    after, before = _read_cursor(request.GET.get("after")), _read_cursor(request.GET.get("before"))
    if before is not None:
        at, pk = before
        newer = customers.filter(Q(updated_at__gt=at) | Q(updated_at=at, pk__gt=pk)).order_by("updated_at", "pk")
        rows = list(newer[: ROWS_PER_PAGE + 1])
        has_newer = len(rows) > ROWS_PER_PAGE
        rows = rows[:ROWS_PER_PAGE][::-1]
        return rows, {
            "before": _cursor(rows[0]) if has_newer and rows else "",
            "after": _cursor(rows[-1]) if rows else "",
        }
    if after is not None:
        at, pk = after
        customers = customers.filter(Q(updated_at__lt=at) | Q(updated_at=at, pk__lt=pk))
    rows = list(customers.order_by("-updated_at", "-pk")[: ROWS_PER_PAGE + 1])
    has_older = len(rows) > ROWS_PER_PAGE
    rows = rows[:ROWS_PER_PAGE]
    return rows, {
        "before": _cursor(rows[0]) if after is not None and rows else "",
        "after": _cursor(rows[-1]) if has_older and rows else "",
    }


def _cursor(customer: Customer) -> str:
    return base64.urlsafe_b64encode(f"{customer.updated_at.isoformat()}|{customer.pk}".encode()).decode()


def _read_cursor(text: str | None) -> tuple[dt.datetime, int] | None:
    """The place a cursor names; a broken one starts from the first page."""
    if not text:
        return None
    try:
        at, pk = base64.urlsafe_b64decode(text.encode()).decode().split("|")
        return dt.datetime.fromisoformat(at), int(pk)
    except (ValueError, UnicodeDecodeError):
        return None


# --- export, print, add --------------------------------------------------------------------------------------------


@page()
def export(request: HttpRequest, visit: Visit, form: str) -> HttpResponse:
    if form not in {"csv", "xlsx"}:
        raise Http404
    found = customer_rows(Filters.of(request).apply(visit.customers, as_of=visit.as_of), as_of=visit.as_of)
    rows = found.order_by("-updated_at", "-pk")[:EXPORT_ROWS_MAX]
    write = customer_csv if form == "csv" else customer_xlsx
    body = write(rows, actor=visit.actor, masks_phones=not visit.sees_full_phones, business_date=visit.business_date)
    kind = (
        "text/csv; charset=utf-8"
        if form == "csv"
        else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )
    response = HttpResponse(body, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="customers-{visit.business_date}.{form}"'
    return response


@page()
def print_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    """准客户名单 on paper."""
    found = Filters.of(request).apply(visit.customers, as_of=visit.as_of)
    rows = list(customer_rows(found, as_of=visit.as_of).order_by("-updated_at", "-pk")[:500])
    return render(request, "pages/customer_print.html", {"rows": rows, "visit": visit, "as_of": visit.as_of})


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def add(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = ProspectForm(request.POST or None)
    similar: list[dict[str, object]] = []
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        similar = [_similar(customer, visit) for customer in find_similar(name=data["name"], phone=data["phone"])]
        if not similar or data["confirm_duplicate"]:
            kept = ("name", "kind", "uscc", "identity_number", "customer_class", "next_step", "next_step_date")
            try:
                customer = services.add_prospect(
                    actor=visit.actor,
                    contacts=form.contacts(),
                    business_date=visit.business_date,
                    **{name: data[name] for name in kept},
                )
                return redirect("customer_detail", number=customer.number)
            except services.CustomerInputError as error:
                for field, reason in error.errors.items():
                    form.add_error(field, reason)
    status = 200 if request.method != "POST" else 409 if similar else 422
    context = {"form": form, "similar": similar, "crumbs": [{"url": reverse("customer_list"), "label": _("客户名单")}]}
    return render(request, "pages/customer_form.html", context, status=status)


def _similar(customer: Customer, visit: Visit) -> dict[str, object]:
    """A possible duplicate; outside one's view only that it exists and whom to ask."""
    is_in_view = visible_customers(visit.scope).filter(pk=customer.pk).exists()
    name = customer.party.name if is_in_view else f"{customer.party.name[:2]}***"
    return {
        "name": name,
        "unit": customer.unit.name,
        "url": reverse("customer_detail", args=[customer.number]) if is_in_view else "",
    }


# --- one customer --------------------------------------------------------------------------------------------------


def _get_customer(visit: Visit, number: str) -> Customer:
    customer = with_validity(visit.customers.select_related("party", "unit")).filter(number=number).first()
    if customer is None:
        raise Http404(_("没有这个客户，或不在您的数据范围内"))
    return customer


@page()
def show(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _get_customer(visit, number)
    group = find_group_of(customer.pk, as_of=visit.as_of)
    totals = facilities.totals_of_customers([customer.pk], as_of=visit.as_of)[customer.pk]
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    contracts = list(facilities.list_facilities(customer.pk, as_of=visit.as_of))
    pairs = facilities.domain_deals(
        facilities.deals_on(visit.as_of).filter(customer=customer).select_related("branch"), as_of=visit.as_of
    )
    drawings = facilities.list_drawings(customer.pk, limit=10)
    can_draw = visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD) and contracts
    actions: list[dict[str, object]] = [{"label": _("打印"), "print": True}]
    if can_draw:
        actions.append(
            {
                "label": _("发起支用"),
                "url": reverse("drawing_new", args=[number]),
                "icon": "credit-card",
                "primary": True,
            }
        )
    return render(
        request,
        "pages/customer_detail.html",
        {
            "customer": customer,
            "group": group,
            "candidates": [] if group else open_candidates_with(customer.party_id),
            "totals": totals,
            "node": node,
            "available_fen": node.cap_fen - node.used_fen if node and node.cap_fen is not None else None,
            "contracts": [(contract, resolve_product(contract.product).name) for contract in contracts],
            "deals": [(deal, seen, resolve_product(deal.product).name) for deal, seen in pairs],
            "drawings": [(drawing, resolve_product(drawing.facility.product).name) for drawing in drawings],
            "classes": classification_on(customer, as_of=visit.as_of),
            "owners": customer.ownerships.filter(valid_to__isnull=True).select_related("staff__unit"),
            "contacts": customer.contact_points.all(),
            "events": [
                {"title": entry.summary, "line": f"{entry.actor_name} · {moment(entry.recorded_at)}"}
                for entry in audit.list_entries(subject=("customer", customer.pk), limit=30)
            ],
            "contact_form": ContactForm(),
            "class_form": ClassForm(),
            "step_form": NextStepForm(
                initial={"next_step": customer.next_step, "next_step_date": customer.next_step_date}
            ),
            "visit": visit,
            "as_of": visit.as_of,
            "actions": actions,
            "crumbs": [{"url": reverse("customer_list"), "label": _("客户名单")}],
            "kinds": ContactPoint.Kind.choices,
        },
    )


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def add_contact(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _get_customer(visit, number)
    form = ContactForm(request.POST)
    if form.is_valid():
        services.add_contact_point(customer=customer, contact=services.ContactInput(**form.cleaned_data))
    else:
        messages.error(request, _("联系方式未保存：") + _errors(form))
    return redirect("customer_detail", number=number)


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def classify(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _get_customer(visit, number)
    form = ClassForm(request.POST)
    if form.is_valid():
        services.classify(actor=visit.actor, customer=customer, business_date=visit.business_date, **form.cleaned_data)
    else:
        messages.error(request, _("类别未保存：") + _errors(form))
    return redirect("customer_detail", number=number)


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def set_next_step(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _get_customer(visit, number)
    form = NextStepForm(request.POST)
    if form.is_valid():
        services.set_next_step(
            actor=visit.actor, customer=customer, business_date=visit.business_date, **form.cleaned_data
        )
    else:
        messages.error(request, _("下一步未保存：") + _errors(form))
    return redirect("customer_detail", number=number)


def _errors(form: ContactForm | ClassForm | NextStepForm) -> str:
    return "；".join(str(error) for errors in form.errors.values() for error in errors)
