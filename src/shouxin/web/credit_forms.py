"""Shapes of input about credit cases, evaluations, servicing and the policy register."""

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from shouxin.approvals.models import Minutes
from shouxin.bank.models import CapitalFigure, OrgUnit, RoleAssignment, Staff
from shouxin.domain.authority import LEVEL_NAMES
from shouxin.domain.credit_rules import GRADE_NAMES
from shouxin.domain.measurement import METHODS
from shouxin.domain.signals import CATALOGUE
from shouxin.facilities.evaluating import POLICY_RESULTS
from shouxin.facilities.models import CoverChange, FinancialStatement
from shouxin.facilities.public_lines import EVENTS
from shouxin.monitoring.models import Alert
from shouxin.policy import load_book
from shouxin.rulebook.models import Document
from shouxin.web.forms import DayInput, StaffChoice, WanField
from shouxin.web.templatetags.shouxin_format import translated

LONG = {"rows": 3}


def text_area(label: Any, *, required: bool = True, rows: int = 3) -> forms.CharField:
    return forms.CharField(label=label, required=required, widget=forms.Textarea(attrs={"rows": rows}))


def day_field(label: Any, *, required: bool = True) -> forms.DateField:
    return forms.DateField(label=label, required=required, widget=DayInput())


class PeriodForm(forms.Form):
    valid_from = day_field(_("起始日"))
    valid_to = day_field(_("到期日（不含）"))


class GroupLineForm(PeriodForm):
    """The whole of a group's line; members and products are read beside it."""

    amount = WanField(label=_("统一授信额度"), is_positive=True)
    guarantee = forms.CharField(label=_("担保方式"), max_length=40, required=False)
    conditions = text_area(_("授信条件"), required=False)


class CustomerLineForm(PeriodForm):
    amount = WanField(label=_("一般额度"), is_positive=True)
    is_revolving = forms.BooleanField(label=_("可循环使用（归还后可再支用）"), required=False)
    guarantee = forms.CharField(label=_("担保方式"), max_length=40, required=False)
    conditions = text_area(_("授信条件"), required=False)


class PublicLineForm(PeriodForm):
    amount = WanField(label=_("公开额度"), is_positive=True)
    is_renewal = forms.BooleanField(label=_("期满续办，一般额度不变（CB+10）"), required=False)


class ExitForm(forms.Form):
    plan = text_area(_("压降退出计划"))
    until_date = day_field(_("退出期限"))


class EditForm(forms.Form):
    """What a draft has beside its contents."""

    exception_reason = text_area(_("例外理由（有例外事项时必填）"), required=False)


class EditGroupLineForm(GroupLineForm, EditForm):
    pass


class EditCustomerLineForm(CustomerLineForm, EditForm):
    pass


class EditPublicLineForm(PublicLineForm, EditForm):
    pass


class EditExitForm(ExitForm, EditForm):
    pass


class OpinionForm(forms.Form):
    opinion = text_area(_("意见"))


class InvestigationForm(OpinionForm):
    is_on_site = forms.BooleanField(label=_("本人到现场调查"), required=False)


class SubmitForm(forms.Form):
    exception_reason = text_area(_("例外理由（有例外事项时必填）"), required=False)


class MinutesForm(forms.Form):
    number = forms.CharField(label=_("纪要编号"), max_length=80)
    meeting = forms.ChoiceField(label=_("会议"), choices=Minutes.Meeting.choices)
    held_date = day_field(_("开会日期"))
    attendees = forms.CharField(label=_("出席"), max_length=400, required=False)
    resolution = text_area(_("决议"))
    file = forms.FileField(
        label=_("纪要扫描件（不超过 5 MB）"), required=False, help_text=_("PDF、PNG、JPG 或 Word（docx）"),
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.png,.jpg,.jpeg,.docx"}),
    )  # fmt: skip


class ReasonTextForm(forms.Form):
    reason = forms.CharField(label=_("原因"), max_length=200)


class RatingForm(forms.Form):
    grade = forms.ChoiceField(label=_("等级"))
    model = forms.CharField(label=_("评级模型"), max_length=80)
    note = forms.CharField(label=_("说明"), max_length=200, required=False)

    def __init__(self, *args: Any, as_of: dt.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scale = load_book().items("rating.scale", as_of)
        self.fields["grade"].choices = [("", "———"), *((grade, grade) for grade in scale)]  # type: ignore[attr-defined]


class StatementForm(forms.Form):
    scope = forms.ChoiceField(label=_("口径"), choices=FinancialStatement.Scope.choices)
    source = forms.CharField(label=_("来源"), max_length=120, help_text=_("如：经审计年报"))
    file = forms.FileField(label=_("报表（xlsx）"), help_text=_("第一列为项目，其后每列一期，表头为期末日期；单位万元"))


class EvaluationForm(forms.Form):
    """The parts that every evaluation has; the inputs of the methods follow below it."""

    need = WanField(label=_("客观信贷需求"))
    need_basis = forms.CharField(label=_("需求说明"), max_length=400, required=False)
    other_banks_now = WanField(label=_("他行现有授信"))
    other_banks_expected = WanField(label=_("他行预计授信"))
    other_institutions = forms.IntegerField(label=_("债权银行家数"), min_value=0, max_value=200, initial=0)
    policy_tag = forms.CharField(label=_("适用信贷政策（行业、产品、地区）"), max_length=80, required=False)
    policy_result = forms.ChoiceField(label=_("政策结论"), choices=list(POLICY_RESULTS.items()), required=False)
    conclusion = text_area(_("评价结论"))


def method_inputs(data: Any) -> tuple[dict[str, dict[str, Decimal]], list[str]]:
    """Inputs of the chosen methods from a request, with what could not be read."""
    chosen: dict[str, dict[str, Decimal]] = {}
    problems = []
    for code in data.getlist("method"):
        method = METHODS.get(code)
        if method is None:
            continue
        given: dict[str, Decimal] = {}
        for spec in method.inputs:
            text = data.get(f"{code}-{spec.key}", "").replace(",", "").strip()
            if not text:
                continue
            try:
                number = Decimal(text)
                if not number.is_finite():
                    raise InvalidOperation
                given[spec.key] = number
            except InvalidOperation:
                problems.append(f"{method.name}·{spec.name}：“{text}”不是数字")
        chosen[code] = given
    return chosen, problems


class RepaymentForm(forms.Form):
    amount = WanField(label=_("还款金额"), is_positive=True)


class CoverForm(forms.Form):
    kind = forms.ChoiceField(label=_("担保种类"), choices=CoverChange.Kind.choices)
    after = WanField(label=_("变更后金额"), required=False)
    cause = forms.ChoiceField(
        label=_("情形"), required=False,
        choices=[("asked", _("客户申请释放或补足")), ("happened", _("已发生（划扣、到期、灭失），由授信操作岗登记"))],
    )  # fmt: skip
    reason = forms.CharField(label=_("原因"), max_length=200)


class OverdueForm(forms.Form):
    since_date = day_field(_("应还日"))
    principal = WanField(label=_("逾期本金"), required=False)
    interest = WanField(label=_("欠息"), required=False)
    is_forced_advance = forms.BooleanField(label=_("垫款"), required=False)


class GradeForm(forms.Form):
    grade = forms.ChoiceField(label=_("五级分类"), choices=list(GRADE_NAMES.items()))
    reason = forms.CharField(label=_("理由"), max_length=200)


class ManagingForm(forms.Form):
    branch = forms.ModelChoiceField(
        label=_("管理行"), queryset=OrgUnit.objects.filter(is_active=True, kind__in=["branch", "sub_branch"])
    )
    reason = forms.CharField(label=_("为什么最利于控制风险"), max_length=400)


class TransactionForm(forms.Form):
    counterparty = forms.CharField(label=_("交易对手（名称）"), max_length=200)
    traded_date = day_field(_("交易日"))
    price = WanField(label=_("交易价格"), required=False, help_text=_("象征性价格也请填写"))
    fair_value = WanField(label=_("公允价值"), required=False)
    net_assets = WanField(label=_("客户净资产"))
    relation = forms.CharField(label=_("各方关联关系"), max_length=200, required=False)
    nature = forms.CharField(label=_("项目和性质"), max_length=200, required=False)
    amount_text = forms.CharField(label=_("金额或比例"), max_length=200, required=False)
    pricing = forms.CharField(label=_("定价政策"), max_length=200, required=False)


class EventForm(forms.Form):
    event = forms.ChoiceField(label=_("事项"), choices=list(EVENTS.items()))
    amount = WanField(label=_("涉及金额"), required=False)


class CancelForm(EventForm):
    """An event with the reason why the public line is cancelled for it (CB+3)."""

    reason = forms.CharField(label=_("取消的理由"), max_length=150)


class RelatedPartyForm(forms.Form):
    name = forms.CharField(label=_("名称"), max_length=200)
    relation = forms.CharField(label=_("与本行的关系"), max_length=80)
    valid_from = day_field(_("自"))
    source = forms.CharField(label=_("来源"), max_length=200)


class RelatedPartyEndForm(forms.Form):
    valid_to = day_field(_("结束日（不含）"))
    reason = forms.CharField(label=_("原因"), max_length=200)


class AlertForm(forms.Form):
    code = forms.ChoiceField(
        label=_("信号"), choices=lambda: [(s.code, f"{s.code} {translated(s.name)}") for s in CATALOGUE.values()]
    )
    level = forms.ChoiceField(
        label=_("级别"), initial=Alert.Level.WARN,
        choices=lambda: [(value, translated(label)) for value, label in Alert.Level.choices],
    )  # fmt: skip
    subject = forms.CharField(label=_("客户号或集团编号"), max_length=40)
    event_date = forms.DateField(
        label=_("发生日"), required=False, widget=DayInput(), help_text=_("不填为今日，不能晚于营业日")
    )
    message = text_area(_("情况"))
    evidence = forms.CharField(
        label=_("依据材料"),
        max_length=200,
        required=False,
        help_text=_("如公告、判决书、缴税证明、走访记录的名称和日期"),
    )


class ReviewForm(forms.Form):
    report = text_area(_("调查报告"), rows=5)
    has_major_change = forms.BooleanField(label=_("有重大变化"), required=False)


class VersionForm(forms.Form):
    document = forms.ModelChoiceField(label=_("制度"), queryset=Document.objects.all())
    label = forms.CharField(label=_("标注"), max_length=40, required=False)
    reference = forms.CharField(label=_("文号"), max_length=80, required=False)
    meeting = forms.CharField(label=_("通过会议"), max_length=120, required=False)
    issued_date = day_field(_("印发日期"))
    in_force_from = day_field(_("生效日"))
    review_date = day_field(_("试行复评日"), required=False)
    addressees = forms.CharField(label=_("主送"), max_length=400, required=False)
    summary = text_area(_("要点"), required=False)


class DocumentForm(forms.Form):
    code = forms.SlugField(label=_("代码"), max_length=40, help_text=_("字母、数字与连字符，如 group-line-management"))
    title = forms.CharField(label=_("名称"), max_length=200)
    issuer = forms.ChoiceField(label=_("发布层级"), choices=Document.Issuer.choices)
    issuer_name = forms.CharField(label=_("发布机构"), max_length=120)
    owner = forms.CharField(label=_("解释与修改"), max_length=120, required=False)


class ClauseForm(forms.Form):
    requirement = forms.RegexField(
        r"^[A-Za-z0-9+.-]+$", label=_("要求编号"), max_length=20, help_text=_("如 JS-11；处理结果按此编号链接到条款")
    )
    article = forms.CharField(label=_("条款"), max_length=60)
    text = forms.CharField(label=_("要点"), max_length=400)


class LimitValueForm(forms.Form):
    parameter = forms.CharField(label=_("参数"), max_length=80)
    value = forms.CharField(label=_("取值"), max_length=40)
    article = forms.CharField(label=_("条款"), max_length=60)


class PublishForm(forms.Form):
    units = forms.ModelMultipleChoiceField(
        label=_("下发机构"), queryset=OrgUnit.objects.filter(is_active=True), widget=forms.CheckboxSelectMultiple
    )


class QuestionForm(forms.Form):
    article = forms.CharField(label=_("条款"), max_length=60, required=False)
    text = text_area(_("问题"))


class CapitalForm(forms.Form):
    """A capital figure of a reporting day; it is used once another person has approved it."""

    kind = forms.ChoiceField(label=_("口径"), choices=[(kind.value, _(str(kind.label))) for kind in CapitalFigure.Kind])
    date = day_field(_("报告日"))
    amount = WanField(label=_("金额（万元）"), is_positive=True)
    source = forms.CharField(label=_("来源"), max_length=120, help_text=_("报表名称或文号"))


class AuthorityForm(forms.Form):
    level = forms.TypedChoiceField(
        label=_("审批层级"), choices=[(int(level), name) for level, name in LEVEL_NAMES.items()], coerce=int
    )
    role = forms.ChoiceField(label=_("岗位"), choices=RoleAssignment.Role.choices)
    unit = forms.ModelChoiceField(
        label=_("机构"), queryset=OrgUnit.objects.filter(is_active=True), required=False, empty_label=_("（全部）")
    )
    customer_class = forms.ChoiceField(
        label=_("客户类别"), required=False,
        choices=[("", _("（全部）")), ("single", _("单一客户")), ("group", _("集团")), ("public", _("公开额度"))],
    )  # fmt: skip
    ratings = forms.CharField(label=_("信用等级"), required=False, help_text=_("用逗号分隔，留空为全部"))
    tenor_max_months = forms.IntegerField(label=_("期限（月）不超过"), min_value=1, max_value=600, required=False)
    aggregate_max = WanField(label=_("集团合计上限"), required=False, help_text=_("留空为不设上限"))
    is_inclusive = forms.BooleanField(label=_("含本数"), required=False, initial=True)
    valid_from = day_field(_("自"))
    valid_to = day_field(_("至（不含）"), required=False)
    citation = forms.CharField(label=_("依据"), max_length=200)


class DelegationForm(forms.Form):
    to = StaffChoice(label=_("受托人"), queryset=Staff.objects.filter(is_active=True).select_related("unit"))
    valid_from = day_field(_("自"))
    valid_to = day_field(_("至（不含）"))
    reason = forms.CharField(label=_("事由"), max_length=200)


class PreconditionForm(forms.Form):
    text = forms.CharField(label=_("放款前提"), max_length=200)


class EvidenceForm(forms.Form):
    evidence = forms.CharField(label=_("落实凭据"), max_length=200)
