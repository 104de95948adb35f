"""Low scores as tasks: each waits for a person of the merchant's, whatever flows a shop has.

What keeps advertising away (`connector.store.care`) is the task itself, so none is lost or left over. Where a flow of
the shop makes a task of it (`unhappy_answer`), that one is the person's and this one stands back; elsewhere the shop is
mailed, once an answer.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.model import Ref, Run
from connector.model.survey import LOW
from connector.store import care, entities, notices, runs, surveys
from connector.store.db import Tx
from connector.store.surveys import AskRow
from flows.sending.answering import Answered
from flows.steps.task import Task

if TYPE_CHECKING:
    from connector.store.care import Waiting
    from flows.runner import Runner

NOTICE = "low_score"
"""The kind of notice by which a merchant hears of one."""
WORDS = timedelta(minutes=20)
"""How long words are waited for after a score that came without any, before the shop is mailed."""
_HOLD = "survey/"


def hold_of(ask_id: str) -> str:
    """The cause's name in `connector.store.care`, and the task's id."""
    return _HOLD + ask_id


def is_one(task_id: str) -> bool:
    return task_id.startswith(_HOLD)


def waiting(tx: Tx, runner: Runner, shop_id: str, now: datetime, limit: int = 100) -> list[tuple[Waiting, AskRow]]:
    """Those that wait for a person and are no flow's, with the answers; the oldest first."""
    found = []
    for hold in care.waiting(tx, shop_id, care.LOW_SCORE, now, limit):
        row = surveys.get(tx, shop_id, hold.hold_id.removeprefix(_HOLD))
        if row is not None and row.band == LOW and taken_by(tx, runner, shop_id, row) is None:
            found.append((hold, row))
    return found


def taken_by(tx: Tx, runner: Runner, shop_id: str, row: AskRow) -> Run | None:
    """The run that brings the answer to a person or will: one that began with it, in a flow with a task."""
    about = Ref("order", row.order_id) if row.order_id else Ref("person", row.email_key)
    for run in runs.active(tx, shop_id, subject=about):
        if run.event.get("hold") == hold_of(row.ask_id) and any(
            isinstance(each.step, Task) for each in runner.flow_of(tx, run).steps
        ):
            return run
    return None


def heard(tx: Tx, runner: Runner, shop_id: str, row: AskRow, comment: str, now: datetime) -> None:
    """A low score has come and flows have heard of it: where none makes a task of it, the shop is to be mailed."""
    if taken_by(tx, runner, shop_id, row) is None:
        notices.put_about(tx, shop_id, NOTICE, row.ask_id, now, after=timedelta() if comment else WORDS)


def told(tx: Tx, shop_id: str, ask_id: str) -> Answered | None:
    """What the notice says; `None` when it waits no longer: put right, seen to, or forgotten."""
    row = surveys.get(tx, shop_id, ask_id)
    holds = care.of(tx, shop_id, hold_of(ask_id))
    if row is None or row.score is None or row.band != LOW or not any(each.ended_at is None for each in holds):
        return None
    order = entities.order(tx, shop_id, row.order_id) if row.order_id else None
    said = f"{row.score} ({row.kind.upper()})" + (f"\n{row.comment}" if row.comment else "")
    return Answered(order.number if order is not None else row.survey, said, row.email_key, row.email_key or None)


def close(tx: Tx, shop_id: str, task_id: str, now: datetime, by: str) -> bool:
    """Somebody has taken care of the person: advertising may go on. `False` when it waited no longer, or never."""
    return is_one(task_id) and care.end(tx, shop_id, task_id, by, now)
