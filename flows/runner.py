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
from connector.log import get_log
from connector.model import (
    Buyer,
    ConsentState,
    Effect,
    EffectStatus,
    Event,
    EventKind,
    Ref,
    Run,
    RunStatus,
)
from connector.store import consents, effects, entities, events, privacy, runs, traces
from connector.store.db import Tx
from connector.store.people import Person
from flows import engine
from flows.catalog import Catalog
from flows.definition import Flow
from flows.derive import derived_events
from flows.facts import Facts, email_of, event_facts
from flows.knowing.sight import Sight
from flows.knowing.situation import NOTHING, Situation, facts_of, look_at_run
from flows.knowing.subjects import REPEATED, entry_key, is_account, next_number, order_name, stays_out, subjects_of
from flows.limits.alarms import UNSUBSCRIBE, objected
from flows.obeying import obey
from flows.people import forgetting, membership
from flows.people.consenting import is_echo
from flows.people.reacting import SIGNS_OF_LIFE, note_sign
from flows.referring.programme import Referring
from flows.referring.programmes import Programmes
from flows.reviews.attached import late_publication
from flows.sending import repeating
from flows.sending.foreseeing import foresee_orders
from flows.triggers import arming
from flows.value import asides, exchanging
from flows.value.loyalty import Loyalty

log = get_log("runner")

SHIPMENT_NEWS = frozenset({"order", "shipment", "refund", "return"})


class Runner:
    """Moves runs. `salt` makes codes and links unguessable from outside; it never leaves the product."""

    def __init__(self, catalog: Catalog, clock: Clock, salt: bytes) -> None:
        self.catalog = catalog
        self._clock = clock
        self._salt = salt
        self.loyalty = Loyalty(lambda: self.catalog)
        self.programmes = Programmes(self.loyalty, Referring(lambda: self.catalog, salt), self)

    def ingest(
        self, tx: Tx, shop_id: str, arrived: Sequence[Event], now: datetime, delivery_id: int | None = None
    ) -> int:
        """Apply events and let flows see the new ones. Returns how many were new.

        One order is taken in by one transaction at a time: of two parcels stored side by side neither would see the
        other, and nobody would notice that the order is now sent.
        """
        tx.hold(order_name(shop_id, event.order_id) for event in arrived if event.order_id)
        for event in arrived:
            # Before its snapshots are taken in: they may be all that still says whose order it was.
            if event.kind == EventKind.CUSTOMER_REDACTED and not events.has(tx, shop_id, event.key):
                person = self.forget(tx, shop_id, forgetting.subject_of(event), now)
                forgetting.ask_for(tx, self._salt, shop_id, event, now, person)
        fresh = events.record_many(tx, shop_id, arrived, now, delivery_id)
        queue: deque[Event] = deque()
        orders: dict[str, None] = {}
        if self.catalog.segments(shop_id):
            membership.note(tx, shop_id, arrived, now)
        entities.apply_many(tx, shop_id, arrived, now)
        for event in arrived:
            if event.key not in fresh or (event.consent is not None and is_echo(tx, shop_id, event.consent)):
                continue
            queue.append(event)
            if event.order_id and event.subject.kind in SHIPMENT_NEWS:
                orders[event.order_id] = None
            if event.consent is not None:
                consents.record(tx, shop_id, event.consent, now)
                if event.consent.state is ConsentState.WITHDRAWN:
                    address = consents.address_of(tx, shop_id, event.consent)
                    objected(tx, self.catalog, shop_id, address, UNSUBSCRIBE, now)
            obey(tx, self._salt, shop_id, event, now)
        if not queue:
            return 0
        sight = Sight(tx, self.catalog.settings(shop_id).shop)
        for order_id in orders:
            queue.extend(self._derived(tx, shop_id, sight.of(order_id), now))
        count = len(queue)
        seen: list[Event] = []
        while queue:
            event = queue.popleft()
            seen.append(event)
            more = self.programmes.follow(tx, sight.shop, event, sight.of(event.order_id, event.customer_id), now)
            if more:
                kept = events.record_many(tx, shop_id, more, now, delivery_id)
                queue.extend(item for item in more if item.key in kept)
                sight.forget(event.order_id)
            self._signal(tx, shop_id, event, sight, now)
        arming.follow(tx, self.catalog, sight, seen, now)
        return count

    def foresee(self, tx: Tx, shop_id: str, arrived: Sequence[Event]) -> None:
        """Hold and read at once what the deliveries of a batch, ingested one by one, are going to ask for."""
        order_ids = list(dict.fromkeys(event.order_id for event in arrived if event.order_id))
        tx.hold(order_name(shop_id, order_id) for order_id in order_ids)
        events.foresee(tx, shop_id, [event.key for event in arrived])
        entities.foresee(tx, shop_id, order_ids)
        entities.foresee_customers(tx, shop_id, dict.fromkeys(filter(None, map(_buyer_of, arrived))))
        runs.foresee(tx, shop_id, order_ids)
        forgetting.foresee(tx, self._salt, shop_id, arrived)

    def foresee_due(self, tx: Tx, due: Sequence[Run]) -> None:
        """The same for runs whose time has come, woken one by one. What is held by others stays theirs."""
        tx.try_hold_many(order_name(run.shop_id, run.order_id) for run in due if run.order_id)
        foresee_orders(tx, due)

    def wake(self, tx: Tx, run: Run, now: datetime) -> None:
        """Let a run whose time has come go on; at the next tick, when news of its order is being taken in just now."""
        # No waiting: the caller has locked the run's row, for which whoever holds the order may be waiting.
        if run.order_id and not tx.try_hold(order_name(run.shop_id, run.order_id)):
            return
        signal = None if run.status is RunStatus.READY else Woke()
        self._advance(tx, run, signal, self._situation(tx, run), now)

    def hear(self, tx: Tx, run: Run, signal: Signal, now: datetime) -> None:
        """Give a run word of something that is no event of the shop's: a person's decision."""
        if run.order_id:
            tx.hold([order_name(run.shop_id, run.order_id)])
        self._advance(tx, run, signal, self._situation(tx, run), now)

    def settle(self, tx: Tx, effect: Effect, signal: Signal, now: datetime) -> None:
        """Tell a run what became of its effect. A run that ended meanwhile stays ended."""
        run = runs.get(tx, effect.shop_id, effect.run_id) if effect.run_id else None
        if run is None or run.status is not RunStatus.ACTING:
            exchanging.settled(tx, effect, signal, now)
            return
        # After the last step nothing looks at the order any more, so it need not be read for every message sent.
        steps = self.flow_of(tx, run).steps
        if run.step < len(steps) and steps[run.step].id != effect.step_id:
            return  # an earlier step's message, sent again by hand
        last = run.step + 1 >= len(steps)
        if run.order_id and not last:
            # What the next step waits for may be coming in at this moment: one of the two must see the other.
            tx.hold([order_name(run.shop_id, run.order_id)])
        self._advance(tx, run, signal, NOTHING if last else self._situation(tx, run), now)

    def strand(self, tx: Tx, shop_id: str, run_id: str, now: datetime) -> None:
        """End a run that an error of ours keeps from going on; `failed`, with the reason kept for a person."""
        run = runs.get(tx, shop_id, run_id)
        if run is None or run.status.ended:
            return
        failed = replace(run, status=RunStatus.FAILED, wake_at=None, awaiting=(), reason="INTERNAL", updated_at=now)
        if not runs.save(tx, failed):
            raise RunMoved(run_id)
        told = {"code": "INTERNAL", "text": "an error of ours; see the log"}
        runs.journal(tx, shop_id, run_id, now, "", "failed", told)

    def withdraw(self, tx: Tx, run: Run, reason: str, now: datetime) -> None:
        """End a run because its flow was stopped; the journal keeps what is therefore not sent."""
        left = [name for item in self.flow_of(tx, run).steps[run.step :] for name in item.step.templates()]
        stopped = engine.stop(run, reason, now)
        told = {"reason": reason, "not_sent": ", ".join(dict.fromkeys(left))}
        entries = tuple(replace(entry, detail=told) for entry in stopped.journal)
        self._end(tx, replace(stopped, journal=entries), run, reason, now)

    def migrate(self, tx: Tx, transition: engine.Transition, now: datetime) -> None:
        """Store what a change of its flow made of a run (`flows.authoring.moving`)."""
        runs.migrate(tx, transition.run)
        self._store(tx, transition, now)

    def performed(self, tx: Tx, run: Run | None, effect: Effect, values: Mapping[str, str], now: datetime) -> None:
        """Let the programmes know what a platform effect gave (a referral code that now exists)."""
        if run is not None:
            self.programmes.performed(tx, run, effect, values, now)
        elif told := asides.performed(tx, effect, values, now):
            self.ingest(tx, effect.shop_id, told, now)

    def follow_record(self, tx: Tx, run: Run, facts: Facts, now: datetime) -> None:
        """A record of ours about the run's person was written: dates and segments of theirs may hang on it."""
        arming.of_run(tx, self.catalog, run, now)
        if self.catalog.segments(run.shop_id):
            customer_id = (facts.customer.id if facts.customer else None) or run.customer_id
            membership.note_buyer(tx, run.shop_id, Buyer(email_of(facts) or run.email_key, customer_id), now)

    def flow_of(self, tx: Tx, run: Run) -> Flow:
        return self.catalog.version(tx, run.shop_id, run.flow_id, run.version)

    def _situation(self, tx: Tx, run: Run) -> Situation:
        return look_at_run(tx, self.catalog.settings(run.shop_id).shop, run)

    def _derived(self, tx: Tx, shop_id: str, situation: Situation, now: datetime) -> list[Event]:
        if situation.order is None:
            return []
        shop = self.catalog.settings(shop_id).shop
        found = derived_events(shop, situation.order, situation.progress, situation.shipments)
        if not found:
            return []
        kept = events.record_many(tx, shop_id, found, now, None)
        return [event for event in found if event.key in kept]

    def forget(self, tx: Tx, shop_id: str, subject: Mapping[str, str], now: datetime) -> Person:
        """A person is to be forgotten: nothing of theirs goes on from here, and nothing begins again. Their rows are
        erased by the request that belongs to this (connector.privacy)."""
        person = forgetting.find_person(tx, shop_id, subject)
        privacy.remember_erasure(tx, shop_id, forgetting.erasure_keys(self._salt, person), now)
        kind = str(EventKind.CUSTOMER_REDACTED)
        for run_id in sorted(person.runs):
            run = runs.get(tx, shop_id, run_id)
            if run is not None and not run.status.ended:
                self._end(tx, engine.stop(run, kind, now), run, kind, now)
        return person

    def _signal(self, tx: Tx, shop_id: str, event: Event, sight: Sight, now: datetime) -> None:
        if event.kind == EventKind.REVIEW_SUBMITTED:
            late_publication(tx, self.flow_of, event, shop_id, now)
        if event.kind in SIGNS_OF_LIFE:
            note_sign(tx, shop_id, event, sight.of_event(event))
        for run in sight.active(event, person=self.catalog.concerns_people(shop_id, event.kind)):
            flow = self.flow_of(tx, run)
            if event.kind in flow.cancel_on:
                self._cancel(tx, flow, run, event.kind, now)
            elif event.kind in run.awaiting:
                signal = Arrived(event.kind, {**event.data, "at": to_text(event.at)})
                about_order = run.order_id and run.subject_kind != "line_item" and "referral_id" not in run.event
                situation = sight.of(run.order_id, run.customer_id) if about_order else self._situation(tx, run)
                self._advance(tx, run, signal, situation, now)
        for flow in self.catalog.triggered_by(shop_id, event.kind):
            self._start(tx, flow, event, sight, now)

    def _start(self, tx: Tx, flow: Flow, event: Event, sight: Sight, now: datetime) -> None:
        if not flow.meant_by(event):
            return
        shop = sight.shop
        situation = sight.of_event(event)
        guides = self.catalog.settings(shop.id).guides
        facts = facts_of(situation, shop, flow.texts, now, self._salt, event=event_facts(event), guides=guides, tx=tx)
        for subject in subjects_of(flow, event, situation.order, email_of(facts)):
            if subject.kind == "line_item":
                seen = replace(facts, line=sight.of_line(situation, subject).line)
            else:
                seen = replace(facts, shipment=situation.shipment(subject.id)) if subject.kind == "shipment" else facts
            self._start_one(tx, flow, event, subject, seen, sight)

    def _start_one(self, tx: Tx, flow: Flow, event: Event, subject: Ref, facts: Facts, sight: Sight) -> None:
        person, now = email_of(facts), facts.now
        if flow.reentry in REPEATED:
            before = sight.latest(flow.id, subject, person if flow.subject == "customer" else None)
            out = stays_out(flow, before, now)
            refused = {"rule": out[0], "saw": out[1]} if out else refused_by(flow, event, facts)
            if refused is not None:
                self._keep_refusal(tx, flow, event, facts, subject, refused)
                return
            self._begin(tx, flow, event, subject, facts, sight, next_number(before))
            return
        earlier = sight.entry(flow.id, entry_key(flow, event, subject, person), subject)
        if earlier is None and flow.reentry == "once" and is_account(subject):
            # Their address was corrected since: the key, made of it, is another, and they are the same person.
            earlier = sight.latest(flow.id, subject, person)
        if earlier is not None and flow.reentry != "restart":
            if earlier.order_id != event.order_id:
                # A customer's later order: without a word here nobody could say why it led to nothing.
                once = {"rule": f"once per {flow.subject}", "saw": f"entered before, {earlier.status}"}
                self._keep_refusal(tx, flow, event, facts, subject, once)
            return
        refusal = refused_by(flow, event, facts)
        if refusal is not None:
            if earlier is None:
                self._keep_refusal(tx, flow, event, facts, subject, refusal)
            return
        if earlier is not None:
            newest = runs.get(tx, facts.shop.id, earlier.id) or earlier
            again = engine.restart(flow, reopened(newest), event, facts)
            if again is not None:
                self.catalog.pin(tx, facts.shop.id, flow, now)
                runs.keep_start(tx, newest)
                self._keep(tx, again, newest, now)
            return
        self._begin(tx, flow, event, subject, facts, sight, 1)

    def _begin(self, tx: Tx, flow: Flow, event: Event, subject: Ref, facts: Facts, sight: Sight, number: int) -> None:
        begun = engine.start(flow, event, facts, self._clock.new_id(), subject=subject, number=number)
        runs.begin(tx, begun.run)
        sight.started(begun.run)
        self.catalog.pin(tx, facts.shop.id, flow, facts.now)
        # How it began stands in its row (`runs.journal_of`).
        self._store(tx, replace(begun, journal=begun.journal[1:]), facts.now)

    def _keep_refusal(
        self, tx: Tx, flow: Flow, event: Event, facts: Facts, subject: Ref, refusal: dict[str, str]
    ) -> None:
        # Kept as an ended run so that "why was nothing sent" has an answer; its entry key leaves the real one free.
        run = Run(
            shop_id=facts.shop.id,
            id=self._clock.new_id(),
            flow_id=flow.id,
            version=flow.version,
            subject_kind=subject.kind,
            subject_id=subject.id,
            entry_key=f"refused/{subject}/{event.order_id}/{event.kind}/{refusal['rule']}",
            status=RunStatus.EXITED,
            step=0,
            created_at=facts.now,
            updated_at=facts.now,
            order_id=event.order_id,
            customer_id=event.customer_id,
            email_key=email_of(facts),
            event=event_facts(event),
            reason=runs.NEVER,
        )
        order_id = event.order_id or (subject.id if subject.kind == "order" else None)
        if runs.by_entry(tx, run.shop_id, run.flow_id, run.entry_key, order_id) is None:
            runs.begin(tx, run)
            detail = {"event": str(event.kind), **refusal}
            runs.journal(tx, run.shop_id, run.id, facts.now, "", "not_started", detail)

    def _cancel(self, tx: Tx, flow: Flow, run: Run, kind: str, now: datetime) -> None:
        self._end(tx, engine.cancel(flow, run, kind, now), run, kind, now)

    def _end(self, tx: Tx, transition: engine.Transition, run: Run, kind: str, now: datetime) -> None:
        """Store the end of a run, and drop what it had put in the outbox and was not sent."""
        self._keep(tx, transition, run, now)
        for effect in effects.of_run(tx, run.shop_id, run.id):
            if effect.status not in (EffectStatus.PENDING, EffectStatus.HELD):
                continue
            status, reason = EffectStatus.SKIPPED, f"cancelled: {kind}"
            if repeating.in_doubt(effect):
                status, reason = EffectStatus.UNCERTAIN, f"{effect.reason}; not repeated: {reason}"
            effects.settle(tx, run.shop_id, effect.id, now, status, reason=reason)

    def _advance(self, tx: Tx, run: Run, signal: Signal | None, situation: Situation, now: datetime) -> None:
        flow = self.flow_of(tx, run)
        settings = self.catalog.settings(run.shop_id)
        facts = facts_of(situation, settings.shop, flow.texts, now, self._salt, run=run, guides=settings.guides, tx=tx)
        self._keep(tx, engine.advance(flow, run, facts, signal), run, now)

    def _keep(self, tx: Tx, transition: engine.Transition, before: Run, now: datetime) -> None:
        if transition.run is before:
            return
        # When another signal of this very run was stored first, the caller's transaction is taken again from the start.
        runs.move(tx, transition.run)
        self._store(tx, transition, now)

    def _store(self, tx: Tx, transition: engine.Transition, now: datetime) -> None:
        run = transition.run
        traces.moved(tx, run, now)
        for effect in transition.effects:
            effects.queue(tx, effect)
        runs.journal_many(
            tx, [(run.shop_id, run.id, now, entry.step_id, entry.what, entry.detail) for entry in transition.journal]
        )
        if run.status.ended:
            self.programmes.ended(tx, run, now)


def _buyer_of(event: Event) -> str | None:
    customer = event.order.customer if event.order else None
    return customer.id if customer else event.customer_id


def refused_by(flow: Flow, event: Event, facts: Facts, told: Mapping[str, str] | None = None) -> dict[str, str] | None:
    """Why the flow does not start for this event, as the rule and the value it saw; `None` when it does."""
    if engine.too_old(flow, event, facts.now):
        age = f"{(facts.now - event.at).total_seconds() / 86400:.1f} d"
        return {"rule": f"event younger than {flow.max_age.total_seconds() / 86400:g} d", "saw": age}
    result = engine.refusal(flow, facts, told)
    if result is not None:
        return {"rule": f"{result.path} {result.op} {result.wanted}", "saw": str(result.saw)}
    return None


def reopened(run: Run) -> Run:
    """A run that came to its end without doing anything may begin anew: the parcel was taken back for weeks, nobody
    was asked, and now it is sent again. One that was cancelled stays so."""
    idle = run.status in (RunStatus.COMPLETED, RunStatus.EXITED) and not run.acted
    return replace(run, status=RunStatus.READY) if idle else run


class RunMoved(Exception):
    """Two signals met; `rev` made one of them come second."""
