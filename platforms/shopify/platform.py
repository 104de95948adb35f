"""The Shopify platform as Kiitos uses it: the pure adapter, and what it can do over the Admin API.

Reviews are metaobjects of the app, type `$app:review`, declared in the app's shopify.app.toml as

    [metaobjects.app.review.fields]
    product = "product_reference"        title = "single_line_text_field"      author = "single_line_text_field"
    rating = "rating"                    body = "multi_line_text_field"        submitted_at = "date_time"

with the capability `publishable`; they are held as drafts until the merchant publishes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from connector.clock import to_text
from connector.contracts import (
    Access,
    CreatesDiscounts,
    DiscountRef,
    DiscountRequest,
    FetchesOrders,
    PublishesReviews,
    ReviewRequest,
    WritesOrders,
)
from connector.errors import Refused, Transient
from connector.model import Event, Money
from platforms.shopify.adapter import ShopifyAdapter
from platforms.shopify.fetched import fetched_events, lines_page
from platforms.shopify.orders import order_deleted
from platforms.shopify.reading import ident

if TYPE_CHECKING:
    from platforms.shopify.client import AdminClient

_MOST_PAGES = 25  # a thousand lines; an order beyond that is read as far


def gid(kind: str, thing: str) -> str:
    """`gid://shopify/Order/5123` for ("Order", "5123"). Raises `Refused` for an id that is none of Shopify's."""
    if not (thing.isascii() and thing.isdecimal()):
        raise Refused(f"not the id of a Shopify {kind}", provider_code="BAD_ID")
    return f"gid://shopify/{kind}/{thing}"


class Shopify(ShopifyAdapter, CreatesDiscounts, WritesOrders, PublishesReviews, FetchesOrders):
    """Built once a process. All calls go through one client; nothing is kept of an order or a person."""

    def __init__(self, client: AdminClient | None = None) -> None:
        if client is not None:
            self._client = client

    @cached_property
    def _client(self) -> AdminClient:
        # Reading webhooks needs none of it: requests and the shopify package are imported at the first call.
        from platforms.shopify.client import AdminClient

        return AdminClient()

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        """discountCodeBasicCreate. It knows no idempotency: the code is the key.

        A code that is taken is adopted when its title is ours (an earlier attempt of which the answer was lost),
        else `Refused` with TAKEN. Only a customer's id binds a code to one person: with an e-mail alone, or for
        `new_customers_only`, the use limit has to do.
        """
        try:
            made = self._client.mutate(access, "discount_code_basic_create", {"discount": _discount(access, request)})
        except Refused as error:
            if error.provider_code not in ("TAKEN", "DUPLICATE"):
                raise
            return self._adopt(access, request)
        return _reference(request.code, made.get("codeDiscountNode"), adopted=False)

    def _adopt(self, access: Access, request: DiscountRequest) -> DiscountRef:
        data = self._client.query(access, "discount_by_code", {"code": request.code})
        node = data.get("codeDiscountNodeByCode")
        if not node:
            raise Transient("Shopify: a code is taken and yet not found", retry_after=60)
        if (node.get("codeDiscount") or {}).get("title") != request.title:
            raise Refused("the discount code exists already and is not ours", provider_code="TAKEN")
        return _reference(request.code, node, adopted=True)

    def add_tag(self, access: Access, order_id: str, tag: str) -> None:
        """tagsAdd: a tag that is there stays one tag."""
        self._client.mutate(access, "tags_add", {"id": gid("Order", order_id), "tags": [tag]})

    def add_note(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        """Append to the order's note, with a mark of `key` that says it was done.

        orderUpdate replaces the note, so it is read first; a note somebody types between the two calls is lost
        (Shopify offers no compare-and-set here).
        """
        order = gid("Order", order_id)
        found = self._client.query(access, "order_note", {"id": order}).get("order")
        if not found:
            raise Refused("the order to be noted is not there", provider_code="NOT_FOUND")
        mark = f"[kiitos {_digest(key)}]"
        present = found.get("note") or ""
        if mark in present:
            return
        changed = f"{present}\n{note} {mark}" if present else f"{note} {mark}"
        self._client.mutate(access, "order_note_update", {"input": {"id": order, "note": changed}})

    def publish_review(self, access: Access, request: ReviewRequest) -> str:
        """metaobjectUpsert as a draft, under a handle made of the key: a repeat meets itself.

        The author's e-mail stays with us: metaobjects may be shown in the storefront.
        """
        rating = {"scale_min": "1.0", "scale_max": "5.0", "value": f"{request.rating}.0"}
        fields = {
            "product": gid("Product", request.product_id),
            "rating": json.dumps(rating),
            "title": request.title,
            "body": request.text,
            "author": request.author_name,
            "submitted_at": to_text(request.at),
        }
        variables = {
            "handle": {"type": "$app:review", "handle": f"review-{_digest(request.key)}"},
            "review": {
                "fields": [{"key": name, "value": value} for name, value in fields.items()],
                "capabilities": {"publishable": {"status": "DRAFT"}},
            },
        }
        made = self._client.mutate(access, "review_upsert", variables).get("metaobject") or {}
        return _made_id(made, "review_upsert")

    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]:
        """The order as it is now, in the events of its webhooks.

        An order that cannot be seen is `order.deleted` only where the app may read all orders. Without that scope
        Shopify hides orders of more than 60 days, and such an order is `Refused` with NOT_VISIBLE, not called deleted.
        """
        order: Mapping[str, Any] | None = None
        lines: list[Mapping[str, Any]] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            data = self._client.query(access, "order", {"id": gid("Order", order_id), "after": after})
            found = data.get("order")
            if not found:
                return (self._gone(access, order_id, data),)
            order = order or found
            page, after = lines_page(found)
            lines.extend(page)
            if after is None:
                break
        return fetched_events(order or {}, lines, access.shop)

    def _gone(self, access: Access, order_id: str, data: Mapping[str, Any]) -> Event:
        scopes = (data.get("currentAppInstallation") or {}).get("accessScopes") or ()
        if not any(scope.get("handle") == "read_all_orders" for scope in scopes):
            raise Refused(
                "the order is deleted, or older than 60 days: grant the scope read_all_orders to tell",
                provider_code="NOT_VISIBLE",
            )
        return order_deleted(order_id, access.clock.now())

    def close(self) -> None:
        """Give back connections. Idempotent."""
        if "_client" in vars(self):
            self._client.close()


def _discount(access: Access, request: DiscountRequest) -> dict[str, Any]:
    """DiscountCodeBasicInput. Amounts of discounts are in the shop's currency; another one is `Refused`."""
    context: dict[str, Any] = {"all": "ALL"}
    if request.customer_id:
        context = {"customers": {"add": [gid("Customer", request.customer_id)]}}
    if request.amount is not None:
        value: dict[str, Any] = {
            "discountAmount": {"amount": _in_shop_currency(access, request.amount), "appliesOnEachItem": False}
        }
    elif request.percent is not None:
        value = {"percentage": float(request.percent / 100)}
    else:
        raise Refused("a discount needs an amount or a percentage", provider_code="BLANK")
    found: dict[str, Any] = {
        "title": request.title,
        "code": request.code,
        "startsAt": to_text(request.starts_at),
        "endsAt": to_text(request.ends_at) if request.ends_at else None,
        "usageLimit": request.usage_limit,
        "appliesOncePerCustomer": request.once_per_customer,
        "context": context,
        "customerGets": {"items": {"all": True}, "value": value},
        "combinesWith": {"orderDiscounts": False, "productDiscounts": False, "shippingDiscounts": True},
    }
    if request.minimum is not None:
        least = _in_shop_currency(access, request.minimum)
        found["minimumRequirement"] = {"subtotal": {"greaterThanOrEqualToSubtotal": least}}
    return found


def _in_shop_currency(access: Access, amount: Money) -> str:
    if amount.currency != access.shop.currency:
        raise Refused(
            f"discounts of shop {access.shop.id} are in {access.shop.currency}, not {amount.currency}",
            provider_code="CURRENCY",
        )
    return str(amount.amount)


def _reference(code: str, node: Mapping[str, Any] | None, *, adopted: bool) -> DiscountRef:
    urls = ((node or {}).get("codeDiscount") or {}).get("shareableUrls") or ()
    return DiscountRef(
        code=code,
        platform_id=_made_id(node or {}, "discount_code_basic_create"),
        adopted=adopted,
        url=next((each.get("url") for each in urls if each.get("url")), None),
    )


def _made_id(node: Mapping[str, Any], name: str) -> str:
    """The id of what was made. Without one nobody can say whether it was."""
    found = ident(node.get("id"))
    if found is None:
        raise Transient(f"Shopify {name}: an answer without an id", maybe_done=True)
    return found


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:16]
