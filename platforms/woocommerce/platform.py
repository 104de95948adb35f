"""What we can do to a WooCommerce shop (facts/woocommerce.md section 4).

POST has no idempotency key, so each write looks first, or lets a name of its own collide: a coupon its code, a review
its text, a note its marker, a tag its presence.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

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
from connector.model import Event, EventKind, Money, Ref
from platforms.woocommerce.adapter import WooCommerceAdapter
from platforms.woocommerce.events import order_events
from platforms.woocommerce.fields import ident, items, label, line, local_text
from platforms.woocommerce.orders import TAGS_META
from platforms.woocommerce.payloads import OrderBody, shaped

if TYPE_CHECKING:
    from platforms.woocommerce.client import Connections, ShopApi

DUPLICATE_COUPON = "woocommerce_rest_coupon_code_already_exists"
DUPLICATE_REVIEW = "woocommerce_rest_comment_duplicate"
NO_ORDER = "woocommerce_rest_shop_order_invalid_id"
NO_ROUTE = "rest_no_route"
COUPON_META = "_kiitos_key"
_REVIEW_PAGES = 5


class WooCommerce(WooCommerceAdapter, CreatesDiscounts, WritesOrders, PublishesReviews, FetchesOrders):
    """The platform `woocommerce`. Needs a read_write key, best of a shop_manager made for it."""

    @cached_property
    def _connections(self) -> Connections:
        # Reading webhooks needs none of it: requests and the woocommerce package are imported at the first call.
        from platforms.woocommerce.client import Connections

        return Connections()

    # -- coupons ---------------------------------------------------------------------------------------------------

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        """POST /coupons. A code that is there already is adopted only if an earlier attempt of ours made it.

        WooCommerce knows no start date and no limit to new customers: `starts_at` and `new_customers_only` are not
        enforced by the shop (see `quirks`). Amounts are in the shop's own currency.
        Raises `Transient`, `AuthExpired`, `Refused`.
        """
        api = self._connections.to(access)
        try:
            made = api.post("coupons", coupon_body(access, request, _bound_email(api, request)))
        except Refused as error:
            if error.provider_code != DUPLICATE_COUPON:
                raise
            return _adopt(api, request)
        return DiscountRef(code=str(_got(made, "code")), platform_id=str(_got(made, "id")))

    # -- orders ----------------------------------------------------------------------------------------------------

    def add_tag(self, access: Access, order_id: str, tag: str) -> None:
        """Keep the tag in the order's meta `_kiitos_tags`: WooCommerce orders have no tags.

        Each write of meta sends `order.updated` back to us, so nothing is written that is already there.
        """
        api = self._connections.to(access)
        path = f"orders/{_numeric(order_id)}"
        order = _object(api.get(path, params={"_fields": ["id", "meta_data"]}))
        tags = [value for value in map(line, items(_meta(order).get(TAGS_META))) if value]
        if tag in tags:
            return
        api.put(path, {"meta_data": [{"key": TAGS_META, "value": [*tags, tag]}]})

    def add_note(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        """Add a private note that carries a marker made of `key`; a note with that marker is success."""
        api = self._connections.to(access)
        path = f"orders/{_numeric(order_id)}/notes"
        marker = f"[kiitos {hashlib.sha256(key.encode()).hexdigest()[:12]}]"
        if any(marker in str(entry.get("note", "")) for entry in _objects(api.get(path))):
            return
        # Notes are shown as HTML in the admin: a customer's words in them must stay words.
        shown = html.escape(note.strip(), quote=False)
        api.post(path, {"note": f"{shown} {marker}", "customer_note": False})

    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]:
        """GET the order (and its fulfillments where the feature is in use) as the events it proves.

        `order.deleted` when WooCommerce itself says that there is no such order, or it is in the trash; a 404 page of
        the web server or a switched-off plug-in is `Transient`.
        """
        api = self._connections.to(access)
        path = f"orders/{_numeric(order_id)}"
        try:
            order = _object(api.get(path))
        except Refused as error:
            if error.provider_code == NO_ORDER:
                return [_deleted(access, order_id)]
            if error.provider_code == NO_ROUTE:
                raise Transient(f"GET {path}: the shop's WooCommerce API is not there (plug-in off?)") from error
            raise
        if "_fulfillment_status" in _meta(order):
            order = {**order, "fulfillments": _fulfillments(api, path)}
        return order_events(shaped(order, OrderBody, "order.fetched"), access.shop)

    # -- reviews ---------------------------------------------------------------------------------------------------

    def publish_review(self, access: Access, request: ReviewRequest) -> str:
        """POST /products/reviews, held for the merchant's approval. An exact duplicate (409) is adopted.

        The shop would take a rating of 6 and store `<script>` from an admin's key: both are cleaned here.
        """
        api = self._connections.to(access)
        review = "\n\n".join(part for part in (_without_html(request.title), _without_html(request.text)) if part)
        body = {
            "product_id": int(_numeric(request.product_id)),
            "review": review,
            "reviewer": html.unescape(_without_html(request.author_name)) or "-",
            "reviewer_email": request.author_email,
            "rating": min(5, max(1, request.rating)),
            "status": "hold",
        }
        try:
            return str(_got(api.post("products/reviews", body), "id"))
        except Refused as error:
            if error.provider_code != DUPLICATE_REVIEW:
                raise
            return _find_review(api, request, review)


def coupon_body(access: Access, request: DiscountRequest, email: str | None) -> dict[str, object]:
    """The coupon as WooCommerce wants it: amounts as text, the expiry in the site's own time (`date_expires_gmt` is
    silently ignored, and the coupon never expires). Raises `Refused` for what a coupon cannot be."""
    body: dict[str, object] = {
        "code": request.code,
        "description": request.title,
        "individual_use": False,
        "meta_data": [{"key": COUPON_META, "value": request.code.lower()}],
        **_worth(access, request),
    }
    if request.ends_at is not None:
        body["date_expires"] = local_text(request.ends_at, access.shop.timezone)
    if request.usage_limit is not None:
        body["usage_limit"] = request.usage_limit
    if request.once_per_customer:
        body["usage_limit_per_user"] = 1
    if email:
        body["email_restrictions"] = [email]
    if request.minimum is not None:
        body["minimum_amount"] = _in_shop_currency(access, request.minimum)
    return body


def _worth(access: Access, request: DiscountRequest) -> dict[str, object]:
    if (request.percent is None) == (request.amount is None):
        raise Refused("a discount needs exactly one of amount and percent", provider_code="discount_shape")
    if request.percent is not None:
        if not 0 < request.percent <= 100:
            raise Refused("a percentage must be above 0 and at most 100", provider_code="discount_shape")
        return {"discount_type": "percent", "amount": request.percent}
    return {"discount_type": "fixed_cart", "amount": _in_shop_currency(access, cast(Money, request.amount))}


def _in_shop_currency(access: Access, money: Money) -> str:
    if money.currency != access.shop.currency:
        raise Refused(
            f"the shop's coupons are in {access.shop.currency}, not {money.currency}", provider_code="currency"
        )
    if money.amount <= 0:
        raise Refused("a coupon's amount must be above 0", provider_code="discount_shape")
    return format(money.amount, "f")


def _bound_email(api: ShopApi, request: DiscountRequest) -> str | None:
    """Coupons are bound to an e-mail address; an account's is looked up when only its id is known."""
    if request.customer_email or not request.customer_id:
        return request.customer_email
    customer = _object(api.get(f"customers/{_numeric(request.customer_id)}"))
    return line(customer.get("email"))


def _adopt(api: ShopApi, request: DiscountRequest) -> DiscountRef:
    code = request.code.lower()
    # Filtered again here: WooCommerce ignores a parameter it does not know and would answer with every coupon.
    same = [entry for entry in _objects(api.get("coupons", params={"code": code})) if str(entry.get("code")) == code]
    for coupon in same:
        ours = _meta(coupon).get(COUPON_META) == code or label(coupon.get("description")) == line(request.title)
        if ours:
            return DiscountRef(code=code, platform_id=str(_got(coupon, "id")), adopted=True)
    raise Refused("a coupon with this code exists and is not ours: choose another code", provider_code=DUPLICATE_COUPON)


def _fulfillments(api: ShopApi, path: str) -> list[Any]:
    """The order's fulfillments; none where the feature was switched off again."""
    try:
        return items(api.get(f"{path}/fulfillments"))
    except Refused:
        return []


def _find_review(api: ShopApi, request: ReviewRequest, review: str) -> str:
    wanted = review.split()
    for page in range(1, _REVIEW_PAGES + 1):
        params = {"product": request.product_id, "status": "all", "per_page": 100, "page": page}
        found = _objects(api.get("products/reviews", params=params))
        for entry in found:
            same_person = str(entry.get("reviewer_email", "")).lower() == request.author_email.lower()
            # Lists wrap the text in <p> and <br />: compare the words.
            if same_person and _without_html(str(entry.get("review", ""))).split() == wanted:
                return str(_got(entry, "id"))
        if len(found) < 100:
            break
    raise Refused("the shop calls the review a duplicate, but shows none like it", provider_code=DUPLICATE_REVIEW)


def _without_html(words: str) -> str:
    import nh3  # here and not above: 1 MB that only a doubtful review needs

    return nh3.clean(words, tags=set()).strip()


def _deleted(access: Access, order_id: str) -> Event:
    return Event(
        kind=EventKind.ORDER_DELETED,
        key=f"order/{order_id}/deleted",
        subject=Ref("order", order_id),
        at=access.clock.now(),
        order_id=order_id,
    )


def _numeric(value: str) -> str:
    """An id as the REST routes want it. Raises `Refused`: any other text could reach another route."""
    if not (value.isdecimal() and value.isascii()) or ident(value) is None:
        raise Refused("a WooCommerce id is a number", provider_code="invalid_id")
    return value


def _object(answer: object) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise Transient("the shop answered something else than an object")
    return answer


def _objects(answer: object) -> list[Mapping[str, Any]]:
    return [entry for entry in items(answer) if isinstance(entry, dict)]


def _got(answer: object, name: str) -> object:
    """A field an answer to a write must have; without it nobody knows what was made."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if value in (None, "", 0):
        raise Transient(f"the shop's answer to a write has no {name}", maybe_done=True)
    return value


def _meta(answer: Mapping[str, Any]) -> dict[str, Any]:
    entries = (entry for entry in items(answer.get("meta_data")) if isinstance(entry, dict))
    return {str(entry.get("key")): entry.get("value") for entry in entries}
