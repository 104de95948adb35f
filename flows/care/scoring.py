"""What the answers to a survey come to: the score, how far it can be off, and how many answered. Pure.

- NPS is the share of 9 and 10 less the share of 0 to 6, in points from -100 to 100. Its interval is the adjusted Wald
  of B. Rocks, "Interval Estimation for the Net Promoter Score", The American Statistician 70(4), 2016: three more
  answers are assumed, 3/4 of them promoters, 3/2 passives, 3/4 detractors, and the variance of the difference of two
  shares of one sample is p + d - (p - d)^2. It was the best of those compared there and in
  https://measuringu.com/nps-three-confidence-intervals/.
- CSAT is the share of 4 and 5 of five, CES the share of 5 and more of seven, in percent. Their intervals, and that of
  the share who answered, are Wilson's score interval (JASA 22, 1927; recommended by R. Newcombe, Statistics in
  Medicine 17, 1998).

All intervals are at 95 %. They tell how far luck in who answered can carry a figure, not whether those who answer are
like those who do not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from connector.model.survey import NPS, SCALES
from connector.store.surveys import AskRow

Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution: 95 % lie within."""
LEAST = 5
"""With fewer answers no score is given: one more could turn it round."""
FEW = 30
"""With fewer answers the score is given and called what it is."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its ends at 95 %, all in the unit of the figure."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One group of questions on one scale. `score` is missing below `LEAST` answers; `rate` is the share who answered,
    in percent; `counts` has a number for every score of the scale."""

    group: str
    kind: str
    asked: int
    answered: int
    score: Interval | None
    rate: Interval
    mean: float | None
    counts: Mapping[int, int] = field(default_factory=dict)

    @property
    def few(self) -> bool:
        return self.answered < FEW


def wilson(hits: int, total: int) -> Interval:
    """The share `hits` of `total` in percent; of nothing everything is possible."""
    if not total:
        return Interval(0.0, 0.0, 100.0)
    share, z2 = hits / total, Z * Z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == total else middle + half
    return Interval(100 * share, 100 * max(0.0, low), 100 * min(1.0, high))


def net_promoter(promoters: int, passives: int, detractors: int) -> Interval:
    """The score of so many answers in points. `ValueError` for none."""
    total = promoters + passives + detractors
    if not total:
        raise ValueError("no answers, no score")
    n = total + 3.0
    p, d = (promoters + 0.75) / n, (detractors + 0.75) / n
    half = Z * math.sqrt((p + d - (p - d) ** 2) / n)
    low, high = max(-1.0, p - d - half), min(1.0, p - d + half)
    return Interval(100 * (promoters - detractors) / total, 100 * low, 100 * high)


def score_of(kind: str, scores: Iterable[int]) -> Interval | None:
    """The score of a scale; `None` below `LEAST` answers. Bounds are those of the scale, whatever a shop calls low."""
    given, scale = list(scores), SCALES[kind]
    if len(given) < LEAST:
        return None
    good = sum(score >= scale.high for score in given)
    if kind != NPS:
        return wilson(good, len(given))
    bad = sum(score <= scale.low for score in given)
    return net_promoter(good, len(given) - good - bad, bad)


def summarise(rows: Iterable[AskRow], groups_of: Callable[[AskRow], Iterable[str]]) -> list[Result]:
    """What each group came to, a scale each. A question counts in each of its groups (an order of three products in
    three), so groups need not add up."""
    found: dict[tuple[str, str], list[AskRow]] = {}
    for row in rows:
        for group in dict.fromkeys(groups_of(row)):
            found.setdefault((group, row.kind), []).append(row)
    return [_result(group, kind, members) for (group, kind), members in sorted(found.items())]


def _result(group: str, kind: str, rows: list[AskRow]) -> Result:
    scores = [row.score for row in rows if row.score is not None]
    counted = Counter(scores)
    return Result(
        group=group,
        kind=kind,
        asked=len(rows),
        answered=len(scores),
        score=score_of(kind, scores),
        rate=wilson(len(scores), len(rows)),
        mean=sum(scores) / len(scores) if scores else None,
        counts={score: counted.get(score, 0) for score in SCALES[kind].scores},
    )
