"""A life in which value is given, used, taken back and forgotten: orders with many refunds, codes, points spent, words
of the merchant's, accounts that become one, people who are erased. Troubles are those of all lives."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from connector.loyalty import adjustment
from connector.model import Customer, Event, EventKind, FinancialStatus, LineItem, Ref, Refund, ShippedLine
from connector.privacy import COMMAND, Privacy
from connector.store import accounts
from connector.store.privacy import ERASE_CUSTOMER
from flows.value import bookings
from tests.swarm.life import Crash, Life
from tests.swarm.plan import PEOPLE, SHOPS, Person
from tests.swarm.post import Letter
from tests.swarm.script import Ordering
from tests.swarm.shop import TrueOrder
from tests.swarm.value.shop import PRODUCTS, euros, new_line, new_sale

if TYPE_CHECKING:
    from tests.swarm.value.house import ValueHouse

AINO, JUNE, KIRRA = PEOPLE
FAR = timedelta(days=200)
"""When everything that time changes has happened; the shops' people do nothing after."""


def second(person: Person) -> str:
    """The address of a person's other account."""
    return f"2{person.email}"


def right(person: Person) -> str:
    """The address that a guest had mistyped (`Ordering._correct`): to a shop another person's."""
    return f"x{person.email}"


def born(person: Person, start: datetime) -> str | None:
    """Aino's birthday is forty days after her life begins."""
    return f"--{start + timedelta(days=40):%m-%d}" if person is AINO else None


@dataclass(frozen=True, slots=True)
class Word:
    """Points that somebody gave or used by a key of their own; `amount` is below nothing for what was used."""

    shop_id: str
    person: Person
    amount: int
    at: datetime


class ValueLife(Life):
    """`words` are what customers used and merchants gave, by key; `uses`, `off` are the shops' codes."""

    def __init__(self, house: ValueHouse, seed: int) -> None:
        self.uses: dict[tuple[str, str], str] = {}
        self.off: set[tuple[str, str]] = set()
        self.words: dict[str, Word] = {}
        self.merged: dict[tuple[str, Person], datetime] = {}
        self.forgotten: dict[tuple[str, Person], datetime] = {}
        self.reviewed: set[tuple[str, str]] = set()
        self.changed: dict[tuple[str, Person], datetime] = {}
        super().__init__(house, seed)
        self.plan = replace(self.plan, orders=self.chance.pick((2, 3, 4, 6)))
        self.healthy = self.plan.start + max(self.plan.trouble_for + timedelta(hours=2), timedelta(hours=790))
        self._write()

    def _write(self) -> None:
        chance, start = self.chance, self.plan.start
        for number in range(chance.pick((0, 1, 2, 3))):
            self._later(chance.between(20, 1500), lambda number=number: self._speak(f"word/{number}"))
        for shop_id in SHOPS:
            for person in (KIRRA, AINO):
                if chance.roll(0.3):
                    self._later(chance.between(100, 1400), lambda s=shop_id, p=person: self._merge(s, p))
        if chance.roll(0.08):
            self._later(chance.between(200, 1400), lambda: self._forget(chance.pick(SHOPS), chance.pick(PEOPLE)))
        for days in (0, 30, 75, 140):
            self.at(self.healthy + timedelta(days=days), self._reckon)
        self.at(start + FAR, self._reckon)

    def _later(self, span: timedelta, what: Callable[[], None]) -> None:
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

    def happened(self) -> Iterator[str]:
        """What there was to go wrong with, counted."""
        yield from ("merged" for _ in self.merged)
        yield from ("forgotten" for _ in self.forgotten)
        yield from ("points used" if word.amount < 0 else "points by hand" for word in self.words.values())
        yield from ("code used" for _ in self.uses)
        yield from ("code switched off" for _ in self.off)
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
        self._insist(lambda: what(shop_id, person, key, amount), times=self.chance.pick((1, 1, 2)))

    def _insist(self, deed: Callable[[], None], times: int) -> None:
        """Do it; again after a crash, and sometimes a second time although it was done."""
        for _ in range(times):
            for _ in range(40):
                self.depth += 1
                self._open[self.depth] = []
                try:
                    deed()
                    break
                except Crash:
                    continue
                finally:
                    self.depth -= 1

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
        done = adjustment(self.house.kiitos, shop_id, person.email, amount, "maija", "", key)
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
        self.tell(shop_id, [event])

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


class Sale(Ordering):
    """An order that may be refunded again and again, in pieces and in money, and grow."""

    life: ValueLife

    def place(self) -> None:
        life, chance = self.life, self.life.chance
        person = chance.pick((AINO, AINO, JUNE, KIRRA))
        if (self.shop_id, person) in life.forgotten:
            return
        who = self._buyer(person)
        goods = [
            (product, chance.pick((99, 350, 1234, 2000, 4999)), chance.pick((1, 1, 2, 3)))
            for product in PRODUCTS[: chance.pick((1, 2, 3))]
        ]
        code = self._code(person)
        self.true = new_sale(self.shop_id, self.number, person, life.now, who=who, goods=goods, code=code)
        life.orders[self.shop_id, self.true.order.id] = self.true
        life.orderings[self.shop_id, self.true.number] = self
        if code:
            life.uses.setdefault((self.shop_id, code), self.true.order.id)
        self._changed()
        if chance.roll(0.8):
            self._pay()
        else:
            self._tell()
            self._later(0.1, 90, self._pay)
        if who.id is None and chance.roll(0.25):
            self._later(0.02, chance.pick((3, 300)), self._correct)
        if chance.roll(0.15):
            self._later(0.1, 60, self._add)
        for _ in range(chance.pick((0, 0, 0, 1, 2, 3))):
            self._later(0.5, chance.pick((1, 60, 600, 1500)), self.undo)
        if chance.roll(0.8):
            self._later(1, 80, lambda: self._ship("a", 1))

    def _buyer(self, person: Person) -> Customer:
        kind = self.life.chance.pick(("c", "c", "d", ""))
        if kind == "d" and (person is JUNE or (self.shop_id, person) in self.life.merged):
            kind = "c"
        address = second(person) if kind == "d" else person.email
        found = f"{kind}-{person.name}" if kind else None
        day = born(person, self.life.plan.start) if kind == "c" else None
        return Customer(id=found, email=address, first_name=person.name, birthday=day)

    def _code(self, person: Person) -> str:
        """A friend's code, or one of one's own that is still good."""
        life = self.life
        good = []
        for code, made in life.codes.get(self.shop_id, {}).items():
            used = (self.shop_id, code) in life.uses and made.usage_limit == 1
            mine = made.customer_email in (None, person.email) and (made.customer_id in (None, f"c-{person.name}"))
            if mine and not used and (self.shop_id, code) not in life.off:
                good.append(code)
        return life.chance.pick(good) if good and life.chance.roll(0.7) else ""

    def _later(self, least: float, most: float, what: Callable[[], None]) -> None:
        deed = Deed(self, what)
        self.life.at(self.life.now + self.life.chance.between(least, most), deed)

    def _tell(self) -> None:
        self._changed()
        super()._tell()

    def _changed(self) -> None:
        if hasattr(self, "true"):
            self.life.touch(self.shop_id, self.true.person)

    def _refund(self) -> None:
        """Some pieces, some money, or all that is left."""
        order, chance = self.true.order, self.life.chance
        back = order.refunded.amount if order.refunded else Decimal(0)
        left = order.total.amount - back
        if self.over or order.paid_at is None or left <= 0:
            return
        lines = order.lines
        parts: tuple[ShippedLine, ...] = ()
        money = {"all": left, "some": min(left, Decimal("3.50"))}.get(chance.pick(("all", "some", "pieces", "pieces")))
        if money is None:
            free = [line for line in order.lines if _kept(line) > 0]
            if not free:
                return
            line = chance.pick(free)
            parts, money = (ShippedLine(line_id=line.id, quantity=1),), min(line.unit_price.amount, left)
            lines = tuple(replace(one, current_quantity=_kept(one) - (one is line)) for one in order.lines)
        total = euros(int((money + back) * 100))
        whole = total.amount >= order.total.amount
        status = FinancialStatus.REFUNDED if whole else FinancialStatus.PARTIALLY_REFUNDED
        key = f"r{len(self.true.refunds)}-{self.true.number}"
        self.true.refunds.append(
            Refund(id=key, order_id=order.id, at=self.life.now, amount=euros(int(money * 100)), lines=parts)
        )
        self.true.change(self.life.now, "refund.created", financial=status, refunded=total, lines=lines)
        self._tell_undone()

    def _add(self) -> None:
        """The customer adds something to an order that has not left."""
        order = self.true.order
        if self.over or self.true.parcels or order.financial is not FinancialStatus.PAID:
            return
        line = new_line(self.true.number, len(order.lines), "p-a", self.life.chance.pick((99, 1234)), 1)
        total = euros(int((order.total.amount + line.total.amount) * 100))
        self.true.change(self.life.now, "edited", lines=(*order.lines, line), total=total)
        self._tell()


def _kept(line: LineItem) -> int:
    return line.quantity if line.current_quantity is None else line.current_quantity


class Deed:
    """Something planned of one order."""

    def __init__(self, sale: Sale, what: Callable[[], None]) -> None:
        self.sale, self._what = sale, what

    def __call__(self) -> None:
        if (self.sale.shop_id, self.sale.true.person) not in self.sale.life.forgotten:
            self._what()


def theirs(life: ValueLife, shop_id: str) -> list[TrueOrder]:
    """The orders of a shop."""
    return [true for true in life.orders.values() if true.shop_id == shop_id]
