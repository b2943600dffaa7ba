"""W03, how a group's line is shared out: a member's limit lies idle while another member's is full."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Max, Q

from shouxin.domain.parameters import NotInForceError
from shouxin.limits.models import CapLine, Movement, Node
from shouxin.policy import load_book


@dataclass(frozen=True, slots=True)
class Idle:
    """A limit that nobody has used since a day, and the full ones beside it; the days are the parameter's."""

    node: Node
    since: dt.date
    days: int
    full: tuple[Node, ...]


def idle_limits(customer_ids: Collection[int], *, as_of: dt.date) -> list[Idle]:
    """Members' limits unused for as many days as the parameter says, while another member has no room left."""
    try:
        line = load_book().at("signal.idle_limit_days", as_of)
    except NotInForceError:
        return []
    nodes = list(Node.objects.filter(customer__in=customer_ids, kind=Node.Kind.CUSTOMER, cap_fen__gt=0).order_by("pk"))
    full = tuple(node for node in nodes if node.cap_fen is not None and node.used_fen >= node.cap_fen)
    unused = [node for node in nodes if not node.used_fen]
    if not full or not unused:
        return []
    last_use = _last_use(unused, as_of)
    found = []
    for node in unused:
        since = last_use.get(node.pk)
        if since is not None and line.allows(Decimal((as_of - since).days)):
            found.append(Idle(node, since, (as_of - since).days, full))
    return found


def _last_use(nodes: list[Node], as_of: dt.date) -> dict[int, dt.date]:
    """Since when each has stood unused: its last booking, or the day its cap began, whichever is later."""
    moved = Q(pending_fen__lt=0) | Q(pending_fen__gt=0) | Q(posted_fen__lt=0) | Q(posted_fen__gt=0)
    used = dict(
        Movement.objects.filter(moved, node__in=nodes, business_date__lte=as_of)
        .values_list("node_id").annotate(last=Max("business_date"))
    )  # fmt: skip
    since: dict[int, dt.date] = dict(used)
    for node_id, valid in CapLine.objects.filter(node__in=nodes).order_by("pk").values_list("node_id", "valid"):
        if valid.lower is None or valid.lower > as_of:
            continue
        if node_id not in used:  # never used: since the first cap
            since[node_id] = min(since.get(node_id, valid.lower), valid.lower)
    return since
