"""The worker: `tick()` does what is due, `next_due()` says when to come back. Nothing here sleeps but `run`.

Any number of ticks may run at once on PostgreSQL; leases keep them apart. Simulation and tests call the same `tick`
under a manual clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.clock import to_text
from connector.codec import decode
from connector.contracts import (
    Accepted,
    Access,
    Channel,
    FetchesOrders,
    Message,
    Outcome,
    PlatformAdapter,
    Unknown,
    Verified,
)
from connector.errors import AuthExpired, KiitosError, MalformedPayload, Refused, StoreUnavailable, Transient
from connector.ledger import Attempt, Ledger
from connector.model import Effect, Event, Shop, ShopStatus
from connector.recovery import repeatable_for, settle_left_behind
from connector.store import deliveries, effects, runs, shops
from connector.store.db import Tx
from connector.store.deliveries import Claimed
from connector.store.inbox import Delivery
from flows.outbox import LEASE, Prepared
from flows.reviews import with_reviews
from flows.runner import FETCH, RunMoved

log = logging.getLogger("kiitos.worker")

INTAKE = 100
"""Deliveries claimed at once."""
SEND = 16
"""Effects prepared, sent and recorded at once. What of them a crash leaves unknown, the ledger narrows down."""
DELIVERY_LEASE = timedelta(seconds=30)
LOOK_AFTER = 60.0
"""Seconds between two looks at the ledgers of dead workers."""
MAX_DELIVERY_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Tick:
    """What one round did."""

    deliveries: int = 0
    runs: int = 0
    effects: int = 0

    def __bool__(self) -> bool:
        return bool(self.deliveries or self.runs or self.effects)


class Worker:
    """One worker of the given application. Without a ledger, what a crash interrupts waits for its lease to end."""

    def __init__(self, kiitos: Kiitos, ledger: Ledger | None = None) -> None:
        self._kiitos = kiitos
        self._ledger = ledger or Ledger()
        self._next_look = 0.0
        self._store = kiitos.store
        self._clock = kiitos.clock

    def tick(self) -> Tick:
        """Do one batch of everything that is due: deliveries, woken runs, effects."""
        return Tick(self.take_in(), self.wake(), self.act())

    def drain(self, limit: int = 100_000) -> Tick:
        """Tick until nothing is due now. `limit` rounds stop a loop that would never end."""
        total = Tick()
        for _ in range(limit):
            done = self.tick()
            if not done:
                return total
            total = Tick(total.deliveries + done.deliveries, total.runs + done.runs, total.effects + done.effects)
        raise StoreUnavailable(f"still busy after {limit} rounds")

    def next_due(self) -> datetime | None:
        """When the next thing is due, as far as rows tell; `None` when nothing is."""
        with self._store.work.read() as tx:
            times = [deliveries.next_due(tx), runs.next_wake(tx), effects.next_due(tx)]
        return min((at for at in times if at is not None), default=None)

    def run(self, stopping: Callable[[], bool], poll: float = 0.02) -> None:
        """Work until told to stop. An idle worker looks every `poll` seconds, up to ten times as seldom."""
        idle = poll
        while not stopping():
            try:
                busy = self.tick()
            except StoreUnavailable as error:
                log.error("store unavailable", extra={"error": error.code})
                self._clock.sleep(1.0)
                continue
            if busy:
                idle = poll
            else:
                self._clock.sleep(idle)
                idle = min(idle * 1.5, poll * 10)

    # Deliveries

    def take_in(self) -> int:
        """Claim deliveries and turn them into events (T2, T3). A batch shares a transaction; a suspect goes alone."""
        claimed = deliveries.claim(self._store, self._clock.now(), INTAKE, DELIVERY_LEASE)
        if not claimed:
            return 0
        fresh = [item for item in claimed if item.attempts == 1]
        for batch in [fresh, *([item] for item in claimed if item.attempts > 1)]:
            if batch:
                self._take_in_batch(batch)
        return len(claimed)

    def _take_in_batch(self, batch: Sequence[Claimed]) -> None:
        now = self._clock.now()
        try:
            with self._store.work.transaction() as tx:
                for item in batch:
                    self._take_in_one(tx, item, now)
        except RunMoved:
            self._take_in_batch(batch)
        except StoreUnavailable:
            raise
        except Exception:
            # One delivery spoils the batch: its neighbours must not pay for it, and it must not be lost.
            if len(batch) > 1:
                for item in batch:
                    self._take_in_batch([item])
                return
            log.exception("delivery failed", extra={"delivery": batch[0].delivery.id})
            self._give_back(batch[0], "INTERNAL", "an error of ours; see the log", now)

    def _take_in_one(self, tx: Tx, item: Claimed, now: datetime) -> None:
        delivery = item.delivery
        if delivery.quarantine or not self._kiitos.catalog.knows(delivery.shop_id):
            deliveries.finish(
                tx, delivery.shop_id, delivery.id, now, "quarantined", delivery.quarantine or "shop not configured"
            )
            return
        shop = self._kiitos.catalog.settings(delivery.shop_id).shop
        try:
            found = self._normalise(delivery, shop)
        except MalformedPayload as error:
            deliveries.fail(tx, delivery.shop_id, delivery.id, now, error.code, error.message, None)
            return
        with tx.savepoint():
            count = self._kiitos.runner.ingest(tx, delivery.shop_id, found, now, delivery.id)
        deliveries.finish(tx, delivery.shop_id, delivery.id, now, "done" if found else "ignored", f"{count} new")

    def _normalise(self, delivery: Delivery, shop: Shop) -> Sequence[Event]:
        adapter = self._kiitos.registry.platform(delivery.platform)
        verified = decode(delivery.headers["verified"], Verified)
        return adapter.normalise(verified, delivery.body, shop)

    def _give_back(self, item: Claimed, code: str, text: str, now: datetime) -> None:
        last = item.attempts >= MAX_DELIVERY_ATTEMPTS
        later = None if last else now + timedelta(seconds=2**item.attempts)
        with self._store.work.transaction() as tx:
            deliveries.fail(tx, item.delivery.shop_id, item.delivery.id, now, code, text, later)

    # Runs

    def wake(self, limit: int = 100) -> int:
        """Let sleeping runs whose time has come go on."""
        now = self._clock.now()
        try:
            with self._store.work.transaction() as tx:
                due = runs.due(tx, now, limit)
                for run in due:
                    self._kiitos.runner.wake(tx, run, now)
        except RunMoved:
            return 1
        return len(due)

    # Effects

    def act(self) -> int:
        """Prepare (T4), act, record (T5) up to `SEND` effects."""
        if self._clock.monotonic() >= self._next_look:
            self._next_look = self._clock.monotonic() + LOOK_AFTER
            settle_left_behind(self._kiitos, self._ledger)
        now = self._clock.now()
        with self._store.work.read() as tx:
            waiting = effects.due(tx, now, SEND)
            lost = effects.expired(tx, now, SEND)
        if not waiting and not lost:
            return 0
        self._look_again(waiting, now)
        try:
            self._carry_out(self._prepare(now))
        except BaseException:
            # What became of the batch stands in the ledger; the next tick reads it there.
            self._ledger.abandon()
            self._next_look = 0.0
            raise
        self._ledger.clear()
        return max(len(waiting) + len(lost), 1)

    def _prepare(self, now: datetime) -> list[Prepared]:
        try:
            with self._store.work.transaction() as tx:
                for effect in effects.expired(tx, now, SEND):
                    self._kiitos.outbox.expired(tx, effect, now, repeatable_for(self._kiitos, effect))
                prepared = [
                    ready
                    for effect in effects.due(tx, now, SEND)
                    if (ready := self._kiitos.outbox.prepare(tx, effect, now)) is not None
                ]
                self._ledger.begin(_attempt(item, now) for item in prepared)
        except RunMoved:
            return []  # nothing of it was committed; the next tick looks again
        return prepared

    def _carry_out(self, prepared: Sequence[Prepared]) -> None:
        self._send([item for item in prepared if item.message is not None])
        for item in prepared:
            if item.message is None:
                self._perform(item)

    def _send(self, prepared: Sequence[Prepared]) -> None:
        """Hand messages to their channels and record the outcomes together."""
        by_channel: dict[int, tuple[Channel, list[Prepared]]] = {}
        for item in prepared:
            channel = self._kiitos.channel(self._kiitos.catalog.settings(item.effect.shop_id))
            by_channel.setdefault(id(channel), (channel, []))[1].append(item)
        for channel, items in by_channel.values():
            outcomes = self._outcomes(channel, items)
            now = self._clock.now()
            self._store_outcomes(items, outcomes, channel.idempotent_for, now)

    def _outcomes(self, channel: Channel, items: Sequence[Prepared]) -> dict[str, Outcome]:
        messages = [item.message for item in items if item.message is not None]
        outcomes: dict[str, Outcome] = {}
        try:
            for outcome in self._hand_over(channel, messages):
                outcomes[outcome.key] = outcome
                if isinstance(outcome, Accepted):
                    self._ledger.accepted(outcome.key)
        except Exception:
            # A channel promises not to raise; one that does leaves outcomes nobody knows, which is what is recorded.
            log.exception("channel failed", extra={"channel": channel.name})
        return outcomes

    def _hand_over(self, channel: Channel, messages: Sequence[Message]) -> Iterator[Outcome]:
        if channel.marks_wire:
            return channel.send_all(messages, self._ledger.on_wire)
        for message in messages:  # it will not say when each leaves, so all of them may have
            self._ledger.on_wire(message.key)
        return channel.send_all(messages)

    def _store_outcomes(
        self, items: Sequence[Prepared], outcomes: dict[str, Outcome], window: float, now: datetime
    ) -> None:
        try:
            with self._store.work.transaction() as tx:
                for item in items:
                    assert item.message is not None
                    key = item.message.key
                    outcome = outcomes.get(key) or Unknown(key=key, text="the channel gave no answer")
                    self._kiitos.outbox.record(tx, item, outcome, now, window)
        except RunMoved:
            self._store_outcomes(items, outcomes, window, now)

    def _perform(self, item: Prepared) -> None:
        """Carry out a platform effect and record it."""
        effect = item.effect
        settings = self._kiitos.catalog.settings(effect.shop_id)
        adapter = self._kiitos.registry.platform(settings.shop.platform)
        access = self._kiitos.access(settings)
        events: Sequence[Event] = ()
        values: dict[str, str] = {}
        failure: KiitosError | None = None
        self._ledger.on_wire(effect.id)
        try:
            if effect.kind == FETCH:
                if not isinstance(adapter, FetchesOrders):
                    raise Refused(f"{settings.shop.platform} cannot be asked for an order")
                events = adapter.fetch_order(access, str(effect.request["id"]))
            else:
                values = dict(self._step_perform(item, adapter, access))
        except KiitosError as error:
            failure = error
        self._store_performed(item, events, values, failure)

    def _step_perform(self, item: Prepared, adapter: PlatformAdapter, access: Access) -> dict[str, str]:
        assert item.run is not None
        with self._store.work.read() as tx:
            flow = self._kiitos.runner.flow_of(tx, item.run)
            request = with_reviews(tx, item.effect)
        step = next(step.step for step in flow.steps if step.id == item.effect.step_id)
        return dict(step.perform(adapter, access, request, item.effect.id))

    def _store_performed(
        self, item: Prepared, events: Sequence[Event], values: dict[str, str], failure: KiitosError | None
    ) -> None:
        effect, now, outbox = item.effect, self._clock.now(), self._kiitos.outbox
        try:
            with self._store.work.transaction() as tx:
                if failure is None:
                    if events:
                        self._kiitos.runner.ingest(tx, effect.shop_id, events, now)
                    self._kiitos.runner.performed(tx, item.run, effect, values, now)
                    outbox.done(tx, effect, now, values)
                elif isinstance(failure, AuthExpired):
                    self._pause(tx, effect.shop_id, failure, now)
                    effects.retry(tx, effect.shop_id, effect.id, now, now + timedelta(minutes=15), failure.message)
                elif isinstance(failure, Transient) and failure.maybe_done:
                    outbox.unknown(tx, effect, now, failure.message, 0.0)
                elif isinstance(failure, Transient):
                    outbox.again(tx, effect, now, failure.message, failure.retry_after)
                else:
                    outbox.error(tx, effect, now, failure)
        except RunMoved:
            self._store_performed(item, events, values, failure)

    def _look_again(self, waiting: Sequence[Effect], now: datetime) -> None:
        """Before marketing-class effects, fetch the order fresh: a webhook is a hint, and days have passed."""
        seen: set[tuple[str, str]] = set()
        for effect in waiting:
            if not effect.purpose.needs_consent or effect.order_id is None or effect.kind == FETCH:
                continue
            if (effect.shop_id, effect.order_id) in seen or not self._kiitos.catalog.knows(effect.shop_id):
                continue
            seen.add((effect.shop_id, effect.order_id))
            settings = self._kiitos.catalog.settings(effect.shop_id)
            adapter = self._kiitos.registry.platform(settings.shop.platform)
            if settings.fetch_before_send and isinstance(adapter, FetchesOrders) and _can_ask(settings.secrets):
                self._fetch(effect, adapter, settings.shop, now)

    def _fetch(self, effect: Effect, adapter: FetchesOrders, shop: Shop, now: datetime) -> None:
        assert effect.order_id is not None
        settings = self._kiitos.catalog.settings(effect.shop_id)
        try:
            events = adapter.fetch_order(self._kiitos.access(settings), effect.order_id)
        except AuthExpired as error:
            with self._store.work.transaction() as tx:
                self._pause(tx, shop.id, error, now)
            return
        except Transient as error:
            if now - effect.created_at < timedelta(hours=24):
                with self._store.work.transaction() as tx:
                    wait = timedelta(seconds=error.retry_after or 300)
                    effects.defer(tx, effect.shop_id, effect.id, now + wait, "platform_unreachable")
            return
        except KiitosError as error:
            log.warning("order could not be fetched", extra={"shop": shop.id, "error": error.code})
            return
        try:
            with self._store.work.transaction() as tx:
                self._kiitos.runner.ingest(tx, shop.id, events, now)
        except RunMoved:
            self._fetch(effect, adapter, shop, now)

    def _pause(self, tx: Tx, shop_id: str, error: AuthExpired, now: datetime) -> None:
        stored = shops.get(tx, shop_id)
        if stored is not None and stored.status is ShopStatus.ACTIVE:
            shops.set_status(tx, shop_id, ShopStatus.PAUSED, now, error.message)
            log.error("shop paused: its credentials no longer work", extra={"shop": shop_id})


def _attempt(item: Prepared, now: datetime) -> Attempt:
    effect = item.effect
    key = item.message.key if item.message else effect.id
    return Attempt(key, effect.attempts + 1, to_text(now + LEASE), effect.shop_id, effect.id)


def _can_ask(secrets: Mapping[str, str]) -> bool:
    return bool({"access_token", "client_id", "consumer_key"} & set(secrets))
