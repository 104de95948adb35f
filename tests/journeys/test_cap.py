"""One marketing-class mail in sixteen hours, whichever flow and whichever shop of the client it comes from."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from connector.explaining.explain import explain
from connector.model import Purpose
from connector.store import effects
from connector.testing.demo.scenario import JAM, MUG
from connector.testing.fakes.people import AINO
from connector.testing.world import SHOPIFY, WOO, World
from tests.journeys.conftest import Worlds

BOTH = ("review-request", "referral-invite")


def bought_in_both(world: World) -> None:
    """The same person, delivered on the same day by both shops of the client."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    other = world.woo.place_order([(JAM, 1)], AINO)
    world.wait(days=1)
    parcel = world.shopify.fulfill(order)
    world.woo.add_tracking(other, "JJFI65300000000000001")
    world.woo.set_status(other, "completed")
    world.wait(days=2)
    world.shopify.carrier_event(parcel, "delivered")
    world.wait(days=60)


def marketing_times(world: World) -> list[timedelta]:
    """When each marketing-class mail to the person was sent, over both shops, as distances from the one before."""
    with world.kiitos.store.work.read() as tx:
        found = [
            effect.done_at
            for shop in (SHOPIFY, WOO)
            for effect in effects.sent_to(tx, shop, str(AINO.email), world.clock.now() - timedelta(days=90))
            if effect.kind == "message" and effect.purpose is not Purpose.TRANSACTIONAL
        ]
    times = sorted(at for at in found if at is not None)
    return [later - earlier for earlier, later in pairwise(times)]


def flows(**params: str) -> dict[str, object]:
    """Both shops' flows timed so that everything would come on one day."""
    return {
        "review-request": {"file": "review_request", "params": {"wait": "20d", "patience_home": "22d", "remind": "1d"}},
        "referral-invite": {"file": "referral_invite", "params": {"wait": "20d", "patience": "22d", **params}},
    }


def test_mails_of_all_flows_and_shops_keep_their_distance(worlds: Worlds) -> None:
    world = worlds(flows=flows())
    bought_in_both(world)
    between = marketing_times(world)
    assert len(between) >= 4
    assert min(between) >= timedelta(hours=16)


def test_without_the_cap_they_come_on_one_day(worlds: Worlds) -> None:
    """The control."""
    world = worlds(flows=flows(), limits={"email": {"cap": "0s"}})
    bought_in_both(world)
    assert min(marketing_times(world)) < timedelta(hours=3)


def test_explain_says_why_it_waited(worlds: Worlds) -> None:
    world = worlds(flows=flows())
    bought_in_both(world)
    stories = [explain(world.kiitos.store, shop, str(AINO.email)) for shop in (SHOPIFY, WOO)]
    told = [str(line) for story in stories if story is not None for line in story.lines]
    assert any("capped" in line for line in told), told
