"""The background of facts as the store has it: each thing is read when it is first asked for, in the caller's
transaction, and once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from connector import codec
from connector.model import Buyer, Channel, Customer, Order, Purpose, Shop, email_key
from connector.store import consents, customer_fields, entities, figures, purchases, review_asks, reviews, standings
from connector.store.db import Tx
from flows.goods.recommending import obstacle
from flows.knowing.background import Background, ProductFigures, Said, ShopFigures
from flows.knowing.lifetime import Lifetime, lifetime_of


class Acquaintance(Background):
    """What the store knows of one person of a shop and of the shop. `tx` must be open for as long as it is asked.

    `leaving`: a message is about to leave, and the shop was asked about its goods. Until then what it never told of may
    still turn out to be on sale.
    """

    def __init__(
        self, tx: Tx, shop: Shop, buyer: Buyer, now: datetime, phone: str | None = None, *, leaving: bool = False
    ) -> None:
        self._leaving = leaving
        self._tx = tx
        self._shop = shop
        self._buyer = buyer
        self._phone = "".join((phone or "").split())
        self._now = now
        self._lifetime: Lifetime | None = None
        self._figures: ShopFigures | None = None
        self._reviewed: frozenset[str] | None = None

    def lifetime(self) -> Lifetime:
        if self._lifetime is None:
            bought = purchases.of_buyer(self._tx, self._shop.id, self._buyer)
            self._lifetime = lifetime_of(bought, self._now, self._shop.currency, self.shop().quintiles)
        return self._lifetime

    def segments(self) -> tuple[str, ...]:
        if not self._buyer:
            return ()
        return tuple(standings.segments_of(self._tx, self._shop.id, self._buyer.name))

    def fields(self) -> Mapping[str, object]:
        return customer_fields.of(self._tx, self._shop.id, self._buyer.customer_id, self._buyer.email_key)

    def consent(self, channel: Channel, purpose: Purpose) -> Said:
        key = self._buyer.email_key if channel.by_email else self._phone
        if not (key or self._buyer.customer_id):
            return Said()
        # An account without an address on this channel: only what it decided itself counts, never the empty address.
        asked = key or f"#{self._buyer.customer_id}"
        state, row = consents.state(self._tx, self._shop.id, asked, channel, purpose, self._buyer.customer_id)
        return Said(state, row.at if row else None, row.source if row else "")

    def reviewed(self) -> frozenset[str]:
        if self._reviewed is None:
            names = review_asks.names_of(self._tx, self._shop.id, self._buyer.email_key, self._buyer.customer_id)
            self._reviewed = reviews.reviewed_by(self._tx, self._shop.id, names)
        return self._reviewed

    def shop(self) -> ShopFigures:
        if self._figures is None:
            row = figures.of_shop(self._tx, self._shop.id)
            self._figures = codec.decode(row.figures, ShopFigures) if row is not None else ShopFigures()
        return self._figures

    def product(self, product_id: str) -> ProductFigures:
        return products_of(self._tx, self._shop.id, [product_id]).get(product_id, ProductFigures())

    def recommendable(self, product_ids: Sequence[str]) -> Sequence[str]:
        known = entities.products(self._tx, self._shop.id, list(product_ids)) if product_ids else {}
        hopeful = () if self._leaving else [each for each in product_ids if each not in known]
        return [each for each in product_ids if each in hopeful or not obstacle(known.get(each))]


def products_of(tx: Tx, shop_id: str, ids: Sequence[str]) -> dict[str, ProductFigures]:
    """The figures of those of `ids` that have any."""
    found = figures.of_products(tx, shop_id, ids)
    return {product: codec.decode(text, ProductFigures) for product, text in found.items()}


def acquaintance(
    tx: Tx, shop: Shop, order: Order | None, customer: Customer | None, now: datetime, *, leaving: bool = False
) -> Acquaintance:
    """The background of a run: the order's own address comes before the account's, as everywhere."""
    emails = (order.email if order else None, customer.email if customer else None)
    address = next(filter(None, map(email_key, emails)), None)
    phone = (customer.phone if customer else None) or (order.phone if order else None)
    return Acquaintance(tx, shop, Buyer(address, customer.id if customer else None), now, phone, leaving=leaving)


def known_as(tx: Tx, shop: Shop, email: str, now: datetime) -> tuple[Customer | None, Acquaintance]:
    """The account of an address, if it has one, and the background of whoever it belongs to."""
    key = email_key(email)
    account = entities.customer_by_email(tx, shop.id, key) if key else None
    found = Acquaintance(tx, shop, Buyer(key, account.id if account else None), now, account.phone if account else None)
    return account, found
