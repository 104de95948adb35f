"""One seeded life: two shops, three people, some orders, and everything that goes wrong with them.

Nothing sleeps and nothing runs in parallel: what happens "meanwhile" happens inside a call to the outside, and the seed
decides what. Time passes from one thing that is due to the next. The script of the orders is `tests.swarm.script`;
what must hold is asked by `tests.swarm.oracles`.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.codec import encode_text
from connector.contracts import DiscountRequest, Verified
from connector.errors import KiitosError, StoreUnavailable, Transient
from connector.model import Event
from connector.store import inbox
from connector.store.inbox import NewDelivery
from connector.working import clockwatch
from tests.swarm import script
from tests.swarm.plan import Chance, draw
from tests.swarm.post import Letter
from tests.swarm.shop import PLATFORM, TrueOrder
from tests.swarm.stationery import review_link

if TYPE_CHECKING:
    from tests.swarm.house import House

WORKERS = 2
LONGEST = timedelta(days=330)
PATIENCE = 60
"""Rounds, a minute each, in which nobody does what is due."""
SOON = timedelta(seconds=2)
"""How long a webhook takes: what a shop says at one moment comes together, and is taken in together."""
_STOPS = """SELECT shop_id, event_key, kind, order_id, customer_id, subject_id FROM events WHERE kind IN (
'order.cancelled', 'order.deleted', 'refund.created', 'return.requested', 'shipment.cancelled', 'shipment.returned',
'shipment.out_for_delivery', 'shipment.attempted', 'shipment.failed', 'shipment.delivered',
'review.submitted', 'consent.withdrawn', 'order.paid', 'order.created')"""


class Crash(BaseException):
    """The process is gone: not an Exception, so that nothing on the way can handle it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the product knows, since which commit and which moment."""

    commit: int
    at: datetime


class Life:
    """`Life(house, seed).live()`; then `faults` holds what must not be, and `troubles` counts what went wrong."""

    def __init__(self, house: House, seed: int) -> None:
        self.house, self.seed = house, seed
        self.chance = Chance(seed)
        self.plan = draw(self.chance)
        self.faults: list[str] = []
        self.troubles: Counter[str] = Counter()
        self.orders: dict[tuple[str, str], TrueOrder] = {}
        self.orderings: dict[tuple[str, str], script.Ordering] = {}
        self.codes: dict[str, dict[str, DiscountRequest]] = {}
        self.published: set[tuple[str, str]] = set()
        self.said: list[Sequence[Event]] = []
        self.acknowledged: list[tuple[str, Sequence[Event]]] = []
        self.recorded: dict[tuple[str, str, str], Recorded] = {}
        self.known_as: dict[tuple[str, str], set[str]] = {}
        """The addresses under which an order was ever stored."""
        self.commits = self.depth = self._events = 0
        self._stood: dict[tuple[str, str], str] = {}
        self.skew = timedelta()
        self.down_until = self.post_closed_until = self.plan.start
        self.down_for = timedelta()
        self._todo: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._open: dict[int, list[Letter]] = {}
        self._busy: list[int] = []
        self.mortal = True
        self._unread = False
        self._idle = 0
        house.lead(self)
        self.clock, self.post, self.store = house.clock, house.post, house.store
        self.workers = [house.new_worker() for _ in range(WORKERS)]

    # -- time ---

    @property
    def now(self) -> datetime:
        """What the product's clock says."""
        return self.clock.now()

    @property
    def troubled(self) -> bool:
        return self.now < self.plan.start + self.plan.trouble_for

    def at(self, when: datetime, what: Callable[[], None]) -> None:
        heapq.heappush(self._todo, (when, next(self._count), what))

    def live(self) -> Life:
        script.write(self)
        end = self.plan.start + LONGEST
        try:
            while self.now < end and (due := self._next()) is not None:
                self._pass_to(due)
                nothing = not self._happen()
                if self.now >= self.down_until and (nothing or self._unread or self._overdue()):
                    self._work()
        except StoreUnavailable as error:
            self.fault(f"the store gave up: {error.message}")
        return self

    def _next(self) -> datetime | None:
        """When something is to be done next, by the world or by a worker that is there."""
        due = self.now if self._unread else self.house.next_due()
        if due is not None:
            due = max(due, self.down_until)
        return min((at for at in (due, self._todo[0][0] if self._todo else None) if at is not None), default=None)

    def _pass_to(self, due: datetime) -> None:
        if due <= self.now:
            return
        awake, long = self.now >= self.down_until, due - self.now > clockwatch.KEEP
        self.clock.advance(due - self.now)
        if awake and long:
            # Idle workers look at their clocks all the while: who begins now does not find one that jumped.
            with self.house.undisturbed() as tx:
                clockwatch.confirm(tx, self.now)

    def _happen(self) -> bool:
        """What people and shops do now; whether there was anything."""
        did = False
        while self._todo and self._todo[0][0] <= self.now:
            heapq.heappop(self._todo)[2]()
            did = True
        return did

    def _work(self) -> None:
        """One worker does a round. One that has nothing to do although something is due waits a little."""
        if self.act(self.chance.pick(range(WORKERS))) or not self._overdue():
            self._idle = 0
            return
        self._idle += 1
        if self._idle > PATIENCE:
            raise StoreUnavailable("something is due, and nobody does it")
        self.clock.advance(timedelta(seconds=60))

    def _overdue(self) -> bool:
        due = self.house.next_due()
        return due is not None and due <= self.now

    # -- workers and their ends ---

    def act(self, number: int) -> bool:
        """One tick of a worker, which it may not survive; whether it did anything."""
        self.depth += 1
        self._open[self.depth] = []
        self._busy.append(number)
        try:
            tick = self.workers[number].tick()
            if not self.workers[number].watch.holding:
                self._unread = False  # a round takes in far more than a life can have waiting
            return bool(tick)
        except Crash:
            for letter in self._open[self.depth]:
                letter.word_lost = True
            self.post.closed_until.clear()  # what the server wished died with who had heard it
            self.workers[number] = self.house.new_worker()
            return True
        finally:
            self._busy.pop()
            self.depth -= 1

    def goes(self, trouble: str) -> bool:
        """Whether this goes wrong here and now."""
        rate = self.plan.rates.get(trouble, 0.0)
        if rate and self.troubled and self.chance.roll(rate):
            self.troubles[trouble] += 1
            return True
        return False

    def may_die(self, where: str) -> None:
        if self.depth and self.mortal and self.goes(where):
            raise Crash(where)

    def meanwhile(self) -> None:
        """The other worker has a turn, or a customer or a shop does something, while this one waits for an answer."""
        if self.depth != 1 or not self._busy or not self.goes("meanwhile"):
            return
        if self.chance.roll(0.6):
            self._hurry()
            self.act(1 - self._busy[-1])
        elif self.post.letters:
            self.stop(self.chance.pick(self.post.letters))

    def _hurry(self) -> None:
        """What would have happened within hours, and its webhook, come just now."""
        for _ in range(3):
            if self._todo and self._todo[0][0] < self.now + timedelta(hours=6) and self.chance.roll(0.85):
                heapq.heappop(self._todo)[2]()

    @contextlib.contextmanager
    def calling(self) -> Iterator[None]:
        """A call of a shop's API: it may not arrive, take long, be overtaken, lose its answer, or be the last thing."""
        if self.house.store.work._session().open:
            self.fault("the shop was called inside a transaction")
        self.may_die("died at a call")
        if self.goes("api busy"):
            raise Transient("429", retry_after=self.chance.pick((5.0, 300.0)))
        if self.goes("api down"):
            raise Transient("503")
        yield
        self.meanwhile()
        self.may_die("died at a call")
        if self.goes("api lost"):
            raise Transient("no answer", maybe_done=True)

    def committed(self) -> None:
        """After each commit that changed something: what of it must from now on be respected?"""
        self.commits += 1
        if self.mortal:
            self._open.get(self.depth, []).clear()
        execute = self.house.connection.execute
        ((events,),) = execute("SELECT count(*) FROM events").fetchall()
        if events != self._events:
            self._events = events
            self._look_at_orders(execute("SELECT shop_id, order_id, updated_at, email_key FROM orders").fetchall())
            for shop_id, _, kind, order_id, customer_id, subject_id in execute(_STOPS).fetchall():
                self._record((shop_id, subject_id if kind.startswith("shipment.") else order_id or customer_id, kind))
        for row in execute("SELECT shop_id, address_key, reason FROM suppressions").fetchall():
            self._record(row)

    def _look_at_orders(self, rows: Sequence[tuple[str, str, str, str | None]]) -> None:
        """What is stored of an order is never older than what was stored of it."""
        for shop_id, order_id, at, address in rows:
            self.known_as.setdefault((shop_id, order_id), set()).add(address or "")
            if at < self._stood.get((shop_id, order_id), ""):
                self.fault(f"order {order_id} went back to how it was at {at}")
            self._stood[shop_id, order_id] = at

    def _record(self, key: tuple[str, str, str]) -> None:
        if key not in self.recorded:
            self.recorded[key] = Recorded(self.commits, self.now)

    def delivered(self, letter: Letter) -> None:
        self._open.setdefault(self.depth, []).append(letter)
        if self.skew:
            self.fault(f"{letter}: sent while the clock was wrong by {self.skew}")
        script.react(self, letter)

    def put_off(self, letter: Letter) -> None:
        script.wait(self, letter)

    # -- what shops and customers do ---

    def order(self, number: int) -> None:
        """Somebody orders."""
        script.Ordering(self, number).place()

    def tell(self, shop_id: str, events: Sequence[Event], *, polled: bool = True) -> None:
        """A webhook: it comes soon, late, twice, in another order, or not at all; then the next poll finds it. What no
        poll finds (`polled` is false) the shop tells until it is heard."""
        number = len(self.said)
        self.said.append(tuple(events))
        if polled and self.goes("webhook lost"):
            self.at(self.now + self.chance.between(0.25, 0.6), lambda: self.poll(shop_id))
            return
        times = 2 if self.goes("webhook twice") else 1
        for turn in range(times):
            late = self.chance.between(0.1, 9.0) if self.goes("webhook late") else SOON
            again = self.chance.pick(("", "again")) if turn else ""
            self.at(self.now + late, lambda again=again: self._deliver(shop_id, number, again))  # type: ignore[misc]

    def _deliver(self, shop_id: str, number: int, again: str) -> None:
        """What the receiver does with a verified delivery; it has no part in this search (tests/kill has)."""
        key = f"{number}{again}"
        verified = encode_text(Verified(topic="orders", dedup_key=key))
        row = NewDelivery(
            shop_id=shop_id,
            platform=PLATFORM,
            topic="orders",
            dedup_key=key,
            headers={"verified": verified},
            body=json.dumps({"said": number}).encode(),
            received_at=self.now,
        )
        inbox.append(self.store.inbox, [row])
        self.acknowledged.append((shop_id, self.said[number]))
        self._unread = True

    def poll(self, shop_id: str) -> None:
        """A quarter of an hour has passed: the product asks the shop what changed. Asked again until it is told."""
        if self.now < self.down_until:
            self.at(self.down_until, lambda: self.poll(shop_id))
            return
        self.depth += 1
        self._open[self.depth] = []
        try:
            done = self.house.reconciler.run_now(shop_id, "poll")
        except Crash:
            self.house.reconciler = self.house.new_reconciler()
            done = False
        except KiitosError:
            done = False
        finally:
            self.depth -= 1
        if not done:
            self.at(self.now + timedelta(minutes=20), lambda: self.poll(shop_id))

    def stop(self, letter: Letter) -> None:
        """The customer follows the link in the mail's head, or the button of their mail program does."""
        if letter.stop_link:
            self._visit(letter.stop_link, {"List-Unsubscribe": "One-Click"}, 200)

    def review(self, letter: Letter) -> None:
        link = review_link(letter.content)
        if link:
            self._visit(link, {"rating-p-a": "4"}, None)

    def _visit(self, path: str, form: dict[str, str], status: int | None) -> None:
        mortal, self.mortal = self.mortal, False  # the page is another process, and not the one that dies here
        try:
            answer = self.house.client.post(path, data=form)
        finally:
            self.mortal = mortal
        if status is not None and answer.status_code != status:
            self.fault(f"{path.rpartition('/')[0]} answered {answer.status_code}")

    def decisions(self) -> Iterator[str]:
        """The code of each decision not to send, or not yet."""
        for (reason,) in self.house.connection.execute(
            "SELECT reason FROM effects WHERE status = 'skipped'"
        ).fetchall():
            yield reason.partition(":")[0]
        for (detail,) in self.house.connection.execute("SELECT detail FROM journal WHERE what = 'deferred'").fetchall():
            yield json.loads(detail)["rule"]

    def fault(self, text: str) -> None:
        self.faults.append(text)
