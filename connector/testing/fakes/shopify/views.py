"""GraphQL's picture of the shop's rows: one class a type, one method a field, snake_case for camelCase.

A field nobody wrote a method for is an error, not a null: a fake that guesses would let a wrong query pass.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar

from graphql import GraphQLError

from connector.testing.fakes.shopify.state import Discount, Json, ShopState, Subscription, gid

MAX_PAGE = 250
IN_BULK: ContextVar[bool] = ContextVar("in_bulk", default=False)
"""Inside a bulk operation connections need no size and give everything."""


def connection(nodes: Sequence[Any], key: Callable[[Any], Any], **args: Any) -> Json:
    """A page of nodes. `args` are the field's `first`, `after`, `last`, `before`, `reverse`.

    Cursors name the node, so a page is stable while others change. Raises the error Shopify gives without a size.
    """
    rows = list(reversed(nodes)) if args.get("reverse") else list(nodes)
    first, last = args.get("first"), args.get("last")
    if IN_BULK.get():
        return {"nodes": rows, "edges": [{"node": row, "cursor": ""} for row in rows], "page_info": {}}
    if first is None and last is None:
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    size = int(first if first is not None else last or 0)
    if not 0 <= size <= MAX_PAGE:
        raise GraphQLError(f"page size must be between 0 and {MAX_PAGE}", extensions={"code": "BAD_REQUEST"})
    cursors = [base64.b64encode(str(key(row)).encode()).decode() for row in rows]
    start = _position(cursors, args.get("after")) + 1 if args.get("after") else 0
    end = _position(cursors, args.get("before")) if args.get("before") else len(rows)
    low, high = (start, min(end, start + size)) if first is not None else (max(start, end - size), end)
    page = rows[low:high]
    return {
        "nodes": page,
        "edges": [{"node": row, "cursor": cursor} for row, cursor in zip(page, cursors[low:high], strict=True)],
        "page_info": {
            "has_next_page": high < len(rows),
            "has_previous_page": low > 0,
            "start_cursor": cursors[low] if page else None,
            "end_cursor": cursors[high - 1] if page else None,
        },
    }


def _position(cursors: Sequence[str], cursor: Any) -> int:
    try:
        return cursors.index(cursor)
    except ValueError:
        raise GraphQLError("Invalid cursor for current pagination sort.", extensions={"code": "BAD_REQUEST"}) from None


def money(value: Json | None) -> Json | None:
    """A MoneyV2 or a MoneyBag from its payload form."""
    if value is None:
        return None
    if "shop_money" in value:
        return {"shop_money": money(value["shop_money"]), "presentment_money": money(value["presentment_money"])}
    amount = value["amount"]
    # GraphQL writes 20.00 as "20.0": a Decimal without its last zero.
    short = amount.rstrip("0") if "." in amount else amount
    return {"amount": short + "0" if short.endswith(".") else short, "currency_code": value["currency_code"]}


class View:
    """A row seen through one type. `plain` names fields whose value is in the row under the same name."""

    typename: ClassVar[str]
    plain: ClassVar[tuple[str, ...]] = ()

    def __init__(self, shop: ShopState, row: Any) -> None:
        self.shop = shop
        self.row = row

    def id(self) -> str:
        return gid(self.typename, self.row["id"])

    def legacy_resource_id(self) -> str:
        return str(self.row["id"])

    def utc(self, value: str | None) -> str | None:
        """GraphQL writes times in UTC with a Z where webhooks carry the shop's offset."""
        from datetime import UTC, datetime

        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if value else None

    def created_at(self) -> str | None:
        return self.utc(self.row["created_at"])

    def updated_at(self) -> str | None:
        return self.utc(self.row["updated_at"])

    def metafield(self, key: str, namespace: str = "$app") -> Json | None:
        return self.shop.metafields.get((str(self.id()), self.shop.app_namespace(namespace), key))


class AddressView(View):
    typename = "MailingAddress"
    plain = (
        "address1",
        "address2",
        "city",
        "company",
        "country",
        "first_name",
        "last_name",
        "name",
        "phone",
        "province",
        "province_code",
        "zip",
        "latitude",
        "longitude",
        "country_code",
    )

    def id(self) -> str:
        return gid("MailingAddress", self.row.get("id", 1))

    def country_code_v2(self) -> Any:
        return self.row["country_code"]


class ProductView(View):
    typename = "Product"
    plain = ("handle", "tags")

    def title(self) -> str:
        return str(self.row["article"].title)

    def vendor(self) -> str:
        return str(self.row["article"].vendor)

    def product_type(self) -> str:
        return str(self.row["article"].product_type)

    def status(self) -> str:
        return "ACTIVE"

    def is_gift_card(self) -> bool:
        return bool(self.row["article"].is_gift_card)

    def online_store_url(self) -> str:
        return f"https://{self.shop.domain}/products/{self.row['handle']}"

    def featured_media(self) -> MediaView | None:
        return MediaView(self.shop, self.row) if self.row["picture"] else None

    def featured_image(self) -> PictureView | None:
        return PictureView(self.shop, self.row) if self.row["picture"] else None


class MediaView(View):
    typename = "MediaImage"

    def preview(self) -> Json:
        return {"image": PictureView(self.shop, self.row), "status": "READY"}


class PictureView(View):
    """A product's picture. `transform` is asked of the CDN by the address, as the real one does."""

    typename = "Image"

    def url(self, transform: Json | None = None) -> str:
        width = (transform or {}).get("max_width") or (transform or {}).get("maxWidth")
        return f"{self.row['picture']}&width={width}" if width else str(self.row["picture"])


class CustomerView(View):
    typename = "Customer"
    plain = ("first_name", "last_name", "note", "email", "phone", "tax_exempt", "verified_email")

    def display_name(self) -> str:
        return f"{self.row['first_name'] or ''} {self.row['last_name'] or ''}".strip() or self.row["email"] or ""

    def tags(self) -> list[str]:
        return self.shop.customer_tags[self.row["id"]]

    def locale(self) -> str:
        placed = [o["customer_locale"] for o in self._orders()]
        return str(placed[-1] if placed else self.shop.locale)

    def state(self) -> str:
        return str(self.row["state"]).upper()

    def number_of_orders(self) -> str:
        return str(len(self._orders()))

    def amount_spent(self) -> Json:
        from decimal import Decimal

        spent = sum((Decimal(o["current_total_price"]) for o in self._orders()), Decimal(0))
        return {"amount": str(spent), "currency_code": self.shop.currency}

    def default_address(self) -> AddressView | None:
        home = self.row["default_address"]
        return AddressView(self.shop, home) if home else None

    def default_email_address(self) -> Json | None:
        if not self.row["email"]:
            return None
        consent = self.shop.consents[self.row["id"]]
        return {
            "email_address": self.row["email"],
            "valid_format": True,
            "marketing_state": str(consent["state"]).upper(),
            "marketing_opt_in_level": str(consent["opt_in_level"]).upper() if consent["opt_in_level"] else None,
            "marketing_updated_at": self.utc(consent["consent_updated_at"]),
            "marketing_unsubscribe_url": f"https://{self.shop.domain}/account/unsubscribe?token=fake",
        }

    def default_phone_number(self) -> Json | None:
        if not self.row["phone"]:
            return None
        consent = self.shop.sms_consents.get(self.row["id"]) or {"state": "not_subscribed", "consent_updated_at": None}
        state, since = str(consent["state"]).upper(), self.utc(consent["consent_updated_at"])
        return {
            "phone_number": self.row["phone"],
            # The newer type has a word of its own for who was never asked.
            "sms_marketing_consent": {
                "state": "NEVER_SUBSCRIBED" if state == "NOT_SUBSCRIBED" else state,
                "updated_at": since,
                "opt_in_level": None,
                "collected_from": None,
            },
            "marketing_state": state,
        }

    def store_credit_accounts(self, query: str | None = None, **args: Any) -> Json:
        from connector.testing.fakes.shopify.grants import credit_accounts

        return connection(credit_accounts(self.shop, self.row), lambda view: view.row["id"], **args)

    def _orders(self) -> list[Json]:
        return [o for o in self.shop.orders.values() if (o["customer"] or {}).get("id") == self.row["id"]]


class BasicDiscountView(View):
    typename = "DiscountCodeBasic"
    row: Discount

    def title(self) -> str:
        return self.row.title

    def status(self) -> str:
        return self.row.status(self.shop.clock.now())

    def usage_limit(self) -> int | None:
        return self.row.usage_limit

    def async_usage_count(self) -> int:
        return len(self.row.used_by)

    def applies_once_per_customer(self) -> bool:
        return self.row.once_per_customer

    def starts_at(self) -> str | None:
        return self.utc(self.row.starts_at.isoformat())

    def ends_at(self) -> str | None:
        return self.utc(self.row.ends_at.isoformat()) if self.row.ends_at else None

    def created_at(self) -> str | None:
        return self.utc(self.row.created_at.isoformat())

    def updated_at(self) -> str | None:
        return self.utc(self.row.updated_at.isoformat())

    def tags(self) -> list[str]:
        return list(self.row.tags)

    def codes_count(self) -> Json:
        return {"count": 1 + len(self.row.more), "precision": "EXACT"}

    def codes(self, **args: Any) -> Json:
        every = [self.row, *self.row.more]
        rows = [
            {
                "id": gid("DiscountRedeemCode", self.row.id * 1000 + place),
                "code": each.code,
                "async_usage_count": len(each.used_by),
            }
            for place, each in enumerate(every)
        ]
        return connection(rows, lambda row: row["id"], **args)

    def shareable_urls(self) -> list[Json]:
        return [{"url": f"https://{self.shop.domain}/discount/{self.row.code}", "target_type": "HOME", "title": ""}]

    def customer_gets(self) -> Json:
        if self.row.percentage is not None:
            value: Json = {"__typename": "DiscountPercentage", "percentage": float(self.row.percentage)}
        else:
            amount = {"amount": str(self.row.amount), "currency_code": self.shop.currency}
            value = {"__typename": "DiscountAmount", "amount": amount, "applies_on_each_item": False}
        items = {"__typename": "AllDiscountItems", "all_items": True}
        return {"value": value, "items": items, "applies_on_one_time_purchase": True, "applies_on_subscription": False}


class FreeDeliveryView(BasicDiscountView):
    typename = "DiscountCodeFreeShipping"


class DiscountNodeView(View):
    typename = "DiscountCodeNode"
    row: Discount

    def id(self) -> str:
        return gid("DiscountCodeNode", self.row.id)

    def code_discount(self) -> BasicDiscountView:
        return (FreeDeliveryView if self.row.free_delivery else BasicDiscountView)(self.shop, self.row)


class MetaobjectView(View):
    typename = "Metaobject"
    plain = ("type", "handle")

    def display_name(self) -> str:
        return str(next(iter(self.row["fields"].values()), self.row["handle"]))

    def fields(self) -> list[Json]:
        return [self._field(key) for key in self.row["fields"]]

    def field(self, key: str) -> Json | None:
        return self._field(key) if key in self.row["fields"] else None

    def values(self) -> Json:
        return dict(self.row["fields"])

    def capabilities(self) -> Json:
        return {"publishable": {"status": self.row["status"]} if self.row["status"] else None}

    def _field(self, key: str) -> Json:
        value = self.row["fields"][key]
        return {"key": key, "value": value, "json_value": value, "type": "single_line_text_field"}


class SubscriptionView(View):
    typename = "WebhookSubscription"
    row: Subscription

    def id(self) -> str:
        return gid("WebhookSubscription", self.row.id)

    def legacy_resource_id(self) -> str:
        return str(self.row.id)

    def topic(self) -> str:
        return topic_enum(self.row.topic)

    def uri(self) -> str:
        return self.row.uri

    callback_url = uri

    def name(self) -> str | None:
        return self.row.name

    def filter(self) -> str | None:
        return self.row.filter

    def include_fields(self) -> list[str]:
        return list(self.row.include_fields)

    def metafield_namespaces(self) -> list[str]:
        return list(self.row.metafield_namespaces)

    def metafields(self) -> list[Json]:
        return []

    def format(self) -> str:
        return "JSON"

    def created_at(self) -> str | None:
        return self.utc(self.row.created_at.isoformat())

    def updated_at(self) -> str | None:
        return self.utc(self.row.updated_at.isoformat())

    def api_version(self) -> Json:
        return {"handle": self.row.api_version, "display_name": self.row.api_version, "supported": True}


def topic_enum(topic: str) -> str:
    """Both `/` and `.` become `_` (shopify.md §1.1).

    >>> topic_enum("customer.tags_added")
    'CUSTOMER_TAGS_ADDED'
    """
    return topic.upper().replace("/", "_").replace(".", "_")
