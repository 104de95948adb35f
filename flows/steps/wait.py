"""`wait`: let time pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector.contracts import Decision, Signal, Sleep, Step, StepContext, Woke
from flows.paths import Kind

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    """Sleep for `span`, counted from now or from the time at the path `from` (from now where that is missing).

    `at` (`HH:MM`, the shop's own time) moves the waking on to the next such hour. A time that is past goes on at once.
    On waking the time at `from` is read again: a parcel that came later than first told moves the waking with it.
    """

    do: ClassVar[str] = "wait"

    span: timedelta
    from_: str = field(default="", metadata={"path": Kind.TIME})
    at: str = ""

    def __post_init__(self) -> None:
        if self.at and not _CLOCK.fullmatch(self.at):
            raise ValueError(f"at: expected a time of day such as 09:00, not '{self.at}'")

    def start(self, ctx: StepContext) -> Decision:
        return Sleep(self._until(ctx, _time(ctx, self.from_) or ctx.now), self.from_)

    def resume(self, ctx: StepContext, signal: Signal) -> Decision:
        origin = _time(ctx, self.from_)
        if isinstance(signal, Woke) and origin is not None:
            until = self._until(ctx, origin)
            if until > ctx.now:
                return Sleep(until, self.from_)
        return Step.resume(self, ctx, signal)

    def paths(self) -> Sequence[str]:
        return (self.from_,) if self.from_ else ()

    def _until(self, ctx: StepContext, origin: datetime) -> datetime:
        until = origin + self.span
        return _next_clock(until, self.at, ctx.get("shop.timezone")) if self.at else until


def _time(ctx: StepContext, path: str) -> datetime | None:
    value = ctx.get(path) if path else None
    return value if isinstance(value, datetime) else None


def _next_clock(at: datetime, clock: str, zone: str | None) -> datetime:
    """The next `clock` of the shop's wall at or after `at`.

    In a spring gap the hour is read with the offset before it (02:30 becomes 03:30); in an autumn fold the first
    occurrence counts (promises R15).
    """
    try:
        place = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        place = ZoneInfo("UTC")
    day = at.astimezone(place).date()
    while True:
        wall = datetime.combine(day, time.fromisoformat(clock), place)
        if wall.astimezone(UTC) >= at:
            return wall.astimezone(UTC)
        day += timedelta(days=1)
