"""A notification: a title, a line or two, and where a tap leads. The next one about an order replaces the last."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flows.render.links import safe_url
from flows.render.locales import direction, match_language

if TYPE_CHECKING:
    from flows.render.context import MessageView
    from flows.render.renderer import Renderer
    from flows.sending.composing import Case, Composed

_TITLE, _BODY = 120, 500
_KEEP = {False: timedelta(days=3), True: timedelta(hours=12)}
"""How long a push service keeps it for a browser that is off: order news, advertising."""
_URGENT = ("shipment_out_for_delivery", "shipment_ready_for_pickup", "shipment_failed", "shipment_attempted")


def compose(renderer: Renderer, case: Case, template: str, view: MessageView) -> Composed:
    """`{payload, ttl, topic, urgency}` as JSON. Raises `TemplateError`."""
    from flows.sending.composing import Composed

    title, body = _words(renderer, case, template, view)
    marketing = case.effect.purpose.needs_consent
    language = match_language(case.recipient.locale or case.shop.locale, renderer.languages()) or "en"
    topic = _topic(case)
    payload: dict[str, Any] = {
        "title": title[:_TITLE],
        "body": body[:_BODY],
        "url": _target(view),
        "lang": language,
        "dir": direction(language),
        "tag": topic,
    }
    if (icon := safe_url(case.shop.logo_url)) is not None:
        payload["icon"] = icon
    told = {
        "payload": payload,
        "ttl": int(_KEEP[marketing].total_seconds()),
        "topic": topic,
        "urgency": "low" if marketing else "high" if template in _URGENT else "normal",
    }
    return Composed(json.dumps(told, ensure_ascii=False).encode(), title[:_TITLE])


def _words(renderer: Renderer, case: Case, template: str, view: MessageView) -> tuple[str, str]:
    """Of the template's own form the first line is the title; else a mail's subject and preheader."""
    text = renderer.small(template, "push", view, case.recipient.locale, case.shop.locale)
    if text is None:
        parts = renderer.parts(template, view)
        return parts.subject, parts.preheader
    title, _, body = text.partition("\n")
    return title.strip(), " ".join(body.split())


def _target(view: MessageView) -> str:
    """The parcel, else the order, else the shop."""
    tracking = view.shipment.tracking_urls if view.shipment is not None else ()
    order = None if view.purpose.needs_consent else view.links.get("order_status")
    found = (*tracking, order, view.links.get("review"), view.links.get("shop"))
    return next((url for each in found if (url := safe_url(each)) is not None), "")


def _topic(case: Case) -> str:
    """32 characters of base64url at most (RFC 8030 section 5.4), and no order number for the push service to read."""
    about = case.effect.order_id or case.effect.id
    return hashlib.sha256(f"{case.shop.id}|{about}".encode()).hexdigest()[:32]
