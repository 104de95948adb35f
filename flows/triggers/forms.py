"""The forms of `trigger` beside kinds of event, and how they are read. Notes every fault, raises none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from functools import partial
from typing import Any, ClassVar
from zoneinfo import available_timezones

from connector.errors import ConfigError, near
from connector.model import EventKind
from flows.authoring.fields import read_span, shown_value
from flows.authoring.paths import Kind, path_type
from flows.guards import check_kind
from flows.limits.daytime import DAYS, read_clock

ZONES = ("shop", "recipient")
ABANDONED_AFTER = "1h"
"""Brief, defaults: a checkout counts as abandoned one hour after its last word."""
_MORNING = time(9)
_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Fault = Callable[[str, str], None]
"""Notes a fault: the key inside the trigger, the sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTrigger:
    """A field plus or minus a span, `at` an hour of that day.

    `anchor` is what the field belongs to: `order`, `line_item` (an order's, a wake-up a line), `customer`, `checkout`.
    `offset` is a span, or the path of a figure that is one; `otherwise` stands where the figure is not known. Without
    `at` the moment is exact.
    """

    kind: ClassVar[str] = str(EventKind.DATE_REACHED)

    path: str
    anchor: str
    offset: timedelta | str = timedelta()
    otherwise: timedelta | None = None
    at: time | None = None
    zone: str = "shop"
    yearly: bool = False

    @property
    def repeats(self) -> bool:
        return self.yearly


@dataclass(frozen=True, slots=True)
class DayRule:
    """Which days a calendar rule means: one `month` and `day` of the year, a `weekday` (Monday 0), or a `day` of each
    month. A month without that day has its last day instead."""

    text: str
    month: int | None = None
    day: int | None = None
    weekday: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarTrigger:
    """A day of the calendar, for everybody who ever ordered, or for the members of a segment on that day."""

    kind: ClassVar[str] = str(EventKind.CALENDAR_REACHED)
    anchor: ClassVar[str] = "customer"
    repeats: ClassVar[bool] = True

    rule: DayRule
    at: time = _MORNING
    zone: str = "shop"
    segment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceTrigger:
    """Nothing of the kinds `after` for so long. One wake-up a customer (or checkout) and flow, moved by each event."""

    repeats: ClassVar[bool] = False

    span: timedelta | str
    after: tuple[str, ...]
    otherwise: timedelta | None = None
    anchor: str = "customer"

    @property
    def kind(self) -> str:
        return str(EventKind.CHECKOUT_ABANDONED if self.anchor == "checkout" else EventKind.CUSTOMER_SILENT)


Schedule = DateTrigger | CalendarTrigger | SilenceTrigger


@dataclass(frozen=True, slots=True)
class SegmentTrigger:
    """A segment entered or left."""

    name: str
    kind: str


@dataclass(slots=True)
class Trigger:
    """What reading a `trigger` gave. `document` is its resolved text: a list of kinds, or a table."""

    document: list[str] | dict[str, Any]
    kinds: tuple[str, ...] = ()
    schedule: Schedule | None = None
    segment: SegmentTrigger | None = None
    subject: str = "order"
    reentry: str = "once"


_FORMS: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "offset", "otherwise", "at", "zone", "yearly"),
    "calendar": ("calendar", "at", "zone", "segment"),
    "silence": ("silence", "otherwise", "after"),
    "segment": ("segment", "change"),
}
_ANCHORS = {"order": "order", "progress": "order", "customer": "customer", "checkout": "checkout"}
_WAKEUPS: Mapping[str, str] = {
    EventKind.DATE_REACHED: "{ date = 'order.placed_at', offset = '365d' }",
    EventKind.CALENDAR_REACHED: "{ calendar = '11-20' }",
    EventKind.CUSTOMER_SILENT: "{ silence = '60d', after = 'order.created' }",
}
_CHANGES = {"entered": EventKind.SEGMENT_ENTERED, "left": EventKind.SEGMENT_LEFT}
# What events about nothing but a person, and about a checkout, begin with.
_OF_PEOPLE = ("customer", "consent", "segment", "points", "tier", "product")


def read_trigger(
    value: object, params: Mapping[str, Any], segments: Collection[str] | None, fault: Fault, subject: object = None
) -> Trigger:
    """Read a `trigger`: a kind, a list of kinds, or a table of one of the forms.

    `segments` are the names that exist, `None` leaves them unchecked; `subject` is the flow's, where it names one.
    """
    if isinstance(value, Mapping):
        table = {key: _substitute(item, params, partial(fault, key)) for key, item in value.items()}
        return _Table(table, segments, fault, subject).read()
    kinds = [value] if isinstance(value, str) else value
    if value is None:
        kinds = []
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        fault("", f"expected kinds of event or a table such as {{ silence = '60d', after = 'order.created' }}, not "
                  f"{shown_value(value)}")  # fmt: skip
        return Trigger([])
    if not kinds:
        fault("", "name at least one kind of event")
    for kind in kinds:
        try:
            check_kind(kind)
        except ConfigError as error:
            fault("", error.message)
    return _of_kinds(list(kinds), fault)


def _of_kinds(kinds: list[str], fault: Fault) -> Trigger:
    found = Trigger(kinds, tuple(kinds))
    families = {kind.partition(".")[0] for kind in kinds}
    for kind in kinds:
        if kind in _WAKEUPS:
            fault("", f"'{kind}' is told by a wake-up: write the trigger as {_WAKEUPS[kind]}")
    if EventKind.CHECKOUT_ABANDONED in kinds:
        if len(kinds) > 1:
            fault("", "'checkout.abandoned' is a wake-up and stands alone; give other events a flow of their own")
        found.schedule = SilenceTrigger(
            span=read_span(ABANDONED_AFTER),
            after=(str(EventKind.CHECKOUT_STARTED), str(EventKind.CHECKOUT_UPDATED)),
            anchor="checkout",
        )
    if families == {"checkout"}:
        found.subject = "checkout"
    elif families and families.issubset(_OF_PEOPLE):
        found.subject = "customer"
    return found


class _Table:
    """A trigger written as a table."""

    def __init__(self, table: dict[str, Any], segments: Collection[str] | None, fault: Fault, subject: object) -> None:
        self.table = table
        self.segments = segments
        self.fault = fault
        self.subject = subject

    def read(self) -> Trigger:
        form = next((name for name in _FORMS if name in self.table and (name != "segment" or self._is_change())), None)
        if form is None:
            self.fault("", f"a table needs one of {', '.join(_FORMS)}{near(next(iter(self.table), ''), _FORMS)}")
            return Trigger(self.table)
        known = _FORMS[form]
        for key in self.table:
            if key not in known:
                self.fault(key, f"a '{form}' trigger has no such key{near(key, known)}")
        reader: Mapping[str, Callable[[], Trigger]] = {
            "date": self._date,
            "calendar": self._calendar,
            "silence": self._silence,
            "segment": self._segment,
        }
        return reader[form]()

    def _is_change(self) -> bool:
        return "calendar" not in self.table and "date" not in self.table

    def _date(self) -> Trigger:
        path = self._text("date")
        root = path.partition(".")[0]
        anchor = _ANCHORS.get(root, "")
        if path and not anchor:
            self.fault("date", f"'{path}': count from a time of {', '.join(_ANCHORS)}{near(root, _ANCHORS)}")
        elif path:
            self._check_time(path)
        if anchor == "order" and self.subject == "line_item":
            anchor = "line_item"
        whole_days = path == "customer.birthday" or path.startswith("customer.fields.")
        found = DateTrigger(
            path=path,
            anchor=anchor or "order",
            offset=self._offset(),
            otherwise=self._otherwise("offset"),
            at=self._clock(_MORNING if whole_days else None),
            zone=self._zone(),
            yearly=self._flag("yearly"),
        )
        subject = "order" if anchor == "line_item" else anchor or "order"
        return self._scheduled(found, subject)

    def _calendar(self) -> Trigger:
        text = self._text("calendar")
        rule = read_day_rule(text)
        if rule is None:
            self.fault("calendar", f"'{text}': write a day of the year such as 11-20, a weekday such as mon, or a day "
                                   f"of the month such as 1.{near(text, DAYS)}")  # fmt: skip
        segment = self._text("segment") if "segment" in self.table else ""
        self._check_segment(segment)
        found = CalendarTrigger(
            rule=rule or DayRule(text), at=self._clock(_MORNING) or _MORNING, zone=self._zone(), segment=segment
        )
        return self._scheduled(found, "customer")

    def _silence(self) -> Trigger:
        after = self.table.get("after")
        kinds = [after] if isinstance(after, str) else after
        if not isinstance(kinds, list) or not kinds or not all(isinstance(kind, str) for kind in kinds):
            self.fault("after", "say after which events, such as 'order.created'")
            kinds = []
        for kind in kinds:
            try:
                check_kind(kind)
            except ConfigError as error:
                self.fault("after", error.message)
        of_checkout = bool(kinds) and all(kind.startswith("checkout.") for kind in kinds)
        anchor = "checkout" if of_checkout and self.subject in (None, "checkout") else "customer"
        found = SilenceTrigger(
            span=self._span("silence"), otherwise=self._otherwise("silence"), after=tuple(kinds), anchor=anchor
        )
        return self._scheduled(found, anchor)

    def _segment(self) -> Trigger:
        name, change = self._text("segment"), self._text("change")
        self._check_segment(name)
        if change and change not in _CHANGES:
            self.fault("change", f"no such choice '{change}'{near(change, _CHANGES)} (one of {', '.join(_CHANGES)})")
        kind = str(_CHANGES.get(change, EventKind.SEGMENT_ENTERED))
        return Trigger(self.table, (kind,), segment=SegmentTrigger(name, kind), subject="customer", reentry="ignore")

    def _scheduled(self, schedule: Schedule, subject: str) -> Trigger:
        once = isinstance(schedule, DateTrigger) and not schedule.yearly
        reentry = "once" if once else "ignore"
        return Trigger(self.table, (schedule.kind,), schedule, subject=subject, reentry=reentry)

    # -- values ------------------------------------------------------------------------------------------------------

    def _text(self, key: str) -> str:
        value = self.table.get(key)
        if value is None:
            self.fault(key, "this key is missing")
        elif not isinstance(value, str):
            self.fault(key, f"expected text, not {shown_value(value)}")
        return value if isinstance(value, str) else ""

    def _flag(self, key: str) -> bool:
        value = self.table.get(key, False)
        if not isinstance(value, bool):
            self.fault(key, f"expected true or false, not {shown_value(value)}")
        return value is True

    def _clock(self, default: time | None) -> time | None:
        if "at" not in self.table:
            return default
        try:
            return read_clock(self._text("at"))
        except ValueError as error:
            self.fault("at", str(error))
            return default

    def _zone(self) -> str:
        zone = self._text("zone") if "zone" in self.table else "shop"
        if zone and zone not in ZONES and zone not in available_timezones():
            known = (*ZONES, *available_timezones())
            self.fault("zone", f"no time zone '{zone}'{near(zone, known)} (shop, recipient, or a name)")
        return zone or "shop"

    def _offset(self) -> timedelta | str:
        if "offset" not in self.table:
            return timedelta()
        text = self._text("offset").strip()
        sign = -1 if text.startswith("-") else 1
        return self._read_span("offset", text.lstrip("+-").strip(), sign)

    def _span(self, key: str) -> timedelta | str:
        return self._read_span(key, self._text(key), 1)

    def _otherwise(self, key: str) -> timedelta | None:
        if "otherwise" not in self.table:
            return None
        if "." not in str(self.table.get(key, "")):
            self.fault("otherwise", f"stands in for a figure that is not known, and '{key}' is none")
        try:
            return read_span(self._text("otherwise"))
        except (ValueError, OverflowError) as error:
            self.fault("otherwise", str(error))
            return None

    def _read_span(self, key: str, text: str, sign: int) -> timedelta | str:
        """A span, or the path of a figure: `shop.repeat_gap_days`."""
        if "." in text and sign > 0:
            self._check_path(key, text)
            return text
        try:
            return read_span(text) * sign
        except (ValueError, OverflowError) as error:
            if text:
                self.fault(key, str(error))
            return timedelta()

    def _check_path(self, key: str, path: str) -> Kind | None:
        try:
            return path_type(path).kind
        except ConfigError as error:
            self.fault(key, error.message)
            return None

    def _check_time(self, path: str) -> None:
        if path == "customer.birthday":
            return
        found = self._check_path("date", path)
        if found is not None and found not in (Kind.TIME, Kind.LOOSE):
            self.fault("date", f"{path} is {found.value}, not {Kind.TIME.value}")

    def _check_segment(self, name: str) -> None:
        if name and self.segments is not None and name not in self.segments:
            self.fault("segment", f"no segment '{name}'{near(name, self.segments)}")


def read_day_rule(text: str) -> DayRule | None:
    """`11-20`, `mon`, `1.`; `None` for anything else."""
    if not text.isascii():
        return None
    if text in DAYS:
        return DayRule(text, weekday=DAYS.index(text))
    month, dash, day = text.partition("-")
    if dash and month.isdecimal() and day.isdecimal() and len(month) <= 2 and len(day) <= 2:
        fits = 1 <= int(month) <= 12 and 1 <= int(day) <= _MONTHS[int(month) - 1]
        return DayRule(text, month=int(month), day=int(day)) if fits else None
    number = text.removesuffix(".")
    if text.endswith(".") and number.isdecimal() and len(number) <= 2 and 1 <= int(number) <= 31:
        return DayRule(text, day=int(number))
    return None


def _substitute(value: object, params: Mapping[str, Any], fault: Callable[[str], None]) -> object:
    """`$name` becomes the parameter; `-$name` its opposite, for an offset."""
    if isinstance(value, list):
        return [_substitute(item, params, fault) for item in value]
    if not isinstance(value, str) or not value.lstrip("+-").startswith("$"):
        return value
    sign, _, name = value.partition("$")
    if name not in params:
        fault(f"no parameter '{name}'{near(name, params)}")
        return ""
    return f"{sign}{params[name]}" if sign else params[name]
