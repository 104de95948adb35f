"""What the store knows of one order for the page its customer follows it on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from connector.model import Guide, OrderStatus, Shop
from connector.store import entities, parcels
from connector.store.db import Tx
from flows.goods.guides import fitting
from flows.knowing.situation import look
from flows.parcels.following import Following, Known, asks_the_past, follow
from flows.parcels.transit import Arrival, carrier_key
from flows.render.formats import zone

ARRIVALS = 150
"""Newest parcels of the shop that are looked at for how long one takes."""


def known_of(tx: Tx, shop: Shop, order_id: str) -> Known | None:
    """The order with everything that followed it; `None` when the shop has it no more, or its buyer was forgotten."""
    seen = look(tx, shop, order_id)
    order = seen.order
    if order is None or order.status is OrderStatus.DELETED:
        return None
    since = entities.followers(tx, shop.id, order_id)
    said = parcels.estimates(tx, shop.id, order_id) if seen.shipments else {}
    known = Known(
        order=order,
        shipments=[
            replace(each, estimated_delivery_at=said.get(each.id, each.estimated_delivery_at))
            for each in seen.shipments
        ],
        times=entities.shipment_times(tx, shop.id, order_id) if seen.shipments else {},
        refunds=entities.refunds(tx, shop.id, order_id) if since.refunds else (),
        returns=entities.returns(tx, shop.id, order_id) if since.returns else (),
        progress=seen.progress,
    )
    if not asks_the_past(known):
        return known
    return replace(known, past=[_arrival(each, shop) for each in parcels.arrived(tx, shop.id, ARRIVALS)])


def _arrival(found: parcels.Arrived, shop: Shop) -> Arrival:
    address = found.order.shipping_address
    country = address.country if address is not None else None
    return Arrival(
        ordered=found.order.placed_at,
        sent=found.shipment.created_at,
        arrived=found.at,
        carrier=carrier_key(found.shipment.carrier),
        abroad=bool(country and shop.country) and country != shop.country,
    )


def following(tx: Tx, shop: Shop, order_id: str, now: datetime) -> tuple[Known, Following] | None:
    """The order and what its page says; `None` where there is nothing to follow (any more)."""
    known = known_of(tx, shop, order_id)
    return (known, follow(known, now, zone(shop.timezone))) if known is not None else None


def guides_of(tx: Tx, shop: Shop, known: Known, guides: tuple[Guide, ...]) -> tuple[Guide, ...]:
    """The merchant's texts about what was bought."""
    lines = known.order.lines
    wanted = [line.product_id for line in lines if line.product_id] if any(guide.tags for guide in guides) else []
    tags = {name: product.tags for name, product in entities.products(tx, shop.id, wanted).items()} if wanted else {}
    return fitting(guides, lines, tags)
