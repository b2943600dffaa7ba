"""Read the trail of one subject."""

from django.db.models import QuerySet

from shouxin.audit.models import Entry


def list_entries(*, subject: tuple[str, object], limit: int = 50) -> QuerySet[Entry]:
    """Newest first; the caller has checked that its user may see the subject."""
    kind, identity = subject
    return Entry.objects.filter(subject_kind=kind, subject_id=str(identity))[:limit]
