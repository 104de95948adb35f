"""`wait_for`: wait for something to happen, but not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from connector.contracts import Await, Decision, Done, Signal, Step, StepContext, Woke
from flows.paths import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(Step):
    """Wait for one of the kinds `event`, at most `timeout` from now or from the time at the path `from`.

    The outcome is `event` (with the event's own data beside it) or `timeout`.
    """

    do: ClassVar[str] = "wait_for"

    event: tuple[str, ...] = field(metadata={"event": True})
    timeout: timedelta
    from_: str = field(default="", metadata={"path": Kind.TIME})

    def __post_init__(self) -> None:
        if not self.event:
            raise ValueError("event: name at least one kind of event")

    def start(self, ctx: StepContext) -> Decision:
        origin = ctx.get(self.from_) if self.from_ else None
        return Await(self.event, (origin if isinstance(origin, datetime) else ctx.now) + self.timeout)

    def resume(self, ctx: StepContext, signal: Signal) -> Decision:
        return Done("timeout") if isinstance(signal, Woke) else Step.resume(self, ctx, signal)

    def paths(self) -> Sequence[str]:
        return (self.from_,) if self.from_ else ()
