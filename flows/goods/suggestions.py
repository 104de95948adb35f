"""Recommendations for one message, from what the store knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.model import Buyer, Channel, ConsentState, Customer, Order, Product, Purpose
from connector.store import consents, entities, purchases, suppressions
from connector.store.db import Tx
from flows.facts import Facts, email_of
from flows.goods.intervals import DAY
from flows.goods.recommending import MOST, NO_PROFILING, Having, Verdict, judge, weigh
from flows.knowing.acquaintance import products_of
from flows.knowing.background import ProductFigures
from flows.people.choices import EVERYTHING
from flows.policy import UNSUBSCRIBE

_LOOKED_AT = 24
"""Candidates whose products are read: some are sold out, some are theirs already."""
_ABOUT = 0.8
"""Share of its usual time after which what runs out may be recommended again."""
_OBJECTIONS = frozenset({UNSUBSCRIBE, "complaint"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """What was looked at for one person. `seeds` are what it follows from, `objection` why nothing is recommended at
    all, `verdicts` come best first; `known` are the products by id."""

    seeds: tuple[str, ...]
    objection: str
    verdicts: tuple[Verdict, ...]
    known: dict[str, Product]

    @property
    def products(self) -> tuple[Product, ...]:
        if self.objection:
            return ()
        return tuple(self.known[each.product_id] for each in self.verdicts if not each.why)


def suggest(tx: Tx, facts: Facts, *, best_sellers: bool = False) -> tuple[Product, ...]:
    """What to recommend to the person of a run, best first; empty where the shop's history says nothing, or the person
    wants nothing worked out from what they bought. `best_sellers`: what the shop sells most of the same kind fills
    what is left."""
    return suggested(tx, facts, best_sellers=best_sellers).products


def suggested(tx: Tx, facts: Facts, *, best_sellers: bool = False) -> Suggested:
    """The same with every reason.

    It follows from what the run's order brought them, else from all they have bought. What was ever in an order of
    theirs, kept or sent back, is not recommended, and what was sent back recommends nothing.
    """
    order, lifetime = facts.order, facts.background.lifetime()
    seeds = [line.product_id for line in order.lines if line.product_id and line.current_quantity != 0] if order else []
    seeds = seeds or list(reversed(lifetime.products))
    address, customer = email_of(facts), facts.customer or (facts.order.customer if facts.order else None)
    figures = products_of(tx, facts.shop.id, seeds)
    found = weigh(seeds, figures)[:_LOOKED_AT]
    having = _having(tx, facts, address, order, [each.product_id for each in found])
    wanted = [each.product_id for each in found]
    known = entities.products(tx, facts.shop.id, wanted) if wanted else {}
    judged = judge(found, having, known)
    if best_sellers:
        judged, known = _fill(tx, facts, seeds, having, judged, known)
    return Suggested(
        seeds=tuple(dict.fromkeys(seeds)),
        objection=objection(tx, facts.shop.id, address, customer),
        verdicts=tuple(judged),
        known=known,
    )


def objection(tx: Tx, shop_id: str, address: str | None, customer: Customer | None) -> str:
    """Why nothing may be worked out for a person from what they bought; empty where it may."""
    if customer is not None and NO_PROFILING in {tag.lower() for tag in customer.tags or ()}:
        return f"they have the tag {NO_PROFILING}"
    if address is None:
        return ""
    for row in suppressions.find(tx, shop_id, address, Channel.EMAIL):
        if row.reason in _OBJECTIONS and row.scope in (EVERYTHING, Purpose.MARKETING):
            return f"they want no advertising ({row.reason})"
    customer_id = customer.id if customer is not None else None
    state, _ = consents.state(tx, shop_id, address, Channel.EMAIL, Purpose.MARKETING, customer_id)
    return "they want no advertising (withdrawn)" if state is ConsentState.WITHDRAWN else ""


def _having(tx: Tx, facts: Facts, address: str | None, order: Order | None, looked_at: Sequence[str]) -> Having:
    orders = entities.orders_of(tx, facts.shop.id, address) if address else []
    lines = [line for each in (*orders, *([order] if order else [])) for line in each.lines if line.product_id]
    kept = {line.product_id for line in lines if line.current_quantity != 0}
    owned = {*(str(line.product_id) for line in lines), *facts.background.lifetime().products}
    returned = {str(line.product_id) for line in lines if line.product_id not in kept}
    again = owned.intersection(looked_at)
    due = _due(tx, facts, address, again) if again else frozenset()
    return Having(owned=frozenset(owned), returned=frozenset(returned), due=due)


def _due(tx: Tx, facts: Facts, address: str | None, products: set[str]) -> frozenset[str]:
    """Of these products those that the person's last pieces of should have run out, or nearly."""
    buyer = Buyer(address, facts.customer.id if facts.customer else None)
    last: dict[str, tuple[datetime, int]] = {}
    for one in purchases.of_buyer(tx, facts.shop.id, buyer):
        for product, pieces in one.products:
            if product in products:
                last[product] = (one.placed_at, pieces)
    figures = products_of(tx, facts.shop.id, sorted(last))
    return frozenset(
        product
        for product, (at, pieces) in last.items()
        if (lasts := figures.get(product, ProductFigures()).lasts(pieces)) is not None
        and (facts.now - at) / DAY >= _ABOUT * (lasts / DAY)
    )


def _fill(
    tx: Tx, facts: Facts, seeds: Sequence[str], having: Having, judged: list[Verdict], known: dict[str, Product]
) -> tuple[list[Verdict], dict[str, Product]]:
    """Best-sellers of the kinds of goods they bought, after what goes with theirs."""
    room = MOST - sum(not each.why for each in judged)
    best = [each for each in facts.background.shop().best_sellers if each not in known]
    if room <= 0 or not best:
        return judged, known
    told = entities.products(tx, facts.shop.id, [*seeds, *best])
    kinds = {told[seed].product_type for seed in seeds if seed in told} - {None, ""}
    same = [each for each in best if each in told and told[each].product_type in kinds and each not in seeds]
    more = judge([Verdict(each, 0.0) for each in same], having, told, room)
    return [*judged, *more], {**known, **{each: told[each] for each in same}}
