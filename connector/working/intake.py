"""Turning deliveries into events and letting sleeping runs go on: what the worker does before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from connector import telling, tracing
from connector.app import Kiitos
from connector.claims import LOOK_AFTER, Claims
from connector.codec import decode
from connector.contracts import Verified
from connector.contracts.channel_events import HOOK_PREFIX, ChannelEvent
from connector.errors import ConfigError, MalformedPayload, Refused, StoreCollision, StoreUnavailable, Transient
from connector.log import get_log
from connector.model import Event, Run
from connector.store import deliveries, privacy, runs
from connector.store.channel_events import account_of
from connector.store.db import Tx
from connector.store.deliveries import Claimed, Finished
from connector.store.inbox import Delivery
from connector.store.turns import Turn
from connector.working.hearing import EARLY, UNKNOWN_CHANNEL, Hearing
from flows.people.forgetting import without_forgotten
from flows.runner import RunMoved

log = get_log("intake")

INTAKE = 100
"""Deliveries claimed at once."""
WAKE = 100
"""Runs woken at once, where they are no crowd."""
CROWD = 400
"""The most of a crowd: a commit that reaches the disk costs as much as waking fifty (docs/performance.md)."""
CROWD_FOR = 0.1
"""Seconds a batch of a crowd may take, for whoever else writes waits for its end: the next is smaller."""
SEVERAL = 25
"""The most a batch holds where several shops share a worker: an order waits for the batch under way (50 ms of work
instead of 200), and a message costs no more (docs/performance.md, Shops take turns)."""
PIECE = 5
"""Items of a batch between two looks for another shop that has come: what a round does at least for those with many."""
FIRST = 500
"""Runs with order messages picked out of a crowd at once: finding them passes over all that is due."""
LEASE = timedelta(seconds=30)
MAX_ATTEMPTS = 5
MEETINGS = 5
"""How often a transaction is taken again because another signal of the same run came first."""
UNKNOWN_SHOP = "SHOP_NOT_CONFIGURED"
PARK = timedelta(minutes=15)
"""How long what the configuration does not know waits before it is looked at again."""

T = TypeVar("T")


def again_if_moved(work: Callable[[], T]) -> T:
    """Take a transaction again when it met another. Raises `RunMoved` or `StoreCollision` when they always meet."""
    for _ in range(MEETINGS - 1):
        try:
            return work()
        except (RunMoved, StoreCollision):
            continue
    return work()


def fitting(kiitos: Kiitos, most: int) -> int:
    """How many items a batch holds that may hold `most`."""
    return most if len(kiitos.config.shops) < 2 else min(most, SEVERAL)


def order_flows(kiitos: Kiitos, shop_ids: Iterable[str]) -> list[str]:
    """The flows of these shops whose messages are about orders, not advertising: those that go first in a crowd."""
    every = (flow for shop_id in shop_ids for flow in kiitos.catalog.flows(shop_id))
    return sorted({flow.id for flow in every if not flow.purpose.needs_consent})


@dataclass(frozen=True, slots=True)
class _Read:
    """A delivery and what it tells, or how it `ended` unread, or what is wrong with it (code, text).

    `heard` is what a channel's provider told of messages; `again` that it will be looked at once more if it must.
    """

    delivery: Delivery
    events: Sequence[Event]
    ended: Finished | None = None
    fault: tuple[str, str] | None = None
    heard: Sequence[ChannelEvent] | None = None
    again: bool = False


class Intake:
    """One worker's way in. A batch shares a transaction; what spoils one is then taken alone."""

    def __init__(self, kiitos: Kiitos, claims: Claims | None = None) -> None:
        self._kiitos = kiitos
        self.claims = claims or Claims()
        self._next_look = float("-inf")
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._hearing = Hearing(kiitos)
        self._welcomed = False
        self._deliveries_turn, self._runs_turn = Turn(few_first=True), Turn()
        self._crowd = WAKE

    def take_in(self) -> int:
        """Claim deliveries and turn them into events (T2, T3); how many. A suspect (claimed before) goes alone."""
        if not self._welcomed:
            self._welcome_back()
        now = self._clock.now()
        if self._clock.monotonic() >= self._next_look:
            self._next_look = self._clock.monotonic() + LOOK_AFTER
            self.claims.release(self._store, now)
        claimed = deliveries.claim(self._store, now, fitting(self._kiitos, INTAKE), LEASE, self._deliveries_turn)
        fresh = [item for item in claimed if not item.alone]
        if fresh:
            self.claims.begin(claimed, now + LEASE)
            self._take_in_batch(fresh)
            self.claims.clear()
        for suspect in claimed:
            if suspect.alone and suspect.attempts > MAX_ATTEMPTS:
                self._give_back(suspect, "WORKER_DIED", f"{MAX_ATTEMPTS} workers began with it and none came back")
            elif suspect.alone:
                self._take_in_batch([suspect])
        return len(claimed)

    @property
    def few(self) -> frozenset[str]:
        """The shops the last batch was for, where those with few went before the others' crowd: empty otherwise."""
        return self._deliveries_turn.few

    def makes_way(self, tx: Tx) -> bool:
        """Whether a shop has come that need not wait for the batch under way, which is one of shops with many."""
        many = self._deliveries_turn.many
        if len(self._kiitos.config.shops) < 2:
            return False
        return bool(many) and deliveries.newcomer(self._store, tx, self._clock.now(), many)

    def look_again(self) -> None:
        """The configuration has changed: what waited for a shop to come is due."""
        self._welcomed = False

    def _welcome_back(self) -> None:
        """Deliveries that came while their shop was missing from the configuration are due again: it is there now."""
        with self._store.work.transaction() as tx:
            for shop_id in self._kiitos.config.shops:
                deliveries.replay_all(tx, shop_id, UNKNOWN_SHOP, self._clock.now())
            for channel in self._kiitos.config.channels:
                deliveries.replay_all(tx, account_of(channel), UNKNOWN_CHANNEL, self._clock.now())
        self._welcomed = True

    def _take_in_batch(self, batch: Sequence[Claimed]) -> None:
        try:
            read = [self._read(item) for item in batch]
            again_if_moved(lambda: self._together(read))
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(batch) > 1:
                self._take_in_apart(batch)
            elif isinstance(error, Transient):  # a subscription could not be confirmed
                self._give_back(batch[0], error.code, error.message)
            else:
                shop_id, delivery_id = batch[0].delivery.shop_id, batch[0].delivery.id
                log.exception("delivery_failed", error, shop_id=shop_id, delivery_id=delivery_id)
                self._give_back(batch[0], "INTERNAL", "an error of ours; see the log")

    def _take_in_apart(self, batch: Sequence[Claimed]) -> None:
        """One delivery spoils the batch: its neighbours must not pay for it, and it must not be lost. So the batch is
        taken once more, each delivery undone by itself where it fails; what failed is then taken alone."""
        failed: dict[int, Claimed] = {}
        read: list[tuple[Claimed, _Read]] = []
        for item in batch:
            try:
                read.append((item, self._read(item)))
            except Exception:  # noqa: BLE001 - told when it is taken alone
                failed[item.delivery.id] = item
        try:
            failed |= again_if_moved(lambda: self._each(read))
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("deliveries_failed_together", error)
            failed = {item.delivery.id: item for item in batch}
        for item in failed.values():
            self._take_in_batch([item])

    def _each(self, batch: Sequence[tuple[Claimed, _Read]]) -> dict[int, Claimed]:
        """Take each in, in one transaction; those that failed, by id, of which nothing is left."""
        now, failed, finished = self._clock.now(), {}, []
        with self._store.work.transaction() as tx:
            for item, read in batch:
                try:
                    with tx.savepoint():
                        done = self._take_in_one(tx, read, now)
                except (StoreUnavailable, RunMoved):
                    raise
                except Exception:  # noqa: BLE001 - told when it is taken alone
                    failed[item.delivery.id] = item
                else:
                    finished += [done] if done is not None else []
            deliveries.finish_many(tx, finished, now)
        return failed

    def _read(self, item: Claimed) -> _Read:
        """What a delivery says. Outside the transaction, which holds others up."""
        delivery = item.delivery
        if delivery.quarantine:
            return _Read(delivery, (), Finished(delivery.shop_id, delivery.id, "quarantined", delivery.quarantine))
        if delivery.platform.startswith(HOOK_PREFIX):
            return self._read_channel(item)
        if not self._kiitos.catalog.knows(delivery.shop_id):
            text = "the shop is not in app.toml; put it back and restart, or connect it: this is taken again"
            return _Read(delivery, (), fault=(UNKNOWN_SHOP, text))
        adapter = self._kiitos.registry.platform(delivery.platform)
        shop = self._kiitos.catalog.settings(delivery.shop_id).shop
        try:
            verified = decode(delivery.headers["verified"], Verified)
            with tracing.span(
                "normalise", delivery.headers.get(tracing.HEADER, ""), shop=shop.id, topic=delivery.topic
            ):
                events = adapter.normalise(verified, delivery.body, shop)
            if delivery.platform == telling.PLATFORM:
                events = [telling.check_event(event, self._kiitos.config.events) for event in events]
            return _Read(delivery, events)
        except MalformedPayload as error:
            return _Read(delivery, (), fault=(error.code, error.message))

    def _read_channel(self, item: Claimed) -> _Read:
        delivery = item.delivery
        if not self._hearing.knows(delivery):
            text = "the channel is not in app.toml; put it back and restart: this is taken again"
            return _Read(delivery, (), fault=(UNKNOWN_CHANNEL, text))
        try:
            return _Read(delivery, (), heard=self._hearing.read(delivery), again=item.attempts == 1)
        except (MalformedPayload, ConfigError, Refused) as error:
            return _Read(delivery, (), fault=(error.code, error.message))

    def _together(self, batch: Sequence[_Read]) -> None:
        """Take a batch in, or as much of it as there is time for when another shop comes: the rest is new again."""
        now = self._clock.now()
        by_shop: dict[str, list[Event]] = {}
        for item in batch:
            if item.events:
                by_shop.setdefault(item.delivery.shop_id, []).extend(item.events)
        with self._store.work.transaction() as tx:
            for shop_id, events in sorted(by_shop.items()):
                self._kiitos.runner.foresee(tx, shop_id, events)
            finished: list[Finished] = []
            for number, item in enumerate(batch):
                if number and number % PIECE == 0 and self.makes_way(tx):
                    rest = [(each.delivery.shop_id, each.delivery.id) for each in batch[number:]]
                    deliveries.give_back(tx, rest)
                    break
                finished += [done] if (done := self._take_in_one(tx, item, now)) is not None else []
            deliveries.finish_many(tx, finished, now)

    def _take_in_one(self, tx: Tx, item: _Read, now: datetime) -> Finished | None:
        """One delivery; how it ended, or `None` where that is stored already."""
        delivery = item.delivery
        if item.fault is not None:
            deliveries.fail(tx, delivery.shop_id, delivery.id, now, *item.fault, None)
            return None
        if item.ended is not None:
            return item.ended
        if item.heard is not None:
            return self._hear(tx, item, item.heard, now)
        if without_forgotten(tx, self._kiitos.salt, delivery.shop_id, item.events) is None:
            privacy.late(tx, delivery.shop_id, now)
            return Finished(delivery.shop_id, delivery.id, "ignored", deliveries.ERASED)
        with tracing.span("run", delivery.headers.get(tracing.HEADER, ""), shop=delivery.shop_id):
            count = self._kiitos.runner.ingest(tx, delivery.shop_id, item.events, now, delivery.id)
        return Finished(delivery.shop_id, delivery.id, "done" if item.events else "ignored", f"{count} new")

    def _hear(self, tx: Tx, item: _Read, heard: Sequence[ChannelEvent], now: datetime) -> Finished | None:
        """What a channel's provider told. One that finds no message may be early: it is looked at once more."""
        delivery = item.delivery
        found = self._hearing.take_in(tx, delivery, heard, now, last=not item.again)
        matched, unmatched = found.matched, found.unmatched
        if found.forgotten:
            privacy.late(tx, delivery.shop_id, now)
            return Finished(delivery.shop_id, delivery.id, "ignored", deliveries.ERASED)
        if unmatched and item.again:
            text = "its message is not known (yet); it is looked at once more"
            deliveries.fail(tx, delivery.shop_id, delivery.id, now, "EARLY", text, now + EARLY)
            return None
        note = f"{matched} of messages, {unmatched} unknown" if unmatched else f"{matched} of messages"
        return Finished(delivery.shop_id, delivery.id, "done" if heard else "ignored", note)

    def _give_back(self, item: Claimed, code: str, text: str) -> None:
        now = self._clock.now()
        later = None if item.attempts >= MAX_ATTEMPTS else now + timedelta(seconds=2**item.attempts)
        with self._store.work.transaction() as tx:
            deliveries.fail(tx, item.delivery.shop_id, item.delivery.id, now, code, text, later)

    def wake(self) -> int:
        """Let sleeping runs whose time has come go on; how many."""
        began, limit = self._clock.monotonic(), self._crowd
        self._crowd = WAKE
        try:
            woken = again_if_moved(lambda: self._wake(limit))
        except StoreUnavailable:
            raise
        except Exception as error:
            # One run spoils the batch: the others are woken one by one, and it is set aside with the reason kept.
            log.exception("runs_failed_together", error)
            return self._wake_each()
        if woken >= limit:
            took = self._clock.monotonic() - began
            fits = limit * 2 if took < CROWD_FOR / 2 else limit if took < CROWD_FOR else limit // 2
            self._crowd = min(max(fits, WAKE), CROWD)
        return woken

    def _wake(self, limit: int) -> int:
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            due = runs.due(tx, now, limit, self._runs_turn)
            self._kiitos.runner.foresee_due(tx, [run for run in due if self._kiitos.catalog.knows(run.shop_id)])
            for run in due:
                if self._kiitos.catalog.knows(run.shop_id):
                    self._kiitos.runner.wake(tx, run, now)
                else:
                    runs.save(tx, replace(run, wake_at=now + PARK))
        self._runs_turn.pass_on()
        return len(due)

    def wake_first(self) -> int:
        """In a crowd: let runs of flows with order messages go on before all others, `FIRST` at most; how many.

        What cannot go on is left to `wake`, which finds it and sets it aside.
        """
        flows = order_flows(self._kiitos, self._kiitos.config.shops)
        try:
            return again_if_moved(lambda: self._wake_in(flows))
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("runs_failed_together", error)
            return 0

    def _wake_in(self, flows: Sequence[str]) -> int:
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            due = [run for run in runs.due_in(tx, flows, now, FIRST) if self._kiitos.catalog.knows(run.shop_id)]
            self._kiitos.runner.foresee_due(tx, due)
            for run in due:
                self._kiitos.runner.wake(tx, run, now)
        return len(due)

    def _wake_each(self) -> int:
        with self._store.work.read() as tx:
            due = runs.due(tx, self._clock.now(), WAKE, self._runs_turn)
        for run in due:
            try:
                again_if_moved(lambda run=run: self._wake_one(run))  # type: ignore[misc]
            except StoreUnavailable:
                raise
            except ConfigError as error:
                # A step type or a flow's version is not there: nobody's run may be lost over a missing plug-in.
                log.error("run_parked", shop_id=run.shop_id, run_id=run.id, code=error.code)
                with self._store.work.transaction() as tx:
                    runs.save(tx, replace(run, wake_at=self._clock.now() + PARK))
            except Exception as error:
                log.exception("run_failed", error, shop_id=run.shop_id, run_id=run.id)
                with self._store.work.transaction() as tx:
                    self._kiitos.runner.strand(tx, run.shop_id, run.id, self._clock.now())
        return len(due)

    def _wake_one(self, run: Run) -> None:
        with self._store.work.transaction() as tx:
            found = runs.get(tx, run.shop_id, run.id)
            if found is not None and found.rev == run.rev and self._kiitos.catalog.knows(run.shop_id):
                self._kiitos.runner.wake(tx, found, self._clock.now())
