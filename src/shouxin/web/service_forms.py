"""Shapes of what is written about serving a customer: times, sites, purchases, requests, contribution, profile."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from shouxin.bank.models import Staff
from shouxin.domain.money import Money, format_wan
from shouxin.engagement.models import Contact, Contribution, ServiceRequest, Site
from shouxin.parties.models import Customer, CustomerClass, CustomerProfile
from shouxin.web.forms import DayInput, StaffChoice, WanField

WEEKDAYS = [
    (0, _("周一")),
    (1, _("周二")),
    (2, _("周三")),
    (3, _("周四")),
    (4, _("周五")),
    (5, _("周六")),
    (6, _("周日")),
]
HOURS = [(hour, f"{hour}:00") for hour in range(25)]


class _ContactForm(forms.Form):
    contact = forms.ModelChoiceField(label=_("联系人"), queryset=Contact.objects.none())

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["contact"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        field.queryset = Contact.objects.filter(customer=customer)


class BestTimeForm(_ContactForm):
    weekday = forms.TypedChoiceField(label=_("星期"), coerce=int, choices=WEEKDAYS)
    from_hour = forms.TypedChoiceField(label=_("自（时）"), coerce=int, choices=HOURS[:-1], initial=9)
    to_hour = forms.TypedChoiceField(label=_("至（时）"), coerce=int, choices=HOURS[1:], initial=10)


class DecisionForm(_ContactForm):
    evidence = forms.CharField(
        label=_("核实依据"), max_length=200, help_text=_("授权书、章程、本人确认等，写明来源与日期")
    )


class SiteForm(forms.ModelForm[Site]):
    class Meta:
        model = Site
        fields = ("name", "address", "distance_km", "travel_minutes", "facilities")
        labels: ClassVar = {
            "name": _("场所"),
            "address": _("地址"),
            "facilities": _("可用设施"),
        }
        help_texts: ClassVar = {"facilities": _("会议室、投影、停车、对方设备等")}

    distance_km = forms.DecimalField(
        label=_("距离（公里）"), min_value=0, max_digits=6, decimal_places=1, required=False
    )
    travel_minutes = forms.IntegerField(label=_("路程（分钟）"), min_value=0, max_value=10_000, required=False)

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer = customer


class PurchaseForm(forms.Form):
    product = forms.CharField(label=_("产品"), max_length=80)
    bought_date = forms.DateField(label=_("购买日期"), widget=DayInput())
    quantity = forms.IntegerField(label=_("数量"), min_value=1, max_value=100_000_000, initial=1)
    amount = WanField(label=_("金额（万元）"), required=False)

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer = customer

    def clean(self) -> dict[str, Any]:
        return _as_fen(super().clean() or {}, "amount", "amount_fen")


class RequestForm(forms.Form):
    kind = forms.ChoiceField(label=_("服务"), choices=ServiceRequest.Kind.choices)
    requested_date = forms.DateField(label=_("日期"), widget=DayInput())
    text = forms.CharField(label=_("客户的要求"), max_length=400, widget=forms.Textarea(attrs={"rows": 2}))
    is_free = forms.BooleanField(label=_("免费"), required=False, initial=True)
    unreasonable_reason = forms.CharField(
        label=_("不合理之处"), max_length=200, required=False, help_text=_("判断为不合理的，写明理由；合理的留空")
    )

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer = customer


class ContributionForm(forms.Form):
    month = forms.DateField(label=_("月份（任一日）"), widget=DayInput())
    line = forms.ChoiceField(label=_("条线"), choices=Contribution.Line.choices)
    amount = WanField(label=_("贡献（万元）"))

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer = customer

    def clean(self) -> dict[str, Any]:
        return _as_fen(super().clean() or {}, "amount", "amount_fen")


class ProfileForm(forms.Form):
    industry = forms.CharField(label=_("行业"), max_length=80, required=False)
    country = forms.RegexField(
        r"^[A-Za-z]{2}$", label=_("国家或地区"), max_length=2, empty_value="CN", required=False,
        help_text=_("两个字母的代码，如 CN、HK、US；留空为 CN"),
        error_messages={"invalid": _("请填两个字母的代码，如 CN")},
    )  # fmt: skip
    org_type = forms.ChoiceField(
        label=_("机构类别"), choices=[("", _("（未填）")), *Customer.OrgType.choices], required=False
    )
    trade_role = forms.ChoiceField(
        label=_("经销角色"), choices=[("", _("（未填）")), *CustomerProfile.TradeRole.choices], required=False
    )
    annual_sales = WanField(label=_("年销售（万元）"), required=False)
    sales_year = forms.IntegerField(label=_("销售年度"), min_value=1990, max_value=2200, required=False)

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()

    def clean(self) -> dict[str, Any]:
        return _as_fen(super().clean() or {}, "annual_sales", "annual_sales_fen")


def profile_initial(customer: Customer, profile: CustomerProfile | None) -> dict[str, object]:
    """What the profile form starts with."""
    sales = profile.annual_sales_fen if profile else None
    return {
        "industry": customer.party.industry,
        "country": customer.party.country,
        "org_type": customer.org_type,
        "trade_role": profile.trade_role if profile else "",
        "annual_sales": format_wan(sales).replace(",", "") if sales else "",
        "sales_year": profile.sales_year if profile else None,
    }


class SegmentForm(forms.Form):
    name = forms.CharField(label=_("客户群名称"), max_length=40)
    industry = forms.CharField(label=_("行业含"), max_length=40, required=False, help_text=_("例如 制造"))
    sales_min = WanField(label=_("年销售不低于（万元）"), required=False)
    stage = forms.ChoiceField(label=_("阶段"), choices=[("", _("不限")), *Customer.Stage.choices], required=False)
    customer_class = forms.ModelChoiceField(
        label=_("类别"), queryset=CustomerClass.objects.none(), required=False, empty_label=_("不限")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["customer_class"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        field.queryset = CustomerClass.objects.filter(scheme__is_main=True)

    def clean(self) -> dict[str, Any]:
        return _as_fen(super().clean() or {}, "sales_min", "sales_min_fen")


class AssistantForm(forms.Form):
    staff = StaffChoice(label=_("协办人"), queryset=Staff.objects.none())

    def __init__(self, *args: Any, people: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["staff"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        field.queryset = Staff.objects.filter(pk__in=people, is_active=True).select_related("unit")


class CaseForm(forms.Form):
    customer_number = forms.CharField(label=_("客户号"), max_length=20)
    text = forms.CharField(label=_("事项"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


class SkillForm(forms.Form):
    name = forms.CharField(label=_("特长"), max_length=40, help_text=_("例如 篮球、书法、摄影"))
    level = forms.CharField(label=_("程度"), max_length=40, required=False, help_text=_("爱好者、教练、裁判等"))


def _as_fen(data: dict[str, Any], amount: str, fen: str) -> dict[str, Any]:
    """An amount field in 万元 under the name that the service takes, in 分; an empty one is 0."""
    money = data.pop(amount, None)
    data[fen] = money.fen if isinstance(money, Money) else 0
    return data
