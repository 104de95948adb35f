"""What an order earns under the programme's rules, and what of it is taken back. Pure.

Rounding, stated once: what an order earns by spend is rounded down for the order as a whole; what is taken back is
rounded down too until the last piece goes back, so that three refunds of a third take back exactly what was earned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from connector.config.loyalty import COLLECTION, FIRST, PRODUCT, SPEND, Programme, Rule
from connector.model import LineItem, Order, Product, Refund, purchase_of
from connector.model.value import POINTS, Fact, FactKind

_NOTHING, _ALL, _CENT = Fraction(0), Fraction(1), Fraction(1, 100)


def cause_of(order_id: str) -> str:
    return f"order/{order_id}"


def of_programme(told: Iterable[Fact], cause: str) -> list[Fact]:
    """Of all that was told because of something: what the programme's rules gave for it, and what was said of that.
    What a flow gave for it (`grant`, a code) goes by other rules: it is named after its effect or its code."""
    known = list(told)
    mine = {fact.id for fact in known if fact.kind is FactKind.GRANT and fact.id.startswith(f"{cause}/")}
    return [fact for fact in known if fact.id in mine or fact.of in mine]


def shares_back(order: Order, refunds: Sequence[Refund]) -> dict[str, Fraction]:
    """How much of each line went back, from 0 to 1: pieces by what refunds and edits say of them; money that belongs to
    no line (a refund by amount) spreads over what is left by its price. Shipping and tax given back with goods are
    neither. All of an order that is no purchase any more."""
    if purchase_of(order) is None:
        return {line.id: _ALL for line in order.lines}
    pieces = {line.id: _pieces_back(line, refunds) for line in order.lines}
    loose = _loose_money(order, refunds)
    left = sum((Fraction(line.total.amount) * (1 - pieces[line.id]) for line in order.lines), _NOTHING)
    spread = min(loose / left, _ALL) if left > 0 else _NOTHING
    return {key: share + (1 - share) * spread for key, share in pieces.items()}


def goods_gone(order: Order, refunds: Sequence[Refund]) -> bool:
    """Whether all goods went back, though their postage was kept: by the pieces where refunds or the order name them,
    else (WooCommerce's tell the money alone) by what is left of the total. Money back that is the postage to the cent
    was for that. An order of gift cards alone has no goods."""
    goods = [line for line in order.lines if line.product_id and not line.is_gift_card]
    if not goods:
        return False
    if all(_pieces_back(line, refunds) >= _ALL for line in goods):
        return True
    back, postage = order.refunded, _postage(order)
    if back is None or back.currency != order.total.currency or Fraction(back.amount) == postage:
        return False
    return bool(back) and Fraction(order.total.amount - back.amount) <= postage


def _postage(order: Order) -> Fraction:
    """What was paid for it. Beside prices without tax it is given without tax too, and bears its part of it."""
    net = Fraction(order.shipping.amount) if order.shipping is not None else _NOTHING
    if order.taxes_included or order.tax is None or order.tax.amount <= 0:
        return net
    total = Fraction(order.total.amount)
    return net * total / max(total - Fraction(order.tax.amount), _CENT) + _CENT


def _pieces_back(line: LineItem, refunds: Sequence[Refund]) -> Fraction:
    if line.quantity <= 0:
        return _ALL
    told = sum(part.quantity for refund in refunds for part in refund.lines if part.line_id == line.id)
    edited = 0 if line.current_quantity is None else line.quantity - line.current_quantity
    return min(Fraction(max(told, edited, 0), line.quantity), _ALL)


def _loose_money(order: Order, refunds: Sequence[Refund]) -> Fraction:
    """Money given back that no piece explains."""
    price = {line.id: Fraction(line.total.amount) / line.quantity for line in order.lines if line.quantity > 0}
    known = loose = beside = _NOTHING
    for refund in refunds:
        goods = sum((price.get(part.line_id, _NOTHING) * part.quantity for part in refund.lines), _NOTHING)
        money = Fraction(refund.amount.amount) if refund.amount is not None else goods
        known += money
        if not refund.lines:
            loose += money
        elif money > goods:
            beside += money - goods
        else:
            loose += money - goods  # money had gone back for it before
    total = order.refunded
    if total is not None and total.currency == order.currency:
        loose += max(Fraction(total.amount) - known, _NOTHING)
    carried = Fraction(order.shipping.amount) if order.shipping is not None else _NOTHING
    if not order.taxes_included and order.tax is not None:
        carried += Fraction(order.tax.amount)
    return max(loose + max(beside - carried, _NOTHING), _NOTHING)


def weights(rule: Rule, order: Order, products: Mapping[str, Product]) -> dict[str, Fraction]:
    """What each line weighs under a rule: its price for `spend`, its pieces for the others; nothing for gift cards."""
    found = {}
    for line in order.lines:
        if line.is_gift_card:
            continue
        if rule.kind == SPEND and rule.per is not None and line.total.currency == rule.per.currency:
            found[line.id] = Fraction(line.total.amount)
        elif (rule.kind == PRODUCT and _is_named(rule, line)) or (
            rule.kind == COLLECTION and _is_in(rule, line, products)
        ):
            found[line.id] = Fraction(line.quantity)
    return {key: weight for key, weight in found.items() if weight > 0}


def _is_named(rule: Rule, line: LineItem) -> bool:
    return any(name in rule.products for name in (line.product_id, line.sku) if name)


def _is_in(rule: Rule, line: LineItem, products: Mapping[str, Product]) -> bool:
    product = products.get(line.product_id or "")
    if product is None:
        return False
    return bool(set(rule.tags) & set(product.tags)) or (product.product_type in rule.types)


def points_for(rule: Rule, weight: Fraction) -> int:
    """Points for so much money, or so many pieces; rounded down."""
    if rule.kind == SPEND:
        assert rule.per is not None
        weight = weight / Fraction(rule.per.amount)
    return int(weight * rule.points)


def grants(
    programme: Programme, order: Order, products: Mapping[str, Product], before: Sequence[Fact], now: datetime
) -> list[Fact]:
    """The grants the order is still to get, beside `before`, all that was told because of it. Later lines earn what the
    whole earns less what was earned: an order edited in steps earns what it had earned at once."""
    if purchase_of(order) is None:
        return []
    found = []
    for rule in programme.of_kind(SPEND, PRODUCT, COLLECTION):
        mine = [fact for fact in before if fact.kind is FactKind.GRANT and fact.rule == rule.name]
        had = parts_of(mine)
        more = {
            key: weight - had.get(key, _NOTHING)
            for key, weight in weights(rule, order, products).items()
            if weight > had.get(key, _NOTHING)
        }
        earned = points_for(rule, sum(had.values(), _NOTHING) + sum(more.values(), _NOTHING))
        points = earned - int(sum((fact.amount for fact in mine), Decimal(0)))
        if more and points > 0:
            key = f"{cause_of(order.id)}/{rule.name}/{len(mine) + 1}"
            found.append(grant(programme, rule, order, key, points, {k: str(w) for k, w in more.items()}, now))
    return found


def opens_at(programme: Programme, order: Order, delivered_at: datetime | None) -> datetime:
    """From when on what an order earned can be used: the return window after its payment, or after the last parcel
    arrived where that is later. A parcel that comes when they could be used already changes nothing."""
    opens = (order.paid_at or order.placed_at) + programme.pending
    if programme.pending_from != "delivery" or delivered_at is None or delivered_at >= opens:
        return opens
    return max(opens, delivered_at + programme.pending)


def reopenings(programme: Programme, order: Order, told: Sequence[Fact], delivered_at: datetime | None) -> list[Fact]:
    """What is to be said of grants of the order that open at another moment than was said. Only ever later: points that
    were promised for a day are not held back because a parcel was called back."""
    opens = opens_at(programme, order, delivered_at)
    found = []
    for fact in told:
        if fact.kind is not FactKind.GRANT or fact.unit != POINTS or fact.available_at is None:
            continue
        said = [each.at for each in told if each.of == fact.id and each.kind in (FactKind.HOLD, FactKind.RELEASE)]
        if opens > max(said, default=fact.available_at):
            found.append(
                replace(
                    fact,
                    id=f"{fact.id}/opens/{opens:%Y%m%dT%H%M%S}",
                    kind=FactKind.RELEASE,
                    of=fact.id,
                    amount=Decimal(0),
                    at=opens,
                    parts={},
                    available_at=None,
                    expires_at=opens + programme.expires if programme.expires else None,
                )
            )
    return found


def grant(
    programme: Programme, rule: Rule, order: Order, key: str, points: int, parts: Mapping[str, str], now: datetime
) -> Fact:
    """Points for an order, pending from its payment until the return window is over; see `reopenings`."""
    opens = min(order.paid_at or order.placed_at, now) + programme.pending
    return Fact(
        id=key,
        account="",
        unit=POINTS,
        kind=FactKind.GRANT,
        amount=Decimal(points),
        at=min(order.placed_at, now),
        cause=cause_of(order.id),
        rule=rule.name,
        version=rule.version,
        parts=parts,
        available_at=opens,
        expires_at=opens + programme.expires if programme.expires else None,
    )


def parts_of(facts: Iterable[Fact]) -> dict[str, Fraction]:
    """What grants were earned on, summed up by line."""
    found: dict[str, Fraction] = {}
    for fact in facts:
        for key, weight in fact.parts.items():
            found[key] = found.get(key, _NOTHING) + Fraction(weight)
    return found


def targets(facts: Sequence[Fact], shares: Mapping[str, Fraction]) -> dict[str, Decimal]:
    """How much of each of an order's grants is to be taken back in all, by the grant's id. Each rule's grants together
    are rounded once; a line the order no longer has went back."""
    found: dict[str, Decimal] = {}
    mine = [fact for fact in facts if fact.kind is FactKind.GRANT and fact.parts]
    for rule in dict.fromkeys(fact.rule for fact in mine):
        theirs = [fact for fact in mine if fact.rule == rule]
        parts = parts_of(theirs)
        total = sum(parts.values(), _NOTHING)
        back = sum((weight * shares.get(key, _ALL) for key, weight in parts.items()), _NOTHING)
        earned = sum((fact.amount for fact in theirs), Decimal(0))
        left = Decimal(int(Fraction(earned) * min(back / total, _ALL)))
        for fact in sorted(theirs, key=lambda each: each.id):
            found[fact.id] = min(left, fact.amount)
            left -= found[fact.id]
    return found


def first_order(
    programme: Programme, first: Order | None, known: Sequence[Fact], now: datetime
) -> tuple[list[Fact], dict[str, Decimal]]:
    """The bonus of a first order: what is to be given, and what of those given is to be taken back, by grant.

    `first` is the person's first purchase that stands. An earlier order that comes late, or a first one that is undone,
    moves the bonus.
    """
    given, back = [], {}
    for rule in programme.of_kind(FIRST):
        mine = [fact for fact in known if fact.kind is FactKind.GRANT and fact.rule == rule.name]
        for fact in mine:
            back[fact.id] = Decimal(0) if first is not None and fact.cause == cause_of(first.id) else fact.amount
        if first is not None and not any(fact.cause == cause_of(first.id) for fact in mine):
            key = f"{cause_of(first.id)}/{rule.name}"
            given.append(grant(programme, rule, first, key, rule.points, {}, now))
    return given, back
