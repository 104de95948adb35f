"""The shops of the ledger's lives: two programmes, and flows that give codes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from connector.store import accounts
from tests.swarm.house import House, _document
from tests.swarm.plan import NORTH, WEST
from tests.swarm.shop import SwarmPlatform
from tests.swarm.value.shop import ValuePlatform
from tests.swarm.value.visits import REWARDS

HOLD = 10
"""Days until an advocate is rewarded."""
RULES: dict[str, Any] = {
    "spend": {"kind": "spend", "points": 2, "per": "1 EUR"},
    "beans": {"kind": "product", "products": ["p-a"], "points": 7},
    "first": {"kind": "first_order", "points": 50},
    "review": {"kind": "review", "points": 20, "most": 3},
    "friend": {"kind": "referral", "points": 100},
}
BADGES: dict[str, Any] = {"regular": {"orders": 2}}
TERMS: dict[str, Any] = {
    "friend": "10 %",
    "minimum": "10 EUR",
    "return_window": f"{HOLD - 2}d",
    "reward": {"kind": "credit", "worth": "15 EUR"},
    "tiers": {"faithful": {"at": 2, "kind": "gift_card", "worth": "20 EUR"}},
    "friend_reward": {"kind": "points", "points": 40},
    "caps": {"rewards": 1, "over": "hold"},
}
"""What referrals bring in the first shop; in the second the flow's own parameters say."""
PROGRAMMES: dict[str, dict[str, Any]] = {
    # Points lapse; tiers by what was spent in sixty days.
    "north": {
        "return_window": "14d",
        "expires": "60d",
        "rules": RULES,
        "span": "60d",
        "grace": "5d",
        "tiers": {"silver": {"at": "60 EUR"}, "gold": {"at": "150 EUR"}},
        "badges": BADGES,
        "rewards": {"five": {"points": REWARDS[NORTH][1], "amount": "5 EUR"}},
    },
    # Points last; tiers by orders of this year or the last; a challenge and birthdays.
    "west": {
        "return_window": "5d",
        "rules": {**RULES, "born": {"kind": "birthday", "points": 30}},
        "measure": "orders",
        "period": "calendar",
        "grace": "5d",
        "tiers": {"silver": {"at": 1}, "gold": {"at": 2}},
        "badges": BADGES,
        "rewards": {"tenth": {"points": REWARDS[WEST][1], "percent": 10, "valid": "40d"}},
        "challenges": {"year": {"orders": 2, "begins": "2026-01-01", "ends": "2027-12-31", "points": 40}},
    },
}


class ValueHouse(House):
    """Fewer flows and more value than in the other lives."""

    folder: ClassVar[Path] = Path(__file__).parent
    library: ClassVar[tuple[str, ...]] = ("order_confirmation", "review_request", "referral_reward")
    own: ClassVar[tuple[str, ...]] = ("invite", "reach")
    platform: ClassVar[type[SwarmPlatform]] = ValuePlatform

    def document(self, flows: dict[str, Any]) -> dict[str, Any]:
        found = _document(flows)
        for name, shop in found["clients"]["swarm"]["shops"].items():
            shop["loyalty"] = PROGRAMMES[name]
            shop["currency"] = "EUR"
        found["clients"]["swarm"]["shops"]["north"]["referrals"] = TERMS
        found["defaults"]["soft_opt_in"] = ["review", "referral", "loyalty"]
        if "referral_reward" in flows:
            flows["referral_reward"]["params"] = {"hold": f"{HOLD}d"}
        return found

    def next_due(self) -> datetime | None:
        """Also when time alone changes what somebody owns."""
        with self.store.work.read() as tx:
            value = accounts.next_due(tx)
        return min((at for at in (super().next_due(), value) if at is not None), default=None)
