"""Advancing a run. Pure: the same flow, run, facts and signal always give the same transition.

Nothing here reads a clock, a store or a network. The caller stores the transition in one transaction: the run, its new
effects, its journal. An effect's id is the run's and the step's, never the attempt's, so storing it twice is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from connector.contracts import (
    Act,
    Arrived,
    Await,
    Done,
    EffectDone,
    EffectFailed,
    EffectSkipped,
    Exit,
    Signal,
    Sleep,
    Woke,
)
from connector.model import Effect, EffectStatus, Event, Purpose, Ref, Run, RunStatus
from connector.model.changing import changed, quick
from flows.definition import Flow, FlowStep, entry_key, require_subject
from flows.facts import Facts, Standing, email_of, event_facts
from flows.guards import GuardResult, shown


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One thing that happened to a run. `step_id` is empty for the run as a whole.

    `what` is one of: started, restarted, skipped (a guard failed: `path`, `op`, `wanted`, `saw`), sleeping (`until`),
    awaiting (`kinds`, `until`), acting (`effect`), done (`outcome` and values), exited, cancelled, completed; of a run
    that moved to another version also moved (`flows.authoring.moving`) and passed (a step it had done before).
    """

    step_id: str
    what: str
    detail: Mapping[str, str] = field(default_factory=dict)


@quick
@dataclass(frozen=True, slots=True)
class Transition:
    """What one call changed. `run is` the run given when the signal meant nothing to it."""

    run: Run
    effects: tuple[Effect, ...] = ()
    journal: tuple[JournalEntry, ...] = ()


def triggered(flow: Flow, event: Event) -> bool:
    """Whether this kind of event starts the flow at all."""
    return flow.enabled and str(event.kind) in flow.trigger and flow.meant_by(event)


def too_old(flow: Flow, event: Event, now: datetime) -> bool:
    """Whether the event is past the flow's age limit: news of last month must not greet anybody today."""
    return now - event.at > flow.max_age


def admits(flow: Flow, facts: Facts) -> list[GuardResult]:
    """Every guard of the flow, evaluated; the run may start when all passed."""
    seen = _before(flow, facts)
    return [guard.evaluate(seen) for guard in flow.when]


def refusal(flow: Flow, facts: Facts, event: Mapping[str, str] | None = None) -> GuardResult | None:
    """What the first guard of the flow that fails found; `None` when the run may start. `event` where the facts do
    not carry it."""
    seen = _before(flow, facts, event)
    for guard in flow.when:
        found = guard.failure(seen)
        if found is not None:
            return found
    return None


def _before(flow: Flow, facts: Facts, event: Mapping[str, str] | None = None) -> Standing:
    """The facts as the guards of a start see them."""
    return Standing(facts, params=flow.texts, event=facts.event if event is None else event, steps=facts.steps)


def start(
    flow: Flow,
    event: Event,
    facts: Facts,
    run_id: str,
    *,
    subject: Ref | None = None,
    number: int = 1,
    told: Mapping[str, str] | None = None,
    diary: bool = True,
) -> Transition:
    """Create the run an event starts, and advance it. `facts.event` need not be filled.

    `subject` is what the run is about where the event does not say it alone (a line of its order), `number` which
    entry of the subject this is, `told` the event's facts where they are at hand. Raises `ConfigError`
    when the event names no subject for this flow (ask `subject_of` first).
    """
    person = email_of(facts)
    subject = subject or require_subject(flow, event, person)
    order = facts.order
    customer = facts.customer or (order.customer if order else None)
    run = Run(
        shop_id=facts.shop.id,
        id=run_id,
        flow_id=flow.id,
        version=flow.version,
        subject_kind=subject.kind,
        subject_id=subject.id,
        entry_key=entry_key(flow, event, subject, person, number),
        status=RunStatus.READY,
        step=0,
        created_at=facts.now,
        updated_at=facts.now,
        order_id=event.order_id or (order.id if order else None),
        customer_id=event.customer_id or (customer.id if customer else None),
        email_key=person,
        event=event_facts(event) if told is None else told,
    )
    begun = JournalEntry("", "started", {"kind": str(event.kind), "version": flow.version})
    moved = advance(flow, run, facts, diary=diary)
    return Transition(moved.run, moved.effects, (begun, *moved.journal))


def restart(flow: Flow, run: Run, event: Event, facts: Facts) -> Transition | None:
    """Begin an active run anew for a later event, where the flow's re-entry is `restart`.

    The row, its id and its entry key stay; nothing had been put in the outbox, so no effect can be met twice.
    `None` when the run stays as it is: another re-entry, the same event again, a run that acted or ended.
    """
    if flow.reentry != "restart" or run.acted or run.status.ended or run.event.get("key") == event.key:
        return None
    fresh = start(flow, event, facts, run.id, subject=Ref(run.subject_kind, run.subject_id))
    kept = replace(fresh.run, entry_key=run.entry_key, created_at=run.created_at, rev=run.rev)
    first = JournalEntry("", "restarted", {"kind": str(event.kind), "version": flow.version})
    return Transition(kept, fresh.effects, (first, *fresh.journal[1:]))


def cancel(flow: Flow, run: Run, kind: str, now: datetime) -> Transition:
    """End the run because `kind` happened, where the flow says so. Effects not yet sent are the caller's to drop."""
    if run.status.ended or kind not in flow.cancel_on:
        return Transition(run)
    return stop(run, kind, now)


def stop(run: Run, reason: str, now: datetime) -> Transition:
    """End the run for a reason of the operator's (an erasure, a withdrawn flow)."""
    if run.status.ended:
        return Transition(run)
    ended = replace(run, status=RunStatus.CANCELLED, reason=reason, wake_at=None, awaiting=(), updated_at=now)
    return Transition(ended, journal=(JournalEntry("", "cancelled", {"reason": reason}),))


def advance(flow: Flow, run: Run, facts: Facts, signal: Signal | None = None, *, diary: bool = True) -> Transition:
    """Run steps forward until one sleeps, waits, acts or ends the run.

    A signal that does not fit the run's state (a wake before its time, an event nobody waits for, a second word about
    an effect) changes nothing. `None` means "go on if you can": a ready run starts, a due one wakes. Without a
    `diary` no journal is written: a look back reads none.
    """
    expected = _expected(run, facts.now, signal)
    if expected is None:
        return Transition(run)
    walk = _Walk(flow, run, facts, diary)
    if run.status is RunStatus.AWAITING and isinstance(expected, Arrived) and not walk.awaits(expected):
        return Transition(run)
    return walk.go(None if run.status is RunStatus.READY else expected)


def _expected(run: Run, now: datetime, signal: Signal | None) -> Signal | None:
    """The signal to act on, `None` where it must be ignored. A ready run needs none: any word sets it going."""
    due = run.wake_at is not None and run.wake_at <= now
    match run.status:
        case RunStatus.READY:
            return signal or Woke()
        case RunStatus.SLEEPING:
            return Woke() if due and isinstance(signal, Woke | None) else None
        case RunStatus.AWAITING:
            if isinstance(signal, Arrived):
                return signal if signal.kind in run.awaiting else None
            return Woke() if due and isinstance(signal, Woke | None) else None
        case RunStatus.ACTING:
            return signal if isinstance(signal, EffectDone | EffectSkipped | EffectFailed) else None
    return None


class _Walk:
    """One call of `advance`: where the run stands as it moves, and what came of it so far.

    The run itself is built once, at the end: it has twenty fields, and a step may change it four times.
    """

    def __init__(self, flow: Flow, run: Run, facts: Facts, diary: bool = True) -> None:
        self.flow = flow
        self.run = run
        self.now = facts.now
        self.step = run.step
        self.outcomes = run.outcomes
        self.journal: list[JournalEntry] = []
        self._diary = diary
        self._seen = seen_from(flow, run, facts, "")

    def awaits(self, signal: Arrived) -> bool:
        """Whether the step the run stands at waits for this very event."""
        if self.step >= len(self.flow.steps):
            return False
        item = self.flow.steps[self.step]
        return item.step.awaits(self._seen_at(item), signal)

    def go(self, signal: Signal | None) -> Transition:
        # Each pass moves one step on or returns, so the walk ends after at most len(steps) passes.
        while self.step < len(self.flow.steps):
            item = self.flow.steps[self.step]
            if signal is None and item.id in self.outcomes:
                # Only in a run that moved here from another version, where this step stood before: its effect has the
                # same id, so that nobody would ever be told of a second one.
                self._note(item.id, "passed", {"why": "done before the flow was changed"})
                self.step += 1
                continue
            if signal is None and not self._admitted(item):
                self.step += 1
                continue
            seen = self._seen_at(item)
            decision = item.step.start(seen) if signal is None else item.step.resume(seen, signal)
            signal = None
            if isinstance(decision, Sleep | Await) and decision.until <= self.now:
                # A wait whose time is past goes on at once. Asked once: a step that insists on a time in the past
                # sleeps until the next tick, so the walk always ends.
                decision = item.step.resume(seen, Woke())
            if isinstance(decision, Done):
                self._finish(item, decision)
                continue
            return self._halt(item, decision)
        return self._end(RunStatus.COMPLETED, "", "completed", "")

    def _seen_at(self, item: FlowStep) -> Standing:
        """The facts as this step and its guards see them."""
        self._seen.step_id = item.id
        return self._seen

    def _admitted(self, item: FlowStep) -> bool:
        if not self._diary:
            return all(guard.holds(self._seen) for guard in item.when)
        for guard in item.when:
            found = guard.failure(self._seen)
            if found is not None:
                seen = {"path": found.path, "op": found.op, "wanted": found.wanted, "saw": found.saw}
                self._note(item.id, "skipped", seen)
                return False
        return True

    def _finish(self, item: FlowStep, done: Done) -> None:
        outcome = {**done.values, "outcome": done.outcome}
        self.outcomes = self._seen.steps = {**self.outcomes, item.id: outcome}
        self._note(item.id, "done", outcome)
        self.step += 1

    def _halt(self, item: FlowStep, decision: Sleep | Await | Act | Exit) -> Transition:
        match decision:
            case Sleep(until=until, why=why):
                if self._diary:
                    self._note(item.id, "sleeping", {"until": shown(until)} | ({"why": why} if why else {}))
                return self._moved(RunStatus.SLEEPING, wake_at=until)
            case Await(kinds=kinds, until=until, beside=beside):
                if self._diary:
                    self._note(item.id, "awaiting", {"kinds": " ".join(kinds), "until": shown(until)})
                effects = (self._effect(item, beside),) if beside is not None else ()
                return self._moved(RunStatus.AWAITING, wake_at=until, awaiting=kinds, effects=effects)
            case Act():
                effect = self._effect(item, decision)
                self._note(item.id, "acting", {"effect": effect.id, "kind": effect.kind})
                return self._moved(RunStatus.ACTING, effects=(effect,))
            case Exit(reason=reason):
                return self._end(RunStatus.EXITED, item.id, "exited", reason)
            case _:
                assert_never(decision)

    def _effect(self, item: FlowStep, act: Act) -> Effect:
        own = getattr(item.step, "purpose", "")
        return Effect(
            shop_id=self.run.shop_id,
            id=f"{self.run.id}:{item.id}",
            run_id=self.run.id,
            flow_id=self.flow.id,
            version=self.flow.version,
            step_id=item.id,
            kind=act.kind,
            purpose=Purpose.of(own) if own else self.flow.purpose,
            request=act.request,
            status=EffectStatus.PENDING,
            due_at=self.now,
            created_at=self.now,
            order_id=self.run.order_id,
            channel=str(act.request.get("channel", "")),
        )

    def _end(self, status: RunStatus, step_id: str, what: str, reason: str) -> Transition:
        self._note(step_id, what, {"reason": reason} if reason else {})
        return self._moved(status, reason=reason)

    def _moved(
        self,
        status: RunStatus,
        *,
        wake_at: datetime | None = None,
        awaiting: tuple[str, ...] = (),
        reason: str | None = None,
        effects: tuple[Effect, ...] = (),
    ) -> Transition:
        run = changed(
            self.run,
            status=status,
            step=self.step,
            updated_at=self.now,
            outcomes=self.outcomes,
            wake_at=wake_at,
            awaiting=awaiting,
            acted=self.run.acted or bool(effects),
            reason=self.run.reason if reason is None else reason,
        )
        return Transition(run, effects, tuple(self.journal))

    def _note(self, step_id: str, what: str, detail: Mapping[str, str]) -> None:
        if self._diary:
            self.journal.append(JournalEntry(step_id, what, detail))


def view(flow: Flow, run: Run, facts: Facts) -> Standing:
    """The facts as the guards and the step see them where the run stands."""
    step_id = flow.steps[run.step].id if run.step < len(flow.steps) else ""
    return seen_from(flow, run, facts, step_id)


def seen_from(flow: Flow, run: Run, facts: Facts, step_id: str) -> Standing:
    """The facts as one step of the run sees them."""
    return Standing(facts, params=flow.texts, event=run.event, steps=run.outcomes, run_id=run.id, step_id=step_id)
