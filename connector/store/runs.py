"""Runs: rows with a due-time index. A sleeping run costs no timer, no thread and no memory (facts/engine.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from connector import codec
from connector.clock import from_text, to_text
from connector.model import Ref, Run, RunStatus
from connector.model.changing import changed
from connector.store.db import Row, Tx
from connector.store.sql import id_list
from connector.store.turns import Turn, share_out

NEVER = "not started"
"""The reason of an ended run that never began."""
NOT_STARTED = "not_started"
"""What the diary of a run says that never began."""
STARTED = "started"
"""The first line of every other diary. It is not written, as the run's own row says the same (`journal_of`): a fifth of
what a sleeping run takes on disk."""
_KINDS, _TEXTS, _OUTCOMES = tuple[str, ...], dict[str, str], dict[str, dict[str, str]]


class JournalEntry(NamedTuple):
    """A line of a run's diary before it is written; a plain tuple of the same order is as good."""

    shop_id: str
    run_id: str
    at: datetime
    step_id: str
    what: str
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A line of a run's diary. `seq` rises."""

    seq: int
    at: datetime
    step_id: str
    what: str
    detail: Mapping[str, str]


def start(tx: Tx, run: Run) -> bool:
    """Insert; `False` when the flow has a run for this entry key already (or the id is taken)."""
    _forget(tx, run)
    return tx.run("run_start", **_fixed(run), **_moving(run)) == 1


def begin(tx: Tx, run: Run) -> None:
    """Insert a run whose entry key was looked up (`by_entry`) in this transaction, together with others.

    When another transaction was first with the key, this one ends in `StoreCollision`.
    """
    tx.later("run_start", exact=True, **_fixed(run), **_moving(run))
    _remember(tx, run)


def save(tx: Tx, run: Run) -> bool:
    """Write where the run stands now, if it is still at `run.rev`; `False` when somebody else was first.

    Who and what a run is about (flow, subject, entry key, order, customer, address) is fixed by `start`.
    """
    _forget(tx, run)
    return tx.run("run_save", **_moving(run)) == 1


def move(tx: Tx, run: Run) -> None:
    """`save` together with others. When somebody else was first, the transaction ends in `StoreCollision`."""
    tx.later("run_save", exact=True, **_moving(run))
    _remember(tx, changed(run, rev=run.rev + 1))


def know(tx: Tx, run: Run) -> None:
    """Take this for the run as stored, unread: `move` finds out if it is not."""
    tx.recall("run_get")[run.shop_id, run.id] = run


def foresee(tx: Tx, shop_id: str, order_ids: Iterable[str]) -> None:
    """Read at once every run of the orders a batch is about."""
    known, wanted = tx.recall("run_of_order"), list(order_ids)
    known.update(((shop_id, order_id), {}) for order_id in wanted)
    for row in tx.all("run_of_orders", shop_id=shop_id, ids=id_list(wanted)):
        known.setdefault((shop_id, row["order_id"]), {})[row["run_id"]] = _run(row)


def foresee_ids(tx: Tx, shop_id: str, run_ids: Iterable[str]) -> None:
    """Read at once the runs of these ids."""
    known = tx.recall("run_get")
    for row in tx.all("run_of_ids", shop_id=shop_id, ids=id_list(run_ids)):
        known[shop_id, row["run_id"]] = _run(row)


def _remember(tx: Tx, run: Run) -> None:
    """What is known of the run's order stays known, as this changed it."""
    order_id = _order_id(run)
    tx.recall("run_get")[run.shop_id, run.id] = run
    theirs = tx.recall("run_of_order").get((run.shop_id, order_id))
    if theirs is not None:
        theirs[run.id] = run if run.order_id == order_id else replace(run, order_id=order_id)


def _forget(tx: Tx, run: Run) -> None:
    tx.recall("run_get").pop((run.shop_id, run.id), None)
    tx.recall("run_of_order").pop((run.shop_id, _order_id(run)), None)


def _order_id(run: Run) -> str | None:
    return run.subject_id if run.order_id is None and run.subject_kind == "order" else run.order_id


def _fixed(run: Run) -> dict[str, Any]:
    return {
        "flow_id": run.flow_id,
        "version": run.version,
        "subject_kind": run.subject_kind,
        "subject_id": run.subject_id,
        "entry_key": run.entry_key,
        "created_at": to_text(run.created_at),
        "order_id": _order_id(run),
        "customer_id": run.customer_id,
        "email_key": run.email_key,
    }


def _moving(run: Run) -> dict[str, Any]:
    return {
        "shop_id": run.shop_id,
        "run_id": run.id,
        "status": run.status.value,
        "step": run.step,
        "updated_at": to_text(run.updated_at),
        "wake_at": to_text(run.wake_at) if run.wake_at else None,
        "awaiting": codec.encode_text(run.awaiting) if run.awaiting else "[]",
        "event": codec.encode_text(run.event) if run.event else "{}",
        "outcomes": codec.encode_text(run.outcomes) if run.outcomes else "{}",
        "acted": int(run.acted),
        "reason": run.reason,
        "rev": run.rev,
    }


def get(tx: Tx, shop_id: str, run_id: str) -> Run | None:
    known: Run | None = tx.recall("run_get").get((shop_id, run_id))
    if known is not None:
        return known
    row = tx.one("run_get", shop_id=shop_id, run_id=run_id)
    return _run(row) if row else None


def by_entry(tx: Tx, shop_id: str, flow_id: str, entry_key: str, order_id: str | None = None) -> Run | None:
    """The run that entered under this key. `order_id` is the order such a run is about, where it is about one."""
    theirs: dict[str, Run] | None = tx.recall("run_of_order").get((shop_id, order_id))
    if theirs is not None:
        return next((run for run in theirs.values() if run.entry_key == entry_key and run.flow_id == flow_id), None)
    row = tx.one("run_by_entry", shop_id=shop_id, flow_id=flow_id, entry_key=entry_key)
    return _run(row) if row else None


def latest_entry(tx: Tx, shop_id: str, flow_id: str, subject: Ref, email_key: str | None = None) -> Run | None:
    """The newest run of the subject in the flow, or of the person by address where one is given."""
    rows = tx.all(
        "run_latest_entries",
        shop_id=shop_id,
        flow_id=flow_id,
        subject_kind=subject.kind,
        subject_id=subject.id,
        email_key=email_key,
    )
    return max(map(_run, rows), key=lambda run: (run.created_at, run.id), default=None)


def due(tx: Tx, now: datetime, limit: int, turn: Turn | None = None) -> list[Run]:
    """Runs whose time has come, longest overdue first; locked by others are passed over on PostgreSQL.

    When they are more than `limit`, each shop has a share (`connector.store.turns`).
    """
    at = to_text(now)

    def after(shop_id: str, count: int) -> list[str]:
        return [row["shop_id"] for row in tx.all("run_due_shops", now=at, after=shop_id, limit=count)]

    def of(shop_id: str, count: int) -> list[Row]:
        return tx.all("run_due_of", shop_id=shop_id, now=at, limit=count)

    oldest = tx.all("run_due", now=at, limit=limit)
    return [_run(row) for row in share_out(oldest, limit, turn or Turn(), after, of, "run_id")]


def lease(tx: Tx, run: Run, until: datetime) -> None:
    """A due run is not due again before `until`; its `rev` rises by one. With others of its kind; when somebody else
    was first, the transaction ends in `StoreCollision`."""
    _forget(tx, run)
    tx.later("run_lease", exact=True, shop_id=run.shop_id, run_id=run.id, until=to_text(until), rev=run.rev)


def due_in(tx: Tx, flows: Sequence[str], now: datetime, limit: int) -> list[Run]:
    """The same of these flows only, whichever shop's. Passes over everything else that is due: for crowds."""
    rows = tx.all("run_due_in", flows=codec.encode_text(list(flows)), now=to_text(now), limit=limit)
    return [_run(row) for row in rows]


def next_wake(tx: Tx) -> datetime | None:
    row = tx.one("run_next_wake")
    return from_text(row["wake_at"]) if row and row["wake_at"] else None


def active(
    tx: Tx,
    shop_id: str,
    *,
    order_id: str | None = None,
    subject: Ref | None = None,
    email_key: str | None = None,
    customer_id: str | None = None,
) -> list[Run]:
    """Runs that have not ended and match any of what is given, each once, oldest first."""
    if email_key is None and customer_id is None and subject == Ref("order", order_id or ""):
        return list(_active_of_order(tx, shop_id, subject.id))
    rows: list[Row] = []
    orders = {order_id} if order_id is not None else set()
    if subject is not None and subject.kind == "order":
        orders.add(subject.id)
    elif subject is not None:
        rows += tx.all("run_active_of_subject", shop_id=shop_id, subject_kind=subject.kind, subject_id=subject.id)
    for each in orders:
        rows += tx.all("run_active_of_order", shop_id=shop_id, order_id=each)
    if email_key is not None:
        rows += tx.all("run_active_of_email", shop_id=shop_id, email_key=email_key)
    if customer_id is not None:
        rows += tx.all("run_active_of_customer", shop_id=shop_id, customer_id=customer_id)
    found = {row["run_id"]: row for row in rows}
    return [_run(row) for row in sorted(found.values(), key=lambda row: (row["created_at"], row["run_id"]))]


def _active_of_order(tx: Tx, shop_id: str, order_id: str) -> list[Run]:
    """Asked for every event of an order, and a delivery tells several."""
    theirs: dict[str, Run] | None = tx.recall("run_of_order").get((shop_id, order_id))
    if theirs is None:
        rows = tx.all("run_of_order", shop_id=shop_id, order_id=order_id)
        theirs = tx.recall("run_of_order")[shop_id, order_id] = {row["run_id"]: _run(row) for row in rows}
    found = [run for run in theirs.values() if not run.status.ended]
    return found if len(found) < 2 else sorted(found, key=lambda run: (run.created_at, run.id))


def active_of_flow(tx: Tx, shop_id: str, flow_id: str, limit: int) -> list[Run]:
    """Up to `limit` runs of the flow that have not ended."""
    return [_run(row) for row in tx.all("run_active_of_flow", shop_id=shop_id, flow_id=flow_id, limit=limit)]


def on_other_versions(tx: Tx, shop_id: str, flow_id: str, version: str, limit: int) -> Iterator[Run]:
    """Every run of the flow that has not ended and follows another version than this, `limit` read at a time."""
    after = ""
    while rows := tx.all(
        "run_on_other_versions", shop_id=shop_id, flow_id=flow_id, version=version, after_run=after, limit=limit
    ):
        yield from map(_run, rows)
        after = rows[-1]["run_id"]


def migrate(tx: Tx, run: Run) -> None:
    """Write a run that goes on in another version. When a signal moved it meanwhile, the transaction ends in
    `StoreCollision`: take it again."""
    _forget(tx, run)
    moving = _moving(run)
    kept = ("shop_id", "run_id", "status", "step", "updated_at", "wake_at", "awaiting", "reason", "rev")
    tx.later("run_migrate", exact=True, version=run.version, **{name: moving[name] for name in kept})


def of_order(tx: Tx, shop_id: str, order_id: str) -> list[Run]:
    """Every run of the order, ended ones too, oldest first."""
    return [_run(row) for row in tx.all("run_of_order", shop_id=shop_id, order_id=order_id)]


def of_email(tx: Tx, shop_id: str, email_key: str) -> list[Run]:
    """Every run for the address, ended ones too, oldest first."""
    return [_run(row) for row in tx.all("run_of_email", shop_id=shop_id, email_key=email_key)]


def all_of_shop(tx: Tx, shop_id: str) -> list[Run]:
    """Every run of a shop, oldest first. For rehearsals: a real shop has millions."""
    return [_run(row) for row in tx.all("run_of_shop", shop_id=shop_id)]


def tasks(tx: Tx, shop_id: str = "", limit: int = 100) -> list[Run]:
    """Runs that wait for a person's decision, of one shop or all, the most pressing first."""
    return [_run(row) for row in tx.all("run_tasks", shop_id=shop_id, limit=limit)]


def _run(row: Row) -> Run:
    return Run(
        shop_id=row["shop_id"],
        id=row["run_id"],
        flow_id=row["flow_id"],
        version=row["version"],
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
        entry_key=row["entry_key"],
        status=RunStatus.of(row["status"]),
        step=row["step"],
        created_at=from_text(row["created_at"]),
        updated_at=from_text(row["updated_at"]),
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        email_key=row["email_key"],
        wake_at=from_text(row["wake_at"]) if row["wake_at"] else None,
        awaiting=codec.decode(row["awaiting"], _KINDS) if row["awaiting"] != "[]" else (),
        event=codec.decode(row["event"], _TEXTS),
        outcomes=codec.decode(row["outcomes"], _OUTCOMES) if row["outcomes"] != "{}" else {},
        acted=bool(row["acted"]),
        reason=row["reason"],
        rev=row["rev"],
    )


def journal(
    tx: Tx, shop_id: str, run_id: str, at: datetime, step_id: str, what: str, detail: Mapping[str, str] | None = None
) -> None:
    """Append a line to the run's diary."""
    journal_many(tx, [JournalEntry(shop_id, run_id, at, step_id, what, detail or {})])


def journal_many(tx: Tx, rows: Iterable[JournalEntry | tuple[str, str, datetime, str, str, Mapping[str, str]]]) -> None:
    for shop_id, run_id, at, step_id, what, detail in rows:
        if not tx.diary and what != NOT_STARTED:
            continue
        tx.later(
            "journal_put",
            shop_id=shop_id,
            run_id=run_id,
            at=to_text(at),
            step_id=step_id,
            what=what,
            detail=codec.encode_text(detail) if detail else "{}",
        )


def journal_of(tx: Tx, shop_id: str, run_id: str) -> list[JournalRow]:
    """The run's diary, in the order it was written; how it began stands first, with `seq` 0 where its row says it."""
    rows = [
        JournalRow(row["seq"], from_text(row["at"]), row["step_id"], row["what"], codec.decode(row["detail"], _TEXTS))
        for row in tx.all("journal_of", shop_id=shop_id, run_id=run_id)
    ]
    if any(row.what == STARTED for row in rows):
        return sorted(rows, key=lambda row: row.what != STARTED)
    run = get(tx, shop_id, run_id)
    if run is None or run.reason == NEVER or "kind" not in run.event:
        return rows
    version = next((row.detail["from"] for row in rows if row.what == "moved"), run.version)
    return [JournalRow(0, run.created_at, "", STARTED, {"kind": run.event["kind"], "version": version}), *rows]


def keep_start(tx: Tx, run: Run) -> None:
    """Write down how the run began, which its row says only until it begins anew."""
    for first in journal_of(tx, run.shop_id, run.id)[:1] if tx.diary else ():
        if first.seq == 0:
            journal(tx, run.shop_id, run.id, first.at, "", STARTED, first.detail)
