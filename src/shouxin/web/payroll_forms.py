"""Shapes of input about payroll groups. Amounts are 元 here, as on the papers of these small loans."""

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from shouxin.bank.models import OrgUnit, Staff
from shouxin.bank.selectors import list_branches
from shouxin.domain.money import Money, MoneyError
from shouxin.payroll_groups.models import FundAccount
from shouxin.payroll_groups.rights import KEEPERS
from shouxin.policy import load_book
from shouxin.web.credit_forms import day_field, text_area
from shouxin.web.forms import StaffChoice


class YuanField(forms.CharField):
    """An amount in 元, exact to the 分; cleans to whole 分."""

    def __init__(self, *, is_positive: bool = True, **kwargs: Any) -> None:
        attributes = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(max_length=30, widget=forms.TextInput(attrs=attributes), **kwargs)
        self.is_positive = is_positive

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return 0
        try:
            fen = Money.from_yuan(text).fen
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from error
        if fen < 0:
            raise forms.ValidationError(_("金额不能为负"))
        if self.is_positive and fen == 0:
            raise forms.ValidationError(_("金额须大于 0"))
        return fen


class ApplicationForm(forms.Form):
    """《组建集团客户授信贷款申请书》."""

    employer = forms.CharField(label=_("单位客户号"), max_length=20, help_text=_("客户名单中的单位；没有的先新增"))
    head_name = forms.CharField(label=_("单位负责人"), max_length=80, help_text=_("按法人证书或任命文件"))
    application_number = forms.CharField(label=_("申请书编号"), max_length=40)
    signed_by = forms.CharField(label=_("申请书签署人"), max_length=80)
    applied_date = day_field(_("申请日期"))
    places = text_area(_("下属单位"), required=False, rows=4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["places"].help_text = _("每行一个：名称，服务信用社名称。留空即单位本部在经办信用社。")

    def clean_places(self) -> list[tuple[str, OrgUnit]]:
        units = {unit.name: unit for unit in list_branches()}
        places = []
        for line in filter(str.strip, self.cleaned_data["places"].splitlines()):
            name, _comma, area = line.replace("，", ",").partition(",")
            if area.strip() not in units or not name.strip():
                raise forms.ValidationError(
                    _("“%(line)s”须写成：名称，信用社名称。信用社有：%(units)s")
                    % {"line": line.strip()[:60], "units": "、".join(units)}
                )
            places.append((name.strip()[:120], units[area.strip()]))
        if len({name for name, _unit in places}) != len(places):
            raise forms.ValidationError(_("下属单位的名称重复"))
        return places


class MemberForm(forms.Form):
    customer = forms.CharField(label=_("成员客户号"), max_length=20)
    employment = forms.ChoiceField(label=_("身份"))
    post = forms.CharField(label=_("岗位"), max_length=80, required=False)
    income = YuanField(label=_("月固定收入（元）"), required=False, is_positive=False)
    income_proof = forms.CharField(label=_("收入证明"), max_length=120, required=False)
    account_number = forms.CharField(label=_("本人账户"), max_length=40, required=False)
    applied_date = day_field(_("本人申请日期"), required=False)

    def __init__(self, *args: Any, as_of: dt.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["employment"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        names = (*load_book().items("payroll.eligible_types", as_of), "个体工商户", "其他")
        field.choices = [(name, _(name)) for name in names]


class MemberListForm(forms.Form):
    file = forms.FileField(label=_("单位报送的名单"))


class CompleteMemberForm(forms.Form):
    applied_date = day_field(_("本人申请日期"), required=False)
    income = YuanField(label=_("月固定收入（元）"), required=False, is_positive=False)
    income_proof = forms.CharField(label=_("收入证明"), max_length=120, required=False)
    account_number = forms.CharField(label=_("本人账户"), max_length=40, required=False)
    owes_overdue = forms.TypedChoiceField(
        label=_("征信核对"), required=False, empty_value=None, coerce=lambda text: text == "yes",
        choices=[("", _("（不变）")), ("no", _("没有逾期贷款")), ("yes", _("有逾期贷款"))],
    )  # fmt: skip


class OpinionForm(forms.Form):
    opinion = text_area(_("意见"), rows=2)


class ReportForm(forms.Form):
    report = text_area(_("调查情况"))


class ReviewMemberForm(forms.Form):
    limit = YuanField(label=_("授信额度（元）"), required=False, is_positive=False)
    reason = forms.CharField(label=_("意见"), max_length=200, required=False)


class ContractForm(forms.Form):
    number = forms.CharField(label=_("合同编号"), max_length=40)
    signed_date = day_field(_("签订日"))
    end_date = day_field(_("到期日（不含）"))
    limit = YuanField(label=_("授信额度（元）"))
    exception_reason = forms.CharField(
        label=_("期限例外理由"), max_length=200, required=False, help_text=_("超过一般期限的填写")
    )


class ConsentForm(forms.Form):
    document = forms.CharField(label=_("续签同意书"), max_length=80)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("理由"), max_length=200)


class AccountForm(forms.Form):
    account_number = forms.CharField(label=_("账号"), max_length=40)
    opened_date = day_field(_("开户日"))


class AgreementForm(forms.Form):
    agreement = forms.CharField(label=_("协议编号"), max_length=40)
    since = day_field(_("代发工资自"))


class FundForm(forms.Form):
    number = forms.CharField(label=_("专户账号"), max_length=40)
    kind = forms.ChoiceField(label=_("账户类型"), choices=FundAccount.Kind.choices)
    custodian = StaffChoice(label=_("保管人"), queryset=Staff.objects.none(), required=False)
    opened_date = day_field(_("开立日"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["custodian"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        keepers = Staff.objects.filter(is_active=True, role_assignments__role__in=KEEPERS).distinct()
        field.queryset = keepers.select_related("unit")


class PayrollForm(forms.Form):
    month = forms.DateField(
        label=_("月份"), input_formats=["%Y-%m", "%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m", attrs={"type": "month", "placeholder": "2025-05"}),
    )  # fmt: skip
    file = forms.FileField(label=_("工资文件"))


class InspectionForm(forms.Form):
    result = text_area(_("检查情况"))
    demand = forms.CharField(label=_("整改要求"), max_length=400, required=False)
    due_date = day_field(_("整改期限"), required=False)


class AnswerForm(forms.Form):
    answer = forms.CharField(label=_("整改情况"), max_length=400)


class PayFundForm(forms.Form):
    amount = YuanField(label=_("金额（元）"))
    account_number = forms.CharField(label=_("交入账号"), max_length=40)
    voucher = forms.CharField(label=_("凭证号"), max_length=40)


class VoucherForm(forms.Form):
    voucher = forms.CharField(label=_("凭证号"), max_length=40)


class LoanForm(forms.Form):
    number = forms.CharField(label=_("借据号"), max_length=40)
    amount = YuanField(label=_("贷款额（元）"))
    due_date = day_field(_("到期日"))


class InterestForm(forms.Form):
    amount = YuanField(label=_("应收利息（元）"))
    voucher = forms.CharField(label=_("凭证号"), max_length=40)


class RepayForm(forms.Form):
    principal = YuanField(label=_("本金（元）"), required=False, is_positive=False)
    interest = YuanField(label=_("利息（元）"), required=False, is_positive=False)
    voucher = forms.CharField(label=_("凭证号"), max_length=40)
    is_forced = forms.BooleanField(label=_("强制收回"), required=False)


class BreachForm(forms.Form):
    text = forms.CharField(label=_("违约情形"), max_length=200)


class DepartureForm(forms.Form):
    kind = forms.ChoiceField(label=_("事项"), choices=[("exit", _("退出")), ("removal", _("除名"))])
    reason = forms.CharField(label=_("事由"), max_length=200)


class LeaderForm(forms.Form):
    document = forms.CharField(label=_("集团负责人同意书"), max_length=80)


class SupplementForm(forms.Form):
    supplement_number = forms.CharField(label=_("补充协议编号"), max_length=40)
