"""A letter or card: the template's form for print, and where it goes. The page around it is the channel's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from connector.errors import Refused
from flows.parcels.postal import address_lines
from flows.render.locales import direction, match_language

if TYPE_CHECKING:
    from flows.render.context import MessageView
    from flows.render.renderer import Renderer
    from flows.sending.composing import Case, Composed


def compose(renderer: Renderer, case: Case, template: str, view: MessageView) -> Composed:
    """`{body, lines, sender, ...}` as JSON. Raises `TemplateError`, `Refused` (no form for print, no address)."""
    from flows.sending.composing import Composed

    wanted = (case.recipient.locale, case.shop.locale)
    body = renderer.small(template, "print", view, *wanted)
    if body is None:
        raise Refused(f"'{template}' has no form for print; write {template}.print.liquid", provider_code="no_letter")
    if case.recipient.postal is None:
        raise Refused("no postal address is known", provider_code="no_address")
    home = case.shop.country
    language = match_language(wanted[0] or wanted[1], renderer.languages()) or "en"
    told = {
        "body": body,
        "lines": address_lines(case.recipient.postal, home, case.shop.locale),
        "country": case.recipient.postal.country or home or "",
        "home": home or "",
        "sender": [case.shop.name, *case.shop.address_lines],
        "lang": language,
        "dir": direction(language),
        "template": template,
        "accent": case.shop.accent_color or "",
    }
    return Composed(json.dumps(told, ensure_ascii=False).encode(), "")
