"""From a template's name and a view of the order to the bytes of an e-mail.

    renderer = Renderer()
    rendered = renderer.render("order_confirmation", view, key=..., sender=..., reply_to=None, recipient=...,
                               recipient_name=..., headers=headers_for(view.purpose, view.shop), at=...)

Liquid runs before MJML. Shipped and merchants' templates go the same way; see `Prepared` for how it is made fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock

from connector.errors import TemplateError
from connector.model import Brand, Enclosure
from flows.render.check import check_template
from flows.render.context import MessageView, template_context
from flows.render.enclosing import enclose
from flows.render.headers import check_headers
from flows.render.jsonld import with_markup
from flows.render.locales import FALLBACK, match_language
from flows.render.mime import Letter, build
from flows.render.prepared import Parts, Prepared
from flows.render.small import SmallForms
from flows.render.sources import Sources
from flows.render.theme import PLAIN

_KEPT_CHOICES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A finished message. `mime_bytes` is what goes over SMTP; the rest is for people to look at.

    `fault` says what was wrong with the template of a transactional message that was sent all the same.
    """

    subject: str
    preheader: str
    html: str
    text: str
    mime_bytes: bytes
    fault: str = ""


class Renderer:
    """Renders the templates of a directory (ours unless told otherwise). Safe to share between threads."""

    def __init__(self, directory: Path | None = None, own: Sequence[Path] = (), brand: Brand | None = None) -> None:
        self._sources = Sources(directory, own, brand)
        self._others: dict[tuple[tuple[Path, ...], str], Renderer] = {}
        self._model: Renderer | None = None
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self._languages: dict[tuple[str | None, ...], str] = {}
        self._spoken: tuple[str, ...] = ()
        self._mentions: dict[tuple[str, str], bool] = {}
        self._small = SmallForms(self._sources)
        self._lock = Lock()

    @property
    def brand(self) -> Brand:
        return self._sources.brand

    @property
    def sources(self) -> Sources:
        return self._sources

    def under(self, own: tuple[Path, ...], brand: Brand) -> Renderer:
        """The renderer of a shop that has folders or a brand of its own; one for all shops that have the same."""
        if not own and not brand.key:
            return self
        found = self._others.get((own, brand.key))
        if found is None:
            found = Renderer(self._sources.directory, own, brand)
            if brand.key and not brand.voice:
                # Another brand is other colours in the same places: what was found sound in ours is sound in it.
                found._model = self.under(own, PLAIN)
            self._others[own, brand.key] = found
        return found

    def names(self) -> list[str]:
        """Every template that exists in the fallback language."""
        return self._sources.names(FALLBACK)

    def languages(self) -> Sequence[str]:
        """Languages messages may be written in."""
        if not self._spoken:
            self._spoken = tuple(self._sources.languages())
        return self._spoken

    def language(self, template: str, *locales: str | None) -> str:
        """The language a template is written in for the first of `locales` that has it; whole, never half.

        Raises `TemplateError` when it does not exist at all.
        """
        known = self._languages.get((template, *locales))
        if known is None:
            available = [name for name in self.languages() if self._sources.has(template, name)]
            found = (match_language(locale, available) for locale in locales)
            known = next(filter(None, found), FALLBACK)
            if len(self._languages) < _KEPT_CHOICES:  # locales come from outside
                self._languages[(template, *locales)] = known
        return known

    def shipped(self, template: str, language: str) -> bool:
        """Whether nothing of it is anybody's but ours."""
        return self._sources.shipped(template, language)

    def texts(self, template: str, language: str) -> Mapping[str, str]:
        """A template's own texts in a language, by key; empty where it is not written in it."""
        return self._sources.texts(language).get(template, {})

    def mentions(self, template: str, words: str) -> bool:
        """Whether a template says `words` (`links.survey`) in any language: what few need is not made for all."""
        known = self._mentions.get((template, words))
        if known is None:
            written = [name for name in self._sources.languages() if self._sources.has(template, name)]
            known = any(words in self._sources.load(template, name).html.text for name in written)
            self._mentions[template, words] = known
        return known

    def prepared(self, template: str, language: str) -> Prepared:
        """The parsed template, kept for the life of the renderer. Raises `TemplateError`."""
        found = self._prepared.get((template, language))
        if found is None:
            sound = self._model is not None and self._model.prepared(template, language).compiled
            with self._lock:
                source = self._sources.load(template, language)
                found = Prepared(source, self._sources.strings(language), sound=sound)
                self._prepared[template, language] = found
        return found

    def parts(self, template: str, view: MessageView) -> Parts:
        """Subject, preheader, HTML and text, without an envelope: what previews show. Raises `TemplateError`."""
        prepared = self.prepared(template, self.language(template, view.locale, view.shop.locale))
        parts = prepared.render(template_context(view, prepared.language, prepared.strings))
        if view.purpose.needs_consent:
            _require_unsubscribe(parts, view, prepared.where)
        return parts

    def small(self, template: str, kind: str, view: MessageView, *locales: str | None) -> str | None:
        """A template's form for another medium (`sms`, `push`, `print`), in the first of `locales` it is written in;
        `None` where it has none at all. Raises `TemplateError`."""
        return self._small.render(template, kind, view, *locales)

    def small_languages(self, template: str, kind: str) -> Sequence[str]:
        """The languages a template has that form in."""
        return self._small.languages(template, kind)

    def expression(self, source: str, view: MessageView, language: str, where: str) -> str:
        """A piece of Liquid from the settings, as text. Raises `TemplateError`."""
        return self._small.expression(source, view, language, where)

    def render(
        self,
        template: str,
        view: MessageView,
        *,
        key: str,
        sender: str,
        reply_to: str | None,
        recipient: str,
        recipient_name: str,
        headers: Mapping[str, str],
        at: datetime,
        trace: Callable[[Parts], Parts] | None = None,
        markup: bool = False,
        enclosures: Sequence[Enclosure] = (),
    ) -> Rendered:
        """The whole message. `headers` come from `headers_for`; `key` is the effect's, `at` goes into Date. `trace` may
        change the finished parts (short links); `markup` tells mail programs what a message about an order is about;
        `enclosures` go with it where they are for this template.

        Raises `TemplateError` (the template or its headers), `Refused` (an address that is none).
        """
        check_headers(view.purpose, headers, template)
        parts, fault = self._parts_or_lenient(template, view)
        if trace is not None:
            parts = trace(parts)
        letter = Letter(
            key=key,
            sender=sender,
            reply_to=reply_to,
            recipient=recipient,
            recipient_name=recipient_name,
            subject=parts.subject,
            text=parts.text,
            html=with_markup(parts.html, view, template) if markup else parts.html,
            headers=headers,
            at=at,
        )
        if enclosures:
            letter, fault = self._enclosed(letter, enclosures, template, view, fault)
        return Rendered(
            subject=parts.subject,
            preheader=parts.preheader,
            html=parts.html,
            text=parts.text,
            mime_bytes=build(letter),
            fault=fault,
        )

    def _enclosed(
        self, letter: Letter, enclosures: Sequence[Enclosure], template: str, view: MessageView, fault: str
    ) -> tuple[Letter, str]:
        prepared = self.prepared(template, self.language(template, view.locale, view.shop.locale))
        made = enclose(enclosures, template, view, prepared.language, prepared.strings, letter.at)
        return replace(letter, attached=made.attached), "; ".join(filter(None, (fault, made.fault)))

    def _parts_or_lenient(self, template: str, view: MessageView) -> tuple[Parts, str]:
        """A receipt goes out without the name its template misspelt; anything that needs consent is held."""
        try:
            return self.parts(template, view), ""
        except TemplateError as error:
            if view.purpose.needs_consent:
                raise
            prepared = self.prepared(template, self.language(template, view.locale, view.shop.locale))
            context = template_context(view, prepared.language, prepared.strings)
            return prepared.render_leniently(context), str(error)

    def check_template(self, name: str, locale: str) -> list[TemplateError]:
        """Everything wrong with a template in one language: unknown names, faults with any of the samples, size."""
        with self._lock:  # what is checked is the file as it is now, and what is used afterwards is what was checked
            for key in [key for key in self._prepared if key[0] == name]:
                del self._prepared[key]
            self._languages.clear()
            self._spoken = ()
        return check_template(self._sources, name, locale, self.prepared)


def _require_unsubscribe(parts: Parts, view: MessageView, where: str) -> None:
    url = view.links.get("unsubscribe", "")
    if not url or url.replace("&", "&amp;") not in parts.html or url not in parts.text:
        raise TemplateError("a message that needs consent must show links.unsubscribe in HTML and text", where=where)
