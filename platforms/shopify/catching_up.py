"""What Shopify's webhooks did not tell: lists of what changed when, orders of a window, and the history in bulk.

Lists are cheap (250 of an id and a time a page), whole orders are not: only what is not known yet is read.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
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
from connector.errors import KiitosError, MalformedPayload, Refused
from connector.model import Event, Shop
from platforms.shopify.calls import Calls
from platforms.shopify.fetched import fetched_events
from platforms.shopify.listed import listed_customer_events, listed_product_events
from platforms.shopify.orders import order_deleted
from platforms.shopify.reading import ident, time

if TYPE_CHECKING:
    from platforms.shopify.bulk import BulkReader

Node = Mapping[str, Any]

_LISTS = {"customer": ("customers_listed", "customers"), "product": ("products_listed", "products")}
_GID_KIND = {"order": "Order", "customer": "Customer", "product": "Product"}
BATCH = 50
"""Customers or products read by one query."""


class CatchesUp(Calls, ListsChanges, ListsOrders, Backfills):
    change_kinds: ClassVar[Sequence[str]] = ("order", "customer", "product")
    history_kinds: ClassVar[Sequence[str]] = ("product", "customer", "order")

    @abstractmethod
    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]: ...

    @cached_property
    def _bulk(self) -> BulkReader:
        from platforms.shopify.bulk import BulkReader

        return BulkReader(self._client)

    def close(self) -> None:
        """Give back connections. Idempotent."""
        if "_bulk" in vars(self):
            self._bulk.close()
        super().close()

    def list_changes(self, access: Access, kind: str, since: datetime, cursor: str | None = None) -> MarkPage:
        """By `updated_at`. A search field unknown to Shopify filters nothing: what is older is left out again."""
        query = f"updated_at:>='{search_time(since)}'"
        if kind == "order":
            page = self._orders(access, query, "UPDATED_AT", cursor)
        else:
            name, root = _LISTS[kind]
            page = _marks(self._client.query(access, name, {"query": query, "after": cursor}), root)
        floor = since.replace(microsecond=0)
        return MarkPage([mark for mark in page.marks if mark.changed_at >= floor], page.cursor)

    def list_orders(self, access: Access, since: datetime, until: datetime, cursor: str | None = None) -> MarkPage:
        query = f"created_at:>='{search_time(since)}' AND created_at:<'{search_time(until)}'"
        return self._orders(access, query, "CREATED_AT", cursor)

    def _orders(self, access: Access, query: str, sort: str, cursor: str | None) -> MarkPage:
        variables = {"query": query, "sort": sort, "after": cursor}
        return _marks(self._client.query(access, "orders_listed", variables), "orders")

    def read_changed(self, access: Access, kind: str, ids: Sequence[str]) -> Sequence[Snapshot]:
        if kind == "order":
            return [self._order(access, each) for each in ids]
        found: list[Snapshot] = []
        for start in range(0, len(ids), BATCH):
            gids = [f"gid://shopify/{_GID_KIND[kind]}/{each}" for each in ids[start : start + BATCH]]
            data = self._client.query(access, f"{kind}s_read", {"ids": gids})
            found.extend(snapshot(kind, node, (), access.shop) for node in data.get("nodes") or () if node)
        return found

    def _order(self, access: Access, order_id: str) -> Snapshot:
        try:
            return Snapshot(id=order_id, events=self.fetch_order(access, order_id))
        except (Refused, MalformedPayload) as error:
            return Snapshot(id=order_id, fault=_fault(error))

    def read_unlisted(self, access: Access, order_id: str) -> Sequence[Event]:
        """An order of the last days that neither its list nor a look by id shows is deleted: only orders of more than
        60 days are hidden from an app without read_all_orders."""
        try:
            return self.fetch_order(access, order_id)
        except Refused as error:
            if error.provider_code != "NOT_VISIBLE":
                raise
            return [order_deleted(order_id, access.clock.now())]

    def count_history(self, access: Access, kind: str, since: datetime, until: datetime) -> int | None:
        query = f"created_at:>='{search_time(since)}' AND created_at:<'{search_time(until)}'"
        data = self._client.query(access, "history_counts", {"orders": query})
        count = (data.get(f"{kind}sCount") or {}).get("count")
        return count if isinstance(count, int) else None

    def read_history(
        self, access: Access, kind: str, since: datetime, until: datetime, cursor: str | None = None
    ) -> HistoryPage:
        """A bulk operation: started by the first call, waited for by the next ones, then its file a part at a time."""
        part = self._bulk.next_part(access, f"bulk_{kind}s", since, until, cursor)
        snapshots = [snapshot(kind, root, lines, access.shop) for root, lines in part.objects]
        return HistoryPage(snapshots=snapshots, cursor=part.cursor, wait=part.wait)


def snapshot(kind: str, node: Node, lines: Sequence[Node], shop: Shop) -> Snapshot:
    """One object of an answer, as the events it proves; one of another shape than asked for has a fault."""
    object_id = ident(node.get("id")) or "unknown"
    try:
        if kind == "order":
            events: Sequence[Event] = fetched_events(node, lines, shop)
        elif kind == "customer":
            events = listed_customer_events(node)
        else:
            events = listed_product_events(node, shop)
    except MalformedPayload as error:
        return Snapshot(id=object_id, fault=_fault(error))
    return Snapshot(id=object_id, events=events)


def search_time(at: datetime) -> str:
    """A time as the search syntax takes it: UTC, whole seconds, to be quoted."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _marks(data: Mapping[str, Any], root: str) -> MarkPage:
    listed = data.get(root) or {}
    marks = [
        Mark(each, at)
        for node in listed.get("nodes") or ()
        if (each := ident(node.get("id"))) and (at := time(node.get("updatedAt"))) is not None
    ]
    info = listed.get("pageInfo") or {}
    return MarkPage(marks, info.get("endCursor") if info.get("hasNextPage") else None)


def _fault(error: KiitosError) -> str:
    return (error.provider_code if isinstance(error, Refused) else "") or error.code
