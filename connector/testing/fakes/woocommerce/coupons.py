"""Coupons by REST (woocommerce.md §4): what is accepted, refused and silently dropped."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from connector.testing.fakes.web import Request, Response
from connector.testing.fakes.woocommerce import listing
from connector.testing.fakes.woocommerce.answers import error, invalid_param, missing_params, ok
from connector.testing.fakes.woocommerce.state import Json, money

if TYPE_CHECKING:
    from connector.testing.fakes.woocommerce.shop import FakeWoo

TYPES = ("percent", "fixed_cart", "fixed_product")
AMOUNTS = ("amount", "minimum_amount", "maximum_amount")
PLAIN = (
    "description",
    "individual_use",
    "product_ids",
    "excluded_product_ids",
    "usage_limit",
    "usage_limit_per_user",
    "limit_usage_to_x_items",
    "free_shipping",
    "exclude_sale_items",
)


def create(woo: FakeWoo, given: Json) -> Response:
    if "code" not in given:
        return missing_params("code")
    if refused := check(given):
        return refused
    code = str(given["code"]).strip().lower()
    if woo.coupon_by_code(code):
        return error(400, "woocommerce_rest_coupon_code_already_exists", "The coupon code already exists")
    row = _empty(woo, code)
    write(woo, row, given)
    woo.coupons[row["id"]] = row
    woo.queue.emit("coupon.created", row["id"])
    body = woo.linked(row, "coupons", row["id"])
    return ok(body, 201, [("Location", body["_links"]["self"][0]["href"])])


def update(woo: FakeWoo, row: Json, given: Json) -> Response:
    if refused := check({"discount_type": row["discount_type"], "amount": row["amount"], **given}):
        return refused
    other = woo.coupon_by_code(str(given.get("code", "")))
    if other is not None and other is not row:
        return error(400, "woocommerce_rest_coupon_code_already_exists", "The coupon code already exists")
    if given.get("code"):
        row["code"] = str(given["code"]).strip().lower()
    write(woo, row, given)
    woo.queue.emit("coupon.updated", row["id"])
    return ok(woo.linked(row, "coupons", row["id"]))


def listed(woo: FakeWoo, request: Request) -> Response:
    """`?code=` compares without case."""
    rows = [row for row in woo.coupons.values() if row["status"] == "publish"]
    if code := request.last("code"):
        rows = [row for row in rows if row["code"] == code.strip().lower()]
    return listing.page(request, [woo.linked(row, "coupons", row["id"]) for row in reversed(rows)])


def check(given: Json) -> Response | None:
    """The refusal of a bad type or amount, or `None`."""
    kind = given.get("discount_type", "fixed_cart")
    if kind not in TYPES:
        message = "discount_type is not one of percent, fixed_cart, and fixed_product."
        return invalid_param("discount_type", message, "rest_not_in_enum")
    amount = _decimal(given.get("amount", "0"))
    if amount < 0 or (kind == "percent" and amount > 100):
        return error(400, "coupon_invalid_amount", "Invalid discount amount.")
    return None


def write(woo: FakeWoo, row: Json, given: Json) -> None:
    """Take over what the API takes over. `date_expires_gmt` is not: such a coupon never expires."""
    row["discount_type"] = given.get("discount_type", row["discount_type"])
    for key in AMOUNTS:
        if key in given:
            row[key] = money(_decimal(given[key]))
    row.update({key: given[key] for key in PLAIN if key in given})
    if "email_restrictions" in given:
        row["email_restrictions"] = [str(address).strip().lower() for address in given["email_restrictions"]]
    if "date_expires" in given:
        text = given["date_expires"]
        at = datetime.fromisoformat(text) if text else None
        if at is not None and at.tzinfo is None:
            at = at.replace(tzinfo=woo.timezone)
        woo.set_date(row, "date_expires", at)
    woo.write_meta(row, given.get("meta_data") or [])
    woo.touch(row)


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)


def _empty(woo: FakeWoo, code: str) -> Json:
    row: Json = {
        "id": woo.next_id("post"),
        "code": code,
        "amount": "0.00",
        "status": "publish",
        **dict.fromkeys(("date_created", "date_created_gmt", "date_modified", "date_modified_gmt")),
        "discount_type": "fixed_cart",
        "description": "",
        "date_expires": None,
        "date_expires_gmt": None,
        "usage_count": 0,
        "individual_use": False,
        "product_ids": [],
        "excluded_product_ids": [],
        "usage_limit": None,
        "usage_limit_per_user": None,
        "limit_usage_to_x_items": None,
        "free_shipping": False,
        "product_categories": [],
        "excluded_product_categories": [],
        "exclude_sale_items": False,
        "minimum_amount": "0.00",
        "maximum_amount": "0.00",
        "email_restrictions": [],
        "used_by": [],
        "meta_data": [],
    }
    woo.set_date(row, "date_created", woo.clock.now())
    return row
