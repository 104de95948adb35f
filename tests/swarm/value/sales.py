"""Orders of the ledger's lives: refunded again and again, in pieces and in money, late; grown, corrected, undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from connector.model import Customer, FinancialStatus, LineItem, Refund, ShippedLine
from tests.swarm.plan import NORTH, PEOPLE, Person
from tests.swarm.script import Ordering
from tests.swarm.shop import TrueOrder
from tests.swarm.value.shop import PRODUCTS, euros, new_line, new_sale

if TYPE_CHECKING:
    from tests.swarm.value.life import ValueLife

AINO, JUNE, KIRRA = PEOPLE


def second(person: Person) -> str:
    """The address of a person's other account."""
    return f"2{person.email}"


def right(person: Person) -> str:
    """The address that a guest had mistyped (`Ordering._correct`): to a shop another person's."""
    return f"x{person.email}"


def born(person: Person, start: datetime) -> str | None:
    """Aino's birthday is forty days after her life begins."""
    return f"--{start + timedelta(days=40):%m-%d}" if person is AINO else None


class Sale(Ordering):
    """An order that may be refunded again and again, in pieces and in money, and grow."""

    life: ValueLife

    def place(self) -> None:
        life, chance = self.life, self.life.chance
        person = self._person()
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

    def _person(self) -> Person:
        return self.life.chance.pick((AINO, AINO, JUNE, KIRRA))

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
        # Nobody can use a code before they were told of it: one whose answer was lost is not in the books yet.
        told = {
            code
            for (code,) in life.house.connection.execute(
                "SELECT voucher_key FROM vouchers WHERE shop_id = ? AND kind = 'discount'", (self.shop_id,)
            )
        }
        for code, made in life.codes.get(self.shop_id, {}).items():
            if made.customer_email and code not in told:
                continue
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


class FriendsSale(Sale):
    """A friend's order, with the code of somebody who recommended the shop if anybody has; many are given back when
    their reward is given."""

    def __init__(self, life: ValueLife, number: int) -> None:
        super().__init__(life, number)
        self.shop_id = life.chance.pick((NORTH, NORTH, self.shop_id))
        self.apart = self.shop_id == NORTH

    def place(self) -> None:
        super().place()
        if hasattr(self, "true") and self.life.chance.roll(0.3):
            # As their advocate is being rewarded: what was given may be on its way, or its answer lost.
            self._later(239.99, 240.1, self._refund)
        elif hasattr(self, "true") and self.life.chance.roll(0.5):
            for _ in range(self.life.chance.pick((1, 2, 4))):
                self._later(245, 1000, self._refund)

    def _person(self) -> Person:
        return self.life.chance.pick((JUNE, KIRRA, KIRRA))

    def _code(self, person: Person) -> str:
        known = self.life.codes.get(self.shop_id, {})
        shared = [code for code, made in known.items() if made.new_customers_only]
        return self.life.chance.pick(shared) if shared else super()._code(person)


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


def stands(true: TrueOrder) -> bool:
    """Whether it is a purchase: money or goods moved, and it was not undone."""
    order = true.order
    undone = order.cancelled_at is not None or true.deleted or order.financial is FinancialStatus.REFUNDED
    return not undone and (order.paid_at is not None or bool(true.parcels))
