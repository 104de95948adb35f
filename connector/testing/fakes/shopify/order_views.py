"""Orders, parcels and refunds as GraphQL shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connector.testing.fakes.shopify.state import Json, gid
from connector.testing.fakes.shopify.views import AddressView, CustomerView, ProductView, View, connection, money

FULFILLMENT_STATUS = {None: "UNFULFILLED", "partial": "PARTIALLY_FULFILLED", "fulfilled": "FULFILLED"}


def _row_id(view: View) -> Any:
    return view.row["id"]


def sent_line_id(parcel: Json, place: int) -> str:
    """The global id of a line in a parcel: the same line of the order has another in each parcel."""
    return gid("FulfillmentLineItem", parcel["id"] * 100 + place)


class LineItemView(View):
    typename = "LineItem"
    plain = (
        "title",
        "name",
        "quantity",
        "current_quantity",
        "sku",
        "variant_title",
        "vendor",
        "requires_shipping",
        "taxable",
    )

    def is_gift_card(self) -> bool:
        return bool(self.row["gift_card"])

    def unfulfilled_quantity(self) -> int:
        return int(self.row["fulfillable_quantity"])

    def refundable_quantity(self) -> int:
        return int(self.row["current_quantity"])

    def product(self) -> ProductView | None:
        product = self.shop.products.get(self.row["product_id"])
        return ProductView(self.shop, product) if product else None

    def variant(self) -> Json:
        return {
            "id": gid("ProductVariant", self.row["variant_id"]),
            "title": self.row["variant_title"] or "Default Title",
        }

    def image(self, **_size: Any) -> None:
        return None

    def selling_plan(self) -> Json | None:
        plan = self.row["selling_plan_id"]
        return {"selling_plan_id": gid("SellingPlan", plan), "name": "Tilaus"} if plan else None

    def custom_attributes(self) -> list[Json]:
        return [{"key": entry["name"], "value": entry["value"]} for entry in self.row["properties"]]

    def original_unit_price_set(self) -> Json | None:
        return money(self.row["price_set"])

    def original_total_set(self) -> Json | None:
        return self._total(Decimal(0))

    def discounted_total_set(self, with_code_discounts: bool = False) -> Json | None:
        """Line-level discounts only, unless asked: a code's part shows in the allocations."""
        return self._total(self._allocated() if with_code_discounts else Decimal(0))

    def price_after_all_discounts_before_taxes_set(self) -> Json | None:
        return self._total(self._allocated())

    def discounted_unit_price_set(self) -> Json | None:
        return money(self.row["price_set"])

    def discounted_unit_price_after_all_discounts_set(self) -> Json | None:
        quantity = self.row["quantity"]
        return self._set((Decimal(self.row["price"]) * quantity - self._allocated()) / quantity)

    def total_discount_set(self) -> Json | None:
        return self._set(self._allocated())

    def discount_allocations(self) -> list[Json]:
        return [{"allocated_amount_set": money(entry["amount_set"])} for entry in self.row["discount_allocations"]]

    def tax_lines(self) -> list[Json]:
        return [_tax_line(line) for line in self.row["tax_lines"]]

    def _allocated(self) -> Decimal:
        return sum((Decimal(entry["amount"]) for entry in self.row["discount_allocations"]), Decimal(0))

    def _total(self, off: Decimal) -> Json | None:
        return self._set(Decimal(self.row["price"]) * self.row["quantity"] - off)

    def _set(self, amount: Decimal) -> Json | None:
        order = next(o for o in self.shop.orders.values() if any(r["id"] == self.row["id"] for r in o["line_items"]))
        return money(self.shop.order_prices[order["id"]].set(amount))


def _tax_line(line: Json) -> Json:
    return {
        "title": line["title"],
        "rate": line["rate"],
        "rate_percentage": round(line["rate"] * 100, 4),
        "price_set": money(line["price_set"]),
        "channel_liable": line["channel_liable"],
        "source": None,
    }


class EventView(View):
    typename = "FulfillmentEvent"
    plain = ("message", "city", "province", "country", "zip", "address1", "latitude", "longitude")

    def status(self) -> str:
        return str(self.row["status"]).upper()

    def happened_at(self) -> str | None:
        return self.utc(self.row["happened_at"])

    def created_at(self) -> str | None:
        return self.utc(self.row["created_at"])

    def estimated_delivery_at(self) -> str | None:
        return self.utc(self.row["estimated_delivery_at"])


class FulfillmentView(View):
    typename = "Fulfillment"
    plain = ("name",)

    def status(self) -> str:
        return str(self.row["status"]).upper()

    def display_status(self) -> str:
        return str(self.row["shipment_status"] or "fulfilled").upper()

    def total_quantity(self) -> int:
        return sum(line["quantity"] for line in self.row["line_items"])

    def requires_shipping(self) -> bool:
        return any(line["requires_shipping"] for line in self.row["line_items"])

    def delivered_at(self) -> str | None:
        return self._first("delivered")

    def in_transit_at(self) -> str | None:
        return self._first("in_transit")

    def estimated_delivery_at(self) -> str | None:
        known = [e["estimated_delivery_at"] for e in self._events() if e["estimated_delivery_at"]]
        return self.utc(known[-1]) if known else None

    def tracking_info(self, first: int | None = None) -> list[Json]:
        numbers = self.row["tracking_numbers"][:first]
        urls = [*self.row["tracking_urls"], *([None] * len(numbers))]
        company = self.row["tracking_company"]
        return [{"company": company, "number": n, "url": u} for n, u in zip(numbers, urls, strict=False)]

    def events(self, **args: Any) -> Json:
        return connection([EventView(self.shop, row) for row in self._events()], _row_id, **args)

    def fulfillment_line_items(self, **args: Any) -> Json:
        rows = [
            {
                "id": sent_line_id(self.row, place),
                "quantity": line["quantity"],
                "line_item": LineItemView(self.shop, self._sold(line["id"])),
            }
            for place, line in enumerate(self.row["line_items"])
        ]
        return connection(rows, lambda row: row["id"], **args)

    def order(self) -> OrderView:
        return OrderView(self.shop, self.shop.orders[self.row["order_id"]])

    def _sold(self, line_id: int) -> Json:
        lines: list[Json] = self.shop.orders[self.row["order_id"]]["line_items"]
        return next(line for line in lines if line["id"] == line_id)

    def _events(self) -> list[Json]:
        return [e for e in self.shop.fulfillment_events.values() if e["fulfillment_id"] == self.row["id"]]

    def _first(self, status: str) -> str | None:
        return self.utc(next((e["happened_at"] for e in self._events() if e["status"] == status), None))


class RefundView(View):
    typename = "Refund"
    plain = ("note",)

    def updated_at(self) -> str | None:
        return self.created_at()

    def processed_at(self) -> str | None:
        return self.utc(self.row["processed_at"])

    def total_refunded_set(self) -> Json | None:
        prices = self.shop.order_prices[self.row["order_id"]]
        paid = sum((Decimal(t["amount"]) for t in self.row["transactions"]), Decimal(0))
        return money(prices.set(paid / prices.rate))

    def refund_line_items(self, **args: Any) -> Json:
        rows = [
            {
                "id": gid("RefundLineItem", entry["id"]),
                "quantity": entry["quantity"],
                "line_item": LineItemView(self.shop, self._sold(entry["line_item_id"])),
                "subtotal_set": money(entry["subtotal_set"]),
                "total_tax_set": money(entry["total_tax_set"]),
                "restock_type": entry["restock_type"].upper(),
                "restocked": True,
            }
            for entry in self.row["refund_line_items"]
        ]
        return connection(rows, lambda row: row["id"], **args)

    def order(self) -> OrderView:
        return OrderView(self.shop, self.shop.orders[self.row["order_id"]])

    def _sold(self, line_id: int) -> Json:
        lines: list[Json] = self.shop.orders[self.row["order_id"]]["line_items"]
        return next(line for line in lines if line["id"] == line_id)


class OrderView(View):
    typename = "Order"
    plain = (
        "name",
        "phone",
        "note",
        "test",
        "customer_locale",
        "source_name",
        "cart_token",
        "checkout_token",
        "confirmation_number",
        "confirmed",
        "payment_gateway_names",
        "taxes_included",
        "source_identifier",
        "number",
    )

    def __getattr__(self, name: str) -> Any:
        """Every `..._price_set` and `total_..._set` the payload has under the same name."""
        row = self.__dict__.get("row") or {}
        if name.endswith("_set") and name in row:
            return lambda: money(row[name])
        raise AttributeError(name)

    def email(self) -> str | None:
        return self.row["email"] or None

    def processed_at(self) -> str | None:
        return self.utc(self.row["processed_at"])

    def cancelled_at(self) -> str | None:
        return self.utc(self.row["cancelled_at"])

    def closed_at(self) -> str | None:
        return self.utc(self.row["closed_at"])

    def closed(self) -> bool:
        return self.row["closed_at"] is not None

    def cancel_reason(self) -> str | None:
        return str(self.row["cancel_reason"]).upper() if self.row["cancel_reason"] else None

    def display_financial_status(self) -> str:
        return str(self.row["financial_status"]).upper()

    def display_fulfillment_status(self) -> str:
        return FULFILLMENT_STATUS[self.row["fulfillment_status"]]

    def fully_paid(self) -> bool:
        return self.row["financial_status"] not in ("pending", "voided")

    def tags(self, first: int | None = None) -> list[str]:
        return [tag.strip() for tag in self.row["tags"].split(",") if tag.strip()][:first]

    def status_page_url(self) -> str:
        return str(self.row["order_status_url"])

    def currency_code(self) -> str:
        return str(self.row["currency"])

    def presentment_currency_code(self) -> str:
        return str(self.row["presentment_currency"])

    def custom_attributes(self) -> list[Json]:
        return [{"key": entry["name"], "value": entry["value"]} for entry in self.row["note_attributes"]]

    def discount_code(self) -> str | None:
        return next(iter(self.discount_codes()), None)

    def discount_codes(self) -> list[str]:
        return [entry["code"] for entry in self.row["discount_codes"]]

    def customer(self) -> CustomerView | None:
        short = self.row["customer"]
        return CustomerView(self.shop, self.shop.customers[short["id"]]) if short else None

    def shipping_address(self) -> AddressView | None:
        return AddressView(self.shop, self.row["shipping_address"]) if self.row["shipping_address"] else None

    def billing_address(self) -> AddressView | None:
        return AddressView(self.shop, self.row["billing_address"]) if self.row["billing_address"] else None

    def discount_applications(self, **args: Any) -> Json:
        rows = [
            {
                "__typename": "DiscountCodeApplication",
                "code": entry["code"],
                "allocation_method": entry["allocation_method"].upper(),
                "target_type": entry["target_type"].upper(),
                "target_selection": entry["target_selection"].upper(),
                "index": index,
            }
            for index, entry in enumerate(self.row["discount_applications"])
        ]
        return connection(rows, lambda row: row["index"], **args)

    def transactions(self, first: int | None = None, **_: Any) -> list[Json]:
        """The sale, when money came, and each refund's transaction."""
        paid = self.shop.paid_at.get(self.row["id"])
        sale = {"kind": "SALE", "status": "SUCCESS", "gateway": "bogus", "processed_at": self.utc(paid)}
        back = [
            {"kind": "REFUND", "status": "SUCCESS", "gateway": "bogus", "processed_at": self.utc(t["processed_at"])}
            for refund in self.row["refunds"]
            for t in refund["transactions"]
        ]
        return [*([sale] if paid else []), *back][:first]

    def requires_shipping(self) -> bool:
        return any(line["requires_shipping"] for line in self.row["line_items"])

    def line_items(self, **args: Any) -> Json:
        return connection([LineItemView(self.shop, row) for row in self.row["line_items"]], _row_id, **args)

    def fulfillments(self, first: int | None = None, query: str | None = None) -> list[FulfillmentView]:
        rows = [row for row in self.shop.fulfillments.values() if row["order_id"] == self.row["id"]]
        return [FulfillmentView(self.shop, row) for row in rows[:first]]

    def refunds(self, first: int | None = None) -> list[RefundView]:
        return [RefundView(self.shop, row) for row in self.row["refunds"][:first]]

    def tax_lines(self) -> list[Json]:
        return [_tax_line(line) for line in self.row["tax_lines"]]

    def total_refunded_set(self) -> Json | None:
        prices = self.shop.order_prices[self.row["id"]]
        paid = sum((Decimal(t["amount"]) for r in self.row["refunds"] for t in r["transactions"]), Decimal(0))
        return money(prices.set(paid / prices.rate))

    def purchasing_entity(self) -> CustomerView | None:
        return self.customer()

    def retail_location(self) -> Json | None:
        place = self.row["location_id"]
        return {"id": gid("Location", place), "name": "Myymälä"} if place else None

    def customer_journey_summary(self) -> None:
        return None

    def returns(self, **args: Any) -> Json:
        from connector.testing.fakes.shopify.returns import returns_of

        args.pop("query", None)
        return connection(returns_of(self.shop, self.row["id"]), _row_id, **args)
