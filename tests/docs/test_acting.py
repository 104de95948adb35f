"""docs/acting.md says of every step that acts on the store what it is, and of every capability how it happens once."""

from __future__ import annotations

import re

import pytest

from connector.contracts import (
    ACTING,
    CreatesDiscounts,
    PlatformAdapter,
    PublishesReviews,
    TellsScopes,
    WritesOrders,
)
from connector.registry import Registry
from flows.authoring.fields import step_fields
from tests.docs.documents import ROOT, rows

TEXT = (ROOT / "docs" / "acting.md").read_text("utf-8")
REGISTRY = Registry()
STEPS = {row[0].strip("`"): row for row in rows(TEXT) if len(row) == 5 and row[0].startswith("`")}


def can(platform: str, step: str) -> str:
    adapter: PlatformAdapter = REGISTRY.platform(platform)
    return "yes" if all(isinstance(adapter, each) for each in REGISTRY.steps[step].capabilities) else "no"


def test_every_step_that_acts_on_the_store_is_told() -> None:
    acting = {name for name, step in REGISTRY.steps.items() if step.capabilities} | {"publish_review"}
    assert set(STEPS) == acting


@pytest.mark.parametrize("name", sorted(STEPS))
def test_what_is_told_of_a_step_is_so(name: str) -> None:
    step, (_, keys, shopify, woocommerce, costly) = REGISTRY.steps[name], STEPS[name]
    assert set(re.findall(r"`(\w+)`", keys)) <= set(step_fields(step))
    assert (shopify, woocommerce) == (can("shopify", name), can("woocommerce", name))
    assert costly == ("yes" if step.costly else "no")


def test_every_capability_says_how_it_happens_once() -> None:
    told = {name for row in rows(TEXT) if len(row) == 2 for name in re.findall(r"`(\w+)`", row[0])}
    assert told == {each.__name__ for each in (CreatesDiscounts, WritesOrders, PublishesReviews, *ACTING)} - {
        TellsScopes.__name__
    }
