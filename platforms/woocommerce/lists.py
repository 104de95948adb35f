"""Reading long lists of a WooCommerce shop without losing or repeating for ever (facts/woocommerce.md section 2).

Pages are asked for by time, not by number: what changes while we page moves to the end of the list, and with page
numbers everything behind it would move up by one and be skipped. Within one second, where time does not tell, an offset
does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from connector.errors import MalformedPayload, Refused
from platforms.woocommerce.fields import moment

if TYPE_CHECKING:
    from platforms.woocommerce.client import Rows, ShopApi

SECOND = timedelta(seconds=1)
PER_PAGE = 100


class Place(msgspec.Struct, frozen=True):
    """Where a list is: after `after` (naive GMT, exclusive, as the shop compares), `offset` rows further on, in pages
    of `size`."""

    after: datetime
    offset: int = 0
    size: int = PER_PAGE

    @classmethod
    def at(cls, cursor: str | None, since: datetime, size: int = PER_PAGE) -> Place:
        """Where the cursor says, or at `since` (inclusive)."""
        if cursor:
            return msgspec.json.decode(cursor, type=cls)
        return cls(since.astimezone(UTC).replace(microsecond=0) - SECOND, 0, size)

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class TimedList:
    """A list by a time. `after` is its filter's parameter, `column` the field it compares, `orderby` its order."""

    path: str
    after: str
    column: str
    orderby: str
    more: Mapping[str, object]

    def page(self, api: ShopApi, place: Place) -> tuple[Rows, Place | None]:
        """A page and the place of the next, `None` after the last.

        Raises `Refused` when the shop ignores the filter, as WooCommerce ignores without a word what it does not
        know: the whole history would pass for news.
        """
        found = api.rows(
            self.path,
            {
                self.after: place.after,
                "dates_are_gmt": True,
                "orderby": self.orderby,
                "order": "asc",
                "per_page": place.size,
                "offset": place.offset,
                **self.more,
            },
        )
        times = [at for row in found.rows if (at := self.time_of(row)) is not None]
        if times and times[0] <= place.after - SECOND:
            raise Refused(f"GET {self.path} ignores {self.after}: update WooCommerce", provider_code="filter_ignored")
        if len(found.rows) < place.size:
            return found, None
        last = times[-1] - SECOND if times else place.after
        if last > place.after:
            return found, Place(last, 0, place.size)
        return found, Place(place.after, place.offset + len(found.rows), place.size)

    def time_of(self, row: Mapping[str, Any]) -> datetime | None:
        """The time the list goes by, `None` where it cannot be read."""
        try:
            return moment(row.get(self.column), f"$.{self.column}")
        except MalformedPayload:
            return None


def changed(kind: str) -> TimedList:
    """By time of change: orders, the orders in the bin (which no other list shows), products."""
    more: dict[str, object] = {"_fields": ["id", "date_modified_gmt"]}
    if kind == "trashed":
        more["status"] = "trash"
    path = "products" if kind == "product" else "orders"
    return TimedList(path, "modified_after", "date_modified_gmt", "modified", more)


def placed(until: datetime, fields: tuple[str, ...] = ()) -> TimedList:
    """Orders by time of creation, up to `until` (exclusive)."""
    more: dict[str, object] = {"before": until}
    if fields:
        more["_fields"] = list(fields)
    return TimedList("orders", "after", "date_created_gmt", "date", more)
