"""What a credit case asks for: the pages on which a line is proposed, and on which a draft or returned case is changed.

Proposing and changing show the same form; a change starts from what the case holds.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django import forms as django_forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shouxin.approvals.models import Case
from shouxin.approvals.selectors import cases_in_view
from shouxin.approvals.services import CaseError
from shouxin.domain.dates import add_months
from shouxin.domain.money import FEN_PER_WAN, Money, MoneyError
from shouxin.facilities import case_contents, line_cases, line_life
from shouxin.facilities.evaluating import find_evaluation, find_rating
from shouxin.facilities.line_kinds import LINE_KINDS
from shouxin.facilities.models import Facility
from shouxin.facilities.selectors import find_line, totals_of_customers
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.policy import load_book
from shouxin.policy.products import catalogue, find_product
from shouxin.web import credit_forms as forms
from shouxin.web.access import Role, Visit, page
from shouxin.web.templatetags.shouxin_format import translated

Payload = Mapping[str, Any]


def _year(day: dt.date) -> dict[str, Any]:
    return {"valid_from": day, "valid_to": add_months(day, load_book().whole("line.term_months", day))}


def _plain_wan(fen: int | None) -> str:
    """分 as 万元 for an input box: exact, without separators."""
    return "" if fen is None else f"{(Decimal(fen) / FEN_PER_WAN).normalize():f}"


@dataclass(slots=True)
class _Amounts:
    """The amounts of a table of input boxes: as typed, as 分, and what could not be read."""

    data: Mapping[str, str]
    is_sent: bool
    problems: list[str] = field(default_factory=list)

    def read(self, name: str, kept_fen: int | None, what: str, *, may_be_zero: bool) -> tuple[str, int | None]:
        """The text of one box and its amount; before anything is sent, what the case holds. ``what`` names the box."""
        if not self.is_sent:
            return _plain_wan(kept_fen), kept_fen
        text = self.data.get(name, "").strip()
        if not text:
            return "", None
        try:
            fen = Money.from_wan(text).fen
        except MoneyError as error:
            self.problems.append(f"{what}：{error}")
            return text, None
        if fen < 0 or (fen == 0 and not may_be_zero):
            wrong = _("不能为负数，不核定额度请填 0") if may_be_zero else _("须大于 0，不设产品额度请留空")
            self.problems.append(f"{what}：{wrong}")
            return text, None
        return text, fen


# --- a group's line -------------------------------------------------------------------------------------------------


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def propose_group(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    group = CustomerGroup.objects.select_related("lead_unit").filter(number=number).first()
    ids = [m.customer_id for m in list_members(group, as_of=visit.business_date)] if group else []
    if group is None or not visit.customers.filter(pk__in=ids).exists():
        raise Http404(_("没有这个集团，或不在您的数据范围内"))
    return _group_form(request, visit, group, None)


def _group_form(request: HttpRequest, visit: Visit, group: CustomerGroup, case: Case | None) -> HttpResponse:
    day = visit.business_date
    members = list(list_members(group, as_of=day))
    ids = [m.customer_id for m in members]
    nodes = {n.customer_id: n for n in Node.objects.filter(customer__in=ids, kind=Node.Kind.CUSTOMER)}
    line = find_line(group.pk, as_of=day) if "renew" in request.GET else None
    kept: Payload = case.payload if case else _in_force(line.amount_fen if line else None, nodes)
    products = _products_of(ids, kept, day)
    form = _bound(request, forms.EditGroupLineForm if case else forms.GroupLineForm, case, visit, kept)
    amounts = _Amounts(request.POST, request.method == "POST")
    totals = totals_of_customers(ids, as_of=day)
    sub: dict[int, int] = {}
    by_product: dict[int, dict[str, int]] = {}
    rows = []
    for member in members:
        pk = member.customer_id
        text, fen = amounts.read(
            f"sub-{pk}", kept.get("sub_limits", {}).get(str(pk)), member.customer.party.name, may_be_zero=True
        )
        if fen is not None:
            sub[pk] = fen
        boxes = []
        for code, name in products:
            limit_text, limit = amounts.read(
                f"prod-{pk}-{code}", kept.get("product_limits", {}).get(str(pk), {}).get(code),
                f"{member.customer.party.name} {name}", may_be_zero=False,
            )  # fmt: skip
            boxes.append((code, name, limit_text))
            if limit is not None:
                by_product.setdefault(pk, {})[code] = limit
        rows.append(
            {
                "customer": member.customer, "use_fen": totals[pk].control_use_fen, "value": text, "products": boxes,
                "cap_fen": nodes[pk].cap_fen if pk in nodes else None,
            }
        )  # fmt: skip

    def save(data: dict[str, Any]) -> Case:
        contents: dict[str, Any] = {
            "amount_fen": data["amount"].fen, "sub_limits_fen": sub, "product_limits_fen": by_product,
            "valid_from": data["valid_from"], "valid_to": data["valid_to"], "conditions": data["conditions"],
            "guarantee": data["guarantee"],
        }  # fmt: skip
        if case is None:
            return line_cases.propose_group_line(actor=visit.actor, group=group, business_date=day, **contents)
        return _amended(visit, case, case_contents.group_line(**contents), data)

    return _saved_or_shown(
        request, form, amounts, save, "pages/line_group_form.html",
        {
            "group": group, "form": form, "rows": rows, "products": products, "visit": visit, "case": case,
            "rating": find_rating(group=group, as_of=day), "evaluation": find_evaluation(group=group, as_of=day),
            "back": _back(case, reverse("group_credit", args=[group.number])),
            "crumbs": [{"url": reverse("group_detail", args=[group.number]), "label": group.name}],
        },
    )  # fmt: skip


def _in_force(amount_fen: int | None, nodes: Mapping[int | None, Node]) -> Payload:
    """What a renewal starts from: the amounts that are in force; nothing when there is nothing."""
    if amount_fen is None:
        return {}
    caps = {str(pk): node.cap_fen for pk, node in nodes.items() if node.cap_fen is not None}
    return {"amount_fen": amount_fen, "sub_limits": caps}


def _products_of(customers: list[int], kept: Payload, day: dt.date) -> list[tuple[str, str]]:
    """The products that the members use or that the case limits, with their names."""
    used = set(Facility.objects.filter(customer__in=customers).values_list("product", flat=True))
    for row in kept.get("product_limits", {}).values():
        used |= set(row)
    return [(code, _product_name(code, day)) for code in sorted(used)]


def _product_name(code: str, day: dt.date) -> str:
    return str(translated(find_product(code, as_of=day).name))


# --- a customer's lines ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    """How one kind of customer case is proposed: its form, its title, its contents from what was entered."""

    form: type[django_forms.Form]
    edit_form: type[django_forms.Form]
    title: Any
    contents: Callable[..., dict[str, Any]]
    propose: Callable[..., Case]
    has_products: bool = False


_SHAPES: Mapping[str, _Shape] = {
    "general": _Shape(
        forms.CustomerLineForm, forms.EditCustomerLineForm, gettext_lazy("申报一般额度"), case_contents.general_line,
        line_cases.propose_customer_line, has_products=True,
    ),
    "public": _Shape(
        forms.PublicLineForm, forms.EditPublicLineForm, gettext_lazy("申报公开额度"), case_contents.public_line,
        line_cases.propose_public_line,
    ),
    "exit": _Shape(
        forms.ExitForm, forms.EditExitForm, gettext_lazy("申报退出"), case_contents.customer_exit,
        line_cases.propose_exit,
    ),
}  # fmt: skip
_SHAPE_OF = {
    Case.Kind.GENERAL_LINE: "general", Case.Kind.PUBLIC_LINE: "public", Case.Kind.LINE_CHANGE: "exit",
}  # fmt: skip


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def propose_customer(request: HttpRequest, visit: Visit, number: str, kind: str) -> HttpResponse:
    customer = visit.customers.select_related("party", "unit").filter(number=number).first()
    if customer is None or kind not in _SHAPES:
        raise Http404(_("没有这个客户，或不在您的数据范围内"))
    return _customer_form(request, visit, customer, _SHAPES[kind], None)


def _customer_form(
    request: HttpRequest, visit: Visit, customer: Customer, shape: _Shape, case: Case | None
) -> HttpResponse:
    day = visit.business_date
    is_public = shape is _SHAPES["public"]
    kept: Payload = case.payload if case else {}
    if case is None and "renew" in request.GET and shape is not _SHAPES["exit"]:
        kept = _in_force(line_life.amount_in_force(customer, is_public=is_public), {})
    form = _bound(request, shape.edit_form if case else shape.form, case, visit, kept)
    amounts = _Amounts(request.POST, request.method == "POST")
    limits: dict[str, int] = {}
    rows = []
    for product in catalogue().values() if shape.has_products else ():
        if not product.is_credit:
            continue
        name = _product_name(product.code, day)
        text, fen = amounts.read(
            f"prod-{product.code}", kept.get("product_limits", {}).get(product.code), name, may_be_zero=False
        )
        rows.append((product.code, name, text))
        if fen is not None:
            limits[product.code] = fen

    def save(data: dict[str, Any]) -> Case:
        contents = {name: value for name, value in data.items() if name not in ("amount", "exception_reason")}
        if "amount" in data:
            contents["amount_fen"] = data["amount"].fen
        if shape.has_products:
            contents["product_limits_fen"] = limits
        if case is None:
            return shape.propose(actor=visit.actor, customer=customer, business_date=day, **contents)
        return _amended(visit, case, shape.contents(**contents), data)

    return _saved_or_shown(
        request, form, amounts, save, "pages/line_form.html",
        {
            "form": form, "customer": customer, "title": shape.title, "visit": visit, "case": case, "products": rows,
            "has_limits": any(text for _code, _name, text in rows),
            "back": _back(case, reverse("customer_credit", args=[customer.number])),
            "crumbs": [{"url": reverse("customer_credit", args=[customer.number]), "label": customer.party.name}],
        },
    )  # fmt: skip


# --- changing -------------------------------------------------------------------------------------------------------


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def edit(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """Change a draft or a returned case: the form of its proposal with what it holds."""
    case = cases_in_view(visit.actor, as_of=visit.business_date).filter(number=number).first()
    if case is None or case.kind not in LINE_KINDS:
        raise Http404(_("没有这个案件，或不在您的数据范围内"))
    if not case_contents.may_amend(actor=visit.actor, case=case, as_of=visit.business_date):
        if case.state == Case.State.DRAFT:
            messages.error(request, _("案件内容由发起人或调查人修改。"))
        else:
            messages.error(request, _("案件内容已冻结；如需修改，请由审查或审批退回补充。"))
        return redirect("case_detail", number=number)
    if case.kind == Case.Kind.GROUP_LINE:
        group = CustomerGroup.objects.select_related("lead_unit").get(pk=case.subject_id)
        return _group_form(request, visit, group, case)
    customer = Customer.objects.select_related("party", "unit").get(pk=case.subject_id)
    return _customer_form(request, visit, customer, _SHAPES[_SHAPE_OF[Case.Kind(case.kind)]], case)


def _amended(visit: Visit, case: Case, payload: Payload, data: Mapping[str, Any]) -> Case:
    return case_contents.amend(
        actor=visit.actor, case=case, payload=payload, exception_reason=data["exception_reason"],
        business_date=visit.business_date,
    )  # fmt: skip


# --- what both share ------------------------------------------------------------------------------------------------


def _bound(
    request: HttpRequest, shape: type[django_forms.Form], case: Case | None, visit: Visit, kept: Payload
) -> django_forms.Form:  # fmt: skip
    initial = {
        **_year(visit.business_date), "is_revolving": load_book().flag("line.revolving", visit.business_date),
    }  # fmt: skip
    if kept and case is None:
        initial |= {"amount": _plain_wan(kept["amount_fen"]), "is_renewal": True}
    if case is not None:
        initial = {**case.payload, "exception_reason": case.exception_reason}
        initial["amount"] = _plain_wan(case.payload.get("amount_fen"))
    return shape(request.POST if request.method == "POST" else None, initial=initial)


def _back(case: Case | None, file: str) -> str:
    return reverse("case_detail", args=[case.number]) if case else file


def _saved_or_shown(
    request: HttpRequest, form: django_forms.Form, amounts: _Amounts, save: Callable[[dict[str, Any]], Case],
    template: str, context: dict[str, Any],
) -> HttpResponse:  # fmt: skip
    """Save a form that is right and go to the case; otherwise show it with its faults and all that was entered."""
    if request.method == "POST" and form.is_valid() and not amounts.problems:
        try:
            return redirect("case_detail", number=save(form.cleaned_data).number)
        except CaseError as error:
            form.add_error(None, str(error))
    for problem in amounts.problems:
        form.add_error(None, problem)
    return render(request, template, context, status=422 if request.method == "POST" else 200)
