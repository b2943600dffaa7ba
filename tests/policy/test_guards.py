"""Policy and code stay together."""

from shouxin.policy import guards, load_book
from shouxin.policy.products import catalogue, resolve_product


def test_every_parameter_is_read_or_reserved_and_every_read_exists() -> None:
    assert guards.check() == []


def test_the_page_can_say_who_reads_a_parameter() -> None:
    modules = {reader.module for reader in guards.readers()["group.limit.pct_net_capital"]}
    assert "shouxin.facilities.rules" in modules


def test_every_conversion_factor_of_the_catalogue_is_a_parameter() -> None:
    keys = load_book().keys()
    assert {f"ccf.{product.ccf}" for product in catalogue().values() if product.ccf} <= set(keys)


def test_products_are_found_by_code_name_and_alias() -> None:
    assert resolve_product("流贷") is resolve_product("working_capital_loan") is resolve_product("流动资金贷款")
    assert {product.cb11 for product in catalogue().values()} >= {str(place) for place in range(1, 12)}
