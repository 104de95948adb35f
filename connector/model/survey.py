"""Scales of surveys: which scores there are, and which of them are bad and good news. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NPS, CSAT, CES = "nps", "csat", "ces"
LOW, MIDDLE, HIGH = "low", "middle", "high"
BANDS = (LOW, MIDDLE, HIGH)
"""Where an answer stands: `low` is brought to a person, `high` may lead to an invitation."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The scores `least` to `most`; up to `low` is bad news, from `high` on good."""

    kind: str
    least: int
    most: int
    low: int
    high: int

    @property
    def scores(self) -> range:
        return range(self.least, self.most + 1)

    def band(self, score: int) -> str:
        return LOW if score <= self.low else HIGH if score >= self.high else MIDDLE


SCALES: Mapping[str, Scale] = {
    # F. Reichheld, "The One Number You Need to Grow" (HBR, December 2003): 0-6 detract, 9 and 10 promote.
    NPS: Scale(NPS, 0, 10, 6, 9),
    # Top-2-box: 4 and 5 of five are satisfied, 1 and 2 are not.
    CSAT: Scale(CSAT, 1, 5, 2, 4),
    # CES 2.0 (Gartner/CEB): agreement with "made it easy" from 1 to 7; 5 and above agree.
    CES: Scale(CES, 1, 7, 3, 5),
}
