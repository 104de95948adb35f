"""What WooCommerce's webhooks did not tell: it never repeats one, so this is how nothing is missed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connector.contracts import (
    Access,
    Backfills,
    HistoryPage,
    ListsChanges,
    ListsOrders,
    Mark,
    MarkPage,
    Snapshot,
)
from connector.errors import KiitosError, MalformedPayload, Refused, Transient
from connector.model import Event, Shop
from platforms.woocommerce import lists
from platforms.woocommerce.calls import Calls
from platforms.woocommerce.echo import not_ours
from platforms.woocommerce.events import customer_events, order_events, product_events
from platforms.woocommerce.fields import ident, items
from platforms.woocommerce.payloads import CustomerBody, OrderBody, ProductBody, shaped

if TYPE_CHECKING:
    from platforms.woocommerce.client import Rows, ShopApi

FIRST_SIZE, LARGEST_SIZE, SMALLEST_SIZE = 25, 100, 10
QUICK, SLOW = 3.0, 15.0
"""Seconds below which the next page is doubled, and above which it is halved: shops differ twentyfold in speed."""


class CatchesUp(Calls, ListsChanges, ListsOrders, Backfills):
    """Customers cannot be listed by change: they come with their orders. The bin is a list of its own."""

    change_kinds: ClassVar[Sequence[str]] = ("trashed", "order", "product")
    history_kinds: ClassVar[Sequence[str]] = ("product", "customer", "order")

    @abstractmethod
    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]: ...

    def list_changes(self, access: Access, kind: str, since: datetime, cursor: str | None = None) -> MarkPage:
        """`modified_after` in naive GMT. The first page of a poll also wakes the shop's queue, whose webhooks may only
        be asleep."""
        api = self._api(access)
        if cursor is None and kind == self.change_kinds[0]:
            api.wake()
        return _marks(api, lists.changed(kind), since, cursor)

    def read_changed(self, access: Access, kind: str, ids: Sequence[str]) -> Sequence[Snapshot]:
        """Whole objects by id; what the list leaves out (it went into the bin meanwhile) is looked at alone."""
        if kind == "trashed":
            return [self._alone(access, each) for each in ids]
        api = self._api(access)
        path = "products" if kind == "product" else "orders"
        found = api.rows(path, {"include": list(ids), "per_page": LARGEST_SIZE}).rows
        rows = {each: row for row in found if (each := ident(row.get("id"))) in set(ids)}
        if kind == "product":
            return [_read(rows[each], _product, access.shop) for each in ids if each in rows]
        return [self._order(access, api, rows[each]) if each in rows else self._alone(access, each) for each in ids]

    def list_orders(self, access: Access, since: datetime, until: datetime, cursor: str | None = None) -> MarkPage:
        fields = ("id", "date_created_gmt", "date_modified_gmt")
        return _marks(self._api(access), lists.placed(until, fields), since, cursor)

    def read_unlisted(self, access: Access, order_id: str) -> Sequence[Event]:
        """A permanently deleted order leaves no trace but its 404; one in the bin still tells so."""
        return self.fetch_order(access, order_id)

    def count_history(self, access: Access, kind: str, since: datetime, until: datetime) -> int | None:
        """X-WP-Total of a page of one."""
        api = self._api(access)
        if kind == "order":
            params: dict[str, object] = {"after": since, "before": until, "dates_are_gmt": True}
        else:
            params = {"role": "all"} if kind == "customer" else {}
        return api.rows(f"{kind}s", {**params, "per_page": 1, "_fields": ["id"]}).total

    def read_history(
        self, access: Access, kind: str, since: datetime, until: datetime, cursor: str | None = None
    ) -> HistoryPage:
        """Orders by time; customers and products, which have no such filter, all of them by id."""
        api = self._api(access)
        place = lists.Place.at(cursor, since, FIRST_SIZE)
        began = access.clock.monotonic()
        if kind == "order":
            found, after = self._tolerant(lists.placed(until), api, place)
            snapshots = [self._order(access, api, row) for row in found.rows]
        else:
            params: dict[str, object] = {"orderby": "id", "order": "asc", "per_page": place.size}
            more = {"role": "all"} if kind == "customer" else {}
            found = api.rows(f"{kind}s", {**params, "offset": place.offset, **more})
            reader = _customer if kind == "customer" else _product
            snapshots = [_read(row, reader, access.shop) for row in found.rows]
            over = len(found.rows) < place.size
            after = None if over else lists.Place(place.after, place.offset + len(found.rows), place.size)
        if after is None:
            return HistoryPage(snapshots=snapshots)
        size = _next_size(after.size, access.clock.monotonic() - began)
        return HistoryPage(snapshots=snapshots, cursor=lists.Place(after.after, after.offset, size).text())

    def _tolerant(self, wanted: lists.TimedList, api: ShopApi, place: lists.Place) -> tuple[Rows, lists.Place | None]:
        """A page too large for the shop is asked for once more as a small one."""
        try:
            return wanted.page(api, place)
        except Transient as error:
            if place.size <= SMALLEST_SIZE or error.retry_after is not None:
                raise
            return wanted.page(api, lists.Place(place.after, place.offset, SMALLEST_SIZE))

    def _order(self, access: Access, api: ShopApi, row: Mapping[str, Any]) -> Snapshot:
        """Parcels of the fulfillment feature are a list of their own, asked for only where the order has some."""
        meta = [entry.get("key") for entry in items(row.get("meta_data")) if isinstance(entry, dict)]
        if "_fulfillment_status" in meta:
            try:
                row = {**row, "fulfillments": items(api.get(f"orders/{ident(row.get('id'))}/fulfillments"))}
            except Refused:
                return _read(row, _order_of, access.shop)  # the feature was switched off again
        return _read(row, _order_of, access.shop)

    def _alone(self, access: Access, order_id: str) -> Snapshot:
        try:
            return Snapshot(id=order_id, events=self.fetch_order(access, order_id))
        except (Refused, MalformedPayload) as error:
            return Snapshot(id=order_id, fault=_fault(error))


def _marks(api: ShopApi, wanted: lists.TimedList, since: datetime, cursor: str | None) -> MarkPage:
    found, after = wanted.page(api, lists.Place.at(cursor, since))
    marks = [
        Mark(each, changed)
        for row in found.rows
        if (each := ident(row.get("id"))) and (changed := lists.changed("order").time_of(row)) is not None
    ]
    return MarkPage(marks, after.text() if after else None)


def _next_size(size: int, seconds: float) -> int:
    if seconds > SLOW:
        return max(SMALLEST_SIZE, size // 2)
    return min(LARGEST_SIZE, size * 2) if seconds < QUICK else size


def _read(row: Mapping[str, Any], reader: Callable[[Mapping[str, Any], Shop], Sequence[Event]], shop: Shop) -> Snapshot:
    object_id = ident(row.get("id")) or "unknown"
    try:
        return Snapshot(id=object_id, events=tuple(reader(row, shop)))
    except MalformedPayload as error:
        return Snapshot(id=object_id, fault=_fault(error))


def _order_of(row: Mapping[str, Any], shop: Shop) -> Sequence[Event]:
    return not_ours(order_events(shaped(row, OrderBody, "order.listed"), shop), row)


def _customer(row: Mapping[str, Any], shop: Shop) -> Sequence[Event]:
    del shop
    return not_ours(customer_events(shaped(row, CustomerBody, "customer.listed")), row)


def _product(row: Mapping[str, Any], shop: Shop) -> Sequence[Event]:
    del shop
    return product_events(shaped(row, ProductBody, "product.listed"))


def _fault(error: KiitosError) -> str:
    return (error.provider_code if isinstance(error, Refused) else "") or error.code
