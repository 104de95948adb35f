"""Carrying out effects: prepare (T4), act outside any transaction, record (T5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from connector.app import Kiitos
from connector.contracts import (
    DOUBTFUL,
    Accepted,
    Channel,
    Message,
    Outcome,
    Unknown,
)
from connector.errors import AuthExpired, ConfigError, KiitosError, Refused, StoreUnavailable, Transient
from connector.ledger import Ledger
from connector.log import get_log
from connector.model import Effect, Run
from connector.standing import HELD, disconnect, reconnect
from connector.store import effects, runs, turns
from connector.store.db import Tx
from connector.watching.sending_traces import SendTraces
from connector.watching.tallies import Tallies
from connector.working.bringing import Bringing
from connector.working.doubts import Asking
from connector.working.fresh_orders import ASK_AGAIN, LOOK_BUDGET, RECONNECT, FreshOrders
from connector.working.intake import PIECE, again_if_moved, fitting
from connector.working.performing import Performed, call, perform
from connector.working.pushing import addressed, forget_gone
from connector.working.recovery import attempt_of, outcome_of, prepare_one, repeatable_for, settle_left_behind
from connector.working.restored import sift
from flows.outbox import LEASE
from flows.sending.aside import CALL
from flows.sending.outcomes import Prepared

log = get_log("carrier")

SEND = 100
"""Effects prepared, sent and recorded at once, at most. What a crash leaves unknown, the ledger narrows down."""
SEND_FIRST, SEND_LEAST = 32, 4
IN_DOUBT = 1.0
"""Seconds a batch may take before the next is smaller: a power cut, of which no ledger tells, leaves it in doubt."""
LOOK_AFTER = 60.0
"""Seconds between two looks at the ledgers of dead workers."""


class Carrier:
    """One worker's way out. Without a ledger, what a crash interrupts waits for its lease to end."""

    def __init__(self, kiitos: Kiitos, ledger: Ledger, makes_way: Callable[[Tx], bool] = lambda _: False) -> None:
        """`makes_way` says, in the middle of a batch, whether somebody has come who should not wait for its end."""
        self._kiitos = kiitos
        self._makes_way = makes_way
        self._ledger = ledger
        self._bringing = Bringing(kiitos)
        self.tallies = Tallies()
        self._traces = SendTraces()
        self._fresh = FreshOrders(kiitos)
        self._asking = Asking(kiitos)
        self._next_look = 0.0
        self._size = SEND_FIRST
        self._turn = turns.Turn()
        self._tick_began = 0.0
        self._store = kiitos.store
        self._clock = kiitos.clock

    def act(self, only: frozenset[str] = frozenset()) -> int:
        """Carry out a batch of due effects, `SEND` at most, of all shops or of some only; how many were looked at."""
        if self._clock.monotonic() >= self._next_look:
            self._next_look = self._clock.monotonic() + LOOK_AFTER
            settle_left_behind(self._kiitos, self._ledger)
        now, size = self._clock.now(), min(self._size, SEND)
        with self._store.work.read() as tx:
            waiting = [one for one in effects.due(tx, now, size, self._turn) if not only or one.shop_id in only]
            lost = effects.expired(tx, now, SEND)
        if not waiting and not lost:
            return 0
        self._tick_began = self._fresh.begin()
        admitted = self._bringing.bring(waiting, self._admit(waiting, now), now)
        try:
            prepared = self._prepare(admitted, now)
            self._ledger.depart()
            self._carry_out(prepared, now)
        except BaseException:
            # What became of the batch stands in the ledger; the next tick reads it there.
            self._ledger.abandon()
            self._next_look = 0.0
            raise
        self._ledger.clear()
        self._turn.pass_on()
        self._pace(self._clock.monotonic() - self._tick_began)
        return max(len(waiting) + len(lost), 1)

    def _pace(self, took: float) -> None:
        """Choose the next batch's size by the seconds this one took."""
        most = fitting(self._kiitos, SEND)
        self._size = max(self._size // 2, SEND_LEAST) if took > IN_DOUBT else min(self._size * 2, most)

    def _admit(self, waiting: Sequence[Effect], now: datetime) -> frozenset[tuple[str, str]]:
        """Which effects may be prepared now. What needs no look at the platform goes first and never waits for it."""
        known = [effect for effect in waiting if self._known(effect, now)]
        urgent = [effect for effect in known if not self._fresh.needed(effect)]
        chosen = urgent or [effect for effect in known if self._fresh.done(effect, known, now)]
        settled = self._asking.ask([effect for effect in chosen if effect.tainted], now, self._tick_began + LOOK_BUDGET)
        return frozenset((effect.shop_id, effect.id) for effect in chosen) - settled

    def _known(self, effect: Effect, now: datetime) -> bool:
        """A shop missing from the configuration keeps what is its own until it is back."""
        if self._kiitos.catalog.knows(effect.shop_id):
            return True
        self._fresh.defer([effect], now + ASK_AGAIN, "shop_not_configured")
        return False

    def _prepare(self, admitted: frozenset[tuple[str, str]], now: datetime) -> list[Prepared]:
        try:
            return again_if_moved(lambda: self._prepare_batch(admitted, now))
        except StoreUnavailable:
            raise
        except Exception as error:
            # One effect spoils the batch: each is then prepared alone, and the one that cannot be is set aside.
            log.exception("effects_failed_together", error)
            return [ready for one in sorted(admitted) for ready in self._prepare_alone(one, now)]

    def _prepare_batch(self, admitted: frozenset[tuple[str, str]], now: datetime) -> list[Prepared]:
        with self._store.work.transaction() as tx:
            for effect in sift(self._kiitos, tx, effects.expired(tx, now, SEND), now):
                self._kiitos.outbox.expired(tx, effect, now, repeatable_for(self._kiitos, tx, effect))
            due = effects.due(tx, now, min(self._size, SEND), self._turn)
            due = sift(self._kiitos, tx, [one for one in due if (one.shop_id, one.id) in admitted], now)
            waiting = self._kiitos.outbox.in_order(due)
            self._kiitos.outbox.foresee(tx, waiting)
            prepared: list[Prepared] = []
            for number, effect in enumerate(waiting):
                if number and number % PIECE == 0 and self._makes_way(tx):
                    break  # the rest is as due as it was
                ready = prepare_one(self._kiitos, self._traces, tx, effect, now)
                prepared += [ready] if ready is not None else []
            for ready in prepared:
                self._bringing.note(tx, ready.effect)
            self._ledger.begin(attempt_of(self._kiitos.salt, item, now) for item in prepared)
        return prepared

    def _prepare_alone(self, one: tuple[str, str], now: datetime) -> list[Prepared]:
        try:
            return again_if_moved(lambda: self._prepare_batch(frozenset([one]), now))
        except StoreUnavailable:
            raise
        except ConfigError as error:
            log.error("effect_parked", shop_id=one[0], effect_id=one[1], code=error.code)
            with self._store.work.transaction() as tx:
                effects.defer(tx, *one, now + ASK_AGAIN, "not_configured")
        except Exception as error:
            log.exception("effect_not_prepared", error, shop_id=one[0], effect_id=one[1])
            with self._store.work.transaction() as tx:
                effect = effects.get(tx, *one)
                if effect is not None:
                    self._kiitos.outbox.strand(tx, effect, now)
        return []

    def _carry_out(self, prepared: Sequence[Prepared], began: datetime) -> None:
        """Act on what was prepared. Half the lease is the limit: after its end others would do it too."""
        limit = began + LEASE / 2
        self.tallies.begun([item.effect for item in prepared], began)
        self._send([item for item in prepared if item.by_channel], limit)
        for item in prepared:
            if not item.by_channel and self._clock.now() < limit:
                self._perform(item)
            elif not item.by_channel:
                self._put_back([item])

    def _put_back(self, items: Sequence[Prepared]) -> None:
        """What was begun and certainly not done, because time ran out, is due again at once."""
        with self._store.work.transaction() as tx:
            for item in items:
                self._kiitos.outbox.unsent(tx, item.effect, self._clock.now())

    def _send(self, prepared: Sequence[Prepared], limit: datetime) -> None:
        """Hand messages to their channels and record the outcomes together."""
        by_channel: dict[int, tuple[Channel, list[Prepared]]] = {}
        for item in prepared:
            assert item.message is not None
            settings = self._kiitos.catalog.settings(item.effect.shop_id)
            channel = self._kiitos.channels.of(settings, item.message, item.provider)
            by_channel.setdefault(id(channel), (channel, []))[1].append(item)
        for channel, items in by_channel.values():
            handed: list[Prepared] = []
            outcomes = self._outcomes(channel, self._within(items, limit, handed))
            if handed:
                self.tallies.sent([(one.effect, outcome_of(one, outcomes)) for one in handed], channel.name)
                self._store_outcomes(handed, outcomes, channel.idempotent_for, self._clock.now())
            if len(handed) < len(items):
                self._put_back(items[len(handed) :])

    def _within(self, items: Sequence[Prepared], limit: datetime, handed: list[Prepared]) -> Iterator[Message]:
        """The messages to send while there is time; those taken are noted in `handed`."""
        for item in items:
            if self._clock.now() >= limit or item.message is None:
                return
            handed.append(item)
            self._traces.handed(item, item.provider)
            yield addressed(self._kiitos, item.message)

    def _outcomes(self, channel: Channel, messages: Iterator[Message]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        try:
            for outcome in self._hand_over(channel, messages):
                outcomes[outcome.key] = outcome
                self._traces.ended(outcome)
                if isinstance(outcome, Accepted):
                    self._ledger.accepted(outcome.key)
                elif not isinstance(outcome, Unknown):
                    self._ledger.refused(outcome.key)
        except Exception as error:
            # A channel promises not to raise; one that does leaves outcomes nobody knows, which is what is recorded.
            log.exception("channel_failed", error, channel=channel.name)
        return outcomes

    def _hand_over(self, channel: Channel, messages: Iterator[Message]) -> Iterator[Outcome]:
        if channel.marks_wire:
            return channel.send_all(messages, self._ledger.on_wire)
        return channel.send_all(self._marked(messages))

    def _marked(self, messages: Iterator[Message]) -> Iterator[Message]:
        """For a channel that will not say when a message leaves: each may have, once it was handed over."""
        for message in messages:
            self._ledger.on_wire(message.key)
            yield message

    def _store_outcomes(
        self, items: Sequence[Prepared], outcomes: dict[str, Outcome], window: float, now: datetime
    ) -> None:
        unmoved = [item.run for item in items if item.run is not None]
        try:
            again_if_moved(lambda: self._record(items, outcomes, window, now, unmoved))
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(items) > 1:
                for item in items:
                    self._store_outcomes([item], outcomes, window, now)
                return
            # It was sent (or refused) all the same: that must be known, even if its run cannot go on.
            effect = items[0].effect
            log.exception("outcome_not_recorded", error, shop_id=effect.shop_id, effect_id=effect.id)
            with self._store.work.transaction() as tx:
                self._kiitos.outbox.strand(tx, effect, now, outcome_of(items[0], outcomes))

    def _record(
        self, items: Sequence[Prepared], outcomes: dict[str, Outcome], window: float, now: datetime, unmoved: list[Run]
    ) -> None:
        with self._store.work.transaction() as tx:
            while unmoved:  # as far as we know: when one did move, the transaction is taken again, and reads them
                runs.know(tx, unmoved.pop())
            told = [(item, outcome_of(item, outcomes)) for item in items]
            self._kiitos.outbox.learn(tx, told, now)
            for item, outcome in told:
                self._kiitos.outbox.record(tx, item, outcome, now, window)
                forget_gone(tx, item.effect.shop_id, outcome)

    def _perform(self, item: Prepared) -> None:
        """Carry out what the platform or an endpoint is asked for, and record it."""
        effect = item.effect
        settings = self._kiitos.catalog.settings(effect.shop_id)
        done = Performed()
        failure: KiitosError | None = None
        try:
            if effect.kind == CALL:
                self._ledger.on_wire(item.key)
                done = call(self._kiitos, item)
            else:
                adapter = self._kiitos.registry.platform(settings.shop.platform)
                access = self._kiitos.access(settings)  # may renew the credentials: the effect is not begun yet
                self._ledger.on_wire(item.key)
                done = perform(self._kiitos, item, adapter, access)
        except KiitosError as error:
            failure = error
        except Exception as error:
            # An adapter promises our errors only; what else it raises is its bug, and nobody knows what it did.
            log.exception("platform_effect_failed", error, shop_id=effect.shop_id, effect_id=effect.id)
            failure = Transient("an error of ours or the adapter's; see the log", maybe_done=True)
        self.tallies.performed(effect, CALL if effect.kind == CALL else settings.shop.platform, failure)
        if failure is None or not _may_be_done(failure):
            self._ledger.performed(item.key, done=failure is None)
        again_if_moved(lambda: self._store_performed(item, done, failure))

    def _store_performed(self, item: Prepared, done: Performed, failure: KiitosError | None) -> None:
        effect, now, outbox = item.effect, self._clock.now(), self._kiitos.outbox
        with self._store.work.transaction() as tx:
            if failure is None:
                if effect.kind != CALL:
                    reconnect(tx, effect.shop_id, now)
                if done.events:
                    self._kiitos.runner.ingest(tx, effect.shop_id, done.events, now)
                self._kiitos.runner.performed(tx, item.run, effect, done.values, now)
                outbox.done(tx, effect, now, done.values)
            elif isinstance(failure, AuthExpired):
                disconnect(tx, effect.shop_id, failure, now)
                reason = f"{HELD}: {failure.message}"
                effects.retry(tx, effect.shop_id, effect.id, now, now + RECONNECT, reason)
            elif isinstance(failure, Transient) and _may_be_done(failure):
                outbox.unknown(tx, effect, now, failure.message, 0.0)
            elif isinstance(failure, Transient):
                outbox.again(tx, effect, now, failure.message, failure.retry_after)
            elif isinstance(failure, Refused) and _may_be_done(failure):
                outbox.doubtful(tx, effect, now, failure)
            else:
                outbox.error(tx, effect, now, failure)


def _may_be_done(failure: KiitosError) -> bool:
    """Whether the platform may have done it all the same."""
    if isinstance(failure, Transient):
        return failure.maybe_done
    return isinstance(failure, Refused) and failure.provider_code == DOUBTFUL
