"""Who is asked for a review is told that something is given for it, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.registry import Registry
from flows.reviews.incentives import rewards
from tests.simulate.product import BEGIN, SHOP, playbook

ASKS = 'do = "send"\ntemplate = "review_request"\n'
GIFT = 'do = "create_discount"\nvalue = "10 %"\nprefix = "HI"\ntitle = "Hi"\n'
HEARD = 'id = "ours"\ntrigger = "{trigger}"\npurpose = "review"\n\n[[steps]]\nid = "one"\n{step}'
REVIEWS = {"return_window": "14d", "rules": {"review": {"kind": "review", "points": 20}}}
ORDERS = {"return_window": "14d", "rules": {"spend": {"kind": "spend", "points": 1, "per": "1 EUR"}}}


def given(folder: Path, flow: str, **settings: Any) -> bool:
    book = playbook([flow], folder=folder, **settings)
    return rewards(book.catalog(Registry()), SHOP, BEGIN)


@pytest.mark.parametrize(
    ("trigger", "step", "told"),
    [
        ("order.delivered", ASKS, False),
        ("order.delivered", GIFT, False),
        ("review.submitted", GIFT, True),
        ("review.published", GIFT, True),
        ("review.submitted", ASKS + "after_review = true\n", False),
    ],
)
def test_a_flow_that_gives_something_for_a_review(tmp_path: Path, trigger: str, step: str, told: bool) -> None:
    (tmp_path / "ours.toml").write_text(HEARD.format(trigger=trigger, step=step))
    assert given(tmp_path, "ours.toml") is told


def goal(**more: Any) -> dict[str, Any]:
    return {**ORDERS, "challenges": {"two": {"reviews": 2, **more}}}


@pytest.mark.parametrize(
    ("loyalty", "told"),
    [
        (ORDERS, False),
        (REVIEWS, True),
        (goal(begins="2026-03-01", ends="2026-03-31", points=50), True),
        (goal(begins="2026-04-01", ends="2026-04-30", points=50), False),
        (goal(begins="2025-03-01", ends="2025-03-31", points=50), False),
    ],
)
def test_a_programme_that_gives_points_for_a_review(tmp_path: Path, loyalty: dict[str, Any], told: bool) -> None:
    assert given(tmp_path, "order_confirmation", loyalty=loyalty) is told


def test_a_run_is_told_of_what_its_own_version_of_the_flow_gives() -> None:
    catalog = playbook(["review_request"]).catalog(Registry())
    (flow,) = catalog.flows(SHOP)
    assert rewards(catalog, SHOP, BEGIN, flow)
    without = replace(flow, steps=tuple(item for item in flow.steps if item.id not in ("reward", "thanks")))
    assert not rewards(catalog, SHOP, BEGIN + timedelta(days=1), without)
