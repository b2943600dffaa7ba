"""Shapes of input. What the rules say about it is decided by the services."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from shouxin.bank.models import OrgUnit, Staff
from shouxin.domain.identifiers import (
    IdentifierError,
    check_credit_code,
    check_identity_number,
    phone_digits,
)
from shouxin.domain.money import Money, MoneyError
from shouxin.facilities.models import Deal, Facility
from shouxin.parties.models import ContactPoint, Customer, CustomerClass, Party
from shouxin.parties.services import ContactInput
from shouxin.policy.products import resolve_product
from shouxin.web.templatetags.shouxin_format import translated


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class WanField(forms.CharField):
    """An amount in 万元, exact to the 分; cleans to Money."""

    def __init__(self, *, is_positive: bool = False, **kwargs: Any) -> None:
        attributes = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(max_length=30, widget=forms.TextInput(attrs=attributes), **kwargs)
        self.is_positive = is_positive

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return Money(0)
        try:
            amount = Money.from_wan(text)
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from error
        if self.is_positive and amount.fen <= 0:
            raise forms.ValidationError(_("金额须大于 0"))
        return amount


def _checked(text: str, check: Callable[[str], str]) -> str:
    """A checked identifier, or its fault at the field; empty stays empty."""
    if not text.strip():
        return ""
    try:
        return check(text)
    except IdentifierError as error:
        raise forms.ValidationError(str(error)) from error


class ProspectForm(forms.Form):
    """One line of one's own list: the fields that a prospect list has at least (NS-04)."""

    name = forms.CharField(label=_("名称"), max_length=200)
    kind = forms.ChoiceField(label=_("类型"), choices=Party.Kind.choices)
    org_type = forms.ChoiceField(
        label=_("机构类别"), choices=[("", _("（未填）")), *Customer.OrgType.choices], required=False
    )
    uscc = forms.CharField(label=_("统一社会信用代码"), max_length=18, required=False, help_text=_("机构填写"))
    identity_number = forms.CharField(label=_("身份证号"), max_length=18, required=False, help_text=_("个人填写"))
    phone = forms.CharField(label=_("电话号码"), max_length=40, required=False)
    email = forms.EmailField(label=_("邮件地址"), required=False)
    address = forms.CharField(label=_("地址"), max_length=200, required=False)
    postcode = forms.CharField(
        label=_("邮编"),
        max_length=10,
        required=False,
        validators=[RegexValidator(r"^\d{6}$", _("邮编为 6 位数字"))],
    )
    customer_class = forms.ModelChoiceField(
        label=_("类别"), queryset=CustomerClass.objects.none(), required=False, empty_label=_("（未分类）")
    )
    next_step = forms.CharField(label=_("下一步"), max_length=200, required=False)
    next_step_date = forms.DateField(label=_("下一步日期"), required=False, widget=DayInput())
    referrer = forms.CharField(
        label=_("引荐客户号"), max_length=20, required=False, help_text=_("老客户引荐的，填写其客户号")
    )
    confirm_duplicate = forms.BooleanField(label=_("确认不是同一客户，仍要新增"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["customer_class"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        field.queryset = CustomerClass.objects.filter(scheme__is_main=True)

    def clean_uscc(self) -> str:
        return _checked(self.cleaned_data["uscc"], check_credit_code)

    def clean_identity_number(self) -> str:
        return _checked(self.cleaned_data["identity_number"], check_identity_number)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") == Party.Kind.PERSON and data.get("uscc"):
            self.add_error("uscc", _("个人没有统一社会信用代码"))
        if data.get("kind") == Party.Kind.ORGANISATION and data.get("identity_number"):
            self.add_error("identity_number", _("机构没有身份证号"))
        return data

    def clean_phone(self) -> str:
        phone: str = self.cleaned_data["phone"].strip()
        if phone and len(phone_digits(phone)) < 7:
            raise forms.ValidationError(_("电话号码至少 7 位数字"))
        return phone

    def contacts(self) -> tuple[ContactInput, ...]:
        """The contact ways that were filled in."""
        data = self.cleaned_data
        kinds = ContactPoint.Kind
        ways = (
            ContactInput(kinds.PHONE, data["phone"]),
            ContactInput(kinds.EMAIL, data["email"]),
            ContactInput(kinds.ADDRESS, data["address"], postcode=data["postcode"]),
        )
        return tuple(way for way in ways if way.value)


class ContactForm(forms.Form):
    kind = forms.ChoiceField(label=_("方式"), choices=ContactPoint.Kind.choices)
    value = forms.CharField(label=_("内容"), max_length=200)
    postcode = forms.CharField(label=_("邮编"), max_length=10, required=False)
    contact_name = forms.CharField(label=_("联系人"), max_length=80, required=False)


class ClassForm(forms.Form):
    customer_class = forms.ModelChoiceField(label=_("类别"), queryset=CustomerClass.objects.select_related("scheme"))


class NextStepForm(forms.Form):
    next_step = forms.CharField(label=_("下一步"), max_length=200)
    next_step_date = forms.DateField(label=_("下一步日期"), widget=DayInput())


class HandoverForm(forms.Form):
    """Begin a handover; everything that the person is 主办 of goes on the list."""

    from_staff = forms.ModelChoiceField(label=_("移交人"), queryset=Staff.objects.none(), empty_label=None)
    reason = forms.CharField(label=_("移交原因"), max_length=200)
    is_leaving = forms.BooleanField(label=_("离岗移交（协办一并结束）"), required=False)

    def __init__(self, *args: Any, people: list[Staff], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["from_staff"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        field.queryset = Staff.objects.filter(pk__in=[person.pk for person in people]).select_related("unit")


class HandoverVisitForm(forms.Form):
    visited_date = forms.DateField(label=_("共同拜访"), widget=DayInput())
    notice_date = forms.DateField(label=_("告知客户"), widget=DayInput())
    notice_way = forms.CharField(label=_("告知方式"), max_length=40)


class RowForm(forms.Form):
    """What is edited in a row of the list."""

    customer_class = forms.ModelChoiceField(
        label=_("类别"), queryset=CustomerClass.objects.select_related("scheme"), required=False
    )
    next_step = forms.CharField(label=_("下一步"), max_length=200, required=False)
    next_step_date = forms.DateField(label=_("下一步日期"), required=False, widget=DayInput())

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("next_step") and not data.get("next_step_date") and "next_step_date" not in self.errors:
            self.add_error("next_step_date", _("请填写下一步的日期"))
        return data


class FacilityChoice(forms.ModelChoiceField[Facility]):
    def label_from_instance(self, obj: Any) -> str:
        facility: Facility = obj
        product = translated(resolve_product(facility.product).name)
        currency = "" if facility.currency == "CNY" else f" · {facility.currency}"
        return f"{facility.number} · {product} · {facility.branch.name}{currency}"


class CommitmentChoice(forms.ModelChoiceField[Deal]):
    def label_from_instance(self, obj: Any) -> str:
        deal: Deal = obj
        product = translated(resolve_product(deal.product).name)
        return f"{deal.number} · {product} · {Money(deal.amount_fen, deal.currency)}"


class DrawingForm(forms.Form):
    """A request to draw; ``key`` makes a resent form the same request."""

    facility = FacilityChoice(label=_("合同"), queryset=Facility.objects.none(), empty_label=None)
    amount = WanField(label=_("支用金额"), help_text=_("万元，最多精确到分"))
    margin = WanField(label=_("其中保证金"), required=False, help_text=_("万元；承兑、保函等填写"))
    value_date = forms.DateField(label=_("起息日"), widget=DayInput())
    maturity_date = forms.DateField(label=_("到期日"), widget=DayInput())
    exception_reason = forms.CharField(
        label=_("例外理由"), max_length=200, required=False, help_text=_("到期日晚于额度到期日时必填")
    )
    purpose = forms.CharField(label=_("用途"), max_length=200, required=False)
    commitment = CommitmentChoice(
        label=_("提取已有承诺"), queryset=Deal.objects.none(), required=False, empty_label=_("（不是）")
    )
    is_under_public_line = forms.BooleanField(label=_("在公开额度内使用"), required=False)
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    @staticmethod
    def fresh(day: dt.date, *, until: dt.date | None) -> dict[str, object]:
        """A blank form of a day; it matures with the line unless somebody says otherwise."""
        return {"value_date": day, "maturity_date": until, "key": uuid.uuid4().hex, "margin": "0"}


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("原因"), max_length=200)


class StaffChoice(forms.ModelChoiceField[Staff]):
    def label_from_instance(self, obj: Any) -> str:
        person: Staff = obj
        return f"{person.name} · {person.unit.name}"


def _active_staff() -> Any:
    return Staff.objects.filter(is_active=True).select_related("unit")


class ConfirmForm(forms.Form):
    """Propose a candidate as a group; another officer decides."""

    name = forms.CharField(label=_("集团名称"), max_length=120)
    responsible = StaffChoice(label=_("负责人"), queryset=_active_staff(), required=False)
    reason = forms.CharField(label=_("认定理由"), widget=forms.Textarea(attrs={"rows": 3}))


class MergeForm(forms.Form):
    """Propose what two overlapping proposals are."""

    choice = forms.ChoiceField(
        label=_("认定为"),
        choices=[
            ("merge", _("一个集团：合并")),
            ("first", _("两个集团：共有成员归左边")),
            ("second", _("两个集团：共有成员归右边")),
        ],
        widget=forms.RadioSelect,
    )
    name = forms.CharField(label=_("合并后的集团名称"), max_length=120, required=False)
    responsible = StaffChoice(label=_("负责人"), queryset=_active_staff(), required=False)
    reason = forms.CharField(label=_("理由"), widget=forms.Textarea(attrs={"rows": 3}))


class AdditionForm(forms.Form):
    """Add a member under (四): reason and evidence are needed (UC-12)."""

    customer = forms.CharField(label=_("客户号或名称"), max_length=120)
    reason = forms.CharField(label=_("关联关系与理由"), widget=forms.Textarea(attrs={"rows": 2}))
    evidence = forms.CharField(label=_("证据"), widget=forms.Textarea(attrs={"rows": 2}))


class ExclusionForm(forms.Form):
    customer = forms.ChoiceField(label=_("成员"))
    reason = forms.CharField(label=_("理由"), widget=forms.Textarea(attrs={"rows": 2}))


class DecisionForm(forms.Form):
    decision = forms.CharField(label=_("认定意见"), widget=forms.Textarea(attrs={"rows": 3}))


class ResponsibleForm(forms.Form):
    responsible = StaffChoice(label=_("负责人"), queryset=_active_staff())


class LeadForm(forms.Form):
    """By the ranking when no branch is named; else as the president's meeting decided (JS-08)."""

    branch = forms.ModelChoiceField(
        label=_("行长办公会指定"), queryset=OrgUnit.objects.filter(is_active=True), required=False,
        empty_label=_("（按排名）"),
    )  # fmt: skip
    minutes_number = forms.CharField(label=_("会议纪要编号"), max_length=80, required=False)


class WhatIfForm(forms.Form):
    """One supposed change of a holding."""

    holder = forms.CharField(label=_("股东"), max_length=120)
    company = forms.CharField(label=_("被投资企业"), max_length=120)
    percent = forms.DecimalField(label=_("持股比例（%）"), min_value=0, max_value=100, decimal_places=6, max_digits=9)
