"""One slice of work on a shop's job: who it is for, the platform to ask, and the lease that lets it store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.app import Kiitos
from connector.clock import Clock
from connector.contracts import Access, PlatformAdapter
from connector.model import Shop
from connector.store import jobs
from connector.store.db import Tx
from connector.store.jobs import Job

LEASE = timedelta(minutes=5)
"""Longer than the slowest call with its repetitions; prolonged with each step forward."""
BUDGET = 20.0
"""Seconds a slice may go on before others have their turn."""


class LeaseLost(Exception):
    """Another worker took the job over while we were slow: what we have may be stored no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a slice ended. `due_at` None plans nothing more; `report` is kept for people to read."""

    state: Mapping[str, Any]
    due_at: datetime | None
    done: bool = True
    report: Mapping[str, Any] | None = None


@dataclass(kw_only=True)
class Assignment:
    """What a handler works with. `state` is what was stored last; `keep` is the one way to move it."""

    kiitos: Kiitos
    job: Job
    shop: Shop
    adapter: PlatformAdapter
    access: Access
    hook_url: str
    hook_secret: str | None = field(repr=False)
    live_since: datetime
    via: str
    state: dict[str, Any]
    began: float
    budget: float = BUDGET

    @property
    def clock(self) -> Clock:
        return self.kiitos.clock

    def keep(self, tx: Tx, **changes: Any) -> None:
        """Store the state with `changes`, in the transaction of the rows it stands for. Raises `LeaseLost`."""
        if not jobs.keep(tx, self.job, {**self.state, **changes}, self.clock.now() + LEASE):
            raise LeaseLost(self.job.kind)

    def kept(self, **changes: Any) -> None:
        """The transaction with `keep` was committed."""
        self.state.update(changes)

    def advance(self, **changes: Any) -> None:
        """`keep` in a transaction of its own: for progress that stands for no rows, and to prolong the lease."""
        with self.kiitos.store.work.transaction() as tx:
            self.keep(tx, **changes)
        self.kept(**changes)

    @property
    def tired(self) -> bool:
        """Whether the slice has had its time."""
        return self.clock.monotonic() - self.began >= self.budget
