"""Tasks: what waits for a person's word, and giving it. A task is the run itself, so none is lost or left over; a low
score that no run brings to a person is one too (`flows.care.low_scores`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from connector.clock import to_text
from connector.contracts import Arrived
from connector.model import Event, EventKind, Ref, Run, RunStatus
from connector.store import care, effects, runs
from connector.store.db import Tx
from flows.care import low_scores
from flows.steps.task import ANSWERS, APPROVED, DECIDED

if TYPE_CHECKING:
    from flows.runner import Runner

LONGEST_NOTE = 1000
CASE_SETTLED = frozenset({EventKind.CASE_REFUNDED, EventKind.CASE_REFUSED, EventKind.CASE_CLOSED})
"""Kinds of event after which nobody has to look at a case any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """What waits for a person. `id` is the effect's that asked: run and step, or a low score's; `due` when it is
    decided without them. `to` is empty where nobody was asked by name."""

    shop_id: str
    id: str
    flow_id: str
    order_id: str | None
    to: str
    title: str
    text: str
    otherwise: str
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of a task: `outcome` `approved` or `refused`, empty when its run ended without it."""

    outcome: str
    values: Mapping[str, str]


def open_tasks(tx: Tx, runner: Runner, shop_id: str = "", limit: int = 100) -> list[OpenTask]:
    """What flows ask, of one shop or all, the most pressing first."""
    return [task for run in runs.tasks(tx, shop_id, limit) if (task := find(tx, runner, run)) is not None]


def open_scores(tx: Tx, runner: Runner, shop_id: str, now: datetime, limit: int = 100) -> list[OpenTask]:
    """Low scores of a shop that no flow of its brings to a person, the oldest first."""
    return [
        OpenTask(
            shop_id=shop_id,
            id=hold.hold_id,
            flow_id=row.flow_id,
            order_id=row.order_id or None,
            to="",
            title="",
            text=f"Score {row.score} on the scale {row.kind}, asked at the stage {row.survey}. {row.comment}".rstrip(),
            otherwise=APPROVED,
            due=hold.until,
        )
        for hold, row in low_scores.waiting(tx, runner, shop_id, now, limit)
    ]


def find(tx: Tx, runner: Runner, run: Run, step_id: str = "") -> OpenTask | None:
    """The task a run waits at, `None` when it waits at none, or at another than `step_id`."""
    if run.status is not RunStatus.AWAITING or run.awaiting != (DECIDED,):
        return None
    step = runner.flow_of(tx, run).steps[run.step].id
    asked = effects.get(tx, run.shop_id, f"{run.id}:{step}")
    if asked is None or run.wake_at is None or step_id not in ("", step):
        return None
    return OpenTask(
        shop_id=run.shop_id,
        id=asked.id,
        flow_id=run.flow_id,
        order_id=run.order_id,
        to=str(asked.request["to"]),
        title=str(asked.request.get("title", "")),
        text=str(asked.request["text"]),
        otherwise=str(asked.request["otherwise"]),
        due=run.wake_at,
    )


def outcome_of(run: Run, step_id: str) -> Decided:
    """What became of a task that is not open any more."""
    values = dict(run.outcomes.get(step_id, {}))
    return Decided(outcome=values.pop("outcome", ""), values=values)


def decide(
    tx: Tx,
    runner: Runner,
    shop_id: str,
    task_id: str,
    now: datetime,
    *,
    answer: str,
    by: str,
    via: str,
    note: str = "",
) -> bool:
    """Give the answer, `approved` or `refused`; `False` when the task is not open (any more). Raises `RunMoved`.

    Who (`by`, as `via` knows them) and when stay in the run's journal.
    """
    if answer not in ANSWERS:
        raise ValueError(f"a task is approved or refused, not '{answer}'")
    if low_scores.is_one(task_id):
        return low_scores.close(
            tx, shop_id, task_id, now, f"{by}, {answer}" + (f": {note[:LONGEST_NOTE]}" if note else "")
        )
    run_id, _, step_id = task_id.partition(":")
    run = runs.get(tx, shop_id, run_id)
    if run is None or find(tx, runner, run, step_id) is None:
        return False
    told = {"answer": answer, "by": by, "via": via, "at": to_text(now)}
    runner.hear(tx, run, Arrived(DECIDED, told | ({"note": note[:LONGEST_NOTE]} if note else {})), now)
    if run.event.get("hold"):
        # Whoever answers a low score, with whichever word, has taken care of the person.
        care.end(tx, shop_id, run.event["hold"], f"{by}, {answer}", now)
    return True


def close_with_case(tx: Tx, runner: Runner, shop_id: str, event: Event, now: datetime) -> int:
    """A case was settled: tasks about it are done, whoever settled it; how many there were. Raises `RunMoved`."""
    if event.kind not in CASE_SETTLED or not event.order_id:
        return 0
    about = runs.active(tx, shop_id, order_id=event.order_id, subject=Ref("order", event.order_id))
    waiting = [run for run in about if run.awaiting == (DECIDED,) and run.event.get("case") == event.data.get("case")]
    for run in waiting:
        told = {"answer": APPROVED, "by": "", "via": str(event.kind), "at": to_text(now)}
        runner.hear(tx, run, Arrived(DECIDED, told), now)
    return len(waiting)
