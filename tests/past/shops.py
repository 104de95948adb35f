"""Shops with a past and a programme, as plain numbers: days, cents, pieces. `tests.past.recount` counts them by hand,
`tests.past.orders` says them in the product's words.

A day is counted from 2025-01-01. Everything of a day happens at the shop's one `hour`; of one person there is one thing
a day, so that nothing hangs on an order in which things of one moment are met.
"""

from __future__ import annotations

import random  # noqa: TID251 - a generator of its own seed
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

COLLECTION = ("tea", "mate")
"""Tea is in it by its type, mate by a tag."""
GOODS = ("beans", "cup", *COLLECTION)
NEW_YEARS = (0, 365)


@dataclass(frozen=True)
class Challenge:
    """In days of the shop's calendar, both included; `spent` in cents. A goal of 0 is not asked."""

    name: str
    begins: int
    ends: int
    orders: int
    spent: int
    points: int
    badge: str


@dataclass(frozen=True)
class Rules:
    """Cents, points and days. `expires` 0: never."""

    per: int
    points: int
    beans: int
    collection: int
    first: int
    window: int
    from_delivery: bool
    expires: int
    measure: str
    period: str
    span: int
    grace: int
    tiers: tuple[tuple[str, int], ...]
    regular: int
    challenges: tuple[Challenge, ...]

    @property
    def pending(self) -> int:
        return self.window + 2


@dataclass(frozen=True)
class Line:
    id: str
    product: str
    price: int
    pieces: int
    card: bool = False

    @property
    def cents(self) -> int:
        return self.price * self.pieces


@dataclass(frozen=True)
class Back:
    """What went back on a day. `cents` is the money, of goods and of what belongs to none."""

    day: int
    cents: int
    pieces: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sale:
    """`over` is the day it was cancelled. `lost`: cancelled, and nobody knows when. `silent`: the shop tells the pieces
    that went back and no money. `parcel` is the day the last one arrived."""

    id: str
    person: int
    address: str
    account: str
    day: int
    paid: int
    lines: tuple[Line, ...]
    shipping: int
    backs: tuple[Back, ...] = ()
    over: int | None = None
    lost: bool = False
    silent: bool = False
    parcel: int | None = None

    @property
    def cents(self) -> int:
        return sum(line.cents for line in self.lines) + self.shipping


@dataclass(frozen=True)
class Past:
    """`since` to `until` is what is looked at: the first belongs to it, the last does not."""

    rules: Rules
    sales: tuple[Sale, ...]
    since: int
    until: int
    zone: str
    hour: timedelta

    def moment(self, day: int) -> datetime:
        return datetime(2025, 1, 1, tzinfo=UTC) + day * timedelta(days=1) + self.hour

    def date(self, day: int) -> date:
        """On the shop's calendar."""
        return self.moment(day).astimezone(ZoneInfo(self.zone)).date()

    def told_by(self, day: int) -> Past:
        """What was known before a day, looked at from it."""

        def then(sale: Sale) -> Sale:
            return replace(
                sale,
                backs=tuple(back for back in sale.backs if back.day < day),
                over=sale.over if sale.over is not None and sale.over < day else None,
                parcel=sale.parcel if sale.parcel is not None and sale.parcel < day else None,
            )

        return replace(self, sales=tuple(then(sale) for sale in self.sales if sale.paid < day), until=day)


def generate(seed: int, people: int = 9) -> Past:
    """Measures and periods of tiers by the seed, so that each pair of them comes; the rest by chance."""
    chance = random.Random(seed)
    late = chance.random() < 0.5
    measure, period = ("spend", "orders", "points")[seed % 3], ("rolling", "calendar", "rolling", "ever")[seed // 3 % 4]
    levels = {"spend": (9000, 26000), "orders": (2, 4), "points": (80, 240)}[measure]
    rules = Rules(
        per=chance.choice([100, 250]),
        points=chance.choice([1, 3]),
        beans=5,
        collection=4,
        first=40,
        window=chance.choice([10, 28]),
        from_delivery=chance.random() < 0.7,
        expires=chance.choice([0, 45, 90, 150]),
        measure=measure,
        period=period,
        span=chance.choice([60, 120]),
        grace=chance.choice([0, 20, 45]),
        tiers=(("silver", levels[0]), ("gold", levels[1])),
        regular=4,
        challenges=(
            Challenge("early", -200, chance.choice([40, 330]), 2, 0, 30, "early-bird"),
            Challenge("large", 10, 300, chance.choice([0, 3]), 15000, 25, ""),
        ),
    )
    return Past(
        rules=rules,
        sales=_sales(chance, people, rules.challenges),
        since=chance.choice([-40, 0, 0, 120]),
        until=chance.choice([340, 365, 370]),
        zone=chance.choice(["UTC", "Europe/Helsinki"]),
        hour=timedelta(hours=22, minutes=30) if late else timedelta(hours=12),
    )


def _sales(chance: random.Random, people: int, challenges: tuple[Challenge, ...]) -> tuple[Sale, ...]:
    taken: set[tuple[int, int]] = set()

    def free(person: int, day: int) -> int:
        while (person, day) in taken:
            day += 1
        taken.add((person, day))
        return day

    registers = chance.randrange(-100, 300)
    found = []
    for number in range(chance.randrange(15, 70)):
        person = chance.randrange(people)
        day = free(person, _day(chance, challenges))
        address, account = _named(chance, person, day >= registers)
        paid = free(person, day + 4) if chance.random() < 0.15 else day
        lines = tuple(_line(chance, key) for key in range(chance.randrange(1, 4)))
        sale = Sale(
            id=f"{number:03}",
            person=person,
            address=address,
            account=account,
            day=day,
            paid=paid,
            lines=lines,
            shipping=chance.choice([0, 490]),
            lost=chance.random() < 0.04,
            silent=chance.random() < 0.15,
            parcel=day + chance.choice([1, 3, 9, 14, 29, 45]) if chance.random() < 0.7 else None,
        )
        if not sale.lost and chance.random() < 0.08:
            sale = replace(sale, over=free(person, paid + chance.choice([1, 6, 40, 100])))
        elif chance.random() < 0.4:
            sale = replace(sale, backs=_backs(chance, sale, lambda day, who=person: free(who, day)))
        found.append(sale)
    return tuple(found)


def _day(chance: random.Random, challenges: tuple[Challenge, ...]) -> int:
    """Most lie in the year that is looked at; some are on the first and last days of what has days, or beside."""
    if chance.random() < 0.15:
        edges = [edge for goal in challenges for edge in (goal.begins, goal.ends + 1)]
        return chance.choice([*edges, *NEW_YEARS]) - chance.choice([0, 1])
    return chance.randrange(-60, 360) if chance.random() < 0.8 else chance.randrange(-400, 0)


def _named(chance: random.Random, person: int, registered: bool) -> tuple[str, str]:
    """Address and account. One registers some day, one has two addresses, two share one; the others are guests."""
    if person == 0:
        return "p0@example.test", "c0" if registered else ""
    if person == 1:
        return chance.choice(["p1@example.test", "q1@example.test"]), "c1"
    if person in (2, 3):
        return "both@example.test", f"c{person}"
    return f"p{person}@example.test", ""


def _line(chance: random.Random, key: int) -> Line:
    return Line(
        id=f"l{key}",
        product=chance.choice(GOODS),
        price=chance.randrange(150, 4000),
        pieces=chance.choice([1, 1, 2, 3]),
        card=chance.random() < 0.06,
    )


def _backs(chance: random.Random, sale: Sale, free: Callable[[int], int]) -> tuple[Back, ...]:
    """Pieces, pieces with what their delivery cost, or money for nothing in particular; once, twice or all of it."""
    left = {line.id: line.pieces for line in sale.lines}
    prices = {line.id: line.price for line in sale.lines}
    rest, day, carried, found = sale.cents, sale.paid, sale.shipping, []
    for _ in range(chance.choice([1, 1, 2, 3])):
        day = free(day + chance.choice([1, 5, 30, 90]))
        pieces: dict[str, int] = {}
        if sale.silent or chance.random() < 0.6:
            pieces = {
                key: chance.randrange(1, most + 1) for key, most in left.items() if most and chance.random() < 0.6
            }
            cents = sum(prices[key] * number for key, number in pieces.items())
            if carried and chance.random() < 0.4 and not sale.silent:
                cents, carried = cents + carried, 0
        else:
            cents = chance.choice([300, 1000, rest])
        if not cents or cents > rest:
            continue
        for key, number in pieces.items():
            left[key] -= number
        rest -= cents
        found.append(Back(day=day, cents=cents, pieces=pieces))
    return tuple(found)
