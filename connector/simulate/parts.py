"""How many SMS a text takes, for estimates: nobody renders the messages of a look back."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from connector.config import ShopSettings
from connector.errors import TemplateError
from flows.render.sms import fold, segments

if TYPE_CHECKING:
    from flows.render.renderer import Renderer

_LINK = "https://links.example/u/" + "x" * 26
"""As long as the link of a way out is."""


class TextParts:
    """Of a shop's templates: with an ordinary order, in the shop's language, with the way out where one is needed."""

    def __init__(self, settings: ShopSettings) -> None:
        self._settings = settings
        self._known: dict[str, int] = {}

    def of(self, template: str) -> int:
        """Parts of one text; 1 for a template that is not there any more."""
        if template not in self._known:
            self._known[template] = self._count(template)
        return self._known[template]

    @cached_property
    def _renderer(self) -> Renderer:
        # Here and not above: most looks back tell of no texts.
        from flows.render.renderer import Renderer

        return Renderer().under(self._settings.templates, self._settings.brand)

    def _count(self, template: str) -> int:
        from flows.forms.sms import opt_out
        from flows.render.check import purpose_of
        from flows.render.samples import five_lines

        locale, purpose = self._settings.shop.locale, purpose_of(template)
        view = replace(five_lines(), shop=self._settings.shop, locale=locale, purpose=purpose)
        try:
            text = self._renderer.small(template, "sms", view, locale)
            if text is None:
                text = self._renderer.parts(template, view).text.strip()
        except TemplateError:
            return 1
        if purpose.needs_consent:
            text = f"{text}\n{opt_out(locale, self._settings.sms_sender, _LINK)}"
        return max(segments(fold(text)).parts, 1)
