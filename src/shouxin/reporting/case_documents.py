"""授信审批表: one set of facts, three papers: the print page, Word from a template that a bank can edit, PDF.

The papers of the public line are here too: a customer sees what was promised to it and nothing of the internal line.
"""

import datetime as dt
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shouxin.approvals.models import Act, Case
from shouxin.bank.selectors import get_institution
from shouxin.domain.findings import Finding
from shouxin.domain.money import paper_wan
from shouxin.facilities import rules
from shouxin.facilities.case_contents import amount_standing_fen
from shouxin.facilities.models import PublicLine
from shouxin.parties.models import Customer
from shouxin.policy.products import find_product

_DOCUMENTS = Path(__file__).resolve().parent / "documents"
TEMPLATE = _DOCUMENTS / "approval_form.docx"
STYLE = _DOCUMENTS / "approval_form.css"


def findings_of(stored: list[dict[str, Any]]) -> list[Finding]:
    """Findings as they were kept."""
    return [Finding.from_stored(row) for row in stored]


def plan_rows(case: Case) -> list[dict[str, Any]]:
    """What a case proposes by member and product, texts in 万元."""
    payload = case.payload
    refused = set(case.result.get("refused_members", []))
    if case.kind == Case.Kind.GROUP_LINE:
        ids = [int(member) for member in payload["sub_limits"]]
        customers = Customer.objects.filter(pk__in=ids).select_related("party", "unit").order_by("number")
        return [
            {
                "name": customer.party.name,
                "unit": customer.unit.name,
                "amount": paper_wan(payload["sub_limits"][str(customer.pk)]),
                "amount_fen": payload["sub_limits"][str(customer.pk)],
                "products": _products(payload["product_limits"].get(str(customer.pk), {}), case.created_date),
                "is_refused": customer.pk in refused,
                "id": customer.pk,
            }
            for customer in customers
        ]
    amount = payload.get("amount_fen")
    return [
        {
            "name": case.subject_name,
            "unit": case.unit.name,
            "amount": paper_wan(amount) if amount is not None else "—",
            "amount_fen": amount or 0,
            "products": _products(payload.get("product_limits", {}), case.created_date),
            "is_refused": False,
            "id": 0,
        }
    ]


def _products(limits: Mapping[str, int], as_of: dt.date) -> str:
    return "；".join(
        f"{find_product(code, as_of=as_of).name} {paper_wan(amount)}" for code, amount in sorted(limits.items())
    )


def approval_form(case: Case, *, as_of: dt.date) -> dict[str, Any]:
    """Everything that stands on the approval form."""
    acts = list(case.acts.filter(role__in=Act.SEPARATE).select_related("actor__unit", "on_behalf_of"))
    amount = case.payload.get("amount_fen")
    approved = amount_standing_fen(case) if case.state in (Case.State.APPROVED, Case.State.DONE) else None
    return {
        "institution": get_institution().name,
        "number": case.number,
        "kind": case.get_kind_display(),
        "subject": case.subject_name,
        "unit": case.unit.name,
        "created_date": str(case.created_date),
        "state": case.get_state_display(),
        "amount": paper_wan(amount) if amount is not None else "—",
        "approved": paper_wan(approved) if approved is not None else "—",
        "valid_from": case.payload.get("valid_from", ""),
        "valid_to": case.payload.get("valid_to", ""),
        "guarantee": case.payload.get("guarantee", "") or "—",
        "conditions": case.payload.get("conditions", "") or case.payload.get("plan", "") or "—",
        "level": case.level_name or "—",
        "level_reasons": level_reasons_of(case) or "—",
        "exceptions": "；".join([*case.exceptions, *_to_explain(case)]) or "无",
        "exception_reason": case.exception_reason or "—",
        "minutes": _minutes(case),
        "rows": plan_rows(case),
        "findings": [
            {
                "message": f.message,
                "english": f.english,
                "basis": f"{f.citation}（{f.article}）" if f.citation else f.article,
            }
            for f in findings_of(case.findings)
        ],
        "opinions": [
            {
                "round": act.round,
                "role": _role(act, case),
                "name": act.actor.name + (f"（代 {act.on_behalf_of.name}）" if act.on_behalf_of else ""),
                "unit": act.actor.unit.name,
                "result": "" if act.agrees is None else "同意" if act.agrees else "不同意",
                "opinion": act.opinion,
                "date": str(act.acted_date),
            }
            for act in acts
        ],
        "signers": _signers(acts, case),
        "legal_basis": "、".join(rules.legal_basis(as_of=case.created_date)),
        "printed": str(as_of),
    }


def _to_explain(case: Case) -> list[str]:
    """What needs a reason as an exception does but raises no level: the reason on the paper answers it too."""
    return [f"须说明理由：{f.message}" for f in findings_of(case.findings) if f.code == "ABOVE_NEED"]


def _signers(acts: list[Act], case: Case) -> list[dict[str, str]]:
    """Who signs the paper by hand, and where: both investigators, review, decision, operation of this round."""
    lines = []
    for role, count in ((Act.Role.INVESTIGATE, 2), (Act.Role.REVIEW, 1), (Act.Role.DECIDE, 1), (Act.Role.OPERATE, 1)):
        names = [act.actor.name for act in acts if act.role == role and act.round == case.round]
        lines += [{"role": str(role.label), "name": name} for name in [*names, *[""] * (count - len(names))]]
    return lines


def level_reasons_of(case: Case) -> str:
    """Why a case is decided at its level; what was once asked for beside a reason does not stand on paper for ever."""
    return "；".join(reason.replace(rules.ASKS_FOR_MINUTES, "") for reason in case.level_reasons)


def _minutes(case: Case) -> str:
    """Which meeting, when, and what it resolved."""
    if case.minutes is None:
        return "—"
    minutes = case.minutes
    return f"{minutes.get_meeting_display()} {minutes.number}，{minutes.held_date}，决议：{minutes.resolution}"


def _role(act: Act, case: Case) -> str:
    """The step, who went to the site, and whether a later round has replaced the opinion."""
    marks = []
    if act.is_on_site:
        marks.append("现场")
    if act.round < case.round:
        marks.append(f"第 {act.round} 轮，已被后一轮取代")
    return act.get_role_display() + (f"（{'；'.join(marks)}）" if marks else "")


def approval_docx(case: Case, *, as_of: dt.date) -> bytes:
    """The approval form as a Word file."""
    from docxtpl import DocxTemplate

    document = DocxTemplate(str(TEMPLATE))
    document.render(approval_form(case, as_of=as_of), autoescape=True)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def pdf_of(html: str) -> bytes:
    """A page's HTML as a PDF; nothing is fetched from anywhere."""
    from weasyprint import CSS, HTML

    def refuse(url: str, *_: object, **__: object) -> dict[str, object]:
        raise ValueError(f"a document may not fetch {url}")

    return bytes(HTML(string=html, url_fetcher=refuse).write_pdf(stylesheets=[CSS(filename=str(STYLE))]))


def customer_letter(customer: Customer, *, as_of: dt.date) -> dict[str, Any]:
    """What a customer may be told: its certificates, and by when a default under one is to be cured (CB+9).

    An internal line is neither shown nor promised (CB-10).
    """
    standing = (PublicLine.Status.ACTIVE, PublicLine.Status.CURING)
    lines = PublicLine.objects.filter(customer=customer, valid_from__lte=as_of, valid_to__gt=as_of, status__in=standing)
    return {
        "institution": get_institution().name,
        "customer": customer,
        "lines": list(lines),
        "as_of": as_of,
    }
