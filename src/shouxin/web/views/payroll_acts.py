"""What people do with a payroll group, its members, loans and departures: each act is one address and one service."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms as django_forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.intake.evidence_files import EvidenceError
from shouxin.intake.payroll_lists import read_staff, read_wages
from shouxin.payroll_groups import accounts, forming, inspecting, leaving, lending, listing
from shouxin.payroll_groups.models import (
    Assumption,
    Contract,
    Departure,
    Inspection,
    Loan,
    LoanEntry,
    Member,
    PayrollGroup,
)
from shouxin.payroll_groups.rights import PayrollGroupError, PayrollRefusedError
from shouxin.web import payroll_forms as forms
from shouxin.web.access import Visit, page
from shouxin.web.views.credit_files import valid
from shouxin.web.views.payroll_groups import (
    READERS,
    WORKERS,
    group_in_view,
    member_in_view,
    show_member_page,
    show_page,
)

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

UPLOAD_BYTES_MAX = 20_000_000

Data = dict[str, Any]
"""Cleaned input of a form; empty for an act that asks for nothing."""
Shape = Callable[..., django_forms.Form]
_Rows = TypeVar("_Rows")


# --- acts on a group -------------------------------------------------------------------------------------------------


def _common(visit: Visit) -> Data:
    return {"actor": visit.actor, "business_date": visit.business_date}


def _draft_of(group: PayrollGroup) -> Contract:
    draft = group.contracts.filter(state=Contract.State.DRAFT).first()
    if draft is None:
        raise PayrollGroupError("没有待批准的合同。")
    return draft


def _read(upload: "UploadedFile[bytes]", read: Callable[..., _Rows]) -> _Rows:
    """Read an upload through a file of our own. Raises EvidenceError with every wrong cell."""
    if (upload.size or 0) > UPLOAD_BYTES_MAX:
        raise PayrollGroupError(f"文件超过 {UPLOAD_BYTES_MAX // 1_000_000} MB，请分开。")
    with tempfile.NamedTemporaryFile(suffix=Path(upload.name or "").suffix) as kept:
        for block in upload.chunks():
            kept.write(block)
        kept.flush()
        return read(Path(kept.name), name=upload.name or "")


def _name_member(visit: Visit, group: PayrollGroup, data: Data) -> str:
    number = data.pop("customer").strip()
    customer = visit.customers.select_related("party").filter(number=number).first()
    if customer is None:
        raise PayrollGroupError(_("没有这个客户，或不在您的数据范围内"))
    member = forming.name_member(
        group=group, customer=customer, monthly_income_fen=data.pop("income"), **_common(visit), **data
    )
    return _("已列入 %(name)s（%(state)s）。") % {"name": member, "state": member.get_state_display()}


def _name_members(visit: Visit, group: PayrollGroup, data: Data) -> str:
    rows = _read(data["file"], read_staff)
    made = listing.name_members(group=group, rows=rows, file_name=data["file"].name, **_common(visit))
    return _("名单共 %(n)s 人，已列入。") % {"n": len(made)}


def _receive_payroll(visit: Visit, group: PayrollGroup, data: Data) -> str:
    rows = _read(data["file"], read_wages)
    kept = listing.receive_payroll(
        group=group, month=data["month"], rows=rows, file_name=data["file"].name, **_common(visit)
    )
    return _("已收到 %(m)s 的工资文件，%(n)s 人。") % {"m": f"{kept.month:%Y-%m}", "n": kept.staff_count}


def _prepare(visit: Visit, group: PayrollGroup, data: Data) -> str:
    contract = forming.prepare_contract(group=group, limit_fen=data.pop("limit"), **_common(visit), **data)
    return _("已拟订合同 %(n)s，待县联社批准。") % {"n": contract.number}


def _approve(visit: Visit, group: PayrollGroup, data: Data) -> str:
    forming.approve_contract(contract=_draft_of(group), opinion=data["opinion"], **_common(visit))
    return _("合同已批准，集团设立。")


def _refuse(visit: Visit, group: PayrollGroup, data: Data) -> str:
    forming.refuse_contract(contract=_draft_of(group), opinion=data["opinion"], **_common(visit))
    return _("合同未批准，已记录理由。")


def _consent(visit: Visit, group: PayrollGroup, data: Data) -> str:
    forming.consent_to_renewal(contract=_draft_of(group), document=data["document"], **_common(visit))
    return _("续签同意已登记。")


def _withdraw(visit: Visit, group: PayrollGroup, data: Data) -> str:  # noqa: ARG001
    forming.withdraw_contract(contract=_draft_of(group), **_common(visit))
    return _("合同已撤回。")


def _void_payroll(visit: Visit, group: PayrollGroup, data: Data) -> str:
    latest = group.payrolls.filter(voided_by__isnull=True).order_by("-month").first()
    if latest is None:
        raise PayrollGroupError("没有可作废的工资文件。")
    accounts.void_payroll(payroll=latest, reason=data["reason"], **_common(visit))
    return _("%(m)s 的工资文件已作废。") % {"m": f"{latest.month:%Y-%m}"}


def _simple(do: Callable[..., object], done: str, **fixed: Any) -> Callable[[Visit, PayrollGroup, Data], str]:
    """An act whose form's fields are the service's arguments."""

    def act(visit: Visit, group: PayrollGroup, data: Data) -> str:
        do(group=group, **_common(visit), **fixed, **data)
        return str(_(done))

    return act


Act = Callable[[Visit, PayrollGroup, Data], str]
GROUP_ACTS: Mapping[str, tuple[Shape | None, Act]] = {
    "member": (forms.MemberForm, _name_member),
    "members": (forms.MemberListForm, _name_members),
    "investigate": (forms.ReportForm, _simple(forming.investigate, "调查报告已登记。")),
    "confirm": (forms.OpinionForm, _simple(forming.review_unit, "单位资格已确认。", qualifies=True)),
    "reject": (forms.OpinionForm, _simple(forming.review_unit, "单位资格未通过，已记录。", qualifies=False)),
    "contract": (forms.ContractForm, _prepare),
    "approve": (forms.OpinionForm, _approve),
    "refuse": (forms.OpinionForm, _refuse),
    "account": (forms.AccountForm, _simple(accounts.open_unit_account, "单位账户已登记。")),
    "agreement": (forms.AgreementForm, _simple(accounts.agree_on_payroll, "代发工资协议已登记。")),
    "fund": (forms.FundForm, _simple(accounts.open_fund, "保证基金专户已登记。")),
    "payroll": (forms.PayrollForm, _receive_payroll),
    "inspect": (forms.InspectionForm, _simple(inspecting.inspect, "检查已登记。")),
    "consent": (forms.ConsentForm, _consent),
    "withdraw": (None, _withdraw),
    "void-payroll": (forms.ReasonForm, _void_payroll),
    "dissolve": (None, _simple(leaving.dissolve, "集团已解散。")),
}


@require_POST
@page(*READERS)
def act_on_group(request: HttpRequest, visit: Visit, number: str, act: str) -> HttpResponse:
    """One act on a group; rules that refuse it are shown on the group's page, nothing is half-done."""
    group = group_in_view(visit, number)
    if act not in GROUP_ACTS:
        raise Http404
    shape, do = GROUP_ACTS[act]
    data = _input(request, shape, visit)
    if data is None:
        return redirect("payroll_detail", number=number)
    try:
        messages.success(request, do(visit, group, data))
    except PayrollRefusedError as error:
        return show_page(request, visit, group, error.findings, 422)
    except EvidenceError as error:
        for one in error.errors[:20]:
            messages.error(request, str(one))
        messages.error(request, _("文件没有使用：共 %(n)s 处错误，更正后重新上传。") % {"n": len(error.errors)})
    except PayrollGroupError as error:
        messages.error(request, str(error))
    return redirect("payroll_detail", number=number)


def _input(request: HttpRequest, shape: Shape | None, visit: Visit) -> Data | None:
    """The cleaned form, or None with what is wrong said."""
    if shape is None:
        return {}
    more = {"as_of": visit.business_date} if shape is forms.MemberForm else {}
    cleaned: Data | None = valid(request, shape(request.POST, request.FILES, **more))
    return cleaned


def _complete(visit: Visit, member: Member, data: Data) -> object:
    income = data.pop("income")
    return forming.complete_member(member=member, monthly_income_fen=income or None, **_common(visit), **data)


def _review(qualifies: bool) -> Callable[[Visit, Member, Data], object]:
    def review(visit: Visit, member: Member, data: Data) -> object:
        return forming.review_member(
            member=member, qualifies=qualifies, limit_fen=data["limit"], reason=data["reason"], **_common(visit)
        )

    return review


def _request_loan(visit: Visit, member: Member, data: Data) -> object:
    return lending.request_loan(member=member, amount_fen=data.pop("amount"), **_common(visit), **data)


def _pay(visit: Visit, member: Member, data: Data) -> object:
    return accounts.pay_into_fund(member=member, amount_fen=data.pop("amount"), **_common(visit), **data)


def _of_member(do: Callable[..., object]) -> Callable[[Visit, Member, Data], object]:
    return lambda visit, member, data: do(member=member, **_common(visit), **data)


MEMBER_ACTS: Mapping[str, tuple[Shape, Callable[[Visit, Member, Data], object]]] = {
    "complete": (forms.CompleteMemberForm, _complete),
    "qualify": (forms.ReviewMemberForm, _review(True)),
    "reject": (forms.ReviewMemberForm, _review(False)),
    "strike": (forms.ReasonForm, _of_member(forming.strike)),
    "admit": (forms.SupplementForm, _of_member(forming.admit_later)),
    "pay": (forms.PayFundForm, _pay),
    "refund": (forms.VoucherForm, _of_member(accounts.refund)),
    "loan": (forms.LoanForm, _request_loan),
    "leave": (forms.DepartureForm, _of_member(leaving.ask_to_leave)),
}


def _loan_act(do: Callable[..., object], **renamed: str) -> Callable[[Visit, Loan, Data], object]:
    """``renamed``: a form's field by the service's argument."""

    def act(visit: Visit, loan: Loan, data: Data) -> object:
        return do(loan=loan, **_common(visit), **{renamed.get(name, name): value for name, value in data.items()})

    return act


LOAN_ACTS: Mapping[str, tuple[Shape | None, Callable[[Visit, Loan, Data], object]]] = {
    "release": (None, _loan_act(lending.release_loan)),
    "withdraw": (None, _loan_act(lending.withdraw_loan)),
    "interest": (forms.InterestForm, _loan_act(lending.charge_interest, amount="amount_fen")),
    "repay": (forms.RepayForm, _loan_act(lending.repay, principal="principal_fen", interest="interest_fen")),
    "breach": (forms.BreachForm, _loan_act(lending.note_breach)),
}
DEPARTURE_ACTS: Mapping[str, tuple[Shape | None, Callable[..., object]]] = {
    "leader": (forms.LeaderForm, leaving.leader_agrees),
    "union": (None, leaving.union_agrees),
    "finish": (None, leaving.finish_departure),
    "withdraw": (None, leaving.withdraw_departure),
}


def _do(
    request: HttpRequest, visit: Visit, member: Member, shape: Shape | None,
    act: Callable[[Data], object],
) -> HttpResponse:  # fmt: skip
    """One act that ends on the member's page, with the findings where rules refused it."""
    data = _input(request, shape, visit)
    if data is not None:
        try:
            act(data)
            messages.success(request, _("已办理。"))
        except PayrollRefusedError as error:
            return show_member_page(request, visit, member, error.findings, 422, again=request.POST)
        except PayrollGroupError as error:
            messages.error(request, str(error))
    return redirect("payroll_member", number=member.group.number, pk=member.pk)


@require_POST
@page(*READERS)
def act_on_member(request: HttpRequest, visit: Visit, number: str, pk: int, act: str) -> HttpResponse:
    member = member_in_view(visit, number, pk)
    if act not in MEMBER_ACTS:
        raise Http404
    shape, do = MEMBER_ACTS[act]
    return _do(request, visit, member, shape, lambda data: do(visit, member, data))


@require_POST
@page(*READERS)
def act_on_loan(request: HttpRequest, visit: Visit, pk: int, act: str) -> HttpResponse:
    loan = get_object_or_404(Loan.objects.select_related("member__group"), pk=pk)
    if act not in LOAN_ACTS:
        raise Http404
    member = member_in_view(visit, loan.member.group.number, loan.member_id)
    shape, do = LOAN_ACTS[act]
    return _do(request, visit, member, shape, lambda data: do(visit, loan, data))


@require_POST
@page(*READERS)
def act_on_departure(request: HttpRequest, visit: Visit, pk: int, act: str) -> HttpResponse:
    departure = get_object_or_404(Departure.objects.select_related("member__group"), pk=pk)
    if act not in DEPARTURE_ACTS:
        raise Http404
    member = member_in_view(visit, departure.member.group.number, departure.member_id)
    shape, do = DEPARTURE_ACTS[act]
    return _do(request, visit, member, shape, lambda data: do(departure=departure, **_common(visit), **data))


@require_POST
@page(*READERS)
def reverse_entry(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """A second person takes back what was booked wrongly."""
    entry = get_object_or_404(LoanEntry.objects.select_related("loan__member__group"), pk=pk)
    member = member_in_view(visit, entry.loan.member.group.number, entry.loan.member_id)
    return _do(
        request, visit, member, forms.ReasonForm,
        lambda data: lending.reverse_entry(entry=entry, **_common(visit), **data),
    )  # fmt: skip


@require_POST
@page(*WORKERS)
def sign_assumption(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Another member signed to take over their share."""
    one = get_object_or_404(Assumption.objects.select_related("departure__member__group"), pk=pk)
    member = member_in_view(visit, one.departure.member.group.number, one.departure.member_id)
    return _do(request, visit, member, None, lambda _data: leaving.sign_assumption(assumption=one, **_common(visit)))


@require_POST
@page(*WORKERS)
def share_debt(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Set what each of the others takes over."""
    departure = get_object_or_404(Departure.objects.select_related("member__group"), pk=pk)
    member = member_in_view(visit, departure.member.group.number, departure.member_id)
    field = forms.YuanField(is_positive=False, required=False)

    def act(_data: Data) -> object:
        try:
            shares = {
                one.pk: field.clean(request.POST.get(f"share-{one.pk}", ""))
                for one in leaving.others_of(departure.member)
            }
        except django_forms.ValidationError as error:
            raise PayrollGroupError("；".join(error.messages)) from error
        return leaving.share_debt(departure=departure, shares_fen=shares, **_common(visit))

    return _do(request, visit, member, None, act)


@require_POST
@page(*WORKERS)
def mend(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Say how what an inspection demanded was mended."""
    inspection = get_object_or_404(Inspection.objects.select_related("group"), pk=pk)
    number = group_in_view(visit, inspection.group.number).number
    data = _input(request, forms.AnswerForm, visit)
    if data is not None:
        try:
            inspecting.report_mended(inspection=inspection, **_common(visit), **data)
            messages.success(request, _("整改已登记。"))
        except PayrollGroupError as error:
            messages.error(request, str(error))
    return redirect("payroll_detail", number=number)
