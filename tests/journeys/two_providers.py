"""A shop with two providers of moods, to be driven by a clock of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.contracts import Accepted, LooksUp, Message, Outcome, Retry, Scope, Unknown
from connector.errors import Refused, Transient
from connector.explaining.explain import explain
from connector.model import Effect, EffectStatus
from connector.rehearsal import VOCABULARY
from connector.rehearsal.life import Life
from connector.store import effects, runs
from connector.store.store import Store
from connector.testing.world import WOO, document
from connector.worker import Worker
from flows.channels.memory import Memory
from tests.journeys.bare import ENVIRON, RENDERER

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FLOW = """
id = "office"
trigger = "order.paid"
purpose = "{purpose}"

[[steps]]
id = "tell"
do = "send"
template = "{template}"
"""
ORDERS = FLOW.format(purpose="transactional", template="order_confirmation")
ASKING = FLOW.format(purpose="review", template="review_request")
Mood = Callable[[Message], Outcome | None]


class Moody(Memory):
    """Does what its mood says; without one it takes everything. `tried` counts what reached it."""

    def __init__(self, mood: Mood | None = None) -> None:
        super().__init__()
        self.mood = mood
        self.tried: list[str] = []

    def send_all(self, messages: Any, on_wire: Any = None) -> Iterator[Outcome]:
        for message in messages:
            self.tried.append(message.key)
            if self.mood and (said := self.mood(message)) is not None:
                self.answers[message.key] = said
            yield from super().send_all([message], on_wire)


class Remembering(Moody, LooksUp):
    """Can be asked; `knows` says what it answers."""

    knows: ClassVar[str] = "truth"

    def __init__(self, mood: Mood | None = None) -> None:
        super().__init__(mood)
        self.asked = 0
        self.answer: str = "truth"

    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        self.asked += 1
        if self.answer == "later":
            raise Transient("not indexed", retry_after=60)
        if self.answer == "refused":
            raise Refused("no such right")
        if self.answer == "bug":
            raise RuntimeError("oops")
        there = any(each.key == message.key for each in self.messages)
        return Accepted(key=message.key, provider_id="looked-up") if there else None


def down(message: Message) -> Outcome:
    return Retry(key=message.key, text="nobody there", scope=Scope.ACCOUNT)


def silent(message: Message) -> Outcome:
    return Unknown(key=message.key, text="no answer in time")


@dataclass
class House:
    clock: ManualClock
    store: Store
    kiitos: Kiitos
    life: Life
    worker: Worker
    channels: dict[str, Moody] = field(default_factory=dict)

    def orders(self, *numbers: int, shop_id: str = WOO) -> None:
        life = self.life if shop_id == WOO else Life(self.kiitos.config.shop(shop_id).shop, {}, {})
        with self.store.work.transaction() as tx:
            for number in numbers:
                events = VOCABULARY["order"](life, str(number), self.clock.now())
                self.kiitos.runner.ingest(tx, shop_id, events, self.clock.now())

    def until(self, **span: float) -> None:
        end = self.clock.now() + timedelta(**span)
        self.worker.drain()
        while (due := self.worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            self.worker.drain()
        self.clock.advance(max(end - self.clock.now(), timedelta()))

    def all(self) -> list[Effect]:
        with self.store.work.read() as tx:
            return [effect for run in runs.all_of_shop(tx, WOO) for effect in effects.of_run(tx, WOO, run.id)]

    def statuses(self) -> list[EffectStatus]:
        return [effect.status for effect in self.all()]

    def sent(self, name: str) -> int:
        return len(self.channels[name].messages)

    def story(self) -> str:
        """What `kiitos explain` says of every order."""
        with self.store.work.read() as tx:
            orders = {run.order_id or "" for run in runs.all_of_shop(tx, WOO)}
        found = [explain(self.store, WOO, order_id) for order_id in orders]
        lines = [line for one in found if one is not None for line in one.lines]
        return "\n".join(f"{line.what}: {line.text} {dict(line.detail)}" for line in lines)


Make = Callable[..., House]


@contextlib.contextmanager
def houses(tmp_path: Path) -> Iterator[Make]:
    """What builds houses in a folder; all are closed at the end."""
    made: list[House] = []

    def build_house(
        flow: str = ORDERS,
        email: Any = ("main", "backup"),
        kinds: dict[str, Moody] | None = None,
        neighbour: str = "",
        **tables: Any,
    ) -> House:
        """`neighbour` is the channel by which another shop sends order mail; without one it sends none."""
        (tmp_path / "office.toml").write_text(flow, "utf-8")
        found = document(flows={}, fetch_before_send=False)
        found["app"]["base_url"] = "http://localhost"
        found["channels"] = {name: {"kind": "memory", **tables.get(name, {})} for name in ("main", "backup")}
        found["defaults"]["email"] = list(email) if isinstance(email, tuple) else email
        metsa = found["clients"]["demo"]["shops"]["metsa"]
        metsa |= {"flows": {"office": {"file": "office.toml"}}, "soft_opt_in": ["review"]}
        if neighbour:
            (tmp_path / "neighbour.toml").write_text(ORDERS, "utf-8")
            another = {**metsa, "name": "Aurora", "url": "https://aurora.example", "email": neighbour}
            another["flows"] = {"office": {"file": "neighbour.toml"}}
            found["clients"]["demo"]["shops"]["aurora"] = another
        clock, store = ManualClock(START), Store.open("sqlite://:memory:")
        kiitos = build(parse_config(found, tmp_path / "app.toml", ENVIRON), clock=clock, store=store)
        kiitos.renderer = RENDERER
        channels = {"main": Moody(), "backup": Moody()} | (kinds or {})
        for name, channel in channels.items():
            kiitos.use_channel(name, channel)
        one = House(clock, store, kiitos, Life(kiitos.config.shop(WOO).shop, {}, {}), Worker(kiitos), channels)
        made.append(one)
        return one

    yield build_house
    for one in made:
        one.kiitos.close()
