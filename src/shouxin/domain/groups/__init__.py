"""The group engine: who belongs together, proved step by step. Start reading at ``determination``."""

from shouxin.domain.groups.determination import Determination, Group, identify
from shouxin.domain.groups.settings import GroupSettings

__all__ = ["Determination", "Group", "GroupSettings", "identify"]
