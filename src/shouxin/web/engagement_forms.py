"""Shapes of what is written on a customer's page."""

import datetime as dt
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shouxin.bank.models import Staff
from shouxin.engagement.models import Activity, Appointment, Contact, Preference, SpecialDate
from shouxin.parties.models import Customer
from shouxin.web.forms import DayInput, StaffChoice


class _OfCustomer(forms.BaseForm):
    """A form whose people are those of one customer."""

    def _limit_people(self, *names: str, customer: Customer) -> None:
        for name in names:
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
            field.queryset = Contact.objects.filter(customer=customer)


class MomentField(forms.DateTimeField):
    """A day and an hour; what is not filled in is now."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"], **kwargs)


class ActivityForm(forms.ModelForm[Activity], _OfCustomer):
    happened_at = MomentField(label=_("时间"))
    link_to = forms.CharField(
        label=_("关联线索：对方名称"),
        max_length=200,
        required=False,
        help_text=_("如“老板的弟弟开了新公司”，交认定岗核实"),
    )

    class Meta:
        model = Activity
        fields = ("kind", "contact", "happened_at", "result", "text", "is_practice")
        labels: ClassVar = {
            "kind": _("方式"),
            "contact": _("联系人"),
            "result": _("结果"),
            "text": _("内容"),
            "is_practice": _("演练"),
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit_people("contact", customer=customer)
        self.fields["text"].widget = forms.Textarea(attrs={"rows": 3})

    def clean_happened_at(self) -> Any:
        at = self.cleaned_data["happened_at"]
        if at > timezone.now() + dt.timedelta(days=1):
            raise forms.ValidationError(_("时间不能晚于现在"))
        return at


class ContactPersonForm(forms.ModelForm[Contact], _OfCustomer):
    class Meta:
        model = Contact
        fields = ("name", "surname", "title", "role", "level", "gatekeeper", "spouse", "phone", "preferred_channel")
        labels: ClassVar = {
            "name": _("姓名"),
            "surname": _("姓氏"),
            "title": _("尊称"),
            "role": _("角色"),
            "level": _("层级"),
            "gatekeeper": _("转接人"),
            "spouse": _("配偶"),
            "phone": _("电话"),
            "preferred_channel": _("偏好方式"),
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit_people("spouse", customer=customer)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("name") and not data.get("gatekeeper"):
            self.add_error("name", _("请填写姓名；不知道姓名时请选择总机或秘书"))
        return data


class PreferenceForm(forms.ModelForm[Preference], _OfCustomer):
    class Meta:
        model = Preference
        fields = ("contact", "category", "value", "source")
        labels: ClassVar = {
            "contact": _("联系人"),
            "category": _("类别"),
            "value": _("喜好"),
            "source": _("来源"),
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit_people("contact", customer=customer)


class SpecialDateForm(forms.ModelForm[SpecialDate], _OfCustomer):
    class Meta:
        model = SpecialDate
        fields = ("contact", "occasion", "calendar", "month", "day", "year", "is_leap_month")
        labels: ClassVar = {
            "contact": _("联系人"),
            "occasion": _("日子"),
            "calendar": _("历法"),
            "month": _("月"),
            "day": _("日"),
            "year": _("年"),
            "is_leap_month": _("闰月"),
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit_people("contact", customer=customer)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        month, day, is_lunar = data.get("month") or 0, data.get("day") or 0, data.get("calendar") == "lunar"
        longest = 30 if is_lunar or month in {4, 6, 9, 11} else 29 if month == 2 else 31
        if not (1 <= month <= 12 and 1 <= day <= longest):
            self.add_error("day", _("没有这一天，请核对月、日"))
        if data.get("is_leap_month") and not is_lunar:
            self.add_error("is_leap_month", _("只有农历有闰月"))
        return data


class AppointmentForm(forms.ModelForm[Appointment], _OfCustomer):
    planned_at = MomentField(label=_("时间"))

    class Meta:
        model = Appointment
        fields = ("contact", "way", "planned_at", "outline", "is_ready")
        labels: ClassVar = {
            "contact": _("联系人"),
            "way": _("预约方法"),
            "outline": _("沟通提纲"),
            "is_ready": _("准备就绪、有信心"),
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit_people("contact", customer=customer)
        self.fields["outline"].widget = forms.Textarea(attrs={"rows": 3})


class AbsenceForm(forms.Form):
    from_date = forms.DateField(label=_("自"), widget=DayInput())
    until_date = forms.DateField(label=_("至（不含）"), widget=DayInput())
    substitute = StaffChoice(label=_("代看人"), queryset=Staff.objects.none(), required=False)
    reason = forms.CharField(label=_("去向"), max_length=120, required=False)

    def __init__(self, *args: Any, actor: Staff, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["substitute"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        field.queryset = Staff.objects.filter(unit=actor.unit_id, is_active=True).exclude(pk=actor.pk)
