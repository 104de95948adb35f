"""A brand as templates see it: fixed values for `{{ theme.card }}`, and the table `brand` of a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache

from connector.model import Brand, Shop
from connector.model.colour import HEX, ink_on
from flows.render.cleaning import clean
from flows.render.links import safe_url

DEFAULT_ACCENT = "#1f5c4d"
PLAIN = Brand()
_ink_on = lru_cache(maxsize=256)(ink_on)


def theme_of(brand: Brand) -> dict[str, str]:
    """The values that are put into templates when they load: colours, the font stack, rounded corners in pixels."""
    light, dark = asdict(brand.light), asdict(brand.dark)
    return {
        **light,
        **{f"dark_{name}": colour for name, colour in dark.items()},
        "font": brand.font,
        "corners": f"{brand.corners}px",
        "button_corners": f"{min(brand.corners, 8) if brand.corners < 16 else brand.corners}px",
    }


def brand_table(brand: Brand, shop: Shop, language: str) -> dict[str, object]:
    """What a message shows of its brand, in its language; of a brand that says nothing, what the shop says."""
    own = shop.accent_color if HEX.fullmatch(shop.accent_color) else DEFAULT_ACCENT
    accent = brand.accent or own
    return {
        "name": clean(shop.name) or shop.domain,
        "logo_url": safe_url(brand.logo_url) or safe_url(shop.logo_url),
        "logo_width": brand.logo_width,
        "accent": accent,
        "on_accent": _ink_on(accent),
        "signature": _lines(_spoken(brand.signature, language)),
        "note": clean(_spoken(brand.note, language)),
        "legal": [line for line in map(clean, brand.legal or shop.address_lines) if line],
        "social": [{"name": clean(name), "url": safe_url(url)} for name, url in brand.social],
    }


def _spoken(texts: Mapping[str, str], language: str) -> str:
    """In the message's language, or in the one that is for all; never in another one."""
    return texts.get(language) or texts.get("", "") if texts else ""


def _lines(text: str) -> list[str]:
    return [line for line in map(clean, text.split("\n")) if line] if text else []
