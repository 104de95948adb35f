"""From a decided effect to the finished message: links, view, template, headers. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from connector import tracing
from connector.config import ShopSettings
from connector.model import Effect, Enclosure, LineItem, Order, Run, Shop
from connector.store import entities
from connector.store.db import Tx
from flows.care.surveys import SURVEY, stage_of
from flows.facts import Facts
from flows.goods.suggestions import suggest
from flows.knowing.situation import NOTHING, Situation
from flows.render.headers import headers_for
from flows.render.locales import choose_locale
from flows.reviews.asked import asks_for_review
from flows.reviews.requests import open_products
from flows.sending.addressing import Recipient, links_for, with_code
from flows.sending.short_links import Shortener, marks_of

if TYPE_CHECKING:
    from flows.render.context import MessageView
    from flows.render.prepared import Parts
    from flows.render.renderer import Renderer


CONFIRM = "confirm"
"""In the data of a sign-up's event: the token of the page where it is confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One effect that policy allowed, with everything that was looked up to decide it. `shorten` puts short links
    in the place of long addresses in the text of a small message. `rewarded`: it asks for a review that something is
    given for."""

    effect: Effect
    run: Run
    settings: ShopSettings
    shop: Shop
    situation: Situation
    facts: Facts
    recipient: Recipient
    rewarded: bool = False
    shorten: Callable[[str], str] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Composed:
    """The bytes to send. `fault` says what was left blank in a transactional message whose template has a mistake."""

    content: bytes
    subject: str
    fault: str = ""


class Composes(Protocol):
    """What makes a message of a case. A look back at a year makes none: nobody reads them."""

    def compose(self, tx: Tx, case: Case, key: str, now: datetime) -> Composed:
        """Raises `TemplateError` (the template), `Refused` (an address that is none)."""
        ...


class Composer:
    """Renders messages. `base_url` is where hosted pages live, `salt` what makes their links unguessable, `files` what
    was fetched to go with messages, by shop and address."""

    def __init__(
        self, renderer: Renderer, base_url: str, salt: bytes, files: Mapping[tuple[str, str], bytes] | None = None
    ) -> None:
        self._renderer = renderer
        self._base_url = base_url
        self._salt = salt
        self._files: Mapping[tuple[str, str], bytes] = {} if files is None else files

    def compose(self, tx: Tx, case: Case, key: str, now: datetime) -> Composed:
        """Raises `TemplateError` (the template), `Refused` (an address that is none)."""
        effect, shop, recipient = case.effect, case.shop, case.recipient
        template = str(effect.request["template"])
        renderer = self._renderer.under(case.settings.templates, case.settings.brand)
        links = links_for(
            tx,
            shop=shop,
            purpose=effect.purpose,
            recipient=recipient,
            situation=case.situation,
            steps=case.facts.steps,
            base_url=self._base_url,
            salt=self._salt,
            now=now,
            survey=effect.id if effect.request.get(SURVEY) else "",
            push=renderer.mentions(template, "links.push"),
            case=case.settings.returns.enabled and renderer.mentions(template, "links.case"),
            order_page=case.settings.growth.order_page and renderer.mentions(template, "links.order_page"),
            points=bool(case.settings.loyalty) and renderer.mentions(template, "links.points"),
            share=renderer.mentions(template, "links.share"),
        )
        if (token := case.facts.event.get(CONFIRM)) is not None:
            links[CONFIRM] = f"{self._base_url}/p/{CONFIRM}/{token}"
        if recipient.medium != "email":
            # Here and not above: most shops send nothing but mail.
            from flows.forms import compose

            short = str(effect.request.get("short") or template)
            links_of = self._shortener(tx, case, key, now)
            case = replace(case, shorten=lambda text: links_of.text(text, shorter_only=True))
            view = replace(self._view(tx, case, links, short, renderer, now), by_product=False)
            return compose(renderer, case, short, view)
        with tracing.span("render", template=template):
            rendered = renderer.render(
                template,
                self._view(tx, case, links, template, renderer, now),
                key=key,
                sender=case.settings.sender,
                reply_to=case.settings.reply_to or shop.support_email,
                recipient=recipient.address or "",
                recipient_name=recipient.name,
                headers=headers_for(effect.purpose, shop, links.get("unsubscribe"), template=template),
                at=now,
                markup=case.settings.order_markup,
                enclosures=self._enclosures(case),
                trace=self._trace(tx, case, key, now),
            )
        return Composed(rendered.mime_bytes, rendered.subject, rendered.fault)

    def _enclosures(self, case: Case) -> tuple[Enclosure, ...]:
        if not case.settings.enclosures:
            return ()
        from flows.render.enclosing import with_files

        return with_files(case.settings.enclosures, case.shop.id, case.situation.order, self._files)

    def _trace(self, tx: Tx, case: Case, key: str, now: datetime) -> Callable[[Parts], Parts] | None:
        """What puts short links into the finished parts, where the shop follows messages of this purpose."""
        tracking = case.settings.tracking
        opens = tracking.opens and case.effect.purpose.needs_consent
        if not opens and not tracking.follows(case.effect.purpose):
            return None
        shortener = self._shortener(tx, case, key, now)

        def trace(parts: Parts) -> Parts:
            html, text = parts.html, parts.text
            if tracking.follows(case.effect.purpose):
                html, text = shortener.html(html), shortener.text(text)
            return replace(parts, html=shortener.picture(html) if opens else html, text=text)

        return trace

    def _shortener(self, tx: Tx, case: Case, key: str, now: datetime) -> Shortener:
        order, parcel, cart = case.situation.order, case.facts.shipment, case.situation.checkout
        said = (value for values in case.facts.steps.values() for value in values.values())
        return Shortener(
            tx=tx,
            shop_id=case.shop.id,
            key=key,
            salt=self._salt,
            begin=case.settings.tracking.url or self._base_url,
            ours=self._base_url,
            owner=case.recipient.key or "",
            marks=marks_of(
                (
                    *((order.id, order.number, order.status_url) if order is not None else ()),
                    *((*parcel.tracking_urls, *parcel.tracking_numbers) if parcel is not None else ()),
                    *((cart.url, cart.token) if cart is not None else ()),
                    *(case.recipient.key, case.recipient.address),
                    *said,
                )
            ),
            now=now,
        )

    def _asked(self, tx: Tx, order: Order | None, case: Case, now: datetime) -> Order | None:
        """The order a message shows; one that asks for reviews names what it asks about, and nothing else."""
        if order is None or not asks_for_review(case.effect):
            return order
        wanted = open_products(tx, case, now)
        first: dict[str, LineItem] = {}
        for line in order.lines:
            if line.product_id in wanted and not line.is_gift_card:
                first.setdefault(line.product_id, line)
        return replace(order, lines=tuple(first[each] for each in wanted)) if wanted else order

    def _view(
        self, tx: Tx, case: Case, links: dict[str, str], template: str, renderer: Renderer, now: datetime
    ) -> MessageView:
        # Here and not above: Liquid comes with the first message; a worker at rest is 7 MB smaller without it.
        from flows.render.context import MessageView

        # The advocate hears of the reward, never of what the friend bought: that order stays out of the view.
        theirs = case.situation if case.effect.request.get("to") != "advocate" else NOTHING
        lines = theirs.order.lines if theirs.order else theirs.checkout.lines if theirs.checkout else ()
        named = case.facts.event.get("product_id", "")
        wanted = [product_id for product_id in (*(line.product_id for line in lines), named) if product_id]
        products = entities.products(tx, case.shop.id, wanted) if wanted else {}
        recommends = theirs is case.situation and renderer.mentions(template, "recommendations")
        return MessageView(
            shop=case.shop,
            brand=case.settings.brand,
            locale=choose_locale(case.recipient.locale, case.shop.locale, available=renderer.languages()),
            timezone=case.shop.timezone,
            order=self._asked(tx, theirs.order, case, now),
            customer=theirs.customer,
            shipment=case.facts.shipment,
            params=case.facts.params,
            steps=with_code(case.facts.steps),
            links=links,
            purpose=case.effect.purpose,
            products=products,
            recipient_name=case.recipient.name,
            progress=asdict(theirs.progress) if case.facts.shipment is not None else None,
            event=case.facts.event,
            line=next((line for line in lines if theirs.line and line.id == theirs.line.id), None),
            checkout=theirs.checkout,
            product=products.get(named),
            recommendations=suggest(tx, case.facts, best_sellers=case.settings.growth.best_sellers)
            if recommends
            else (),
            guides=case.facts.fitting_guides if theirs.order is not None else (),
            survey=stage_of(case.settings, case.effect),
            accepted=case.settings.returns.accepted,
            rewarded=case.rewarded,
        )
