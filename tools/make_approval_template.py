"""Write the Word template of the approval form: a bank may edit the file itself afterwards.

.venv/bin/python tools/make_approval_template.py
"""

from pathlib import Path

from docx import Document
from docx.oxml.ns import qn
from docx.shared import Pt

TARGET = Path(__file__).resolve().parent.parent / "src/shouxin/reporting/documents/approval_form.docx"


def main() -> None:
    document = Document()
    style = document.styles["Normal"]
    style.font.name, style.font.size = "SimSun", Pt(10.5)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), "宋体")
    document.add_heading("授信审批表", level=1)
    document.add_paragraph("{{ institution }}　编号 {{ number }}　状态 {{ state }}")
    facts = document.add_table(rows=0, cols=4, style="Table Grid")
    rows = (
        ("事项", "{{ kind }}", "对象", "{{ subject }}"),
        ("发起机构", "{{ unit }}", "发起日", "{{ created_date }}"),
        ("申报额度（万元）", "{{ amount }}", "批准额度（万元）", "{{ approved }}"),
        ("期限", "{{ valid_from }} 至 {{ valid_to }}（不含）", "担保方式", "{{ guarantee }}"),
        ("审批层级", "{{ level }}", "会议纪要", "{{ minutes }}"),
        ("层级依据", "{{ level_reasons }}", "条件", "{{ conditions }}"),
        ("例外事项", "{{ exceptions }}", "例外理由", "{{ exception_reason }}"),
    )
    for row in rows:
        for cell, text in zip(facts.add_row().cells, row, strict=True):
            cell.text = text
    document.add_heading("额度分配（万元）", level=2)
    _loop(
        document,
        "rows",
        ("成员", "机构", "额度", "分产品"),
        (
            "{{ row.name }}",
            "{{ row.unit }}",
            "{{ row.amount }}{% if row.is_refused %}（未批）{% endif %}",
            "{{ row.products }}",
        ),
    )
    document.add_heading("制度核对", level=2)
    _loop(document, "findings", ("结论", "依据"), ("{{ row.message }}", "{{ row.basis }}"))
    document.add_heading("调查、审查、审批与落实意见", level=2)
    _loop(
        document,
        "opinions",
        ("环节", "姓名", "机构", "结论", "意见", "日期"),
        (
            "{{ row.role }}",
            "{{ row.name }}",
            "{{ row.unit }}",
            "{{ row.result }}",
            "{{ row.opinion }}",
            "{{ row.date }}",
        ),
    )
    document.add_paragraph("法律依据：{{ legal_basis }}")
    document.add_paragraph("打印日期 {{ printed }}　签字：")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    document.save(TARGET)


def _loop(document: object, name: str, head: tuple[str, ...], cells: tuple[str, ...]) -> None:
    table = document.add_table(rows=1, cols=len(head), style="Table Grid")
    for cell, text in zip(table.rows[0].cells, head, strict=True):
        cell.text = text
    table.add_row().cells[0].text = "{%tr for row in " + name + " %}"
    for cell, text in zip(table.add_row().cells, cells, strict=True):
        cell.text = text
    table.add_row().cells[0].text = "{%tr endfor %}"


if __name__ == "__main__":
    main()
