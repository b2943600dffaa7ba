"""工薪联保集团: the list, a group with everything about it, a member with loans and fund, and each act on them."""

import datetime as dt
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db.models import Count, F, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from shouxin.audit import services as audit
from shouxin.audit.selectors import list_entries
from shouxin.domain.money import FEN_PER_YUAN, format_yuan
from shouxin.intake.payroll_lists import STAFF_TITLES
from shouxin.payroll_groups import accounts, forming, leaving, lending, rights, selectors
from shouxin.payroll_groups.models import Contract, Departure, Loan, LoanEntry, Member, PayrollFile, PayrollGroup
from shouxin.payroll_groups.rights import PayrollGroupError, PayrollRefusedError
from shouxin.reporting.exports import Cell, table_xlsx
from shouxin.web import payroll_forms as forms
from shouxin.web.access import Role, Visit, page
from shouxin.web.views.cases import XLSX, attachment

LISTED_MAX = 200
WORKERS = (Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
COUNTY = (Role.RISK_OFFICER, Role.APPROVER)
READERS = (*WORKERS, *COUNTY, Role.OPERATIONS, Role.AUDITOR)


def group_in_view(visit: Visit, number: str) -> PayrollGroup:
    group = rights.groups_in_view(visit.scope).filter(number=number).first()
    if group is None:
        raise Http404(_("没有这个联保集团，或不在您的数据范围内"))
    return group


def member_in_view(visit: Visit, number: str, pk: int) -> Member:
    member = (
        group_in_view(visit, number).members.select_related("customer__party", "group__employer__party").filter(pk=pk)
    )
    found = member.first()
    if found is None:
        raise Http404
    return found


# --- the list ------------------------------------------------------------------------------------------------------


@page(*READERS)
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    groups = _narrowed(request, visit)
    return render(
        request, "pages/payroll_list.html",
        {
            "groups": groups[:LISTED_MAX], "is_cut": groups[LISTED_MAX : LISTED_MAX + 1].exists(),
            "q": request.GET.get("q", ""), "state": request.GET.get("state", ""),
            "states": PayrollGroup.State.choices, "visit": visit,
            "actions": [
                {"label": _("导出 Excel"), "url": f"{reverse('payroll_export')}?{request.GET.urlencode()}",
                 "icon": "download"},
                *([{"label": _("受理组建申请"), "url": reverse("payroll_apply"), "icon": "plus", "primary": True}]
                  if visit.has(*WORKERS) else []),
            ],
        },
    )  # fmt: skip


def _narrowed(request: HttpRequest, visit: Visit) -> Any:
    """The groups in view with the day's sums in one statement, by number, employer or head, and by state."""
    day = visit.as_of
    owed = F("members__loans__entries__principal_fen") + F("members__loans__entries__interest_fen")
    joined = Q(members__joined_date__lte=day) & (Q(members__left_date__isnull=True) | Q(members__left_date__gt=day))
    groups = rights.groups_in_view(visit.scope).annotate(
        member_count=Count("members", filter=joined, distinct=True),
        owed_fen=Sum(owed, filter=Q(members__loans__entries__booked_date__lte=day)),
    )
    text, state = request.GET.get("q", "").strip(), request.GET.get("state", "")
    if text:
        groups = groups.filter(
            Q(number__icontains=text) | Q(employer__party__name__icontains=text) | Q(head_name__icontains=text)
        )
    if state in PayrollGroup.State.values:
        groups = groups.filter(state=state)
    return groups.order_by("-pk")


@page(*READERS)
def export(request: HttpRequest, visit: Visit) -> HttpResponse:
    rows: list[tuple[Cell, ...]] = []
    for group in _narrowed(request, visit).prefetch_related("workplaces"):
        report = selectors.report_of(group, as_of=visit.as_of)
        rows.append(
            (group.number, group.employer.party.name, group.head_name, group.unit.name, selectors.level_name(group),
             group.get_state_display(), report.members, _yuan(report.limit_fen), _yuan(report.principal_fen),
             _yuan(report.interest_fen), _yuan(report.fund_fen), report.largest_name, _yuan(report.largest_fen),
             "" if report.largest_share is None else round(report.largest_share, 2))
        )  # fmt: skip
    audit.record(
        actor=visit.actor, action="reporting.payroll_groups.exported", subject=("export", "payroll_groups"),
        summary=f"导出工薪联保集团 {len(rows)} 行", business_date=visit.business_date,
    )  # fmt: skip
    head = (
        "集团编号", "单位", "单位负责人", "经办信用社", "管理层级", "状态", "成员数",
        "授信额度（元）", "本金（元）", "欠息（元）",
        "保证基金（元）", "最大借款人", "最大借款人余额（元）", "占比（%）",
    )  # fmt: skip
    return attachment(table_xlsx("工薪联保集团", head, rows), XLSX, f"payroll-groups-{visit.as_of}.xlsx")


def _yuan(fen: int) -> Cell:
    return Decimal(fen) / FEN_PER_YUAN


@page(*WORKERS)
def apply(request: HttpRequest, visit: Visit) -> HttpResponse:
    """File the employer's application."""
    form = forms.ApplicationForm(request.POST or None, initial={"applied_date": visit.business_date})
    findings = []
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        employer = visit.customers.select_related("party", "unit").filter(number=data.pop("employer").strip()).first()
        if employer is None:
            form.add_error("employer", _("没有这个客户，或不在您的数据范围内"))
        else:
            try:
                group = forming.file_application(
                    actor=visit.actor, employer=employer, workplaces=data.pop("places"),
                    business_date=visit.business_date, **data,
                )  # fmt: skip
                messages.success(request, _("已受理，编号 %(n)s。") % {"n": group.number})
                return redirect("payroll_detail", number=group.number)
            except PayrollRefusedError as error:
                findings = error.findings
            except PayrollGroupError as error:
                form.add_error(None, str(error))
    return render(
        request, "pages/payroll_apply.html",
        {"form": form, "findings": findings,
         "crumbs": [{"url": reverse("payroll_list"), "label": _("工薪联保集团")}]},
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


# --- one group -----------------------------------------------------------------------------------------------------


@page(*READERS)
def show(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return show_page(request, visit, group_in_view(visit, number))


def show_page(
    request: HttpRequest, visit: Visit, group: PayrollGroup, findings: Any = (), status: int = 200
) -> HttpResponse:
    day = visit.as_of
    contracts = list(group.contracts.select_related("prepared_by", "approved_by", "renews"))
    draft = next((one for one in contracts if one.state == Contract.State.DRAFT), None)
    members = (
        group.members.select_related("customer__party")
        .annotate(
            owed=Sum(
                F("loans__entries__principal_fen") + F("loans__entries__interest_fen"),
                filter=Q(loans__entries__booked_date__lte=day),
            )
        )
        .order_by("pk")
    )
    is_worker = visit.has(*WORKERS)
    return render(
        request, "pages/payroll_detail.html",
        {
            "group": group, "visit": visit, "as_of": day, "findings": findings, "members": members,
            "report": selectors.report_of(group, as_of=day), "level": selectors.level_name(group),
            "contracts": contracts, "draft": draft,
            "draft_findings": forming.contract_findings(draft, actor=visit.actor, as_of=day)
            if draft and visit.has(Role.APPROVER) else [],
            "fund": getattr(group, "fund", None), "payrolls": _payrolls(group, day),
            "missing": selectors.missing_months(group, as_of=day), "steps": _steps(group, contracts),
            "investigations": group.investigations.select_related("investigator"),
            "inspections": group.inspections.select_related("inspector", "mended_by"),
            "requested": Loan.objects.filter(member__group=group, state=Loan.State.REQUESTED).select_related(
                "member__customer__party", "requested_by"
            ),
            "departures": Departure.objects.filter(member__group=group).select_related("member__customer__party")[:20],
            "history": [
                {"title": entry.summary, "line": f"{entry.business_date} · {entry.actor_name}"}
                for entry in list_entries(subject=("payroll_group", group.pk), limit=12)
            ],
            "is_open": group.state in PayrollGroup.OPEN, "is_worker": is_worker,
            "is_county_risk": visit.actor.unit.is_head_office and visit.has(Role.RISK_OFFICER),
            "is_county_approver": visit.actor.unit.is_head_office and visit.has(Role.APPROVER),
            "may_inspect": visit.actor.unit.is_head_office and visit.has(Role.RISK_OFFICER, Role.AUDITOR),
            "may_release": visit.has(Role.BRANCH_HEAD, Role.OPERATIONS),
            "member_form": forms.MemberForm(auto_id="member_%s", as_of=day),
            "list_form": forms.MemberListForm(auto_id="list_%s"),
            "report_form": forms.ReportForm(auto_id="report_%s"),
            "opinion_form": forms.OpinionForm(auto_id="opinion_%s"),
            "consent_form": forms.ConsentForm(auto_id="consent_%s"),
            "void_form": forms.ReasonForm(auto_id="void_%s"),
            "contract_form": forms.ContractForm(auto_id="contract_%s", initial=_contract_initial(group, visit)),
            "account_form": forms.AccountForm(auto_id="account_%s", initial={"opened_date": visit.business_date}),
            "agreement_form": forms.AgreementForm(auto_id="agreement_%s", initial={"since": visit.business_date}),
            "fund_form": forms.FundForm(auto_id="fund_%s", initial={"opened_date": visit.business_date}),
            "payroll_form": forms.PayrollForm(auto_id="payroll_%s"),
            "inspection_form": forms.InspectionForm(auto_id="inspection_%s"),
            "actions": [{"label": _("打印"), "print": True, "icon": "printer"}],
            "crumbs": [{"url": reverse("payroll_list"), "label": _("工薪联保集团")}],
        },
        status=status,
    )  # fmt: skip


def _payrolls(group: PayrollGroup, day: dt.date) -> QuerySet[PayrollFile]:
    """The last twelve months that had come by a day, voided ones too."""
    return group.payrolls.filter(received_date__lte=day).select_related("entered_by", "voided_by")[:12]


def _contract_initial(group: PayrollGroup, visit: Visit) -> dict[str, object]:
    latest = selectors.latest_contract(group)
    return {"signed_date": latest.end_date if latest else visit.business_date}


def _steps(group: PayrollGroup, contracts: list[Contract]) -> list[dict[str, object]]:
    """Where the forming stands, as a line of steps."""
    signed = next((one for one in contracts if one.state == Contract.State.IN_FORCE), None)
    facts = (
        (_("提交申请"), f"{group.applied_by} · {group.applied_date}", True),
        (_("县联社调查"), "", group.investigations.exists()),
        (_("资格审查"), group.review_opinion, group.reviewed_by_id is not None),
        (_("签订合同"), f"{signed.number} · {signed.signed_date}" if signed else "", signed is not None),
        (_("账户与代发工资"), "", bool(group.account_number and group.payroll_agreement)),
        (_("保证基金专户"), "", getattr(group, "fund", None) is not None),
    )
    first_open = next((place for place, fact in enumerate(facts) if not fact[2]), len(facts))
    return [
        {"title": title, "line": line,
         "state": "done" if is_done else ("current" if place == first_open else "todo")}
        for place, (title, line, is_done) in enumerate(facts)
    ]  # fmt: skip


# --- one member ------------------------------------------------------------------------------------------------------


@page(*READERS)
def show_member(request: HttpRequest, visit: Visit, number: str, pk: int) -> HttpResponse:
    return show_member_page(request, visit, member_in_view(visit, number, pk))


def show_member_page(
    request: HttpRequest, visit: Visit, member: Member, findings: Any = (), status: int = 200, *, again: Any = None
) -> HttpResponse:
    departure = member.departures.first()
    contract = selectors.contract_on(member.group, day=visit.business_date)
    return render(
        request, "pages/payroll_member.html",
        {
            "member": member, "group": member.group, "visit": visit, "findings": findings, "as_of": visit.as_of,
            "loans": _loans(member, visit.as_of),
            "fund_entries": member.fund_entries.select_related("entered_by"),
            "paid_fen": accounts.contributed_fen(member), "free_fen": lending.free_contribution_fen(member),
            "owed_fen": sum(entry.principal_fen + entry.interest_fen for entry in LoanEntry.objects.filter(
                loan__member=member, booked_date__lte=visit.as_of)),
            "others": _shares(departure, member),
            "wages": member.wages.select_related("payroll").order_by("-payroll__month")[:12],
            "applicant_findings": forming.applicant_findings(member, as_of=visit.business_date)
            if member.state in Member.CANDIDATES else [],
            "departure": departure,
            "departure_findings": leaving.departure_findings(departure)
            if departure and departure.state == Departure.State.OPEN else [],
            "is_worker": visit.has(*WORKERS), "may_release": visit.has(Role.BRANCH_HEAD, Role.OPERATIONS),
            "may_agree": visit.has(Role.BRANCH_HEAD),
            "is_county": visit.actor.unit.is_head_office and visit.has(*COUNTY),
            "is_candidate": member.state in Member.CANDIDATES,
            "complete_form": forms.CompleteMemberForm(auto_id="complete_%s"),
            "review_form": forms.ReviewMemberForm(auto_id="review_%s"),
            "strike_form": forms.ReasonForm(auto_id="strike_%s"),
            "supplement_form": forms.SupplementForm(auto_id="supplement_%s"),
            "departure_form": forms.DepartureForm(auto_id="departure_%s"),
            "fund_form": forms.PayFundForm(auto_id="fund_%s", initial=_fund_initial(member.group)),
            "loan_form": forms.LoanForm(
                again if again and "due_date" in again else None, auto_id="loan_%s",
                initial={"due_date": contract.end_date if contract else None}
            ),

            "leader_form": forms.LeaderForm(auto_id="leader_%s"),
            "voucher_form": forms.VoucherForm(auto_id="voucher_%s"),
            "crumbs": [
                {"url": reverse("payroll_list"), "label": _("工薪联保集团")},
                {"url": reverse("payroll_detail", args=[member.group.number]),
                 "label": member.group.employer.party.name},
            ],
        },
        status=status,
    )  # fmt: skip


def _fund_initial(group: PayrollGroup) -> dict[str, object]:
    return {"account_number": group.fund.number} if hasattr(group, "fund") else {}


def _shares(departure: Departure | None, member: Member) -> list[tuple[Member, str]]:
    """Those who answer for the debt today with what they took over, 元 as the form takes it."""
    if departure is None or departure.kind != Departure.Kind.REMOVAL or departure.state != Departure.State.OPEN:
        return []
    given = {one.member_id: one.share_fen for one in departure.assumptions.all()}
    return [(other, format_yuan(given.get(other.pk, 0)).replace(",", "")) for other in leaving.others_of(member)]


def _loans(member: Member, day: dt.date) -> list[dict[str, object]]:
    """The member's loans as of a day with the forms of each, whose fields have ids of their own."""
    loans = member.loans.select_related("requested_by", "released_by", "taken_over_from").prefetch_related("entries")
    return [
        {
            "loan": loan, "entries": [entry for entry in loan.entries.all() if entry.booked_date <= day],
            "principal_fen": sum(entry.principal_fen for entry in loan.entries.all() if entry.booked_date <= day),
            "interest_fen": sum(entry.interest_fen for entry in loan.entries.all() if entry.booked_date <= day),
            "repay_form": forms.RepayForm(auto_id=f"repay{loan.pk}_%s"),
            "interest_form": forms.InterestForm(auto_id=f"interest{loan.pk}_%s"),
            "breach_form": forms.BreachForm(auto_id=f"breach{loan.pk}_%s"),
        }
        for loan in loans
    ]  # fmt: skip


@page(*WORKERS)
def list_template(request: HttpRequest, visit: Visit) -> HttpResponse:  # noqa: ARG001
    """An empty sheet for the employer's list."""
    head = [titles[0] for titles in STAFF_TITLES.values()]
    return attachment(table_xlsx("成员名单", head, []), XLSX, "payroll-members.xlsx")
