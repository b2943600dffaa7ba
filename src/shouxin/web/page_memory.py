"""What pages remember for a few seconds: the numbers beside the navigation, and the choices around the list.

``SHOUXIN_PAGE_MEMORY_SECONDS`` (10 by default, 0 turns it off), in each process on its own. Whatever somebody sends
ends what is remembered of them and all choices, so that one sees what one did. No right, no amount and no row of a
list is ever remembered.
"""

from typing import Final

from shouxin.web.api.memory import ShortMemory

_SETTING: Final = "SHOUXIN_PAGE_MEMORY_SECONDS"
badges: Final = ShortMemory(setting=_SETTING)
"""By person: what waits for them."""
choices: Final = ShortMemory(setting=_SETTING)
"""By kind and whose view: classes, tags, units, receivers, saved views."""


def forget_what_changes(staff_id: int) -> None:
    """After an act of this person."""
    badges.forget(staff_id)
    choices.clear()
