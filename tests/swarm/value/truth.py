"""What somebody should own, counted from the shops' orders as they stand: by hand, with none of the product's code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from connector.model import ShipmentStatus
from tests.swarm.plan import NORTH, PEOPLE, SHOPS, WEST, Person
from tests.swarm.shop import TrueOrder
from tests.swarm.value.life import ValueLife
from tests.swarm.value.sales import right, second, stands, theirs
from tests.swarm.value.shop import EXCHANGED
from tests.swarm.value.visits import HIDDEN, REWARDS, WITHDRAWN

if TYPE_CHECKING:
    from fractions import Fraction as Money

PENDING = {NORTH: timedelta(days=16), WEST: timedelta(days=7)}
GOOD_FOR = {NORTH: timedelta(days=60), WEST: None}
BONUS, REVIEW, FRIEND, CHALLENGE, BIRTHDAY, WELCOME = 50, 20, 100, 40, 30, 40
NEVER = datetime(2036, 1, 1, tzinfo=UTC)
LATE = timedelta(days=1)
"""How much later than it could the product may have noticed something."""


@dataclass(slots=True)
class Pile:
    """Points that can be used from a moment on: somewhere from `opens` to `latest`."""

    amount: int
    opens: datetime
    latest: datetime
    good_for: timedelta | None
    left: int = 0

    def is_sure(self, now: datetime) -> bool:
        return not (self.opens <= now <= self.latest) and (
            self.good_for is None or not (self.opens + self.good_for <= now <= self.latest + self.good_for)
        )


@dataclass
class Group:
    """One person as a shop knows them: the names, and the orders that are theirs."""

    shop_id: str
    person: Person
    names: frozenset[str]
    orders: list[TrueOrder]
    piles: list[Pile] = field(default_factory=list)
    uses: list[tuple[datetime, int]] = field(default_factory=list)
    badge: bool = False
    is_sure: bool = True

    def __str__(self) -> str:
        return f"{self.person.name} in {self.shop_id} ({', '.join(sorted(self.names))})"

    @property
    def kept(self) -> int:
        return sum(pile.amount for pile in self.piles)

    @property
    def used(self) -> int:
        return sum(amount for _, amount in self.uses)

    def standing(self) -> list[TrueOrder]:
        return sorted((one for one in self.orders if stands(one)), key=lambda one: (one.order.placed_at, one.order.id))

    def at(self, now: datetime) -> tuple[int, int, int] | None:
        """What is pending, usable and lapsed at a moment; `None` where a moment cannot be told exactly."""
        moments = [now, *(at for at, _ in self.uses)]
        if not all(pile.is_sure(at) for pile in self.piles for at in moments):
            return None
        steps: list[tuple[datetime, int, int]] = []
        for number, pile in enumerate(self.piles):
            pile.left = 0
            steps.append((pile.latest, 0, number))
            if pile.good_for is not None:
                steps.append((pile.latest + pile.good_for, 1, number))
        steps += [(at, 2, amount) for at, amount in self.uses]
        owed = lapsed = 0
        for _, what, value in sorted(step for step in steps if step[0] <= now):
            if what == 0:
                pile = self.piles[value]
                paid = min(owed, pile.amount)
                owed, pile.left = owed - paid, pile.amount - paid
            elif what == 1:
                lapsed, self.piles[value].left = lapsed + self.piles[value].left, 0
            else:
                owed += self._use(value)
        pending = sum(pile.amount for pile in self.piles if pile.latest > now)
        return pending, sum(pile.left for pile in self.piles) - owed, lapsed

    def _use(self, amount: int) -> int:
        """Take from what lapses first; how much there was not."""
        far = datetime.max.replace(tzinfo=self.orders[0].order.placed_at.tzinfo if self.orders else None)
        for pile in sorted(
            (pile for pile in self.piles if pile.left),
            key=lambda pile: pile.latest + pile.good_for if pile.good_for else far,
        ):
            taken = min(pile.left, amount)
            pile.left, amount = pile.left - taken, amount - taken
        return amount


def groups(life: ValueLife) -> Iterator[Group]:
    """Everybody who was not forgotten, as the shops know them now."""
    for shop_id in SHOPS:
        for person in PEOPLE:
            if (shop_id, person) in life.forgotten:
                continue
            first = frozenset({f"customer/c-{person.name}", f"email/{person.email}"})
            other = frozenset({f"customer/d-{person.name}", f"email/{second(person)}"})
            bought = [true for true in theirs(life, shop_id) if true.person is person]
            as_other = [true for true in bought if true.order.email == second(person)]
            as_guest = [true for true in bought if true.order.email == right(person)]
            as_first = [true for true in bought if true.order.email == person.email]
            # Who had bought only as a guest under the address of an account that the shop knows is no account's yet.
            if (shop_id, person) in life.merged and not any(
                true.order.customer.id for true in as_first if true.order.customer
            ):
                parts = [(first - {f"customer/c-{person.name}"}, as_first)]
                parts += [(other | {f"customer/c-{person.name}"}, as_other)]
            elif (shop_id, person) in life.merged:
                parts = [(first | other, as_first + as_other)]
            else:
                parts = [(first, as_first), (other, as_other)]
            for names, orders in [*parts, (frozenset({f"email/{right(person)}"}), as_guest)]:
                yield _count(life, Group(shop_id, person, names, orders))


def _count(life: ValueLife, group: Group) -> Group:
    standing = group.standing()
    for true in standing:
        opens, latest = opening(true)
        for points in (by_spend(true), by_pieces(true)):
            group.piles.append(Pile(points, opens, latest, GOOD_FOR[true.shop_id]))
    if standing:
        group.piles.append(Pile(BONUS, *opening(standing[0]), GOOD_FOR[group.shop_id]))
    group.badge = len(standing) >= 2
    if group.shop_id == WEST and group.badge:
        # Reached once, lost with an order that was undone or became another's, and reached again, it opens at once.
        ever = [one for one in theirs(life, WEST) if one.person is group.person]
        soonest = sorted(one.order.placed_at for one in ever)[1] + PENDING[WEST]
        group.piles.append(
            Pile(CHALLENGE, soonest, life.changed[group.shop_id, group.person] + PENDING[WEST] + LATE, None)
        )
    for key, word in life.words.items():
        named = f"email/{word.person.email}" in group.names and word.shop_id == group.shop_id
        if named and word.amount < 0:
            group.uses.append((word.at, -word.amount))
        elif named:
            group.piles.append(Pile(word.amount, word.at, word.at, GOOD_FOR[group.shop_id]))
        assert key
    group.uses += _exchanged(life, group)
    group.piles += [*_reviews(life, group), *_friends(life, group), *_welcomed(life, group)]
    group.piles += [Pile(points, at, at, None) for at, points in birthdays(life, group)]
    return group


def opening(true: TrueOrder) -> tuple[datetime, datetime]:
    """From when what it earned can be used. A parcel that was sent twice may have been heard of in several ways."""
    base = (true.order.paid_at or true.order.placed_at) + PENDING[true.shop_id]
    arrived = [at.replace(microsecond=0) for kind, _, at in true.story if kind == "shipment.delivered"]
    found = base
    for at in sorted(arrived):
        if at < found:
            found = max(found, at + PENDING[true.shop_id])
    sure = len(true.parcels) == 1 and all(one.status is not ShipmentStatus.CANCELLED for one in true.parcels.values())
    slack = timedelta(minutes=2)
    return (found if sure or not arrived else base) - slack, found + slack


def by_spend(true: TrueOrder) -> int:
    """Two points a euro, less the share of the money that went back."""
    total = sum((Fraction(line.total.amount) for line in true.order.lines), Fraction(0))
    earned = int(total * 2)
    back = Fraction(true.order.refunded.amount) if true.order.refunded else Fraction(0)
    return earned - int(earned * min(back / total, Fraction(1)))


def by_pieces(true: TrueOrder) -> int:
    """Seven points a piece, less the pieces that went back, and money for nothing in particular by its share."""
    order = true.order
    gone: dict[str, int] = {}
    for refund in true.refunds:
        for part in refund.lines:
            gone[part.line_id] = gone.get(part.line_id, 0) + part.quantity
    goods = sum((Fraction(line.unit_price.amount) * gone.get(line.id, 0) for line in order.lines), Fraction(0))
    loose = (Fraction(order.refunded.amount) if order.refunded else Fraction(0)) - goods
    left = sum((Fraction(line.total.amount) for line in order.lines), Fraction(0)) - goods
    spread = min(loose / left, Fraction(1)) if left > 0 else Fraction(0)
    beans = [line for line in order.lines if line.product_id == "p-a"]
    pieces = sum(line.quantity for line in beans)
    back = Fraction(0)
    for line in beans:
        back += gone.get(line.id, 0) + (line.quantity - gone.get(line.id, 0)) * spread
    earned = 7 * pieces
    return earned - int(earned * back / pieces) if pieces else 0


def _exchanged(life: ValueLife, group: Group) -> list[tuple[datetime, int]]:
    """What codes cost that were not exchanged back: those the shop still knows as good, or that were used."""
    return [
        (made.starts_at, REWARDS[group.shop_id][1])
        for code, made in life.codes.get(group.shop_id, {}).items()
        if code.startswith(EXCHANGED)
        and (group.shop_id, code) not in life.off
        and f"email/{made.customer_email}" in group.names
    ]


def _reviews(life: ValueLife, group: Group) -> Iterator[Pile]:
    """Three reviews a year at most, whatever becomes of them; to be used when they can be read."""
    mine = {(group.shop_id, true.order.id) for true in group.orders}
    theirs = [one for (shop_id, key), one in life.opinions.items() if _order(life, shop_id, key) in mine]
    for one in sorted(theirs, key=lambda one: one.at)[:3]:
        points = 0 if one.state in (HIDDEN, WITHDRAWN) else REVIEW
        opens = one.seen_at or NEVER
        yield Pile(points, opens, opens, GOOD_FOR[group.shop_id])


def _order(life: ValueLife, shop_id: str, review_id: str) -> tuple[str, str]:
    rows = life.house.connection.execute(
        "SELECT order_id FROM reviews WHERE shop_id = ? AND review_id = ?", (shop_id, review_id)
    ).fetchall()
    return shop_id, rows[0][0] if rows else ""


def _welcomed(life: ValueLife, group: Group) -> Iterator[Pile]:
    """What friends get themselves where the shop has terms: pending until their advocate is rewarded."""
    if group.shop_id != NORTH:
        return
    rows = life.house.connection.execute(
        "SELECT friend_email_key, referral_id, state, opens_at, updated_at FROM referrals WHERE shop_id = ?", (NORTH,)
    ).fetchall()
    for address, key, state, opens_at, at in rows:
        if f"email/{address}" not in group.names:
            continue
        if state == "held" and being_told(life, key):
            group.is_sure = False
        elif state == "held":
            yield Pile(WELCOME, NEVER, NEVER, None)
        elif state == "rewarded" and sent_back_before(life, key, datetime.fromisoformat(at)):
            group.is_sure = False  # their advocate's was given by then, and theirs is not any more
        elif state == "rewarded":
            yield Pile(WELCOME, datetime.fromisoformat(opens_at), datetime.fromisoformat(at), None)


def sent_back_before(life: ValueLife, referral_id: str, at: datetime) -> bool:
    """Whether the friend wanted to send the goods back before all was given: while an answer about their advocate's
    reward, or about the mail that tells of it, was waited for."""
    true = life.orders.get((NORTH, referral_id.removeprefix("order-")))
    return true is not None and any(asked <= at for asked in true.told("return.requested"))


def being_told(life: ValueLife, referral_id: str) -> bool:
    """What was promised is given, and the mails about it wait for the morning: `rewarded` is said after them."""
    rows = life.house.connection.execute(
        "SELECT r.status FROM runs r JOIN effects e ON e.shop_id = r.shop_id AND e.run_id = r.run_id "
        "WHERE r.shop_id = ? AND r.event LIKE ? AND e.kind = 'message' AND e.status IN ('pending', 'leased')",
        (NORTH, f'%"referral_id":"{referral_id}"%'),
    ).fetchall()
    return bool(rows)


def _friends(life: ValueLife, group: Group) -> Iterator[Pile]:
    rows = life.house.connection.execute(
        "SELECT advocate_email_key, referral_id, state, reason FROM referrals JOIN events ON events.shop_id = "
        "referrals.shop_id AND event_key = 'referral/' || referral_id || '/held' WHERE referrals.shop_id = ?",
        (group.shop_id,),
    ).fetchall()
    for address, referral_id, state, reason in rows:
        if f"email/{address}" in group.names and state != "reversed":
            true = life.orders[group.shop_id, referral_id.removeprefix("order-")]
            if state == "refused" and (group.shop_id, true.person) in life.forgotten:
                group.is_sure = False  # nobody knows any more whether the friend kept anything
            # A reward that could not be made leaves the points; a friend who asked to return takes them along.
            if state == "refused" and (reason != "reward_not_made" or not stands(true)):
                continue
            yield Pile(FRIEND, *opening(true), GOOD_FOR[group.shop_id])


def birthdays(life: ValueLife, group: Group) -> list[tuple[datetime, int]]:
    """When something was given for a birthday, and how much. One that nobody could have noticed in time is left out by
    the product too, so what was given is looked up."""
    rows = life.house.connection.execute(
        "SELECT DISTINCT fact_id, value_facts.at, amount FROM value_facts JOIN value_names USING (shop_id, account) "
        "WHERE shop_id = ? AND cause LIKE 'birthday/%' AND kind = 'grant' "
        "AND owner IN (SELECT value FROM json_each(?))",
        (group.shop_id, json.dumps(sorted(group.names))),
    ).fetchall()
    return [(datetime.fromisoformat(at), int(amount)) for _, at, amount in rows]


def tier(group: Group, now: datetime) -> str:
    """The tier that is reached at a moment."""
    standing = group.standing()
    if group.shop_id == WEST:
        zone = ZoneInfo("America/New_York")
        years = [one.order.placed_at.astimezone(zone).year for one in standing]
        year = now.astimezone(zone).year
        count = max(years.count(year), years.count(year - 1))
        return "gold" if count >= 2 else "silver" if count else ""
    since = now - timedelta(days=60)
    kept: Money = sum(
        (
            Fraction(one.order.total.amount) - (Fraction(one.order.refunded.amount) if one.order.refunded else 0)
            for one in standing
            if one.order.placed_at >= since
        ),
        Fraction(0),
    )
    return "gold" if kept >= 150 else "silver" if kept >= 60 else ""
