"""Vendure as Kiitos uses it: the pure adapter, and what can be asked of the Admin API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector.contracts import Access, FetchesOrders
from connector.errors import Transient
from connector.model import Event, EventKind, Ref
from kiitos_vendure.adapter import VendureAdapter
from kiitos_vendure.orders import order_events
from kiitos_vendure.payloads import as_order


class Vendure(VendureAdapter, FetchesOrders):
    """Needs an API key whose role may read orders (`ReadOrder`, `ReadCustomer`)."""

    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]:
        """The order as it is now, in the events of its deliveries; `order.deleted` when there is none."""
        # Reading deliveries needs no network: the client is imported at the first call.
        from kiitos_vendure import client

        found = client.order(access, order_id)
        if found is None:
            return (_deleted(access, order_id),)
        events = order_events(as_order(found))
        if not events:
            raise Transient("Vendure: the order is a cart again, being modified", retry_after=300)
        return events

    def quirks(self) -> Mapping[str, str]:
        """What a merchant should know."""
        return {
            "plug-in": "Vendure has no webhooks: the plug-in kiitos-webhooks.js must run in the shop's server.",
            "tracking": "Vendure keeps a tracking code and no address for it: mails show the code.",
            "double messages": "Vendure's EmailPlugin confirms orders too: leave its handlers for orders out.",
        }


def _deleted(access: Access, order_id: str) -> Event:
    return Event(
        kind=EventKind.ORDER_DELETED,
        key=f"order/{order_id}/deleted",
        subject=Ref("order", order_id),
        at=access.clock.now(),
        order_id=order_id,
    )
