"""Write an audit entry inside the caller's transaction, so that the act and its trace stand or fall together."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Protocol

from shouxin.audit.models import Entry


class Actor(Protocol):
    """Whoever acts; a member of staff in practice."""

    pk: Any

    @property
    def display_name(self) -> str: ...


def record(
    *,
    actor: Actor | None,
    action: str,
    subject: tuple[str, object],
    summary: str,
    business_date: dt.date,
    details: Mapping[str, object] | None = None,
) -> Entry:
    """Add one entry. ``subject`` is (kind, id); ``actor`` is None for the system's own jobs."""
    kind, identity = subject
    return Entry.objects.create(
        actor_id=actor.pk if actor else None,
        actor_name=actor.display_name if actor else "系统",
        action=action,
        subject_kind=kind,
        subject_id=str(identity),
        summary=summary,
        business_date=business_date,
        details=dict(details or {}),
    )
