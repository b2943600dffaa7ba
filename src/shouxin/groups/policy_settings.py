"""The settings of a determination as the policy of a day has them. Free of the database, for the file commands."""

import datetime as dt
from decimal import Decimal

from shouxin.domain.groups import GroupSettings
from shouxin.domain.parameters import PolicyBook

NO_DEPENDENCE = Decimal(1_000_000)
"""A share that nobody reaches: before its rule was in force, dependence makes no candidates."""


def settings_from(book: PolicyBook, as_of: dt.date) -> GroupSettings:
    """The settings of a determination from the policy in force on a day."""
    control = book.at("control.voting_pct", as_of)
    dependence = book.in_force("le.dependence_income_pct", as_of)
    return GroupSettings(
        control_percent=control.decimal,
        control_includes_line=control.parameter.comparison == ">=",
        lineal_generations=book.whole("kin.lineal_generations", as_of),
        collateral_generations=book.whole("kin.collateral_generations", as_of),
        include_spouse=book.flag("kin.include_spouse", as_of),
        in_laws_are_members=book.text("kin.include_affinity", as_of) == "member",
        is_transitive=book.text("group.closure", as_of) == "transitive",
        anchor_investor_percent=book.decimal("kin.anchor_investor_pct", as_of),
        anchor_posts=frozenset(book.items("kin.anchor_posts", as_of)),
        members_min=book.whole("group.min_members", as_of),
        suspected_percent=book.decimal("control.suspected_pct", as_of),
        dependence_percent=dependence.decimal if dependence else NO_DEPENDENCE,
        non_linking_natures=book.items("group.non_linking_natures", as_of),
        non_linking_names=book.items("group.non_linking_names", as_of),
    )
