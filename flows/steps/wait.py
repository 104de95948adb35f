"""`wait`: let time pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import available_timezones

from connector.contracts import Decision, Signal, Sleep, Step, StepContext, Woke, parse_span
from connector.errors import near
from flows.authoring.fields import LONGEST_SPAN
from flows.authoring.paths import Kind
from flows.limits.daytime import next_clock, next_open, read_clock, read_days, read_window, zone_of

ZONES = ("shop", "recipient")
_NOTHING = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    """Sleep for `span`, counted from now or from the time at the path `from` (from now where that is missing).

    `before` counts back from that time instead: `before = "3d"` with `from = "event.due_at"`. Then, on the wall of
    `zone` (`shop`, `recipient`, or a name such as `Europe/Helsinki`):

    - `at` (`09:00`) moves the waking on to the next such hour, `days` (`["mon", "thu"]`) to the next such weekday;
    - `window` (`09:00-20:00`) lets it stand where it falls into those hours, else moves it on to the next opening.

    `span_from` is a path that says how long instead (a span, or a number of days); `span` holds where it is missing.

    A time that is past goes on at once. On waking the time at `from` is read again: a parcel that came later than
    first told moves the waking with it.
    """

    do: ClassVar[str] = "wait"

    span: timedelta | None = None
    span_from: str = ""
    before: timedelta | None = None
    from_: str = field(default="", metadata={"path": Kind.TIME})
    at: str = ""
    days: tuple[str, ...] = ()
    window: str = ""
    zone: str = "shop"

    def __post_init__(self) -> None:
        if self.span is not None and self.before is not None:
            raise ValueError("give 'span' or 'before', not both")
        if self.before is not None and not self.from_:
            raise ValueError("'before' counts back from a time: say which with 'from'")
        if self.at and self.window:
            raise ValueError("give 'at' or 'window', not both")
        if self.span_from and self.span is None:
            raise ValueError("'span_from' needs 'span' too, for when nothing is known there")
        if self.span is None and not (self.from_ or self.at or self.days or self.window):
            raise ValueError("say how long: 'span', 'from', 'at', 'days' or 'window'")
        for key, read, value in (("at", read_clock, self.at), ("window", read_window, self.window)):
            if value:
                _checked(key, read, value)
        _checked("days", read_days, self.days)
        if self.zone not in ZONES and self.zone not in available_timezones():
            hint = near(self.zone, (*ZONES, *available_timezones()))
            raise ValueError(f"zone: no time zone '{self.zone}'{hint} (shop, recipient, or a name)")

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
        return tuple(path for path in (self.from_, self.span_from) if path)

    def _until(self, ctx: StepContext, origin: datetime) -> datetime:
        until = origin + self._length(ctx) - (self.before or _NOTHING)
        if not (self.at or self.days or self.window):
            return until
        place = zone_of(ctx.get(f"{self.zone}.timezone") if self.zone in ZONES else self.zone)
        if self.at:
            return next_clock(until, read_clock(self.at), place, read_days(self.days))
        return next_open(until, read_window(self.window or "00:00-00:00"), place, read_days(self.days))

    def _length(self, ctx: StepContext) -> timedelta:
        """How long from the origin; never more than ten years, whatever a path says."""
        value = ctx.get(self.span_from) if self.span_from else None
        try:
            if isinstance(value, str):
                value = parse_span(value)
            elif isinstance(value, int | Decimal) and not isinstance(value, bool):
                value = timedelta(days=float(value))
        except (ValueError, OverflowError):
            value = None
        fits = isinstance(value, timedelta) and _NOTHING <= value <= LONGEST_SPAN
        return value if fits and isinstance(value, timedelta) else self.span or _NOTHING


def _checked(key: str, read: Callable[[Any], object], value: object) -> None:
    try:
        read(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _time(ctx: StepContext, path: str) -> datetime | None:
    value = ctx.get(path) if path else None
    return value if isinstance(value, datetime) else None
