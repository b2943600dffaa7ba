"""Run a whole bank from one JSON file: store it by the ordinary services, and answer its questions from the store.

The file names an institution, parameters, persons with kin, companies with holders, deals, guarantees, dependence and
a group line. ``expected`` lists questions by name; see ``answer`` for those that are known.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any

from django.db import transaction

from shouxin.bank.models import CapitalFigure, ExchangeRate, Institution, OrgUnit, Staff
from shouxin.bank.services import create_unit
from shouxin.domain.exposure import (
    Deal,
    find_guarantee_cycle,
    intragroup_guarantees_fen,
    stock_by_branch,
    total,
    totals_by_customer,
)
from shouxin.domain.groups import Determination, identify
from shouxin.domain.lead_branch import rank_branches
from shouxin.domain.money import FEN_PER_WAN, FEN_PER_YUAN, Money, share_of
from shouxin.domain.parameters import PolicyBook
from shouxin.facilities.models import Facility
from shouxin.facilities.selectors import deals_on, domain_deals
from shouxin.facilities.services import open_facility, take_over_deal
from shouxin.groups.engine import read_evidence
from shouxin.groups.models import Dependence, Guarantee, Holding, KinLink
from shouxin.groups.policy_settings import settings_from
from shouxin.parties.models import Customer, Party
from shouxin.parties.services import add_customer, create_party
from shouxin.policy import load_book
from shouxin.policy.products import resolve_product
from shouxin.reporting.scenario_file import PARAMETERS, ScenarioFileError, completed

MICRO = 1_000_000
_DEAL_AGE = dt.timedelta(days=107)  # the file gives no dates: all deals began in the same quarter, before its day
_CONTRACT_TERM = dt.timedelta(days=365)


class ScenarioError(Exception):
    """The file cannot be run; the text names the part and the reason."""


@dataclass(frozen=True, slots=True)
class StoredBank:
    """A scenario as it stands in the database, and how its names map to what was stored."""

    document: Mapping[str, Any]
    as_of: dt.date
    book: PolicyBook
    parties: Mapping[str, Party]
    customers: Mapping[str, Customer]
    units: Mapping[str, OrgUnit]
    facilities: Mapping[tuple[str, str, str, str], Facility]


def book_of(document: Mapping[str, Any]) -> PolicyBook:
    """The policy with the file's parameters laid over it. Raises ScenarioError for one it does not know."""
    values: dict[str, str | tuple[str, ...]] = {}
    for name, value in document.get("params", {}).items():
        if name == "net_of_margin":
            values["scope.net_of_margin"] = tuple(resolve_product(product).code for product in value)
        elif name in PARAMETERS:
            values[PARAMETERS[name]] = ("no", "yes")[value] if isinstance(value, bool) else str(value)
        else:
            raise ScenarioError(f"params: 未知的参数 {name}，可用 {sorted([*PARAMETERS, 'net_of_margin'])}")
    return load_book().overlaid(
        values,
        institution=document["institution"]["name"],
        citation="情景文件",
        valid_from=dt.date(1990, 1, 1),
    )


@transaction.atomic
def store(
    document: Mapping[str, Any], *, units: Mapping[str, OrgUnit] | None = None, owner: Staff | None = None
) -> StoredBank:
    """Write a scenario into an empty bank: parties, evidence, capital, customers, contracts, deals in the ledger.

    ``units`` and ``owner`` are existing branches and the customers' manager; without them plain ones are made.
    """
    try:
        document = completed(document)
    except ScenarioFileError as error:
        raise ScenarioError(str(error)) from error
    as_of = dt.date.fromisoformat(document["as_of"])
    factor = _unit_factor(document["institution"].get("unit", "万元"))
    _store_institution(document["institution"], as_of, factor)
    for currency, rate in document.get("rates", {}).items():
        ExchangeRate.objects.create(
            currency=currency, date=as_of - _DEAL_AGE, rate=Decimal(str(rate)), source="情景文件"
        )
    parties = _store_parties(document)
    branches = dict(units) if units is not None else _store_branches(document)
    manager = owner or _any_manager(branches)
    customers = _store_customers(document, parties, branches, manager, as_of)
    _store_evidence(document, parties, factor)
    facilities = _store_deals(document, customers, branches, as_of, factor)
    return StoredBank(document, as_of, book_of(document), parties, customers, branches, facilities)


def _unit_factor(unit: str) -> int:
    try:
        return {"万元": FEN_PER_WAN, "元": FEN_PER_YUAN, "分": 1}[unit]
    except KeyError:
        raise ScenarioError(f"institution.unit: 未知的单位 {unit}，可用 万元、元、分") from None


def _fen(value: object, factor: int) -> int:
    amount = Decimal(str(value)) * factor
    if amount != amount.to_integral_value():
        raise ScenarioError(f"金额 {value} 不足一分")
    return int(amount)


def _store_institution(institution: Mapping[str, Any], as_of: dt.date, factor: int) -> None:
    Institution.objects.get_or_create(defaults={"name": institution["name"], "business_date": as_of})
    figures = (("net_capital_year_end", "net"), ("net_capital_quarter_end", "net"), ("tier1_net_quarter_end", "tier1"))
    for key, kind in figures:
        if key in institution:
            amount = _fen(institution[key]["value"], factor)
            figure, is_new = CapitalFigure.objects.get_or_create(
                kind=kind,
                date=dt.date.fromisoformat(institution[key]["date"]),
                defaults={"amount_fen": amount, "source": "资本充足率报表 G40"},
            )
            if not is_new and figure.amount_fen != amount:
                raise ScenarioError(f"institution.{key}: {figure.date} 已有另一个{figure.get_kind_display()}数")


def _store_parties(document: Mapping[str, Any]) -> dict[str, Party]:
    parties = {name: create_party(kind="person", name=name, source_id=name) for name in document["persons"]}
    for code, name in document["companies"].items():
        parties[code] = create_party(kind="org", name=name, source_id=code)
    named = [holder for holders in document["holdings"].values() for holder in holders]
    named += [name for row in document.get("guarantees", []) for name in row[:2]]
    named += [name for row in document.get("dependence", []) for name in row[:2]]
    for name in named:
        if name not in parties:  # an outside party of whom only the name is known
            parties[name] = create_party(kind="org", name=name, source_id=name)
    return parties


def _store_branches(document: Mapping[str, Any]) -> dict[str, OrgUnit]:
    head_office = create_unit(code="HO", name="总行", kind="head_office", parent=None)
    names = dict.fromkeys(row["branch"] for row in _deal_rows(document)) or {"总行营业部": None}
    return {
        name: create_unit(code=f"B{place:02d}", name=name, kind="branch", parent=head_office)
        for place, name in enumerate(names, start=1)
    }


def _any_manager(branches: Mapping[str, OrgUnit]) -> Staff:
    unit = next(iter(branches.values()))
    return Staff.objects.create(username="scenario", name="情景客户经理", unit=unit)


def _store_customers(
    document: Mapping[str, Any],
    parties: Mapping[str, Party],
    branches: Mapping[str, OrgUnit],
    manager: Staff,
    as_of: dt.date,
) -> dict[str, Customer]:
    home: dict[str, OrgUnit] = {}
    for row in _deal_rows(document):
        home.setdefault(row["customer"], branches[row["branch"]])
    return {
        code: add_customer(
            actor=None,
            party=parties[code],
            unit=home.get(code, next(iter(branches.values()))),
            owner=manager,
            business_date=as_of,
            stage=Customer.Stage.CUSTOMER,
        )
        for code in document["companies"]
    }


def _store_evidence(document: Mapping[str, Any], parties: Mapping[str, Party], factor: int) -> None:
    Holding.objects.bulk_create(
        Holding(
            holder=parties[holder], company=parties[company], votes=int(Decimal(str(share)) * MICRO), source="情景文件"
        )
        for company, holders in document["holdings"].items()
        for holder, share in holders.items()
    )
    KinLink.objects.bulk_create(
        [
            *(
                KinLink(a=parties[parent], b=parties[child], relation="parent")
                for child, parents in document.get("parents", {}).items()
                for parent in parents
            ),
            *(KinLink(a=parties[a], b=parties[b], relation="spouse") for a, b in document.get("spouses", [])),
        ]
    )
    Guarantee.objects.bulk_create(
        Guarantee(guarantor=parties[guarantor], debtor=parties[debtor], amount_fen=_fen(amount, factor))
        for guarantor, debtor, amount in document.get("guarantees", [])
    )
    Dependence.objects.bulk_create(
        Dependence(dependent=parties[dependent], depended_on=parties[on], kind=kind, ratio_percent=Decimal(str(ratio)))
        for dependent, on, kind, ratio in document.get("dependence", [])
    )


def _deal_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns = document["deal_columns"]
    rows = []
    for place, values in enumerate(document["deals"], start=1):
        if len(values) != len(columns):
            raise ScenarioError(f"deals 第 {place} 行有 {len(values)} 列，应为 {len(columns)} 列")
        rows.append(dict(zip(columns, values, strict=True)))
    return rows


def _store_deals(
    document: Mapping[str, Any],
    customers: Mapping[str, Customer],
    branches: Mapping[str, OrgUnit],
    as_of: dt.date,
    factor: int,
) -> dict[tuple[str, str, str, str], Facility]:
    """Every deal under a contract of its customer, product, branch and currency that runs for a year around the day."""
    start, end = as_of - _DEAL_AGE, as_of - _DEAL_AGE + _CONTRACT_TERM
    facilities: dict[tuple[str, str, str, str], Facility] = {}
    for place, row in enumerate(_deal_rows(document), start=1):
        if row["customer"] not in customers:
            raise ScenarioError(f"deals 第 {place} 行：没有名为 {row['customer']} 的客户")
        product = resolve_product(row["product"])
        currency = row.get("currency", "CNY")
        key = (row["customer"], product.code, row["branch"], currency)
        if key not in facilities:
            facilities[key] = open_facility(
                actor=None,
                customer=customers[row["customer"]],
                branch=branches[row["branch"]],
                product=product.code,
                number=f"HT{as_of.year}-{len(facilities) + 1:04d}",
                start_date=start,
                end_date=end,
                business_date=start,
                currency=currency,
            )
        take_over_deal(
            facility=facilities[key],
            number=f"YW{as_of.year}-{place:05d}",
            product=product.code,
            amount_fen=_fen(row["amount"], factor),
            margin_fen=_fen(row.get("margin", 0), factor),
            own_cd_fen=_fen(row.get("own_cd_pledge", row.get("own_cd", 0)), factor),
            treasury_fen=_fen(row.get("treasury", 0), factor),
            is_drawn=bool(row.get("drawn", True)),
            start_date=_day(row.get("date"), start, place),
            maturity_date=_day(row.get("maturity"), end, place),
        )
    return facilities


def _day(text: object, otherwise: dt.date, place: int) -> dt.date:
    """A day of a deal's row; the file need not give any."""
    if not text:
        return otherwise
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError as error:
        raise ScenarioError(f"deals 第 {place} 行：“{text}”不是 年-月-日") from error


class Answers:
    """The bank's own answers to the questions of a scenario, computed from what is stored. Amounts in its unit."""

    def __init__(self, bank: StoredBank) -> None:
        self.bank = bank
        self.factor = _unit_factor(bank.document["institution"].get("unit", "万元"))
        self._codes = {str(party.pk): code for code, party in bank.parties.items()}
        self._customers = {str(customer.pk): code for code, customer in bank.customers.items()}
        self._branches = {str(unit.pk): name for name, unit in bank.units.items()}

    def answer(self, key: str) -> object:
        """One answer. Raises ScenarioError for a question that is not known."""
        name, _, label = key.rpartition("_G")
        if name in self._of_group and label.isdigit():
            return self._of_group[name](int(label))
        if key in self._of_bank:
            return self._of_bank[key]()
        known = [*self._of_bank, *(f"{name}_G<n>" for name in self._of_group)]
        raise ScenarioError(f"expected: 未知的问题 {key}，可答 {known}")

    @property
    def _of_bank(self) -> dict[str, Callable[[], object]]:
        return {
            "stars": self._stars,
            "maximal_groups": lambda: [self._codes_of(group.customers) for group in self._determination.groups],
            "transitive_group": self._transitive_group,
            "connected_set_le": lambda: self._connected,
            "exposure": lambda: {
                code: self._amount(sums.control_use_fen) for code, sums in sorted(self._totals.items())
            },
            "all": lambda: self._amount(total(self._deals).control_use_fen),
            "branch_rank": self._branch_rank,
            "branch_gross": lambda: {
                self._branches[branch]: self._amount(fen)
                for branch, fen in stock_by_branch(self._deals_of(self._group(1)), net=False).items()
            },
            "limit15_year_end": lambda: self._ceiling("net_capital_year_end"),
            "limit15_quarter_end": lambda: self._ceiling("net_capital_quarter_end"),
            "le": lambda: {
                code: self._text(sums.large_exposure_fen / self.factor) for code, sums in sorted(self._totals.items())
            },
            "le_connected": lambda: self._text(self._large_exposure(self._connected) / self.factor),
            "le_ratio_connected": lambda: self._ratio(self._connected),
            "intragroup_guarantee": lambda: self._amount(self._guarantees_fen),
            "intragroup_guarantee_pct": self._guarantee_share,
            "guarantee_cycle": lambda: find_guarantee_cycle(self._guarantees, list(self.bank.document["companies"])),
        }

    @property
    def _of_group(self) -> dict[str, Callable[[int], object]]:
        return {
            "group_exposure": lambda n: self._amount(total(self._deals_of(self._group(n))).control_use_fen),
            "le_group": lambda n: self._text(self._large_exposure(self._group(n)) / self.factor),
            "le_ratio": lambda n: self._ratio(self._group(n)),
        }

    @cached_property
    def _determination(self) -> Determination:
        return self._identify(is_transitive=None)

    def _identify(self, *, is_transitive: bool | None) -> Determination:
        settings = settings_from(self.bank.book, self.bank.as_of)
        if is_transitive is not None:
            settings = replace(settings, is_transitive=is_transitive)
        anchors = self.bank.document.get("anchors")
        chosen = None if anchors is None else [str(self.bank.parties[name].pk) for name in anchors]
        return identify(read_evidence(), as_of=self.bank.as_of, settings=settings, anchors=chosen)

    @cached_property
    def _deals(self) -> list[Deal]:
        """The deals as the rules see them, customers and branches by the file's names, factors as the file says."""
        factors = {resolve_product(name).code: Decimal(str(f)) for name, f in self.bank.document.get("ccf", {}).items()}
        pairs = domain_deals(deals_on(self.bank.as_of), as_of=self.bank.as_of, book=self.bank.book)
        return [
            replace(
                seen,
                customer=self._customers[seen.customer],
                conversion_factor=factors.get(seen.product, seen.conversion_factor),
            )
            for _, seen in pairs
        ]

    @cached_property
    def _totals(self) -> dict[str, Any]:
        found = totals_by_customer(self._deals)
        nothing = total([])
        return {code: found.get(code, nothing) for code in self.bank.customers}

    @cached_property
    def _connected(self) -> list[str]:
        if not self._determination.groups:
            return []
        return self._codes_of(self._determination.connected_set(self._determination.groups[0].customers))

    @cached_property
    def _guarantees(self) -> list[tuple[str, str, int]]:
        return [
            (self._codes[row.guarantor], self._codes[row.debtor], row.amount_fen)
            for row in self._determination.register.guarantees
        ]

    @cached_property
    def _guarantees_fen(self) -> int:
        return intragroup_guarantees_fen(self._guarantees, self._group(1))

    def _group(self, place: int) -> list[str]:
        groups = self._determination.groups
        if place > len(groups):
            raise ScenarioError(f"expected: 没有第 {place} 个集团，共 {len(groups)} 个")
        return self._codes_of(groups[place - 1].customers)

    def _codes_of(self, ids: Any) -> list[str]:
        return sorted(self._codes[i] for i in ids if self._codes[i] in self.bank.customers)

    def _deals_of(self, codes: list[str]) -> list[Deal]:
        return [deal for deal in self._deals if deal.customer in codes]

    def _stars(self) -> dict[str, list[str]]:
        stars = self._determination.star_of_anchor
        anchors = self.bank.document.get("anchors") or sorted(
            self._codes[star.unit.anchor] for star in self._determination.stars if star.unit.kind == "family"
        )
        return {
            name: self._codes_of(star.steps) if (star := stars.get(("family", str(self.bank.parties[name].pk)))) else []
            for name in anchors
        }

    def _transitive_group(self) -> list[str]:
        groups = self._identify(is_transitive=True).groups
        return self._codes_of(groups[0].customers) if groups else []

    def _branch_rank(self) -> list[list[object]]:
        stock = stock_by_branch(self._deals_of(self._group(1)))
        return [[self._branches[branch], self._amount(fen)] for branch, fen in rank_branches(stock)]

    def _ceiling(self, figure: str) -> object:
        capital = _fen(self.bank.document["institution"][figure]["value"], self.factor)
        stored = CapitalFigure.objects.get(
            kind="net", date=dt.date.fromisoformat(self.bank.document["institution"][figure]["date"])
        )
        if stored.amount_fen != capital:
            raise ScenarioError(f"institution.{figure}: 库中为 {stored.amount_fen} 分，与文件不符")
        share = self.bank.book.decimal("group.limit.pct_net_capital", self.bank.as_of)
        return self._amount(share_of(stored.amount_fen, share))

    def _large_exposure(self, codes: list[str]) -> Decimal:
        return total(self._deals_of(codes)).large_exposure_fen

    def _ratio(self, codes: list[str]) -> str:
        tier1 = CapitalFigure.objects.filter(kind="tier1", date__lte=self.bank.as_of).latest("date").amount_fen
        share = self._large_exposure(codes) * 100 / tier1
        return f"{share.quantize(Decimal('0.001'), ROUND_HALF_UP):f}"

    def _guarantee_share(self) -> str:
        line = _fen(self.bank.document["group_line"], self.factor)
        return f"{Money(self._guarantees_fen).percent_of(Money(line)).quantize(Decimal('0.01'), ROUND_HALF_UP):f}"

    def _amount(self, fen: int) -> object:
        """A whole number of the file's unit, or its decimal text."""
        amount = Decimal(fen) / self.factor
        return int(amount) if amount == amount.to_integral_value() else f"{amount.normalize():f}"

    @staticmethod
    def _text(amount: Decimal) -> str:
        return f"{amount.normalize():f}"


def is_same(key: str, expected: object, own: object) -> bool:
    """Whether two answers say the same: groups in any order, amounts by value, branch ranking in its order."""
    if key == "maximal_groups" and isinstance(expected, list) and isinstance(own, list):
        return {frozenset(group) for group in expected} == {frozenset(group) for group in own}
    if isinstance(expected, dict) and isinstance(own, dict):
        return expected.keys() == own.keys() and all(is_same("", expected[k], own[k]) for k in expected)
    if isinstance(expected, list) and isinstance(own, list):
        return len(expected) == len(own) and all(is_same("", a, b) for a, b in zip(expected, own, strict=True))
    if isinstance(expected, int | Decimal) and isinstance(own, int | str):
        return Decimal(expected) == Decimal(own)
    return expected == own
