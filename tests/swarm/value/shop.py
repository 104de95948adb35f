"""What the shops of the ledger's lives sell, and what they know of codes, gift cards and store credit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from connector.contracts import (
    DOUBTFUL,
    Access,
    DiscountRef,
    DiscountRequest,
    GiftCardRef,
    GiftCardRequest,
    GrantsStoreCredit,
    IssuesGiftCards,
    StoreCreditRef,
    StoreCreditRequest,
    VoidRequest,
    VoidsCodes,
    VoidsGiftCards,
    VoidsStoreCredit,
)
from connector.errors import Refused, Transient
from connector.model import Customer, LineItem, Money
from tests.swarm.plan import Person
from tests.swarm.shop import SwarmPlatform, TrueOrder, new_order

if TYPE_CHECKING:
    from tests.swarm.value.life import ValueLife

PRODUCTS = ("p-a", "p-b", "p-c")
EXCHANGED = "POINTS-"
"""What codes begin with that points are exchanged for."""


@dataclass
class Card:
    """A gift card as the shop knows it; `left` is what nobody has used yet, `taken` what was on it when it went off."""

    worth: Decimal
    left: Decimal
    on: bool = True
    taken: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Move:
    """Something that happened to a customer's store credit: `given`, `used` or `taken` back."""

    id: str
    shop_id: str
    customer_id: str
    what: str
    amount: Decimal
    at: datetime


class ValuePlatform(SwarmPlatform, GrantsStoreCredit, IssuesGiftCards, VoidsCodes, VoidsGiftCards, VoidsStoreCredit):
    """Codes of one use are used by the order they come with, whatever becomes of it, and can be switched off until
    then. Store credit knows no keys, as with Shopify: who may have been heard before has to look."""

    life: ValueLife

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        key = access.shop.id, request.code
        with self.life.calling():
            known = key in self.life.refused or request.code in self.life.codes.get(access.shop.id, {})
            if request.code.startswith(EXCHANGED) and not known and self.life.chance.roll(0.1):
                self.life.refused[key] = request
        if key in self.life.refused:
            raise Refused("no more codes in this plan", provider_code="LIMIT")
        return super().create_discount(access, request)

    def void_code(self, access: Access, request: VoidRequest) -> bool:
        key = access.shop.id, request.code
        with self.life.calling():
            free = request.code in self.life.codes.get(access.shop.id, {}) and key not in self.life.uses
            if free:
                self.life.off.add(key)
        return free

    def issue_gift_card(self, access: Access, request: GiftCardRequest) -> GiftCardRef:
        key = access.shop.id, request.code
        with self.life.calling():
            adopted = key in self.life.cards
            if not adopted:
                self.life.cards[key] = Card(request.amount.amount, request.amount.amount)
                self.life.may_use_card(key)
        self._may_not_answer(0.6)
        return GiftCardRef(code=request.code, platform_id=f"card-{request.code}", adopted=adopted)

    def void_gift_card(self, access: Access, request: VoidRequest) -> Money | None:
        card = self.life.cards.get((access.shop.id, request.platform_id.removeprefix("card-")))
        with self.life.calling():
            if card is not None and card.on:
                card.on, card.taken = False, card.left
        return Money(card.taken, "EUR") if card is not None else None

    def grant_store_credit(self, access: Access, request: StoreCreditRequest) -> StoreCreditRef:
        life, owner = self.life, (access.shop.id, request.customer_id)
        if request.again:
            with life.calling():
                same = [
                    move
                    for move in life.credit_of(*owner)
                    if (move.what, move.amount) == ("given", request.amount.amount)
                    and move.at >= request.first_try_at
                    and move.id not in request.claimed
                ]
            if len(same) > 1:
                raise Refused("two equal credits", provider_code=DOUBTFUL)
            if same:
                return StoreCreditRef(platform_id=same[0].id, adopted=True)
        with life.calling():
            made = life.credit(*owner, "given", request.amount.amount)
            life.may_use_credit(*owner)
        self._may_not_answer()
        return StoreCreditRef(platform_id=made.id)

    def debit_store_credit(self, access: Access, request: VoidRequest) -> Money | None:
        assert request.amount is not None
        life, owner = self.life, (access.shop.id, request.customer_id)
        if request.again:
            raise Refused("nothing tells what a debit was for", provider_code=DOUBTFUL)
        with life.calling():
            taken = min(request.amount.amount, life.balance(*owner))
            if taken > 0:
                life.credit(*owner, "taken", taken)
                self._may_not_answer()
        return Money(taken, "EUR") if taken > 0 else None

    def _may_not_answer(self, rate: float = 0.25) -> None:
        """Money was moved and nobody heard of it: there is so little of it in a life, and of cards least, that troubles
        seldom meet it."""
        if not self.life.plan.calm and self.life.chance.roll(rate):
            self.life.troubles["answer about money lost"] += 1
            raise Transient("no answer", maybe_done=True)


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
