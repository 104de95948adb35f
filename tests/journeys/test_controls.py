"""Negative controls of the journeys: each kind of wrong behaviour makes the timeline another one, or the check fail."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.testing.demo.scenario import LAMP, MONDAY, unsubscribe
from connector.testing.fakes.people import AINO
from connector.testing.world import World
from flows import outbox, runner
from flows.policy import Allow
from tests.journeys.telling import GOLDENS, check_golden, timeline
from tests.journeys.test_delivery_updates import test_shopify_the_order_arrives_after_its_parcel as parcel_first
from tests.journeys.test_referral import test_shopify_goods_back_after_the_reward as goods_back
from tests.journeys.test_review_request import delivered_order


@pytest.fixture(autouse=True)
def _goldens_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug must never be written down as what is right."""
    monkeypatch.delenv("KIITOS_UPDATE_GOLDENS", raising=False)


def test_policy_that_is_not_asked_again_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "check", lambda *case: Allow())
    delivered_order(world)
    world.until(MONDAY + timedelta(days=14))
    unsubscribe(world, AINO)
    world.wait(days=30)
    assert "review_reminder ->" in timeline(world)


def test_a_cancelled_order_that_stops_nothing_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner.Runner, "_cancel", lambda *given: None)
    order = world.shopify.place_order([(LAMP, 1)], AINO)
    world.shopify.cancel(order)
    world.wait(hours=1)
    with pytest.raises(AssertionError):
        check_golden("shopify_cancelled_before_the_worker_came", timeline(world))


def test_a_parcel_that_forgets_its_news_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from connector.store import entities

    monkeypatch.setattr(entities, "shipments", lambda *given: [])
    with pytest.raises(AssertionError):
        parcel_first(world, timeline)


def test_a_reward_taken_back_too_late_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from connector.store import referrals

    real = referrals.set_state
    monkeypatch.setattr(
        referrals, "set_state", lambda *given, only_from: real(*given, only_from=("held", "rewarded", "reversed"))
    )
    with pytest.raises(AssertionError):
        goods_back(world, timeline, 2, ("rewarded", ""), "issued")


def test_a_message_the_mail_server_never_took_is_noticed(world: World) -> None:
    world.shopify.place_order([(LAMP, 1)], AINO)
    world.deliver()
    world.sink.messages.clear()
    with pytest.raises(AssertionError, match="the mail server took"):
        timeline(world)


def test_a_golden_is_never_written_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    monkeypatch.setenv("KIITOS_UPDATE_GOLDENS", "1")
    with pytest.raises(RuntimeError, match="refused"):
        check_golden("never", "anything\n")
    assert not (GOLDENS / "never.txt").exists()


def test_a_timeline_without_a_golden_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIITOS_UPDATE_GOLDENS", raising=False)
    with pytest.raises(AssertionError, match="no golden"):
        check_golden("nobody_wrote_this", "anything\n")
