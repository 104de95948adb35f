"""What a shop's whole history says, counted person by person: its quintiles, how soon people come back, how long a
product lasts, and what is bought with what.

Pure. The caller brings every buyer's purchases once, in any order (`connector.working.bookkeeping` does so at night, a
page at a time); the same purchases give the same figures.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations

from connector.model import Purchase
from flows.goods.intervals import Gap, gaps_of, interval_of
from flows.knowing.background import Companion, ProductFigures, ShopFigures
from flows.knowing.lifetime import Quintiles, fifths, gaps, lifetime_of, rounded

RFM_BUYERS = 20
"""Fewer buyers cannot be parted into fifths that mean anything."""
REPEAT_BUYERS = 100
"""Brief, defaults: the shop's own repeat gap counts once so many have come back."""
TOGETHER = 3
"""Buyers who have both products before one is recommended beside the other."""
LIFT = 1.2
"""Less than this over chance is no relation; nor is one whose lift may be no more than chance (`lift_low`)."""
SINCE = timedelta(days=730)
"""Older purchases say nothing about what goes together today."""
BEST = 60
"""Products that most people bought, for shops that recommend those where nothing else is known."""
MOST_GAPS = 2_000
"""Gaps of one product that are kept; beyond, every purchase has the same chance to be among them."""
COMPANIONS = 8
WIDEST = 40
"""Products of one person that are paired: a wholesaler buys everything with everything."""
MOST_PAIRS = 200_000
"""Pairs held at once; beyond, those seen only once are let go. Bounds the memory of a count, about 30 MB."""
_SURE = 2.326  # standard deviations: 99 chances of 100, on one side


@dataclass
class _Product:
    buyers: int = 0
    lately: int = 0
    gaps: dict[tuple[bytes, int], Gap] = field(default_factory=dict)

    def note(self, whose: bytes, found: Sequence[Gap]) -> None:
        """Keep a person's gaps. Which are let go does not depend on who comes first."""
        self.gaps.update(((whose, number), gap) for number, gap in enumerate(found))
        if len(self.gaps) > 2 * MOST_GAPS:
            self.gaps = dict(sorted(self.gaps.items())[:MOST_GAPS])


class Tally:
    """One count of one shop. `now` is the moment recency is counted from."""

    def __init__(self, now: datetime, currency: str) -> None:
        self._now = now
        self._currency = currency
        self._recency: Counter[int] = Counter()
        self._frequency: Counter[int] = Counter()
        self._money: defaultdict[str, Counter[Decimal]] = defaultdict(Counter)
        self._gaps: Counter[int] = Counter()
        self._repeat_buyers = 0
        self._products: defaultdict[str, _Product] = defaultdict(_Product)
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._beside: Counter[tuple[str, str]] = Counter()
        self._lately = 0

    def add(self, purchases: Sequence[Purchase]) -> None:
        """Everything one person bought."""
        found = lifetime_of(purchases, self._now, self._currency)
        if found.recency_days is None:
            return
        self._recency[found.recency_days] += 1
        self._frequency[found.orders] += 1
        self._money[found.spent.currency][rounded(found.spent.amount)] += 1
        between = gaps(one.placed_at for one in purchases)
        self._gaps.update(between)
        self._repeat_buyers += bool(between)
        times: defaultdict[str, list[tuple[datetime, int]]] = defaultdict(list)
        for one in purchases:
            for product, pieces in one.products:
                times[product].append((one.placed_at, pieces))
        for product, bought in times.items():
            self._products[product].buyers += 1
            if len(bought) > 1:
                whose = hashlib.blake2b(purchases[0].order_id.encode(), digest_size=8).digest()
                self._products[product].note(whose, gaps_of(bought, self._now))
        self._pair([one for one in purchases if self._now - one.placed_at <= SINCE])

    def _pair(self, purchases: Sequence[Purchase]) -> None:
        """What one person bought of late, in one order or in several."""
        newest: dict[str, datetime] = {}
        for one in purchases:
            for product, _ in one.products:
                newest[product] = max(one.placed_at, newest.get(product, one.placed_at))
        self._lately += bool(purchases)
        for product in newest:
            self._products[product].lately += 1
        kept = sorted(newest, key=lambda product: (newest[product], product))[-WIDEST:]
        self._pairs.update(combinations(sorted(kept), 2))
        for one in purchases:
            basket = {product for product, _ in one.products}.intersection(kept)
            self._beside.update(combinations(sorted(basket), 2))
        if len(self._pairs) > MOST_PAIRS:
            self._pairs = Counter({pair: count for pair, count in self._pairs.items() if count > 1})
            self._beside = Counter({pair: count for pair, count in self._beside.items() if pair in self._pairs})

    @property
    def buyers(self) -> int:
        return sum(self._frequency.values())

    def shop(self) -> ShopFigures:
        """The shop's own figures."""
        known = self._repeat_buyers >= REPEAT_BUYERS
        return ShopFigures(
            quintiles=self._quintiles(),
            buyers=self.buyers,
            repeat_buyers=self._repeat_buyers,
            repeat_gap_days=_share(self._gaps, 0.5) if known else None,
            late_gap_days=_share(self._gaps, 0.8) if known else None,
            best_sellers=self._best(),
        )

    def _best(self) -> tuple[str, ...]:
        sold = [product for product, found in self._products.items() if found.lately >= TOGETHER]
        return tuple(sorted(sold, key=lambda product: (-self._products[product].lately, product))[:BEST])

    def _quintiles(self) -> Quintiles | None:
        if self.buyers < RFM_BUYERS:
            return None
        money = {code: fifths(spent) for code, spent in self._money.items() if spent.total() >= RFM_BUYERS}
        return Quintiles(recency=fifths(self._recency), frequency=fifths(self._frequency), money=money)

    def products(self) -> dict[str, ProductFigures]:
        """The figures of every product anybody bought, by id."""
        companions = self._companions()
        return {product: _figures(found, companions.get(product, ())) for product, found in self._products.items()}

    def _companions(self) -> dict[str, tuple[Companion, ...]]:
        found: defaultdict[str, list[tuple[float, Companion]]] = defaultdict(list)
        for (one, other), together in self._pairs.items():
            first, second = self._products[one].lately, self._products[other].lately
            lift = together * self._lately / (first * second)
            if together < TOGETHER or lift < LIFT:
                continue
            low = lift_low(together, first, second, self._lately)
            if low <= 1:
                continue
            weight = likelihood_ratio(together, first, second, self._lately)
            for product, near, of in ((one, other, first), (other, one, second)):
                beside = self._beside[one, other]
                seen = Companion(near, together, round(lift, 2), round(low, 2), round(together / of, 4), beside)
                found[product].append((weight, seen))
        return {
            product: tuple(
                each for _, each in sorted(near, key=lambda each: (-each[0], each[1].product_id))[:COMPANIONS]
            )
            for product, near in found.items()
        }


def _figures(found: _Product, companions: Iterable[Companion]) -> ProductFigures:
    kept = [gap for _, gap in sorted(found.gaps.items())[:MOST_GAPS]]
    lasts = interval_of(kept)
    return ProductFigures(
        buyers=found.buyers,
        repeats=lasts.repeats,
        gap_days=lasts.middle,
        gap_low=lasts.low,
        gap_high=lasts.high,
        companions=tuple(companions),
    )


def lift_low(together: int, first: int, second: int, buyers: int) -> float:
    """The least the lift may be, with 99 chances of 100: the delta method on its logarithm, from the multinomial of who
    has both, one and neither. `first` and `second` are the buyers of each, `buyers` all.

    With so many pairs looked at at once 95 would let through what chance made.
    """
    lift = together * buyers / (first * second)
    variance = 1 / together - 1 / first - 1 / second + (2 * lift - 1) / buyers
    return lift * math.exp(-_SURE * math.sqrt(max(0.0, variance)))


def likelihood_ratio(together: int, first: int, second: int, buyers: int) -> float:
    """How surely two products belong together (Dunning's log-likelihood ratio): a pair seen in 3 of 3 does not come
    before one seen in 300 of 400. `first` and `second` are the buyers of each, `buyers` all.

    https://aclanthology.org/J93-1003/
    """
    table = (together, first - together, second - together, buyers - first - second + together)
    rows, columns = (first, buyers - first), (second, buyers - second)
    return 2 * (_entropy(rows) + _entropy(columns) - _entropy(table))


def _entropy(counts: Iterable[int]) -> float:
    """Shannon's, times the number counted."""
    found = [count for count in counts if count > 0]
    total = sum(found)
    return -sum(count * math.log(count / total) for count in found)


def _share(tally: Mapping[int, int], share: float) -> int | None:
    """The smallest value up to which so great a share lies."""
    total, passed = sum(tally.values()), 0
    for value in sorted(tally):
        passed += tally[value]
        if passed >= share * total:
            return value
    return None
