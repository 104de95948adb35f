"""Requests for reviews as the store has them: nobody is asked about a product again with another order too soon.

A request is kept when its message is frozen, with the products it asks about; the person is held meanwhile
(`flows.limits.reach`), so that two orders side by side do not ask the same. Somebody known by several addresses and
accounts is one person. The reminder about the same order is no other request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from connector.model import Effect
from connector.store import review_asks
from connector.store.db import Tx
from connector.store.review_asks import AskRow
from flows.reviews.asked import asks_for_review, wanted_products

if TYPE_CHECKING:
    from flows.sending.composing import Case


def asked_until(tx: Tx, case: Case, now: datetime) -> Mapping[str, datetime]:
    """Products the person was asked about with another order, and until when they are not asked about again."""
    again_after = case.settings.reviews.again_after
    if not again_after or not asks_for_review(case.effect):
        return {}
    email_key, customer_id = name_of(case)
    names = review_asks.names_of(tx, case.effect.shop_id, email_key, customer_id)
    asked = review_asks.asked(tx, case.effect.shop_id, names, case.effect.order_id or "", now - again_after)
    return {product: at + again_after for product, at in asked.items()}


def open_products(tx: Tx, case: Case, now: datetime) -> tuple[str, ...]:
    """What the message asks about: what the person neither reviewed nor was asked about of late, and not too much of
    it. All of it where nothing is left: then whoever sends it has been asked whether it may go (`flows.policy`)."""
    wanted = wanted_products(case.facts)
    closed = {*case.facts.background.reviewed(), *asked_until(tx, case, now)}
    left = tuple(product for product in wanted if product not in closed)
    return (left or wanted)[: case.settings.reviews.most_products]


def ask(tx: Tx, case: Case, now: datetime) -> None:
    """Keep what the message is about to ask; nothing for one that asks nothing."""
    if not asks_for_review(case.effect) or case.effect.order_id is None:
        return
    email_key, customer_id = name_of(case)
    row = AskRow(
        ask_id=case.effect.id,
        order_id=case.effect.order_id,
        email_key=email_key,
        customer_id=customer_id,
        products=open_products(tx, case, now),
        asked_at=now,
    )
    review_asks.ask(tx, case.effect.shop_id, row)


def unask(tx: Tx, effect: Effect) -> None:
    """The message certainly never left, so nobody was asked."""
    if asks_for_review(effect) and not effect.tainted:
        review_asks.unask(tx, effect.shop_id, effect.id)


def name_of(case: Case) -> tuple[str, str]:
    """The address and the account a request counts for, whichever channel it goes by."""
    customer = case.situation.customer
    return (
        case.recipient.email_key or case.run.email_key or "",
        (customer.id if customer is not None else None) or case.run.customer_id or "",
    )
