"""The REST routes of wc/v3 this product and its neighbours use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connector.testing.fakes.web import Request, Response
from connector.testing.fakes.woocommerce import actions, coupons, listing, orders, reviews, settings
from connector.testing.fakes.woocommerce.answers import error, invalid_param, missing_params, no_route, ok
from connector.testing.fakes.woocommerce.hooks import valid_topic
from connector.testing.fakes.woocommerce.state import VERSION, WRITABLE_STATUSES, Json

if TYPE_CHECKING:
    from connector.testing.fakes.woocommerce.shop import FakeWoo

Answer = Callable[["FakeWoo", Request, re.Match[str]], Response]
WRITES = ("POST", "PUT", "PATCH")


def dispatch(woo: FakeWoo, request: Request) -> Response:
    """Find the route; 404 `rest_no_route` when there is none."""
    path = request.path.removeprefix("/wp-json/wc/v3").rstrip("/")
    for pattern, methods in ROUTES:
        found = re.fullmatch(pattern, path)
        if found is None:
            continue
        answer = methods.get("PUT" if request.method in ("PATCH", "PUT") else request.method)
        if answer is None and request.method == "POST":
            answer = methods.get("PUT")  # POST to an object edits it, as PUT does
        return answer(woo, request, found) if answer else no_route()
    return no_route()


def body_of(request: Request) -> Json | Response:
    """The JSON object of a write, or WordPress's error."""
    try:
        given = json.loads(request.body or b"{}")
    except ValueError:
        data = {"json_error_code": 4, "json_error_message": "Syntax error"}
        return error(400, "rest_invalid_json", "Invalid JSON body passed.", **data)
    return given if isinstance(given, dict) else {}


def _written(handler: Callable[[FakeWoo, Json, re.Match[str]], Response]) -> Answer:
    """A route that takes a JSON object."""

    def answer(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
        given = body_of(request)
        return given if isinstance(given, Response) else handler(woo, given, found)

    return answer


# --- orders ---


def _order(woo: FakeWoo, found: re.Match[str]) -> Json | None:
    return woo.orders.get(int(found[1]))


def _unknown_order() -> Response:
    return error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")


def list_orders(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    return listing.orders(woo, request)


def get_order(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    body = woo.body_of("order", int(found[1]))
    return ok(_shown(body)) if body else _unknown_order()


def _shown(body: Json) -> Json:
    return {key: value for key, value in body.items() if key != "status_before_trash"}


def put_order(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    """Even an empty PUT queues `order.updated`: the echo (woocommerce.md §1.5)."""
    order = _order(woo, found)
    if order is None:
        return error(400, "woocommerce_rest_shop_order_invalid_id", "ID is invalid.")
    status = given.get("status", order["status"])
    if status not in WRITABLE_STATUSES and status != order["status"]:
        words = ", ".join(WRITABLE_STATUSES[:-1]) + f", and {WRITABLE_STATUSES[-1]}"
        return invalid_param("status", f"status is not one of {words}.", "rest_not_in_enum")
    if not isinstance(given.get("meta_data", []), list):
        return invalid_param("meta_data", "meta_data is not of type array.", "rest_invalid_type")
    woo.write_meta(order, given.get("meta_data") or [])
    order["customer_note"] = given.get("customer_note", order["customer_note"])
    woo.set_status(order, status)
    return ok(_shown(woo.body_of("order", order["id"]) or {}))


def delete_order(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    """The bin, or with `force=true` for good; the answer shows the old status."""
    order = _order(woo, found)
    if order is None:
        return _unknown_order()
    body = _shown(woo.body_of("order", order["id"]) or {})
    if request.last("force") in ("true", "1"):
        woo.delete_permanently(order)
    else:
        woo.trash(order)
    return ok(body)


def list_notes(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    if _order(woo, found) is None:
        return error(404, "woocommerce_rest_order_invalid_id", "Invalid order ID.")
    kind = request.last("type") or "any"
    wanted = {"customer": (True,), "internal": (False,)}.get(kind, (True, False))
    return ok(
        [_note(woo, int(found[1]), n) for n in reversed(woo.notes[int(found[1])]) if n["customer_note"] in wanted]
    )


def post_note(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    """A private note says nothing to anybody; a customer's note mails them and fires its action topics."""
    if _order(woo, found) is None:
        return error(404, "woocommerce_rest_order_invalid_id", "Invalid order ID.")
    if "note" not in given:
        return missing_params("note")
    number = int(found[1])
    note = woo.add_note(number, str(given["note"]), customer=bool(given.get("customer_note")))
    body = _note(woo, number, note)
    return ok(body, 201, [("Location", body["_links"]["self"][0]["href"])])


def _note(woo: FakeWoo, order_id: int, row: Json) -> Json:
    path = f"orders/{order_id}/notes"
    up = [{"href": woo.link(f"orders/{order_id}")["href"]}]
    body = woo.linked(row, path, row["id"], up=up)
    body["_links"]["self"] = [woo.link(f"{path}/{row['id']}", ("GET", "DELETE"))]
    return body


def list_refunds(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    if _order(woo, found) is None:
        return error(404, "woocommerce_rest_invalid_order_id", "Invalid order ID.")
    rows = [r for r in reversed(woo.refunds.values()) if r["parent_id"] == int(found[1])]
    return listing.page(request, [_refund(woo, row) for row in rows])


def post_refund(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    """Too much is a 500 whose `data` is a bare number (woocommerce.md §3)."""
    order = _order(woo, found)
    if order is None:
        return error(404, "woocommerce_rest_invalid_order_id", "Invalid order ID.")
    left = Decimal(order["total"]) - orders.refunded(order)
    if Decimal(str(given.get("amount", "0"))) > left:
        code = "woocommerce_rest_cannot_create_order_refund"
        return ok({"code": code, "message": "Invalid refund amount.", "data": 500}, 500)
    row = woo.refund(order, str(given.get("amount", "0")), reason=str(given.get("reason", "")))
    return ok(_refund(woo, {**row, "parent_id": order["id"]}), 201)


def _refund(woo: FakeWoo, row: Json) -> Json:
    path = f"orders/{row['parent_id']}/refunds"
    up = [{"href": woo.link(f"orders/{row['parent_id']}")["href"]}]
    plain = {key: value for key, value in row.items() if key != "parent_id"}
    body = woo.linked(plain, path, row["id"], up=up)
    body["_links"]["self"] = [woo.link(f"{path}/{row['id']}", ("GET", "DELETE"))]
    return body


def list_fulfillments(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    """Behind a feature flag; `is_fulfilled` is the text "1" here and a boolean when created."""
    if "fulfillments" not in woo.features:
        return no_route()
    rows = woo.fulfillments.get(int(found[1]), [])
    return ok([{**row, "is_fulfilled": "1" if row["is_fulfilled"] else "0"} for row in rows])


def post_fulfillment(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    order = _order(woo, found)
    if "fulfillments" not in woo.features:
        return no_route()
    if order is None:
        return _unknown_order()
    meta = [entry for entry in given.get("meta_data", []) if isinstance(entry, dict)]
    if not any(entry.get("key") == "_items" and entry.get("value") for entry in meta):
        return error(400, 0, "The fulfillment should contain at least one item.")
    status = "fulfilled" if given.get("is_fulfilled") or given.get("status") == "fulfilled" else "unfulfilled"
    return ok(woo.store_fulfillment(order, status, meta), 201)


# --- coupons, products, reviews, customers ---


def list_coupons(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    return coupons.listed(woo, request)


def post_coupon(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    return coupons.create(woo, given)


def get_coupon(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    body = woo.body_of("coupon", int(found[1]))
    return ok(body) if body else error(404, "woocommerce_rest_shop_coupon_invalid_id", "Invalid ID.")


def put_coupon(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    row = woo.coupons.get(int(found[1]))
    if row is None:
        return error(400, "woocommerce_rest_shop_coupon_invalid_id", "ID is invalid.")
    return coupons.update(woo, row, given)


def list_products(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    return listing.products(woo, request)


def get_product(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    body = woo.body_of("product", int(found[1]))
    return ok(body) if body else error(404, "woocommerce_rest_product_invalid_id", "Invalid ID.")


def list_reviews(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    return reviews.listed(woo, request)


def post_review(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    return reviews.create(woo, given)


def get_review(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    row = woo.reviews.get(int(found[1]))
    return (
        ok(reviews.linked(woo, row)) if row else error(404, "woocommerce_rest_review_invalid_id", "Invalid review ID.")
    )


def put_review(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    row = woo.reviews.get(int(found[1]))
    if row is None:
        return error(404, "woocommerce_rest_review_invalid_id", "Invalid review ID.")
    return reviews.update(woo, row, given)


def delete_review(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    row = woo.reviews.get(int(found[1]))
    if row is None:
        return error(404, "woocommerce_rest_review_invalid_id", "Invalid review ID.")
    return reviews.delete(woo, request, row)


def list_customers(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    """Registered ones only; `email` compares without case."""
    wanted = (request.last("email") or "").lower()
    rows = [row for row in woo.customers.values() if not wanted or (row["email"] or "").lower() == wanted]
    rows.sort(key=lambda row: row["id"], reverse=request.last("order") != "asc")
    return listing.page(request, [woo.linked(row, "customers", row["id"]) for row in rows])


def get_customer(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    body = woo.body_of("customer", int(found[1]))
    return ok(body) if body else error(404, "wc_user_invalid_id", "Invalid user ID.")


# --- webhooks and the system ---


def list_webhooks(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    rows = [hook for hook in woo.queue.hooks.values() if (request.last("status") or "all") in ("all", hook.status)]
    rows.sort(key=lambda hook: hook.id, reverse=request.last("order") != "asc")
    return listing.page(request, [woo.queue.body(hook) for hook in rows])


def post_webhook(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    """201 and active whatever the ping got. Runs without the shop's lock: the ping's receiver may call back."""
    if not valid_topic(given.get("topic")):
        text = "Webhook topic is required and must be valid."
        return error(400, "woocommerce_rest_shop_webhook_invalid_topic", text)
    if urlsplit(str(given.get("delivery_url", ""))).scheme not in ("http", "https"):
        text = "Webhook delivery URL must be a valid URL starting with http:// or https://."
        return error(400, "woocommerce_rest_shop_webhook_invalid_delivery_url", text)
    name = str(given.get("name") or "Webhook created on " + woo.local(woo.clock.now()))
    secret = str(given.get("secret") or woo.clock.token(31))
    body = woo.queue.body(woo.queue.create(name, given["topic"], given["delivery_url"], secret))
    return ok(body, 201, [("Location", body["_links"]["self"][0]["href"])])


def _unknown_webhook() -> Response:
    return error(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")


def get_webhook(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    hook = woo.queue.hooks.get(int(found[1]))
    return ok(woo.queue.body(hook)) if hook else _unknown_webhook()


def put_webhook(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    """Re-enabling leaves the count of failures: the next one disables again. A new address is pinged."""
    hook = woo.queue.hooks.get(int(found[1]))
    if hook is None:
        return error(400, "woocommerce_rest_shop_webhook_invalid_id", "ID is invalid.")
    moved = given.get("delivery_url", hook.delivery_url) != hook.delivery_url
    hook.status = given.get("status", hook.status)
    hook.name = given.get("name", hook.name)
    hook.secret = given.get("secret", hook.secret)
    hook.delivery_url = given.get("delivery_url", hook.delivery_url)
    woo.touch(hook.row)
    if moved and hook.status == "active":
        woo.queue.ping(hook)
    return ok(woo.queue.body(hook))


def delete_webhook(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    hook = woo.queue.hooks.get(int(found[1]))
    if hook is None:
        return _unknown_webhook()
    if request.last("force") not in ("true", "1"):
        return error(501, "woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.")
    del woo.queue.hooks[hook.id]
    return ok(woo.queue.body(hook))


def system_status(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    """The parts a connecting app reads; the real answer has many more."""
    plugin = {"plugin": "woocommerce/woocommerce.php", "name": "WooCommerce", "version": VERSION}
    plugin.update(version_latest=VERSION, url="https://woocommerce.com/", author_name="Automattic")
    environment: Json = {
        "home_url": woo.home,
        "site_url": woo.home,
        "store_id": woo.store_id,
        "version": VERSION,
        "wp_version": "7.1",
    }
    environment.update(
        wp_multisite=False, wp_cron=woo.cron, language=woo.language, php_version="8.2.36", default_timezone="UTC"
    )
    options: Json = {"currency": woo.currency, "number_of_decimals": 2, "HPOS_enabled": True}
    options.update(HPOS_sync_enabled=False, enabled_features=woo.features)
    return ok(
        {
            "environment": environment,
            "database": {"wc_database_version": VERSION, "database_prefix": "wp_"},
            "active_plugins": [{**plugin, "author_url": "https://woocommerce.com", "network_activated": False}],
            "inactive_plugins": [],
            "dropins_mu_plugins": {"dropins": [], "mu_plugins": []},
            "theme": {"name": "Storefront", "version": "4.6.2"},
            "settings": options,
            "security": {"secure_connection": woo.home.startswith("https"), "hide_errors": True},
            "pages": [],
            "post_type_counts": [],
            "logging": {},
        }
    )


def not_here(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    """A real route the fake does not have: said plainly, so that nobody takes it for WooCommerce's answer."""
    woo.gaps.append(f"{request.method} {request.path}")
    return error(501, "fake_gap", f"the fake WooCommerce has no {request.method} {request.path}")


_WRITE_ORDER, _NUMBER = _written(put_order), r"/(\d+)"
ROUTES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/orders", {"GET": list_orders, "POST": not_here}),
    (f"/orders{_NUMBER}", {"GET": get_order, "PUT": _WRITE_ORDER, "DELETE": delete_order}),
    (f"/orders{_NUMBER}/notes", {"GET": list_notes, "POST": _written(post_note)}),
    (f"/orders{_NUMBER}/refunds", {"GET": list_refunds, "POST": _written(post_refund)}),
    (f"/orders{_NUMBER}/fulfillments", {"GET": list_fulfillments, "POST": _written(post_fulfillment)}),
    (f"/orders{_NUMBER}/actions/email_templates", {"GET": actions.list_templates}),
    (f"/orders{_NUMBER}/actions/send_email", {"POST": _written(actions.send_email)}),
    (f"/orders{_NUMBER}/actions/send_order_details", {"POST": _written(actions.send_order_details)}),
    ("/coupons/batch", {"POST": _written(actions.batch_coupons)}),
    ("/coupons", {"GET": list_coupons, "POST": _written(post_coupon)}),
    (f"/coupons{_NUMBER}", {"GET": get_coupon, "PUT": _written(put_coupon), "DELETE": not_here}),
    ("/products", {"GET": list_products, "POST": not_here}),
    (f"/products{_NUMBER}", {"GET": get_product, "PUT": not_here, "DELETE": not_here}),
    ("/products/reviews", {"GET": list_reviews, "POST": _written(post_review)}),
    (f"/products/reviews{_NUMBER}", {"GET": get_review, "PUT": _written(put_review), "DELETE": delete_review}),
    ("/customers", {"GET": list_customers, "POST": not_here}),
    (f"/customers{_NUMBER}", {"GET": get_customer, "PUT": _written(actions.put_customer), "DELETE": not_here}),
    ("/webhooks", {"GET": list_webhooks, "POST": _written(post_webhook)}),
    (f"/webhooks{_NUMBER}", {"GET": get_webhook, "PUT": _written(put_webhook), "DELETE": delete_webhook}),
    ("/system_status", {"GET": system_status}),
    (r"/settings/([a-z_-]+)", {"GET": settings.list_group}),
    (r"/settings/([a-z_-]+)/([a-z_-]+)", {"GET": settings.get_setting, "PUT": _written(settings.put_setting)}),
    (
        r"/(?:reports|data|taxes|shipping|payment_gateways|orders/batch)\b.*",
        {"GET": not_here, "POST": not_here},
    ),
)
