"""Runs that begin, wake, go on or end where they must not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connector.contracts import Woke
from connector.model import RunStatus
from connector.store import runs
from flows import engine, facts, outbox, runner
from flows.knowing.zones import residence
from flows.limits import daytime
from tests.swarm.bugs.planting import Bug, reword, wrap
from tests.swarm.house import House


def entry_key_without_subject(patch: pytest.MonkeyPatch, house: House) -> None:
    for module in (engine, runner):
        patch.setattr(module, "entry_key", lambda flow, event, *_: f"{flow.subject}/{event.kind}")


def guests_are_others(patch: pytest.MonkeyPatch, house: House) -> None:
    """A customer is known by the account, a guest by nothing that lasts."""
    for module in (engine, runner):
        wrap(
            patch,
            module,
            "entry_key",
            lambda real, flow, event, subject, *_: real(flow, event, subject) + f"/{event.order_id}",
        )


def cancel_ignored(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(engine, "cancel", lambda flow, run, kind, now: engine.Transition(run))


def refund_cancels_nothing(patch: pytest.MonkeyPatch, house: House) -> None:
    def cancel(real: Any, flow: Any, run: Any, kind: str, now: datetime) -> Any:
        return engine.Transition(run) if kind == "refund.created" else real(flow, run, kind, now)

    wrap(patch, engine, "cancel", cancel)


def cancelled_runs_still_send(patch: pytest.MonkeyPatch, house: House) -> None:
    """What a cancelled run had put in the outbox stays there, and the outbox does not ask whether its run ended."""
    real = runner.Runner._end
    nothing = SimpleNamespace(of_run=lambda *_: (), queue=runner.effects.queue, settle=runner.effects.settle)

    def end(self: Any, *given: Any) -> None:
        with patch.context() as inner:
            inner.setattr(runner, "effects", nothing)
            real(self, *given)

    def get(tx: Any, shop_id: str, run_id: str) -> Any:
        run = runs.get(tx, shop_id, run_id)
        return replace(run, status=RunStatus.ACTING) if run is not None else None

    patch.setattr(runner.Runner, "_end", end)
    patch.setattr(outbox, "runs", SimpleNamespace(get=get, foresee_ids=runs.foresee_ids, journal=runs.journal))


def wake_before_due(patch: pytest.MonkeyPatch, house: House) -> None:
    wrap(patch, runs, "due", lambda real, tx, now, *more: real(tx, now + timedelta(hours=6), *more))
    wrap(
        patch,
        engine,
        "_expected",
        lambda real, run, now, signal: (
            signal if run.status is RunStatus.SLEEPING and isinstance(signal, Woke) else real(run, now, signal)
        ),
    )


def wake_is_forgotten(patch: pytest.MonkeyPatch, house: House) -> None:
    """A run that waits for an event is not woken when the event does not come."""
    reword(patch, house, "run_due", "wake_at <=", "status = 'sleeping' AND wake_at <=")


def restart_forgets_what_was_done(patch: pytest.MonkeyPatch, house: House) -> None:
    wrap(patch, engine, "restart", lambda real, flow, run, *given: real(flow, replace(run, acted=False), *given))


def last_writer_wins(patch: pytest.MonkeyPatch, house: House) -> None:
    """A run is stored whatever became of it meanwhile."""
    reword(patch, house, "run_save", "AND rev =", "AND -1 <")


def old_events_start_flows(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(engine, "too_old", lambda *_: False)


def flow_guards_not_asked(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(engine, "refusal", lambda *_: None)


def step_guards_not_asked(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(engine._Walk, "_admitted", lambda *_: True)
    patch.setattr(outbox, "no_longer_true", lambda *_: None)


def news_that_is_old_is_told(patch: pytest.MonkeyPatch, house: House) -> None:
    """What held when a message was decided is taken to hold when it leaves."""
    patch.setattr(outbox, "no_longer_true", lambda *_: None)


def told_twice(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(outbox, "told_already", lambda *_: None)


def summer_time_a_day_late(patch: pytest.MonkeyPatch, house: House) -> None:
    """Ten o'clock with the offset of the day before."""

    def instant(day: Any, clock: Any, zone: Any) -> datetime:
        before = datetime.combine(day - timedelta(days=1), clock, zone)
        offset = before.utcoffset() or timedelta()
        return datetime.combine(day, clock).replace(tzinfo=daytime.UTC) - offset

    patch.setattr(daytime, "instant", instant)


def the_shops_own_ten_o_clock(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(facts, "residence", lambda shop, order, customer: residence(shop, None, None))


BUGS = (
    Bug("the entry key has no subject", entry_key_without_subject),
    Bug("guests are other people each time", guests_are_others),
    Bug("cancelling does nothing", cancel_ignored),
    Bug("a refund cancels nothing", refund_cancels_nothing),
    Bug("cancelled runs still send", cancelled_runs_still_send),
    Bug("runs wake before they are due", wake_before_due),
    Bug("a time-out is never noticed", wake_is_forgotten),
    Bug("a restart forgets what was done", restart_forgets_what_was_done),
    Bug("the last writer of a run wins", last_writer_wins),
    Bug("old events start flows", old_events_start_flows),
    Bug("a flow's guards are not asked", flow_guards_not_asked),
    Bug("a step's guards are not asked", step_guards_not_asked),
    Bug("guards are not asked again at sending", news_that_is_old_is_told),
    Bug("the same news is told twice", told_twice),
    Bug("summer time comes a day late", summer_time_a_day_late),
    Bug("the shop's ten o'clock, not the person's", the_shops_own_ten_o_clock),
)
