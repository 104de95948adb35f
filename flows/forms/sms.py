"""A text message: the template's form for it or else its text part, folded, with a way out where the law wants one.

Who cannot answer (a name instead of a number) is given the link; a number takes STOP (facts/messaging.md section 3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connector.errors import Refused
from flows.render.locales import match_language
from flows.render.sms import fold, segments

if TYPE_CHECKING:
    from flows.render.context import MessageView
    from flows.render.renderer import Renderer
    from flows.sending.composing import Case, Composed

_NUMBER = re.compile(r"\+?\d{3,15}|MG[0-9a-f]{32}")
_STOP_WORD = re.compile(r"\bSTOPP?\b")
_REPLY = {
    "en": "Reply STOP to opt out.",
    "fi": "Peru viestit vastaamalla STOP.",
    "sv": "Svara STOPP för att avsluta.",
    "de": "Abmelden: mit STOP antworten.",
    "ja": "配信停止はSTOPと返信してください。",
    "ar": "لإلغاء الاشتراك أرسل STOP.",
    "fr": "Répondez STOP pour ne plus recevoir de SMS.",
    "es": "Responda STOP para no recibir más.",
}
_FOLLOW = {
    "en": "Opt out: {link}",
    "fi": "Peru viestit: {link}",
    "sv": "Avsluta: {link}",
    "de": "Abmelden: {link}",
    "ja": "配信停止: {link}",
    "ar": "لإلغاء الاشتراك: {link}",
    "fr": "Se désabonner: {link}",
    "es": "Darse de baja: {link}",
}
_REPLIES_WANTED = frozenset({"US", "CA", "PR", "GU", "VI"})
"""Where carriers want the keyword itself in the text, whoever sends it (CTIA Messaging Principles 5.1.3)."""


def compose(renderer: Renderer, case: Case, template: str, view: MessageView) -> Composed:
    """Raises `TemplateError`, and `Refused` for a text that would take more parts than the shop allows."""
    from flows.sending.composing import Composed

    wanted = (case.recipient.locale, case.shop.locale)
    text = renderer.small(template, "sms", view, *wanted)
    subject = ""
    if text is None:
        parts = renderer.parts(template, view)
        text, subject = parts.text.strip(), parts.subject
    if case.effect.purpose.needs_consent:
        text = with_way_out(text, case, view)
    text = fold(case.shorten(text) if case.shorten is not None else text)
    counted = segments(text)
    if counted.parts > case.settings.sms_parts:
        raise Refused(
            f"the text of '{template}' takes {counted.parts} SMS ({counted.encoding}), more than sms_parts"
            f" {case.settings.sms_parts}; write a shorter {template}.sms.liquid",
            provider_code="too_long",
        )
    return Composed(text.encode(), subject)


def with_way_out(text: str, case: Case, view: MessageView) -> str:
    """The text and how to end them, unless it says so already."""
    link, country = view.links.get("unsubscribe", ""), _country(case)
    replies = _NUMBER.fullmatch(case.settings.sms_sender) is not None
    if (link and link in text) and country not in _REPLIES_WANTED:
        return text
    if (replies or country in _REPLIES_WANTED) and _STOP_WORD.search(text):
        return text
    locale, shown = case.recipient.locale or case.shop.locale, "" if country in _REPLIES_WANTED else link
    return f"{text}\n{opt_out(locale, case.settings.sms_sender, shown)}"


def opt_out(locale: str, sender: str, link: str) -> str:
    """How to end them: by an answer where the sender is a number or there is no link, else by the link."""
    language = match_language(locale, _REPLY) or "en"
    if _NUMBER.fullmatch(sender) is not None or not link:
        return _REPLY[language]
    return _FOLLOW[language].format(link=link)


def _country(case: Case) -> str:
    order = case.situation.order
    place = (order.shipping_address or order.billing_address) if order is not None else None
    return (place.country if place is not None else None) or case.shop.country or ""
