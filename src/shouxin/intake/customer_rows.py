"""Columns of a customer list and one typed row of it. Made for a million rows: one pass over the cells of a row.

What a row needs to be checked against the bank (owners, classes, what is there already) is not known here.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from shouxin.domain.identifiers import (
    IdentifierError,
    birth_date_of,
    check_credit_code,
    check_identity_number,
    is_credit_code,
    phone_digits,
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
_MOBILE = re.compile(r"1[3-9]\d{9}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class ListRow:
    """One customer of a list, every value checked for itself; empty texts where the file says nothing."""

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


class RowRefusedError(ValueError):
    """A row that cannot be kept: its column and the reason."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


def match_columns(titles: tuple[str, ...], synonyms: Mapping[str, tuple[str, ...]] = SYNONYMS) -> dict[str, int]:
    """The place of each known column, found by its name or a synonym; other columns are left alone."""
    by_name = {text.lower(): name for name, texts in synonyms.items() for text in (name, *texts)}
    found: dict[str, int] = {}
    for place, title in enumerate(titles):
        name = by_name.get(re.sub(r"[\s*（(].*$", "", title).lower()) or by_name.get(title.lower())
        if name and name not in found:
            found[name] = place
    return found


@lru_cache(maxsize=200_000)
def _digits(phone: str) -> str:
    return phone_digits(phone)


def row_reader(places: Mapping[str, int], width: int) -> Callable[[list[str]], ListRow]:
    """A function that reads the cells of one row. It raises RowRefusedError with the first column that is wrong."""
    order = [places.get(name, -1) for name in SYNONYMS]

    def read(cells: list[str]) -> ListRow:
        if len(cells) < width:
            raise RowRefusedError("", f"有 {len(cells)} 列，表头有 {width} 列")
        if len(cells) > width and any(cells[width:]):
            raise RowRefusedError("", f"有 {len(cells)} 列，表头有 {width} 列")
        (name, kind, number, uscc, identity, phone, email, address, postcode, contact, class_name, owner, step,
         step_day, contact_day, industry, short_name, former, note) = [
            "" if p < 0 else c.strip() if (c := cells[p]).isprintable() else _CONTROL.sub(" ", c).strip() for p in order
        ]  # fmt: skip
        if not name:
            raise RowRefusedError("name", "不能为空")
        if len(name) > 200:
            raise RowRefusedError("name", "超过 200 字")
        if number:
            number = _plain_number("number", number, 20)
        uscc = _credit_code(uscc) if uscc else ""
        born = None
        if identity:
            identity, born = _identity(identity)
        chosen = _kind(kind, uscc, identity)
        digits = _telephone(phone) if phone else ""
        if email and not _MAIL.fullmatch(email):
            raise RowRefusedError("email", f"“{email[:40]}”不是邮件地址")
        if postcode and not (postcode.isascii() and postcode.isdigit() and len(postcode) == 6):
            raise RowRefusedError("postcode", f"邮编“{postcode[:10]}”应为 6 位数字")
        return ListRow(
            name, chosen, number, uscc, identity, born, phone[:200], digits, email[:200], address[:200], postcode,
            contact[:80], class_name, owner, step[:200], _day("next_step_date", step_day),
            _day("last_contact_date", contact_day), industry[:80], short_name[:80], former[:200], note[:2000],
        )  # fmt: skip

    return read


def _kind(text: str, uscc: str, identity: str) -> str:
    if text not in _KINDS:
        raise RowRefusedError("kind", f"“{text[:20]}”不在可用的取值 机构、个人 之中")
    kind = _KINDS[text] or ("person" if identity else "org")
    if (identity and kind == "org") or (uscc and kind == "person"):
        raise RowRefusedError("kind", "机构填统一社会信用代码，个人填身份证号")
    return kind


def _credit_code(text: str) -> str:
    if is_credit_code(text):
        return text
    try:
        return check_credit_code(refuse_scientific(text))
    except (IdentifierError, CellError) as error:
        raise RowRefusedError("uscc", str(error)) from error


def _identity(text: str) -> tuple[str, dt.date]:
    try:
        number = check_identity_number(refuse_scientific(text))
        return number, birth_date_of(number)
    except (IdentifierError, CellError) as error:
        raise RowRefusedError("identity_number", str(error)) from error


def _plain_number(column: str, text: str, length: int) -> str:
    try:
        refuse_scientific(text)
    except CellError as error:
        raise RowRefusedError(column, str(error)) from error
    if len(text) > length:
        raise RowRefusedError(column, f"超过 {length} 字")
    return text


def _telephone(text: str) -> str:
    if _MOBILE.fullmatch(text):
        return text
    _plain_number("phone", text, 40)
    digits = _digits(text)
    if len(digits) < 7:
        raise RowRefusedError("phone", f"“{text[:20]}”不足 7 位数字")
    return digits


def _day(column: str, text: str) -> dt.date | None:
    try:
        return read_day(text) if text else None
    except CellError as error:
        raise RowRefusedError(column, str(error)) from error
