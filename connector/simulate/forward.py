"""One customer's future: what would be sent and when if nothing else happens, or if this and that does.

Everything that is known of them is copied into a database in memory, and the whole product goes on from there: worker,
policy, templates, on a clock that runs ahead. The shop's own rows are read once and never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.model import Effect, EffectStatus, Run, ShopStatus
from connector.registry import PLATFORMS, Registry
from connector.rehearsal import VOCABULARY, Happening, Life
from connector.rehearsal.others import Answering
from connector.rehearsal.platform import Rehearsed
from connector.simulate.copying import copy_person
from connector.simulate.playbook import MEMORY_CHANNEL, Playbook
from connector.store import effects, entities, people, runs, shops
from connector.store.people import Person
from connector.store.store import Store
from connector.worker import Worker
from connector.working import clockwatch
from flows.channels.memory import Memory


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """Something on the way: `sent`, `done` (in the shop), `not sent`, `ended`, `happens` or `waits` (after the end)."""

    at: datetime
    what: str
    text: str
    flow: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Future:
    """What lies ahead, by time. `under_way` counts runs that have not ended when the look does."""

    steps: list[Step] = field(default_factory=list)
    under_way: int = 0


def look_forward(
    store: Store,
    playbook: Playbook,
    person: Person,
    now: datetime,
    span: timedelta,
    happenings: Sequence[Happening] = (),
    order_id: str = "",
) -> Future:
    """Let `span` pass for one person, with what is assumed to happen on the way (to the order, else to their last).

    Raises `ConfigError` for an assumption that makes no sense.
    """
    clock = ManualClock(now)
    copy = Store.open("sqlite://:memory:")
    try:
        kiitos = _build(store, copy, playbook, person, clock)
        return _Ahead(kiitos, playbook, person, clock).live(now + span, happenings, order_id)
    finally:
        copy.close()


def _build(store: Store, copy: Store, playbook: Playbook, person: Person, clock: ManualClock) -> Kiitos:
    now = clock.now()
    platform = playbook.settings.shop.platform
    registry = Registry(extra={(PLATFORMS, platform): Rehearsed})
    kiitos = build(playbook.config, clock=clock, registry=registry, store=copy)
    kiitos.catalog = kiitos.runner.catalog = playbook.catalog(registry)
    kiitos.use_channel(MEMORY_CHANNEL, Memory())
    kiitos.caller = Answering({})  # nobody's system or chat hears of what is only imagined
    with store.work.read() as source, copy.work.transaction() as target:
        copy_person(source, target, person, now)
        known = shops.get(source, playbook.shop_id)
        if known is not None and known.status is not ShopStatus.ACTIVE:
            shops.set_status(target, playbook.shop_id, known.status, now)
        clockwatch.confirm(target, now)
    return kiitos


class _Ahead:
    """The copy as time passes in it."""

    def __init__(self, kiitos: Kiitos, playbook: Playbook, person: Person, clock: ManualClock) -> None:
        self._kiitos = kiitos
        self._shop = playbook.settings.shop
        self._shown = playbook.shown
        self._person = person
        self._clock = clock
        self._worker = Worker(kiitos)

    def live(self, until: datetime, happenings: Sequence[Happening], order_id: str) -> Future:
        begin = self._clock.now()
        life = self._life(order_id)
        steps: list[Step] = []
        for happening in sorted(happenings, key=lambda each: each.at):
            at = begin + happening.at
            self._pass(min(at, until))
            if at < until:
                told = VOCABULARY[happening.word](life, happening.rest, at)
                steps.append(Step(at, "happens", f"{happening.word} {happening.rest}".strip()))
                with self._kiitos.store.work.transaction() as tx:
                    self._kiitos.runner.ingest(tx, self._shop.id, told, at)
        self._pass(until)
        return self._tell(begin, steps)

    def _life(self, order_id: str) -> Life:
        """The orders as they stand; the one asked about is the one that things happen to."""
        life = Life(self._shop, {})
        with self._kiitos.store.work.read() as tx:
            found = [entities.order(tx, self._shop.id, each) for each in self._person.orders]
            known = sorted((order for order in found if order is not None), key=lambda order: order.placed_at)
            known.sort(key=lambda order: order.id == order_id)
            for order in known:
                life.adopt(order, entities.shipments(tx, self._shop.id, order.id))
        return life

    def _pass(self, until: datetime) -> None:
        self._worker.drain()
        while (due := self._worker.next_due()) is not None and due <= until:
            self._clock.advance(max(due - self._clock.now(), timedelta(microseconds=1)))
            self._worker.drain()
        if until > self._clock.now():
            self._clock.advance(until - self._clock.now())

    def _tell(self, begin: datetime, steps: list[Step]) -> Future:
        with self._kiitos.store.work.read() as tx:
            theirs = [
                run for run in runs.all_of_shop(tx, self._shop.id) if not self._shown or run.flow_id in self._shown
            ]
            acts = [effect for run in theirs for effect in effects.of_run(tx, self._shop.id, run.id)]
        steps += [step for effect in acts if (step := _step(effect)).at >= begin]
        steps += [_end(run) for run in theirs if run.status.ended and run.reason and run.updated_at >= begin]
        steps += [_sleeper(run) for run in theirs if run.wake_at is not None and not run.status.ended]
        return Future(sorted(steps), sum(not run.status.ended for run in theirs))


def _step(effect: Effect) -> Step:
    template, to = effect.request.get("template"), str(effect.request.get("to", ""))
    text = f"{template} to the {to}" if template else str(effect.request.get("do") or effect.kind)
    if effect.status is EffectStatus.SENT:
        return Step(effect.done_at or effect.due_at, "sent" if template else "done", text, effect.flow_id)
    if effect.status.ended:
        return Step(effect.done_at or effect.due_at, "not sent", text, effect.flow_id, effect.reason)
    return Step(effect.due_at, "waits", text, effect.flow_id, effect.reason)


def _end(run: Run) -> Step:
    return Step(run.updated_at, "ended", str(run.status), run.flow_id, run.reason)


def _sleeper(run: Run) -> Step:
    assert run.wake_at is not None
    return Step(run.wake_at, "waits", f"{run.status} at step {run.step + 1}", run.flow_id)


def find_person(store: Store, shop_id: str, *, order: str = "", email: str = "") -> tuple[Person | None, str]:
    """Who is meant, and the id of the order that was named (by id or number); `None` when nobody is known by it."""
    with store.work.read() as tx:
        if email:
            found = people.find(tx, shop_id, email=email)
            return (found if found.orders or found.customers else None), ""
        known = entities.order(tx, shop_id, order) or entities.order_by_number(tx, shop_id, order)
        if known is None:
            return None, ""
        return people.find(tx, shop_id, orders=[known.id]), known.id
