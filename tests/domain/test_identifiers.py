"""Identifiers that cannot be right are refused with what is wrong; counties come and go."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouxin.domain.identifiers import (
    IdentifierError,
    birth_date_of,
    check_credit_code,
    check_identity_number,
    mask_identity_number,
    mask_phone,
)

GOOD = "11010519491231002X"


def test_a_good_credit_code_is_kept_in_its_canonical_form() -> None:
    assert check_credit_code(" 91110000600037341l".replace("l", "L").replace("L", "L")) == "91110000600037341L"


@pytest.mark.parametrize(
    ("code", "reason"),
    [("9111000060003734", "18 位"), ("91110000600037341A", "校验位"), ("9111000060003734IL", "不允许的字符|校验位")],
)
def test_a_bad_credit_code_says_what_is_wrong(code: str, reason: str) -> None:
    with pytest.raises(IdentifierError, match=reason):
        check_credit_code(code)


def test_an_identity_number_is_checked_by_date_and_check_digit_only() -> None:
    assert check_identity_number(GOOD.lower()) == GOOD
    assert birth_date_of(GOOD) == dt.date(1949, 12, 31)
    for bad, reason in (
        ("110105194912310021", "校验位"),
        ("11010519490231002X", "0231 不存在"),
        ("1101051949123100", "18 位"),
    ):
        with pytest.raises(IdentifierError, match=reason):
            check_identity_number(bad)


@given(st.integers(0, 16), st.integers(1, 9))
def test_every_single_wrong_digit_is_found(place: int, shift: int) -> None:
    wrong = GOOD[:place] + str((int(GOOD[place]) + shift) % 10) + GOOD[place + 1 :]
    with pytest.raises(IdentifierError):
        check_identity_number(wrong)


def test_messages_and_pages_never_show_the_whole_number() -> None:
    assert mask_identity_number(GOOD) == "110105**********2X"
    assert mask_phone("13812345678") == "138****5678"
    with pytest.raises(IdentifierError) as caught:
        check_identity_number("110105194912310021")
    assert "19491231" not in str(caught.value)
