"""What a shop's whole history says, counted person by person: its quintiles, how soon people come back, how long a
product lasts, and what is bought with what.

Pure. The caller brings every buyer's purchases once, in any order (`connector.bookkeeping` does so at night, a page at
a time); the same purchases give the same figures.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import combinations

from connector.model import Purchase
from flows.background import Companion, ProductFigures, ShopFigures
from flows.lifetime import Quintiles, fifths, gaps, lifetime_of, middle, rounded

RFM_BUYERS = 20
"""Fewer buyers cannot be parted into fifths that mean anything."""
REPEAT_BUYERS = 100
"""Brief, defaults: the shop's own repeat gap counts once so many have come back."""
REPEATS = 10
"""Repeat purchases of one product before its interval is believed."""
TOGETHER = 3
"""Buyers who have both products before one is recommended beside the other."""
LIFT = 1.2
"""Less than this over chance is no relation."""
COMPANIONS = 8
WIDEST = 40
"""Products of one person that are paired: a wholesaler buys everything with everything."""
MOST_PAIRS = 200_000
"""Pairs held at once; beyond, those seen only once are let go. Bounds the memory of a count, about 30 MB."""
_CONFIDENCE = 1.645  # standard deviations: 9 chances of 10


@dataclass
class _Product:
    buyers: int = 0
    gaps: Counter[int] = field(default_factory=Counter)


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
        times: defaultdict[str, list[datetime]] = defaultdict(list)
        for one in purchases:
            for product, _ in one.products:
                times[product].append(one.placed_at)
        for product, bought_at in times.items():
            self._products[product].buyers += 1
            self._products[product].gaps.update(gaps(bought_at))
        newest = sorted(times, key=lambda product: (max(times[product]), product))[-WIDEST:]
        self._pairs.update(combinations(sorted(newest), 2))
        if len(self._pairs) > MOST_PAIRS:
            self._pairs = Counter({pair: count for pair, count in self._pairs.items() if count > 1})

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
        )

    def _quintiles(self) -> Quintiles | None:
        if self.buyers < RFM_BUYERS:
            return None
        money = {code: fifths(spent) for code, spent in self._money.items() if spent.total() >= RFM_BUYERS}
        return Quintiles(recency=fifths(self._recency), frequency=fifths(self._frequency), money=money)

    def products(self) -> dict[str, ProductFigures]:
        """The figures of every product anybody bought, by id."""
        companions = self._companions()
        return {
            product: replenishment(found.gaps, found.buyers, companions.get(product, ()))
            for product, found in self._products.items()
        }

    def _companions(self) -> dict[str, tuple[Companion, ...]]:
        found: defaultdict[str, list[tuple[float, Companion]]] = defaultdict(list)
        for (one, other), together in self._pairs.items():
            first, second = self._products[one].buyers, self._products[other].buyers
            lift = together * self.buyers / (first * second)
            if together < TOGETHER or lift < LIFT:
                continue
            weight = likelihood_ratio(together, first, second, self.buyers)
            found[one].append((weight, Companion(product_id=other, together=together, lift=round(lift, 2))))
            found[other].append((weight, Companion(product_id=one, together=together, lift=round(lift, 2))))
        return {
            product: tuple(
                each for _, each in sorted(near, key=lambda each: (-each[0], each[1].product_id))[:COMPANIONS]
            )
            for product, near in found.items()
        }


def replenishment(between: Mapping[int, int], buyers: int, companions: Iterable[Companion] = ()) -> ProductFigures:
    """How long a product lasts, from the gaps (days to how often) between one person's purchases of it.

    Believed with `REPEATS` of them whose middle is known to within half of itself either way: else the gap is `None`
    and what the flow configures counts.
    """
    ordered = sorted(Counter(between).elements())
    count = len(ordered)
    figures = ProductFigures(buyers=buyers, repeats=count, companions=tuple(companions))
    if count < REPEATS:
        return figures
    # The ranks between which the true median lies (binomial, normal approximation).
    spread = _CONFIDENCE * math.sqrt(count) / 2
    low = ordered[max(0, math.floor(count / 2 - spread) - 1)]
    high = ordered[min(count - 1, math.ceil(count / 2 + spread))]
    gap = middle(ordered)
    believed = gap is not None and high - low <= gap
    return ProductFigures(
        buyers=buyers,
        repeats=count,
        gap_days=gap if believed else None,
        gap_low=low,
        gap_high=high,
        companions=figures.companions,
    )


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
