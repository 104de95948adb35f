"""A WhatsApp message: an approved template by name, and what the shop's settings say goes into its places."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connector.config import ShopSettings
from connector.errors import Refused
from flows.render.locales import match_language

if TYPE_CHECKING:
    from flows.render.context import MessageView
    from flows.render.renderer import Renderer
    from flows.sending.composing import Case, Composed

TEMPLATES = "whatsapp_templates"
_LONGEST = 1024


def templates_of(settings: ShopSettings) -> Mapping[str, Mapping[str, Any]]:
    """The shop's approved templates, by the name flows use."""
    found: Mapping[str, Mapping[str, Any]] = settings.layered.get(TEMPLATES) or {}
    return found


def compose(renderer: Renderer, case: Case, template: str, view: MessageView) -> Composed:
    """Raises `TemplateError` (an expression in the settings), `Refused` (no such template, a place left empty)."""
    from flows.sending.composing import Composed

    approved = templates_of(case.settings).get(template)
    if approved is None:
        raise Refused(
            f"no approved WhatsApp template for '{template}'; name one in {TEMPLATES}.{template}",
            provider_code="no_template",
        )
    language = _language(approved, case.recipient.locale, case.shop.locale)

    def fill(source: str, place: str) -> dict[str, str]:
        where = f"{TEMPLATES}.{template}.{place}"
        text = " ".join(renderer.expression(source, view, language.replace("_", "-"), where).split())[:_LONGEST]
        if not text:
            raise Refused(f"{where} is empty for this message; give it a | default", provider_code="empty_place")
        return {"type": "text", "text": text}

    components: list[dict[str, Any]] = []
    if approved.get("header"):
        components.append({"type": "header", "parameters": [fill(approved["header"], "header")]})
    if approved.get("body"):
        filled = [fill(source, f"body {number}") for number, source in enumerate(approved["body"], start=1)]
        components.append({"type": "body", "parameters": filled})
    for number, source in enumerate(approved.get("buttons", ())):
        made = {"type": "button", "sub_type": "url", "index": str(number), "parameters": [fill(source, "buttons")]}
        components.append(made)
    told: dict[str, Any] = {"name": approved["name"], "language": {"policy": "deterministic", "code": language}}
    if components:
        told["components"] = components
    return Composed(json.dumps(told, ensure_ascii=False).encode(), "")


def _language(approved: Mapping[str, Any], *locales: str | None) -> str:
    """Meta's code of the first language that fits (`en_US`), else the first the template was approved in."""
    written = {str(code).replace("_", "-"): str(code) for code in approved["languages"]}
    short = {name.partition("-")[0]: code for name, code in reversed(written.items())}
    known = {**short, **written}
    return next(
        (known[found] for each in locales if (found := match_language(each, known))), next(iter(written.values()))
    )
