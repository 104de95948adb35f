"""Events in, transitions stored. Everything here happens inside the caller's one transaction; nothing acts.

`ingest` is T3 of the design (section 2): snapshots are applied newest-wins, each new event cancels, resumes and starts
runs through the pure engine, and what runs ask for becomes rows of the outbox.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from connector.clock import Clock, to_text
from connector.contracts import Arrived, Signal, Woke
from connector.model import (
    Effect,
    EffectStatus,
    Event,
    EventKind,
    Purpose,
    Ref,
    Run,
    RunStatus,
    Shop,
    ShopStatus,
    email_key,
)
from connector.store import consents, effects, entities, events, runs, shops
from connector.store.db import Tx
from flows import engine
from flows.catalog import Catalog
from flows.definition import Flow, entry_key
from flows.derive import derived_events
from flows.programmes import Programmes
from flows.situation import Situation, facts_of, look, subject_of

FETCH = "fetch"
"""The kind of effect that looks an object up again on the platform."""

_SHIPMENT_NEWS = frozenset({"order", "shipment", "refund", "return"})


class Runner:
    """Moves runs. `salt` makes codes and links unguessable from outside; it never leaves the product."""

    def __init__(self, catalog: Catalog, clock: Clock, salt: bytes) -> None:
        self.catalog = catalog
        self._clock = clock
        self._salt = salt
        self._programmes = Programmes()

    def ingest(
        self, tx: Tx, shop_id: str, arrived: Sequence[Event], now: datetime, delivery_id: int | None = None
    ) -> int:
        """Apply events and let flows see the new ones. Returns how many were new."""
        fresh = events.record_many(tx, shop_id, arrived, now, delivery_id)
        queue: deque[Event] = deque()
        orders: dict[str, None] = {}
        for event in arrived:
            entities.apply(tx, shop_id, event, now)
            if event.key not in fresh:
                continue
            queue.append(event)
            if event.order_id and event.subject.kind in _SHIPMENT_NEWS:
                orders[event.order_id] = None
            if event.consent is not None:
                consents.record(tx, shop_id, event.consent, now)
            self._obey(tx, shop_id, event, now)
        if not queue:
            return 0
        sight = _Sight(tx, self.catalog.settings(shop_id).shop)
        for order_id in orders:
            queue.extend(self._derived(tx, shop_id, sight.of(order_id), now))
        count = len(queue)
        while queue:
            event = queue.popleft()
            more = self._programmes.follow(tx, sight.shop, event, sight.of(event.order_id, event.customer_id), now)
            if more:
                kept = events.record_many(tx, shop_id, more, now, delivery_id)
                queue.extend(item for item in more if item.key in kept)
            self._signal(tx, shop_id, event, sight, now)
        return count

    def wake(self, tx: Tx, run: Run, now: datetime) -> None:
        """Let a run whose time has come go on."""
        signal = None if run.status is RunStatus.READY else Woke()
        self._advance(tx, run, signal, self._situation(tx, run), now)

    def settle(self, tx: Tx, effect: Effect, signal: Signal, now: datetime) -> None:
        """Tell a run what became of its effect. A run that ended meanwhile stays ended."""
        run = runs.get(tx, effect.shop_id, effect.run_id) if effect.run_id else None
        if run is None or run.status is not RunStatus.ACTING:
            return
        self._advance(tx, run, signal, self._situation(tx, run), now)

    def performed(self, tx: Tx, run: Run | None, effect: Effect, values: Mapping[str, str], now: datetime) -> None:
        """Let the programmes know what a platform effect gave (a referral code that now exists)."""
        if run is not None:
            self._programmes.performed(tx, run, effect, values, now)

    def flow_of(self, tx: Tx, run: Run) -> Flow:
        return self.catalog.version(tx, run.shop_id, run.flow_id, run.version)

    def _situation(self, tx: Tx, run: Run) -> Situation:
        return look(tx, self.catalog.settings(run.shop_id).shop, run.order_id, run.customer_id)

    def _derived(self, tx: Tx, shop_id: str, situation: Situation, now: datetime) -> list[Event]:
        if situation.order is None:
            return []
        shop = self.catalog.settings(shop_id).shop
        found = derived_events(shop, situation.order, situation.progress, situation.shipments)
        if not found:
            return []
        kept = events.record_many(tx, shop_id, found, now, None)
        return [event for event in found if event.key in kept]

    def _obey(self, tx: Tx, shop_id: str, event: Event, now: datetime) -> None:
        """What the platform orders us to do, whatever flows say: stop after uninstall, look again when told to."""
        if event.kind == EventKind.APP_UNINSTALLED:
            shops.set_status(tx, shop_id, ShopStatus.UNINSTALLED, now, "app uninstalled by the merchant")
        if event.kind == EventKind.RESOURCE_RECHECK and event.data.get("resource") == "order":
            effects.put(tx, fetch_effect(shop_id, event.data["id"], event.key, now))

    def _signal(self, tx: Tx, shop_id: str, event: Event, sight: _Sight, now: datetime) -> None:
        address = event.subject.id if event.subject.kind == "person" else None
        for run in runs.active(
            tx,
            shop_id,
            order_id=event.order_id,
            subject=event.subject,
            email_key=address,
            customer_id=event.customer_id if event.order_id is None else None,
        ):
            flow = self.flow_of(tx, run)
            if event.kind in flow.cancel_on:
                self._cancel(tx, flow, run, event.kind, now)
            elif event.kind in run.awaiting:
                signal = Arrived(event.kind, {**event.data, "at": to_text(event.at)})
                self._advance(tx, run, signal, sight.of(run.order_id, run.customer_id), now)
        for flow in self.catalog.triggered_by(shop_id, event.kind):
            self._start(tx, shop_id, flow, event, sight, now)

    def _start(self, tx: Tx, shop_id: str, flow: Flow, event: Event, sight: _Sight, now: datetime) -> None:
        situation = sight.of(event.order_id, event.customer_id)
        subject = subject_of(flow.subject, event, situation)
        if subject is None:
            return
        run = self._new_run(shop_id, flow, event, subject, situation, now)
        refusal = self._refusal(tx, flow, run, event, situation, sight, now)
        if refusal is not None:
            self._keep_refusal(tx, run, event, refusal, now)
            return
        if flow.reentry == "restart" and not self._may_restart(tx, flow, run, now):
            return
        self.catalog.pin(tx, shop_id, flow, now)
        if not runs.start(tx, run):
            return
        runs.journal(tx, shop_id, run.id, now, "", "started", {"event": event.kind, "key": event.key})
        self._advance(tx, run, None, situation, now)

    def _new_run(
        self, shop_id: str, flow: Flow, event: Event, subject: Ref, situation: Situation, now: datetime
    ) -> Run:
        order, customer = situation.order, situation.customer
        address = (order.email if order else None) or (customer.email if customer else None)
        return Run(
            shop_id=shop_id,
            id=self._clock.new_id(),
            flow_id=flow.id,
            version=flow.version,
            subject_kind=subject.kind,
            subject_id=subject.id,
            entry_key=entry_key(flow, event, subject),
            status=RunStatus.READY,
            step=0,
            created_at=now,
            updated_at=now,
            order_id=event.order_id,
            customer_id=(customer.id if customer else None) or event.customer_id,
            email_key=email_key(address),
            wake_at=now,
            event={**event.data, "kind": event.kind, "key": event.key, "at": to_text(event.at)},
        )

    def _refusal(
        self, tx: Tx, flow: Flow, run: Run, event: Event, situation: Situation, sight: _Sight, now: datetime
    ) -> dict[str, str] | None:
        """Why the flow does not start for this event, as the rule and the value it saw; `None` when it does."""
        if now - event.at > flow.max_age:
            days = f"{(now - event.at).total_seconds() / 86400:.1f} d"
            return {"rule": f"event younger than {flow.max_age}", "saw": days}
        facts = facts_of(situation, sight.shop, run, flow.params, now, self._salt)
        for result in engine.admits(flow, facts):
            if not result.passed:
                return {"rule": f"{result.path} {result.op} {result.wanted}", "saw": str(result.saw)}
        return None

    def _keep_refusal(self, tx: Tx, run: Run, event: Event, refusal: dict[str, str], now: datetime) -> None:
        # Kept as an ended run so that "why was nothing sent" has an answer; its entry key leaves the real one free.
        refused = replace(
            run,
            entry_key=f"refused:{run.entry_key}:{event.key}",
            status=RunStatus.EXITED,
            wake_at=None,
            reason="not started",
        )
        if runs.start(tx, refused):
            runs.journal(tx, run.shop_id, run.id, now, "", "not_started", {"event": event.kind, **refusal})

    def _may_restart(self, tx: Tx, flow: Flow, run: Run, now: datetime) -> bool:
        """Replace an active run that has asked nobody anything yet; leave any other alone."""
        earlier = [
            other
            for other in (runs.of_order(tx, run.shop_id, run.order_id) if run.order_id else [])
            if other.flow_id == flow.id
            and (other.subject_kind, other.subject_id) == (run.subject_kind, run.subject_id)
            and not other.entry_key.startswith("refused:")
            and other.status is not RunStatus.CANCELLED
        ]
        if any(other.acted or other.status.ended for other in earlier):
            return False
        for other in earlier:
            self._cancel(tx, self.flow_of(tx, other), other, "restarted", now)
        return True

    def _cancel(self, tx: Tx, flow: Flow, run: Run, kind: str, now: datetime) -> None:
        self._keep(tx, engine.cancel(flow, run, kind, now), run, now)
        for effect in effects.of_run(tx, run.shop_id, run.id):
            if effect.status is EffectStatus.PENDING:
                effects.settle(tx, run.shop_id, effect.id, now, EffectStatus.SKIPPED, reason=f"cancelled: {kind}")

    def _advance(self, tx: Tx, run: Run, signal: Signal | None, situation: Situation, now: datetime) -> None:
        flow = self.flow_of(tx, run)
        shop = self.catalog.settings(run.shop_id).shop
        facts = facts_of(situation, shop, run, flow.params, now, self._salt)
        self._keep(tx, engine.advance(flow, run, facts, signal), run, now)

    def _keep(self, tx: Tx, transition: engine.Transition, before: Run, now: datetime) -> None:
        if not runs.save(tx, transition.run):
            # Another signal of this very run was stored first. The caller's transaction is taken again from the start.
            raise RunMoved(before.id)
        for effect in transition.effects:
            effects.put(tx, effect)
        runs.journal_many(
            tx,
            [(before.shop_id, before.id, now, entry.step_id, entry.what, entry.detail) for entry in transition.journal],
        )
        if transition.run.status.ended:
            self._programmes.ended(tx, transition.run, now)


class RunMoved(Exception):
    """Two signals met; `rev` made one of them come second."""


class _Sight:
    """Situations read once a transaction."""

    def __init__(self, tx: Tx, shop: Shop) -> None:
        self._tx = tx
        self.shop = shop
        self._seen: dict[tuple[str | None, str | None], Situation] = {}

    def of(self, order_id: str | None, customer_id: str | None = None) -> Situation:
        key = (order_id, None if order_id else customer_id)
        if key not in self._seen:
            self._seen[key] = look(self._tx, self.shop, order_id, customer_id)
        return self._seen[key]


def fetch_effect(shop_id: str, order_id: str, cause: str, now: datetime) -> Effect:
    """An effect that looks an order up again on the platform, once per cause."""
    return Effect(
        shop_id=shop_id,
        id=f"fetch:{order_id}:{cause}",
        run_id="",
        flow_id="",
        version="",
        step_id="",
        kind=FETCH,
        purpose=Purpose.TRANSACTIONAL,
        request={"resource": "order", "id": order_id},
        status=EffectStatus.PENDING,
        due_at=now,
        created_at=now,
        order_id=order_id,
    )
