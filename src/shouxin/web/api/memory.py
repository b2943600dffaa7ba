"""What the API remembers for a few seconds, so that a booking does not ask for the same things each time.

Who a key belongs to and how far it sees, the bank's day, which contract a text names. What is found counts for
``SHOUXIN_API_MEMORY_SECONDS`` (3 by default, 0 turns it off), in each process on its own: a revoked key, a changed
role, an owner taken off or a closed day reach every process within that time. What is not found is asked again each
time. The ledger itself decides on nothing that is remembered here.
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from django.conf import settings

V = TypeVar("V")
_MOST = 50_000  # entries, then the memory starts anew


class ShortMemory:
    """Values by key, each for the seconds of a setting."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, setting: str = "SHOUXIN_API_MEMORY_SECONDS"
    ) -> None:
        self._clock = clock
        self._setting = setting
        self._lock = threading.Lock()
        self._values: dict[Hashable, tuple[float, object]] = {}

    def get(self, key: Hashable, find: Callable[[], V]) -> V:
        """The remembered value, or what ``find`` gives; None and errors are not remembered."""
        seconds = getattr(settings, self._setting)
        if seconds <= 0:
            return find()
        now = self._clock()
        known = self._values.get(key)
        if known is not None and now - known[0] < seconds:
            return cast("V", known[1])
        value = find()
        if value is not None:
            with self._lock:
                if len(self._values) >= _MOST:
                    self._values.clear()
                # Counted from before the question, so that nothing is believed for longer than the setting says.
                self._values[key] = (now, value)
        return value

    def forget(self, key: Hashable) -> None:
        """Ask anew next time."""
        self._values.pop(key, None)

    def clear(self) -> None:
        self._values.clear()
