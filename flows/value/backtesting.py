"""What a programme would have cost and returned over a shop's past orders. The rules are those of production; pure.

Each person's past is led through the programme once more, in the order of its moments: payments, refunds and
cancellations, and those at which time alone moves somebody's tier. The programme is taken to have run before the time
that is looked at: somebody may own points and stand in a tier from then, but only what the orders and goals of that
time earned is counted. What went back after its end counts as taken back on its last moment.

Reviews, referrals and birthdays are not in orders, so what they would have earned is not counted; nor are points spent,
of which nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from connector.config.loyalty import Goal, Programme
from connector.model import Money
from connector.model.value import POINTS, Fact, FactKind
from flows.value import earning
from flows.value.goals import goals
from flows.value.past import Bought, Stage
from flows.value.settling import NONE, Position, settle, taking_back
from flows.value.standing import Deeds, Standing, next_look, stand

_DEEDS = {"orders", "spent"}
"""What past orders tell of all that goals may want."""
_BADGE = "badge/"


@dataclass(slots=True, kw_only=True)
class Costs:
    """The figures. `members` are those who bought or earned something in the time, `tiers` and `badges` what they have
    at its end. `sales` are what was kept of its orders, `sales_with_points` those of people who had points to use at
    that moment: the most that the programme could claim. `liability` is what all points that it brought and that are
    there at its end are worth; `redeemed` of them cost."""

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


def count(
    programme: Programme, bought: Iterable[Bought], since: datetime, until: datetime, currency: str, zone: str
) -> Costs:
    """The orders paid from `since` until before `until`, by person. Those before count for what looks further back:
    whether an order is the first, tiers, badges and challenges."""
    told = _told_by_orders(programme)
    costs = Costs()
    for theirs in people(one for one in bought if one.stages and one.at < until):
        life = Life(programme=told, currency=currency, zone=zone)
        life.lead(theirs, since, until)
        _add(costs, life, theirs, since, until)
    return costs


def _told_by_orders(programme: Programme) -> Programme:
    """The programme without goals that want what orders do not tell of."""

    def kept(all_of_them: Iterable[Goal]) -> tuple[Goal, ...]:
        return tuple(goal for goal in all_of_them if set(goal.wants) <= _DEEDS)

    return replace(programme, badges=kept(programme.badges), challenges=kept(programme.challenges))


def _add(costs: Costs, life: Life, theirs: Sequence[Bought], since: datetime, until: datetime) -> None:
    seen = [one for one in theirs if one.at >= since]
    ours, all_causes = ({earning.cause_of(one.order) for one in each} for each in (seen, theirs))
    points = [fact for fact in life.facts if fact.unit == POINTS]
    earned = {
        fact.id
        for fact in points
        if fact.kind is FactKind.GRANT and (fact.cause in ours if fact.cause in all_causes else fact.at >= since)
    }
    kept = [(one, purchase) for one in seen if (purchase := one.stages[-1].purchase) is not None]
    if not kept and not earned:
        return
    costs.members += 1
    costs.orders += len(kept)
    for fact in points:
        costs.earned += fact.amount if fact.id in earned else NONE
        costs.taken_back += fact.amount if fact.of in earned else NONE
    for lot in (lot for lot in settle(points, until).lots.values() if lot.grant.id in earned):
        costs.pending += lot.pending
        costs.available += lot.available
        costs.expired += lot.expired
    for one, purchase in kept:
        amount = purchase.amount.amount if purchase.amount.currency == life.currency else NONE
        costs.sales += amount
        costs.sales_with_points += amount if one.order in life.with_points else NONE
    _one_more(costs.tiers, [life.standing.tier] if life.standing.tier else [])
    units = dict.fromkeys(fact.unit for fact in life.facts if fact.unit.startswith(_BADGE))
    _one_more(costs.badges, [unit.removeprefix(_BADGE) for unit in units if life.position(unit, until).available > 0])


def _one_more(counted: dict[str, int], names: Iterable[str]) -> None:
    for name in names:
        counted[name] = counted.get(name, 0) + 1


# -- whose orders belong together --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Person:
    account: str | None = None
    orders: list[Bought] = field(default_factory=list)


def people(bought: Iterable[Bought]) -> list[list[Bought]]:
    """Orders by person, each person's oldest first; without those of nobody. Who is whose is decided as for accounts of
    the ledger (`connector.store.accounts`): an account of the shop is one person under whatever address; an address is
    the first account's that used it, with what was bought under it as a guest before and after."""
    by_account: dict[str, _Person] = {}
    by_address: dict[str, _Person] = {}
    found: list[_Person] = []
    for one in sorted(bought, key=lambda each: (each.at, each.order)):
        account, address = one.buyer.customer_id, one.buyer.email_key
        if not account and not address:
            continue
        known = by_address.get(address) if address else None
        guest = known if known is not None and known.account is None else None
        person = (by_account.get(account) or guest) if account else known
        if person is None:
            person = _Person()
            found.append(person)
        if account:
            person.account = by_account.setdefault(account, person).account = account
            if guest is not None and guest is not person:
                person.orders += guest.orders
                guest.orders = []
        if address and (known is None or known is guest):
            by_address[address] = person
        person.orders.append(one)
    return [sorted(each.orders, key=lambda one: (one.at, one.order)) for each in found if each.orders]


# -- one person's past -------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Life:
    """One person's life under the programme, as `flows.value.loyalty` leads it. `with_points` are the orders at whose
    payment they had points to use."""

    programme: Programme
    currency: str
    zone: str
    facts: list[Fact] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)
    with_points: set[str] = field(default_factory=set)
    _now: datetime | None = None
    _bought: dict[str, Bought] = field(default_factory=dict)
    _stages: dict[str, Stage] = field(default_factory=dict)
    _grants: dict[str, Fact] = field(default_factory=dict)
    _welcomed: list[str] = field(default_factory=list)

    def lead(self, theirs: Sequence[Bought], since: datetime, until: datetime) -> None:
        """All that happened until a moment, which all of `theirs` were paid before; `with_points` from `since` on."""
        steps = [(min(stage.at, until), one.order, number) for one in theirs for number, stage in enumerate(one.stages)]
        orders = {one.order: one for one in theirs}
        for at, order, number in sorted(steps):
            self._wait(at)
            one = orders[order]
            if not number and at >= since and self.position(POINTS, at).available > 0:
                self.with_points.add(order)
            self._meet(one, one.stages[number], at)
        self._wait(until)

    def position(self, unit: str, at: datetime) -> Position:
        return settle([fact for fact in self.facts if fact.unit == unit], at)

    def _deeds(self) -> Deeds:
        bought = [stage.purchase for stage in self._stages.values() if stage.purchase is not None]
        return Deeds(purchases=bought, facts=self.facts, currency=self.currency, zone=self.zone)

    def _meet(self, one: Bought, stage: Stage, at: datetime) -> None:
        """An order is paid, or something of it goes back."""
        if one.order not in self._bought:
            self._bought[one.order] = one
            self._tell(one.grants)
        self._stages[one.order] = stage
        self._take_back(stage.back, at)
        self._welcome(at)
        self._tell(goals(self.programme, "", self._deeds(), earning.cause_of(one.order), at))
        self._stand(at)

    def _tell(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            self.facts.append(fact)
            if fact.kind is FactKind.GRANT:
                self._grants[fact.id] = fact

    def _take_back(self, targets: Mapping[str, Decimal], at: datetime) -> None:
        told = [taking_back(self._grants[key], self.facts, target, at, "") for key, target in targets.items()]
        self._tell(fact for fact in told if fact is not None)

    def _welcome(self, at: datetime) -> None:
        """The bonus of a first order is the first one's that stands: it moves when that one is undone, or when one that
        was placed before is paid."""
        bought = [stage.purchase for stage in self._stages.values() if stage.purchase is not None]
        first = min(bought, key=lambda one: (one.placed_at, one.order_id), default=None)
        if first is not None and first.order_id not in self._welcomed:
            self._welcomed.append(first.order_id)
            self._tell(self._bought[first.order_id].welcome)
        theirs = first.order_id if first is not None else ""
        had = [(order, fact) for order in self._welcomed for fact in self._bought[order].welcome]
        self._take_back({fact.id: NONE if order == theirs else fact.amount for order, fact in had}, at)

    def _wait(self, until: datetime) -> None:
        """Time alone moves their tier: something leaves the span, a year ends, a grace is over."""
        if not self.programme.tiers or self._now is None:
            return
        while (due := next_look(self.programme, self.standing, self._deeds(), self._now)) is not None and due <= until:
            # Periods are counted on the clock of the books, and not on the shop's with its summer time.
            self._stand(due.astimezone(UTC))

    def _stand(self, at: datetime) -> None:
        self._now = at
        if self.programme.tiers:
            self.standing, _ = stand(self.programme, self.standing, self._deeds(), at)
