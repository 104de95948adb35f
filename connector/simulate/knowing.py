"""What guards, steps and policy see in the course of one life: the product's own `Facts`, filled from folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connector.config import ShopSettings
from connector.model import Buyer, Channel, Guide, Order, Product, Purpose, Ref, Shop, email_key
from connector.simulate.folders import Folders
from connector.store import suppressions
from connector.store.db import Tx
from flows.definition import Flow
from flows.facts import Facts
from flows.knowing.about import line_facts
from flows.knowing.acquaintance import Acquaintance
from flows.knowing.background import BLANK, Background, ProductFigures, Said, ShopFigures
from flows.knowing.beyond import ROOTS_BEYOND
from flows.knowing.lifetime import Lifetime, lifetime_of
from flows.knowing.situation import Situation
from flows.limits.verdicts import Person
from flows.reviews.publication import PUBLISH
from flows.sending.addressing import Recipient, buyer


@dataclass(frozen=True, slots=True)
class Way:
    """One flow with what is worked out of it once. `publishes` is the step that publishes reviews, if it has one;
    `when` are its steps' guards, by id."""

    flow: Flow
    looks_beyond: bool
    publishes: int | None


def way_of(flow: Flow) -> Way:
    """What is worked out of a flow once."""
    return Way(
        flow,
        any(path.partition(".")[0] in ROOTS_BEYOND for path in flow.paths),
        next((at for at, item in enumerate(flow.steps) if item.step.do == PUBLISH), None),
    )


class Knowing:
    """One scene's: the shop, its goods and figures, and the folders of whoever is looked at."""

    def __init__(self, tx: Tx, settings: ShopSettings, goods: Iterable[Product], salt: bytes) -> None:
        self.tx = tx
        self.settings = settings
        self.shop: Shop = settings.shop
        self.folders = Folders(self.shop)
        self.suppressed = False
        self.looks_beyond = False
        self._last: tuple[Situation, datetime, str, Facts] | None = None
        self._goods = {product.id: product for product in goods}
        self._salt = salt
        self._guides: tuple[Guide, ...] = settings.guides
        self._by_tag = any(guide.tags for guide in self._guides)
        self._figures: ShopFigures | None = None
        self._product_figures: dict[str, ProductFigures] = {}

    def facts(self, found: Situation, now: datetime, parcel_id: str = "") -> Facts:
        """As `flows.knowing.situation.facts_of`, without what belongs to one run: that is seen through `Standing`. One
        order's runs look at the same facts at one moment, so the last ones are kept."""
        last = self._last
        if last is not None and last[0] is found and last[1] == now and last[2] == parcel_id:
            return last[3]
        facts = Facts(
            now=now,
            shop=self.shop,
            order=found.order,
            customer=found.customer,
            shipment=found.shipment(parcel_id) if parcel_id else None,
            progress=found.progress,
            referral=found.referral,
            line=found.line,
            salt=self._salt,
            guides=self._guides,
            product_tags=self._tags(found.order) if self._by_tag else {},
            background=self._background(found, now) if self.looks_beyond else BLANK,
        )
        self._last = (found, now, parcel_id, facts)
        return facts

    def _tags(self, order: Order | None) -> dict[str, tuple[str, ...]]:
        wanted = [line.product_id for line in order.lines if line.product_id] if order else []
        return {product: self._goods[product].tags for product in wanted if product in self._goods}

    def _background(self, found: Situation, now: datetime) -> Background:
        order, customer = found.order, found.customer
        emails = (order.email if order else None, customer.email if customer else None)
        address = next(filter(None, map(email_key, emails)), None)
        phone = (customer.phone if customer else None) or (order.phone if order else None)
        return _Remembered(self, Buyer(address, customer.id if customer else None), now, phone)

    def with_line(self, found: Situation, subject: Ref) -> Situation:
        """As `flows.knowing.situation.with_line`."""
        order = found.order
        line_id = subject.id.removeprefix(f"{order.id}/") if order else ""
        line = next((line for line in order.lines if line.id == line_id), None) if order else None
        return found if line is None else replace(found, line=line_facts(line, self._goods.get(line.product_id or "")))

    def person(self, recipient: Recipient, purpose: Purpose) -> Person:
        """As `flows.knowing.situation.person`, by e-mail."""
        key = email_key(recipient.address)
        if key is None:
            return Person(shop_status=self.shop.status)
        name = (key, purpose, recipient.customer_id)
        known = self.folders.people.get(name)
        if known is None:
            known = self.folders.people[name] = self._person(key, recipient.customer_id, purpose)
        return known

    def suppress(self) -> None:
        """Somebody is suppressed since."""
        self.suppressed = True
        self.folders.people.clear()

    def _person(self, key: str, customer_id: str | None, purpose: Purpose) -> Person:
        status = self.shop.status
        rows: Sequence[tuple[str, str, datetime]] = ()
        if self.suppressed:
            stopped = suppressions.find(self.tx, self.shop.id, key, Channel.EMAIL)
            rows = tuple((row.scope, row.reason, row.at) for row in stopped)
        if not purpose.needs_consent:
            return Person(address_key=key, suppressions=tuple(rows), shop_status=status)
        state, row = self.folders.said(key, Channel.EMAIL, purpose, customer_id)
        return Person(
            address_key=key,
            consent=state,
            consent_source=row.source if row else "",
            consent_at=row.at if row else None,
            suppressions=tuple(rows),
            soft_opt_in=purpose in self.settings.soft_opt_in,
            shop_status=status,
        )

    @staticmethod
    def recipient(found: Situation) -> Recipient:
        """Whoever ordered."""
        return buyer(found)

    def figures(self, read: Acquaintance) -> ShopFigures:
        """Of the shop: the same for everybody."""
        if self._figures is None:
            self._figures = Acquaintance.shop(read)
        return self._figures

    def product_figures(self, read: Acquaintance, product_id: str) -> ProductFigures:
        known = self._product_figures.get(product_id)
        if known is None:
            known = self._product_figures[product_id] = Acquaintance.product(read, product_id)
        return known


class _Remembered(Acquaintance):
    """What is known of a person, from folders where the product's own asks the store."""

    def __init__(self, knowing: Knowing, who: Buyer, now: datetime, phone: str | None) -> None:
        super().__init__(knowing.tx, knowing.shop, who, now, phone)
        self._knowing = knowing

    def lifetime(self) -> Lifetime:
        if self._lifetime is None:
            bought = self._knowing.folders.bought(self._buyer)
            self._lifetime = lifetime_of(bought, self._now, self._shop.currency, self.shop().quintiles)
        return self._lifetime

    def segments(self) -> tuple[str, ...]:
        return ()

    def fields(self) -> Mapping[str, object]:
        return {}

    def consent(self, channel: Channel, purpose: Purpose) -> Said:
        key = self._buyer.email_key if channel.by_email else self._phone
        if not (key or self._buyer.customer_id):
            return Said()
        asked = key or f"#{self._buyer.customer_id}"
        state, row = self._knowing.folders.said(asked, channel, purpose, self._buyer.customer_id)
        return Said(state, row.at if row else None, row.source if row else "")

    def shop(self) -> ShopFigures:
        return self._knowing.figures(self)

    def product(self, product_id: str) -> ProductFigures:
        return self._knowing.product_figures(self, product_id)

    def recommendable(self, product_ids: Sequence[str]) -> Sequence[str]:
        return product_ids  # what was in stock at the time is not kept
