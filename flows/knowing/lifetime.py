"""A customer's figures, worked out from their purchases: how much, how often, how long ago, and what comes next.

Everything here is a function of the purchases, the moment and the shop's own quintiles (`Quintiles`): the same orders
give the same figures in whatever order they came.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeVar

from connector.model import Money, Purchase
from connector.model.enums import OpenEnum

DAY = timedelta(days=1)
FAVOURITES = 3
_CENT = Decimal("0.01")
_Value = TypeVar("_Value", int, Decimal)


class RfmClass(OpenEnum):
    """Where a customer stands by recency, frequency and money, each in the shop's own fifths."""

    CHAMPION = "champion"
    LOYAL = "loyal"
    PROMISING = "promising"
    NEW = "new"
    NEEDS_ATTENTION = "needs_attention"
    AT_RISK = "at_risk"
    CANNOT_LOSE = "cannot_lose"
    HIBERNATING = "hibernating"
    LOST = "lost"
    OTHER = "other"


_ATTENTION, _RISK, _SLEEPS = RfmClass.NEEDS_ATTENTION, RfmClass.AT_RISK, RfmClass.HIBERNATING
_CLASSES: Mapping[int, Sequence[RfmClass]] = {
    5: (RfmClass.NEW, RfmClass.PROMISING, RfmClass.LOYAL, RfmClass.CHAMPION, RfmClass.CHAMPION),
    4: (RfmClass.NEW, RfmClass.PROMISING, RfmClass.LOYAL, RfmClass.CHAMPION, RfmClass.CHAMPION),
    3: (RfmClass.PROMISING, RfmClass.PROMISING, _ATTENTION, RfmClass.LOYAL, RfmClass.LOYAL),
    2: (_SLEEPS, _SLEEPS, _RISK, _RISK, _RISK),
    1: (RfmClass.LOST, RfmClass.LOST, _SLEEPS, _RISK, RfmClass.CANNOT_LOSE),
}
"""By the score of recency, then by the mean of frequency and money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quintiles:
    """The four values that part a shop's customers into fifths: days since the last order, orders, money spent by
    currency. Each is the highest value that still belongs to its fifth."""

    recency: tuple[int, ...] = ()
    frequency: tuple[int, ...] = ()
    money: Mapping[str, tuple[Decimal, ...]] = field(default_factory=dict)

    def scores(self, recency_days: int, orders: int, spent: Money) -> tuple[int, int, int] | None:
        """1 to 5, 5 the best; `None` for a currency in which too few have bought."""
        money = self.money.get(spent.currency)
        if not self.recency or not money:
            return None
        return (
            5 - bisect_left(self.recency, recency_days),
            1 + bisect_left(self.frequency, orders),
            1 + bisect_left(money, rounded(spent.amount)),
        )


def rounded(amount: Decimal) -> Decimal:
    """To three digits that count: amounts are ranked by these, so that a shop's can be tallied in little room."""
    if not amount:
        return Decimal(0)
    step = Decimal(1).scaleb(amount.adjusted() - 2)
    return amount.quantize(step, ROUND_HALF_EVEN).normalize()


def fifths(tally: Mapping[_Value, int]) -> tuple[_Value, ...]:
    """The four values up to which one, two, three and four fifths of the counted lie."""
    total, passed = sum(tally.values()), 0
    cuts: list[_Value] = []
    for value in sorted(tally):
        passed += tally[value]
        while len(cuts) < 4 and passed * 5 >= total * (len(cuts) + 1):
            cuts.append(value)
    return tuple(cuts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """What a customer has bought so far. Only purchases count (`connector.model.purchase_of`).

    `spent` and `average` are in the currency of most of their orders, the shop's while there are none. `interval_days`
    is the middle of the gaps between their shopping days, `None` before the second; `overdue` how many such intervals
    have passed since the last. `favourites` are the products in most of their orders, `products` all of them.
    """

    orders: int
    spent: Money
    average: Money
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    last_order_id: str | None = None
    recency_days: int | None = None
    interval_days: int | None = None
    overdue: Decimal | None = None
    favourites: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    rfm: RfmClass | None = None
    rfm_scores: str = ""

    @property
    def interval(self) -> timedelta | None:
        return None if self.interval_days is None else timedelta(days=self.interval_days)


def lifetime_of(
    purchases: Iterable[Purchase], now: datetime, currency: str, quintiles: Quintiles | None = None
) -> Lifetime:
    """The figures at `now`. `currency` is the shop's; without `quintiles` there is no RFM class."""
    bought = sorted(purchases, key=lambda one: (one.placed_at, one.order_id))
    if not bought:
        nothing = Money.zero(currency)
        return Lifetime(orders=0, spent=nothing, average=nothing)
    spent, average = _spent(bought)
    last = bought[-1]
    recency = max(0, (now - last.placed_at) // DAY)
    interval = middle(gaps(one.placed_at for one in bought))
    scores = quintiles.scores(recency, len(bought), spent) if quintiles else None
    return Lifetime(
        orders=len(bought),
        spent=spent,
        average=average,
        first_order_at=bought[0].placed_at,
        last_order_at=last.placed_at,
        last_order_id=last.order_id,
        recency_days=recency,
        interval_days=interval,
        overdue=Decimal(recency) / interval if interval else None,
        favourites=_favourites(bought),
        products=tuple(dict.fromkeys(product for one in bought for product, _ in one.products)),
        rfm=rfm_class(*scores) if scores else None,
        rfm_scores="".join(map(str, scores)) if scores else "",
    )


def rfm_class(recency: int, frequency: int, money: int) -> RfmClass:
    """The class of three scores of 1 to 5."""
    return _CLASSES[recency][(frequency + money + 1) // 2 - 1]


def _spent(bought: Sequence[Purchase]) -> tuple[Money, Money]:
    count = Counter(one.amount.currency for one in bought)
    newest = {one.amount.currency: one.placed_at for one in bought}
    main = max(count, key=lambda currency: (count[currency], newest[currency], currency))
    total = sum((one.amount.amount for one in bought if one.amount.currency == main), Decimal(0))
    return Money(total, main), Money((total / count[main]).quantize(_CENT, ROUND_HALF_EVEN), main)


def _favourites(bought: Sequence[Purchase]) -> tuple[str, ...]:
    orders: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    newest: dict[str, datetime] = {}
    for one in bought:
        for product, quantity in one.products:
            orders[product] += 1
            pieces[product] += quantity
            newest[product] = one.placed_at
    ranked = sorted(sorted(orders), key=lambda each: (orders[each], pieces[each], newest[each]), reverse=True)
    return tuple(ranked[:FAVOURITES])


def gaps(times: Iterable[datetime]) -> list[int]:
    """The whole days between shopping days, oldest first. What comes within a day of the one before is part of it: a
    second order of something forgotten is no return."""
    found: list[int] = []
    before: datetime | None = None
    for at in sorted(times):
        if before is not None and at - before >= DAY:
            found.append((at - before) // DAY)
        before = at
    return found


def middle(values: Sequence[int]) -> int | None:
    """The median, of two middle values the lower; `None` of nothing."""
    return sorted(values)[(len(values) - 1) // 2] if values else None
