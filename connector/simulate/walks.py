"""Runs of one life as objects: started, woken, resumed and ended by the product's own engine.

What `flows.runner` does with rows of a store, for the events a look back is made of. Whatever else happens raises
`Uncovered`: that life is then lived through the product's runner itself.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime

from connector.clock import to_text
from connector.contracts import Arrived, EffectDone, EffectSkipped, Signal, Woke
from connector.model import ConsentState, Effect, EffectStatus, Event, EventKind, Ref, Run, RunStatus
from connector.simulate.acts import Act, Uncovered
from connector.simulate.folders import Folder, Folders
from connector.simulate.knowing import Knowing, Way, way_of
from connector.store.runs import NEVER
from connector.working.intake import WAKE
from flows import engine
from flows.definition import Flow
from flows.derive import derived_events
from flows.facts import Facts, email_of, event_facts
from flows.knowing.situation import NOTHING, Situation
from flows.knowing.subjects import REPEATED, entry_key, is_account, next_number, stays_out, subjects_of
from flows.people.reacting import SIGNS_OF_LIFE
from flows.referring.finding import references
from flows.reviews.attached import publication
from flows.runner import SHIPMENT_NEWS, refused_by, reopened

COVERED = frozenset({"order", "shipment", "refund", "return", "review", "survey", "consent"})
"""What kinds of events begin with; all else needs more than is kept here."""
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_AWAKE = frozenset({RunStatus.READY, RunStatus.SLEEPING, RunStatus.AWAITING})


class Walks:
    """The runs and effects of one life at a time. `clear` begins the next."""

    def __init__(self, knowing: Knowing, flows: Sequence[Flow]) -> None:
        self.knowing = knowing
        self.folders: Folders = knowing.folders
        ways = [way_of(flow) for flow in flows]
        self.ways: dict[str, Way] = {way.flow.id: way for way in ways}
        self._started_by: dict[str, list[Way]] = {}
        for way in ways:
            for kind in way.flow.trigger:
                self._started_by.setdefault(kind, []).append(way)
        knowing.looks_beyond = any(way.looks_beyond for way in ways)
        self._heard = frozenset(kind for way in ways for kind in way.flow.event_kinds)
        self.clear()

    def clear(self) -> None:
        """Nobody is in any flow."""
        self.folders.clear()
        self.now = _NO_TIME
        self.runs: dict[str, Run] = {}
        self.acts: dict[str, Act] = {}
        self.of_run: dict[str, list[Act]] = {}
        self.pending: dict[str, Act] = {}
        self.asleep: dict[str, datetime] = {}
        self.codes: set[str] = set()
        self.refused: Counter[tuple[str, str]] = Counter()
        self._known: set[str] = set()
        self._entries: dict[tuple[str, str], str] = {}
        self._not_begun: set[tuple[str, str]] = set()
        self._told: dict[str, str] = {}
        self._objected = 0
        self.knowing.suppressed = False
        self._count = 0

    # -- what happens ------------------------------------------------------------------------------------------------

    def ingest(self, arrived: Sequence[Event], now: datetime) -> None:
        """Take events in and let flows see the new ones."""
        self.now = now
        fresh = self.take_in(arrived)
        queue: deque[Event] = deque()
        orders: dict[str, None] = {}
        for event in fresh:
            if event.consent is not None:
                if self.folders.is_echo(event.consent):
                    continue
                self._consent(event, now)
            queue.append(event)
            if event.order_id and event.subject.kind in SHIPMENT_NEWS:
                orders[event.order_id] = None
        for order_id in orders:
            for event in self.derived(order_id):
                self.learn(event)
                queue.append(event)
        while queue:
            self._signal(queue.popleft())

    def take_in(self, arrived: Sequence[Event]) -> list[Event]:
        """Record events and keep their snapshots; those that were not known."""
        fresh = []
        for event in arrived:
            kind = event.kind.partition(".")[0]
            if kind not in COVERED or event.checkout is not None or event.product is not None or "\0" in event.key:
                raise Uncovered(event.kind)
            if event.kind == EventKind.ORDER_DELETED:
                raise Uncovered(event.kind)
            if event.key not in self._known:
                self._known.add(event.key)
                fresh.append(event)
                self._note(event)
        self.folders.apply(arrived)
        return fresh

    def _note(self, event: Event) -> None:
        if event.order_id is None:
            return
        if event.kind == EventKind.REVIEW_SUBMITTED:
            folder = self.folders.folder(event.order_id)
            folder.reviewed_at = max(event.at, folder.reviewed_at or event.at)
            folder.seen.clear()
        elif event.subject.kind == "shipment":
            self.folders.folder(event.order_id).told.append(event)

    def _consent(self, event: Event, now: datetime) -> None:
        assert event.consent is not None
        self.folders.record(event.consent, now)
        if event.consent.state is ConsentState.WITHDRAWN:
            self._objected += 1
            if self._objected > 1:
                raise Uncovered("two objections may be an alarm's")

    def derived(self, order_id: str) -> list[Event]:
        """What follows from the order's parcels and is not known yet."""
        found = self.folders.look(order_id, None)
        if found.order is None:
            return []
        return derived_events(self.folders.shop, found.order, found.progress, found.shipments, self._known)

    def learn(self, event: Event) -> None:
        """It is known from now on."""
        self._known.add(event.key)

    # -- flows see an event ------------------------------------------------------------------------------------------

    def _signal(self, event: Event) -> None:
        kind = event.kind
        if kind == EventKind.ORDER_PAID and self.codes:
            self._refuse_codes(event)
        if kind == EventKind.REVIEW_SUBMITTED:
            self._publish_late(event)
        if kind in SIGNS_OF_LIFE:
            self._sign(event)
        if kind not in self._heard:
            return
        for run in self._active(event):
            way = self.ways[run.flow_id]
            if kind in way.flow.cancel_on:
                self._end(engine.cancel(way.flow, run, kind, self.now), run, kind)
            elif kind in run.awaiting:
                signal = Arrived(kind, {**event.data, "at": to_text(event.at)})
                self._advance(run, signal, self.situation(run))
        starting = self._started_by.get(kind)
        if starting:
            if event.order_id is None:
                raise Uncovered(f"{kind} of nobody's order")
            self._told = event_facts(event)
            situation = self.folders.look(event.order_id, event.customer_id)
            for way in starting:
                self._start(way, event, situation)

    def _refuse_codes(self, event: Event) -> None:
        order = self.folders.folder(event.order_id or "").order
        if order is None:
            return
        used = [discount.code for discount in order.discounts if discount.code]
        if any(code.strip().upper() in self.codes for code in (*used, *(value for _, value in references(order)))):
            raise Uncovered("a friend's order")

    def _publish_late(self, event: Event) -> None:
        """As `flows.reviews.attached.late_publication`."""
        late: tuple[Run, str] | None = None
        for run in sorted(self.folders.folder(event.order_id or "").runs.values(), key=_age):
            way = self.ways[run.flow_id]
            at = way.publishes
            if at is None:
                continue
            if not run.status.ended and (run.step < at or (run.step == at and run.status is not RunStatus.ACTING)):
                return  # the run comes to it
            late = run, way.flow.steps[at].id
        if late is not None:
            self._queue(publication(late[0], self.ways[late[0].flow_id].flow, late[1], event, self.now))

    def _sign(self, event: Event) -> None:
        if event.order_id is None:
            raise Uncovered(f"{event.kind} of nobody's order")
        address = email_of(self.knowing.facts(self.folders.look(event.order_id, event.customer_id), self.now))
        if address is not None:
            self.folders.signs[address] = max(event.at, self.folders.signs.get(address, event.at))

    def _active(self, event: Event) -> list[Run]:
        """The runs the event may cancel or resume, oldest first."""
        order_id, subject = event.order_id, event.subject
        if order_id is None:
            person = subject.id if subject.kind == "person" else None
            found = [
                run
                for run in self.runs.values()
                if (run.subject_kind, run.subject_id) == (subject.kind, subject.id)
                or (person is not None and run.email_key == person)
                or (event.customer_id is not None and run.customer_id == event.customer_id)
            ]
        elif subject.kind not in ("order", "shipment") or (subject.kind == "order" and subject.id != order_id):
            raise Uncovered(f"an order's {subject.kind}")
        else:
            found = list(self.folders.folder(order_id).runs.values())
        found = [run for run in found if not run.status.ended]
        return sorted(found, key=_age) if len(found) > 1 else found

    # -- runs --------------------------------------------------------------------------------------------------------

    def _start(self, way: Way, event: Event, situation: Situation) -> None:
        facts = self.knowing.facts(situation, self.now)
        for subject in subjects_of(way.flow, event, situation.order, email_of(facts)):
            if subject.kind == "line_item":
                seen = self.knowing.facts(self.knowing.with_line(situation, subject), self.now)
            elif subject.kind == "shipment":
                seen = self.knowing.facts(situation, self.now, subject.id)
            else:
                seen = facts
            self._start_one(way, event, subject, seen)

    def _start_one(self, way: Way, event: Event, subject: Ref, facts: Facts) -> None:
        flow, person = way.flow, email_of(facts)
        if flow.reentry in REPEATED:
            before = self._latest(flow.id, subject, person if flow.subject == "customer" else None)
            out = stays_out(flow, before, self.now)
            refused = {"rule": out[0]} if out else refused_by(flow, event, facts, self._told)
            if refused is not None:
                self.refuse(flow, event, subject, refused["rule"])
            else:
                self._begin(flow, event, subject, facts, next_number(before))
            return
        earlier = self._entry(flow.id, entry_key(flow, event, subject, person))
        if earlier is None and flow.reentry == "once" and is_account(subject):
            earlier = self._latest(flow.id, subject, person)
        if earlier is not None and flow.reentry != "restart":
            if earlier.order_id != event.order_id:
                self.refuse(flow, event, subject, f"once per {flow.subject}")
            return
        refusal = refused_by(flow, event, facts, self._told)
        if refusal is not None:
            if earlier is None:
                self.refuse(flow, event, subject, refusal["rule"])
        elif earlier is not None:
            again = engine.restart(flow, reopened(earlier), event, facts)
            if again is not None:
                self._keep(again)
        else:
            self._begin(flow, event, subject, facts, 1)

    def _entry(self, flow_id: str, key: str) -> Run | None:
        run_id = self._entries.get((flow_id, key))
        return self.runs[run_id] if run_id is not None else None

    def _latest(self, flow_id: str, subject: Ref, person: str | None) -> Run | None:
        found = (
            run
            for run in self.runs.values()
            if run.flow_id == flow_id
            and not run.entry_key.startswith("refused/")
            and (
                (run.subject_kind, run.subject_id) == (subject.kind, subject.id) or run.email_key == person is not None
            )
        )
        return max(found, key=_age, default=None)

    def _begin(self, flow: Flow, event: Event, subject: Ref, facts: Facts, number: int) -> None:
        self._count += 1
        run_id = f"{self._count:026d}"
        begun = engine.start(flow, event, facts, run_id, subject=subject, number=number, told=self._told, diary=False)
        self.enter(begun.run)
        self._keep(begun)

    def enter(self, run: Run) -> None:
        """A new run takes its place under its key."""
        self._entries[run.flow_id, run.entry_key] = run.id
        self.runs[run.id] = run

    def refuse(self, flow: Flow, event: Event, subject: Ref, rule: str) -> None:
        """A run never began: kept once, for the count."""
        key = f"refused/{subject}/{event.order_id}/{event.kind}/{rule}"
        self._count += 1
        if (flow.id, key) in self._not_begun:
            return
        self._not_begun.add((flow.id, key))
        self.refused[flow.id, rule] += 1
        if self.ways[flow.id].publishes is not None:  # a review that comes late is published by the run that never was
            run = self._never(flow, event, subject, key)
            self.runs[run.id] = self.folders.folder(run.order_id or "").runs[run.id] = run

    def _never(self, flow: Flow, event: Event, subject: Ref, key: str) -> Run:
        situation = self.folders.look(event.order_id or "", event.customer_id)
        return Run(
            shop_id=self.knowing.shop.id,
            id=f"{self._count:026d}",
            flow_id=flow.id,
            version=flow.version,
            subject_kind=subject.kind,
            subject_id=subject.id,
            entry_key=key,
            status=RunStatus.EXITED,
            step=0,
            created_at=self.now,
            updated_at=self.now,
            order_id=event.order_id,
            customer_id=event.customer_id,
            email_key=email_of(self.knowing.facts(situation, self.now)),
            event=self._told,
            reason=NEVER,
        )

    def spend(self, run: Run, rule: str) -> None:
        """A flow had its chance with an order before the look begins."""
        if (run.flow_id, run.entry_key) not in self._entries:
            self.enter(run)
            self.refused[run.flow_id, rule] += 1
            if run.order_id is not None:
                self.folders.folder(run.order_id).runs[run.id] = run

    def next_due(self) -> datetime | None:
        """When the next run wakes or the next effect is due."""
        first = min(self.asleep.values()) if self.asleep else None
        for act in self.pending.values():
            if first is None or act.due_at < first:
                first = act.due_at
        return first

    def wake(self, now: datetime) -> None:
        """Let the runs whose time has come go on."""
        self.now = now
        due = sorted([(at, run_id) for run_id, at in self.asleep.items() if at <= now])[:WAKE]
        for run in [self.runs[run_id] for _, run_id in due]:
            self._advance(run, None if run.status is RunStatus.READY else Woke(), self.situation(run))

    def situation(self, run: Run) -> Situation:
        assert run.order_id is not None
        found = self.folders.look(run.order_id, run.customer_id)
        if run.subject_kind == "line_item":
            return self.knowing.with_line(found, Ref(run.subject_kind, run.subject_id))
        return found

    def facts(self, run: Run, situation: Situation) -> Facts:
        return self.knowing.facts(situation, self.now, run.subject_id if run.subject_kind == "shipment" else "")

    def settled(self, act: Act, signal: EffectDone | EffectSkipped) -> None:
        """Tell a run what became of its effect."""
        run = self.runs[act.effect.run_id]
        if run.status is not RunStatus.ACTING:
            return
        steps = self.ways[run.flow_id].flow.steps
        if run.step < len(steps) and steps[run.step].id != act.effect.step_id:
            return
        last = run.step + 1 >= len(steps)
        self._advance(run, signal, NOTHING if last else self.situation(run))

    def _advance(self, run: Run, signal: Signal | None, situation: Situation) -> None:
        way = self.ways[run.flow_id]
        moved = engine.advance(way.flow, run, self.facts(run, situation), signal, diary=False)
        if moved.run is not run:
            self._keep(moved)

    def _end(self, moved: engine.Transition, run: Run, kind: str) -> None:
        if moved.run is not run:
            self._keep(moved)
        for act in self.of_run.get(run.id, ()):
            if act.status in (EffectStatus.PENDING, EffectStatus.HELD):
                self.settle(act, EffectStatus.SKIPPED, f"cancelled: {kind}")

    def _keep(self, moved: engine.Transition) -> None:
        run = moved.run
        self.runs[run.id] = run
        folder: Folder = self.folders.folder(run.order_id or "")
        folder.runs[run.id] = run
        if run.wake_at is not None and run.status in _AWAKE:
            self.asleep[run.id] = run.wake_at
        else:
            self.asleep.pop(run.id, None)
        for effect in moved.effects:
            self._queue(effect)

    def _queue(self, effect: Effect) -> None:
        if effect.id not in self.acts:
            act = self.acts[effect.id] = self.pending[effect.id] = Act(effect)
            self.of_run.setdefault(effect.run_id, []).append(act)

    def settle(self, act: Act, status: EffectStatus, reason: str = "") -> None:
        """Record what became of an effect."""
        self.pending.pop(act.effect.id, None)
        act.status, act.reason, act.done_at, act.lease_until = status, reason, self.now, None


def _age(run: Run) -> tuple[datetime, str]:
    return run.created_at, run.id
