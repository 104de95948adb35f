"""What happens in the shop, and which webhooks it queues (the table of woocommerce.md §1.5, HPOS column)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from connector.clock import Clock
from connector.testing.fakes.checkout import CheckoutRefused
from connector.testing.fakes.people import Article, Buyer
from connector.testing.fakes.woocommerce import orders
from connector.testing.fakes.woocommerce.hooks import Hook, HookQueue, Sent
from connector.testing.fakes.woocommerce.orders import Cart
from connector.testing.fakes.woocommerce.state import Json, WooState, money

TRACKING_META = "_wc_shipment_tracking_items"
USUAL_TOPICS = (
    "order.created",
    "order.updated",
    "order.deleted",
    "order.restored",
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "product.updated",
    "product.deleted",
)
INVALID_ID = {
    "order": "woocommerce_rest_shop_order_invalid_id",
    "customer": "woocommerce_rest_invalid_id",
    "product": "woocommerce_rest_product_invalid_id",
    "coupon": "woocommerce_rest_shop_coupon_invalid_id",
}


class WooLife(WooState):
    """The merchant's and the customers' side of the fake."""

    def __init__(self, clock: Clock, home: str, timezone: str, **settings: Any) -> None:
        super().__init__(clock, home, timezone, **settings)
        self.queue = HookQueue(self, self._payload)

    # --- webhooks ---

    def create_webhooks(self, delivery_url: str, secret: str, topics: Sequence[str] = USUAL_TOPICS) -> list[Hook]:
        """Register a webhook a topic, each pinged at once, as the installation by REST does."""
        return [self.queue.create(f"Kiitos {topic}", topic, delivery_url, secret) for topic in topics]

    def deliver(
        self,
        *,
        source: str | None = None,
        lose: bool | Collection[str] = False,
        limit: int | None = None,
        duplicate: bool = False,
        out_of_order: bool = False,
    ) -> list[Sent]:
        """Let the queue run, as WP-Cron does; what was tried. Payloads are made now.

        `source` poses as another site with the same secrets (a staging clone). `lose` drops deliveries (of these
        topics) on the way: they count as failures and never come again. `limit` takes only so many actions.
        `duplicate` runs each action twice, as two queue runners at once do; `out_of_order` the newest first.
        Do not call it from a request the receiver makes to this fake.
        """
        return self.queue.run(source=source, lose=lose, limit=limit, duplicate=duplicate, out_of_order=out_of_order)

    def _payload(self, hook: Hook, argument: Any) -> Json:
        if hook.demoted:
            code, message = "woocommerce_rest_cannot_view", "Sorry, you cannot view this resource."
            return {"code": code, "message": message, "data": {"status": 403}}
        if hook.resource == "action":
            return {"action": hook.event, "arg": argument}
        if hook.event == "deleted":
            return {"id": argument}
        body = self.body_of(hook.resource, argument)
        if body is None:
            return {"code": INVALID_ID[hook.resource], "message": "Invalid ID.", "data": {"status": 404}}
        return body

    def body_of(self, resource: str, number: int) -> Json | None:
        """An order, customer, product or coupon as REST and webhooks show it; `None` when it is gone."""
        rows = {"order": self.orders, "customer": self.customers, "product": self.products, "coupon": self.coupons}
        row = rows[resource].get(number)
        if row is None:
            return None
        if resource != "order":
            return self.linked(row, f"{resource}s", number)
        templates = {"embeddable": True, "href": f"{self.link(f'orders/{number}/actions/email_templates')['href']}"}
        more: Json = {"email_templates": [templates]}
        if row["customer_id"]:
            more["customer"] = [{"href": self.link(f"customers/{row['customer_id']}")["href"]}]
        return self.linked(row, "orders", number, **more)

    def _emit(self, *topics: str, of: Any) -> None:
        for topic in topics:
            self.queue.emit(topic, of)

    # --- people ---

    def create_customer(self, buyer: Buyer) -> Json:
        """An account; `customer.created` and `customer.updated`."""
        with self.lock:
            row = orders.customer(self, buyer)
            self.customers[row["id"]] = row
            self._emit("customer.created", "customer.updated", of=row["id"])
            return row

    def update_customer(self, customer: Json, **changes: Any) -> None:
        """Plain fields of an account; a `customer.created` still waiting will carry them."""
        with self.lock:
            customer.update(changes)
            self.touch(customer)
            self._emit("customer.updated", of=customer["id"])

    def delete_customer(self, customer: Json) -> None:
        """The account goes; its orders stay, as a guest's (no `order.updated`)."""
        with self.lock:
            del self.customers[customer["id"]]
            for order in self.orders.values():
                if order["customer_id"] == customer["id"]:
                    order["customer_id"] = 0
                    self.touch(order)
            self._emit("customer.deleted", of=customer["id"])

    # --- orders ---

    def place_order(
        self,
        lines: Sequence[tuple[Article, int]],
        buyer: Buyer,
        *,
        checkout: str = "block",
        status: str = "processing",
        account: bool = False,
        coupon: str | None = None,
        meta: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Json:
        """Go through a checkout; the order's row. `options` are further fields of `Cart`.

        `checkout` is `block` (`order.updated` comes before `order.created`), `classic` or `rest`. `account` makes the
        buyer a customer; otherwise `customer_id` is 0. Raises `CheckoutRefused` for a code that is not to be had.
        """
        with self.lock:
            owner = self._account(buyer) if account else None
            via = {"block": "store-api", "classic": "checkout", "rest": "rest-api"}[checkout]
            number = owner["id"] if owner else 0
            cart = Cart(
                lines=lines, buyer=buyer, customer_id=number, status=status, created_via=via, meta=meta or {}, **options
            )
            used = self._redeem(coupon, cart) if coupon is not None else None
            order = orders.build(self, replace(cart, coupon=used))
            first = ("order.updated", "order.created") if checkout == "block" else ("order.created", "order.updated")
            self._emit(*first, of=order["id"])
            self._reduce_stock(order)
            if status != "pending":
                self._emit("action.woocommerce_order_status_changed", of=order["id"])
            if owner is not None and order["date_paid"]:
                owner["is_paying_customer"] = True
                self._emit("customer.updated", of=owner["id"])
            return order

    def _account(self, buyer: Buyer) -> Json:
        wanted = (buyer.email or "").lower()
        known = next((c for c in self.customers.values() if (c["email"] or "").lower() == wanted), None)
        return known or self.create_customer(buyer)

    def coupon_by_code(self, code: str) -> Json | None:
        return next((c for c in self.coupons.values() if c["code"] == code.strip().lower()), None)

    def _redeem(self, code: str, cart: Cart) -> Json:
        """The coupon, counted as used. E-mail restrictions and limits hold (woocommerce.md §4)."""
        coupon = self.coupon_by_code(code)
        email = (cart.buyer.email or "").strip().lower()
        if coupon is None or coupon["status"] != "publish":
            raise CheckoutRefused("unknown_code")
        if coupon["date_expires_gmt"] and coupon["date_expires_gmt"] <= self.gmt(self.clock.now()):
            raise CheckoutRefused("expired")
        if coupon["usage_limit"] and coupon["usage_count"] >= coupon["usage_limit"]:
            raise CheckoutRefused("used_up")
        allowed = [pattern.lower() for pattern in coupon["email_restrictions"]]
        if allowed and not any(_email_fits(email, pattern) for pattern in allowed):
            raise CheckoutRefused("not_yours")
        if cart.gross < Decimal(coupon["minimum_amount"]):
            raise CheckoutRefused("minimum")
        who = str(cart.customer_id) if cart.customer_id else email
        if coupon["usage_limit_per_user"] and coupon["used_by"].count(who) >= coupon["usage_limit_per_user"]:
            raise CheckoutRefused("once")
        coupon["usage_count"] += 1
        coupon["used_by"].append(who)
        return coupon

    def _reduce_stock(self, order: Json) -> None:
        for line in order["line_items"]:
            product = self.products[line["product_id"]]
            product["total_sales"] += line["quantity"]
            if product["manage_stock"]:
                product["stock_quantity"] -= line["quantity"]
                self.touch(product)
                self._emit("product.updated", of=product["id"])

    def set_status(self, order: Json, status: str) -> None:
        """Move the order; a cancellation gives its coupon uses back, `refunded` makes the refund object."""
        with self.lock:
            before = order["status"]
            orders.enter_status(self, order, status)
            self.touch(order)
            self._emit("order.updated", of=order["id"])
            if status == before:
                return
            if status == "refunded" and orders.refunded(order) < Decimal(order["total"]):
                left = Decimal(order["total"]) - orders.refunded(order)
                orders.refund(self, order, left, "Order fully refunded.", (), full=True)
                self._emit("action.woocommerce_order_refunded", of=order["id"])
            if status in ("cancelled", "failed"):
                self._release_coupons(order)
            if status == "completed":
                self._emit("action.woocommerce_order_status_completed", of=order["id"])
            self._emit("action.woocommerce_order_status_changed", of=order["id"])

    def _release_coupons(self, order: Json) -> None:
        email = order["billing"]["email"].lower()
        who = str(order["customer_id"]) if order["customer_id"] else email
        for line in order["coupon_lines"]:
            coupon = self.coupon_by_code(line["code"])
            if coupon is not None and who in coupon["used_by"]:
                coupon["used_by"].remove(who)
                coupon["usage_count"] -= 1

    def add_tracking(
        self,
        order: Json,
        number: str,
        *,
        provider: str = "Posti",
        url: str = "",
        shipped_at: datetime | None = None,
        silent: bool = False,
    ) -> Json:
        """A parcel as the shipment-tracking plug-ins write it into order meta (woocommerce.md §7).

        `silent` is the old plug-in's way: no webhook, and `date_modified` stays.
        """
        with self.lock:
            known: list[Json] = next((m["value"] for m in order["meta_data"] if m["key"] == TRACKING_META), [])
            item = {
                "tracking_provider": "",
                "custom_tracking_provider": provider,
                "custom_tracking_link": url or f"https://track.example.test/{number}",
                "tracking_number": number,
                "tracking_product_code": "",
                "date_shipped": str(int((shipped_at or self.clock.now()).timestamp())),
                "products_list": "",
                "status_shipped": "1",
                "tracking_id": self.clock.token(10),
                "user_id": 1,
            }
            self.write_meta(order, [{"key": TRACKING_META, "value": [*known, item]}])
            if not silent:
                self.touch(order)
                self._emit("order.updated", of=order["id"])
            return item

    def fulfill(
        self, order: Json, lines: Sequence[tuple[Json, int]] | None = None, *, number: str = "", provider: str = "posti"
    ) -> Json:
        """A parcel by core's own fulfillments; `order.updated`, in whose body the tracking is not."""
        with self.lock:
            content = lines or [(line, line["quantity"]) for line in order["line_items"]]
            meta: list[Json] = [{"key": "_items", "value": [{"item_id": row["id"], "qty": n} for row, n in content]}]
            if number:
                link = f"https://track.example.test/{number}"
                meta += [{"key": "_tracking_number", "value": number}, {"key": "_tracking_url", "value": link}]
                meta += [{"key": "_shipment_provider", "value": provider}]
            return self.store_fulfillment(order, "fulfilled", meta)

    def store_fulfillment(self, order: Json, status: str, meta: list[Json]) -> Json:
        """Keep a fulfillment; the order shows only `_fulfillment_status`."""
        stamp = f"{self.gmt(self.clock.now())}Z"
        done = status == "fulfilled"
        entries = [*meta, {"key": "_date_fulfilled", "value": stamp}] if done else list(meta)
        row = {
            "id": self.next_id("fulfillment"),
            "entity_type": "WC_Order",
            "entity_id": str(order["id"]),
            "status": status,
            "is_fulfilled": done,
            "date_updated": stamp,
            "date_deleted": None,
            "meta_data": [{**entry, "id": self.next_id("fulfillment meta")} for entry in entries],
        }
        self.fulfillments.setdefault(order["id"], []).append(row)
        self.write_meta(order, [{"key": "_fulfillment_status", "value": "fulfilled" if done else "unfulfilled"}])
        self.touch(order)
        self._emit("order.updated", of=order["id"])
        return row

    def refund(
        self,
        order: Json,
        amount: Decimal | str | None = None,
        *,
        lines: Sequence[tuple[Json, int]] = (),
        reason: str = "",
    ) -> Json:
        """Money back: an amount, lines (row, quantity), or everything that is left; no topic of its own."""
        with self.lock:
            left = Decimal(order["total"]) - orders.refunded(order)
            worth = sum((_worth(row, n) for row, n in lines), Decimal(0))
            back = Decimal(amount) if amount is not None else worth or left
            full = back >= left
            row = orders.refund(self, order, Decimal(money(back)), reason, lines, full=full)
            self._emit("order.updated", of=order["id"])
            if full and order["status"] != "refunded":
                orders.enter_status(self, order, "refunded")
                self._emit("action.woocommerce_order_status_changed", of=order["id"])
            self._emit("action.woocommerce_order_refunded", of=order["id"])
            return row

    # --- the bin ---

    def trash(self, order: Json) -> None:
        """`order.deleted` with the id alone; the order can still be read, with status `trash`."""
        with self.lock:
            order["status_before_trash"] = order["status"]
            order["status"] = "trash"
            self.touch(order)
            self._emit("order.deleted", of=order["id"])

    def restore(self, order: Json) -> None:
        """`order.restored` with the whole body, and the status hooks fire again."""
        with self.lock:
            order["status"] = order.pop("status_before_trash")
            self.touch(order)
            self._emit("order.restored", of=order["id"])
            if order["status"] == "completed":
                self._emit("action.woocommerce_order_status_completed", of=order["id"])

    def delete_permanently(self, order: Json) -> None:
        """Gone, and only the action topic says so; an update still waiting becomes a signed error body."""
        with self.lock:
            del self.orders[order["id"]]
            self._emit("action.woocommerce_delete_order", of=order["id"])

    def trash_page(self) -> int:
        """A page or post is binned: `product.deleted` and `coupon.deleted` with the page's id, which is returned."""
        with self.lock:
            number = self.next_id("post")
            self._emit("coupon.deleted", "product.deleted", of=number)
            return number


def _worth(line: Json, quantity: int) -> Decimal:
    return (Decimal(line["total"]) + Decimal(line["total_tax"])) * quantity / Decimal(line["quantity"])


def _email_fits(email: str, pattern: str) -> bool:
    return email == pattern or (pattern.startswith("*") and email.endswith(pattern[1:]))
