"""Merchants choose an accent colour; what is written on it, and what is drawn in it, must stay readable.

Contrast as in WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
"""

from __future__ import annotations

import re

from connector.model.colour import READABLE, READABLE_LARGE, contrast, ink_on

__all__ = ["READABLE_LARGE", "accent_of", "contrast", "ink_on", "visible_on"]

DEFAULT = "#1f5c4d"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def accent_of(wanted: str) -> str:
    """The merchant's colour when it is `#rrggbb`, else ours: whatever it is goes into a style sheet."""
    return wanted.lower() if _COLOUR.fullmatch(wanted) else DEFAULT


def visible_on(colour: str, background: str, otherwise: str) -> str:
    """The colour where stars written in it can be read, else `otherwise`."""
    return colour if contrast(colour, background) >= READABLE else otherwise
