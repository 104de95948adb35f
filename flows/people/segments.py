"""Segments: named groups of a shop's customers, each a list of guards that must all hold.

    [segments.vip]
    when = ["customer.lifetime.orders >= 5", "customer.lifetime.spent >= 500 EUR"]

Pure: who is in, and when time alone may next change that. Keeping them is `flows.people.membership`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from connector.contracts import StepContext
from connector.errors import ConfigError, near
from flows.authoring.paths import Kind
from flows.guards import Guard, parse_guard
from flows.knowing.beyond import is_counted
from flows.knowing.lifetime import DAY, Quintiles

ROOTS = ("customer", "consent", "shop", "now")
"""What a segment may look at: what is known of a person at any time, not of one order or one run."""
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_TICK = timedelta(microseconds=1)
_ITSELF = "customer.segments"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment as a shop has it. `digest` tells one definition from another."""

    name: str
    when: tuple[Guard, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(guard.text for guard in self.when).encode()).hexdigest()[:12]

    @property
    def counted(self) -> bool:
        """Whether it looks at something that is counted over the shop's whole history."""
        return any(is_counted(guard.path) for guard in self.when)

    def holds(self, facts: StepContext) -> bool:
        return all(guard.holds(facts) for guard in self.when)


def load_segments(tables: Mapping[str, Sequence[str]], place: str, faults: list[str]) -> tuple[Segment, ...]:
    """The segments of a shop from names and guards; every fault is noted as `place.NAME.when: sentence`."""
    found = []
    for name, texts in sorted(tables.items()):
        where = f"{place}.{name}"
        before = len(faults)
        if not _NAME.fullmatch(name):
            faults.append(f"{where}: write it in small letters, digits, - and _")
        if not texts:
            faults.append(f'{where}.when: name at least one guard, such as "customer.lifetime.orders >= 5"')
        guards = [guard for text in texts if (guard := _guard(text, f"{where}.when", faults)) is not None]
        if len(faults) == before:
            found.append(Segment(name, tuple(guards)))
    return tuple(found)


def _guard(text: str, place: str, faults: list[str]) -> Guard | None:
    try:
        guard = parse_guard(text)
    except ConfigError as error:
        faults.append(f"{place}: {error.message}")
        return None
    root = guard.path.partition(".")[0]
    if root not in ROOTS:
        faults.append(f"{place}: a segment looks at {', '.join(ROOTS)}, not at {root}")
    elif guard.path.startswith(_ITSELF):
        faults.append(f"{place}: a segment cannot look at segments; repeat the guards of the other")
    return guard


def unknown_segments(guards: Iterable[Guard], known: Collection[str]) -> Iterator[str]:
    """What is wrong with guards on `customer.segments`: names the shop has no segment of."""
    for guard in guards:
        name = guard.literal
        if guard.path == _ITSELF and isinstance(name, str) and name not in known:
            yield f"no segment '{name}'{near(name, known)}"


def next_look(segments: Iterable[Segment], facts: StepContext, quintiles: Quintiles | None) -> datetime | None:
    """The first moment after now at which time alone may change what one of the segments says; `None` if never."""
    moments = (at for segment in segments for guard in segment.when for at in _moments(guard, facts, quintiles))
    return min((at for at in moments if at > facts.now), default=None)


def _moments(guard: Guard, facts: StepContext, quintiles: Quintiles | None) -> Iterator[datetime]:
    """The moments at which a guard's answer may change while nothing happens. All else it looks at stands still."""
    if guard.path == "now":
        if isinstance(guard.literal, datetime):
            yield from (guard.literal, guard.literal + _TICK)
    elif guard.kind is Kind.TIME and isinstance(guard.literal, timedelta):
        since = facts.get(guard.path)
        if isinstance(since, datetime):
            yield since + guard.literal + _TICK
    elif guard.path.startswith("customer.lifetime."):
        last = facts.get("customer.lifetime.last_order_at")
        if isinstance(last, datetime):
            yield from (last + days * DAY for days in _days(guard, facts, quintiles))


def _days(guard: Guard, facts: StepContext, quintiles: Quintiles | None) -> Iterator[int]:
    """The numbers of days since the last order at which a figure passes what the guard compares it with."""
    figure = guard.path.removeprefix("customer.lifetime.")
    if figure.startswith("rfm"):
        yield from (cut + 1 for cut in (quintiles.recency if quintiles else ()))
    elif figure in ("recency_days", "overdue"):
        scale = 1 if figure == "recency_days" else facts.get("customer.lifetime.interval_days")
        for number in _numbers(guard.literal) if scale else ():
            passed = number * scale
            yield int(passed.to_integral_value(ROUND_CEILING))
            yield int(passed.to_integral_value(ROUND_FLOOR)) + 1


def _numbers(literal: Any) -> Iterator[Decimal]:
    items = literal if isinstance(literal, tuple) else (literal,)
    yield from (item for item in items if isinstance(item, Decimal))
