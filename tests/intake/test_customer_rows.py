"""Rows of a customer list: the fast ways say the same as the libraries, and all that is wrong with a row is named."""

import datetime as dt

import phonenumbers
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.cn import uscc

from shouxin.domain.identifiers import phone_digits, right_credit_codes
from shouxin.intake.customer_lines import HelperPreparer, HerePreparer, Part, Preparer, Surroundings
from shouxin.intake.customer_rows import SYNONYMS, rows_reader

TITLES = list(SYNONYMS)
AROUND = Surroundings(
    {c: n for n, c in enumerate(TITLES)}, len(TITLES), dt.date(2025, 6, 30), {"m1": (7, 3)}, {"A 类": (5, 2)}, (9, 4)
)
CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def cells(**values: str) -> list[str]:
    return [values.get(name, "") for name in TITLES]


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
@settings(max_examples=300, deadline=None)
def test_a_mainland_mobile_is_its_own_digits_as_the_library_says(number: str) -> None:
    assert phone_digits(number) == number == str(phonenumbers.parse(number, "CN").national_number)
    ((_, row, wrong),) = rows_reader({"name": 0, "phone": 1}, 2)([(2, ["甲", number])])
    assert (row.digits, wrong) == (number, [])


@given(
    st.lists(st.text(CODE + "IOSVZ", min_size=17, max_size=19), max_size=20),
    st.lists(st.text(CODE, min_size=9, max_size=9)),
)
@settings(max_examples=200, deadline=None)
def test_credit_codes_are_checked_together_as_the_library_checks_one(texts: list[str], bodies: list[str]) -> None:
    texts = texts + [f"91330100{body}{uscc.calc_check_digit(f'91330100{body}')}" for body in bodies]
    right = right_credit_codes(texts)
    for text in texts:
        if text[:2].isdigit():
            assert (text in right) == (len(text) == 18 and uscc.is_valid(text)), text


def test_codes_of_offices_with_a_letter_are_known() -> None:
    body = "N2410100MA2DEM04X"
    assert right_credit_codes([body + uscc.calc_check_digit(body)])


def test_all_that_is_wrong_with_a_row_is_named() -> None:
    bad = cells(
        name="", uscc="9.11E+17", phone="12", email="x", postcode="3100", next_step_date="2025-02-30", kind="狗"
    )
    ((line, _, wrong),) = rows_reader(AROUND.places, AROUND.width)([(4, bad)])
    assert (line, [f.column for f in wrong]) == (
        4, ["name", "uscc", "kind", "phone", "email", "postcode", "next_step_date"],
    )  # fmt: skip


def test_a_helper_process_prepares_what_is_prepared_here() -> None:
    rows = [
        (2, cells(name="重庆\\长安", phone="13812345678", owner="m1", **{"class": "A 类"}, former_name="旧\t名")),
        (3, cells(name="单田芳", kind="个人", identity_number="11010519491231002X", note="爱好\n评书")),
        (4, cells(name="", phone="1")),
    ]
    part = Part(rows, [1, 2, 3], [11, 12, 13], dt.datetime(2025, 6, 30, tzinfo=dt.UTC))
    answers = []
    for make in (HerePreparer, HelperPreparer):
        preparer: Preparer = make(AROUND)
        preparer.hand_in(part)
        answers.append(preparer.take())
        preparer.close()
    assert answers[0] == answers[1]
    first, second, third = answers[0]
    assert third.lines is None
    assert first.lines is not None
    assert first.lines[2:] == (
        "1\t7\tmain\t2025-06-30\timported\n", "1\t2\t5\t2025-06-30\n", "1\tphone\t13812345678\t13812345678\t\t\tt\n",
        "11\t旧 名\n",
    )  # fmt: skip
    assert second.lines is not None
    assert "'Yshan':1" in second.lines[1]
    assert "爱好 评书" in second.lines[1]
