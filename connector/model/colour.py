"""Contrast of colours as in WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""

from __future__ import annotations

import re

READABLE = 4.5
"""The least contrast of text (WCAG 1.4.3)."""
READABLE_LARGE = 3.0
"""The least contrast of text of 24 px, or of 18.66 px in bold."""
HEX = re.compile(r"#[0-9a-fA-F]{6}")
_DARK, _LIGHT = "#000000", "#ffffff"


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white), of two `#rrggbb`.

    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(background: str) -> str:
    """Black or white, whichever reads better: on any colour one of the two reaches 4.5."""
    return max((_LIGHT, _DARK), key=lambda ink: contrast(ink, background))


def _luminance(colour: str) -> float:
    red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return sum(
        weight * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
        for weight, value in ((0.2126, red), (0.7152, green), (0.0722, blue))
    )
