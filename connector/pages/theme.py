"""The look of a shop's pages: its brand's where it has one, ours with the shop's accent where it has none.

A merchant chooses colours for a mail; here they become roles, each checked for contrast against what it lies on (WCAG
2.2, 1.4.3 for text, 1.4.11 for edges and marks). What cannot be read is replaced, never shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from connector.model import Brand, Palette, Shop
from connector.pages import colour

CORNERS = 12
"""Pixels, where no brand says otherwise."""
LARGEST_CORNERS = 28
LIGHT = Palette(page="#f3f5f4", card="#ffffff", text="#1d2421", muted="#4d5854", rule="#d5dcd9")
DARK = Palette(page="#161b19", card="#202725", text="#eef2f0", muted="#b9c4bf", rule="#414b47")
_LINE, _LINE_DARK = "#70807a", "#9aa8a2"
_BAD, _BAD_DARK, _WARN, _WARN_DARK = "#b3261e", "#ff9d96", "#8a6100", "#e0b34c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Custom properties of a page's style sheet for a light and a dark screen, and the logo as a `data:` address."""

    light: Markup
    dark: Markup
    logo: str | None = None


def theme_of(shop: Shop | None, brand: Brand | None) -> Theme:
    """The theme of a shop with this brand; a stranger's (no shop) is ours."""
    branded = brand is not None and bool(brand.name)
    brand = brand or Brand()
    accent = colour.accent_of(brand.accent or (shop.accent_color if shop is not None else colour.DEFAULT))
    light, dark = (brand.light, brand.dark) if branded else (LIGHT, DARK)
    corners = min(brand.corners, LARGEST_CORNERS) if branded else CORNERS
    fixed = {
        "accent": accent,
        "on-accent": colour.ink_on(accent),
        "font": brand.font,  # our own, or checked against its pattern when the configuration was read
        "corners": f"{corners}px",
        "corners-small": f"{round(corners * 2 / 3)}px",
    }
    return Theme(
        light=_properties({**fixed, **_roles(light, accent, _BAD, _WARN, _LINE, "transparent")}),
        dark=_properties(_roles(dark, accent, _BAD_DARK, _WARN_DARK, _LINE_DARK, _LINE_DARK)),
        logo=brand.page_logo,
    )


def _roles(palette: Palette, accent: str, bad: str, warn: str, line: str, edge: str) -> dict[str, str]:
    card, text = palette.card, palette.text
    return {
        "ink": text,
        "quiet": palette.muted,
        "paper": palette.page,
        "card": card,
        "rule": palette.rule,
        "line": line if colour.contrast(line, card) >= colour.READABLE_LARGE else palette.muted,
        "edge": edge,
        "mark": colour.visible_on(accent, card, text),
        "bad": colour.visible_on(bad, card, text),
        "warn": colour.visible_on(warn, card, text),
    }


def _properties(values: dict[str, str]) -> Markup:
    return Markup("; ".join(f"--{name}: {value}" for name, value in values.items()))  # noqa: S704 - checked above
