"""Every parameter with its history, its article and what reads it; and the catalogue of products."""

from collections.abc import Mapping
from itertools import groupby

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from shouxin.domain.parameters import EVIDENCE_MARKS, InForce, NotInForceError, Parameter, PolicyBook
from shouxin.policy import load_book
from shouxin.policy.guards import readers
from shouxin.policy.products import catalogue, find_product
from shouxin.rulebook.selectors import stricter_limits
from shouxin.web.access import Visit, page

UNITS = {
    "percent": "%", "wan": "万元", "yuan": "元", "days": "天", "working_days": "工作日", "months": "月", "years": "年",
    "hours": "小时", "minutes": "分钟", "generations": "代", "count": "", "ratio": "", "flag": "", "choice": "",
    "list": "", "text": "", "decimals": "位小数",
}  # fmt: skip
BASE_DATES = {
    "year_end": "年末",
    "quarter_end": "上季末",
    "latest": "最近一期",
    "month_end": "月末",
    "half_year_end": "半年末",
}
COMPARISONS = {"<=": "≤", ">=": "≥", "<": "<", ">": ">"}


def value_text(value: str | tuple[str, ...], unit: str) -> str:
    """A value for the eye: 15 %, 6,600 万元, 是, a list of product names."""
    if isinstance(value, tuple):
        names = catalogue()
        return "、".join(names[item].name if item in names else item for item in value)
    if unit == "flag":
        return _("是") if value == "yes" else _("否")
    if unit == "wan":
        return f"{int(value):,} 万元"
    return f"{value} {UNITS[unit]}".strip()


TOPICS = {
    "ccf": "信用转换系数",
    "class": "五级分类",
    "control": "控制",
    "crm": "客情",
    "fx": "汇率",
    "group": "集团",
    "guarantee": "担保",
    "intragroup_guarantee": "集团内互保",
    "joint_credit": "联合授信",
    "kin": "亲属",
    "le": "大额风险暴露",
    "lead": "牵头行",
    "line": "额度",
    "litigation": "诉讼",
    "payroll": "工薪联保",
    "public_line": "公开额度",
    "related": "关联方",
    "related_tx": "关联交易",
    "report": "监管报送",
    "round": "取整",
    "scope": "授信范围",
    "single": "单一客户",
    "syndicate": "银团",
    "wc": "营运资金",
    "wl": "流动资金贷款",
}


def _line(parameter: Parameter, book: PolicyBook, visit: Visit, stricter: Mapping[str, InForce]) -> dict[str, object]:
    """A parameter with the value that rules: its own, or the stricter one of a document in the register."""
    try:
        in_force = stricter.get(parameter.key, book.at(parameter.key, visit.as_of)).value
    except NotInForceError:
        in_force = None
    return {
        "parameter": parameter,
        "topic": parameter.key.split(".")[0],
        "value": value_text(in_force.text, parameter.unit) if in_force else "",
        "in_force": in_force,
        "comparison": COMPARISONS.get(parameter.comparison, ""),
        "base": parameter.base,
        "base_date": BASE_DATES.get(parameter.base_date, ""),
        "evidence": EVIDENCE_MARKS[in_force.evidence] if in_force else "",
        "readers": len(readers().get(parameter.key, ())),
        "url": reverse("parameter_detail", args=[parameter.key]),
    }


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    book = load_book()
    text = request.GET.get("q", "").strip()
    stricter = stricter_limits(visit.as_of)
    lines = [_line(book.parameter(key), book, visit, stricter) for key in book]
    if text:
        lines = [line for line in lines if _matches(line, text)]
    topics = [
        (TOPICS.get(topic, topic), list(rows)) for topic, rows in groupby(lines, key=lambda line: str(line["topic"]))
    ]
    return render(
        request,
        "pages/parameter_list.html",
        {"topics": topics, "count": len(lines), "text": text, "as_of": visit.as_of, "institution": book.institution},
    )


def _matches(line: dict[str, object], text: str) -> bool:
    parameter = line["parameter"]
    assert isinstance(parameter, Parameter)  # noqa: S101
    haystack = [parameter.key, parameter.title, parameter.title_en, parameter.note]
    haystack += [value.article + value.citation for value in parameter.values]
    return any(text.lower() in part.lower() for part in haystack)


@page()
def show(request: HttpRequest, visit: Visit, key: str) -> HttpResponse:
    book = load_book()
    if key not in book:
        raise Http404(_("没有这个参数"))
    parameter, stricter = book.parameter(key), stricter_limits(visit.as_of)
    history = [
        {
            "value": value,
            "text": value_text(value.text, parameter.unit),
            "evidence": EVIDENCE_MARKS[value.evidence],
            "is_in_force": value.is_in_force(visit.as_of) and key not in stricter,
        }
        for value in book.history(key)
    ]
    return render(
        request,
        "pages/parameter_detail.html",
        {
            "parameter": parameter,
            "line": _line(parameter, book, visit, stricter),
            "ruling": stricter.get(key),
            "history": history,
            "readers": readers().get(key, ()),
            "as_of": visit.as_of,
            "crumbs": [{"url": reverse("parameter_list"), "label": _("规则参数")}],
        },
    )


@page()
def show_products(request: HttpRequest, visit: Visit) -> HttpResponse:
    rows = [(product, find_product(code, as_of=visit.as_of)) for code, product in catalogue().items()]
    return render(request, "pages/product_list.html", {"rows": rows, "as_of": visit.as_of})
