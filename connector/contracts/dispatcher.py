"""Who carries a due step to the process that does it: nobody (the worker itself), Procrastinate, or Celery.

Only what is due now is ever handed out, as `(run, step, attempt)`; sleeping runs stay rows (facts/engine.md §1a: a
general queue that holds the sleepers takes minutes to wake a thousand of a million). The worker leases a due run, which
counts an attempt, and hands the pair out; whoever executes it looks at the run again and does nothing when the attempt
is not the run's newest. So a queue may lose, repeat or delay: the lease ends and the step is handed out anew, under
another attempt. What a queue must do is bring most of what it was given, unaltered, to somebody, and what is
`first` before the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple


class DueStep(NamedTuple):
    """A step of a run whose time has come. `attempt` rises whenever the run moves or is handed out; those of flows
    with order messages come `first`: before all others that wait in the queue. One that was handed out `again`, since
    nobody did it, shares its message with no other: it may be what executors die of."""

    shop_id: str
    run_id: str
    step: int
    attempt: int
    first: bool = False
    again: bool = False

    @property
    def message(self) -> list[Any]:
        """What a queue carries. Nothing is added to it: executors of the version before read it by position."""
        return [self.shop_id, self.run_id, self.step, self.attempt]

    @property
    def id(self) -> str:
        """What a queue may know the message by: another attempt is another message (facts/engine.md §1c)."""
        return f"{self.shop_id}/{self.run_id}:{self.step}:{self.attempt}"


Perform = Callable[[DueStep], bool]
"""Does a step; False when it was stale. Never raises: what goes wrong is the run's, and kept there. Thread-safe."""


class Dispatcher(ABC):
    """A queue of due steps. Other packages bring their own under the entry points `kiitos.dispatchers`.

    One object serves one process, which either hands out or executes.
    """

    name: ClassVar[str]
    inline: ClassVar[bool] = False
    """The worker does due steps itself, in the transaction that finds them; nothing is handed out."""

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Mapping[str, Any], database: str) -> Dispatcher:
        """From the rest of `[app.dispatcher]` and the database's address. Raises `ConfigError` naming the key."""

    def prepare(self) -> None:
        """Make what the queue needs (tables). Idempotent. Raises `StoreUnavailable`, `Transient`, `ConfigError`."""
        return

    def waiting(self) -> int:
        """How many messages nobody has begun with. Raises `Transient`: then nothing is handed out."""
        return 0

    def enlist(self, connection: Any, due: Sequence[DueStep]) -> None:
        """Hand out within the open transaction of the lease, on its own connection: for queues that live in the same
        database. What is rolled back was then never handed out."""
        del connection, due

    def publish(self, due: Sequence[DueStep], lease: timedelta) -> None:
        """Hand out after the lease is committed: for queues elsewhere. A crash in between loses messages, which the
        end of the lease repairs. After `lease` a message is worth nothing. Raises `Transient`."""
        del due, lease

    @abstractmethod
    def execute(self, perform: Perform, threads: int) -> None:
        """Take messages and perform them in so many threads until SIGTERM or SIGINT, or until `stop`."""

    def stop(self) -> None:
        """End `execute`, called from another thread: tests."""
        return

    def close(self) -> None:
        """Give back connections."""
        return


class Inline(Dispatcher):
    """The default: no queue. Every worker finds what is due and does it in one transaction (batches of a hundred)."""

    name = "inline"
    inline = True

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], database: str) -> Inline:
        del settings, database
        return cls()

    def execute(self, perform: Perform, threads: int) -> None:
        """There is nothing to take."""
        del perform, threads
