"""What became of store credit we gave (`connector.contracts.acting`): the platform alone knows which order it paid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from connector.contracts.platform import Access

STORE_CREDIT = "store_credit"
"""Stands in the name of the payment method (`Order.payment_methods`) of an order that store credit paid for: only such
orders are asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditUseRequest:
    """A customer, and credits of one currency we gave them (`StoreCreditRef.platform_id`), the oldest at `since`."""

    customer_id: str
    currency: str
    credits: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCredit:
    """What an order took of a customer's store credit, whoever gave it, less what was given back; first `at`."""

    order_id: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditUse:
    """`orders` that took credit since then, the first one first; `others`: what was taken for no order that is known
    (by a person, by us, for one that was deleted). `left`: what is left of each credit that was found among those asked
    about, or was left when it lapsed."""

    orders: tuple[OrderCredit, ...] = ()
    others: Decimal = Decimal(0)
    left: Mapping[str, Decimal] = field(default_factory=dict)


class TellsCreditUse(ABC):
    """Reads only: asked twice it says the same."""

    @abstractmethod
    def credit_use(self, access: Access, request: CreditUseRequest) -> CreditUse:
        """What orders took, and what is left of ours. Raises `Transient`, `AuthExpired`, `Refused`."""
