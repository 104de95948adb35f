"""Providers with an API, two workers and workers that die; counted is what arrived at the receiving end.

Each fault meets an order message and a question of the marketing class. A provider that knows our key, or can be asked
afterwards, never delivers twice; where neither is so, order mail may come once more and marketing never; nothing is
lost that was certainly not taken, and what nobody can know is shown as uncertain. Answers that are lost after the
provider took the message, and hours of silence, are in test_providers_whole.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.model import Customer, Effect, EffectStatus
from connector.registry import PLATFORMS, Registry
from connector.rehearsal.life import Life
from connector.rehearsal.platform import NAME, Rehearsed
from connector.store import effects
from connector.store.store import Store
from connector.testing.demo.scenario import MONDAY
from connector.testing.fakes.providers import GOOD_KEY, FakeProviders, Mishap
from connector.worker import Worker
from flows.sending.addressing import derive_token

NAMES = ("resend", "postmark", "sendgrid", "mailgun", "brevo")
KEYED, ASKED = frozenset({"resend", "brevo"}), frozenset({"postmark", "mailgun"})
SHOP = "c-shop"
FLOW = """
id = "{name}"
trigger = "order.paid"
purpose = "{purpose}"
[[steps]]
id = "pause"
do = "wait"
span = "{wait}"
[[steps]]
id = "tell"
do = "send"
template = "{template}"
"""
FLOWS = {
    "confirm": {"purpose": "transactional", "wait": "1m", "template": "order_confirmation"},
    "ask": {"purpose": "review", "wait": "1d", "template": "review_request"},
}
BEFORE = {"a cut": Mishap(), "a 502": Mishap(status=502)}
"""Not taken, and nobody hears of that."""


class Post:
    """A shop that writes through one provider, with two flows: an order message at once, a question a day later."""

    def __init__(self, folder: Path, provider: str, providers: FakeProviders) -> None:
        self.providers, self.provider = providers, provider
        self.clock = ManualClock(MONDAY)
        self.store = Store.open("sqlite://:memory:")
        for name, flow in FLOWS.items():
            (folder / f"{name}.toml").write_text(FLOW.format(name=name, **flow), "utf-8")
        self.folder = folder
        self.kiitos = self.open()
        self.worker = Worker(self.kiitos)
        self.orders: dict[str, str] = {}

    def open(self) -> Kiitos:
        own: dict[str, Any] = {"domain": "mg.shop.example"} if self.provider == "mailgun" else {}
        # No mishap here hangs: an answer that a busy machine keeps for a second must not count as one nobody gave.
        channel = {"kind": self.provider, "api_key": {"env": "API"}, "url": self.providers.url, "timeout": 10, **own}
        shop = {
            "platform": NAME,
            "domain": "shop.example",
            "sender": "Shop <hello@shop.example>",
            "timezone": "Europe/Helsinki",
            "soft_opt_in": ["review"],
            "limits": {"email": {"cap": "1s"}},
            "flows": {name: {"file": f"./{name}.toml"} for name in FLOWS},
        }
        document = {
            "schema": 1,
            "app": {"master_key": {"env": "KEY"}},
            "channels": {"mail": channel},
            "defaults": {"email": "mail"},
            "clients": {"c": {"shops": {"shop": shop}}},
        }
        environ = {"KEY": "k1=" + "cmVoZWFyc2FsIGtleSB0aGF0IGlzIDMyIGJ5dGVzISE=", "API": GOOD_KEY}
        config = parse_config(document, self.folder / "app.toml", environ)
        registry = Registry(extra={(PLATFORMS, NAME): Rehearsed})
        return build(config, clock=self.clock, registry=registry, store=self.store)

    def order(self) -> str:
        """Somebody new buys; whose address it is."""
        number = str(len(self.orders) + 1)
        buyer = Customer(id=None, email=f"p{number}@example.test")
        events = [
            replace(event, customer_id=None, order=replace(event.order, customer=buyer, email=buyer.email))
            for event in Life(self.kiitos.config.shop(SHOP).shop, {}).order(number, self.clock.now())
            if event.order is not None
        ]
        self.orders[str(buyer.email)] = str(events[0].order_id)
        with self.store.work.transaction() as tx:
            self.kiitos.runner.ingest(tx, SHOP, events, self.clock.now())
        return str(buyer.email)

    def wait(self, **span: float) -> None:
        end = self.clock.now() + timedelta(**span)
        self.worker.drain()
        while (due := self.worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            self.worker.drain()
        self.clock.advance(end - self.clock.now())

    def meet(self, *mishaps: Mishap) -> str:
        """Somebody buys, and both messages to them meet the mishaps."""
        who = self.order()
        self.providers.mishaps.extend(mishaps)
        self.wait(hours=20)
        assert not self.providers.mishaps, "the order message met them"
        self.providers.mishaps.extend(mishaps)
        self.wait(hours=20)
        assert not self.providers.mishaps, "the question met them"
        return who

    def arrived(self, who: str) -> dict[str, int]:
        """How often each message reached its reader, by flow."""
        keys = [taken.key for taken in self.providers.box if taken.recipient == who]
        known = {self.key_of(row): row.flow_id for row in self.rows(who)}
        assert set(keys) <= set(known), "nobody gets what nobody decided"
        return {flow: sum(known[key] == flow for key in keys) for flow in FLOWS}

    def key_of(self, effect: Effect) -> str:
        return derive_token(self.kiitos.salt, "message", effect.shop_id, effect.id, length=24)

    def rows(self, who: str) -> list[Effect]:
        with self.store.work.read() as tx:
            return effects.of_order(tx, SHOP, self.orders[who])

    def statuses(self, who: str) -> dict[str, str]:
        return {row.flow_id: str(row.status) for row in self.rows(who) if row.kind == "message"}


@pytest.fixture
def providers() -> Iterator[FakeProviders]:
    with FakeProviders() as running:
        yield running


Posts = Callable[[str], Post]


@pytest.fixture
def posts(tmp_path: Path, providers: FakeProviders) -> Iterator[Posts]:
    opened: list[Post] = []

    def one(provider: str) -> Post:
        opened.append(Post(tmp_path, provider, providers))
        return opened[-1]

    yield one
    for each in opened:
        each.kiitos.close()


EACH = pytest.mark.parametrize("name", NAMES)
SENT = {"confirm": "sent", "ask": "sent"}


@EACH
def test_not_taken_and_nobody_heard_of_that(posts: Posts, name: str) -> None:
    post = posts(name)
    for fault, mishap in BEFORE.items():
        who = post.meet(mishap)
        arrived, statuses = post.arrived(who), post.statuses(who)
        assert arrived["confirm"] == 1, f"{fault}: order mail is not lost"
        if name in KEYED:
            assert (arrived["ask"], statuses) == (1, SENT), fault
        else:
            # An index that has not got it may only lag: of marketing a person decides.
            assert (arrived["ask"], statuses["ask"]) == (0, "uncertain"), f"{fault}: shown, not guessed"


@EACH
def test_certainly_not_taken_is_tried_until_it_is(posts: Posts, name: str) -> None:
    post = posts(name)
    for mishaps in ([Mishap(status=429)], [Mishap(status=429, retry_after="120")], [Mishap(status=503)] * 4):
        who = post.meet(*mishaps)
        assert (post.arrived(who), post.statuses(who)) == ({"confirm": 1, "ask": 1}, SENT)


@EACH
def test_two_workers_send_once(posts: Posts, name: str) -> None:
    post = posts(name)
    people = [post.order() for _ in range(6)]
    second = Worker(post.open())
    end: datetime = post.clock.now() + timedelta(days=2)
    while post.clock.now() < end:
        post.clock.advance(timedelta(hours=1))
        for worker in (second, post.worker):
            worker.drain()
    for who in people:
        assert (post.arrived(who), post.statuses(who)) == ({"confirm": 1, "ask": 1}, SENT)


class Died(BaseException):
    """The process is gone."""


@EACH
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_dies_around_the_call(posts: Posts, name: str, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each window around the request another worker takes over, and counts as the one that died would have."""
    post = posts(name)
    who = post.order()
    for flow in FLOWS:
        with monkeypatch.context() as patch:
            channel = post.kiitos.channel(post.kiitos.config.shop(SHOP))
            send = channel.send_all

            def dying(messages: Any, on_wire: Any = None, send: Any = send) -> Iterator[Any]:
                if moment == "before":
                    raise Died
                list(send(messages, on_wire))
                raise Died

            patch.setattr(channel, "send_all", dying)
            with pytest.raises(Died):
                post.wait(hours=26)
        post.kiitos = post.open()
        post.worker = Worker(post.kiitos)
        post.wait(hours=1)
        del flow
    post.wait(days=2)
    arrived, statuses = post.arrived(who), post.statuses(who)
    assert 1 <= arrived["confirm"] <= (1 if name in KEYED | ASKED or moment == "before" else 2)
    assert arrived["ask"] <= 1, "marketing never twice"
    if moment == "after":
        assert arrived["ask"] == 1
    assert set(statuses.values()) <= {str(EffectStatus.SENT), str(EffectStatus.UNCERTAIN)}
    if name in KEYED or (name in ASKED and moment == "after"):
        assert (arrived["ask"], statuses) == (1, SENT)
