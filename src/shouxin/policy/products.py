"""The catalogue of products (CB-06, CB-11) and what the policy of a day says about each of them."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from shouxin.domain.parameters import PolicyBook
from shouxin.policy.loader import PolicyError, load_book, read_mapping

CATALOGUE = Path(__file__).resolve().parent / "products.yaml"
_FIELDS = {"name", "name_en", "cb11", "ccf", "aliases"}


class UnknownProductError(LookupError):
    """A product that the catalogue does not have; it is refused until somebody adds it (CB-11)."""


@dataclass(frozen=True, slots=True)
class Product:
    """One product as the catalogue has it. ``cb11`` is its place in the list of CB-11, empty outside it."""

    code: str
    name: str
    name_en: str
    cb11: str
    ccf: str
    aliases: tuple[str, ...]

    @property
    def is_credit(self) -> bool:
        """A deposit is a product too, but no credit (CB-06)."""
        return bool(self.ccf)


@dataclass(frozen=True, slots=True)
class ProductRule:
    """What the policy of one day says about a product."""

    code: str
    name: str
    is_credit: bool
    is_in_scope: bool
    is_net_of_margin: bool
    deducts_own_cd: bool
    deducts_treasury: bool
    conversion_factor: Decimal


@cache
def catalogue() -> dict[str, Product]:
    """Every product by its code, in the order of the file. Raises PolicyError for an unusable file."""
    products: dict[str, Product] = {}
    names: set[str] = set()
    for code, row in read_mapping(CATALOGUE).items():
        if set(row) != _FIELDS:
            raise PolicyError(f"{CATALOGUE}:{row.line}: {code} 须有属性 {sorted(_FIELDS)}")
        product = Product(code, row["name"], row["name_en"], row["cb11"], row["ccf"], tuple(row["aliases"]))
        taken = names & {product.name, *product.aliases}
        if taken:
            raise PolicyError(f"{CATALOGUE}:{row.line}: 名称 {sorted(taken)} 已被另一产品使用")
        names |= {product.name, *product.aliases}
        products[code] = product
    return products


def resolve_product(name: str) -> Product:
    """A product by code, name or alias. Raises UnknownProductError naming what the catalogue has."""
    for product in catalogue().values():
        if name in (product.code, product.name, *product.aliases):
            return product
    known = "、".join(product.name for product in catalogue().values())
    raise UnknownProductError(f"产品目录中没有“{name}”，请先由总行在目录中增加。现有：{known}（CB-11）")


def find_product(name: str, *, as_of: dt.date, book: PolicyBook | None = None) -> ProductRule:
    """What the policy says about a product on a day (CB-06, JS-14, UC-03, BR-04, HA-03).

    Before a rule was in force it changes nothing: all credit is in scope, counted gross and in full.
    """
    product = resolve_product(name)
    book = book or load_book()
    scope = book.in_force("scope.products", as_of)
    own_cd, treasury = book.in_force("scope.deduct_own_cd", as_of), book.in_force("scope.deduct_treasury", as_of)
    factor = book.in_force(f"ccf.{product.ccf}", as_of) if product.ccf else None
    return ProductRule(
        code=product.code,
        name=product.name,
        is_credit=product.is_credit,
        is_in_scope=product.is_credit and (scope is None or product.code in scope.value.text),
        is_net_of_margin=product.code in book.items_in_force("scope.net_of_margin", as_of),
        deducts_own_cd=own_cd is not None and own_cd.value.text == "yes",
        deducts_treasury=treasury is not None and treasury.value.text == "yes",
        conversion_factor=factor.decimal if factor else Decimal(product.is_credit),
    )
