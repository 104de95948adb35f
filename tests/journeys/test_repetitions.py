"""A message that may have arrived: when it is repeated, when not, what is then said of it (found by tests/swarm)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.clock import ManualClock
from connector.contracts import Outcome, Rejected, Retry, Unknown
from connector.model import Channel, Effect, EffectStatus
from connector.store import effects, suppressions
from connector.store.store import Store
from connector.testing.world import SHOPIFY
from connector.worker import Worker
from flows.channels.memory import Memory
from flows.sending.outcomes import MAX_ATTEMPTS
from tests.engine.world import START, event, order
from tests.journeys.bare import OBLIGING, build_bare

FLOW = """
id = "ask"
title = "Ask at once"
trigger = "order.created"
purpose = "review"
cancel_on = ["order.cancelled"]

[[steps]]
id = "ask"
do = "send"
template = "review_request"
"""
WINDOW = 900.0
ADDRESS = "aino@example.com"


class Knowing(Memory):
    """A provider that knows a message by its key for a quarter of an hour."""

    idempotent_for = WINDOW


class Shop:
    """One question, whose first answer was lost."""

    def __init__(self, folder: Path) -> None:
        (folder / "ask.toml").write_text(FLOW, "utf-8")
        self.clock = ManualClock(START)
        self.store = Store.open("sqlite://:memory:")
        flows = {"ask": {"file": "./ask.toml"}}
        self.kiitos = build_bare(self.clock, self.store, registry=OBLIGING, folder=folder, flows=flows)
        self.channel = Knowing()
        self.kiitos.use_channel("mail", self.channel)
        self.worker = Worker(self.kiitos)
        with self.store.work.transaction() as tx:
            self.kiitos.runner.ingest(tx, SHOPIFY, [event("order.created", order=order())], START)
        self.key = self._first_attempt()

    def _first_attempt(self) -> str:
        """Sent, and nobody heard that it was."""
        real, keys = self.channel.send_all, []

        def lost(messages, on_wire=None):  # type: ignore[no-untyped-def]
            for message in messages:
                keys.append(message.key)
                self.channel.script(Unknown(key=message.key, text="the answer was lost"))
                yield from real([message], on_wire)

        self.channel.send_all = lost  # type: ignore[method-assign]
        self.worker.tick()
        self.channel.send_all = real  # type: ignore[method-assign]
        assert (len(self.channel.messages), self.effect().tainted) == (1, True)
        return str(keys[0])

    def answers(self, answer: Outcome) -> None:
        """What the second attempt hears."""
        self.channel.script(answer, self.key)
        self.clock.advance(timedelta(seconds=2))
        self.worker.drain()

    def effect(self) -> Effect:
        with self.store.work.read() as tx:
            (found,) = effects.of_order(tx, SHOPIFY, "o1")
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.kiitos.close()


def test_within_the_window_it_is_repeated(shop: Shop) -> None:
    """The control: what follows is about the window, not about repeating."""
    shop.clock.advance(timedelta(seconds=2))
    shop.worker.drain()
    assert shop.effect().status is EffectStatus.SENT
    assert len(shop.channel.messages) == 2  # of which a provider with keys delivers one


def test_a_repetition_put_off_beyond_the_window_is_not_sent(shop: Shop) -> None:
    shop.answers(Retry(key="", text="450 later", after=1200))
    shop.clock.advance(timedelta(seconds=1300))
    shop.worker.drain()
    assert len(shop.channel.messages) == 1
    found = shop.effect()
    assert found.status is EffectStatus.UNCERTAIN
    assert "too late to repeat" in found.reason


def test_what_may_have_arrived_and_is_not_repeated_is_uncertain_not_unsent(shop: Shop) -> None:
    with shop.store.work.transaction() as tx:
        suppressions.add(tx, SHOPIFY, ADDRESS, Channel.EMAIL, "marketing", "unsubscribe", shop.clock.now())
    shop.clock.advance(timedelta(seconds=2))
    shop.worker.drain()
    assert len(shop.channel.messages) == 1
    found = shop.effect()
    assert found.status is EffectStatus.UNCERTAIN
    assert "suppressed" in found.reason


def test_what_may_have_arrived_is_not_unsent_because_the_order_is_cancelled(shop: Shop) -> None:
    """Found by the swarm, seed 371 of 22 November 2026."""
    with shop.store.work.transaction() as tx:
        gone = event("order.cancelled", order=order())
        shop.kiitos.runner.ingest(tx, SHOPIFY, [gone], shop.clock.now())
    found = shop.effect()
    assert found.status is EffectStatus.UNCERTAIN
    assert found.reason == "the answer was lost; not repeated: cancelled: order.cancelled"


def test_giving_up_says_nothing_of_the_first_attempt(shop: Shop) -> None:
    effect = replace(shop.effect(), attempts=MAX_ATTEMPTS)
    with shop.store.work.transaction() as tx:
        shop.kiitos.outbox.again(tx, effect, shop.clock.now(), "450 later", None)
    assert shop.effect().status is EffectStatus.UNCERTAIN
    assert "GAVE_UP" in shop.effect().reason


def test_a_refused_repetition_says_nothing_of_the_first(shop: Shop) -> None:
    shop.answers(Rejected(key="", code="554", text="not today"))
    assert shop.effect().status is EffectStatus.UNCERTAIN


def test_an_address_that_does_not_exist_got_nothing_the_first_time_either(shop: Shop) -> None:
    shop.answers(Rejected(key="", code="550", text="no such user", bad_address=True))
    assert shop.effect().status is EffectStatus.FAILED
