"""Where a past is lived through: the product itself, over a database held in memory, on a clock that is set by hand.

Runner, policy, outbox, intake and carrier are those of production. What differs: rows are forgotten after each person,
messages are not rendered (a look back tells who gets what and when, not how it reads), a channel takes everything, and
a platform that can do everything does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from connector.app import Kiitos, build
from connector.clock import ManualClock, from_text, to_text
from connector.contracts import Accepted, Access
from connector.credentials import Credentials
from connector.errors import KiitosError, StoreUnavailable
from connector.model import Event, EventKind, Product, Ref
from connector.registry import PLATFORMS, Registry
from connector.rehearsal.others import Answering
from connector.rehearsal.platform import Recording, Rehearsed
from connector.simulate.acts import Uncovered
from connector.simulate.held import HeldDatabase, HeldTx
from connector.simulate.knowing import Knowing
from connector.simulate.outcome import Lived, lived
from connector.simulate.playbook import Playbook
from connector.simulate.story import Moment
from connector.simulate.swift import Swift, why_not
from connector.store import effects, entities, figures, referrals, runs, suppressions, wakeups
from connector.store.figures import ShopRow
from connector.store.sqlite import Sqlite
from connector.store.store import Store
from connector.working.alarms import Alarms
from connector.working.bookkeeping import NEVER, Bookkeeping
from connector.working.carrier import SEND
from connector.working.intake import WAKE
from connector.working.performing import perform
from flows.catalog import Catalog
from flows.knowing.history import remember
from flows.outbox import Outbox
from flows.sending.composing import Case, Composed
from flows.sending.outcomes import Prepared
from flows.triggers.forms import SilenceTrigger

ROUNDS = 10_000
"""A flow that never comes to rest at one moment is a fault of ours: say so instead of turning for ever."""


class SceneClock(ManualClock):
    """Its ids rise, so that what began first comes first, on every machine."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return f"{self._count:026d}"

    def begin_again(self, at: datetime) -> None:
        """For the next person: the same ids, an earlier time."""
        self._count = 0
        self.set(at)


class Unread:
    """Composes nothing: the template's name stands for the message."""

    def compose(self, tx: object, case: Case, key: str, now: datetime) -> Composed:
        del tx, key, now
        return Composed(b"", str(case.effect.request.get("template", "")))


@dataclass(frozen=True, slots=True)
class Window:
    """From when on flows are live, and when the look ends."""

    since: datetime
    until: datetime


_FOLLOWS = frozenset({EventKind.ORDER_SHIPPED, EventKind.ORDER_DELIVERED})


def _of_parcel(event: Event) -> bool:
    return event.kind.startswith("shipment.") and (event.order is None or not event.order.discounts)


def _sold(product: Product, at: datetime) -> Event:
    subject = Ref("product", product.id)
    return Event(kind=EventKind.PRODUCT_UPDATED, key=f"product/{product.id}", subject=subject, at=at, product=product)


class Scene:
    """One shop with one playbook. `live` may be called for any number of people, one after the other."""

    def __init__(
        self,
        playbook: Playbook,
        window: Window,
        products: Iterable[Product] = (),
        *,
        counted: ShopRow | None = None,
        twins: bool = True,
        exact: bool = False,
    ) -> None:
        goods = list(products)
        self.playbook = playbook
        self.window = window
        self.shop = playbook.settings.shop
        self.clock = SceneClock(window.since)
        self._base = Store.open("sqlite://:memory:")
        with self._base.work.transaction() as tx:
            entities.apply_many(tx, self.shop.id, (_sold(product, window.since) for product in goods), window.since)
        self._kiitos = self._build(counted, twins=twins)
        self._platform = cast(Recording, self._kiitos.registry.platform(self.shop.platform))
        self._alarms = Alarms(self._kiitos)
        self._waits = bool(self._kiitos.catalog.all_scheduled)
        self._unseen: list[Event] = []
        flows = self._kiitos.catalog.flows(self.shop.id)
        self._heard = frozenset(kind for flow in flows for kind in flow.event_kinds)
        # Dates and segments are moved by any news, a silence by what ends it, and that an order is sent or delivered
        # follows from its parcels'.
        schedules = [flow.schedule for flow in flows if flow.schedule is not None]
        silences = [schedule for schedule in schedules if isinstance(schedule, SilenceTrigger)]
        self._heard |= {kind for silence in silences for kind in silence.after}
        moved = len(silences) < len(schedules) or bool(self._kiitos.catalog.segments(self.shop.id))
        self._sees_all = moved or bool(self._heard & _FOLLOWS)
        self._books = Bookkeeping(self._kiitos, resting=not self._kiitos.catalog.segments(self.shop.id))
        self._access = Access(shop=self.shop, secrets={}, clock=self.clock)
        self.long_way = why_not(self._kiitos.catalog, self.shop.id) or ("asked for" if exact else "")
        self._swift = None if self.long_way else self._shorter(goods)

    def _shorter(self, goods: Sequence[Product]) -> Swift:
        kiitos = self._kiitos
        knowing = Knowing(self.tx, self.playbook.settings, goods, kiitos.salt)
        shown = self.playbook.shown
        return Swift(knowing, kiitos.catalog, self._platform, self._access, shown, self.clock.set)

    def _build(self, counted: ShopRow | None, *, twins: bool) -> Kiitos:
        registry = Registry(extra={(PLATFORMS, self.shop.platform): Rehearsed})
        whole = build(self.playbook.config, clock=self.clock, registry=registry, store=self._base)
        self._know_everybody(whole.catalog, counted)
        self._held = HeldDatabase(cast(Sqlite, self._base.work), twins=twins)
        store = Store(self._held, self._base.inbox)
        kiitos = replace(whole, store=store, credentials=Credentials(store, whole.vault, self.clock))
        kiitos.catalog = kiitos.runner.catalog = self.playbook.catalog(registry)
        kiitos.outbox = Outbox(kiitos.runner, Unread(), self.clock, salt=kiitos.salt)
        kiitos.caller = Answering({})  # systems of the merchant's are not asked either, and say nothing
        return kiitos

    def _know_everybody(self, catalog: Catalog, counted: ShopRow | None) -> None:
        """Segments as after everybody was looked at once, and what the shop's history says, as it is counted today."""
        done = {segment.name: segment.digest for segment in catalog.segments(self.shop.id)}
        said = counted.figures if counted is not None else "{}"
        row = ShopRow(shop_id=self.shop.id, due_at=NEVER, figures=said, segments={"done": done})
        with self._base.work.transaction() as tx:
            figures.put_shop(tx, row)

    @property
    def tx(self) -> HeldTx:
        return self._held.tx

    def close(self) -> None:
        self._held.close()
        self._base.close()

    def live(self, moments: Sequence[Moment]) -> Lived:
        """Let it all happen to these people and tell what they got. Knows nothing of anybody before or after.

        The short way (`swift`) where it covers what happens, else the long one (`Lived.long_way` says why).
        """
        why = self.long_way
        if self._swift is not None:
            try:
                if any(moment.suppressed or moment.code for moment in moments):
                    self.tx.forget_all()
                return self._swift.live(moments, self.window.since, self.window.until, self._note)
            except Uncovered as uncovered:
                why = str(uncovered)
            finally:
                self._platform.deeds.clear()
        found = self.live_exactly(moments)
        found.long_way = why
        return found

    def live_exactly(self, moments: Sequence[Moment]) -> Lived:
        """The same by the product's own runner and outbox, whatever happens."""
        tx, window = self.tx, self.window
        tx.forget_all()
        self.clock.begin_again(window.since)
        at = 0
        self._unseen.clear()
        while at < len(moments) and moments[at].at < window.since:
            self._remember(moments[at])
            at += 1
        while True:
            coming = moments[at].at if at < len(moments) and moments[at].at < window.until else None
            due = self._due()
            if due is not None and due < window.until and (coming is None or due <= coming):
                self._pass_to(due)
                if self._unseen:
                    self._happen(Moment(due))
                self._work()
            elif coming is not None:
                if self._is_seen(moments[at]):
                    self._pass_to(coming)
                    self._happen(moments[at])
                else:
                    self._unseen.extend(moments[at].events)
                at += 1
            else:
                break
        self._platform.deeds.clear()
        return lived(tx, self.shop.id, self.playbook.shown)

    def _due(self) -> datetime | None:
        text = self.tx.next_due()
        due = from_text(text) if text is not None else None
        ring = wakeups.next_due(self.tx) if self._waits else None
        return min((at for at in (due, ring, self._books.next_due()) if at is not None), default=None)

    def _pass_to(self, at: datetime) -> None:
        if at > self.clock.now():
            self.clock.set(at)

    def _remember(self, moment: Moment) -> None:
        """What was before the window is known, as after a back-fill, and starts nothing."""
        if moment.events:
            since = self.window.since
            with self._held.transaction() as tx:
                remember(tx, self._kiitos.catalog, self.shop, moment.events, since, since)
        self._note(moment)

    def _is_seen(self, moment: Moment) -> bool:
        """Whether any flow listens to it, or to what follows from it. Parcels' news that none does is taken in later,
        before anything looks at the order again; for a single flow that is most of what happened."""
        if not moment.events or self._sees_all:
            return True
        return any(event.kind in self._heard or not _of_parcel(event) for event in moment.events)

    def _happen(self, moment: Moment) -> None:
        told = (*self._unseen, *moment.events)
        self._unseen.clear()
        if told:
            with self._held.transaction() as tx:
                self._kiitos.runner.ingest(tx, self.shop.id, told, self.clock.now())
        self._note(moment)

    def _note(self, moment: Moment) -> None:
        row, code, tx = moment.suppressed, moment.code, self.tx
        if row is not None:
            suppressions.add(tx, self.shop.id, row.address_key, row.channel, row.scope, row.reason, row.at)
        if code is not None:
            owner = (code.advocate_email_key, code.advocate_customer_id)
            referrals.put_code(tx, self.shop.id, code.code_key, *owner, code.order_id, None, code.at)

    def _work(self) -> None:
        """Wake and carry out until nothing is due at this moment, as the worker's ticks do."""
        now = self.clock.now()
        text = to_text(now)
        for _ in range(ROUNDS):
            self._books.work()
            if self._waits:
                self._alarms.ring()
            if self.tx.waking(text):
                self._wake(now)
            if self.tx.acting(text):
                self._act(now)
            due = self._due()
            if due is None or due > now:
                return
        raise StoreUnavailable(f"a flow of {self.shop.id} does not come to rest at {now:%Y-%m-%d %H:%M}")

    def _wake(self, now: datetime) -> None:
        with self._held.transaction() as tx:
            for run in runs.due(tx, now, WAKE):
                self._kiitos.runner.wake(tx, run, now)

    def _act(self, now: datetime) -> None:
        """T4 and T5 of what is due: decided by the outbox, then taken by everybody it is handed to."""
        outbox = self._kiitos.outbox
        with self._held.transaction() as tx:
            waiting = effects.due(tx, now, SEND)
            ready = [item for effect in waiting if (item := outbox.prepare(tx, effect, now)) is not None]
        for item in ready:
            if item.message is not None:
                with self._held.transaction() as tx:
                    outbox.record(tx, item, Accepted(key=item.message.key), now, 0.0)
            else:
                self._perform(item, now)

    def _perform(self, item: Prepared, now: datetime) -> None:
        kiitos, effect = self._kiitos, item.effect
        try:
            done = perform(kiitos, item, self._platform, self._access)
        except KiitosError as error:
            with self._held.transaction() as tx:
                kiitos.outbox.error(tx, effect, now, error)
            return
        with self._held.transaction() as tx:
            kiitos.runner.performed(tx, item.run, effect, done.values, now)
            kiitos.outbox.done(tx, effect, now, done.values)
