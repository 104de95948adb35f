"""`wait_for`: wait for something to happen, but not for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from connector.contracts import Arrived, Await, Decision, Done, Signal, Step, StepContext, Woke
from connector.contracts.step import CODE_LETTERS
from connector.errors import ConfigError
from flows.authoring.paths import Kind
from flows.guards import Guard, parse_guard


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(Step):
    """Wait for one of the kinds `event`, at most `timeout` from now or from the time at the path `from`.

    `where` are guards on the event (`event.rating <= 2`): one that does not meet them all is not waited for, and the
    time-out stays where it is. The outcome is `event` (with the event's own data beside it) or `timeout`.
    """

    do: ClassVar[str] = "wait_for"

    event: tuple[str, ...] = field(metadata={"event": True})
    timeout: timedelta
    from_: str = field(default="", metadata={"path": Kind.TIME})
    where: tuple[str, ...] = field(default=(), metadata={"guards": True})

    def __post_init__(self) -> None:
        if not self.event:
            raise ValueError("event: name at least one kind of event")
        for text in self.where:
            try:
                _guard(text)
            except ConfigError as error:
                raise ValueError(f"where: {error.message}") from error

    def start(self, ctx: StepContext) -> Decision:
        origin = ctx.get(self.from_) if self.from_ else None
        return Await(self.event, (origin if isinstance(origin, datetime) else ctx.now) + self.timeout)

    def awaits(self, ctx: StepContext, signal: Arrived) -> bool:
        seen = _Seen(ctx, {"kind": signal.kind, **signal.data})
        return all(_guard(text).holds(seen) for text in self.where)

    def resume(self, ctx: StepContext, signal: Signal) -> Decision:
        return Done("timeout") if isinstance(signal, Woke) else Step.resume(self, ctx, signal)

    def paths(self) -> Sequence[str]:
        return (self.from_,) if self.from_ else ()


@lru_cache(maxsize=512)
def _guard(text: str) -> Guard:
    return parse_guard(text)


class _Seen:
    """The facts with the event that came in the place of the one that started the run."""

    def __init__(self, ctx: StepContext, event: Mapping[str, str]) -> None:
        self._ctx = ctx
        self._event = event

    @property
    def now(self) -> datetime:
        return self._ctx.now

    @property
    def run_id(self) -> str:
        return self._ctx.run_id

    @property
    def step_id(self) -> str:
        return self._ctx.step_id

    def get(self, path: str) -> Any:
        root, _, name = path.partition(".")
        return self._event.get(name) if root == "event" else self._ctx.get(path)

    def code(self, prefix: str, length: int = CODE_LETTERS) -> str:
        return self._ctx.code(prefix, length)
