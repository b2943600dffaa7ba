"""授信档案 of a customer and of a group: statements, ratings, evaluations, lines, deals and what happens to them."""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.approvals.selectors import cases_in_view
from shouxin.domain.credit_rules import GRADE_NAMES
from shouxin.domain.measurement import METHODS, STATEMENT_ITEMS, shown
from shouxin.domain.money import format_wan
from shouxin.facilities import connections, evaluating, line_life, public_lines, rules, servicing
from shouxin.facilities.arrears import arrears_of_group
from shouxin.facilities.models import (
    CustomerLine,
    Deal,
    Facility,
    FinancialStatement,
    LineFreeze,
    Overdue,
    Precondition,
    PublicLine,
    RelatedTransaction,
    Repayment,
)
from shouxin.facilities.selectors import deals_on, domain_deals, find_line, find_use
from shouxin.facilities.services import NotAllowedError, add_precondition, meet_precondition
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import find_group_of, list_members
from shouxin.limits.models import Node
from shouxin.limits.services import LedgerError
from shouxin.monitoring import early_signals, watch
from shouxin.monitoring.alerts import AlertError
from shouxin.parties.models import Customer, Party
from shouxin.policy.products import find_product
from shouxin.reporting import case_documents
from shouxin.reporting.exports import table_xlsx
from shouxin.rulebook.selectors import documents_behind
from shouxin.web import credit_forms as forms
from shouxin.web.access import Role, Visit, page, say_today_only
from shouxin.web.templatetags.shouxin_format import translated
from shouxin.web.views.cases import XLSX, attachment

_GROUP_BASES = ("BR-01", "JS-01", "HA-01", "UC-01")
"""The requirements whose documents are the basis of credit to groups."""

KNOWN_ERRORS = (
    evaluating.EvaluationError, servicing.ServicingError, line_life.LineError, connections.ConnectionInputError,
    LedgerError, AlertError, NotAllowedError, public_lines.PublicLineError,
)  # fmt: skip


def _customer(visit: Visit, number: str) -> Customer:
    customer = visit.customers.select_related("party", "unit").filter(number=number).first()
    if customer is None:
        raise Http404(_("没有这个客户，或不在您的数据范围内"))
    return customer


def _group(visit: Visit, number: str) -> CustomerGroup:
    group = CustomerGroup.objects.select_related("lead_unit", "responsible").filter(number=number).first()
    if group is not None:
        members = list_members(group, as_of=visit.business_date).values("customer_id")
        if visit.customers.filter(pk__in=members).exists():
            return group
    raise Http404(_("没有这个集团，或不在您的数据范围内"))


def _open_freeze(**subject: Any) -> LineFreeze | None:
    open_ones = LineFreeze.objects.filter(**subject, lifted_date__isnull=True)
    return open_ones.select_related("frozen_by", "confirmed_by").first()


def _cases_to_open(visit: Visit, *rows: Iterable[Any]) -> set[int]:
    """Of the cases behind some lines those that this person may open; of others the number stands without a link."""
    cases = {row.case_id for part in rows for row in part if row.case_id}
    return set(cases_in_view(visit.actor, as_of=visit.business_date).filter(pk__in=cases).values_list("pk", flat=True))


def _over_hint(node: Node | None) -> str:
    """By how much a limit is exceeded, in words; empty within it."""
    if node is None or node.cap_fen is None or node.used_fen <= node.cap_fen:
        return ""
    return _("超过限额 %(wan)s 万元，须压降") % {"wan": format_wan(node.used_fen - node.cap_fen)}


# --- a customer's credit file ---------------------------------------------------------------------------------------


@page()
def show_customer(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer, day = _customer(visit, number), visit.as_of
    group = find_group_of(customer.pk, as_of=day)
    periods, rows = evaluating.statement_table(customer.pk, as_of=day)
    pairs = domain_deals(deals_on(day).filter(customer=customer).select_related("branch"), as_of=day)
    deals = [
        {
            "deal": deal, "seen": seen, "product": find_product(deal.product, as_of=day).name,
            "grade": GRADE_NAMES[servicing.grade_of(deal, as_of=day)],
            "overdue": deal.overdues.filter(cured_date__isnull=True).first(),
        }
        for deal, seen in pairs
    ]  # fmt: skip
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    branches = servicing.branches_of(customer.pk, as_of=day)
    is_initiator = visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
    stops = visit.actor.unit.is_head_office and visit.has(Role.RISK_OFFICER, Role.APPROVER)
    certificate = public_lines.find_public_line(customer.pk, as_of=day)
    lines = list(CustomerLine.objects.filter(customer=customer).select_related("case")[:10])
    public_rows = list(PublicLine.objects.filter(customer=customer).select_related("case")[:10])
    actions: list[dict[str, object]] = [
        {"label": _("客户告知书"), "url": reverse("customer_letter", args=[number]), "icon": "printer"}
    ]
    if is_initiator:
        actions += [
            {"label": _("全面评价"), "url": reverse("customer_evaluate", args=[number]), "icon": "clipboard-data"},
            {
                "label": _("申报公开额度"),
                "url": reverse("line_propose", args=[number, "public"]),
                "icon": "file-certificate",
            },
            {"label": _("申报退出"), "url": reverse("line_propose", args=[number, "exit"]), "icon": "logout"},
        ]
        if group is None:
            actions.append(
                {"label": _("申报一般额度"), "url": reverse("line_propose", args=[number, "general"]), "icon": "plus",
                 "primary": True}
            )  # fmt: skip
    return render(
        request, "pages/customer_credit.html",
        {
            "customer": customer, "group": group, "node": node, "deals": deals, "periods": periods, "rows": rows,
            "statements": customer.statements.select_related("entered_by", "voided_by").order_by("-pk")[:12],
            "ratings": customer.ratings.select_related("rated_by")[:5],
            "evaluations": customer.evaluations.select_related("made_by")[:5],
            "open_certificate": certificate, "cancel_form": forms.CancelForm() if certificate and stops else None,
            "lines": lines, "open_cases": _cases_to_open(visit, lines, public_rows),
            "cancelled": public_lines.latest_cancellation(customer.pk),
            "public_line_rows": public_rows,
            "eligibility": public_lines.eligibility(customer, as_of=day),
            "transactions": RelatedTransaction.objects.filter(customer=customer).select_related("counterparty")[:10],
            "freeze": _open_freeze(customer=customer), "over_hint": _over_hint(node),
            "branches": branches, "is_multi": servicing.is_multi_branch(customer.pk, as_of=day),
            "managing": customer.managing_branches.select_related("branch", "decided_by").first(),
            "preconditions": Precondition.objects.filter(facility__customer=customer).select_related("facility"),
            "facilities": Facility.objects.filter(customer=customer, end_date__gt=day),
            "related": connections.related_customers(day).get(customer.pk),
            "grade": GRADE_NAMES[servicing.customer_grade(customer.pk, as_of=day)],
            "may_enter": is_initiator or visit.has(Role.RISK_OFFICER), "is_initiator": is_initiator,
            "may_rate": visit.has(Role.RISK_OFFICER),
            "may_service": visit.has(Role.OPERATIONS, Role.BRANCH_HEAD),
            "may_classify": visit.has(Role.RISK_OFFICER),
            "may_stop": stops,
            "may_close": visit.has(Role.OPERATIONS, Role.APPROVER) and line_life.exit_is_decided(customer),
            "rating_form": forms.RatingForm(as_of=day), "statement_form": forms.StatementForm(),
            "cover_form": forms.CoverForm(), "overdue_form": forms.OverdueForm(initial={"since_date": day}),
            "grade_form": forms.GradeForm(), "managing_form": forms.ManagingForm(),
            "transaction_form": forms.TransactionForm(initial={"traded_date": day}), "event_form": forms.EventForm(),
            "visit": visit, "as_of": day, "actions": actions,
            "crumbs": [{"url": reverse("customer_detail", args=[number]), "label": customer.party.name}],
        },
    )  # fmt: skip


def _act(request: HttpRequest, url: str, do: Callable[[], object], done: str | Callable[[object], str]) -> HttpResponse:
    """One act of a credit file: what went wrong is said, nothing is half-done; what was done is said by ``done``."""
    try:
        result = do()
        messages.success(request, done if isinstance(done, str) else done(result))
    except KNOWN_ERRORS as error:
        messages.error(request, str(error))
    return redirect(url)


def valid(request: HttpRequest, form: Any) -> dict[str, Any] | None:
    if form.is_valid():
        data: dict[str, Any] = form.cleaned_data
        return data
    labels = {name: field.label for name, field in form.fields.items()}
    text = "；".join(
        f"{labels[name]}：{'、'.join(errors)}" if name in labels else "、".join(errors)
        for name, errors in form.errors.items()
    )
    messages.error(request, _("未保存：") + text)
    return None


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.RISK_OFFICER)
def add_statements(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer, url = _customer(visit, number), reverse("customer_credit", args=[number])
    data = valid(request, forms.StatementForm(request.POST, request.FILES))
    if data is None:
        return redirect(url)
    upload = data["file"]
    return _act(
        request, url,
        lambda: evaluating.add_statements(
            actor=visit.actor, customer=customer, scope=data["scope"], source=data["source"],
            statements=evaluating.read_statements(upload.read(), name=upload.name), business_date=visit.business_date,
        ),
        _("报表已导入。"),
    )  # fmt: skip


@page()
def statement_template(request: HttpRequest, visit: Visit) -> HttpResponse:  # noqa: ARG001
    """An empty sheet with every item and the last two year ends."""
    year = visit.business_date.year
    head = ("项目", f"{year - 2}-12-31", f"{year - 1}-12-31")
    rows = [(title, "", "") for title in STATEMENT_ITEMS.values()]
    return attachment(table_xlsx("报表（万元）", head, rows), XLSX, "statements.xlsx")


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.RISK_OFFICER)
def void_statement(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Void a wrong statement with the reason; it stays readable."""
    statement = get_object_or_404(
        FinancialStatement.objects.select_related("customer"), pk=pk, customer__in=visit.customers
    )
    url = reverse("customer_credit", args=[statement.customer.number])
    data = valid(request, forms.ReasonTextForm(request.POST))
    if data is None:
        return redirect(url)
    return _act(
        request, url,
        lambda: evaluating.void_statement(
            actor=visit.actor, statement=statement, reason=data["reason"], business_date=visit.business_date
        ),
        _("报表已作废，可以重新导入。"),
    )  # fmt: skip


@require_POST
@page(Role.RISK_OFFICER)
def rate_customer(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer, url = _customer(visit, number), reverse("customer_credit", args=[number])
    data = valid(request, forms.RatingForm(request.POST, as_of=visit.business_date))
    if data is None:
        return redirect(url)
    return _act(
        request, url,
        lambda: evaluating.rate(actor=visit.actor, customer=customer, business_date=visit.business_date, **data),
        _("评级已保存。"),
    )  # fmt: skip


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.RISK_OFFICER)
def evaluate_customer(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _customer(visit, number)
    return _evaluate(request, visit, customer.party.name, reverse("customer_credit", args=[number]), customer=customer)


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.RISK_OFFICER)
def evaluate_group(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    group = _group(visit, number)
    return _evaluate(request, visit, group.name, reverse("group_credit", args=[number]), group=group)


def _evaluate(
    request: HttpRequest, visit: Visit, name: str, url: str, *, customer: Customer | None = None,
    group: CustomerGroup | None = None,
) -> HttpResponse:  # fmt: skip
    form = forms.EvaluationForm(request.POST or None, initial={"other_banks_now": "0", "other_banks_expected": "0"})
    inputs, problems = forms.method_inputs(request.POST)
    results = []
    if "trial" in request.POST and not inputs and not problems:
        problems = [_("请先勾选测算方法并填写其数据，再试算。")]
    if request.method == "POST":
        results = [
            {
                "method": METHODS[code],
                "steps": [(name, shown(value)) for name, value in measured.steps],
                "note": measured.note,
                "amount": "—" if measured.amount_wan is None else shown(measured.amount_wan),
            }
            for code, measured in evaluating.measure(inputs, as_of=visit.business_date)
        ]
        if form.is_valid() and not problems and "trial" not in request.POST:
            data = form.cleaned_data
            tags = ((data["policy_tag"], data["policy_result"]),) if data["policy_tag"] else ()
            try:
                evaluating.evaluate(
                    actor=visit.actor, customer=customer, group=group, business_date=visit.business_date,
                    given=evaluating.EvaluationInput(
                        methods=inputs, need_fen=data["need"].fen, need_basis=data["need_basis"],
                        other_banks_now_fen=data["other_banks_now"].fen,
                        other_banks_expected_fen=data["other_banks_expected"].fen,
                        other_institutions=data["other_institutions"], policy_tags=tags, conclusion=data["conclusion"],
                    ),
                )  # fmt: skip
                messages.success(request, _("评价已保存。"))
                return redirect(url)
            except evaluating.EvaluationError as error:
                problems = error.reasons
    for problem in problems:
        form.add_error(None, problem)
    methods = [
        {
            "method": method,
            "is_chosen": code in inputs,
            "inputs": [
                (spec, f"{code}-{spec.key}", request.POST.get(f"{code}-{spec.key}", "")) for spec in method.inputs
            ],
        }
        for code, method in METHODS.items()
    ]
    return render(
        request, "pages/evaluation_form.html",
        {"form": form, "methods": methods, "results": results, "name": name, "back": url,
         "crumbs": [{"url": url, "label": name}]},
        status=422 if request.method == "POST" and "trial" not in request.POST else 200,
    )  # fmt: skip


# --- servicing ------------------------------------------------------------------------------------------------------


def _deal(visit: Visit, pk: int) -> Deal:
    return get_object_or_404(Deal.objects.select_related("customer__party"), pk=pk, customer__in=visit.customers)


@require_POST
@page(Role.OPERATIONS, Role.BRANCH_HEAD, Role.RISK_OFFICER)
def service_deal(request: HttpRequest, visit: Visit, pk: int, act: str) -> HttpResponse:
    """Repay, change cover, record or cure arrears, classify: one act on one deal."""
    deal = _deal(visit, pk)
    url = reverse("customer_credit", args=[deal.customer.number])
    day = visit.business_date
    shapes: dict[str, Any] = {
        "repay": forms.RepaymentForm,
        "cover": forms.CoverForm,
        "overdue": forms.OverdueForm,
        "classify": forms.GradeForm,
    }
    if act == "cure":
        overdue = get_object_or_404(Overdue, deal=deal, cured_date__isnull=True)
        return _act(
            request, url, lambda: servicing.cure_overdue(actor=visit.actor, overdue=overdue, business_date=day),
            _("已登记偿还。"),
        )  # fmt: skip
    if act not in shapes:
        raise Http404
    data = valid(request, shapes[act](request.POST))
    if data is None:
        return redirect(url)
    acts: dict[str, Callable[[], object]] = {
        "repay": lambda: servicing.repay(
            actor=visit.actor, deal=deal, amount_fen=data["amount"].fen, business_date=day
        ),
        "cover": lambda: watch.change_cover(
            actor=visit.actor,
            deal=deal,
            kind=data["kind"],
            after_fen=data["after"].fen,
            reason=data["reason"],
            business_date=day,
            has_happened=data["cause"] == "happened",
        ),
        "overdue": lambda: watch.record_overdue(
            actor=visit.actor,
            deal=deal,
            since_date=data["since_date"],
            principal_fen=data["principal"].fen,
            interest_fen=data["interest"].fen,
            is_forced_advance=data["is_forced_advance"],
            business_date=day,
        ),
        "classify": lambda: servicing.classify(
            actor=visit.actor, deal=deal, grade=data["grade"], reason=data["reason"], business_date=day
        ),
    }
    return _act(request, url, acts[act], lambda result: _said_of(deal, result, day))


def _said_of(deal: Deal, result: object, day: dt.date) -> str:
    """What an act on a deal changed: its cover or balance, the exposure, the customer's use of its line, a stop."""
    said = _("已登记。")
    if isinstance(result, servicing.CoverOutcome):
        change = result.change
        said = _("%(kind)s由 %(before)s 变为 %(after)s 万元，敞口变化 %(change)s 万元。") % {
            "kind": translated(change.get_kind_display()), "before": format_wan(change.before_fen),
            "after": format_wan(change.after_fen), "change": format_wan(change.counted_change_fen),
        }  # fmt: skip
    elif isinstance(result, Repayment):
        said = _("已还款 %(amount)s 万元，释放额度 %(freed)s 万元。") % {
            "amount": format_wan(result.amount_fen), "freed": format_wan(result.counted_fen),
        }  # fmt: skip
    elif isinstance(result, Overdue):
        grade = GRADE_NAMES[servicing.customer_grade(deal.customer_id, as_of=day)]
        said = _("已登记逾期，客户五级分类为%(grade)s，有关机构已收到预警。") % {"grade": translated(grade)}
    use = find_use(deal.customer_id)
    if use is not None and use.cap_fen is not None:
        said += " " + _("额度项下用信 %(used)s，额度 %(cap)s 万元。") % {
            "used": format_wan(use.used_fen), "cap": format_wan(use.cap_fen),
        }  # fmt: skip
        if use.used_fen > use.cap_fen:
            said += " " + _("超出 %(over)s 万元，支用已停止，请压降或补足担保。") % {
                "over": format_wan(use.used_fen - use.cap_fen)
            }
    return said


@require_POST
@page(Role.RISK_OFFICER, Role.APPROVER)
def name_managing(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer, url = _customer(visit, number), reverse("customer_credit", args=[number])
    data = valid(request, forms.ManagingForm(request.POST))
    if data is None:
        return redirect(url)
    return _act(
        request, url,
        lambda: servicing.name_managing_branch(
            actor=visit.actor, customer=customer, business_date=visit.business_date, **data
        ),
        _("管理行已指定。"),
    )  # fmt: skip


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.RISK_OFFICER)
def add_transaction(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer, url = _customer(visit, number), reverse("customer_credit", args=[number])
    data = valid(request, forms.TransactionForm(request.POST))
    if data is None:
        return redirect(url)
    name = data["counterparty"].strip()
    party = Party.objects.filter(Q(name=name) | Q(short_name=name)).first()
    if party is None:
        messages.error(request, _("没有名为“%(name)s”的主体，请先在客户或证据中录入。") % {"name": name})
        return redirect(url)
    given = connections.TransactionInput(
        counterparty=party, traded_date=data["traded_date"], net_assets_fen=data["net_assets"].fen,
        price_fen=data["price"].fen if request.POST.get("price", "").strip() else None,
        fair_value_fen=data["fair_value"].fen if request.POST.get("fair_value", "").strip() else None,
        relation=data["relation"], nature=data["nature"], amount_text=data["amount_text"], pricing=data["pricing"],
    )  # fmt: skip
    return _act(
        request, url,
        lambda: watch.record_transaction(
            actor=visit.actor, customer=customer, given=given, business_date=visit.business_date
        ),
        _("关联交易已登记。"),
    )  # fmt: skip


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.RISK_OFFICER)
def check_event(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """Hold an event against the conditions of the public line (CB+3) and say what follows."""
    customer, url = _customer(visit, number), reverse("customer_credit", args=[number])
    data = valid(request, forms.EventForm(request.POST))
    if data is None:
        return redirect(url)
    findings = public_lines.judge_event(
        customer=customer, event=data["event"], amount_fen=data["amount"].fen, as_of=visit.business_date
    )
    alert = early_signals.report_event(
        actor=visit.actor, customer=customer, event=data["event"], amount_fen=data["amount"].fen,
        business_date=visit.business_date,
    )  # fmt: skip
    if findings:
        messages.warning(request, "；".join(f"{f.message}（{f.article} {f.citation}）" for f in findings))
    if alert is not None:
        messages.info(request, _("已登记预警 %(code)s，并通报有关机构。") % {"code": f"{alert.code} {alert.name}"})
    if not findings:
        messages.info(request, _("未达到调整或取消公开额度的条件。"))
    return redirect(url)


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def add_condition(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer, url = _customer(visit, number), reverse("customer_credit", args=[number])
    chosen = request.POST.get("facility", "")
    facility = get_object_or_404(
        Facility, pk=int(chosen) if chosen.isascii() and chosen.isdigit() else 0, customer=customer
    )
    data = valid(request, forms.PreconditionForm(request.POST))
    if data is None:
        return redirect(url)
    return _act(
        request, url,
        lambda: add_precondition(
            actor=visit.actor, facility=facility, text=data["text"], business_date=visit.business_date
        ),
        _("放款前提已登记。"),
    )  # fmt: skip


@require_POST
@page(Role.OPERATIONS, Role.BRANCH_HEAD)
def meet_condition(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    row = get_object_or_404(Precondition.objects.select_related("facility__customer"), pk=pk)
    customer = _customer(visit, row.facility.customer.number)
    url = reverse("customer_credit", args=[customer.number])
    data = valid(request, forms.EvidenceForm(request.POST))
    if data is None:
        return redirect(url)
    return _act(
        request, url,
        lambda: meet_precondition(
            actor=visit.actor, row=row, evidence=data["evidence"], business_date=visit.business_date
        ),
        _("放款前提已落实。"),
    )  # fmt: skip


@require_POST
@page(Role.RISK_OFFICER, Role.APPROVER)
def stop_line(request: HttpRequest, visit: Visit, kind: str, number: str) -> HttpResponse:
    """Freeze, confirm a freeze or lift it, a customer's or a group's line."""
    if kind not in ("customer", "group"):
        raise Http404
    customer = _customer(visit, number) if kind == "customer" else None
    group = _group(visit, number) if kind == "group" else None
    url = reverse("customer_credit" if customer else "group_credit", args=[number])
    reason = request.POST.get("reason", "")
    record = LineFreeze.objects.filter(customer=customer, group=group, lifted_date__isnull=True).first()
    if record is not None and request.POST.get("act") == "confirm":
        return _act(
            request, url,
            lambda: line_life.confirm_freeze(actor=visit.actor, record=record, business_date=visit.business_date),
            _("冻结已复核。"),
        )  # fmt: skip
    if record is not None:
        return _act(
            request,
            url,
            lambda: line_life.unfreeze(
                actor=visit.actor, record=record, reason=reason, business_date=visit.business_date
            ),
            _("已解冻。"),
        )
    return _act(
        request, url,
        lambda: line_life.freeze(
            actor=visit.actor, customer=customer, group=group, reason=reason, business_date=visit.business_date
        ),
        _("已冻结，请另一人复核。"),
    )  # fmt: skip


@require_POST
@page(Role.OPERATIONS, Role.APPROVER)
def finish_exit(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer, url = _customer(visit, number), reverse("customer_credit", args=[number])
    return _act(
        request, url,
        lambda: line_life.finish_exit(actor=visit.actor, customer=customer, business_date=visit.business_date),
        _("额度已关闭。"),
    )  # fmt: skip


# --- papers ---------------------------------------------------------------------------------------------------------


@page()
def letter(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _customer(visit, number)
    return render(request, "pages/customer_letter.html", case_documents.customer_letter(customer, as_of=visit.as_of))


@page()
def certificate(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    line = get_object_or_404(PublicLine.objects.select_related("customer__party", "case"), certificate_number=number)
    customer = _customer(visit, line.customer.number)
    return render(
        request, "pages/public_certificate.html",
        {
            "line": line, "customer": customer, "as_of": visit.as_of, "institution": visit.institution_name,
            "legal_basis": rules.legal_basis(as_of=line.valid_from),
            "excluded": [
                find_product(code, as_of=visit.as_of).name
                for code in public_lines.excluded_products(visit.as_of)
            ],
        },
    )  # fmt: skip


@require_POST
@page(Role.RISK_OFFICER, Role.APPROVER)
def cancel_certificate(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """Cancel a public line after an event that lets the bank do so (CB+3); the notice prints from its address."""
    line = get_object_or_404(PublicLine.objects.select_related("customer"), certificate_number=number)
    customer = _customer(visit, line.customer.number)
    data = valid(request, forms.CancelForm(request.POST))
    if data is None:
        return redirect(reverse("customer_credit", args=[customer.number]))
    return _act(
        request, reverse("customer_credit", args=[customer.number]),
        lambda: public_lines.cancel_for_event(
            actor=visit.actor, line=line, event=data["event"], amount_fen=data["amount"].fen, reason=data["reason"],
            business_date=visit.business_date,
        ),
        _("公开额度已取消，请打印并送达取消通知书。"),
    )  # fmt: skip


# --- a group's credit file ------------------------------------------------------------------------------------------


@page()
def show_group(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    group, day = _group(visit, number), visit.as_of
    text = _("额度、担保、暴露和逾期按 %(day)s；批复、评级、评价和冻结为目前的记录。")
    say_today_only(request, visit, text % {"day": day})
    lines = list(group.lines.select_related("proposed_by", "approved_by", "case")[:10])
    line = find_line(group.pk, as_of=day)
    guarantees = connections.group_guarantees(group, line_fen=line.amount_fen if line else None, as_of=day)
    members = [m.customer for m in list_members(group, as_of=day)]
    related = connections.related_customers(day)
    actions: list[dict[str, object]] = [{"label": _("打印"), "print": True, "icon": "printer"}]
    if visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD):
        actions += [
            {"label": _("集团评价"), "url": reverse("group_evaluate", args=[number]), "icon": "clipboard-data"},
            {
                "label": _("申报统一授信"),
                "url": reverse("group_line_propose", args=[number]),
                "icon": "plus",
                "primary": True,
            },
        ]
    return render(
        request, "pages/group_credit.html",
        {
            "group": group, "line": line, "guarantees": guarantees, "members": members,
            "ratings": group.ratings.select_related("rated_by")[:5],
            "evaluations": group.evaluations.select_related("made_by")[:5],
            "lines": lines, "open_cases": _cases_to_open(visit, lines),
            "exposures": connections.large_exposures(as_of=day, customers=members),
            "arrears": arrears_of_group(group, as_of=day), "bases": documents_behind(*_GROUP_BASES, as_of=day),
            "related": [(m.party.name, related[m.pk]) for m in members if m.pk in related],
            "freeze": _open_freeze(group=group),
            "may_stop": visit.actor.unit.is_head_office and visit.has(Role.RISK_OFFICER, Role.APPROVER),
            "may_rate": visit.has(Role.RISK_OFFICER), "rating_form": forms.RatingForm(as_of=day),
            "visit": visit, "as_of": day, "actions": actions,
            "crumbs": [{"url": reverse("group_detail", args=[number]), "label": group.name}],
        },
    )  # fmt: skip


@require_POST
@page(Role.RISK_OFFICER)
def rate_group(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    group, url = _group(visit, number), reverse("group_credit", args=[number])
    data = valid(request, forms.RatingForm(request.POST, as_of=visit.business_date))
    if data is None:
        return redirect(url)
    return _act(
        request, url,
        lambda: evaluating.rate(actor=visit.actor, group=group, business_date=visit.business_date, **data),
        _("评级已保存。"),
    )  # fmt: skip
