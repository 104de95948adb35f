"""A note that the shop mails to its customer: plain text, in the shop's own frame and from its own address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.errors import Refused

if TYPE_CHECKING:
    from flows.render.context import MessageView
    from flows.render.renderer import Renderer
    from flows.sending.composing import Case, Composed


def compose(renderer: Renderer, case: Case, template: str, view: MessageView) -> Composed:
    """The template's form for it, for phones, or else its text part. Raises `TemplateError`, `Refused` (empty)."""
    from flows.sending.composing import Composed

    wanted = (case.recipient.locale, case.shop.locale)
    forms = (renderer.small(template, kind, view, *wanted) for kind in ("platform", "sms"))
    text = next((form for form in forms if form is not None), None)
    subject = ""
    if text is None:
        parts = renderer.parts(template, view)
        text, subject = parts.text, parts.subject
    if not text.strip() or case.effect.order_id is None:
        raise Refused(f"'{template}' has no words or no order for a note of the shop's", provider_code="no_note")
    return Composed(text.strip().encode(), subject)
