"""Saved views of the list, and the units and people that a view may name."""

from django.db.models import Q, QuerySet

from shouxin.bank.models import OrgUnit, Staff
from shouxin.bank.scope import DataScope, Reach
from shouxin.parties.models import SavedView
from shouxin.parties.services import CustomerInputError


def keep_view(*, owner: Staff, name: str, query: str, is_shared: bool, is_pinned: bool) -> SavedView:
    """Keep a view under a name; the same name again replaces it. Shared views are seen in the owner's unit and below.

    Raises:
        CustomerInputError: no name, or one that is too long.
    """
    name = name.strip()
    if not name or len(name) > 40:
        raise CustomerInputError({"name": "请填写视图名称，最多 40 字"})
    view, _ = SavedView.objects.update_or_create(
        owner=owner,
        name=name,
        defaults={"query": query[:1000], "shared_with": owner.unit if is_shared else None, "is_pinned": is_pinned},
    )
    return view


def saved_views_for(staff: Staff) -> QuerySet[SavedView]:
    """One's own views and those shared by a unit above or one's own. A view narrows, it never widens what is seen."""
    codes = [code for code in staff.unit.path.split("/") if code]
    return SavedView.objects.filter(Q(owner=staff) | Q(shared_with__code__in=codes)).select_related("owner")[:30]


def units_in_view(scope: DataScope) -> list[tuple[str, str]]:
    """Code and name of the units whose customers a person may see."""
    units = OrgUnit.objects.all()
    if scope.reach is not Reach.ALL:
        units = units.filter(path__startswith=scope.unit_path)
    return list(units.values_list("code", "name"))


def staff_in_units(scope: DataScope) -> list[Staff]:
    """People at work in the units of a view by units, to whom customers may be given."""
    return list(Staff.objects.filter(unit__in=scope.unit_ids, is_active=True).select_related("unit"))
