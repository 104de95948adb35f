"""What a seed decides before its life begins: when it is, who lives, and which things go wrong how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from connector.clock import ManualClock
from connector.model import Address

T = TypeVar("T")

NORTH, WEST = "swarm-north", "swarm-west"
"""Two shops of one client: in Helsinki and New York. The first tells of parcels apart, as Shopify does; the second
sends the whole order each time, as WooCommerce does."""
SHOPS = (NORTH, WEST)

# A few days before clocks change (in Europe, in America), and a summer without a change.
_STARTS = tuple(
    datetime(2026, month, day, 5, 40, tzinfo=UTC) for month, day in ((3, 5), (3, 26), (6, 10), (10, 21), (10, 29))
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who buys in both shops under one address."""

    name: str
    email: str
    country: str
    region: str | None
    zone: str

    @property
    def home(self) -> Address:
        return Address(first_name=self.name, lines=(f"{self.name} Street 1",), country=self.country, region=self.region)


PEOPLE = (
    Person("Aino", "aino@example.com", "FI", None, "Europe/Helsinki"),
    Person("June", "june@example.com", "US", "NY", "America/New_York"),
    Person("Kirra", "kirra@example.com", "AU", "NSW", "Australia/Sydney"),
)

TROUBLES = (
    "died at a commit",
    "died at a mail",
    "died at a call",
    "mail later",
    "mail lost before",
    "mail lost after",
    "mail refused",
    "mail slow",
    "api down",
    "api busy",
    "api lost",
    "webhook lost",
    "webhook late",
    "webhook twice",
    "meanwhile",
)
_RARE = frozenset({"died at a commit", "mail refused"})


class Chance:
    """The only source of chance of a life."""

    def __init__(self, seed: int) -> None:
        self._clock = ManualClock(_STARTS[0], seed)

    def roll(self, probability: float) -> bool:
        return probability > 0 and self._clock.random() < probability

    def pick(self, among: Sequence[T]) -> T:
        return among[int(self._clock.random() * len(among))]

    def between(self, least: float, most: float) -> timedelta:
        """A span of so many hours."""
        return timedelta(hours=least + self._clock.random() * (most - least))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`rates` gives the chance of each trouble wherever it may happen; empty in a calm life. `trouble_for` is how long
    anything goes wrong. `window` is the number of seconds in which the mail server knows a key again."""

    start: datetime
    rates: dict[str, float]
    trouble_for: timedelta
    window: float
    orders: int
    dead: frozenset[str]
    outages: int
    jumps: int
    post_closes: bool

    @property
    def calm(self) -> bool:
        return not self.rates


def draw(chance: Chance) -> Plan:
    """Each life has a mix of troubles of its own: one that has everything hides what two alone would show."""
    calm = chance.roll(0.12)
    rates = {}
    for trouble in TROUBLES:
        if not calm and chance.roll(0.45):
            often = chance.pick((0.05, 0.15, 0.4))
            rates[trouble] = often / 10 if trouble in _RARE else often
    return Plan(
        start=chance.pick(_STARTS),
        rates=rates,
        trouble_for=timedelta(days=chance.pick((4, 15, 45))),
        window=chance.pick((0.0, 0.0, 900.0)),
        orders=chance.pick((1, 2, 2, 3)),
        dead=frozenset({PEOPLE[0].email}) if not calm and chance.roll(0.08) else frozenset(),
        outages=0 if calm else chance.pick((0, 0, 1)),
        jumps=0 if calm else chance.pick((0, 0, 0, 0, 1)),
        post_closes=not calm and chance.roll(0.2),
    )
