"""The numbers and choices of a determination. They come from the policy; the rules never bring their own."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """What counts as control, kinship and an anchor on the day of a determination."""

    control_percent: Decimal
    control_includes_line: bool
    lineal_generations: int
    collateral_generations: int
    include_spouse: bool
    in_laws_are_members: bool
    is_transitive: bool
    anchor_investor_percent: Decimal
    anchor_posts: frozenset[str]
    members_min: int
    suspected_percent: Decimal
    dependence_percent: Decimal
    non_linking_natures: tuple[str, ...]
    non_linking_names: tuple[str, ...]

    def passes(self, votes: int, total: int) -> bool:
        """Whether votes are more than the control line of a total: 50.00 % is not control, 50.000001 % is (D6)."""
        asked = votes * 100 * self.control_percent.as_integer_ratio()[1]
        line = total * self.control_percent.as_integer_ratio()[0]
        return votes > 0 and (asked > line or (self.control_includes_line and asked == line))
