"""What a shop does on request: its own mails again, a batch of coupons, meta of an account."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from connector.testing.fakes.web import Request, Response
from connector.testing.fakes.woocommerce import coupons
from connector.testing.fakes.woocommerce.answers import error, invalid_param, no_route, ok
from connector.testing.fakes.woocommerce.state import Json

if TYPE_CHECKING:
    from connector.testing.fakes.woocommerce.shop import FakeWoo

MOST_IN_A_BATCH = 100
# Those the captured shop offered for an order, and all it knows by name (rest/140 and 173 of the shared captures).
TEMPLATES = (
    (
        "customer_completed_order",
        "Completed order",
        "Send an email to customers notifying them that their order is complete and has been shipped",
    ),
    (
        "customer_invoice",
        "Order details",
        "Manually send an email to your customers containing their order information and payment links",
    ),
    (
        "customer_refunded_order",
        "Refunded order",
        "Send an email to customers notifying them when an order has been partially or fully refunded",
    ),
)
TEMPLATE_IDS = (
    "new_order",
    "cancelled_order",
    "customer_cancelled_order",
    "failed_order",
    "customer_failed_order",
    "customer_on_hold_order",
    "customer_processing_order",
    "customer_completed_order",
    "customer_refunded_order",
    "customer_invoice",
    "customer_note",
    "customer_reset_password",
    "customer_new_account",
    "admin_payment_gateway_enabled",
    "customer_pos_completed_order",
    "customer_pos_refunded_order",
    "customer_verify_email",
)


def list_templates(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    """Since 9.8; older shops have no such route."""
    if not woo.order_actions:
        return no_route()
    if int(found[1]) not in woo.orders:
        return error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
    return ok([{"id": name, "title": title, "description": text} for name, title, text in TEMPLATES])


def send_email(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    """To the billing address; another one is refused while there is one."""
    if not woo.order_actions:
        return no_route()
    name = given.get("template_id")
    if name not in TEMPLATE_IDS:
        words = ", ".join(TEMPLATE_IDS[:-1]) + f", and {TEMPLATE_IDS[-1]}"
        return invalid_param("template_id", f"template_id is not one of {words}.", "rest_not_in_enum")
    title = next((title for each, title, _ in TEMPLATES if each == name), str(name))
    return _mailed(woo, given, int(found[1]), title, f"Email template &quot;{title}&quot; sent to")


def send_order_details(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    if not woo.order_actions:
        return no_route()
    return _mailed(woo, given, int(found[1]), "Order details", "Order details sent to")


def _mailed(woo: FakeWoo, given: Json, number: int, title: str, words: str) -> Response:
    order = woo.orders.get(number)
    if order is None:
        return error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
    address = order["billing"]["email"]
    if given.get("email") and address and given["email"] != address:
        return error(400, "woocommerce_rest_order_billing_email_exists", "Order already has a billing email.")
    woo.mails.append((number, title, address))
    # The shop notes each mail it sends, in its own language (rest/105).
    woo.add_note(number, f'Email "{title}" sent.')
    return ok({"message": f"{words} {address}."})


def batch_coupons(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    """200 whatever becomes of each: a row that failed has id 0 and an `error`."""
    rows = given.get("create") or []
    if len(rows) + len(given.get("update") or []) + len(given.get("delete") or []) > MOST_IN_A_BATCH:
        text = "Unable to accept more than 100 items for this request."
        return error(413, "woocommerce_rest_request_entity_too_large", text)
    made = []
    for row in rows:
        body = json.loads(coupons.create(woo, row).body)
        made.append({"id": 0, "error": body} if "code" in body and "message" in body else body)
    return ok({"create": made})


def put_customer(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    """Meta and names of an account; `customer.updated` follows each write."""
    row = woo.customers.get(int(found[1]))
    if row is None:
        return error(400, "woocommerce_rest_invalid_id", "Invalid resource ID.")
    woo.write_meta(row, given.get("meta_data") or [])
    plain = {key: given[key] for key in ("first_name", "last_name", "email") if key in given}
    woo.update_customer(row, **plain)
    return ok(woo.linked(row, "customers", row["id"]))
