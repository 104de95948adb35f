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
    anything goes wrong. `window` is the number of seconds in which the mail server knows a key again.

    Hours: `longest` is what an outage may last, `closed_for` how long the mail server is. Whoever reads the letter
    `quarrel`, or waits for it, undoes the purchase within `rush` hours, or has the parcel by then.
    """

    start: datetime
    rates: dict[str, float]
    trouble_for: timedelta
    window: float
    orders: int
    dead: frozenset[str]
    outages: int
    longest: tuple[float, ...]
    jumps: int
    post_closes: bool
    closed_for: tuple[float, float]
    quarrel: str
    rush: float

    @property
    def calm(self) -> bool:
        return not self.rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """A mix of troubles that hit the same moment, as chance alone seldom has them."""

    rates: dict[str, float]
    outages: tuple[int, ...] = (0,)
    longest: tuple[float, ...] = (2,)
    closed_for: tuple[float, float] | None = None
    quarrels: tuple[str, ...] = ("",)
    rush: float = 0.1
    trouble_for: int = 45


_ANY = ("tips_one", "care_one", "review_request", "order_confirmation", "referral_invite")
_PARCELS = ("shipment_shipped", "shipment_out_for_delivery", "shipment_failed")
WEATHERS = (
    # What may have arrived is put off, and meanwhile the reason for it goes.
    Weather(
        rates={"mail lost after": 0.4, "mail later": 0.5, "meanwhile": 0.15}, quarrels=(*_ANY, *_PARCELS), rush=0.3
    ),
    # Two at once: one sends, the other hears that the purchase is undone.
    Weather(rates={"meanwhile": 0.8, "mail slow": 0.05}, quarrels=("tips_one", "tips_one", *_ANY), rush=0.002),
    # Whoever dies has just sent, and the other is just putting off.
    Weather(rates={"meanwhile": 0.7, "api lost": 0.4, "died at a mail": 0.35}),
    Weather(rates={"died at a commit": 0.06, "webhook twice": 0.15}),
    # What is old comes last, and what is older than news may be comes at all.
    Weather(rates={"webhook late": 0.6, "webhook lost": 0.1, "mail later": 0.4}, quarrels=(*_ANY, *_PARCELS), rush=0.5),
    Weather(rates={"webhook late": 0.15}, outages=(1, 2), longest=(80, 130)),
    Weather(rates={"mail later": 0.15, "mail refused": 0.15}, closed_for=(48, 110)),
)


def draw(chance: Chance) -> Plan:
    """Each life has a mix of troubles of its own: one that has everything hides what two alone would show."""
    kind = chance.roll(0.12), chance.roll(0.55)
    match kind:
        case (True, _):
            return _plan(chance, Weather(rates={}), {}, calm=True)
        case (_, True):
            weather = chance.pick(WEATHERS)
            return _plan(chance, weather, weather.rates)
    rates = {}
    for trouble in TROUBLES:
        if chance.roll(0.45):
            often = chance.pick((0.05, 0.15, 0.4))
            rates[trouble] = often / 10 if trouble in _RARE else often
    mixed = Weather(
        rates=rates,
        outages=(0, 0, 1),
        longest=(2, 20, 40, 90),
        closed_for=(1, 70) if chance.roll(0.2) else None,
        quarrels=("", "", *_ANY),
        trouble_for=chance.pick((4, 15, 45)),
    )
    return _plan(chance, mixed, rates)


def _plan(chance: Chance, weather: Weather, rates: dict[str, float], *, calm: bool = False) -> Plan:
    return Plan(
        start=chance.pick(_STARTS),
        rates=rates,
        trouble_for=timedelta(days=weather.trouble_for),
        window=chance.pick((0.0, 0.0, 900.0)),
        orders=chance.pick((1, 2, 2, 3)),
        dead=frozenset({PEOPLE[0].email}) if not calm and chance.roll(0.08) else frozenset(),
        outages=chance.pick(weather.outages),
        longest=weather.longest,
        jumps=0 if calm else chance.pick((0, 0, 0, 0, 1)),
        post_closes=weather.closed_for is not None,
        closed_for=weather.closed_for or (0.0, 0.0),
        quarrel=chance.pick(weather.quarrels),
        rush=weather.rush,
    )
