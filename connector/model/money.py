"""Money: a Decimal and its currency. No floats, no rounding, no mixing of currencies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_CURRENCY = re.compile(r"[A-Z]{3}")
_seen_currencies: set[str] = set()


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` in major units (12.50 euros), `currency` an ISO 4217 code.

    >>> Money.parse("12.50", "EUR") + Money.parse("0.50", "EUR")
    Money(amount=Decimal('13.00'), currency='EUR')
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        # The type is checked too: an adapter outside mypy may hand over a float.
        if type(self.amount) is not Decimal or not self.amount.is_finite():
            raise TypeError("Money needs a finite Decimal")
        if self.currency not in _seen_currencies:
            if not _CURRENCY.fullmatch(self.currency):
                raise TypeError("Money needs a three-letter ISO 4217 currency")
            _seen_currencies.add(self.currency)  # bounded: there are 26^3 of them at the most

    @classmethod
    def parse(cls, amount: str | int | float | Decimal, currency: str) -> Money:
        """Read a platform's amount. Raises `TypeError` for anything that is not a finite number.

        A float (some Shopify refund fields) is read through its shortest text, so 9.99 stays 9.99.
        """
        try:
            value = Decimal(repr(amount) if isinstance(amount, float) else amount)
        except (InvalidOperation, ValueError, TypeError) as error:
            raise TypeError("not an amount of money") from error
        return cls(value, currency.strip().upper())

    @classmethod
    def zero(cls, currency: str) -> Money:
        return cls(Decimal(0), currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise TypeError(f"cannot mix {self.currency} and {other.currency}")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __mul__(self, factor: int | Decimal) -> Money:
        return Money(self.amount * factor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __bool__(self) -> bool:
        return bool(self.amount)
