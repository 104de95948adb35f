"""The engine, signal by signal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.contracts import Arrived, EffectDone, EffectFailed, EffectSkipped, Signal, Woke
from connector.errors import ConfigError
from connector.model import EffectStatus, Purpose, Ref, RunStatus
from flows import engine
from flows.definition import FlowEdits
from tests.engine.world import START, event, facts, flow_of, library, order

FLOW = flow_of("""
id = "f"
title = "F"
trigger = "order.paid"
purpose = "review"
reentry = "restart"
cancel_on = ["order.cancelled"]
[params]
least = 10
[[steps]]
id = "pause"
do = "wait"
span = "1d"
[[steps]]
id = "ask"
do = "send"
template = "t"
purpose = "transactional"
[[steps]]
id = "dear"
do = "tag_order"
tag = "dear"
when = ["order.total.amount > 100", "order.is_test == false"]
[[steps]]
id = "reply"
do = "wait_for"
event = "review.submitted"
timeout = "7d"
[[steps]]
id = "stop"
do = "exit"
reason = "silence"
when = ["steps.reply.outcome == 'timeout'"]
[[steps]]
id = "last"
do = "wait"
span = "1d"
""")
PAID = event("order.paid", order=order())
DAY = timedelta(days=1)


def begun() -> engine.Transition:
    return engine.start(FLOW, PAID, facts(), "run1")


def after(days: float) -> object:
    return facts(now=START + days * DAY)


def acting() -> engine.Transition:
    return engine.advance(FLOW, begun().run, facts(now=START + DAY), Woke())


def awaiting() -> engine.Transition:
    return engine.advance(FLOW, acting().run, facts(now=START + DAY), EffectDone({"id": "m1"}))


def test_start_makes_the_run_and_goes_to_the_first_wait() -> None:
    moved = begun()
    run = moved.run
    assert (run.status, run.step, run.wake_at) == (RunStatus.SLEEPING, 0, START + DAY)
    assert (run.shop_id, run.flow_id, run.version) == ("shop1", "f", FLOW.version)
    assert (run.subject_kind, run.subject_id, run.entry_key) == ("order", "o1", "order/o1")
    assert (run.order_id, run.customer_id, run.email_key) == ("o1", "c-1", "aino@example.com")
    assert run.event["kind"] == "order.paid"
    assert run.event["key"] == PAID.key
    assert not run.acted
    assert [entry.what for entry in moved.journal] == ["started", "sleeping"]


def test_acting_waiting_and_the_end() -> None:
    moved = acting()
    (effect,) = moved.effects
    assert (effect.id, effect.kind, effect.purpose, effect.status) == (
        "run1:ask", "message", Purpose.TRANSACTIONAL, EffectStatus.PENDING,
    )  # fmt: skip
    assert (effect.due_at, effect.created_at, effect.channel) == (START + DAY, START + DAY, "email")
    assert (moved.run.status, moved.run.acted) == (RunStatus.ACTING, True)
    waits = awaiting()
    assert waits.run.outcomes["ask"] == {"id": "m1", "outcome": "done"}
    assert (waits.run.status, waits.run.awaiting, waits.run.wake_at) == (
        RunStatus.AWAITING, ("review.submitted",), START + 8 * DAY,
    )  # fmt: skip
    (skipped,) = [entry for entry in waits.journal if entry.what == "skipped"]
    assert skipped.step_id == "dear"
    assert skipped.detail == {"path": "order.total.amount", "op": ">", "wanted": "100", "saw": "40.00"}
    came = engine.advance(FLOW, waits.run, facts(now=START + 2 * DAY), Arrived("review.submitted", {"rating": "5"}))
    assert (came.run.status, came.run.awaiting) == (RunStatus.SLEEPING, ())
    assert came.run.outcomes["reply"] == {"outcome": "event", "kind": "review.submitted", "rating": "5"}
    over = engine.advance(FLOW, came.run, facts(now=START + 3 * DAY), Woke())
    assert (over.run.status, over.run.wake_at) == (RunStatus.COMPLETED, None)


def test_a_timeout_and_an_exit() -> None:
    over = engine.advance(FLOW, awaiting().run, facts(now=START + 8 * DAY), Woke())
    assert (over.run.status, over.run.reason) == (RunStatus.EXITED, "silence")
    assert over.journal[-1] == engine.JournalEntry("stop", "exited", {"reason": "silence"})


@pytest.mark.parametrize(
    ("signal", "outcome"),
    [
        (EffectSkipped("no_consent"), {"outcome": "skipped", "reason": "no_consent"}),
        (EffectFailed("550", "no"), {"outcome": "failed", "code": "550", "text": "no"}),
    ],
)
def test_other_ends_of_an_effect_go_on(signal: Signal, outcome: dict[str, str]) -> None:
    moved = engine.advance(FLOW, acting().run, facts(now=START + DAY), signal)
    assert moved.run.outcomes["ask"] == outcome
    assert moved.run.status is RunStatus.AWAITING


SIGNALS: list[Signal | None] = [
    None, Woke(), Arrived("order.edited", {}), Arrived("review.submitted", {}),
    EffectDone({}), EffectSkipped("x"), EffectFailed("c", "t"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "now", "fits"),
    [
        ("sleeping", START + DAY - timedelta(seconds=1), ()),
        ("sleeping", START + DAY, (None, Woke())),
        ("acting", START + 90 * DAY, (EffectDone({}), EffectSkipped("x"), EffectFailed("c", "t"))),
        ("awaiting", START + 2 * DAY, (Arrived("review.submitted", {}),)),
        ("awaiting", START + 8 * DAY, (None, Woke(), Arrived("review.submitted", {}))),
        ("ended", START + 90 * DAY, ()),
    ],
)
def test_a_signal_that_does_not_fit_changes_nothing(state: str, now: object, fits: tuple[object, ...]) -> None:
    ended = engine.stop(awaiting().run, "erased", START).run
    run = {"sleeping": begun().run, "acting": acting().run, "awaiting": awaiting().run, "ended": ended}[state]
    for signal in SIGNALS:
        moved = engine.advance(FLOW, run, facts(now=now), signal)
        assert (moved.run is not run) is (signal in fits), signal
        if signal not in fits:
            assert moved == engine.Transition(run)


def test_cancel_and_stop() -> None:
    for run in (begun().run, acting().run, awaiting().run):
        assert engine.cancel(FLOW, run, "refund.created", START) == engine.Transition(run)
        over = engine.cancel(FLOW, run, "order.cancelled", START + DAY).run
        assert (over.status, over.reason, over.wake_at, over.awaiting) == (
            RunStatus.CANCELLED, "order.cancelled", None, (),
        )  # fmt: skip
        assert engine.cancel(FLOW, over, "order.cancelled", START) == engine.Transition(over)
        assert engine.stop(over, "erased", START).run is over
    assert engine.stop(begun().run, "erased", START).run.reason == "erased"


def test_restart_replaces_only_a_run_that_has_done_nothing() -> None:
    later = event("order.paid", key="order/o1/paid/2", at=START + DAY, order=order())
    seen = facts(now=START + timedelta(hours=5))
    run = replace(begun().run, rev=7)
    again = engine.restart(FLOW, run, later, seen)
    assert again is not None
    assert (again.run.id, again.run.entry_key, again.run.created_at, again.run.rev) == ("run1", "order/o1", START, 7)
    assert (again.run.wake_at, again.run.event["key"]) == (START + timedelta(hours=29), "order/o1/paid/2")
    assert [entry.what for entry in again.journal] == ["restarted", "sleeping"]
    assert engine.restart(FLOW, run, PAID, seen) is None
    assert engine.restart(FLOW, acting().run, later, seen) is None
    assert engine.restart(FLOW, engine.stop(run, "x", START).run, later, seen) is None
    once = library("order_confirmation")
    assert engine.restart(once, run, later, seen) is None


def test_admits_gives_every_guard_its_answer() -> None:
    flow = library("order_confirmation")
    found = engine.admits(flow, facts(order=order(source="pos")))
    assert [result.path for result in found if not result.passed] == ["order.source"]
    assert len(found) == len(flow.when)


def test_triggers_and_age() -> None:
    flow = library("order_confirmation")
    assert engine.triggered(flow, event("order.paid"))
    assert not engine.triggered(flow, event("order.edited"))
    assert not engine.triggered(library("order_confirmation", FlowEdits(enabled=False)), event("order.paid"))
    assert not engine.too_old(flow, event("order.paid"), START + 3 * DAY)
    assert engine.too_old(flow, event("order.paid"), START + 3 * DAY + timedelta(microseconds=1))


def test_an_event_without_the_subject_is_refused() -> None:
    parcels = library("delivery_updates")
    with pytest.raises(ConfigError, match="about a shipment"):
        engine.start(parcels, event("shipment.created", subject=Ref("order", "o1")), facts(), "run1")


def test_a_moved_run_sees_outcomes_and_params_at_once() -> None:
    flow = flow_of("""
id = "g"
title = "G"
trigger = "order.paid"
purpose = "transactional"
[params]
yes = true
[[steps]]
id = "none"
do = "wait"
span = "0s"
[[steps]]
id = "note"
do = "note_order"
note = "{steps.none.outcome} {params.yes} {event.kind}"
when = ["steps.none.outcome == 'woke'", "params.yes == true"]
""")
    moved = engine.start(flow, PAID, facts(), "run1")
    assert moved.effects[0].request["note"] == "woke true order.paid"


def test_a_wait_in_the_past_goes_on_at_once_but_never_for_ever() -> None:
    flow = flow_of("""
id = "h"
title = "H"
trigger = "order.paid"
purpose = "transactional"
[[steps]]
id = "old"
do = "wait"
span = "1d"
from = "order.placed_at"
[[steps]]
id = "gone"
do = "wait_for"
event = "review.submitted"
timeout = "1d"
from = "order.placed_at"
""")
    moved = engine.start(flow, PAID, facts(order=order(placed_at=START - 5 * DAY)), "run1")
    assert moved.run.status is RunStatus.COMPLETED
    assert {name: values["outcome"] for name, values in moved.run.outcomes.items()} == {
        "old": "woke",
        "gone": "timeout",
    }
