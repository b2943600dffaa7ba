"""The ledger's tables. Python only reads here: every change goes through the SQL functions."""

from shouxin.limits.models.acts import (
    CapShift,
    Earmark,
    FungibilityRule,
    Override,
    StatusRequest,
)
from shouxin.limits.models.day import PortfolioTotal, ReconciliationItem, ReconciliationRun, Snapshot
from shouxin.limits.models.holds import Hold, IdempotencyKey, Movement, Reversal
from shouxin.limits.models.measures import Mitigant, MitigantLink, RateQuote, RateSet
from shouxin.limits.models.tree import CapLine, Excess, Node, Placement

__all__ = [
    "CapLine",
    "CapShift",
    "Earmark",
    "Excess",
    "FungibilityRule",
    "Hold",
    "IdempotencyKey",
    "Mitigant",
    "MitigantLink",
    "Movement",
    "Node",
    "Override",
    "Placement",
    "PortfolioTotal",
    "RateQuote",
    "RateSet",
    "ReconciliationItem",
    "ReconciliationRun",
    "Reversal",
    "Snapshot",
    "StatusRequest",
]
