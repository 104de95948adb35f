"""How a merchant's messages look and speak, apart from their texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FONT = "system-ui,'Segoe UI',Roboto,Arial,sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours as `#rrggbb`: behind the message, of its card, of text, of small print, of lines."""

    page: str = "#f2f2f7"
    card: str = "#ffffff"
    text: str = "#1d1d1f"
    muted: str = "#65656a"
    rule: str = "#e5e5ea"


DARK = Palette(page="#000000", card="#1c1c1e", text="#f2f2f7", muted="#aeaeb2", rule="#3a3a3c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """One look for all templates; empty fields leave what the shop says of itself.

    `accent` is the colour of buttons, `corners` and `logo_width` are pixels, `font` a CSS font stack. `voice` replaces
    single texts: language to `template.key` to text; `signature` (lines) and `note` (a sentence of the footer) are by
    language; `legal` are the footer's lines; `social` pairs of name and address; `readers` what
    share of its messages is read in which mail client. `page_logo` is the picture at the head of hosted pages as a
    `data:` address: they load nothing from anywhere. `key` is a digest of it all.
    """

    name: str = ""
    key: str = ""
    logo_url: str | None = None
    logo_width: int = 140
    page_logo: str | None = None
    accent: str | None = None
    light: Palette = Palette()
    dark: Palette = DARK
    font: str = FONT
    corners: int = 12
    voice: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    signature: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: Mapping[str, str] = field(default_factory=dict, hash=False)
    legal: tuple[str, ...] = ()
    social: tuple[tuple[str, str], ...] = ()
    readers: tuple[tuple[str, float], ...] = ()
