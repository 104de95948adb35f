"""`[loyalty.rewards]`: what customers exchange points for, on their own page.

rewards.five = { points = 500, amount = "5 EUR" }
rewards.delivery = { title = "Free delivery", points = 200, free_delivery = true, valid = "60d" }
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from connector.config.shapes import read_money
from connector.contracts.step import parse_span
from connector.model import Money

VALID = timedelta(days=90)
"""How long a code is good where it is not said."""
BACK = timedelta(days=14)
"""How long an unused code can be exchanged back where it is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """A code for `points`: exactly one of `amount`, `percent` and `free_delivery`; off `products` (ids) alone where
    they are named, from a basket of `minimum` on. Good for `valid`; unused, it goes back within `back`."""

    name: str
    points: int
    title: str = ""
    amount: Money | None = None
    percent: Decimal | None = None
    free_delivery: bool = False
    products: tuple[str, ...] = ()
    minimum: Money | None = None
    valid: timedelta = VALID
    back: timedelta = BACK


def percent_fault(value: Any) -> str:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100
    return "" if fits else "should be a number above 0 and up to 100"


def read_reward(name: str, table: Mapping[str, Any], currency: str, note: Callable[[str, str], None]) -> Reward:
    """One reward of checked shapes; `note(path, text)` hears what only the whole can tell."""
    path = f"rewards.{name}"
    given = [key for key in ("amount", "percent", "free_delivery") if table.get(key)]
    if len(given) != 1:
        note(path, 'needs exactly one of amount = "5 EUR", percent = 10, free_delivery = true')
    if not table.get("points"):
        note(path, "needs points = 1 or more")
    for key in ("amount", "minimum"):
        if key in table and not str(table[key]).endswith(f" {currency}"):
            note(f"{path}.{key}", f"should be in the currency of the shop, {currency}")
    if table.get("products") and "free_delivery" in given:
        note(f"{path}.products", "free delivery is for the whole order")
    return Reward(
        name=name,
        points=table.get("points", 0),
        title=table.get("title", ""),
        amount=read_money(table.get("amount")),
        percent=Decimal(str(table["percent"])) if "percent" in table else None,
        free_delivery=table.get("free_delivery", False),
        products=tuple(table.get("products", ())),
        minimum=read_money(table.get("minimum")),
        valid=parse_span(table["valid"]) if "valid" in table else VALID,
        back=timedelta(0) if table.get("back") == "0d" else parse_span(table["back"]) if "back" in table else BACK,
    )
