"""What must hold of every flow under any signals, and proof that these tests notice a broken engine."""

from __future__ import annotations

import sys
import types
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contracts import Arrived, EffectDone, EffectFailed, EffectSkipped, Signal, Woke
from connector.model import Ref, RunStatus, ShipmentStatus
from flows import engine
from flows.definition import Flow
from flows.facts import Progress, ReferralFacts
from tests.engine.world import START, World, event, facts, library, order, parcel, refuse

FLOWS = [library(name) for name in (
    "order_confirmation", "delivery_updates", "review_request", "referral_invite", "referral_reward",
)]  # fmt: skip

KINDS = sorted({kind for flow in FLOWS for kind in flow.event_kinds})
SIGNALS: st.SearchStrategy[Signal | None] = st.one_of(
    st.none(),
    st.just(Woke()),
    st.builds(Arrived, st.sampled_from(KINDS), st.just({"rating": "4"})),
    st.just(EffectDone({"code": "X"})),
    st.just(EffectSkipped("no_consent")),
    st.just(EffectFailed("550", "no")),
)
INSTANTS = st.one_of(st.none(), st.integers(-20, 20).map(lambda days: START + timedelta(days=days)))
PROGRESS = st.builds(
    Progress,
    shipped_at=INSTANTS,
    delivered_at=INSTANTS,
    reviewed_at=INSTANTS,
    abroad=st.booleans(),
    returned=st.booleans(),
)
REFERRALS = st.sampled_from([None, ReferralFacts(state="held", code="F", advocate_email="eero@example.com")])
TICKS = st.tuples(st.integers(0, 15 * 86400), SIGNALS, PROGRESS)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FLOWS), st.lists(TICKS, max_size=12), REFERRALS)
def test_any_signals(
    flow: Flow, ticks: list[tuple[int, Signal | None, Progress]], referral: ReferralFacts | None
) -> None:
    begin = event(flow.trigger[0], subject=Ref(flow.subject, "x1"), order=order())
    parcel_now = parcel(status=ShipmentStatus.DELIVERED)
    seen = facts(progress=ticks[0][2] if ticks else Progress(), referral=referral, shipment=parcel_now)
    moved = engine.start(flow, begin, seen, "run1")
    ids: list[str] = [effect.id for effect in moved.effects]
    now = START
    for seconds, signal, progress in ticks:
        run = moved.run
        consistent(flow, moved)
        now += timedelta(seconds=seconds)
        seen = facts(now=now, progress=progress, referral=referral, shipment=parcel_now)
        moved = engine.advance(flow, run, seen, signal)
        assert moved == engine.advance(flow, run, seen, signal)
        assert moved.run.step >= run.step
        assert len(moved.journal) <= 2 * len(flow.steps) + 1
        assert moved.run.acted or not run.acted
        assert run.outcomes.items() <= moved.run.outcomes.items()
        if run.status.ended:
            assert moved == engine.Transition(run)
        if moved.run is run:
            assert not moved.effects
            assert not moved.journal
        ids.extend(effect.id for effect in moved.effects)
    assert len(ids) == len(set(ids))


def consistent(flow: Flow, moved: engine.Transition) -> None:
    """The row says what it waits for, and nothing else."""
    run = moved.run
    assert run.status is not RunStatus.READY
    assert (run.wake_at is not None) is (run.status in (RunStatus.SLEEPING, RunStatus.AWAITING))
    assert bool(run.awaiting) is (run.status is RunStatus.AWAITING)
    assert bool(moved.effects) <= (run.status is RunStatus.ACTING)
    assert run.acted or not moved.effects
    assert run.status.ended or run.step < len(flow.steps)
    assert set(run.outcomes) <= {item.id for item in flow.steps}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["ship", "deliver", "cancel_parcel", "review", "refund", "1d", "9d"]), max_size=14))
def test_any_order_of_news_asks_at_most_once(news: list[str]) -> None:
    """Shopping lives of every shape: one question, one reminder, one thank-you; none after money went back."""
    world = World(library("review_request"))
    count = 0
    for item in news:
        if item == "ship":
            count += 1
            world.ship(f"s{count}")
        elif item == "deliver" and count:
            world.ship(f"s{count}", ShipmentStatus.DELIVERED)
        elif item == "cancel_parcel" and count:
            world.ship(f"s{count}", ShipmentStatus.CANCELLED)
        elif item == "review":
            world.review()
        elif item == "refund":
            world.refund()
            before = list(world.sent)
            world.passes("90d")
            assert world.sent == before
            return
        elif item.endswith("d"):
            world.passes(item)
    world.passes("90d")
    assert len(world.sent) == len(set(world.sent))
    assert len(world.runs) <= 1
    assert all(run.status.ended for run in world.runs.values())


# -- tests of the tests --------------------------------------------------------------------------------------------


def oracle(machine: Any) -> None:
    """A handful of journeys with every answer known. Raises `AssertionError` where an engine gets one wrong."""
    asked = ["review_request", "review_reminder"]
    quiet = World(library("review_request"), machine=machine)
    quiet.ship(status=ShipmentStatus.DELIVERED)
    quiet.passes("9d")
    assert quiet.sent == []
    for run in quiet.runs.values():
        early = machine.advance(quiet.flow, run, quiet.facts(run), Woke())
        assert early.run is run
    quiet.passes("50d")
    assert quiet.sent == asked
    assert [effect.id for _, effect in quiet.effects] == ["run1:ask", "run1:reminder"]
    assert machine.advance(quiet.flow, quiet.run, quiet.facts(quiet.run), Woke()).run is quiet.run
    assert quiet.run.outcomes["reply"]["outcome"] == "timeout"

    answered = World(library("review_request"), machine=machine)
    answered.ship(status=ShipmentStatus.DELIVERED)
    answered.passes("11d")
    answered.happens("order.delivered", key="again")
    answered.review(rating="5")
    answered.passes("50d")
    assert answered.done == ["review_request", "publish_review", "create_discount", "review_thanks"]
    assert answered.run.outcomes["reply"]["rating"] == "5"

    past = World(library("review_request"), machine=machine)
    past.ship()
    past.passes("2d")
    past.times["s1"]["delivered"] = START - timedelta(days=20)
    past.ship(status=ShipmentStatus.DELIVERED)
    assert past.sent == ["review_request"]

    refused = World(library("review_request"), machine=machine)
    refused.answer = refuse()
    refused.ship(status=ShipmentStatus.DELIVERED)
    refused.passes("50d")
    assert refused.done == ["review_request"]

    held = World(library("review_request"), machine=machine)
    held.answer = lambda effect: None
    held.ship(status=ShipmentStatus.DELIVERED)
    held.passes("11d")
    assert held.run.acted
    assert machine.advance(held.flow, held.run, held.facts(held.run), Woke()).run is held.run
    held.ship("s2", tracking_numbers=("JJFI2",))
    assert held.run.status is RunStatus.ACTING
    held.happens("customer.updated")
    assert held.run.status is RunStatus.ACTING
    held.happens("refund.created")
    assert held.run.status is RunStatus.CANCELLED

    again = World(library("review_request"), machine=machine)
    again.ship(status=ShipmentStatus.DELIVERED)
    again.passes("5d")
    again.ship("s1", ShipmentStatus.CANCELLED)
    again.ship("s2", ShipmentStatus.DELIVERED)
    again.passes("9d")
    assert again.sent == []
    again.passes("1d")
    assert again.sent == ["review_request"]

    anew = World(library("review_request"), machine=machine)
    anew.ship()
    anew.passes("10d")
    assert machine.cancel(anew.flow, anew.run, "order.edited", anew.clock.now()).run is anew.run
    anew.ship("s1", ShipmentStatus.CANCELLED)
    anew.ship("s2")
    anew.passes("13d")
    assert anew.sent == []
    anew.passes("1d")
    assert [(effect.request["template"], effect.purpose) for _, effect in anew.effects] == [
        ("review_request", "review")
    ]

    paid = World(library("order_confirmation"), machine=machine)
    paid.happens("order.created")
    assert paid.effects[0][1].purpose == "transactional"
    assert paid.journal[0].what == "started"


MUTANTS: dict[str, tuple[str, str]] = {
    "guards of steps are ignored": (
        "            if found is not None:\n                seen =",
        "            if False:\n                seen =",
    ),
    "only the first guard counts": (
        "                return False\n        return True",
        "                return False\n            break\n        return True",
    ),
    "a wake before its time counts": ("due = run.wake_at is not None and run.wake_at <= now", "due = True"),
    "any event resumes": ("return signal if signal.kind in run.awaiting else None", "return signal"),
    "an effect at work can be woken": (
        "signal if isinstance(signal, EffectDone | EffectSkipped | EffectFailed) else None",
        "signal",
    ),
    "ended runs go on": ("    return None\n\n\nclass _Walk", "    return signal\n\n\nclass _Walk"),
    "waits in the past sleep": ("and decision.until <= self.now", "and False"),
    "outcomes are not seen by later guards": ("self.outcomes = self._seen.steps = {", "self.outcomes = {"),
    "outcomes lose their values": ("outcome = {**done.values, ", "outcome = {"),
    "effect ids hold the time": ('id=f"{self.run.id}:{item.id}"', 'id=f"{self.run.id}:{item.id}:{self.now}"'),
    "acting is not remembered": ("acted=self.run.acted or bool(effects)", "acted=self.run.acted"),
    "steps start again instead of going on": (
        "item.step.start(seen) if signal is None",
        "item.step.start(seen) if True",
    ),
    "a step too many is left behind": (
        'self._note(item.id, "done", outcome)\n',
        'self._note(item.id, "done", outcome)\n        self.step += 1\n',
    ),
    "every event cancels": ("if run.status.ended or kind not in flow.cancel_on:", "if run.status.ended:"),
    "nothing cancels": ("if run.status.ended or kind not in flow.cancel_on:", "if True:"),
    "nothing restarts": ('if flow.reentry != "restart" or', "if True or"),
    "acted runs restart too": ("or run.acted or run.status.ended", "or run.status.ended"),
    "the flow's purpose hides the step's": ("Purpose.of(own) if own else self.flow.purpose", "Purpose.TRANSACTIONAL"),
}


@pytest.fixture(scope="module")
def source() -> str:
    return Path(engine.__file__).read_text("utf-8")


def compiled(source: str) -> Any:
    """The engine made of another source. Dataclasses look their module up by name while they are made."""
    module = types.ModuleType("flows.engine_mutant")
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, "engine_mutant.py", "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module


def test_the_engine_passes_its_oracle(source: str) -> None:
    oracle(engine)
    oracle(compiled(source))


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_planted_fault_is_noticed(name: str, source: str) -> None:
    old, new = MUTANTS[name]
    assert source.count(old) == 1, f"the mutant '{name}' no longer fits the source"
    mutant = compiled(source.replace(old, new))
    # A mutant may also fail by an error of its own; passing in silence is the one thing it must not do.
    with pytest.raises((AssertionError, LookupError, RecursionError, TypeError, ValueError)):
        oracle(mutant)
