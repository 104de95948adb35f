"""What happens in a shop, and which webhooks say so.

Which topics an action sends: shopify.md §1.1. Deliveries of one action share an event id (§1.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from connector.clock import Clock
from connector.testing.fakes.checkout import CheckoutRefused
from connector.testing.fakes.people import Article, Buyer
from connector.testing.fakes.shopify import orders, payloads
from connector.testing.fakes.shopify.deliveries import Delivery, Outbox, Topics
from connector.testing.fakes.shopify.orders import Basket
from connector.testing.fakes.shopify.payloads import ZERO
from connector.testing.fakes.shopify.state import Discount, Json, ShopState


class ShopLife(ShopState):
    """The merchant's and the customers' side of the fake."""

    def __init__(self, clock: Clock, domain: str, client_secret: str, **settings: Any) -> None:
        super().__init__(clock, domain, **settings)
        self.outbox = Outbox(clock, domain, client_secret)

    # --- webhooks ---

    def announce(self, topics: Sequence[str], payload: Json, event_id: str | None = None) -> str:
        """Queue the payload under each topic; the event id they share."""
        event = event_id or self.outbox.new_id()
        for topic in topics:
            self.outbox.queue(topic, payload, event)
        return event

    def deliver(
        self, url: str | None = None, *, duplicate: Topics = False, out_of_order: bool = False, hold: Topics = False
    ) -> list[Delivery]:
        """Send what is due to `url`, or, without one, to the API-made subscriptions of each topic.

        See `Outbox.send_due` for the knobs. An API-made subscription is deleted after a delivery to it was given
        up (8 retries; shopify.md §1.3). Do not call it from a request the receiver makes to this fake.
        """
        tried = self.outbox.send_due(
            lambda delivery: url or self._subscribed(delivery.topic),
            duplicate=duplicate,
            out_of_order=out_of_order,
            hold=hold,
        )
        with self.lock:
            lost = {d.topic for d in tried if d in self.outbox.dead} if url is None else set()
            for number in [n for n, s in self.subscriptions.items() if s.topic in lost]:
                del self.subscriptions[number]
        return tried

    def _subscribed(self, topic: str) -> str | None:
        with self.lock:
            return next((s.uri for s in self.subscriptions.values() if s.topic == topic), None)

    # --- people ---

    def create_customer(self, buyer: Buyer, *, tags: Sequence[str] = ()) -> Json:
        """A customer record; `customers/create`, and the consent topic when the buyer ticked the box."""
        with self.lock:
            row = payloads.customer(self, buyer)
            self.customers[row["id"]] = row
            self.customer_tags[row["id"]] = list(tags)
            self.consents[row["id"]] = {"state": "not_subscribed", "opt_in_level": None, "consent_updated_at": None}
            event = self.announce(["customers/create"], row)
            if buyer.accepts_marketing and buyer.email:
                self.set_consent(row, "subscribed", event_id=event)
            return row

    def set_birthday(self, customer: Json, date: str) -> None:
        """The standard metafield `facts.birth_date`, as an account page or another app writes it; `customers/update`,
        which does not carry it."""
        with self.lock:
            slot = (f"gid://shopify/Customer/{customer['id']}", "facts", "birth_date")
            self.metafields[slot] = {
                "id": f"gid://shopify/Metafield/{self.next_id('Metafield')}",
                "namespace": "facts",
                "key": "birth_date",
                "value": date,
                "type": "date",
            }
            customer["updated_at"] = self.stamp()
            self.announce(["customers/update"], customer)

    def set_consent(
        self,
        customer: Json,
        state: str,
        *,
        opt_in_level: str = "single_opt_in",
        event_id: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """E-mail marketing consent: `subscribed`, `unsubscribed`, `pending`, `not_subscribed`; decided `at`."""
        with self.lock:
            consent = {"state": state, "opt_in_level": opt_in_level, "consent_updated_at": self.stamp(at)}
            self.consents[customer["id"]] = consent
            body = {
                "customer_id": customer["id"],
                "email_address": customer["email"],
                "email_marketing_consent": consent,
            }
            self.announce(["customers_email_marketing_consent/update"], body, event_id)

    def set_sms_consent(self, customer: Json, state: str, at: datetime | None = None) -> None:
        """SMS marketing consent; its topic is the one without a channel in its name (shopify.md §1.1)."""
        with self.lock:
            consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": self.stamp(at)}
            self.sms_consents[customer["id"]] = consent
            body = {"id": customer["id"], "phone": customer["phone"], "sms_marketing_consent": consent}
            self.announce(["customers_marketing_consent/update"], body)

    # --- orders ---

    def place_order(
        self,
        lines: Sequence[tuple[Article, int]],
        buyer: Buyer,
        *,
        pay: bool = True,
        discount_code: str | None = None,
        attributes: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Json:
        """Go through the checkout; the order's row. `options` are further fields of `Basket`.

        A buyer with an e-mail address becomes a customer; one without stays a guest (`customer` null). Raises
        `CheckoutRefused` for a code that does not exist, is used up, expired, or meant for another.
        """
        with self.lock:
            row = self.customer_by_email(buyer.email)
            if row is None and buyer.email:
                row = self.create_customer(buyer)
            basket = Basket(lines=lines, buyer=buyer, customer=row, attributes=attributes or {}, **options)
            if discount_code is not None:
                basket = replace(basket, discount=self._redeem(discount_code, row, basket))
            order = orders.build(self, basket)
            event = self.announce(["orders/create"], order)
            if pay:
                orders.mark_paid(self, order)
                self.announce(["orders/paid", "orders/updated"], order, event)
            return order

    def _redeem(self, code: str, customer: Json | None, basket: Basket) -> Discount:
        discount = self.discount_by_code(code)
        if discount is None:
            raise CheckoutRefused("unknown_code")
        if discount.status(self.clock.now()) != "ACTIVE":
            raise CheckoutRefused("expired")
        if discount.usage_limit is not None and len(discount.used_by) >= discount.usage_limit:
            raise CheckoutRefused("used_up")
        if discount.customer_ids and (customer is None or customer["id"] not in discount.customer_ids):
            raise CheckoutRefused("not_yours")
        if discount.minimum is not None and basket.subtotal < discount.minimum:
            raise CheckoutRefused("minimum")
        who = str(customer["id"]) if customer else f"guest {basket.buyer.phone or basket.buyer.name}"
        if discount.once_per_customer and who in discount.used_by:
            raise CheckoutRefused("once")
        discount.used_by.append(who)
        return discount

    def pay(self, order: Json) -> None:
        """Money arrives for an order placed with `pay=False`."""
        with self.lock:
            orders.mark_paid(self, order)
            self.announce(["orders/paid", "orders/updated"], order)

    def edit_order(self, order: Json, **changes: Any) -> None:
        """Change plain fields of the order (`note`, `tags`, `email`); `orders/updated`."""
        with self.lock:
            order.update(changes)
            orders.touch(self, order)
            self.announce(["orders/updated"], order)

    def fulfill(
        self,
        order: Json,
        lines: Sequence[tuple[Json, int]] | None = None,
        *,
        tracking: tuple[str, str] | None = ("Posti", "JJFI66100000000000001"),
        url: str | None = None,
    ) -> Json:
        """Send a parcel with these (line row, quantity), or with all that is left; the fulfillment's row.

        `tracking` is (company, number), or `None` for a parcel nobody can follow.
        """
        with self.lock:
            content = lines or [
                (line, line["fulfillable_quantity"]) for line in order["line_items"] if line["fulfillable_quantity"]
            ]
            company, number = tracking or ("", "")
            link = url if url is not None else f"https://track.example.test/{number}" if number else ""
            parcel = payloads.fulfillment(self, order, content, company, number, link)
            self.fulfillments[parcel["id"]] = parcel
            orders.ship(self, order, parcel)
            event = self.announce(["fulfillments/create"], parcel)
            done = order["fulfillment_status"] == "fulfilled"
            self.announce(["orders/fulfilled" if done else "orders/partially_fulfilled"], order, event)
            self.announce(["orders/updated"], order, event)
            return parcel

    def carrier_event(
        self,
        parcel: Json,
        status: str,
        *,
        message: str = "",
        eta: datetime | None = None,
        at: datetime | None = None,
    ) -> Json:
        """The carrier says something: `in_transit`, `out_for_delivery`, `delivered`, `attempted_delivery` ..."""
        with self.lock:
            when = self.stamp(eta) if eta else None
            happened = payloads.fulfillment_event(self, parcel, status, message, when)
            if at is not None:
                happened["happened_at"] = self.stamp(at)
            self.fulfillment_events[happened["id"]] = happened
            parcel["shipment_status"] = status
            parcel["updated_at"] = self.stamp()
            orders.show_parcel(self, self.orders[parcel["order_id"]], parcel)
            event = self.announce(["fulfillment_events/create"], happened)
            self.announce(["fulfillments/update"], parcel, event)
            return happened

    def cancel(self, order: Json, *, reason: str = "customer", refund: bool = True) -> None:
        """Cancel; a paid order is refunded in full unless told otherwise, an unpaid one is voided."""
        with self.lock:
            order["cancelled_at"] = order["closed_at"] = self.stamp()
            order["cancel_reason"] = reason
            paid = order["financial_status"] in ("paid", "partially_refunded")
            event = self.outbox.new_id()
            if paid and refund:
                left = [(line, line["current_quantity"]) for line in order["line_items"] if line["current_quantity"]]
                self._refund(order, left, Decimal(order["current_total_price"]), "cancelled", event)
            elif not paid:
                order["financial_status"] = "voided"
            for line in order["line_items"]:
                line["fulfillable_quantity"] = 0
            orders.touch(self, order)
            self.announce(["orders/cancelled", "orders/updated"], order, event)

    def refund(
        self,
        order: Json,
        lines: Sequence[tuple[Json, int]] = (),
        amount: Decimal | str | None = None,
        *,
        note: str = "",
    ) -> Json:
        """Give money back for (line row, quantity), an amount in shop money, or both; the refund's row."""
        with self.lock:
            return self._refund(order, lines, Decimal(amount) if amount is not None else None, note, None)

    def _refund(
        self, order: Json, lines: Sequence[tuple[Json, int]], amount: Decimal | None, note: str, event: str | None
    ) -> Json:
        valued = [(line, quantity, self._value(line, quantity)) for line, quantity in lines]
        back = amount if amount is not None else sum((value for _, _, value in valued), ZERO)
        row = payloads.refund(self, order, valued, back, note)
        self.refunds[row["id"]] = row
        orders.take_back(self, order, row, back)
        event = self.announce(["refunds/create"], row, event)
        self.announce(["orders/updated"], order, event)
        return row

    def _value(self, line: Json, quantity: int) -> Decimal:
        """What this many of a line cost after the order's discount."""
        off = sum((Decimal(a["amount"]) for a in line["discount_allocations"]), ZERO)
        paid = Decimal(line["price"]) * Decimal(line["quantity"]) - off
        return (paid * quantity / Decimal(line["quantity"])).quantize(Decimal("0.01"))

    def delete_order(self, order: Json) -> None:
        """Gone for good; the body is the id alone."""
        with self.lock:
            del self.orders[order["id"]]
            self.announce(["orders/delete"], {"id": order["id"]})

    # --- the app and the law ---

    def uninstall(self) -> None:
        with self.lock:
            self.subscriptions.clear()
            self.announce(["app/uninstalled"], payloads.shop(self))

    def request_data(self, customer: Json) -> None:
        """A customer asks what is known of them."""
        body = {**self._compliance(customer), "orders_requested": self._orders_of(customer), "data_request": {"id": 1}}
        self.announce(["customers/data_request"], body)

    def redact_customer(self, customer: Json) -> None:
        """A customer asks to be forgotten."""
        self.announce(
            ["customers/redact"], {**self._compliance(customer), "orders_to_redact": self._orders_of(customer)}
        )

    def redact_shop(self) -> None:
        """48 hours after the uninstall (shopify.md §1.1)."""
        self.announce(["shop/redact"], {"shop_id": self.shop_id, "shop_domain": self.domain})

    def _compliance(self, customer: Json) -> Json:
        who = {key: customer[key] for key in ("id", "email", "phone")}
        return {"shop_id": self.shop_id, "shop_domain": self.domain, "customer": who}

    def _orders_of(self, customer: Json) -> list[int]:
        return [n for n, order in self.orders.items() if (order["customer"] or {}).get("id") == customer["id"]]
