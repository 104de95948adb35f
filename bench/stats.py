"""The arithmetic of a run: percentiles, paired ratios, stability. No measuring here."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

UNSTABLE_ABOVE = 0.25  # two floors of one round further apart than this: something else ran, nothing is gated
FOREIGN_ABOVE = 0.10  # share of all cores taken by strangers above which a run is repeated


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of `values` lie: the same rule as lg.c, no interpolation; 0.0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


def ratio(part: float, whole: float) -> float:
    """`part / whole`; 0.0 when there is nothing to divide by, so that a missing floor never looks like success."""
    return part / whole if whole else 0.0


def floors_disagree(before: float, after: float) -> bool:
    """Whether two floors measured around the same candidate differ by more than 25 % of the larger."""
    return abs(before - after) > UNSTABLE_ABOVE * max(before, after)


@dataclass(frozen=True, slots=True)
class Rounds:
    """One quantity in every round of a run. All are printed; the median is what a gate sees."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def over(self, other: Rounds) -> Rounds:
        """The ratio inside each round: never a quotient of figures from different minutes.

        Raises `ValueError` when the rounds are not pairs.
        """
        if len(self.values) != len(other.values):
            raise ValueError(f"{len(self.values)} rounds cannot be paired with {len(other.values)}")
        return Rounds(tuple(ratio(a, b) for a, b in zip(self.values, other.values, strict=True)))

    def text(self, digits: int = 2) -> str:
        """`median (first, second, third)`."""
        if not self.values:
            return "-"
        return f"{self.median:.{digits}f} ({', '.join(f'{v:.{digits}f}' for v in self.values)})"
