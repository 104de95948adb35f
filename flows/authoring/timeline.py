"""A flow as people read it: when it starts, what happens on which day, what stops it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connector.contracts import parse_span
from flows.definition import Flow
from flows.guards import shown

_TIMEOUT = re.compile(r"steps\.([\w-]+)\.outcome == 'timeout'")
_PARAMETER = re.compile(r"\$(\w+)")
_KNOWN = frozenset({"id", "do", "when"})


@dataclass(frozen=True, slots=True)
class Moment:
    """One step: when it comes (`day 0`, `+10 d`, `progress.delivered_at + 10 d`), what it does, and only if."""

    when: str
    step_id: str
    what: str
    only_if: tuple[str, ...]


def timeline(flow: Flow) -> list[Moment]:
    """Every step with the earliest time it comes: each wait moves the following ones on."""
    clock, filled = _Clock(), _filled(flow.document)
    found = []
    for step in flow.document["steps"]:
        what = _what(step)
        found.append(Moment(clock.shown(step), str(step["id"]), what, tuple(filled(step.get("when") or ()))))
        clock.after(step)
    return found


def starts(flow: Flow) -> list[str]:
    """What starts it and for whom, a line each."""
    document = flow.document
    lines = [f"at {_trigger(document['trigger'])}, {_reentry(document['reentry'], flow.subject)}"]
    lines += [f"only if {guard}" for guard in _filled(document)(document.get("when") or ())]
    return lines


def _filled(document: Mapping[str, Any]) -> Callable[[Sequence[str]], list[str]]:
    """Guards with the values of the parameters they name."""
    params = document.get("params", {})

    def fill(guards: Sequence[str]) -> list[str]:
        return [_PARAMETER.sub(lambda found: str(params.get(found[1], found[0])), guard) for guard in guards]

    return fill


def trigger_text(flow: Flow) -> str:
    """The trigger in one line."""
    return _trigger(flow.document["trigger"])


def channels(flow: Flow) -> list[str]:
    """The channels it may write through, in the order of its steps."""
    found: dict[str, None] = {}
    for step in flow.document["steps"]:
        if step.get("do") == "send":
            wanted = step.get("channels") or step.get("channel") or "email"
            found.update(dict.fromkeys([wanted] if isinstance(wanted, str) else map(str, wanted)))
    return list(found)


class _Clock:
    """How far the ways through have come: a path they count from, the earliest and the latest time."""

    def __init__(self) -> None:
        self.origin = ""
        self.earliest = timedelta()
        self.waiting = timedelta()
        self.timeouts: dict[str, timedelta] = {}
        self.hour = ""

    def after(self, step: Mapping[str, Any]) -> None:
        if step.get("do") == "wait_for":
            timeout = _span(step.get("timeout"))
            self.timeouts[str(step["id"])] = self._from(step) + timeout
            self.waiting += timeout
        elif step.get("do") == "wait":
            if step.get("from"):  # counted from a time of its own: another count begins
                self.origin, self.hour = str(step["from"]), ""
                self.earliest = self.waiting = timedelta()
                self.timeouts = {}
            self.earliest += _span(step.get("span")) - _span(step.get("before"))
            self.hour = str(step.get("at") or step.get("window") or self.hour)

    def shown(self, step: Mapping[str, Any]) -> str:
        low, high = self._from(step), self.earliest + self.waiting
        spans = _days(low) if high <= low else f"{_days(low)} to {_days(high)}"
        text = f"{self.origin} {spans}".removesuffix(" day 0") if self.origin else spans
        return f"{text}, {self.hour}" if self.hour else text

    def _from(self, step: Mapping[str, Any]) -> timedelta:
        """Who comes here only because nothing was heard has waited to the end."""
        waited = (_TIMEOUT.fullmatch(str(guard)) for guard in step.get("when") or ())
        return max([self.earliest, *(self.timeouts.get(found[1], self.earliest) for found in waited if found)])


def _days(span: timedelta) -> str:
    return f"{'-' if span < timedelta() else '+'}{shown(abs(span))}" if span else "day 0"


def _span(value: object) -> timedelta:
    try:
        return parse_span(value) if isinstance(value, str) else timedelta()
    except ValueError:
        return timedelta()


def _trigger(trigger: object) -> str:
    if isinstance(trigger, str):
        return trigger
    if isinstance(trigger, Mapping):
        return _pairs(trigger)
    if isinstance(trigger, Sequence):
        return " or ".join(_trigger(item) for item in trigger)
    return str(trigger)


def _reentry(reentry: object, subject: str) -> str:
    match reentry:
        case "once":
            return f"once per {subject}"
        case "per_event":
            return f"once per {subject} and kind of event"
        case "restart":
            return f"once per {subject}, begun anew until something was done"
        case "ignore":
            return f"per {subject}, not while one is under way"
        case "always":
            return "every time"
        case Mapping():
            return f"per {subject}, {_pairs(reentry)}"
    return f"per {subject} ({reentry})"


def _what(step: Mapping[str, Any]) -> str:
    get = step.get
    match get("do"):
        case "wait":
            return "wait " + _wait(step)
        case "wait_for":
            kinds = get("event", "")
            named = kinds if isinstance(kinds, str) else " or ".join(map(str, kinds))
            return f"wait for {named}, at most {get('timeout')}" + (f" after {get('from')}" if get("from") else "")
        case "send":
            through = get("channels") or get("channel") or "email"
            named = through if isinstance(through, str) else ", else ".join(map(str, through))
            to = f" to the {get('to')}" if get("to") not in (None, "customer") else ""
            return f"send {get('template')} by {named}{to}"
        case "exit":
            return f"end: {get('reason', '')}"
    rest = _pairs({key: value for key, value in step.items() if key not in _KNOWN})
    return f"{get('do')} {rest}".rstrip()


def _wait(step: Mapping[str, Any]) -> str:
    get = step.get
    parts = [str(get("span"))] if get("span") else []
    parts += [f"until {get('before')} before"] if get("before") else []
    if get("from"):
        parts.append(str(get("from")) if get("before") else f"after {get('from')}")
    parts += [f"until {get('at')}"] if get("at") else []
    parts += [f"into {get('window')}"] if get("window") else []
    days = get("days")
    parts += [f"on {days if isinstance(days, str) else ', '.join(map(str, days))}"] if days else []
    zone = get("zone")
    return " ".join(parts) + (f" ({zone})" if zone else "")


def _pairs(table: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in table.items())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return shown(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)
