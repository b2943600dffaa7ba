"""Pinyin as the library reads it, whatever short way is taken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from shouxin.domain.search_text import SearchFields, pinyin_of, search_keys_and_vector, search_vector

CHARACTERS = "重庆银行长沙乐山成都朝阳厦门西藏曾国藩杭州鹏飞纺织有限公司abZ1"


@pytest.mark.parametrize(
    ("name", "pinyin", "initials"),
    [
        ("重庆长安", "chongqingchangan", "cqca"), ("工商银行", "gongshangyinhang", "gsyh"),
        ("长沙", "changsha", "cs"), ("宏达A", "hongdaa", "hda"),
    ],
)  # fmt: skip
def test_names_are_read_by_the_words_in_them(name: str, pinyin: str, initials: str) -> None:
    assert pinyin_of(name) == (pinyin, initials)


@given(st.text(CHARACTERS, max_size=20), st.booleans())
@settings(max_examples=300, deadline=None)
def test_one_reading_serves_all_keys(name: str, is_person: bool) -> None:
    fields = SearchFields(name, is_person, "KH1", digits=("13812345678",), texts=("回访",))
    assert search_keys_and_vector(fields) == (*pinyin_of(name), search_vector(fields))


@given(st.text("重庆银行长沙乐山成都朝阳厦门西藏", min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_words_decide_readings_as_the_library_does(name: str) -> None:
    assert pinyin_of(name)[0] == "".join(lazy_pinyin(name)) or not set(name) & set("重行长乐都朝厦藏曾")
