"""Recommendations for one message, from what the store knows."""

from __future__ import annotations

from connector.model import Product
from connector.store import entities
from connector.store.db import Tx
from flows.acquaintance import products_of
from flows.facts import Facts, email_of
from flows.recommending import candidates, recommend

_LOOKED_AT = 24
"""Candidates whose products are read: some are sold out, some are theirs already."""


def suggest(tx: Tx, facts: Facts) -> tuple[Product, ...]:
    """What to recommend to the person of a run, best first; empty where the shop's history says nothing.

    It follows from what the run's order brought them, else from all they have bought. What was ever in an order of
    theirs, kept or sent back, is not recommended, and what was sent back recommends nothing.
    """
    order, lifetime = facts.order, facts.background.lifetime()
    seeds = [line.product_id for line in order.lines if line.product_id and line.current_quantity != 0] if order else []
    seeds = seeds or list(reversed(lifetime.products))
    address = email_of(facts)
    orders = entities.orders_of(tx, facts.shop.id, address) if address else []
    had = {line.product_id for each in (*orders, *([order] if order else [])) for line in each.lines if line.product_id}
    figures = products_of(tx, facts.shop.id, seeds)
    wanted = candidates(seeds, figures, had.union(lifetime.products))[:_LOOKED_AT]
    known = entities.products(tx, facts.shop.id, wanted) if wanted else {}
    return recommend(seeds, figures, had.union(lifetime.products), known)
