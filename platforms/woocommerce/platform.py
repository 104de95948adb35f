"""What we can do to a WooCommerce shop (facts/woocommerce.md section 4).

POST has no idempotency key, so each write looks first, or lets a name of its own collide: a coupon its code, a review
its text, a note its marker, a tag its presence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from connector.contracts import Access, FetchesOrders
from connector.errors import Refused, Transient
from connector.model import Event, EventKind, Ref
from platforms.woocommerce.adapter import WooCommerceAdapter
from platforms.woocommerce.calls import NO_ROUTE, an_object, meta_of, numeric
from platforms.woocommerce.catching_up import CatchesUp
from platforms.woocommerce.connecting import WooCommerceConnecting
from platforms.woocommerce.coupons import Coupons
from platforms.woocommerce.echo import not_ours
from platforms.woocommerce.events import order_events
from platforms.woocommerce.fields import items
from platforms.woocommerce.goods import Goods
from platforms.woocommerce.opinions import Opinions
from platforms.woocommerce.payloads import OrderBody, shaped
from platforms.woocommerce.records import CustomerRecords, OrderRecords
from platforms.woocommerce.storefront import Storefront
from platforms.woocommerce.subscriptions import KeepsWebhooks
from platforms.woocommerce.voiding import Voids

if TYPE_CHECKING:
    from platforms.woocommerce.client import ShopApi

NO_ORDER = "woocommerce_rest_shop_order_invalid_id"


class WooCommerce(
    CatchesUp,
    KeepsWebhooks,
    WooCommerceAdapter,
    WooCommerceConnecting,
    Coupons,
    Goods,
    OrderRecords,
    CustomerRecords,
    Storefront,
    Voids,
    Opinions,
    FetchesOrders,
):
    """The platform `woocommerce`. Needs a read_write key, best of a shop_manager made for it."""

    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]:
        """GET the order (and its fulfillments where the feature is in use) as the events it proves.

        `order.deleted` when WooCommerce itself says that there is no such order, or it is in the trash; a 404 page of
        the web server or a switched-off plug-in is `Transient`.
        """
        api = self._api(access)
        path = f"orders/{numeric(order_id)}"
        try:
            order = an_object(api.get(path))
        except Refused as error:
            if error.provider_code == NO_ORDER:
                return [_deleted(access, order_id)]
            if error.provider_code == NO_ROUTE:
                raise Transient(f"GET {path}: the shop's WooCommerce API is not there (plug-in off?)") from error
            raise
        if "_fulfillment_status" in meta_of(order):
            order = {**order, "fulfillments": _fulfillments(api, path)}
        return not_ours(order_events(shaped(order, OrderBody, "order.fetched"), access.shop), order)


def _fulfillments(api: ShopApi, path: str) -> list[Any]:
    """The order's fulfillments; none where the feature was switched off again."""
    try:
        return items(api.get(f"{path}/fulfillments"))
    except Refused:
        return []


def _deleted(access: Access, order_id: str) -> Event:
    return Event(
        kind=EventKind.ORDER_DELETED,
        key=f"order/{order_id}/deleted",
        subject=Ref("order", order_id),
        at=access.clock.now(),
        order_id=order_id,
    )
