"""What of an order counts as bought: the one definition behind every figure of a customer, a product and a shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connector.model.enums import FinancialStatus, FulfillmentStatus, OrderStatus
from connector.model.money import Money
from connector.model.order import LineItem, Order
from connector.model.party import email_key

_OVER = frozenset({OrderStatus.CANCELLED, OrderStatus.FAILED, OrderStatus.DRAFT, OrderStatus.DELETED})
_UNDONE = frozenset({FinancialStatus.VOIDED, FinancialStatus.EXPIRED, FinancialStatus.REFUNDED})
_PROMISED = frozenset(
    {
        FinancialStatus.AUTHORIZED,
        FinancialStatus.PARTIALLY_PAID,
        FinancialStatus.PAID,
        FinancialStatus.PARTIALLY_REFUNDED,
    }
)
_SENT = frozenset({FulfillmentStatus.PARTIAL, FulfillmentStatus.FULFILLED})
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """An order as figures see it. `amount` is what was kept of its total after refunds, in the currency it was paid in;
    `products` are (product id, pieces kept) in the order of the lines, gift cards left out."""

    order_id: str
    placed_at: datetime
    amount: Money
    products: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who bought: an address (`email_key`) where there is one, so that a guest who registers later is still the same
    person; else an account. `name` is unique within a shop."""

    email_key: str | None = None
    customer_id: str | None = None

    @property
    def name(self) -> str:
        return self.email_key or f"#{self.customer_id}"

    def __bool__(self) -> bool:
        return bool(self.email_key or self.customer_id)


def buyer_of(order: Order) -> Buyer:
    """The order's buyer; false where nobody is named (a walk-in at the counter)."""
    customer = order.customer
    address = email_key(order.email or (customer.email if customer else None))
    return Buyer(address, customer.id if customer else None)


def purchase_of(order: Order) -> Purchase | None:
    """The order as a purchase, `None` while it is none.

    It counts once money or goods moved (paid, authorised, partly paid, sent, or nothing to pay), and no longer when it
    is cancelled, failed, voided, expired, deleted or refunded in full. Tests never count.
    """
    if order.is_test or order.status in _OVER or order.cancelled_at is not None or order.financial in _UNDONE:
        return None
    moved = order.paid_at is not None or order.financial in _PROMISED or order.fulfillment in _SENT
    if not (moved or order.status is OrderStatus.COMPLETED or order.total.amount <= _NOTHING):
        return None
    kept = _kept(order)
    if order.total.amount > _NOTHING >= kept:
        return None
    pieces: dict[str, int] = {}
    for line in order.lines:
        if line.product_id and not line.is_gift_card and _left(line) > 0:
            pieces[line.product_id] = pieces.get(line.product_id, 0) + _left(line)
    return Purchase(
        order_id=order.id,
        placed_at=order.placed_at,
        amount=Money(max(kept, _NOTHING), order.total.currency),
        products=tuple(pieces.items()),
    )


def _kept(order: Order) -> Decimal:
    back = order.refunded
    same = back is not None and back.currency == order.total.currency
    return order.total.amount - (back.amount if same and back is not None else _NOTHING)


def _left(line: LineItem) -> int:
    return line.quantity if line.current_quantity is None else line.current_quantity
