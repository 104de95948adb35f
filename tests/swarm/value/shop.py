"""What the shops of the ledger's lives sell, and the codes they know: used, or switched off."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from connector.contracts import Access, VoidRequest, VoidsCodes
from connector.model import Customer, LineItem, Money
from tests.swarm.plan import Person
from tests.swarm.shop import SwarmPlatform, TrueOrder, new_order

if TYPE_CHECKING:
    from tests.swarm.value.life import ValueLife

PRODUCTS = ("p-a", "p-b", "p-c")


class ValuePlatform(SwarmPlatform, VoidsCodes):
    """Codes of one use are used by the order they come with, whatever becomes of it, and can be switched off until
    then."""

    life: ValueLife

    def void_code(self, access: Access, request: VoidRequest) -> bool:
        key = access.shop.id, request.code
        with self.life.calling():
            free = request.code in self.life.codes.get(access.shop.id, {}) and key not in self.life.uses
            if free:
                self.life.off.add(key)
        return free


def euros(cents: int) -> Money:
    return Money(Decimal(cents) / 100, "EUR")


def new_line(name: str, number: int, product: str, cents: int, pieces: int) -> LineItem:
    return LineItem(
        id=f"{name}-{number}",
        title=product,
        quantity=pieces,
        unit_price=euros(cents),
        total=euros(cents * pieces),
        product_id=product,
    )


def new_sale(
    shop_id: str,
    number: int,
    person: Person,
    now: datetime,
    *,
    who: Customer,
    goods: list[tuple[str, int, int]],
    code: str,
) -> TrueOrder:
    """An order of `goods` (product, cents a piece, pieces), unpaid; `who` has no id where a guest buys."""
    true = new_order(shop_id, number, person, now, guest=who.id is None, code=code)
    lines = tuple(new_line(true.number, at, *one) for at, one in enumerate(goods))
    total = sum((line.total.amount for line in lines), Decimal(0))
    true.order = replace(true.order, lines=lines, total=Money(total, "EUR"), customer=who, email=who.email)
    return true
