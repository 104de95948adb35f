"""The Shopify platform as Kiitos uses it: the pure adapter, and what it can do over the Admin API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connector.contracts import Access, FetchesOrders
from connector.errors import Refused
from connector.model import Event
from platforms.shopify.adapter import ShopifyAdapter
from platforms.shopify.calls import gid
from platforms.shopify.catching_up import CatchesUp
from platforms.shopify.connecting import Connecting
from platforms.shopify.discounts import Discounts
from platforms.shopify.fetched import fetched_events, lines_page
from platforms.shopify.goods import Goods
from platforms.shopify.grants import Grants
from platforms.shopify.orders import order_deleted
from platforms.shopify.records import Opinions, Parcels
from platforms.shopify.renewing import Renewals
from platforms.shopify.returning import OpenReturns
from platforms.shopify.reviews import Reviews
from platforms.shopify.scopes import Scopes
from platforms.shopify.storefront import Storefront
from platforms.shopify.subscriptions import KeepsSubscriptions
from platforms.shopify.voiding import Voids

_MOST_PAGES = 25  # a thousand lines; an order beyond that is read as far


class Shopify(
    CatchesUp,
    Connecting,
    KeepsSubscriptions,
    ShopifyAdapter,
    Renewals,
    Storefront,
    Discounts,
    Goods,
    Grants,
    Opinions,
    Parcels,
    Scopes,
    Voids,
    OpenReturns,
    Reviews,
    FetchesOrders,
):
    """Built once a process. All calls go through one client; nothing is kept of an order or a person."""

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
