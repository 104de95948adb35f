"""`[loyalty.rewards]`: what is said of a reward, and what is refused with its place."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.config import Config, parse_config
from connector.errors import ConfigError
from connector.model import Money
from connector.testing.world import SHOPIFY, document
from tests.journeys.bare import ENVIRON


def read(**rewards: Any) -> Config:
    found = document(flows={}, loyalty={"rewards": rewards})
    found["app"]["base_url"] = "http://localhost"
    return parse_config(found, Path("app.toml"), ENVIRON)


def test_rewards_are_read_the_cheapest_first() -> None:
    known = read(
        five={"points": 500, "amount": "5 EUR", "back": "0d", "products": ["8123"]},
        post={"title": "Post", "points": 200, "free_delivery": True, "valid": "30d", "minimum": "20 EUR"},
        share={"points": 300, "percent": 12.5},
        off={"points": 1, "percent": 1, "enabled": False},
    )
    post, share, five = known.shop(SHOPIFY).loyalty.rewards
    assert (post.free_delivery, post.valid, post.minimum) == (True, timedelta(days=30), Money.parse("20", "EUR"))
    assert (share.percent, share.back) == (Decimal("12.5"), timedelta(days=14))
    assert (five.amount, five.back, five.products) == (Money.parse("5", "EUR"), timedelta(0), ("8123",))


@pytest.mark.parametrize(
    ("reward", "fault"),
    [
        ({"points": 5}, "loyalty.rewards.x: needs exactly one of amount"),
        ({"points": 5, "percent": 10, "free_delivery": True}, "loyalty.rewards.x: needs exactly one of amount"),
        ({"percent": 10}, "loyalty.rewards.x: needs points"),
        ({"points": 5, "percent": 101}, "loyalty.rewards.x.percent: should be a number above 0 and up to 100"),
        ({"points": 5, "amount": "5 SEK"}, "loyalty.rewards.x.amount: should be in the currency of the shop, EUR"),
        ({"points": 5, "amount": "five"}, "loyalty.rewards.x.amount: should be an amount"),
        ({"points": 5, "free_delivery": True, "products": ["1"]}, "loyalty.rewards.x.products: free delivery is for"),
        ({"points": 5, "prercent": 10}, "did you mean 'percent'"),
        ({"points": 5, "percent": 10, "valid": "soon"}, "loyalty.rewards.x.valid: "),
    ],
)
def test_what_is_no_reward_is_refused(reward: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(fault)):
        read(x=reward)
