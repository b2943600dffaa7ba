"""The customer list and a customer's page."""

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.bank.models import Staff
from shouxin.domain.exposure import Totals, totals_by_customer
from shouxin.facilities import selectors as facilities
from shouxin.groups.selectors import find_group_of, open_candidates_with
from shouxin.limits.models import Node
from shouxin.parties import services
from shouxin.parties.bulk import classify_many, tag_many
from shouxin.parties.models import ContactPoint, Customer, CustomerClass, SavedView, Tag
from shouxin.parties.ownership import OwnershipError, transfer_customers
from shouxin.parties.selectors import (
    classification_on,
    find_similar,
    list_classes,
    referral_tree,
    visible_customers,
    with_list_columns,
)
from shouxin.parties.views_kept import keep_view, saved_views_for, staff_in_units, units_in_view
from shouxin.policy.products import resolve_product
from shouxin.reporting.customer_list import (
    COLUMNS,
    COUNT_MAX,
    EXPORT_ROWS_MAX,
    ROWS_PER_PAGE,
    Filters,
    capped_count,
    class_counts,
    find_page,
)
from shouxin.reporting.exports import customer_csv, customer_xlsx
from shouxin.reporting.list_rows import list_rows, newest_ids, rows_in_parts
from shouxin.web import page_memory
from shouxin.web.access import Role, Visit, page
from shouxin.web.forms import ClassForm, ContactForm, NextStepForm, ProspectForm, RowForm
from shouxin.web.views.customer_work import WORKERS, service_context
from shouxin.web.views.engagement import relationship_context

PRINT_ROWS_MAX, TAGS_MAX = 500, 200


def filters_of(request: HttpRequest, visit: Visit) -> Filters:
    return Filters.of(request.GET, only_whole_phones=not visit.sees_full_phones)


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    filters = filters_of(request, visit)
    seen = find_page(filters, visit.customers, request.GET, as_of=visit.as_of, staff_id=visit.actor.pk)
    pager = seen.pager
    pager["count_text"] = _count_text(seen.count, filters, visit, exactly=request.GET.get("count") == "exact")
    pager["can_count"] = "+" if pager["count_text"].count("+") else ""
    rows = list_rows(seen.ids, as_of=visit.as_of, columns=filters.columns)
    context = {
        "rows": rows,
        "pager": pager,
        "filters": filters,
        "query": filters.query(),
        "as_of": visit.as_of,
        "visit": visit,
        **_headings(filters.columns),
        "can_edit": visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD),
    }
    if request.headers.get("HX-Target") == "customer-table":
        return render(request, "pages/_customer_table.html", context)
    return render(request, "pages/customer_list.html", context | _around_list(request, visit, filters))


def _count_text(count: int, filters: Filters, visit: Visit, *, exactly: bool) -> str:
    if count > COUNT_MAX and exactly:
        found = filters.apply(visit.customers, as_of=visit.as_of, staff_id=visit.actor.pk)
        count = found.order_by().count()
    if count <= COUNT_MAX or exactly:
        return _("%(n)s 户") % {"n": f"{count:,}"}
    return _("%(n)s+ 户") % {"n": f"{COUNT_MAX:,}"}


def _around_list(request: HttpRequest, visit: Visit, filters: Filters) -> dict[str, object]:
    """What stands around the table: choices, chips, saved views, actions, the acts on what is selected."""
    all_classes, tags, units, receivers, views = page_memory.choices.get(
        (visit.actor.pk, visit.scope), lambda: _choices(visit)
    )
    actions: list[dict[str, object]] = [
        {"label": _("看板"), "url": _with_query(request, "customer_board"), "icon": "layout-dashboard"},
        {"label": _("打印"), "url": _with_query(request, "customer_print"), "icon": "printer"},
        {"label": _("导出 Excel"), "url": _with_query(request, "customer_export", "xlsx"), "icon": "download"},
        {"label": "CSV", "url": _with_query(request, "customer_export", "csv"), "icon": "download"},
    ]
    can_edit = visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
    if can_edit:
        actions.append({"label": _("导入"), "url": reverse("import_list"), "icon": "database-import"})
        actions.append({"label": _("新建准客户"), "url": reverse("customer_add"), "icon": "plus", "primary": True})
    return {
        "classes": class_counts(visit.customers, [c for c in all_classes if c.scheme.is_main]),
        "units": units,
        "stages": Customer.Stage.choices,
        "orders": [("updated", _("最近更新")), ("next-step", _("下一步日期")), ("last-contact", _("最久未联系"))],
        "column_choices": _column_choices(),
        "chips": _chips(filters),
        "views": views,
        "tags": tags,
        "receivers": receivers,
        "all_classes": all_classes,
        "actions": actions,
    }


def _choices(
    visit: Visit,
) -> tuple[list[CustomerClass], list[Tag], list[tuple[str, str]], list[Staff], list[SavedView]]:
    """What may be chosen around the list: classes, tags, units, receivers of customers, saved views."""
    return (
        list(list_classes()),
        list(Tag.objects.all()[:TAGS_MAX]),
        units_in_view(visit.scope),
        staff_in_units(visit.scope) if visit.has(Role.BRANCH_HEAD) else [],
        list(saved_views_for(visit.actor)),
    )


def _headings(columns: tuple[str, ...]) -> dict[str, object]:
    """What the columns are called, looked up once a page and not once a cell."""
    labels = dict(_column_choices())
    texts = {"name": _("客户名称"), "no_step": _("无下一步"), "edit": _("修改类别或下一步")}
    heads = [(labels[column], column, column in {"limit", "pool"}) for column in columns]
    return {"columns": columns, "labels": labels | texts, "heads": heads}


def _column_choices() -> list[tuple[str, str]]:
    names = {
        "stage": _("阶段"), "class": _("类别"), "group": _("集团"), "limit": _("额度（万元）"), "used": _("已用比例"),
        "owner": _("客户经理"), "next": _("下一步"), "contact": _("最近联系"), "phone": _("电话"), "tags": _("标签"),
        "pool": _("公海剩余天数"),
    }  # fmt: skip
    return [(name, names[name]) for name in COLUMNS]


def _chips(filters: Filters) -> list[dict[str, object]]:
    names = (
        ("", _("全部")),
        ("mine", _("我主办")),
        ("no-next-step", _("无下一步")),
        ("overdue", _("已逾期")),
        ("silent", _("久未联系")),
        ("repair", _("待补全")),
        ("group", _("集团成员")),
    )
    return [{"value": value, "label": label, "active": filters.quick == value} for value, label in names]


def _with_query(request: HttpRequest, name: str, *arguments: str) -> str:
    query = request.GET.copy()
    for key in ("after", "before", "count"):
        query.pop(key, None)
    return reverse(name, args=arguments) + (f"?{query.urlencode()}" if query else "")


@page()
def board(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The same list as columns of cards, by class or by stage."""
    filters = filters_of(request, visit)
    found = filters.apply(visit.customers, as_of=visit.as_of, staff_id=visit.actor.pk)
    by_stage = request.GET.get("by") == "stage"
    classes = list(CustomerClass.objects.filter(scheme__is_main=True))
    kept: list[tuple[str, object, Any]] = (
        [(str(label), value, found.filter(stage=value)) for value, label in Customer.Stage.choices]
        if by_stage
        else [(c.name, c.pk, found.filter(main_class=c.pk)) for c in classes]
        + [(_("未分类"), "", found.filter(main_class__isnull=True))]
    )
    lanes = [
        {
            "label": label,
            "value": value,
            "count": capped_count(lane),
            "cards": with_list_columns(lane).order_by("-updated_at", "-pk")[:ROWS_PER_PAGE],
        }
        for label, value, lane in kept
    ]
    return render(
        request,
        "pages/customer_board.html",
        {
            "lanes": lanes, "classes": classes, "by_stage": by_stage, "visit": visit, "as_of": visit.as_of,
            "count_max": COUNT_MAX, "query": filters.query(), "here": request.get_full_path(),
            "can_edit": visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD),
            "crumbs": [{"url": reverse("customer_list"), "label": _("客户名单")}],
        },
    )  # fmt: skip


# --- acts on many, saved views ---------------------------------------------------------------------------------------


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def act_on_many(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Class, tag, transfer or export of the selected rows, or of all that match the filters."""
    ids = _selected(request, visit)
    back = f"{reverse('customer_list')}?{Filters.of(QueryDict(request.POST.get('query', ''))).query()}"
    if not ids:
        messages.error(request, _("没有选中可修改的客户。请勾选后再操作。"))
        return redirect(back)
    try:
        text = _act(request.POST.get("act", ""), request, visit, ids)
    except (OwnershipError, services.CustomerInputError, ValueError) as error:
        messages.error(request, str(error))
        return redirect(back)
    if isinstance(text, HttpResponse):
        return text
    messages.info(request, text)
    return redirect(back)


def _selected(request: HttpRequest, visit: Visit) -> list[int]:
    """Ids that this person may change: those that were ticked, or everything that the filters match."""
    customers = visit.editable_customers
    if request.POST.get("all") == "1":
        filters = Filters.of(QueryDict(request.POST.get("query", "")), only_whole_phones=not visit.sees_full_phones)
        customers = filters.apply(customers, as_of=visit.as_of, staff_id=visit.actor.pk)
    else:
        numbers = [n for text in request.POST.getlist("selected") for n in text.split(",") if n]
        customers = customers.filter(number__in=numbers[:EXPORT_ROWS_MAX])
    return list(customers.order_by("pk").values_list("pk", flat=True)[:EXPORT_ROWS_MAX])


def _act(act: str, request: HttpRequest, visit: Visit, ids: list[int]) -> str | HttpResponse:
    common: dict[str, Any] = {"actor": visit.actor, "customer_ids": ids, "business_date": visit.business_date}
    if act == "class":
        chosen = list_classes().filter(pk=int(request.POST.get("class") or 0)).first()
        if chosen is None:
            raise ValueError(_("请选择类别。"))
        count = classify_many(customer_class=chosen, **common)
        return _("%(n)s 户已改为 %(name)s") % {"n": count, "name": chosen.name}
    if act == "tag":
        count = tag_many(name=request.POST.get("tag", ""), **common)
        return _("%(n)s 户已加标签") % {"n": count}
    if act == "transfer":
        if not visit.has(Role.BRANCH_HEAD):
            raise ValueError(_("转移客户须由支行行长办理；离岗请发起移交。"))
        to = next((p for p in staff_in_units(visit.scope) if str(p.pk) == request.POST.get("to")), None)
        if to is None:
            raise ValueError(_("请选择本机构的接收人。"))
        count = transfer_customers(to_staff=to, reason=request.POST.get("reason", ""), **common)
        return _("%(n)s 户已转给 %(name)s") % {"n": count, "name": to.name}
    if act == "export":
        return _file(newest_ids(visit.customers.filter(pk__in=ids), most=EXPORT_ROWS_MAX), "xlsx", visit)
    raise ValueError(_("请选择要做的操作。"))


@require_POST
@page()
def save_view(request: HttpRequest, visit: Visit) -> HttpResponse:
    filters = Filters.of(QueryDict(request.POST.get("query", "")))
    try:
        keep_view(
            owner=visit.actor,
            name=request.POST.get("name", ""),
            query=filters.query(),
            is_shared=request.POST.get("shared") == "1",
            is_pinned=request.POST.get("pinned") == "1",
        )
    except services.CustomerInputError as error:
        messages.error(request, str(error))
    return redirect(f"{reverse('customer_list')}?{filters.query()}")


@require_POST
@page()
def delete_view(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:  # noqa: ARG001
    SavedView.objects.filter(pk=pk, owner=visit.actor).delete()
    return redirect("customer_list")


# --- export, print, add --------------------------------------------------------------------------------------------


@page()
def export(request: HttpRequest, visit: Visit, form: str) -> HttpResponse:
    if form not in {"csv", "xlsx"}:
        raise Http404
    found = filters_of(request, visit).apply(visit.customers, as_of=visit.as_of, staff_id=visit.actor.pk)
    return _file(newest_ids(found, most=EXPORT_ROWS_MAX), form, visit)


def _file(ids: list[int], form: str, visit: Visit) -> HttpResponse:
    write = customer_csv if form == "csv" else customer_xlsx
    rows = rows_in_parts(ids, as_of=visit.as_of)
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
    found = filters_of(request, visit).apply(visit.customers, as_of=visit.as_of, staff_id=visit.actor.pk)
    rows = list(rows_in_parts(newest_ids(found, most=PRINT_ROWS_MAX), as_of=visit.as_of))
    return render(request, "pages/customer_print.html", {"rows": rows, "visit": visit, "as_of": visit.as_of})


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def add(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = ProspectForm(request.POST or None)
    similar: list[dict[str, object]] = []
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        referrer = visit.customers.filter(number=data["referrer"]).first() if data["referrer"] else None
        if data["referrer"] and referrer is None:
            form.add_error("referrer", _("没有这个客户，或不在您的数据范围内"))
            return render(request, "pages/customer_form.html", {"form": form, "similar": []}, status=422)
        similar = [_similar(customer, visit) for customer in find_similar(name=data["name"], phone=data["phone"])]
        if not similar or data["confirm_duplicate"]:
            kept = (
                "name",
                "kind",
                "uscc",
                "identity_number",
                "customer_class",
                "next_step",
                "next_step_date",
                "org_type",
            )
            try:
                customer = services.add_prospect(
                    actor=visit.actor,
                    contacts=form.contacts(),
                    business_date=visit.business_date,
                    referred_by=referrer,
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
    owner = customer.main_owner
    return {
        "name": name,
        "unit": owner.unit.name if owner else customer.unit.name,
        "url": reverse("customer_detail", args=[customer.number]) if is_in_view else "",
        "ask": "" if is_in_view else reverse("customer_ask", args=[customer.pk]),
    }


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def check_duplicate(request: HttpRequest, visit: Visit) -> HttpResponse:
    """While a prospect is filled in: who has this name or telephone already."""
    name, phone = request.GET.get("name", "").strip(), request.GET.get("phone", "").strip()
    found = find_similar(name=name, phone=phone) if name or phone else []
    return render(request, "pages/_similar.html", {"similar": [_similar(c, visit) for c in found]})


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def ask_for(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Ask the department of a customer outside one's view for it; its owner sees the request on the timeline."""
    services.ask_for_customer(actor=visit.actor, customer_id=pk, business_date=visit.business_date)
    messages.info(request, _("已向主办机构提出申请，对方在该客户的时间线上可见。"))
    return redirect("customer_add")


# --- one customer --------------------------------------------------------------------------------------------------


def _get_customer(visit: Visit, number: str, *, to_change: bool = False) -> Customer:
    customers = visit.editable_customers if to_change else visit.customers
    customer = (
        customers.select_related("party", "unit", "main_owner", "main_class", "profile").filter(number=number).first()
    )
    if customer is None:
        raise Http404(_("没有这个客户，或不在您的数据范围内"))
    return customer


@page()
def show(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _get_customer(visit, number)
    can_change = visit.has(*WORKERS) and visit.may_change(customer)
    group = find_group_of(customer.pk, as_of=visit.as_of)
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    contracts = list(facilities.list_facilities(customer.pk, as_of=visit.as_of))
    pairs = facilities.domain_deals(
        facilities.deals_on(visit.as_of).filter(customer=customer).select_related("branch"), as_of=visit.as_of
    )
    totals = totals_by_customer(seen for _, seen in pairs).get(str(customer.pk), Totals(0, 0, Decimal(0)))
    drawings = facilities.list_drawings(customer.pk, limit=10)
    can_draw = visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD) and contracts
    relationship = relationship_context(customer, visit, kind=request.GET.get("event", ""), can_change=can_change)
    actions: list[dict[str, object]] = [{"label": _("打印"), "print": True}]
    actions.append(
        {"label": _("授信档案"), "url": reverse("customer_credit", args=[number]), "icon": "file-certificate"}
    )
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
            "available_fen": _available(node),
            "is_stopped": node is not None and node.is_stopped,
            "contracts": [(contract, resolve_product(contract.product).name) for contract in contracts],
            "deals": [(deal, seen, resolve_product(deal.product).name) for deal, seen in pairs],
            "drawings": [(drawing, resolve_product(drawing.facility.product).name) for drawing in drawings],
            "classes": classification_on(customer, as_of=visit.as_of),
            "owners": customer.ownerships.filter(valid_to__isnull=True).select_related("staff__unit"),
            "referrals": referral_tree(customer, scope=visit.scope),
            **relationship,
            **service_context(customer, visit, kept=relationship["kept"], can_change=can_change),
            "contacts": customer.contact_points.all(),
            "can_change": can_change,
            "may_lock": visit.has(Role.BRANCH_HEAD),
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
    customer = _get_customer(visit, number, to_change=True)
    form = ContactForm(request.POST)
    if form.is_valid():
        services.add_contact_point(customer=customer, contact=services.ContactInput(**form.cleaned_data))
    else:
        messages.error(request, _("联系方式未保存：") + _errors(form))
    return redirect("customer_detail", number=number)


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def classify(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _get_customer(visit, number, to_change=True)
    form = ClassForm(request.POST)
    if form.is_valid():
        services.classify(actor=visit.actor, customer=customer, business_date=visit.business_date, **form.cleaned_data)
    else:
        messages.error(request, _("类别未保存：") + _errors(form))
    back = request.POST.get("next", "")
    if back and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return redirect(back)
    return redirect("customer_detail", number=number)


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def set_next_step(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _get_customer(visit, number, to_change=True)
    form = NextStepForm(request.POST)
    if form.is_valid():
        services.set_next_step(
            actor=visit.actor, customer=customer, business_date=visit.business_date, **form.cleaned_data
        )
    else:
        messages.error(request, _("下一步未保存：") + _errors(form))
    return redirect("customer_detail", number=number)


def _errors(form: Form) -> str:
    return "；".join(str(error) for errors in form.errors.values() for error in errors)


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def edit_row(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """One row of the list in place: a form for class and next step, and the row again when it is saved."""
    customer = _get_customer(visit, number, to_change=True)
    classes = list_classes().filter(scheme__is_main=True)
    filters = filters_of(request, visit)
    context: dict[str, Any] = {"customer": customer, "classes": classes, "query": filters.query(), "visit": visit}
    if request.method == "POST":
        form = RowForm(request.POST)
        if not form.is_valid():
            context["error"] = _errors(form)
            return render(request, "pages/_customer_row_edit.html", context, status=422)
        services.update_row(
            actor=visit.actor, customer=customer, business_date=visit.business_date, **form.cleaned_data
        )
        if not request.headers.get("HX-Request"):
            return redirect(f"{reverse('customer_list')}?{filters.query()}")
    elif not request.GET.get("cancel"):
        return render(request, "pages/_customer_row_edit.html", context)
    rows = list_rows([customer.pk], as_of=visit.as_of, columns=filters.columns)
    context |= {"customer": rows[0], "can_edit": True, "as_of": visit.as_of, **_headings(filters.columns)}
    return render(request, "pages/_customer_row.html", context)


def _available(node: Node | None) -> int | None:
    """What a member's limit takes now; None without one."""
    if node is None or node.cap_fen is None:
        return None
    return 0 if node.is_stopped else node.own_fen
