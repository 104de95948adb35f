"""Changing what runs, without fear: a plan is looked at, applied one shop at a time, kept, and can be taken back.

What runs in a shop is the newest state in the store (`connector.store.applied`). With `[flows] apply = "auto"` a worker
that starts applies the files itself; with `"by_hand"` only `kiitos flows apply` does.
"""

from connector.changes.adopting import adopt, shops_adrift, targets_of
from connector.changes.applying import Applied, Refused, apply_shop
from connector.changes.files import Fault, Files, read_files
from connector.changes.planning import (
    Choices,
    FlowChange,
    Orphan,
    Plan,
    Position,
    ShopPlan,
    find_orphans,
    make_plan,
    read_choices,
)
from connector.changes.targets import Target, target_of_files, target_of_state

__all__ = [
    "Applied",
    "Choices",
    "Fault",
    "Files",
    "FlowChange",
    "Orphan",
    "Plan",
    "Position",
    "Refused",
    "ShopPlan",
    "Target",
    "adopt",
    "apply_shop",
    "find_orphans",
    "make_plan",
    "read_choices",
    "read_files",
    "shops_adrift",
    "target_of_files",
    "target_of_state",
    "targets_of",
]
