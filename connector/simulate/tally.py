"""Counting what came of many lives. A tally is small however many there were, and two tallies are one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from heapq import nsmallest
from zoneinfo import ZoneInfo

from connector.model.changing import quick
from connector.simulate.outcome import DROPPED, HELD, SENT, Deed, Lived

EXAMPLES = 5
"""Kept of each flow: the first ones of the period, so that the same look gives the same examples."""


@quick
@dataclass(frozen=True, slots=True, order=True)
class Line:
    """What one step of a flow did: a message of a template through a channel, or an act in the shop."""

    flow: str
    step: str
    what: str
    kind: str
    channel: str


@dataclass(slots=True)
class Tally:
    """Sums over people. Days are days of the shop.

    `sent` and `dropped` (or held) count by line, `why` by line and reason, `days` by day and line; `people` counts
    who got a message of a flow; `per_person` counts people by how many messages they got of all flows shown;
    `rewards` counts what was promised by flow and worth. `ways` counts lives by why they were not lived the short way
    (`connector.simulate.swift`), empty where they were. `total` and `orders` give the average order.
    """

    orders: int = 0
    total: Decimal = Decimal(0)
    lives: int = 0
    days: Counter[tuple[date, Line]] = field(default_factory=Counter)
    sent: Counter[Line] = field(default_factory=Counter)
    dropped: Counter[Line] = field(default_factory=Counter)
    waiting: Counter[Line] = field(default_factory=Counter)
    why: Counter[tuple[Line, str]] = field(default_factory=Counter)
    started: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    per_person: Counter[int] = field(default_factory=Counter)
    rewards: Counter[tuple[str, str]] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    versions: dict[str, str] = field(default_factory=dict)
    examples: dict[str, list[Deed]] = field(default_factory=dict)

    def count(self, lived: Lived, zone: ZoneInfo) -> None:
        """Add one life."""
        self.lives += 1
        self.started += lived.started
        self.refused += lived.refused
        self.ended += lived.ended
        for deed in lived.deeds:
            self._count_deed(deed, zone)
        got = [deed for deed in lived.deeds if deed.state == SENT and deed.kind == "message"]
        self.people.update(_flows_by_person(got))
        self.per_person.update(Counter(deed.who for deed in got).values())
        for flow in {deed.flow for deed in got}:
            self._exemplify(flow, (deed for deed in got if deed.flow == flow))

    def _count_deed(self, deed: Deed, zone: ZoneInfo) -> None:
        line = Line(deed.flow, deed.step, deed.what, deed.kind, deed.channel)
        self.versions[deed.flow] = deed.version
        if deed.state == SENT:
            self.sent[line] += 1
            self.days[deed.at.astimezone(zone).date(), line] += 1
            if deed.worth:
                self.rewards[deed.flow, deed.worth] += 1
        elif deed.state in (DROPPED, HELD):
            self.dropped[line] += 1
            self.why[line, deed.why] += 1
        else:
            self.waiting[line] += 1

    def _exemplify(self, flow: str, deeds: Iterable[Deed]) -> None:
        known = self.examples.get(flow, [])
        self.examples[flow] = nsmallest(EXAMPLES, [*known, *deeds], key=lambda deed: (deed.at, deed.who, deed.step))

    def add(self, other: Tally) -> None:
        """Add what another process counted."""
        self.orders += other.orders
        self.total += other.total
        self.lives += other.lives
        for name in _COUNTERS:
            getattr(self, name).update(getattr(other, name))
        self.versions.update(other.versions)
        for flow, deeds in other.examples.items():
            self._exemplify(flow, deeds)

    @property
    def average(self) -> Decimal:
        """The mean of the orders' totals; zero without orders."""
        return (self.total / self.orders).quantize(Decimal("0.01")) if self.orders else Decimal(0)

    @property
    def flows(self) -> list[str]:
        """Every flow that did or tried anything."""
        found = {*self.started, *(line.flow for line in (*self.sent, *self.dropped, *self.waiting))}
        return sorted(found | {flow for flow, _ in self.refused})

    def messages(self, flow: str) -> int:
        return sum(count for line, count in self.sent.items() if line.flow == flow and line.kind == "message")

    def acts(self, flow: str) -> int:
        return sum(count for line, count in self.sent.items() if line.flow == flow and line.kind != "message")

    def over_budget(self, flow: str, daily: int) -> int:
        """How many of a flow's messages came after so many of a day: each life knows only its own, so that they were
        counted as sent. The product holds them for a person's word."""
        days = Counter[date]()
        for (day, line), count in self.days.items():
            if line.flow == flow and line.kind == "message":
                days[day] += count
        return sum(max(0, count - daily) for count in days.values())

    def held_back(self, flow: str) -> int:
        return sum(count for line, count in self.dropped.items() if line.flow == flow)


_COUNTERS = (
    "days",
    "sent",
    "dropped",
    "waiting",
    "why",
    "started",
    "refused",
    "ended",
    "people",
    "per_person",
    "rewards",
    "ways",
)


def _flows_by_person(deeds: Iterable[Deed]) -> Iterable[str]:
    return (flow for flow, _ in {(deed.flow, deed.who) for deed in deeds})
