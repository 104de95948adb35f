"""What is done for a shop again and again, each with its due time, its lease and how far it has come.

A lease is a token: whoever lost it (its time ran out, another took over) can store nothing any more, so progress and
the rows it stands for are always one worker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Row, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A leased job. `state` is its own plain JSON; `attempts` counts failures in a row."""

    shop_id: str
    kind: str
    lease: str
    attempts: int
    state: Mapping[str, Any]
    created_at: datetime
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job as it stands. `busy_until` is set while somebody works on it."""

    shop_id: str
    kind: str
    due_at: datetime | None
    busy_until: datetime | None
    attempts: int
    error_code: str
    error_text: str
    created_at: datetime
    done_at: datetime | None
    state: Mapping[str, Any] = field(default_factory=dict)


def ensure(tx: Tx, shop_id: str, kind: str, due_at: datetime | None, now: datetime) -> bool:
    """Plan the job unless it exists; `due_at` None plans nothing yet. True when it is new."""
    due = to_text(due_at) if due_at else None
    return tx.run("job_ensure", shop_id=shop_id, kind=kind, due_at=due, state="{}", now=to_text(now)) == 1


def claim(tx: Tx, lease: str, now: datetime, until: datetime) -> Job | None:
    """Lease the job due longest, of a shop nobody works for just now; `None` when nothing is due."""
    return _job(tx.one("job_claim", lease=lease, now=to_text(now), until=to_text(until)), lease)


def take(tx: Tx, shop_id: str, kind: str, lease: str, now: datetime, until: datetime) -> Job | None:
    """Lease this job whether it is due or not; `None` when somebody works on it or there is none."""
    args = {"shop_id": shop_id, "kind": kind, "lease": lease, "now": to_text(now), "until": to_text(until)}
    return _job(tx.one("job_take", **args), lease)


def keep(tx: Tx, job: Job, state: Mapping[str, Any], until: datetime) -> bool:
    """Store how far it has come and prolong the lease. False when the lease was lost: undo the transaction."""
    text = codec.encode_text(dict(state))
    args = {"shop_id": job.shop_id, "kind": job.kind, "lease": job.lease, "state": text, "until": to_text(until)}
    return tx.run("job_keep", **args) == 1


def finish(
    tx: Tx,
    job: Job,
    state: Mapping[str, Any],
    due_at: datetime | None,
    *,
    done_at: datetime | None = None,
    attempts: int = 0,
    code: str = "",
    text: str = "",
) -> bool:
    """Give the lease back. `text` must hold no personal data. False when the lease was lost."""
    return (
        tx.run(
            "job_finish",
            shop_id=job.shop_id,
            kind=job.kind,
            lease=job.lease,
            due_at=to_text(due_at) if due_at else None,
            attempts=attempts,
            state=codec.encode_text(dict(state)),
            code=code,
            text=text,
            done_at=to_text(done_at) if done_at else None,
        )
        == 1
    )


def wake(tx: Tx, shop_id: str, kind: str, now: datetime, since: datetime) -> bool:
    """Make it due now, unless it is being worked on or was done after `since`."""
    return tx.run("job_wake", shop_id=shop_id, kind=kind, now=to_text(now), since=to_text(since)) == 1


def hold(tx: Tx, shop_id: str, until: datetime) -> None:
    """Put off all jobs of a shop that asked us to wait."""
    tx.run("job_hold", shop_id=shop_id, until=to_text(until))


def restart(tx: Tx, shop_id: str, kind: str, state: Mapping[str, Any], now: datetime) -> None:
    """From the beginning, due now; whoever works on it loses the lease."""
    tx.run("job_restart", shop_id=shop_id, kind=kind, state=codec.encode_text(dict(state)), now=to_text(now))


def forget(tx: Tx, shop_id: str) -> None:
    """Remove all jobs of a shop; whoever works on one loses the lease."""
    tx.run("job_forget", shop_id=shop_id)


def get(tx: Tx, shop_id: str, kind: str) -> JobRow | None:
    row = tx.one("job_get", shop_id=shop_id, kind=kind)
    if row is None:
        return None
    return JobRow(
        shop_id=row["shop_id"],
        kind=row["kind"],
        due_at=_time(row["due_at"]),
        busy_until=_time(row["leased_until"]),
        attempts=row["attempts"],
        error_code=row["error_code"],
        error_text=row["error_text"],
        created_at=from_text(row["created_at"]),
        done_at=_time(row["done_at"]),
        state=codec.decode(row["state"], dict[str, Any]),
    )


def next_due(tx: Tx) -> datetime | None:
    row = tx.one("job_next_due")
    return _time(row["due_at"]) if row else None


def shops_with(tx: Tx, kind: str) -> set[str]:
    """The shops that have the job."""
    return {row["shop_id"] for row in tx.all("job_shops", kind=kind)}


def report(tx: Tx, shop_id: str, kind: str, found: Mapping[str, Any], now: datetime) -> None:
    """Keep what a job found, for people to read."""
    tx.run("report_put", shop_id=shop_id, kind=kind, at=to_text(now), report=codec.encode_text(dict(found)))
    tx.run("report_prune", shop_id=shop_id, kind=kind)


def reports(tx: Tx, shop_id: str, kind: str, limit: int = 1) -> list[tuple[datetime, dict[str, Any]]]:
    """The newest reports, with their times."""
    rows = tx.all("report_latest", shop_id=shop_id, kind=kind, limit=limit)
    return [(from_text(row["at"]), codec.decode(row["report"], dict[str, Any])) for row in rows]


def _job(row: Row | None, lease: str) -> Job | None:
    if row is None:
        return None
    return Job(
        shop_id=row["shop_id"],
        kind=row["kind"],
        lease=lease,
        attempts=row["attempts"],
        state=codec.decode(row["state"], dict[str, Any]),
        created_at=from_text(row["created_at"]),
        done_at=_time(row["done_at"]),
    )


def _time(text: str | None) -> datetime | None:
    return from_text(text) if text else None
