"""What a programme would have cost and returned over a shop's past orders. The rules are those of production; pure.

Orders are looked at as they are today: what was refunded since counts as taken back. Reviews, referrals and birthdays
are not in orders, so what they would have earned is not counted; nor are points spent, of which nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from connector.config.loyalty import COLLECTION, FIRST, PRODUCT, SPEND, Programme
from connector.model import Money, Order, Product, Purchase, Refund, buyer_of, purchase_of
from connector.model.value import POINTS, Fact, FactKind
from flows.value import earning
from flows.value.settling import NONE, settle
from flows.value.standing import Deeds, Standing, achieved, measured, reached, stand

COUNTED = (SPEND, PRODUCT, COLLECTION, FIRST)
"""The kinds of rules that past orders tell of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """One past order, as far as the programme goes. `opens`: when what it earned can be used."""

    buyer: str
    at: datetime
    opens: datetime
    order: str
    purchase: Purchase | None
    grants: tuple[Fact, ...]
    back: Mapping[str, Decimal]


@dataclass(slots=True, kw_only=True)
class Costs:
    """The figures. `sales_with_points` are sales of those who had points to use at that moment: the most that the
    programme could claim. `liability` is what all points that are there now are worth; `redeemed` of them cost."""

    orders: int = 0
    members: int = 0
    earned: Decimal = NONE
    taken_back: Decimal = NONE
    pending: Decimal = NONE
    available: Decimal = NONE
    expired: Decimal = NONE
    sales: Decimal = NONE
    sales_with_points: Decimal = NONE
    tiers: dict[str, int] = field(default_factory=dict)
    badges: dict[str, int] = field(default_factory=dict)

    def liability(self, worth: Money) -> Money:
        return worth * (self.pending + self.available)

    def cost(self, worth: Money, redeemed: Decimal) -> Money:
        """What the points cost, if this share of those that did not lapse is used in the end."""
        return self.liability(worth) * redeemed

    def to_pay_for_itself(self, worth: Money, redeemed: Decimal, margin: Decimal) -> Decimal | None:
        """By what share sales must grow to earn the cost again; `None` without sales or margin."""
        earned = self.sales * margin
        return None if earned <= 0 else self.cost(worth, redeemed).amount / earned


def look_at(
    programme: Programme,
    order: Order,
    refunds: Sequence[Refund],
    products: Mapping[str, Product],
    delivered_at: datetime | None = None,
) -> Bought:
    """What one order would have earned; its last parcel arrived at `delivered_at`, where the shop told of it."""
    buyer = buyer_of(order)
    paid = order.paid_at or order.placed_at
    opens = earning.opens_at(programme, order, delivered_at)
    lapses = opens + programme.expires if programme.expires else None
    earned = earning.grants(programme, order, products, (), paid) if buyer else []
    grants = [replace(fact, available_at=opens, expires_at=lapses) if fact.unit == POINTS else fact for fact in earned]
    return Bought(
        buyer=buyer.name if buyer else "",
        at=paid,
        opens=opens,
        order=order.id,
        purchase=purchase_of(order),
        grants=tuple(grants),
        back=earning.targets(grants, earning.shares_back(order, refunds)),
    )


def count(
    programme: Programme, bought: Iterable[Bought], since: datetime, until: datetime, currency: str, zone: str
) -> Costs:
    """All orders of `since` to `until`, by person. A first order counts as one where nothing came before it at all."""
    people: dict[str, list[Bought]] = {}
    for one in bought:
        if one.buyer:
            people.setdefault(one.buyer, []).append(one)
    costs = Costs()
    for theirs in people.values():
        _count_person(
            costs, programme, sorted(theirs, key=lambda one: (one.at, one.order)), since, until, currency, zone
        )
    return costs


def _count_person(
    costs: Costs,
    programme: Programme,
    theirs: Sequence[Bought],
    since: datetime,
    until: datetime,
    currency: str,
    zone: str,
) -> None:
    seen = [one for one in theirs if since <= one.at < until]
    facts = [fact for one in seen for fact in _facts(one)] + _first(programme, theirs, since, until)
    purchases = [one.purchase for one in theirs if one.purchase is not None and one.at < until]
    mine = [one for one in seen if one.purchase is not None]
    if not mine and not facts:
        return
    costs.members += 1
    costs.orders += len(mine)
    _challenges(facts, programme, purchases, currency, zone, until)
    for fact in facts:
        costs.earned += fact.amount if fact.kind is FactKind.GRANT else NONE
        costs.taken_back += fact.amount if fact.kind is FactKind.TAKE_BACK else NONE
    position = settle(facts, until)
    costs.pending += position.pending
    costs.available += position.available
    costs.expired += sum((lot.expired for lot in position.lots.values()), NONE)
    standing = Standing()
    for one in mine:
        assert one.purchase is not None
        before = [each for each in purchases if each.placed_at <= one.purchase.placed_at]
        deeds = Deeds(purchases=before, facts=facts, currency=currency, zone=zone)
        standing, _ = stand(programme, standing, deeds, one.at)
        amount = one.purchase.amount.amount if one.purchase.amount.currency == currency else NONE
        costs.sales += amount
        if settle([fact for fact in facts if fact.at < one.at], one.at).available > 0:
            costs.sales_with_points += amount
    deeds = Deeds(purchases=purchases, facts=facts, currency=currency, zone=zone)
    tier = reached(programme.tiers, measured(programme, deeds, until)) if programme.tiers else ""
    if tier:
        costs.tiers[tier] = costs.tiers.get(tier, 0) + 1
    for badge in programme.badges:
        if _told_by_orders(badge.wants) and achieved(badge, deeds):
            costs.badges[badge.name] = costs.badges.get(badge.name, 0) + 1


def _told_by_orders(wants: Mapping[str, Decimal]) -> bool:
    return set(wants) <= {"orders", "spent"}


def _facts(one: Bought) -> list[Fact]:
    told = (_back(fact, one.back.get(fact.id, NONE)) for fact in one.grants)
    return [*one.grants, *(fact for fact in told if fact is not None)]


def _back(grant: Fact, amount: Decimal) -> Fact | None:
    """What of a grant went back, as a fact."""
    if not amount:
        return None
    return replace(grant, id=f"{grant.id}/taken/1", kind=FactKind.TAKE_BACK, of=grant.id, amount=amount, parts={})


def _first(programme: Programme, theirs: Sequence[Bought], since: datetime, until: datetime) -> list[Fact]:
    standing = [one for one in theirs if one.purchase is not None]
    if not standing or not since <= standing[0].at < until:
        return []
    first = standing[0]
    opens = first.opens
    return [
        Fact(
            id=f"{earning.cause_of(first.order)}/{rule.name}",
            account="",
            unit=POINTS,
            kind=FactKind.GRANT,
            amount=Decimal(rule.points),
            at=first.at,
            cause=earning.cause_of(first.order),
            rule=rule.name,
            version=rule.version,
            available_at=opens,
            expires_at=opens + programme.expires if programme.expires else None,
        )
        for rule in programme.of_kind(FIRST)
    ]


def _challenges(
    facts: list[Fact], programme: Programme, purchases: Sequence[Purchase], currency: str, zone: str, until: datetime
) -> None:
    for goal in programme.challenges:
        deeds = Deeds(purchases=purchases, facts=facts, currency=currency, zone=zone)
        if not goal.points or not _told_by_orders(goal.wants) or not achieved(goal, deeds):
            continue
        at = min(max(one.placed_at for one in purchases), until)
        opens = at + programme.pending
        facts.append(
            Fact(
                id=f"challenge/{goal.name}",
                account="",
                unit=POINTS,
                kind=FactKind.GRANT,
                amount=Decimal(goal.points),
                at=at,
                cause=f"challenge/{goal.name}",
                rule=goal.name,
                version=goal.version,
                available_at=opens,
                expires_at=opens + programme.expires if programme.expires else None,
            )
        )
