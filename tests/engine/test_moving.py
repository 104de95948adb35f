"""A flow changes while people are in it: where each run lands, and that nothing is sent twice or silently left out."""

from __future__ import annotations

import json
import random  # noqa: TID251 - seeded lives, told apart by the seed
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contracts import Arrived, EffectDone, Signal, Woke
from connector.model import Run, RunStatus
from flows import engine
from flows.authoring.moving import (
    Landing,
    Lands,
    Migration,
    Stays,
    StepRef,
    Stops,
    Unclear,
    landing,
    move,
    passed_over,
    reevaluate,
    steps_of,
    unlike,
)
from flows.definition import Flow
from flows.engine import Transition
from flows.facts import Facts
from tests.engine.world import START, event, facts, step_types

OLD = (StepRef("use", "wait"), StepRef("ask", "send"), StepRef("reply", "wait_for"), StepRef("thanks", "send"))


def flow_of(steps: list[dict[str, Any]], when: tuple[str, ...] = ()) -> Flow:
    document = {"id": "f", "trigger": ["order.paid"], "purpose": "review", "subject": "order", "when": list(when)}
    document |= {"title": "", "reentry": "once", "cancel_on": [], "params": {}, "max_age": "3d", "enabled": True}
    return Flow.from_json(json.dumps(document | {"steps": steps}), step_types())


def wait(name: str, span: str = "2d", **more: Any) -> dict[str, Any]:
    return {"id": name, "do": "wait", "span": span, **more}


def send(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "do": "send", "template": f"t_{name}", **more}


def listen(name: str, timeout: str = "2d", **more: Any) -> dict[str, Any]:
    return {"id": name, "do": "wait_for", "event": ["review.submitted"], "timeout": timeout, **more}


# -- where a run lands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "status", "mapping", "wanted"),
    [
        (0, RunStatus.SLEEPING, {}, Lands(1)),
        (1, RunStatus.ACTING, {}, Lands(2)),
        (0, RunStatus.SLEEPING, {"use": "ask"}, Lands(2, begun=False)),
        (2, RunStatus.AWAITING, {"reply": "thanks"}, Lands(3, begun=False)),
        (2, RunStatus.AWAITING, {"reply": "-"}, Stops("reply")),
        (3, RunStatus.ACTING, {"thanks": "ask"}, Stays("what step 'thanks' decided is under way")),
        (4, RunStatus.ACTING, {}, Stays("it is past its last step")),
    ],
)
def test_where_a_run_lands(at: int, status: RunStatus, mapping: Mapping[str, str], wanted: Landing) -> None:
    new = (StepRef("first", "send"), StepRef("use", "wait"), StepRef("ask", "send"), StepRef("thanks", "wait"))
    assert landing(OLD, new, at, status, mapping) == wanted


@pytest.mark.parametrize(
    ("at", "mapping", "told"),
    [
        (2, {}, "step 'reply' is gone: say with --map reply=STEP"),
        (3, {}, "step 'thanks' was 'send' and is 'wait' now"),
        (2, {"reply": "thank"}, "the new version has no step 'thank'; did you mean 'thanks'?"),
    ],
)
def test_what_nobody_decided_is_unclear(at: int, mapping: Mapping[str, str], told: str) -> None:
    new = (StepRef("use", "wait"), StepRef("ask", "send"), StepRef("thanks", "wait"))
    found = landing(OLD, new, at, RunStatus.SLEEPING, mapping)
    assert isinstance(found, Unclear)
    assert told in found.why


def test_what_a_run_never_meets_stands_before_it_and_is_new_there() -> None:
    new = (StepRef("tips", "send"), StepRef("use", "wait"), StepRef("thanks", "send"), StepRef("reply", "wait_for"))
    assert passed_over(OLD, new, 2, 3) == ["tips", "thanks"]
    assert passed_over(OLD, OLD, 2, 2) == []


def test_a_flow_that_is_about_something_else_takes_nobody_along() -> None:
    found = unlike({"subject": "order"}, {"subject": "shipment"})
    assert found is not None
    assert "its people can only finish or end" in found.why
    assert unlike({}, {"subject": "order"}) is None


# -- one run, moved ----------------------------------------------------------------------------------------------------


def begun(flow: Flow, **more: Any) -> Run:
    return engine.start(flow, event("order.paid"), facts(**more), "run1").run


def moved(
    old: Flow, new: Flow, run: Run, how: Migration, seen: Facts, mapping: Mapping[str, str] | None = None
) -> Transition:
    place = landing(steps_of(old.document), steps_of(new.document), run.step, run.status, mapping or {})
    assert isinstance(place, Lands)
    found = move(steps_of(old.document), new, run, place, how, seen.now)
    return reevaluate(new, found, seen, seen.now) if how is Migration.REEVALUATE else found


def test_a_moved_wait_ends_when_it_was_going_to_and_a_re_evaluated_one_is_counted_anew() -> None:
    old, new = flow_of([wait("use", "10d"), send("ask")]), flow_of([send("tips"), wait("use", "14d"), send("ask")])
    run = begun(old)
    later = facts(now=START + timedelta(days=3))
    kept = moved(old, new, run, Migration.MOVE, later).run
    assert (kept.version, kept.step, kept.status) == (new.version, 1, RunStatus.SLEEPING)
    assert kept.wake_at == START + timedelta(days=10)
    again = moved(old, new, run, Migration.REEVALUATE, later).run
    assert again.wake_at == START + timedelta(days=14)


def test_a_shortened_wait_that_is_over_goes_on_at_once() -> None:
    old, new = flow_of([wait("use", "10d"), send("ask")]), flow_of([wait("use", "1d"), send("ask")])
    now = START + timedelta(days=3)
    again = moved(old, new, begun(old), Migration.REEVALUATE, facts(now=now)).run
    assert again.wake_at is not None
    assert again.wake_at <= now
    woken = engine.advance(new, again, facts(now=now), Woke())
    assert [effect.step_id for effect in woken.effects] == ["ask"]


def test_re_evaluating_ends_whom_the_new_guards_refuse_and_says_why() -> None:
    old = flow_of([wait("use"), send("ask")])
    new = flow_of([wait("use"), send("ask")], when=("order.total >= 50 EUR",))
    found = moved(old, new, begun(old), Migration.REEVALUATE, facts())
    assert (found.run.status, found.run.reason) == (RunStatus.EXITED, "re-evaluated: order.total >= 50 EUR")
    assert found.journal[-1].detail["saw"] == "40.00 EUR"
    assert moved(old, new, begun(old), Migration.MOVE, facts()).run.status is RunStatus.SLEEPING


def test_a_guard_on_the_step_somebody_waits_at_is_asked_by_the_worker_when_re_evaluated() -> None:
    old = flow_of([wait("use"), send("ask")])
    new = flow_of([wait("use", when=["order.is_test == true"]), send("ask")])
    found = moved(old, new, begun(old), Migration.REEVALUATE, facts()).run
    assert (found.status, found.wake_at) == (RunStatus.READY, START)
    on = engine.advance(new, found, facts())
    assert [entry.what for entry in on.journal] == ["skipped", "acting"]


def test_a_step_done_before_is_not_done_again_where_it_stands_later() -> None:
    old, new = flow_of([send("ask"), wait("use"), send("thanks")]), flow_of([wait("use"), send("ask"), send("thanks")])
    run = engine.advance(old, begun(old), facts(), EffectDone({})).run
    assert run.step == 1
    on = moved(old, new, run, Migration.MOVE, facts()).run
    woken = engine.advance(new, on, facts(now=START + timedelta(days=2)), Woke())
    assert [effect.step_id for effect in woken.effects] == ["thanks"]
    assert [(entry.step_id, entry.what) for entry in woken.journal][1] == ("ask", "passed")


def test_what_a_moved_run_never_meets_is_in_its_journal() -> None:
    old, new = flow_of([wait("use"), send("ask")]), flow_of([send("tips"), wait("use"), send("ask")])
    (entry,) = moved(old, new, begun(old), Migration.MOVE, facts()).journal
    assert entry.detail == {"from": old.version, "to": new.version, "how": "move", "passed": "tips"}


# -- any edit, anywhere ------------------------------------------------------------------------------------------------

IDS = ("a", "b", "c", "d", "e", "f", "g")
GUARDS = ("order.is_test == false", "order.is_test == true", "steps.a.outcome == 'done'", "steps.b.outcome == ''")


@dataclass
class Life:
    """One run from its start over a change of its flow to its end, with what an onlooker saw of it."""

    chance: Any
    mover: Callable[..., Transition] = move
    spoil: Callable[[Run], Run] = lambda run: run
    sent: list[str] = field(default_factory=list)
    journal: list[engine.JournalEntry] = field(default_factory=list)
    now: datetime = START

    def steps(self) -> list[dict[str, Any]]:
        names = self.chance.sample(IDS, self.chance.randint(1, 6))
        return [self.step(name, names[:at]) for at, name in enumerate(names)]

    def step(self, name: str, earlier: list[str]) -> dict[str, Any]:
        table = self.chance.choice((wait, send, send, listen))(name)
        known = [text for text in GUARDS if not text.startswith("steps.") or text[6] in earlier]
        return table | ({"when": [self.chance.choice(known)]} if self.chance.random() < 0.3 else {})

    def edited(self, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Some steps gone, some new, some moved, some that do something else under the same name."""
        kept = [dict(step) for step in steps if self.chance.random() < 0.8]
        for step in kept:
            if self.chance.random() < 0.15:
                changed = self.chance.choice((wait, send, listen))(step["id"])
                step.clear()
                step.update(changed)
        if self.chance.random() < 0.4:
            self.chance.shuffle(kept)
        free = [name for name in IDS if name not in {step["id"] for step in kept}]
        for name in self.chance.sample(free, self.chance.randint(0, min(2, len(free)))):
            kept.insert(self.chance.randint(0, len(kept)), self.chance.choice((wait, send, listen))(name))
        kept = kept or [send("g")]
        for at, step in enumerate(kept):  # a guard may only look back
            earlier = {each["id"] for each in kept[:at]}
            step["when"] = [g for g in step.get("when", ()) if not g.startswith("steps.") or g[6] in earlier]
        return kept

    def keep(self, transition: Transition) -> Run:
        self.sent += [effect.step_id for effect in transition.effects]
        self.journal += transition.journal
        return transition.run

    def one_on(self, flow: Flow, run: Run) -> Run:
        """Whatever comes next: its time, the event it waits for, the end of its effect."""
        signal: Signal | None = Woke()
        if run.status is RunStatus.ACTING:
            signal = EffectDone({})
        elif run.status is RunStatus.AWAITING and self.chance.random() < 0.5:
            signal = Arrived("review.submitted", {})
        elif run.wake_at is not None:
            self.now = max(self.now, run.wake_at)
        return self.keep(engine.advance(flow, run, facts(now=self.now), signal))

    def live(self) -> None:
        old = flow_of(self.steps())
        run = self.keep(engine.start(old, event("order.paid"), facts(), "run1"))
        for _ in range(self.chance.randint(0, 6)):
            run = run if run.status.ended else self.one_on(old, run)
        if run.status.ended:
            return
        new = flow_of(self.edited(list(old.document["steps"])))
        before, at = list(self.journal), run.step
        how = self.chance.choice((Migration.MOVE, Migration.REEVALUATE))
        found = self.place(old, new, run)
        if isinstance(found, Lands):
            self.now += timedelta(hours=self.chance.randint(0, 40))
            there = self.mover(steps_of(old.document), new, run, found, how, self.now)
            if how is Migration.REEVALUATE:
                there = reevaluate(new, there, facts(now=self.now), self.now)
            run = self.spoil(self.keep(there))
        flow = new if isinstance(found, Lands) else old
        for _ in range(40):
            run = run if run.status.ended else self.one_on(flow, run)
        assert run.status.ended, f"stuck at {run}"
        self.judge(flow, old, at, before)

    def place(self, old: Flow, new: Flow, run: Run) -> Landing:
        mapping: dict[str, str] = {}
        here, there = steps_of(old.document), steps_of(new.document)
        found = landing(here, there, run.step, run.status, mapping)
        if isinstance(found, Unclear):
            assert found.step_id == here[run.step].id
            mapping[found.step_id] = self.chance.choice(new.document["steps"])["id"]
            found = landing(here, there, run.step, run.status, mapping)
            assert isinstance(found, Lands)
        return found

    def judge(self, flow: Flow, old: Flow, at: int, before: list[engine.JournalEntry]) -> None:
        twice = {name for name in self.sent if self.sent.count(name) > 1}
        assert not twice, f"sent twice: {twice}"
        passed = {name for e in self.journal if e.what == "moved" for name in e.detail.get("passed", "").split(", ")}
        told = {entry.step_id for entry in self.journal} | passed
        behind = {step["id"] for step in old.document["steps"][:at]}  # met before, as `before` tells
        assert behind <= {entry.step_id for entry in before}
        silent = {item.id for item in flow.steps} - told
        assert not silent, f"silently left out: {silent}"


@settings(max_examples=200, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_edit_sends_twice_or_leaves_out_silently(chance: Any) -> None:
    Life(chance).live()


def forgetful(old: Any, new: Flow, run: Run, place: Lands, how: Migration, now: datetime) -> Transition:
    """Says nothing of what the run never meets."""
    found = move(old, new, run, place, how, now)
    detail = {key: value for key, value in found.journal[0].detail.items() if key != "passed"}
    return replace(found, journal=(replace(found.journal[0], detail=detail),))


def hasty(old: Any, new: Flow, run: Run, place: Lands, how: Migration, now: datetime) -> Transition:
    """Lands one step too far, and does not say so."""
    if place.index + 1 >= len(new.steps):
        return move(old, new, run, place, how, now)
    found = move(old, new, run, place, how, now)
    ready = replace(found.run, step=place.index + 1, status=RunStatus.READY, wake_at=now, awaiting=())
    entry = replace(found.journal[0], step_id=new.steps[place.index + 1].id)
    return replace(found, run=ready, journal=(entry,))


def asleep(run: Run) -> Run:
    """Begins its step anew without ever being woken."""
    return replace(run, status=RunStatus.SLEEPING, wake_at=None) if run.status is RunStatus.READY else run


@pytest.mark.parametrize(
    "planted",
    [{"mover": forgetful}, {"mover": hasty}, {"spoil": asleep}, {"spoil": lambda run: replace(run, outcomes={})}],
    ids=["forgetful", "hasty", "asleep", "without outcomes"],
)
def test_planted_bugs_are_found(planted: dict[str, Any]) -> None:
    for seed in range(400):
        try:
            Life(random.Random(seed), **planted).live()
        except AssertionError:
            return
    pytest.fail("400 lives did not show it")
