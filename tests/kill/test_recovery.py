"""What a worker makes of the ledger of one that died in the middle of a batch, death by death."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from bench import corpus
from connector.app import Kiitos, build, create_app
from connector.clock import Clock, ManualClock
from connector.config import load_config
from connector.contracts import Accepted, Channel, Message, Outcome
from connector.contracts.channel import OnWire
from connector.ledger import Ledger
from connector.model import Effect, EffectStatus, Purpose
from connector.store import effects
from connector.worker import Worker
from flows.outbox import LEASE
from webhooks.receiver import receiver_of

from .load import PATH
from .product import SHOP, Product
from .verdict import left_open

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ORDERS = 4  # a confirmation and a request each: eight messages, one batch
ENDS = (0, ORDERS - 1, ORDERS, 2 * ORDERS - 1)  # of the confirmations and of the requests, which come after them


class Killed(BaseException):
    """The process ends here."""


class Deadly(Channel):
    """Counts messages, and dies at the message of number `at`: before its last byte, after it, or after its answer."""

    name: ClassVar[str] = "deadly"
    medium: ClassVar[str] = "email"
    marks_wire: ClassVar[bool] = True

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.at: int | None = None
        self.when = "before"

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Deadly:
        return cls()

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        for message in messages:
            fatal = self.at is not None and self.taken.total() == self.at
            if fatal and self.when == "before":
                raise Killed
            if on_wire is not None:
                on_wire(message.key)
            self.taken[message.key] += 1
            if fatal and self.when == "after":
                raise Killed
            yield Accepted(key=message.key)
            if fatal:
                raise Killed


class Mute(Deadly):
    """Does not say when a message leaves."""

    marks_wire: ClassVar[bool] = False


class Scene:
    """An installation with eight messages due, whose workers come and go."""

    def __init__(self, folder: Path, channel: Deadly) -> None:
        Product.set_up(folder, 25)
        self.folder = folder
        self.clock = ManualClock(START)
        self.channel = channel
        self.kiitos: Kiitos = build(load_config(folder / "app.toml", {}), clock=self.clock)
        self.kiitos.use_channel("sink", channel)
        self._receive()

    def _receive(self) -> None:
        app = create_app(self.kiitos)
        receiver = receiver_of(app)
        receiver.start()
        for number, body in enumerate(corpus.bodies(ORDERS, START)):
            answer = app.test_client().post(
                PATH,
                data=body,
                headers={
                    "Content-Type": "application/json",
                    "X-Shopify-Hmac-Sha256": corpus.sign(body).decode(),
                    "X-Shopify-Shop-Domain": corpus.SHOP_DOMAIN,
                    "X-Shopify-Topic": "orders/paid",
                    "X-Shopify-API-Version": corpus.API_VERSION,
                    "X-Shopify-Webhook-Id": f"w{number}",
                },
            )
            assert answer.status_code == 200
        receiver.close()

    def worker(self) -> Worker:
        return Worker(self.kiitos, Ledger.of(self.kiitos.config.app.database, self.folder, self.clock))

    def die(self, at: int, when: str, worker: Worker | None = None) -> None:
        """Work until death at that message."""
        self.channel.at, self.channel.when = at, when
        with pytest.raises(Killed):
            (worker or self.worker()).drain()
        self.channel.at = None

    def ledgers(self) -> list[Path]:
        return list((self.folder / "kiitos.db-ledger").glob("*.ledger"))

    def effects(self) -> list[Effect]:
        with self.kiitos.store.work.read() as tx:
            orders = [json.loads(body)["id"] for body in corpus.bodies(ORDERS, START)]
            found = [effect for order in orders for effect in effects.of_order(tx, SHOP, str(order))]
        return [effect for effect in found if effect.kind == "message"]

    def statuses(self) -> Counter[EffectStatus]:
        return Counter(effect.status for effect in self.effects())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path, Deadly())
    yield made
    made.kiitos.close()


def test_the_scene_has_eight_messages_in_one_batch(scene: Scene) -> None:
    scene.worker().drain()
    assert scene.statuses() == {EffectStatus.SENT: 2 * ORDERS}
    assert Counter(effect.purpose for effect in scene.effects()) == {Purpose.TRANSACTIONAL: 4, Purpose.REVIEW: 4}


@pytest.mark.parametrize("at", ENDS)
def test_death_before_the_last_byte_leaves_nothing_in_doubt(scene: Scene, at: int) -> None:
    scene.die(at, "before")
    assert scene.statuses() == {EffectStatus.SENDING: 2 * ORDERS}
    scene.worker().drain()
    assert scene.statuses() == {EffectStatus.SENT: 2 * ORDERS}
    assert set(scene.channel.taken.values()) == {1}
    assert not any(effect.tainted for effect in scene.effects())


@pytest.mark.parametrize("at", ENDS)
def test_death_after_the_last_byte_leaves_that_message_in_doubt(scene: Scene, at: int) -> None:
    scene.die(at, "after")
    worker = scene.worker()
    worker.drain()
    scene.clock.advance(timedelta(seconds=2))
    worker.drain()
    (doubtful,) = [effect for effect in scene.effects() if effect.tainted]
    if doubtful.purpose is Purpose.TRANSACTIONAL:
        assert doubtful.status is EffectStatus.SENT
        assert sorted(scene.channel.taken.values()) == [1] * 7 + [2]
    else:
        assert doubtful.status is EffectStatus.UNCERTAIN
        assert sorted(scene.channel.taken.values()) == [1] * 8
        assert at >= ORDERS
    assert scene.statuses()[EffectStatus.SENT] >= 2 * ORDERS - 1


@pytest.mark.parametrize("at", ENDS)
def test_death_after_the_answer_leaves_nothing_in_doubt(scene: Scene, at: int) -> None:
    scene.die(at, "answered")
    scene.worker().drain()
    assert scene.statuses() == {EffectStatus.SENT: 2 * ORDERS}
    assert set(scene.channel.taken.values()) == {1}


def test_a_channel_that_does_not_mark_leaves_what_it_took_in_doubt(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Mute())
    scene.die(3, "before")
    worker = scene.worker()
    worker.drain()
    scene.clock.advance(timedelta(seconds=2))
    worker.drain()
    assert sum(effect.tainted for effect in scene.effects()) == 1
    assert scene.statuses() == {EffectStatus.SENT: 2 * ORDERS}
    scene.kiitos.close()


def test_without_a_ledger_the_batch_waits_for_its_lease(scene: Scene) -> None:
    scene.die(3, "before", Worker(scene.kiitos))
    scene.worker().drain()
    assert scene.statuses() == {EffectStatus.SENDING: 2 * ORDERS}
    scene.clock.advance(LEASE + timedelta(seconds=1))
    scene.worker().drain()
    assert all(effect.tainted for effect in scene.effects())


def test_a_ledger_of_an_earlier_attempt_does_not_touch_a_later_one(scene: Scene) -> None:
    scene.die(0, "before")
    stale = max((path.read_bytes() for path in scene.ledgers()), key=len)
    scene.die(0, "before")  # the second attempt, of a worker that is still at it as far as anyone can tell
    for path in scene.ledgers():
        path.write_bytes(stale)
    scene.worker().drain()
    assert scene.statuses() == {EffectStatus.SENDING: 2 * ORDERS}


def test_near_the_end_of_a_lease_the_ledger_keeps_out(scene: Scene) -> None:
    scene.die(0, "before")
    scene.clock.advance(LEASE - timedelta(seconds=10))
    scene.worker().drain()
    assert scene.statuses() == {EffectStatus.SENDING: 2 * ORDERS}


def test_messages_at_which_workers_keep_dying_are_parted_from_one_another(scene: Scene) -> None:
    for _ in range(6):
        scene.die(0, "before")
    scene.worker().drain()
    due = {effect.due_at - scene.clock.now() for effect in scene.effects()}
    assert scene.statuses() == {EffectStatus.PENDING: 2 * ORDERS}
    assert len(due) == 2 * ORDERS
    assert min(due) > timedelta(seconds=15)
    scene.clock.advance(timedelta(hours=2))
    scene.worker().drain()
    assert set(scene.channel.taken.values()) == {1}
    assert scene.statuses() == {EffectStatus.SENT: 2 * ORDERS}


def test_what_is_left_to_do_is_named(scene: Scene, tmp_path: Path) -> None:
    """What a run that does not drain shows instead of nothing."""
    scene.die(1, "before")
    assert any(" sending " in line for line in left_open(tmp_path))
