"""An act on the ledger from a page: done and said, refused and said, or 403 for whoever may not."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from shouxin.limits.ledger import LedgerError
from shouxin.limits.lines import LineActNotAllowedError


def carry_out(request: HttpRequest, act: Callable[[], object], *, done: str) -> bool:
    """Do the act and leave its message; True when it was done. Raises PermissionDenied for the wrong person."""
    try:
        act()
    except LineActNotAllowedError as error:
        raise PermissionDenied(str(error)) from error
    except LedgerError as error:
        messages.error(request, str(error))
        return False
    messages.success(request, done)
    return True
