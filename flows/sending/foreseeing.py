"""Reading at once what a batch of effects or runs, taken one by one, is going to ask for."""

from __future__ import annotations

from collections.abc import Sequence

from connector.model import Channel, Effect, Order, Run, email_key
from connector.store import entities, preferences, privacy, runs, suppressions
from connector.store.db import Tx


def foresee(tx: Tx, salt: bytes, waiting: Sequence[Effect]) -> None:
    """Ask for runs, orders, people and goods of all of them together."""
    by_shop: dict[str, list[Effect]] = {}
    for effect in waiting:
        if effect.run_id:
            by_shop.setdefault(effect.shop_id, []).append(effect)
    for shop_id, theirs in by_shop.items():
        runs.foresee_ids(tx, shop_id, [effect.run_id for effect in theirs])
        order_ids = dict.fromkeys(effect.order_id for effect in theirs if effect.order_id)
        entities.foresee(tx, shop_id, order_ids)
        found = [order for order_id in order_ids if (order := entities.order(tx, shop_id, order_id)) is not None]
        _people(tx, salt, shop_id, found)
        sold = (line.product_id for order in found for line in order.lines)
        entities.products(tx, shop_id, [product_id for product_id in sold if product_id])


def foresee_orders(tx: Tx, due: Sequence[Run]) -> None:
    """Ask for the orders of all these runs together, and for who placed them."""
    by_shop: dict[str, dict[str, None]] = {}
    for run in due:
        if run.order_id:
            by_shop.setdefault(run.shop_id, {})[run.order_id] = None
    for shop_id, order_ids in by_shop.items():
        entities.foresee(tx, shop_id, order_ids)
        found = [entities.order(tx, shop_id, order_id) for order_id in order_ids]
        buyers = (order.customer.id for order in found if order and order.customer and order.customer.id)
        entities.foresee_customers(tx, shop_id, dict.fromkeys(buyers))


def _people(tx: Tx, salt: bytes, shop_id: str, orders: Sequence[Order]) -> None:
    buyers = [order.customer for order in orders if order.customer is not None]
    entities.foresee_customers(tx, shop_id, dict.fromkeys(buyer.id for buyer in buyers if buyer.id))
    addresses = dict.fromkeys(key for order in orders if (key := email_key(order.email)) is not None)
    suppressions.foresee(tx, shop_id, addresses, Channel.EMAIL)
    preferences.foresee(tx, shop_id, addresses)
    privacy.foresee(tx, shop_id, (privacy.key_of(salt, shop_id, "email", key) for key in addresses))
