"""Names of companies: what is the same, what is near and why, what is another."""

import pytest

from shouxin.domain.matching import NameIndex, core_of, near_addresses, score_names


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("明远贸易有限公司", "明远贸易"),
        ("明远贸易股份有限公司", "明远贸易"),
        ("ＡＢＣ（中国）有限公司", "abc中国"),
        ("宏达集团有限公司", "宏达"),
        ("公司", "公司"),
        ("城东 纺织 厂", "城东纺织"),
    ],
)
def test_a_core_has_no_legal_form_width_or_sign(name: str, core: str) -> None:
    assert core_of(name) == core


@pytest.mark.parametrize(
    ("first", "second", "least", "most"),
    [
        ("明远贸易有限公司", "明远贸易有限公司", 100, 100),
        ("明远贸易有限公司", "明远贸易", 97, 97),
        ("杭州市明远贸易有限公司", "杭州明远贸易有限公司", 92, 92),
        ("杭州明远贸易有限公司", "明远贸易", 80, 91),
        ("杭州明远贸易有限公司", "广州宏达物流有限公司", 0, 50),
        ("鹏远1商贸有限公司", "鹏远10商贸有限公司", 0, 60),
    ],
)
def test_scores_have_their_place(first: str, second: str, least: int, most: int) -> None:
    score, reasons = score_names(first, second)
    assert least <= score <= most
    assert reasons
    assert score_names(second, first)[0] == score


def test_the_nearest_of_many_is_found() -> None:
    names = [f"杭州{a}{b}贸易有限公司" for a in "鹏瑞永金恒安中东和嘉明同" for b in "飞丰康源泰信天方顺禾德兴"]
    index = NameIndex(names)
    assert [names[m.place] for m in index.find("鹏飞贸易股份有限公司", count=1)] == ["杭州鹏飞贸易有限公司"]
    assert index.find("完全无关的名字") == []
    assert NameIndex([]).find("甲") == []


def test_an_address_is_near_when_only_words_differ() -> None:
    assert near_addresses("杭州市西湖区河滨路 18 号", "杭州西湖区河滨路１８号") == 100
    assert near_addresses("杭州市西湖区河滨路18号", "杭州市西湖区河浜路18号") >= 85
    assert near_addresses("杭州市西湖区河滨路18号", "杭州市西湖区河滨路19号") == 0
