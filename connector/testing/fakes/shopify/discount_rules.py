"""What Shopify accepts as a basic code discount. Codes are those of DiscountErrorCode in the 2026-10 schema."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from connector.testing.fakes.shopify.queries import number_of
from connector.testing.fakes.shopify.state import Discount, Json

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify

MAX_TEXT = 255
ROOT = "basicCodeDiscount"
BUYERS = ("all", "customers", "customerSegments", "markets")


class _Complaints:
    """The user errors gathered so far."""

    def __init__(self, root: str) -> None:
        self.rows: list[Json] = []
        self.root = root

    def add(self, code: str, message: str, *field: str) -> None:
        self.rows.append({"field": [self.root, *field], "code": code, "message": message, "extra_info": None})


def read_discount(
    shop: FakeShopify, given: Json, root: str = ROOT, *, free_delivery: bool = False
) -> tuple[Discount | None, list[Json]]:
    """The discount an input describes, a basic one or of free delivery, or the user errors that forbid it."""
    wrong = _Complaints(root)
    code = _text(wrong, given, "code", "Code")
    title = _text(wrong, given, "title", "Title")
    if code and shop.discount_by_code(code):
        wrong.add("TAKEN", "Code must be unique. Please try a different code.", "code")
    starts, ends = _time(wrong, given, "startsAt"), _time(wrong, given, "endsAt")
    if starts is None and not any("startsAt" in row["field"] for row in wrong.rows):
        wrong.add("BLANK", "Starts at can't be blank", "startsAt")
    if starts and ends and ends <= starts:
        wrong.add("END_DATE_BEFORE_START_DATE", "Ends at needs to be after starts_at", "endsAt")
    limit = given.get("usageLimit")
    if limit is not None and limit < 1:
        wrong.add("GREATER_THAN", "Usage limit must be greater than 0", "usageLimit")
    percentage, amount = (None, None) if free_delivery else _value(wrong, given.get("customerGets") or {})
    if free_delivery and not given.get("destination"):
        wrong.add("BLANK", "Destination can't be blank", "destination")
    discount_fields: dict[str, Any] = {
        "customer_ids": _buyers(shop, wrong, given),
        "minimum": _minimum(wrong, given.get("minimumRequirement") or {}),
        "free_delivery": free_delivery,
        "product_ids": _products(shop, wrong, given),
    }
    if wrong.rows or starts is None:
        return None, wrong.rows
    now = shop.clock.now()
    discount = Discount(
        id=shop.next_id("DiscountCodeNode"),
        code=code,
        title=title,
        starts_at=starts,
        ends_at=ends,
        created_at=now,
        updated_at=now,
        usage_limit=limit,
        once_per_customer=bool(given.get("appliesOncePerCustomer")),
        percentage=percentage,
        amount=amount,
        tags=tuple(given.get("tags") or ()),
        **discount_fields,
    )
    return discount, []


def _text(wrong: _Complaints, given: Json, key: str, name: str) -> str:
    text = (given.get(key) or "").strip()
    if not text:
        wrong.add("BLANK", f"{name} can't be blank", key)
    elif len(text) > MAX_TEXT:
        wrong.add("TOO_LONG", f"{name} is too long (maximum is {MAX_TEXT} characters)", key)
    return text


def _time(wrong: _Complaints, given: Json, key: str) -> datetime | None:
    if given.get(key) is None:
        return None
    try:
        at = datetime.fromisoformat(given[key])
    except (ValueError, TypeError):
        wrong.add("INVALID", f"{key} is not a date and time", key)
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _decimal(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _value(wrong: _Complaints, gets: Json) -> tuple[Decimal | None, Decimal | None]:
    """The percentage (0 to 1) and the amount; exactly one is wanted."""
    value = gets.get("value") or {}
    given = [key for key in ("percentage", "discountAmount", "discountOnQuantity") if value.get(key) is not None]
    path = ("customerGets", "value")
    if len(given) != 1 or given == ["discountOnQuantity"]:
        wrong.add("INVALID" if given else "BLANK", "Value must be exactly one of percentage and discountAmount", *path)
        return None, None
    if not gets.get("items"):
        wrong.add("BLANK", "Items in 'customer get' must be set", "customerGets", "items")
    if given == ["percentage"]:
        share = _decimal(value["percentage"])
        if share is None or not 0 < share <= 1:
            wrong.add("VALUE_OUTSIDE_RANGE", "Value must be between 0.0 and 1.0", *path, "percentage")
        return share, None
    amount = _decimal((value["discountAmount"] or {}).get("amount"))
    if amount is None or amount <= 0:
        wrong.add("GREATER_THAN", "Amount must be greater than 0", *path, "discountAmount", "amount")
    return None, amount


def _products(shop: FakeShopify, wrong: _Complaints, given: Json) -> frozenset[int]:
    """The products it is for; empty means all."""
    wanted = ((given.get("customerGets") or {}).get("items") or {}).get("products") or {}
    numbers = frozenset(number_of(text, "Product") for text in wanted.get("productsToAdd") or ())
    if not numbers <= set(shop.products):
        wrong.add("INVALID", "Product does not exist", "customerGets", "items", "products")
    return numbers


def _minimum(wrong: _Complaints, requirement: Json) -> Decimal | None:
    subtotal = (requirement.get("subtotal") or {}).get("greaterThanOrEqualToSubtotal")
    if subtotal is not None and requirement.get("quantity"):
        code = "MINIMUM_SUBTOTAL_AND_QUANTITY_RANGE_BOTH_PRESENT"
        wrong.add(code, "Minimum subtotal and quantity cannot both be set", "minimumRequirement")
    return _decimal(subtotal) if subtotal is not None else None


def _buyers(shop: FakeShopify, wrong: _Complaints, given: Json) -> frozenset[int]:
    """The customers it is bound to; empty means everybody."""
    context, older = given.get("context") or {}, given.get("customerSelection") or {}
    if context and older:
        wrong.add("CONFLICT", "Only one of context and customerSelection can be set", "context")
    chosen = [key for key in BUYERS if context.get(key)] or [key for key in BUYERS if older.get(key)]
    if len(chosen) != 1:
        wrong.add("BLANK" if not chosen else "INVALID", "Exactly one kind of buyer must be chosen", "context")
        return frozenset()
    ids = ((context or older).get("customers") or {}).get("add") or []
    numbers = frozenset(number_of(text, "Customer") for text in ids)
    if chosen == ["customers"] and (not numbers or not numbers <= set(shop.customers)):
        wrong.add("INVALID", "Customer does not exist", "context", "customers")
    return numbers
