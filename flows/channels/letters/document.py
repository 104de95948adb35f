"""From a letter's parts to a PDF: paper, the address where the envelope's window is, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import io
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from connector.errors import Refused

PAPERS = {"A4": "A4", "A5": "A5", "A6": "A6", "card": "148mm 105mm", "letter": "letter"}
"""`card` is A6 on its side."""
_SMALL = frozenset({"A6", "card"})
_ON_SMALL = {"card": "position: absolute; right: 0; bottom: 4mm; width: 56mm", "A6": "margin-bottom: 10mm"}
_TOP, _SIDE = 20, 25
"""Margins of a large sheet in millimetres."""
_LEFT, _RIGHT = (25, 50), (112, 50)
"""Millimetres from the sheet's edge: within the windows of DIN 680 (left) and of the French DL (right)."""
_US = (22, 52)
_RIGHT_COUNTRIES = frozenset({"FR", "BE", "CH", "ES", "IT"})
_US_COUNTRIES = frozenset({"US", "CA"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a print house has it. `window` is left or right; empty goes by the sender's country."""

    paper: str = "A4"
    window: str = ""
    logo: Path | None = None


def make_pdf(told: Mapping[str, Any], layout: Layout) -> tuple[bytes, int]:
    """The bytes and the number of pages. Raises `Refused` for what cannot be laid out."""
    # Here and not above: it brings 60 MB of fonts and layout along, and a worker that prints nothing does without.
    from weasyprint import HTML

    try:
        document = HTML(string=to_html(told, layout), url_fetcher=_fetcher(), base_url=None).render()
        out = io.BytesIO()
        document.write_pdf(out)
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"the letter cannot be laid out ({type(error).__name__})", provider_code="layout") from error
    return out.getvalue(), len(document.pages)


def to_html(told: Mapping[str, Any], layout: Layout) -> str:
    """The whole page. What is not the template's own is escaped here."""
    left, top = window_of(layout, str(told.get("home", "")))
    address = "<br>".join(escape(line) for line in told["lines"])
    sender = " · ".join(escape(line) for line in told["sender"])
    small = layout.paper in _SMALL
    margin = "10mm" if small else f"{_TOP}mm 20mm 20mm {_SIDE}mm"
    # Measured from the sheet's edge; boxes are placed within its margins.
    place = (
        _ON_SMALL.get(layout.paper) or f"position: absolute; left: {left - _SIDE}mm; top: {top - _TOP}mm; width: 80mm"
    )
    logo = f'<p class="logo"><img src="{_embedded(layout.logo)}" alt=""></p>' if layout.logo else ""
    return f"""<!doctype html><html lang="{escape(told["lang"])}" dir="{escape(told["dir"])}">
<head><meta charset="utf-8"><style>
@page {{ size: {PAPERS[layout.paper]}; margin: {margin}; }}
html {{ font: {"10pt" if small else "11pt"}/1.45 "DejaVu Sans", "Noto Sans", sans-serif; color: #1d2421; }}
body {{ margin: 0; }}
.address {{ {place}; line-height: 1.3; direction: ltr; text-align: left; }}
.sender {{ display: block; font-size: 6.5pt; border-bottom: .2mm solid #1d2421; margin-bottom: 1.5mm;
  padding-bottom: .5mm; }}
.text {{ padding-top: {"0" if small else "80mm"}; {"width: 62mm;" if layout.paper == "card" else ""} }}
.logo img {{ max-height: 18mm; max-width: 60mm; }}
.logo {{ position: absolute; top: 0; right: 0; margin: 0; }}
h1 {{ font-size: 1.25em; color: {_colour(told.get("accent"))}; }}
.code {{ font-size: 1.3em; font-weight: bold; letter-spacing: .06em; }}
</style></head><body>{logo}
<div class="address"><span class="sender">{sender}</span>{address}</div>
<div class="text">{told["body"]}</div>
</body></html>"""


def window_of(layout: Layout, home: str) -> tuple[int, int]:
    """Where the address begins, in millimetres from the left and the top."""
    if layout.window:
        return _LEFT if layout.window == "left" else _RIGHT
    if home in _US_COUNTRIES:
        return _US
    return _RIGHT if home in _RIGHT_COUNTRIES and layout.paper != "A5" else _LEFT


def _colour(text: object) -> str:
    known = isinstance(text, str) and len(text) == 7 and text[0] == "#" and text[1:].isalnum()
    return str(text) if known else "#1f5c4d"


def _embedded(file: Path) -> str:
    kind = mimetypes.guess_type(file.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _fetcher() -> Any:
    """Lets data: through and nothing else: neither the network nor a file of ours gets into a letter."""
    from weasyprint.urls import URLFetcher

    class OnlyData(URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
        def fetch(self, url: str, headers: Any = None) -> Any:
            if not url.startswith("data:"):
                raise ValueError("a letter fetches nothing")
            return super().fetch(url, headers)

    return OnlyData()
