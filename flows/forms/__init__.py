"""What a message looks like on each medium that is no mail: the bytes its channel takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from flows.forms import letter, note, push, sms, whatsapp

if TYPE_CHECKING:
    from flows.render.context import MessageView
    from flows.render.renderer import Renderer
    from flows.sending.composing import Case, Composed

Form = Callable[["Renderer", "Case", str, "MessageView"], "Composed"]

FORMS: Mapping[str, Form] = {
    "sms": sms.compose,
    "whatsapp": whatsapp.compose,
    "push": push.compose,
    "print": letter.compose,
    "platform": note.compose,
}


def compose(renderer: Renderer, case: Case, template: str, view: MessageView) -> Composed:
    """The template as its medium takes it. Raises `TemplateError` (the template), `Refused` (it cannot be sent so)."""
    return FORMS.get(case.recipient.medium, sms.compose)(renderer, case, template, view)
