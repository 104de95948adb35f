"""How long a product lasts, from when the same people bought it again. Pure.

What is seen is biased: of goods bought lately only the short gaps have ended yet, and most people never come back at
all. So each gap is weighed against how long it could have been seen: a gap of x days counts only beside those that had
at least x days to happen. That is the product-limit estimate for right-truncated times, Kaplan and Meier's with the
clock turned round (Lagakos, Barraj and De Gruttola, Biometrika 75, 1988, 515-523, doi:10.1093/biomet/75.3.515). It asks
when those who come back do so; those who never do change nothing, and need no guess when they gave up.

Days are counted by the piece: who bought three has three times as long. The range holds the true middle in 19 of 20
cases (binomial ranks around the median), wider where truncation leaves less to see.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

DAY = timedelta(days=1)
FEWEST = 10
"""Repeat purchases of one product before its interval is believed."""
_CONFIDENCE = 1.96
_REACH = 3.0
"""How many times its middle a gap must have had time for."""
_EDGE = 0.02
"""Share of the distribution at either end that a range may reach: beyond, nothing was seen."""


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Days by the piece from one purchase to the next of the same person, and days by the piece that had passed since
    the first until the count: how long the gap could have been and still be seen."""

    days: float
    seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """`middle` days by the piece, the true one between `low` and `high`; `None` where too few have come back, or they
    disagree by more than the middle itself. `repeats` is how many gaps were seen."""

    repeats: int
    middle: float | None = None
    low: float | None = None
    high: float | None = None


def gaps_of(bought: Iterable[tuple[datetime, int]], now: datetime) -> list[Gap]:
    """The gaps between one person's purchases of one product, each with its pieces. What comes within a day of the one
    before is part of it."""
    days: list[tuple[datetime, int]] = []
    last: datetime | None = None
    for at, pieces in sorted(bought):
        if last is not None and at - last < DAY:
            days[-1] = (days[-1][0], days[-1][1] + pieces)
        else:
            days.append((at, pieces))
        last = at
    return [
        Gap((second - first) / DAY / pieces, max((now - first) / DAY / pieces, (second - first) / DAY / pieces))
        for (first, pieces), (second, _) in pairwise(days)
        if pieces > 0
    ]


def interval_of(gaps: Sequence[Gap]) -> Interval:
    """The interval a product's gaps speak of."""
    count = len(gaps)
    if count < FEWEST:
        return Interval(repeats=count)
    steps = distribution(gaps)
    # With much truncation fewer gaps decide the middle than there are: the range must not pretend otherwise.
    middle = _quantile(steps, 0.5)
    beside = sum(gap.days <= middle <= gap.seen for gap in gaps)
    spread = _CONFIDENCE * 0.5 / math.sqrt(max(1, min(count, 1.5 * beside)))
    low, high = _quantile(steps, max(_EDGE, 0.5 - spread)), _quantile(steps, min(1 - _EDGE, 0.5 + spread))
    low, high = low - 0.5 * _step(steps, low), high + 0.5 * _step(steps, high)
    # Longer gaps than the history holds cannot be seen, however many short ones there are.
    believed = high - low <= middle and max(gap.seen for gap in gaps) >= _REACH * middle
    return Interval(
        repeats=count,
        middle=round(middle, 2) if believed else None,
        low=round(max(0.0, low), 2),
        high=round(high, 2),
    )


def distribution(gaps: Iterable[Gap]) -> list[tuple[float, float]]:
    """(days, share of those who come back that have done so by then), rising to 1."""
    by_days = sorted(gaps, key=lambda gap: gap.days)
    times = sorted({gap.days for gap in by_days}, reverse=True)
    starts = sorted(gap.days for gap in by_days)
    ends = sorted(gap.seen for gap in by_days)
    found: list[tuple[float, float]] = []
    share, before, over = 1.0, len(starts), len(ends)
    for at in times:
        found.append((at, share))
        while over and ends[over - 1] >= at:
            over -= 1
        here = before
        while before and starts[before - 1] >= at:
            before -= 1
        # At risk, with the clock turned round: gaps no longer than this one that had as long to happen.
        risk = here - over
        share *= 1 - (here - before) / risk if risk else 0.0
    return found[::-1]


def _quantile(steps: Sequence[tuple[float, float]], share: float) -> float:
    return next((days for days, reached in steps if reached >= share - 1e-12), steps[-1][0])


def _step(steps: Sequence[tuple[float, float]], days: float) -> float:
    """How far the next value seen is from this one: what lies between nobody knows."""
    values = [value for value, _ in steps]
    at = values.index(days)
    near = [abs(values[other] - days) for other in (at - 1, at + 1) if 0 <= other < len(values)]
    return min(near, default=0.0)
