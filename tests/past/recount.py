"""What a programme would have cost and returned, counted by hand: three looks a day at each person's heap of points and
tier, in whole numbers and fractions. Nothing of the product is used.

A day has three looks: at its midnight on the shop's calendar (0), at the shop's hour, when everything happens (1), and
just after (2), when what is exactly a span old is too old.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from tests.past.shops import COLLECTION, Challenge, Past, Sale

LOOKS = 3


@dataclass
class Heap:
    """Points of one thing. `at` is the look at which they were given; `placed` the day that tiers count them on."""

    rule: str
    sale: str
    points: int
    at: int
    placed: int
    opens: int
    lapses: int | None
    back: int = 0

    @property
    def kept(self) -> int:
        return self.points - self.back

    def usable(self, look: int) -> bool:
        return self.kept > 0 and self.opens <= look and (self.lapses is None or look < self.lapses)


@dataclass
class Counted:
    """The figures, and how often there was what they are about (`seen`)."""

    figures: dict[str, object] = field(default_factory=dict)
    tiers: Counter[str] = field(default_factory=Counter)
    badges: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)


def recount(past: Past) -> Counted:
    told = Counted()
    for person in sorted({sale.person for sale in past.sales}):
        sales = [sale for sale in past.sales if sale.person == person and sale.paid < past.until and not sale.lost]
        if sales:
            _Person(past, sales, told.seen).tell(told)
    names = ("members", "orders", "earned", "back", "pending", "available", "expired", "sales", "with_points")
    told.figures = {name: told.sums[name] for name in names}
    told.figures |= {"tiers": dict(told.tiers), "badges": dict(told.badges)}
    return told


class _Person:
    """`bought` are the cents kept of each sale that stands. `tier` is a number, 0 for none; `out_since` is the look
    since which less is reached than is held."""

    def __init__(self, past: Past, sales: list[Sale], seen: Counter[str]) -> None:
        self.past, self.rules, self.sales, self.seen = past, past.rules, sales, seen
        self.by_id = {sale.id: sale for sale in sales}
        self.heaps: list[Heap] = []
        self.bought: dict[str, int] = {}
        self.with_points: set[str] = set()
        self.tier = 0
        self.out_since: int | None = None
        self.live()

    def live(self) -> None:
        happens: dict[int, list[tuple[str, int]]] = {}
        for sale in sorted(self.sales, key=lambda one: one.id):
            days = {sale.paid, *(back.day for back in sale.backs)} | ({sale.over} if sale.over is not None else set())
            for day in sorted(days):
                happens.setdefault(min(day, self.past.until), []).append((sale.id, day))
        last = self.past.until * LOOKS + 1
        for look in range(min(happens) * LOOKS, last + 1):
            if self.tier:  # by time alone nobody rises
                self.stand(look)
            if look % LOOKS == 1:
                for sale_id, day in happens.get(look // LOOKS, []):
                    self.happen(self.by_id[sale_id], day, look)

    # -- one thing happens ---

    def happen(self, sale: Sale, day: int, look: int) -> None:
        if day == sale.paid:
            if any(heap.usable(look) for heap in self.heaps):
                self.with_points.add(sale.id)
            self.earn(sale, look)
        share = _shares(sale, day)
        if _stands(sale, day):
            self.bought[sale.id] = sale.cents - _money_back(sale, day)
        else:
            self.bought.pop(sale.id, None)
        for heap in self.heaps:
            if heap.sale == sale.id and heap.rule in ("spend", "beans", "collection"):
                weights = _weights(sale, heap.rule)
                whole = sum(weights.values())
                gone = sum((share[key] * weight for key, weight in weights.items()), Fraction(0))
                heap.back = heap.points if gone == whole else int(heap.points * gone / whole)
        self.welcome(look)
        for challenge in self.rules.challenges:
            self.challenge(challenge, look)
        self.stand(look)

    def earn(self, sale: Sale, look: int) -> None:
        rules = self.rules
        each = {"spend": Fraction(rules.points, rules.per), "beans": rules.beans, "collection": rules.collection}
        for rule, points in each.items():
            earned = int(points * sum(_weights(sale, rule).values()))
            if earned:
                self.heaps.append(self.heap(rule, sale, earned, look))

    def heap(self, rule: str, sale: Sale, points: int, look: int) -> Heap:
        """Points of a sale: the window begins with the payment, and with the parcel if that comes within it."""
        opens = sale.paid + self.rules.pending
        if self.rules.from_delivery and sale.parcel is not None and sale.parcel < opens:
            opens = max(opens, sale.parcel + self.rules.pending)
        lapses = (opens + self.rules.expires) * LOOKS + 1 if self.rules.expires else None
        return Heap(rule, sale.id, points, look, sale.day, opens * LOOKS + 1, lapses)

    def welcome(self, look: int) -> None:
        """The first that stands has the bonus, and no other."""
        first = min((self.by_id[key] for key in self.bought), key=lambda one: (one.day, one.id), default=None)
        for heap in self.heaps:
            if heap.rule == "first":
                heap.back = 0 if first is not None and heap.sale == first.id else heap.points
        if first is not None and not any((heap.rule, heap.sale) == ("first", first.id) for heap in self.heaps):
            self.heaps.append(self.heap("first", first, self.rules.first, look))

    def challenge(self, goal: Challenge, look: int) -> None:
        mine = [key for key in self.bought if self.within(goal, self.by_id[key])]
        done = len(mine) >= goal.orders and sum(self.bought[key] for key in mine) >= goal.spent
        had = [heap for heap in self.heaps if heap.rule == goal.name]
        for heap in had:
            heap.back = 0 if done else heap.points
        if done and not had:
            opens = look + self.rules.pending * LOOKS
            lapses = opens + self.rules.expires * LOOKS if self.rules.expires else None
            self.heaps.append(Heap(goal.name, "", goal.points, look, look // LOOKS, opens, lapses))

    def within(self, goal: Challenge, sale: Sale) -> bool:
        day = self.past.date(sale.day)
        return self.past.date(goal.begins) <= day <= self.past.date(goal.ends)

    # -- tiers ---

    def reached(self, look: int) -> int:
        value = self.measure(look)
        return sum(value >= least for _, least in self.rules.tiers)

    def measure(self, look: int) -> int:
        if self.rules.period == "ever":
            return self.over(lambda day: True)
        if self.rules.period == "rolling":
            return self.over(lambda day: day * LOOKS + 1 >= look - self.rules.span * LOOKS)
        year = self.past.date(look // LOOKS).year
        return max(self.over(lambda day, y=y: self.past.date(day).year == y) for y in (year, year - 1))

    def over(self, counts: Callable[[int], bool]) -> int:
        """The measure of tiers over the days that count."""
        if self.rules.measure == "points":
            return sum(heap.kept for heap in self.heaps if counts(heap.placed))
        mine = [cents for key, cents in self.bought.items() if counts(self.by_id[key].day)]
        return len(mine) if self.rules.measure == "orders" else sum(mine)

    def stand(self, look: int) -> None:
        due = self.reached(look)
        if due >= self.tier:
            self.tier, self.out_since = due, None
            return
        if self.out_since is None:
            self.out_since = look
        if look >= self.out_since + self.rules.grace * LOOKS:
            self.tier, self.out_since = due, None
            self.seen["fell"] += 1

    # -- what is told ---

    def tell(self, told: Counted) -> None:
        past, end = self.past, self.past.until * LOOKS + 1
        seen = {sale.id for sale in self.sales if sale.paid >= past.since}
        mine = [heap for heap in self.heaps if (heap.sale in seen if heap.sale else heap.at >= past.since * LOOKS)]
        kept = [key for key in self.bought if key in seen]
        if not mine and not kept:
            return
        sums = told.sums
        sums["members"] += 1
        sums["orders"] += len(kept)
        for heap in mine:
            sums["earned"] += heap.points
            sums["back"] += heap.back
            lapsed = heap.lapses is not None and heap.lapses <= end
            sums["pending" if heap.opens > end else "expired" if lapsed else "available"] += heap.kept
        sums["sales"] += sum(self.bought[key] for key in kept)
        sums["with_points"] += sum(self.bought[key] for key in kept if key in self.with_points)
        if self.tier:
            told.tiers[self.rules.tiers[self.tier - 1][0]] += 1
        if len(self.bought) >= self.rules.regular:
            told.badges["regular"] += 1
        for goal in self.rules.challenges:
            if goal.badge and any(heap.rule == goal.name and heap.kept for heap in self.heaps):
                told.badges[goal.badge] += 1
        self.note(mine, kept)

    def note(self, mine: list[Heap], kept: list[str]) -> None:
        """What there was for a look back to go wrong with."""
        seen, past, end = self.seen, self.past, self.past.until * LOOKS + 1
        goals = {goal.name for goal in self.rules.challenges}
        lapsed = [heap for heap in mine if heap.kept and heap.lapses is not None and heap.lapses <= end]
        seen["collection"] += any(heap.rule == "collection" for heap in mine)
        seen["challenge"] += any(heap.rule in goals and heap.kept for heap in mine)
        seen["challenge before"] += any(heap.rule in goals and heap not in mine for heap in self.heaps)
        seen["challenge lapsed"] += any(heap.rule in goals for heap in lapsed)
        seen["challenge taken back"] += any(heap.rule in goals and heap.back for heap in mine)
        seen["lapsed"] += bool(lapsed)
        seen["in grace"] += self.out_since is not None
        seen["history"] += any(sale.paid < past.since for sale in self.sales)
        seen["first before"] += any(heap.rule == "first" and heap not in mine and heap.kept for heap in self.heaps)
        seen["first moved"] += any(heap.rule == "first" and heap.back for heap in self.heaps)
        seen["with points"] += bool(self.with_points & set(kept)) and not set(kept) <= self.with_points
        seen["opens later"] += any(heap.sale and heap.opens > self.by_id[heap.sale].paid * LOOKS + 1 for heap in mine)
        seen["money back"] += any(back.cents and not back.pieces for sale in self.sales for back in sale.backs)
        seen["refunded in full"] += any(sale.backs and not _stands(sale, past.until) for sale in self.sales)
        seen["cancelled"] += any(sale.over is not None for sale in self.sales)
        seen["refund after the end"] += any(back.day > past.until for sale in self.sales for back in sale.backs)
        seen[f"{self.rules.measure} {self.rules.period}"] += self.tier > 0
        names = {sale.account or sale.address for sale in self.sales} | {sale.address for sale in self.sales}
        seen["several names"] += len(names) > 1 + bool(self.sales[0].account)


# -- one sale as it stood at the end of a day ---


def _money_back(sale: Sale, day: int) -> int:
    return 0 if sale.silent else sum(back.cents for back in sale.backs if back.day <= day)


def _stands(sale: Sale, day: int) -> bool:
    return (sale.over is None or day < sale.over) and _money_back(sale, day) < sale.cents


def _weights(sale: Sale, rule: str) -> dict[str, int]:
    lines = [line for line in sale.lines if not line.card]
    if rule == "spend":
        return {line.id: line.cents for line in lines}
    names = ("beans",) if rule == "beans" else COLLECTION
    return {line.id: line.pieces for line in lines if line.product in names}


def _shares(sale: Sale, day: int) -> dict[str, Fraction]:
    """How much of each line went back: its pieces, and its part of money that was for nothing in particular. What was
    given back with goods beyond their price is their delivery."""
    if not _stands(sale, day):
        return {line.id: Fraction(1) for line in sale.lines}
    backs = [back for back in sale.backs if back.day <= day]
    share = {line.id: Fraction(sum(back.pieces.get(line.id, 0) for back in backs), line.pieces) for line in sale.lines}
    loose = sum(back.cents for back in backs if not back.pieces)
    left = sum((line.cents * (1 - share[line.id]) for line in sale.lines), Fraction(0))
    part = min(Fraction(loose) / left, Fraction(1)) if left else Fraction(0)
    return {key: one + (1 - one) * part for key, one in share.items()}
