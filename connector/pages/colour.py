"""Merchants choose an accent colour; what is written on it, and what is drawn in it, must stay readable.

Contrast as in WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
"""

from __future__ import annotations

import re

DEFAULT = "#1f5c4d"
READABLE = 4.5
"""The least contrast of text (WCAG 1.4.3)."""
_DARK, _LIGHT = "#000000", "#ffffff"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def accent_of(wanted: str) -> str:
    """The merchant's colour when it is `#rrggbb`, else ours: whatever it is goes into a style sheet."""
    return wanted.lower() if _COLOUR.fullmatch(wanted) else DEFAULT


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white), of two `#rrggbb`.

    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(background: str) -> str:
    """Black or white, whichever reads better: on any colour one of the two reaches 4.5 (WCAG 1.4.3)."""
    return max((_LIGHT, _DARK), key=lambda ink: contrast(ink, background))


def visible_on(colour: str, background: str, otherwise: str) -> str:
    """The colour where stars written in it can be read, else `otherwise`."""
    return colour if contrast(colour, background) >= READABLE else otherwise


def _luminance(colour: str) -> float:
    red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return sum(
        weight * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
        for weight, value in ((0.2126, red), (0.7152, green), (0.0722, blue))
    )
