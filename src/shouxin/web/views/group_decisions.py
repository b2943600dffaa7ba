"""Decide about groups: proposals of one officer, decisions of another, versions, lead branch, the printed 家谱."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.domain.money import format_wan
from shouxin.facilities import lead as leads
from shouxin.facilities.group_changes import decide_change
from shouxin.groups import judgement
from shouxin.groups.models import CustomerGroup, GroupChange, GroupVersion
from shouxin.groups.selectors import list_members
from shouxin.parties.models import Customer
from shouxin.parties.selectors import search_filter
from shouxin.reporting import group_pages, selectors
from shouxin.web.access import Role, Visit, page
from shouxin.web.forms import AdditionForm, DecisionForm, ExclusionForm, LeadForm, ResponsibleForm

DIGITS_MAX = 10
CREDIT_ROLES = (Role.IDENTIFICATION_OFFICER, Role.APPROVER, Role.RISK_OFFICER)


def _group(visit: Visit, number: str) -> CustomerGroup:
    """A group that somebody may see: one of its members, of any day, is in view."""
    group = get_object_or_404(CustomerGroup.objects.select_related("responsible", "lead_unit"), number=number)
    if not visit.customers.filter(memberships__group=group).exists():
        raise Http404(_("没有这个集团，或不在您的数据范围内"))
    return group


def _crumbs(group: CustomerGroup | None = None) -> list[dict[str, str]]:
    crumbs = [{"url": reverse("group_list"), "label": _("集团客户")}]
    if group is not None:
        crumbs.append({"url": reverse("group_detail", args=[group.number]), "label": group.name})
    return crumbs


# --- changes ------------------------------------------------------------------------------------------------------


@page()
def show_change(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """What is proposed, against what is in force, and the decision."""
    change = get_object_or_404(
        GroupChange.objects.select_related("group", "candidate", "task", "proposed_by", "decided_by", "responsible"),
        pk=pk,
    )
    if not _is_in_view(change, visit):
        raise Http404(_("没有这项提议，或不在您的数据范围内"))
    is_open = change.status == GroupChange.Status.PROPOSED
    may_decide = is_open and visit.has(Role.IDENTIFICATION_OFFICER) and visit.actor.pk != change.proposed_by_id
    form = DecisionForm(request.POST or None) if may_decide else None
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            decided = decide_change(
                actor=visit.actor,
                change=change,
                is_approved=request.POST.get("outcome") == "approve",
                business_date=visit.business_date,
                **form.cleaned_data,
            )
        except judgement.DecisionError as error:
            form.add_error(None, str(error))
        else:
            if decided.excess_fen:
                excess = format_wan(decided.excess_fen)
                messages.warning(
                    request, _("成员变更后超出集团限额 %(amount)s 万元，已登记超限待整改。") % {"amount": excess}
                )
            if decided.change.group is not None:
                return redirect("group_detail", number=decided.change.group.number)
            return redirect("group_list")
    before = _members_before(change, visit.business_date)
    ids = {member["customer"] for member in [*change.members, *before]}
    customers = {c.pk: c for c in Customer.objects.filter(pk__in=ids).select_related("party", "unit")}
    return render(
        request,
        "pages/group_change.html",
        {
            "change": change,
            "rows": _rows(before, change.members, customers) if change.kind != "separate" else [],
            "form": form,
            "may_withdraw": is_open and visit.actor.pk == change.proposed_by_id,
            "is_open": is_open,
            "crumbs": _crumbs(change.group),
            "as_of": visit.as_of,
        },
        status=422 if request.method == "POST" else 200,
    )


def _members_before(change: GroupChange, business_date: dt.date) -> list[dict[str, Any]]:
    """The members that a proposal changes: those of today, or of the version before the one it made."""
    if change.group is None:
        return []
    made = GroupVersion.objects.filter(change=change).first()
    if made is None:
        return judgement.current_members(change.group, as_of=business_date)
    return _members(change.group.versions.filter(number=made.number - 1).first())


def _is_in_view(change: GroupChange, visit: Visit) -> bool:
    """Whether somebody that the change is about, or a member of its group on any day, is in view."""
    ids = {member["customer"] for member in change.members}
    if change.candidate is not None:
        ids |= {member["customer"] for member in judgement.members_of(change.candidate)}
    is_about = Q(pk__in=ids)
    if change.group is not None:
        is_about |= Q(pk__in=change.group.memberships.values("customer"))
    return visit.customers.filter(is_about).exists()


def _rows(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], customers: Mapping[int, Customer]
) -> list[dict[str, Any]]:
    """Members with what happens to each, those that change first."""
    old, new = ({member["customer"]: member for member in members} for members in (before, after))
    words = {
        "came": (_("加入"), "green", 0),
        "went": (_("离开"), "red", 1),
        "basis_changed": (_("依据改变"), "amber", 2),
        "stayed": (_("不变"), "plain", 3),
    }
    rows = []
    for kind, ids in judgement.difference(before, after).items():
        text, tone, place = words[kind]
        for pk in ids:
            member = new.get(pk) or old[pk]
            sentences = [step["sentence"] for step in member.get("proof") or []]
            rows.append(
                {"customer": customers[pk], "change": text, "tone": tone, "place": place, "basis": member["basis"],
                 "before": old[pk]["basis"] if pk in old else "", "sentences": sentences}
            )  # fmt: skip
    return sorted(rows, key=lambda row: (row["place"], row["customer"].number))


@require_POST
@page(Role.IDENTIFICATION_OFFICER)
def withdraw_change(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    change = get_object_or_404(GroupChange, pk=pk)
    try:
        judgement.withdraw(actor=visit.actor, change=change, business_date=visit.business_date)
        messages.info(request, _("提议已撤回。"))
    except judgement.DecisionError as error:
        messages.error(request, str(error))
    return redirect("group_change", pk=pk)


@page(Role.IDENTIFICATION_OFFICER)
def change_members(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """Propose a member under (四), an exclusion, or the end of the group."""
    group = _group(visit, number)
    members = list(list_members(group, as_of=visit.business_date))
    kind = request.POST.get("kind", "")
    addition = AdditionForm(request.POST if kind == "add" else None)
    exclusion = ExclusionForm(request.POST if kind == "exclude" else None, prefix=None)
    choices = [(str(row.customer_id), f"{row.customer.number} {row.customer.party.name}") for row in members]
    field = exclusion.fields["customer"]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101
    field.choices = choices
    closing = DecisionForm(request.POST if kind == "close" else None, auto_id="close_%s")
    closing.fields["decision"].label = _("理由")
    used: forms.Form | None = {"add": addition, "exclude": exclusion, "close": closing}.get(kind)
    if used is not None and used.is_valid():
        try:
            change = _proposed(kind, used, group, visit)
            return redirect("group_change", pk=change.pk)
        except judgement.DecisionError as error:
            used.add_error(None, str(error))
    return render(
        request,
        "pages/group_members.html",
        {
            "group": group, "addition": addition, "exclusion": exclusion, "closing": closing,
            "crumbs": _crumbs(group), "as_of": visit.as_of,
        },
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


def _proposed(kind: str, form: forms.Form, group: CustomerGroup, visit: Visit) -> GroupChange:
    data = form.cleaned_data
    if kind == "close":
        return judgement.propose_closing(
            actor=visit.actor, group=group, reason=data["decision"], business_date=visit.business_date
        )
    if kind == "exclude":
        customer = Customer.objects.select_related("party").get(pk=int(data["customer"]))
        return judgement.propose_exclusion(
            actor=visit.actor, group=group, customer=customer, reason=data["reason"], business_date=visit.business_date
        )
    return judgement.propose_addition(
        actor=visit.actor,
        group=group,
        customer=_find_customer(visit, data["customer"]),
        reason=data["reason"],
        evidence=data["evidence"],
        business_date=visit.business_date,
    )


def _find_customer(visit: Visit, text: str) -> Customer:
    """One customer by number, exact name or a search that finds just one."""
    customers = visit.customers.select_related("party")
    exact = customers.filter(Q(number=text.strip()) | Q(party__name=text.strip())).first()
    if exact is not None:
        return exact
    found = list(customers.filter(search_filter(text))[:3])
    if len(found) != 1:
        raise judgement.DecisionError(
            _("没有找到客户“%(text)s”。") % {"text": text}
            if not found
            else _("“%(text)s”找到多个客户，请填写客户号。") % {"text": text}
        )
    return found[0]


@require_POST
@page(Role.IDENTIFICATION_OFFICER)
def name_responsible(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    group = _group(visit, number)
    form = ResponsibleForm(request.POST)
    if form.is_valid():
        try:
            judgement.name_responsible(
                actor=visit.actor, group=group, business_date=visit.business_date, **form.cleaned_data
            )
            messages.info(request, _("负责人已更新。"))
        except judgement.DecisionError as error:
            messages.error(request, str(error))
    else:
        messages.error(request, _("请选择负责人。"))
    return redirect("group_detail", number=number)


# --- versions and dates -------------------------------------------------------------------------------------------


@page()
def show_versions(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """All versions of a group, and the difference between two versions or two days."""
    group = _group(visit, number)
    versions = list(group.versions.select_related("change__proposed_by", "change__decided_by").order_by("number"))
    by_number = {version.number: version for version in versions}
    days = _days(request, versions, visit)
    if "from" in request.GET or "to" in request.GET or not versions:
        before, after = (judgement.current_members(group, as_of=day) for day in days)
        titles = [day.isoformat() for day in days]
        chosen = (0, 0)
    else:
        chosen = _numbers(request, by_number)
        before, after = (_members(by_number.get(place)) for place in chosen)
        titles = [f"v{place}" if place else _("（成立之前）") for place in chosen]
    ids = {member["customer"] for member in [*before, *after]}
    customers = {c.pk: c for c in Customer.objects.filter(pk__in=ids).select_related("party", "unit")}
    return render(
        request,
        "pages/group_versions.html",
        {
            "group": group, "versions": versions[::-1], "rows": _rows(before, after, customers), "titles": titles,
            "chosen": chosen, "days": days, "crumbs": _crumbs(group), "as_of": visit.as_of,
        },
    )  # fmt: skip


def _members(version: GroupVersion | None) -> list[dict[str, Any]]:
    return list(version.members) if version else []


def _numbers(request: HttpRequest, versions: Mapping[int, GroupVersion]) -> tuple[int, int]:
    """The versions to compare: the asked ones, else the last with the one before."""
    last = max(versions, default=0)

    def asked(name: str, otherwise: int) -> int:
        text = request.GET.get(name, "")
        is_number = text.isascii() and text.isdigit() and len(text) < DIGITS_MAX
        return int(text) if is_number and (int(text) in versions or int(text) == 0) else otherwise

    return asked("a", max(0, last - 1)), asked("b", last)


def _days(request: HttpRequest, versions: Sequence[GroupVersion], visit: Visit) -> tuple[dt.date, dt.date]:
    def asked(name: str, otherwise: dt.date) -> dt.date:
        try:
            return dt.date.fromisoformat(request.GET.get(name, ""))
        except ValueError:
            return otherwise

    first = versions[0].valid_from if versions else visit.business_date
    return asked("from", first), asked("to", visit.business_date)


# --- lead branch --------------------------------------------------------------------------------------------------


@page()
def show_lead(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """The ranking of branches, the decision in force, and its start by rule or by the president's meeting."""
    group = _group(visit, number)
    may_start = visit.has(*CREDIT_ROLES)
    form = LeadForm(request.POST or None) if may_start else None
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            leads.start_lead(
                actor=visit.actor,
                group=group,
                business_date=visit.business_date,
                meeting_branch=form.cleaned_data["branch"],
                minutes_number=form.cleaned_data["minutes_number"],
            )
            return redirect("group_lead", number=number)
        except leads.LeadError as error:
            form.add_error(None, str(error))
    try:
        computed, problem = leads.compute_lead(group=group, as_of=visit.as_of), ""
    except leads.LeadError as error:
        computed, problem = None, str(error)
    return render(
        request,
        "pages/group_lead.html",
        {
            "group": group, "computed": computed, "problem": problem, "form": form,
            "current": leads.find_lead(group, as_of=visit.as_of),
            "decisions": group.lead_decisions.select_related("branch", "decided_by")[:20],
            "crumbs": _crumbs(group), "as_of": visit.as_of,
        },
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


# --- 家谱 ----------------------------------------------------------------------------------------------------------


@page()
def print_family(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """集团家谱: who is behind the group, how they are related, who holds what, and why each member belongs."""
    group = _group(visit, number)
    row = next(
        (
            r
            for r in selectors.list_group_rows(scope=visit.scope, as_of=visit.as_of)
            if r.is_confirmed and r.id == group.pk
        ),
        None,
    )
    members = list(list_members(group, as_of=visit.as_of).select_related("candidate"))
    return render(
        request,
        "pages/group_print.html",
        {
            "group": group,
            "row": row,
            "members": members,
            "tree": group_pages.family_tree(members, as_of=visit.as_of),
            "capital": selectors.capital_on(visit.as_of),
            "printed_by": visit.actor,
            "as_of": visit.as_of,
        },
    )
