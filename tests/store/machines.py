"""Models of inbox, outbox and runs: what a person would keep on paper, beside the store, for any order of calls.

Hypothesis chooses the calls and shortens what it finds. The models know nothing of SQL: a dictionary, a clock, and the
sentences of the modules' docstrings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connector.errors import StoreCollision
from connector.model import Effect, EffectStatus, Purpose, Run, RunStatus
from connector.store import Store, deliveries, effects, inbox, runs
from connector.store.effects import Beginning
from tests.store.examples import NOW, SHOP, delivery, effect, run

LEASE = timedelta(minutes=5)
names = st.sampled_from(("a", "b", "c"))
few = st.sampled_from(("a", "b"))
"""Two, so that the same one is met again and again."""
minutes = st.integers(-3, 12).map(lambda count: timedelta(minutes=count))


class Machine(RuleBasedStateMachine):
    """A store that is emptied before each run of calls, and a clock."""

    store: ClassVar[Store]
    tables: ClassVar[tuple[str, ...]] = ()
    logs: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        with self.store.work.transaction() as tx:
            for table in self.tables:
                tx.script(f"DELETE FROM {table}")
        with self.store.inbox.transaction() as tx:
            for table in self.logs:
                tx.script(f"DELETE FROM {table}")

    @rule(by=st.integers(1, 12))
    def time_passes(self, by: int) -> None:
        self.now += timedelta(minutes=by)


@dataclass
class Waiting:
    """A delivery on paper. `due` is when it may be taken; `None` once it has ended."""

    id: int
    status: str
    attempts: int
    due: datetime | None


class InboxMachine(Machine):
    """Deliveries: each is stored once, taken by one at a time, and ends once."""

    tables = ("delivery_progress",)
    logs = ("inbox",)

    def __init__(self) -> None:
        super().__init__()
        self.paper: dict[int, Waiting] = {}
        self.keys: dict[str, int] = {}
        self.taken: dict[int, int] = {}

    def _last(self) -> int:
        with self.store.inbox.read() as tx:
            return inbox.last_id(tx)

    @rule(fresh=st.booleans(), spoiled=st.booleans())
    def arrives(self, fresh: bool, spoiled: bool) -> None:
        """A new delivery, or one that came before."""
        known = not fresh and self.keys
        key = next(reversed(self.keys)) if known else f"delivery-{len(self.keys)}"
        before = self._last()
        with self.store.inbox.transaction() as tx:
            inbox.put_many(tx, [delivery(key, quarantine="a copy" if spoiled and not known else "")])
        after = self._last()
        if known:
            assert after == before, "a repeated delivery was stored again"
            return
        self.keys[key] = after
        self.paper[after] = Waiting(after, "quarantined" if spoiled else "new", 0, None if spoiled else NOW)

    @rule(limit=st.integers(1, 4))
    def is_claimed(self, limit: int) -> None:
        claimed = deliveries.claim(self.store, self.now, limit, LEASE)
        ids = [item.delivery.id for item in claimed]
        assert len(set(ids)) == len(ids) <= limit
        ready = {one.id for one in self.paper.values() if one.due is not None and one.due <= self.now}
        assert set(ids) <= ready, "what is not due, or is another's, was claimed"
        suspects = [item for item in claimed if item.alone]
        left = [one for one in self.paper.values() if one.id in ready and one.attempts]
        assert len(suspects) == min(len(left), 1), "what was left or failed was not taken up again, one at a time"
        never_tried = [one for one in self.paper.values() if one.id in ready and one.attempts == 0]
        if len(claimed) < limit:
            assert {one.id for one in never_tried} <= set(ids), "something due was left though there was room"
        for item in claimed:
            one = self.paper[item.delivery.id]
            one.status, one.attempts, one.due = "leased", one.attempts + 1, self.now + LEASE
            assert item.attempts == one.attempts
            self.taken[one.id] = one.attempts

    def _mine(self, number: int) -> Waiting | None:
        """One that is leased just now."""
        leased = [one for one in self.paper.values() if one.status == "leased"]
        return leased[number % len(leased)] if leased else None

    @rule(number=st.integers(0, 9), ended=st.sampled_from(["done", "ignored"]))
    def is_finished(self, number: int, ended: str) -> None:
        if (one := self._mine(number)) is not None:
            with self.store.work.transaction() as tx:
                deliveries.finish(tx, SHOP, one.id, self.now, ended)
            one.status, one.due = ended, None

    @rule(number=st.integers(0, 9), later=st.none() | minutes)
    def fails(self, number: int, later: timedelta | None) -> None:
        if (one := self._mine(number)) is not None:
            due = None if later is None else self.now + later
            with self.store.work.transaction() as tx:
                deliveries.fail(tx, SHOP, one.id, self.now, "BAD", "no", due)
            one.status, one.due = ("failed" if due is None else "new"), due

    @rule(number=st.integers(0, 9))
    def is_replayed(self, number: int) -> None:
        met = [one for one in self.paper.values() if one.attempts or one.status == "quarantined"]
        if not met:
            return
        one = met[number % len(met)]
        with self.store.work.transaction() as tx:
            known = deliveries.status_of(tx, [one.id])
            replayed = deliveries.replay(tx, SHOP, one.id, self.now)
        assert replayed == (one.id in known and one.status != "leased")
        if replayed:
            one.status, one.attempts, one.due = "new", 0, self.now

    @invariant()
    def agrees(self) -> None:
        with self.store.work.read() as tx:
            known = deliveries.status_of(tx, list(self.paper))
        for one in self.paper.values():
            # What no worker has met has no row yet on SQLite.
            assert known.get(one.id, one.status) == one.status
            if one.attempts:
                assert one.id in known


class OutboxMachine(Machine):
    """Effects: nothing sent is undone, no taint is cleared, and what is due is exactly what the paper says."""

    tables = ("effect_contents", "effects")

    def __init__(self) -> None:
        super().__init__()
        self.paper: dict[str, Effect] = {}

    @initialize(due=minutes)
    def begins(self, due: timedelta) -> None:
        for name in ("a", "b"):
            self.is_queued(name, name == "a", due)

    @rule(name=few, receipt=st.booleans(), due=minutes)
    def is_queued(self, name: str, receipt: bool, due: timedelta) -> None:
        purpose = Purpose.TRANSACTIONAL if receipt else Purpose.REVIEW
        one = effect(name, purpose=purpose, due_at=self.now + due, created_at=self.now)
        with self.store.work.transaction() as tx:
            fresh = effects.put(tx, one)
        assert fresh == (name not in self.paper), "an effect was queued twice"
        self.paper.setdefault(name, one)

    @rule(name=few)
    def is_begun(self, name: str) -> None:
        until = self.now + LEASE
        with self.store.work.transaction() as tx:
            begun = effects.begin(tx, SHOP, name, self.now, until, "aino@example.test", content=f"{self.now}".encode())
        known = self.paper.get(name)
        assert begun == (known is not None and known.status is EffectStatus.PENDING)
        if begun and known is not None:
            self.paper[name] = replace(
                known,
                status=EffectStatus.SENDING,
                attempts=known.attempts + 1,
                lease_until=until,
                first_try_at=known.first_try_at or self.now,
            )

    @rule(name=few)
    def is_taken(self, name: str) -> None:
        """`take` promises that it was pending, or undoes everything."""
        known = self.paper.get(name)
        pending = known is not None and known.status is EffectStatus.PENDING
        try:
            with self.store.work.transaction() as tx:
                effects.take(tx, Beginning(SHOP, name, self.now, self.now + LEASE))
        except StoreCollision:
            assert not pending
            return
        assert pending
        assert known is not None
        self.paper[name] = replace(
            known,
            status=EffectStatus.SENDING,
            attempts=known.attempts + 1,
            lease_until=self.now + LEASE,
            first_try_at=known.first_try_at or self.now,
        )

    @rule(name=few, due=minutes, unknown=st.booleans())
    def is_tried_again(self, name: str, due: timedelta, unknown: bool) -> None:
        with self.store.work.transaction() as tx:
            effects.retry(tx, SHOP, name, self.now, self.now + due, "later", tainted=True if unknown else None)
        known = self.paper.get(name)
        if known is not None and known.status is not EffectStatus.SENT:
            self.paper[name] = replace(
                known,
                status=EffectStatus.PENDING,
                due_at=self.now + due,
                lease_until=None,
                tainted=known.tainted or unknown,
            )

    @rule(name=few, due=minutes)
    def is_put_off(self, name: str, due: timedelta) -> None:
        with self.store.work.transaction() as tx:
            effects.defer(tx, SHOP, name, self.now + due, "quiet hours")
        known = self.paper.get(name)
        if known is not None and known.status is EffectStatus.PENDING and known.due_at <= self.now + due:
            self.paper[name] = replace(known, due_at=self.now + due)

    @rule(name=few, status=st.sampled_from([EffectStatus.SENT, EffectStatus.FAILED, EffectStatus.UNCERTAIN]))
    def is_settled(self, name: str, status: EffectStatus) -> None:
        with self.store.work.transaction() as tx:
            effects.settle(tx, SHOP, name, self.now, status)
        known = self.paper.get(name)
        if known is not None and known.status is not EffectStatus.SENT:
            tainted = known.tainted or status is EffectStatus.UNCERTAIN
            self.paper[name] = replace(known, status=status, lease_until=None, tainted=tainted)

    @rule(name=few)
    def is_reopened(self, name: str) -> None:
        with self.store.work.transaction() as tx:
            opened = effects.reopen(tx, SHOP, name, self.now)
        known = self.paper.get(name)
        open_to_it = known is not None and known.status in (EffectStatus.FAILED, EffectStatus.UNCERTAIN)
        assert opened == open_to_it
        if opened and known is not None:
            self.paper[name] = replace(known, status=EffectStatus.PENDING, due_at=self.now)

    @invariant()
    def agrees(self) -> None:
        waiting = [one for one in self.paper.values() if one.status is EffectStatus.PENDING]
        ready = [one for one in waiting if one.due_at <= self.now]
        sending = [one.lease_until for one in self.paper.values() if one.status is EffectStatus.SENDING]
        with self.store.work.read() as tx:
            due = effects.due(tx, self.now, 10)
            lost = effects.expired(tx, self.now, 10)
            following = effects.next_due(tx)
            stored = {name: effects.get(tx, SHOP, name) for name in self.paper}
        assert [one.purpose is Purpose.TRANSACTIONAL for one in due] == sorted(
            (one.purpose is Purpose.TRANSACTIONAL for one in ready), reverse=True
        ), "receipts do not come first"
        assert {one.id for one in due} == {one.id for one in ready}
        assert len(lost) == sum(until is not None and until <= self.now for until in sending)
        assert following == min([*(one.due_at for one in waiting), *filter(None, sending)], default=None)
        for name, one in self.paper.items():
            kept: Any = stored[name]
            assert (kept.status, kept.attempts, kept.tainted, kept.first_try_at) == (
                one.status,
                one.attempts,
                one.tainted,
                one.first_try_at,
            )


class RunsMachine(Machine):
    """Runs: one an entry key, moved by whoever saw its newest state, woken when due and never otherwise."""

    tables = ("journal", "runs")

    def __init__(self) -> None:
        super().__init__()
        self.paper: dict[str, Run] = {}
        self.seen: list[Run] = []

    @initialize(order=st.sampled_from(["501", "502"]))
    def begins(self, order: str) -> None:
        for name in ("a", "b"):
            self.enters(name, name, order)
            self.is_read(name)

    @rule(name=names, key=names, order=st.sampled_from(["501", "502"]))
    def enters(self, name: str, key: str, order: str) -> None:
        one = run(name, entry_key=key, order_id=order, subject_id=order, created_at=self.now, wake_at=None)
        with self.store.work.transaction() as tx:
            fresh = runs.start(tx, one)
        taken = any(other.entry_key == key for other in self.paper.values()) or name in self.paper
        assert fresh != taken, "two runs under one entry key"
        if fresh:
            self.paper[name] = one

    @rule(name=names)
    def is_read(self, name: str) -> None:
        """Somebody looks at a run, and may move it much later."""
        with self.store.work.read() as tx:
            found = runs.get(tx, SHOP, name)
        assert (found is None) == (name not in self.paper)
        if found is not None:
            self.seen.append(found)

    @rule(
        number=st.integers(0, 9),
        status=st.sampled_from(list(RunStatus)),
        wake=st.none() | minutes,
        together=st.booleans(),
    )
    def is_moved(self, number: int, status: RunStatus, wake: timedelta | None, together: bool) -> None:
        if not self.seen:
            return
        seen = self.seen[number % len(self.seen)]
        moved = replace(seen, status=status, wake_at=None if wake is None else self.now + wake, updated_at=self.now)
        newest = self.paper[seen.id].rev == seen.rev
        assert self._move(moved, together) == newest, "an old state was stored over a newer one"
        if newest:
            self.paper[seen.id] = replace(moved, rev=seen.rev + 1)

    def _move(self, moved: Run, together: bool) -> bool:
        try:
            with self.store.work.transaction() as tx:
                if not together:
                    return runs.save(tx, moved)
                runs.move(tx, moved)
        except StoreCollision:
            return False
        return True

    @invariant()
    def agrees(self) -> None:
        open_to = (RunStatus.READY, RunStatus.SLEEPING, RunStatus.AWAITING)
        sleeping = [one for one in self.paper.values() if one.status in open_to and one.wake_at is not None]
        with self.store.work.read() as tx:
            due = [one.id for one in runs.due(tx, self.now, 10)]
            following = runs.next_wake(tx)
            active = {order: runs.active(tx, SHOP, order_id=order) for order in ("501", "502")}
            entered = {one.id: runs.by_entry(tx, SHOP, one.flow_id, one.entry_key) for one in self.paper.values()}
        assert set(due) == {one.id for one in sleeping if one.wake_at is not None and one.wake_at <= self.now}
        assert following == min((one.wake_at for one in sleeping if one.wake_at is not None), default=None)
        for order, found in active.items():
            theirs = {one.id for one in self.paper.values() if one.order_id == order and not one.status.ended}
            assert {one.id for one in found} == theirs
        for name, stored in entered.items():
            assert stored is not None
            assert (stored.status, stored.rev, stored.wake_at) == (
                self.paper[name].status,
                self.paper[name].rev,
                self.paper[name].wake_at,
            )
