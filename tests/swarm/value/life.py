"""A life in which value is given, used, taken back and forgotten: orders with many refunds, codes, points spent, words
of the merchant's, accounts that become one, people who are erased. Troubles are those of all lives."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from connector.loyalty import Adjustment, adjustment
from connector.model import Event, EventKind, Ref
from connector.privacy import COMMAND, Privacy
from connector.store import accounts
from connector.store.privacy import ERASE_CUSTOMER
from flows.value import bookings
from tests.swarm.life import Crash, Life
from tests.swarm.plan import PEOPLE, SHOPS, Person
from tests.swarm.post import Letter
from tests.swarm.value import visits
from tests.swarm.value.sales import AINO, JUNE, KIRRA, FriendsSale, Sale, second
from tests.swarm.value.shop import Card, Move

if TYPE_CHECKING:
    from connector.contracts import DiscountRequest
    from tests.swarm.value.house import ValueHouse

T = TypeVar("T")
FAR = timedelta(days=200)
"""When everything that time changes has happened; the shops' people do nothing after."""


@dataclass(frozen=True, slots=True)
class Word:
    """Points that somebody gave or used by a key of their own; `amount` is below nothing for what was used."""

    shop_id: str
    person: Person
    amount: int
    at: datetime


class ValueLife(Life):
    """`words` are what customers used and merchants gave, by key; `uses`, `off` and `refused` are the shops' codes,
    `cards` and `moves` their gift cards and store credit; `wishes`, `opinions` and `decided` what pages were told."""

    def __init__(self, house: ValueHouse, seed: int) -> None:
        self.uses: dict[tuple[str, str], str] = {}
        self.off: set[tuple[str, str]] = set()
        self.refused: dict[tuple[str, str], DiscountRequest] = {}
        self.cards: dict[tuple[str, str], Card] = {}
        self.moves: list[Move] = []
        self.wishes: dict[tuple[str, str, str], visits.Wish] = {}
        self.opinions: dict[tuple[str, str], visits.Opinion] = {}
        self.decided: set[tuple[str, str]] = set()
        self.words: dict[str, Word] = {}
        self.merged: dict[tuple[str, Person], datetime] = {}
        self.forgotten: dict[tuple[str, Person], datetime] = {}
        self.changed: dict[tuple[str, Person], datetime] = {}
        super().__init__(house, seed)
        self.plan = replace(self.plan, orders=self.chance.pick((2, 3, 4, 6)))
        self.healthy = self.plan.start + max(self.plan.trouble_for + timedelta(hours=2), timedelta(hours=790))
        self._write()

    def _write(self) -> None:
        chance, start = self.chance, self.plan.start
        for number in range(chance.pick((0, 1, 2, 3))):
            self.later(chance.between(20, 1500), lambda number=number: self._speak(f"word/{number}"))
        for shop_id in SHOPS:
            for person in (KIRRA, AINO):
                if chance.roll(0.3):
                    self.later(chance.between(100, 1400), lambda s=shop_id, p=person: self._merge(s, p))
        if chance.roll(0.08):
            self.later(chance.between(200, 1400), lambda: self._forget(chance.pick(SHOPS), chance.pick(PEOPLE)))
        for number in range(chance.pick((0, 0, 1, 2, 3))):
            self.later(chance.between(40, 500), lambda number=number: FriendsSale(self, 50 + number).place())
        visits.write(self)
        for days in (0, 30, 75, 140):
            self.at(self.healthy + timedelta(days=days), self._reckon)
        self.at(start + FAR, self._reckon)

    def later(self, span: timedelta, what: Callable[[], None]) -> None:
        self.at(self.plan.start + span, what)

    def order(self, number: int) -> None:
        Sale(self, number).place()

    def touch(self, shop_id: str, person: Person) -> None:
        """Something of somebody's changed just now."""
        self.changed[shop_id, person] = self.now

    def delivered(self, letter: Letter) -> None:
        super().delivered(letter)
        if letter.template in ("review_request", "review_reminder") and self.chance.roll(0.5):
            self.at(self.now + self.chance.between(0.01, 50), lambda: self.review(letter))

    def review(self, letter: Letter) -> None:
        visits.review(self, letter)

    def happened(self) -> Iterator[str]:
        """What there was to go wrong with, counted."""
        yield from ("merged" for _ in self.merged)
        yield from ("forgotten" for _ in self.forgotten)
        yield from ("points used" if word.amount < 0 else "points by hand" for word in self.words.values())
        yield from ("code used" for _ in self.uses)
        yield from ("code switched off" for _ in self.off)
        yield from ("exchanged" for _ in self.wishes)
        yield from ("exchange refused" for _ in self.refused)
        yield from (f"review {one.state}" for one in self.opinions.values())
        yield from (f"gift card {'good' if one.on else 'off'}" for one in self.cards.values())
        yield from (f"credit {one.what}" for one in self.moves)
        yield from ("decided by a person" for _ in self.decided)
        yield from ("refund" for true in self.orders.values() for _ in true.refunds)
        execute = self.house.connection.execute
        for kind, count in execute("SELECT kind, count(*) FROM value_entries GROUP BY 1").fetchall():
            yield from (f"entry {kind}" for _ in range(count))
        for state, count in execute("SELECT state, count(*) FROM referrals GROUP BY 1").fetchall():
            yield from (f"referral {state}" for _ in range(count))

    # -- what people do beside ordering ---

    def _speak(self, key: str) -> None:
        """A customer uses points, or the merchant gives or takes some."""
        shop_id, person = self.chance.pick(SHOPS), self.chance.pick((AINO, AINO, JUNE))
        amount = self.chance.pick((5, 30, 80, 200))
        if (shop_id, person) in self.forgotten:
            return
        what = self.chance.pick((self._spend, self._spend, self._adjust))
        for _ in range(self.chance.pick((1, 1, 2))):
            self.insist(lambda: what(shop_id, person, key, amount))

    def insist(self, deed: Callable[[], T]) -> T:
        """Do it, and again after a crash: what came of it."""
        for _ in range(400):
            self.depth += 1
            self._open[self.depth] = []
            try:
                return deed()
            except Crash:
                continue
            finally:
                self.depth -= 1
        raise AssertionError("four hundred crashes on end")

    # -- what the shops know of money they gave ---

    def credit(self, shop_id: str, customer_id: str, what: str, amount: Decimal) -> Move:
        """Enter something of a customer's store credit."""
        move = Move(f"tx-{len(self.moves)}", shop_id, self._owner(shop_id, customer_id), what, amount, self.now)
        self.moves.append(move)
        return move

    def credit_of(self, shop_id: str, customer_id: str) -> list[Move]:
        owner = self._owner(shop_id, customer_id)
        return [one for one in self.moves if (one.shop_id, self._owner(shop_id, one.customer_id)) == (shop_id, owner)]

    def balance(self, shop_id: str, customer_id: str) -> Decimal:
        moves = self.credit_of(shop_id, customer_id)
        return sum((one.amount if one.what == "given" else -one.amount for one in moves), Decimal(0))

    def _owner(self, shop_id: str, customer_id: str) -> str:
        """The account that one is now: two may have become one."""
        person = next((each for each in PEOPLE if customer_id == f"d-{each.name}"), None)
        return f"c-{person.name}" if person is not None and (shop_id, person) in self.merged else customer_id

    def may_use_credit(self, shop_id: str, customer_id: str) -> None:
        """Some buy something with it one day."""

        def use() -> None:
            amount = min(self.balance(shop_id, customer_id), self.chance.pick((Decimal(4), Decimal(50))))
            if amount > 0:
                self.credit(shop_id, customer_id, "used", amount)

        if self.chance.roll(0.5):
            self.at(self.now + self.chance.between(2, 300), use)

    def may_use_card(self, key: tuple[str, str]) -> None:
        def use() -> None:
            card = self.cards[key]
            if card.on:
                card.left -= min(card.left, self.chance.pick((Decimal(4), Decimal(50))))

        if self.chance.roll(0.5):
            self.at(self.now + self.chance.between(2, 300), use)

    def _spend(self, shop_id: str, person: Person, key: str, amount: int) -> None:
        now = self.now
        with self.store.work.transaction() as tx:
            holder = accounts.open_for(tx, shop_id, None, person.email, key, now)
            if key not in self.words and bookings.position_of(tx, shop_id, holder, now).available >= amount:
                # Known before its commit, as a shop knows that somebody asked: whoever asked asks until it is done.
                self.words[key] = Word(shop_id, person, -amount, now)
            bookings.spend(tx, shop_id, key, holder, Decimal(amount), now, key)
        self.touch(shop_id, person)

    def _adjust(self, shop_id: str, person: Person, key: str, amount: int) -> None:
        told = Adjustment(points=amount, by="maija", name=key)
        done = adjustment(self.house.kiitos, shop_id, person.email, told)
        if done.done and key not in self.words:
            self.words[key] = Word(shop_id, person, amount, self.now)
        self.touch(shop_id, person)

    def _merge(self, shop_id: str, person: Person) -> None:
        """The shop makes one account of a person's two. It tells of it once, and sends no order again."""
        if (shop_id, person) in self.merged:
            return
        self.merged[shop_id, person] = self.now
        for true in self.orders.values():
            who = true.order.customer
            if true.shop_id == shop_id and true.person is person and who is not None and who.id == f"d-{person.name}":
                true.order = replace(true.order, customer=replace(who, id=f"c-{person.name}"))
        self.touch(shop_id, person)
        event = Event(
            kind=EventKind.CUSTOMER_MERGED,
            key=f"merged/{person.name}",
            subject=Ref("customer", f"c-{person.name}"),
            at=self.now,
            customer_id=f"c-{person.name}",
            data={"kept": f"c-{person.name}", "merged": f"d-{person.name}"},
        )
        self.tell(shop_id, [event], polled=False)

    def _forget(self, shop_id: str, person: Person) -> None:
        """A person asks to be forgotten; what they own is nobody's from then on."""
        mortal, self.mortal = self.mortal, False
        try:
            hands = Privacy(self.house.kiitos)
            for address in (person.email, second(person)):
                hands.ask(shop_id, ERASE_CUSTOMER, COMMAND, {"email": address})
            for _ in range(20):
                hands.work()
                self.clock.advance(timedelta(seconds=30))
        finally:
            self.mortal = mortal
        self.forgotten[shop_id, person] = self.now
        self._todo = [one for one in self._todo if not self._is_of(one[2], shop_id, person)]
        heapq.heapify(self._todo)

    def _is_of(self, what: Callable[[], None], shop_id: str, person: Person) -> bool:
        """Whether something planned is of a forgotten person's order: they and the shop do nothing more with it."""
        owner = getattr(what, "sale", None)
        return owner is not None and owner.shop_id == shop_id and owner.true.person is person

    def _reckon(self) -> None:
        """Compare the books with the truth as soon as nothing has changed for a while and nothing waits."""
        from tests.swarm.value.oracles import reckoned

        quiet = all(self.now - at > timedelta(hours=3) for at in self.changed.values())
        if self.now < self.healthy or not quiet or self._unread or self._overdue():
            self.at(self.now + timedelta(hours=2), self._reckon)
            return
        self.faults += [f"day {(self.now - self.plan.start).days}: {fault}" for fault in reckoned(self)]
