"""Check the numbers by which organisations and persons are one: 统一社会信用代码 and 身份证号.

An identity number is checked by its date and its check digit only: county codes come and go, and a library that
knows today's counties refuses people born before one existed.
"""

import datetime as dt
import re
from collections.abc import Iterable

import numpy as np
import phonenumbers
from stdnum.cn import uscc
from stdnum.exceptions import InvalidChecksum, InvalidFormat, InvalidLength, ValidationError


class IdentifierError(ValueError):
    """A number that cannot be right; the text says what is wrong with it."""


_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"


_CREDIT_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = np.array([pow(3, n, 31) for n in range(18)], dtype=np.int16)
_CREDIT_VALUES = np.full(128, -1, dtype=np.int16)
_CREDIT_VALUES[[ord(c) for c in _CREDIT_CHARACTERS]] = range(31)


def right_credit_codes(texts: Iterable[str]) -> set[str]:
    """Of many texts those that are credit codes in canonical form with their right check character.

    A code is right when the weighted sum of all eighteen characters is a multiple of 31, the check character having
    weight one. One calculation for all: a list of a million is checked in a second.
    """
    codes = [text for text in texts if len(text) == 18 and text.isascii()]
    if not codes:
        return set()
    characters = np.frombuffer("".join(codes).encode("ascii"), dtype=np.uint8).reshape(-1, 18)
    values = _CREDIT_VALUES[characters]
    area = characters[:, 2:8]
    good = (values >= 0).all(axis=1) & ((area >= ord("0")) & (area <= ord("9"))).all(axis=1)
    good &= (values[:, :17] @ _CREDIT_WEIGHTS[:17] + values[:, 17]) % 31 == 0
    return {codes[place] for place in np.flatnonzero(good)}


def check_credit_code(text: str) -> str:
    """The credit code in its canonical form. Raises IdentifierError with the reason."""
    code = uscc.compact(text).upper()
    if right_credit_codes([code]):
        return code
    try:
        return str(uscc.validate(code))
    except InvalidLength:
        raise IdentifierError(f"统一社会信用代码应为 18 位，收到 {len(code)} 位：{text}") from None
    except InvalidFormat:
        raise IdentifierError(f"统一社会信用代码含有不允许的字符：{text}") from None
    except InvalidChecksum:
        raise IdentifierError(f"统一社会信用代码校验位不符，请核对：{text}") from None
    except ValidationError as error:
        raise IdentifierError(f"统一社会信用代码无效（{error}）：{text}") from None


def check_identity_number(text: str) -> str:
    """An 18-digit identity number, upper case. Raises IdentifierError with the reason."""
    number = text.strip().upper()
    if not re.fullmatch(r"\d{17}[\dX]", number):
        raise IdentifierError(f"身份证号应为 18 位数字，末位可为 X：{mask_identity_number(number)}")
    birth_date_of(number)
    check = _CHECK_CHARACTERS[sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False)) % 11]
    if number[-1] != check:
        raise IdentifierError(f"身份证号校验位不符，请核对：{mask_identity_number(number)}")
    return number


def birth_date_of(number: str) -> dt.date:
    """The date of birth inside an 18-digit identity number. Raises IdentifierError for a day that does not exist."""
    try:
        return dt.datetime.strptime(number[6:14], "%Y%m%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise IdentifierError(f"身份证号中的出生日期 {number[6:14]} 不存在") from None


def mask_identity_number(number: str) -> str:
    """Area and the last two characters only: 110101********34."""
    return f"{number[:6]}{'*' * max(0, len(number) - 8)}{number[-2:]}" if len(number) > 8 else "*" * len(number)


def mask_phone(number: str) -> str:
    """The first three and last four digits: 138****5678."""
    return f"{number[:3]}****{number[-4:]}" if len(number) >= 8 else "*" * len(number)


def phone_digits(value: str) -> str:
    """The digits of a telephone number as they are searched, extension dropped; empty when there is no number."""
    main = re.split(r"(?:转|分机|ext\.?|x|#)", value, maxsplit=1, flags=re.IGNORECASE)[0]
    try:
        number = phonenumbers.parse(main, "CN")
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", main)[:40]
    return str(number.national_number)
