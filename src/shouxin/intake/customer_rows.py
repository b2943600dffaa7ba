"""Columns of a customer list and one typed row of it. Made for a million rows: one pass over the cells of a row.
Every wrong cell of a row is named, not only the first.

What a row needs to be checked against the bank (owners, classes, what is there already) is not known here.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from shouxin.domain.identifiers import (
    IdentifierError,
    birth_date_of,
    check_credit_code,
    check_identity_number,
    phone_digits,
    right_credit_codes,
)
from shouxin.intake.list_files import CellError, read_day, refuse_scientific

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "name": ("名称", "客户名称", "姓名", "企业名称", "公司名称", "单位名称", "客户", "name"),
    "kind": ("类型", "客户类型"),
    "number": ("客户号", "客户编号", "客户编码"),
    "uscc": ("统一社会信用代码", "信用代码", "社会信用代码", "税号", "纳税人识别号"),
    "identity_number": ("身份证号", "身份证号码", "证件号码"),
    "phone": ("电话", "电话号码", "手机", "手机号", "手机号码", "联系电话"),
    "email": ("邮件地址", "邮箱", "电子邮件", "email", "e-mail"),
    "address": ("地址", "联系地址", "经营地址", "注册地址"),
    "postcode": ("邮编", "邮政编码"),
    "contact_name": ("联系人", "联系人姓名"),
    "class": ("类别", "客户类别", "分类"),
    "owner": ("客户经理", "工号", "主办", "客户经理工号"),
    "next_step": ("下一步", "下一步计划"),
    "next_step_date": ("下一步日期",),
    "last_contact_date": ("最近联系", "最近联系日期", "上次跟进"),
    "industry": ("行业", "所属行业"),
    "short_name": ("简称",),
    "former_name": ("曾用名", "原名称"),
    "note": ("备注", "说明"),
}
LABELS = {name: synonyms[0] for name, synonyms in SYNONYMS.items()}
NEEDED = ("name",)
_KINDS = {"": "", "org": "org", "机构": "org", "企业": "org", "公司": "org", "单位": "org",
          "person": "person", "个人": "person", "自然人": "person"}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class ListRow(NamedTuple):
    """One customer of a list, every value checked for itself; empty where the file says nothing or something wrong."""

    name: str
    kind: str
    number: str
    uscc: str
    identity_number: str
    birth_date: dt.date | None
    phone: str
    digits: str
    email: str
    address: str
    postcode: str
    contact_name: str
    customer_class: str
    owner: str
    next_step: str
    next_step_date: dt.date | None
    last_contact_date: dt.date | None
    industry: str
    short_name: str
    former_name: str
    note: str


class CellFinding(NamedTuple):
    """What is wrong with one cell: the column of the table ("" for the whole row) and the reason."""

    column: str
    reason: str


ReadRow = tuple[int, ListRow, list[CellFinding]]
"""A line, what it says, and what is wrong with it."""
EMPTY = ListRow._make(["", "org", "", "", "", None, *[""] * 9, None, None, *[""] * 4])


def match_columns(titles: tuple[str, ...], synonyms: Mapping[str, tuple[str, ...]] = SYNONYMS) -> dict[str, int]:
    """The place of each known column, found by its name or a synonym; other columns are left alone."""
    by_name = {text.lower(): name for name, texts in synonyms.items() for text in (name, *texts)}
    found: dict[str, int] = {}
    for place, title in enumerate(titles):
        name = by_name.get(re.sub(r"[\s*（(].*$", "", title).lower()) or by_name.get(title.lower())
        if name and name not in found:
            found[name] = place
    return found


PHONE_DIGITS_MIN = 7  # a local number without its area code


@lru_cache(maxsize=200_000)
def _digits(phone: str) -> str:
    return phone_digits(phone)


def rows_reader(places: Mapping[str, int], width: int) -> Callable[[Sequence[tuple[int, list[str]]]], list[ReadRow]]:
    """A function that reads many rows of (line, cells) at once."""
    order = [places.get(name, -1) for name in SYNONYMS]
    code_place = places.get("uscc", -1)

    def read(part: Sequence[tuple[int, list[str]]]) -> list[ReadRow]:
        codes = [cells[code_place].strip() for _, cells in part if code_place < len(cells)] if code_place >= 0 else []
        right = right_credit_codes(codes)
        found = []
        for line, cells in part:
            wrong: list[CellFinding] = []
            if len(cells) < width or (len(cells) > width and any(cells[width:])):
                wrong.append(CellFinding("", f"有 {len(cells)} 列，表头有 {width} 列"))
                found.append((line, EMPTY, wrong))
                continue
            if "".join(cells).isprintable():
                values = ["" if p < 0 else cells[p].strip() for p in order]
            else:
                values = ["" if p < 0 else _CONTROL.sub(" ", cells[p]).strip() for p in order]
            found.append((line, _typed(values, right, wrong), wrong))
        return found

    return read


def _typed(values: list[str], right_codes: set[str], wrong: list[CellFinding]) -> ListRow:
    """The values of a row; what is wrong is appended to ``wrong`` and left empty."""
    (name, kind, number, uscc, identity, phone, email, address, postcode, contact, class_name, owner, step,
     step_day, contact_day, industry, short_name, former, note) = values  # fmt: skip
    if not name:
        wrong.append(CellFinding("name", "不能为空"))
    elif len(name) > 200:
        wrong.append(CellFinding("name", "超过 200 字"))
    if number:
        number = _plain_number("number", number, 20, wrong)
    if uscc and uscc not in right_codes:
        uscc = _credit_code(uscc, wrong)
    born = None
    if identity:
        identity, born = _identity(identity, wrong)
    kind = _kind(kind, values[3], values[4], wrong)
    digits = ""
    if phone:
        digits = phone if _MOBILE.fullmatch(phone) else _telephone(phone, wrong)
    if email and not _MAIL.fullmatch(email):
        wrong.append(CellFinding("email", f"“{email[:40]}”不是邮件地址"))
    if postcode and not (postcode.isascii() and postcode.isdigit() and len(postcode) == 6):
        wrong.append(CellFinding("postcode", f"邮编“{postcode[:10]}”应为 6 位数字"))
    return ListRow(
        name, kind, number, uscc, identity, born, phone[:200], digits, email[:200], address[:200], postcode,
        contact[:80], class_name, owner, step[:200],
        _day("next_step_date", step_day, wrong) if step_day else None,
        _day("last_contact_date", contact_day, wrong) if contact_day else None,
        industry[:80], short_name[:80], former[:200], note[:2000],
    )  # fmt: skip


def _kind(text: str, uscc: str, identity: str, wrong: list[CellFinding]) -> str:
    if text not in _KINDS:
        wrong.append(CellFinding("kind", f"“{text[:20]}”不在可用的取值 机构、个人 之中"))
        return "org"
    kind = _KINDS[text] or ("person" if identity else "org")
    if (identity and kind == "org") or (uscc and kind == "person"):
        wrong.append(CellFinding("kind", "机构填统一社会信用代码，个人填身份证号"))
    return kind


def _credit_code(text: str, wrong: list[CellFinding]) -> str:
    try:
        return check_credit_code(refuse_scientific(text))
    except (IdentifierError, CellError) as error:
        wrong.append(CellFinding("uscc", str(error)))
        return ""


def _identity(text: str, wrong: list[CellFinding]) -> tuple[str, dt.date | None]:
    try:
        number = check_identity_number(refuse_scientific(text))
        return number, birth_date_of(number)
    except (IdentifierError, CellError) as error:
        wrong.append(CellFinding("identity_number", str(error)))
        return "", None


def _plain_number(column: str, text: str, length: int, wrong: list[CellFinding]) -> str:
    try:
        refuse_scientific(text)
    except CellError as error:
        wrong.append(CellFinding(column, str(error)))
        return ""
    if len(text) > length:
        wrong.append(CellFinding(column, f"超过 {length} 字"))
    return text


def _telephone(text: str, wrong: list[CellFinding]) -> str:
    before = len(wrong)
    _plain_number("phone", text, 40, wrong)
    if len(wrong) > before:
        return ""
    digits = _digits(text)
    if len(digits) < PHONE_DIGITS_MIN:
        wrong.append(CellFinding("phone", f"“{text[:20]}”不足 {PHONE_DIGITS_MIN} 位数字"))
    return digits


@lru_cache(maxsize=50_000)
def _day_of(text: str) -> dt.date | None:
    return read_day(text)


def _day(column: str, text: str, wrong: list[CellFinding]) -> dt.date | None:
    try:
        return _day_of(text)
    except CellError as error:
        wrong.append(CellFinding(column, str(error)))
        return None
