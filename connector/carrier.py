"""Carrying out effects: prepare (T4), act outside any transaction, record (T5)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.clock import to_text
from connector.contracts import (
    Accepted,
    Access,
    Channel,
    FetchesOrders,
    Message,
    Outcome,
    PlatformAdapter,
    Unknown,
)
from connector.errors import AuthExpired, KiitosError, Refused, StoreUnavailable, Transient
from connector.intake import again_if_moved
from connector.ledger import Attempt, Ledger
from connector.model import Effect, Event, Shop, ShopStatus
from connector.recovery import repeatable_for, settle_left_behind
from connector.store import effects, shops
from connector.store.db import Tx
from flows.outbox import LEASE, Prepared
from flows.reviews import with_reviews
from flows.runner import FETCH

log = logging.getLogger("kiitos.carrier")

SEND = 32
"""Effects prepared, sent and recorded at once. What of them a crash leaves unknown, the ledger narrows down."""
LOOK_AFTER = 60.0
"""Seconds between two looks at the ledgers of dead workers."""
FETCH_PATIENCE = timedelta(hours=24)
"""How long a marketing-class effect waits for a platform that cannot be asked."""


class Carrier:
    """One worker's way out. Without a ledger, what a crash interrupts waits for its lease to end."""

    def __init__(self, kiitos: Kiitos, ledger: Ledger) -> None:
        self._kiitos = kiitos
        self._ledger = ledger
        self._next_look = 0.0
        self._store = kiitos.store
        self._clock = kiitos.clock

    def act(self) -> int:
        """Carry out up to `SEND` due effects; how many were looked at."""
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
            return again_if_moved(lambda: self._prepare_batch(now, None))
        except StoreUnavailable:
            raise
        except Exception:
            # One effect spoils the batch: each is then prepared alone, and the one that cannot be is set aside.
            log.exception("a batch of effects failed")
            with self._store.work.read() as tx:
                waiting = effects.due(tx, now, SEND)
            return [ready for effect in waiting for ready in self._prepare_alone(effect, now)]

    def _prepare_batch(self, now: datetime, only: Effect | None) -> list[Prepared]:
        with self._store.work.transaction() as tx:
            if only is None:
                for effect in effects.expired(tx, now, SEND):
                    self._kiitos.outbox.expired(tx, effect, now, repeatable_for(self._kiitos, effect))
            due = effects.due(tx, now, SEND)
            prepared = [
                ready
                for effect in due
                if only is None or (effect.shop_id, effect.id) == (only.shop_id, only.id)
                if (ready := self._kiitos.outbox.prepare(tx, effect, now)) is not None
            ]
            self._ledger.begin(_attempt(item, now) for item in prepared)
        return prepared

    def _prepare_alone(self, effect: Effect, now: datetime) -> list[Prepared]:
        try:
            return again_if_moved(lambda: self._prepare_batch(now, effect))
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("effect could not be prepared", extra={"shop": effect.shop_id, "effect": effect.id})
            with self._store.work.transaction() as tx:
                self._kiitos.outbox.strand(tx, effect, now)
            return []

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
            again_if_moved(lambda: self._record(items, outcomes, window, now))
        except StoreUnavailable:
            raise
        except Exception:
            if len(items) > 1:
                for item in items:
                    self._store_outcomes([item], outcomes, window, now)
                return
            # It was sent (or refused) all the same: that must be known, even if its run cannot go on.
            effect = items[0].effect
            log.exception("outcome could not be recorded", extra={"shop": effect.shop_id, "effect": effect.id})
            with self._store.work.transaction() as tx:
                self._kiitos.outbox.strand(tx, effect, now, _outcome_of(items[0], outcomes))

    def _record(self, items: Sequence[Prepared], outcomes: dict[str, Outcome], window: float, now: datetime) -> None:
        with self._store.work.transaction() as tx:
            for item in items:
                self._kiitos.outbox.record(tx, item, _outcome_of(item, outcomes), now, window)

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
        except Exception:
            # An adapter promises our errors only; what else it raises is its bug, and nobody knows what it did.
            log.exception("platform effect failed", extra={"shop": effect.shop_id, "effect": effect.id})
            failure = Transient("an error of ours or the adapter's; see the log", maybe_done=True)
        again_if_moved(lambda: self._store_performed(item, events, values, failure))

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
            if now - effect.created_at < FETCH_PATIENCE:
                with self._store.work.transaction() as tx:
                    wait = timedelta(seconds=error.retry_after or 300)
                    effects.defer(tx, effect.shop_id, effect.id, now + wait, "platform_unreachable")
            return
        except KiitosError as error:
            log.warning("order could not be fetched", extra={"shop": shop.id, "error": error.code})
            return
        again_if_moved(lambda: self._apply(shop.id, events, now))

    def _apply(self, shop_id: str, events: Sequence[Event], now: datetime) -> None:
        with self._store.work.transaction() as tx:
            self._kiitos.runner.ingest(tx, shop_id, events, now)

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


def _outcome_of(item: Prepared, outcomes: Mapping[str, Outcome]) -> Outcome:
    assert item.message is not None
    key = item.message.key
    return outcomes.get(key) or Unknown(key=key, text="the channel gave no answer")
