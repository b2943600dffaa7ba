"""Shapes of input on the limit pages."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shouxin.domain.money import Money
from shouxin.limits.models import Node, StatusRequest
from shouxin.web.forms import WanField
from shouxin.web.kept_text import kept


class SimulateForm(forms.Form):
    """An amount to try on a facility."""

    facility = forms.TypedChoiceField(label=_("合同"), coerce=int)
    amount = WanField(label=_("金额"))

    def __init__(self, *args: Any, facilities: Sequence[Node], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["facility"].choices = [(node.pk, kept(node.name)) for node in facilities]  # type: ignore[attr-defined]

    def clean_amount(self) -> Money:
        amount: Money = self.cleaned_data["amount"]
        if amount.fen <= 0:
            raise forms.ValidationError(_("金额须大于 0"))
        return amount


class StatusForm(forms.Form):
    """Which limit, what, and why."""

    node = forms.TypedChoiceField(label=_("额度"), coerce=int)
    act = forms.ChoiceField(label=_("动作"), choices=StatusRequest.Act.choices)
    reason = forms.CharField(label=_("原因"), max_length=200)

    def __init__(self, *args: Any, nodes: Sequence[Node], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["node"].choices = [  # type: ignore[attr-defined]
            (node.pk, f"{gettext(node.get_kind_display())} {kept(node.name)}") for node in nodes
        ]
        self.fields["act"].choices = [  # type: ignore[attr-defined]
            (act.value, gettext(str(act.label))) for act in StatusRequest.Act
        ]
