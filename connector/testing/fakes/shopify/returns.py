"""Returns: what the merchant, a customer at Shopify's own page and the app make of them.

Statuses and refusals are those of the schema (ReturnStatus, ReturnErrorCode); wordings are ours. A return's webhooks go
out with the short body of Shopify's own example, lines only where it has some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connector.testing.fakes.shopify.order_views import LineItemView, OrderView, sent_line_id
from connector.testing.fakes.shopify.queries import number_of
from connector.testing.fakes.shopify.state import Json, gid
from connector.testing.fakes.shopify.views import View, connection

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify

LIVE = ("REQUESTED", "OPEN", "CLOSED")
"""States in which a piece cannot be in another return."""
Sent = tuple[Json, Json, str]
"""A parcel, a line of it, and the line's global id in it."""


class ReturnLineView(View):
    typename = "ReturnLineItem"

    def id(self) -> str:
        return str(self.row["id"])

    def quantity(self) -> int:
        return int(self.row["quantity"])

    def return_reason(self) -> str:
        return str(self.row["reason"])

    def return_reason_note(self) -> str:
        return str(self.row["note"])

    def fulfillment_line_item(self) -> Json:
        return _sent_view(self.shop, self.row["sent"])


class ReturnView(View):
    typename = "Return"
    plain = ("name", "status")

    def order(self) -> OrderView:
        return OrderView(self.shop, self.shop.orders[self.row["order_id"]])

    def created_at(self) -> str | None:
        return self.utc(self.row["created_at"])

    def total_quantity(self) -> int:
        return sum(line["quantity"] for line in self.row["lines"])

    def return_line_items(self, **args: Any) -> Json:
        args.pop("processing_status", None)
        rows = [ReturnLineView(self.shop, line) for line in self.row["lines"]]
        return connection(rows, lambda view: view.row["id"], **args)


def returns_of(shop: Any, order_id: int) -> list[ReturnView]:
    return [ReturnView(shop, row) for row in shop.returns.values() if row["order_id"] == order_id]


def _sent(shop: Any, order_id: int) -> Iterator[Sent]:
    for parcel in shop.fulfillments.values():
        if parcel["order_id"] == order_id and parcel["status"] == "success":
            for place, line in enumerate(parcel["line_items"]):
                yield parcel, line, sent_line_id(parcel, place)


def _sent_view(shop: Any, sent_id: str) -> Json:
    for parcel in shop.fulfillments.values():
        for place, line in enumerate(parcel["line_items"]):
            if sent_line_id(parcel, place) == sent_id:
                sold = next(each for each in shop.orders[parcel["order_id"]]["line_items"] if each["id"] == line["id"])
                return {"id": sent_id, "quantity": line["quantity"], "line_item": LineItemView(shop, sold)}
    raise KeyError(sent_id)


def _left(shop: Any, order_id: int) -> dict[str, int]:
    """How many pieces of each line of each parcel can be returned: not refunded, and in no other return."""
    taken: dict[str, int] = {}
    for row in shop.returns.values():
        if row["order_id"] == order_id and row["status"] in LIVE:
            for line in row["lines"]:
                taken[line["sent"]] = taken.get(line["sent"], 0) + line["quantity"]
    current = {line["id"]: line["current_quantity"] for line in shop.orders[order_id]["line_items"]}
    found = {}
    for _, line, sent_id in _sent(shop, order_id):
        found[sent_id] = max(min(line["quantity"], current.get(line["id"], 0)) - taken.get(sent_id, 0), 0)
    return found


def returnable_fulfillments(shop: FakeShopify, order_id: str, **args: Any) -> Json:
    number = number_of(order_id, "Order")
    left = _left(shop, number) if number in shop.orders else {}
    parcels: dict[int, list[Json]] = {}
    for parcel, _, sent_id in _sent(shop, number):
        if left.get(sent_id):
            row = {"quantity": left[sent_id], "fulfillment_line_item": _sent_view(shop, sent_id)}
            parcels.setdefault(parcel["id"], []).append(row)
    rows = [_Parcel(gid("ReturnableFulfillment", parcel), found) for parcel, found in parcels.items()]
    return connection(rows, lambda each: each.number, **args)


class _Parcel:
    """A ReturnableFulfillment."""

    typename = "ReturnableFulfillment"

    def __init__(self, number: str, rows: list[Json]) -> None:
        self.number, self._rows = number, rows

    def id(self) -> str:
        return self.number

    def returnable_fulfillment_line_items(self, **args: Any) -> Json:
        return connection(self._rows, lambda row: row["fulfillment_line_item"]["id"], **args)


def _error(code: str, message: str, *field: str) -> Json:
    return {"return": None, "user_errors": [{"field": list(field) or None, "message": message, "code": code}]}


def return_create(shop: FakeShopify, return_input: Json) -> Json:
    """Open at once. Refused for pieces that were not sent, are refunded or in another return."""
    number = number_of(return_input["orderId"], "Order")
    if number not in shop.orders:
        return _error("NOT_FOUND", "Order does not exist", "returnInput", "orderId")
    left = _left(shop, number)
    for given in return_input["returnLineItems"]:
        if given["fulfillmentLineItemId"] not in left:
            return _error("NOT_FOUND", "The fulfillment line item is not there", "returnInput", "returnLineItems")
        if given["quantity"] > left[given["fulfillmentLineItemId"]]:
            return _error("INVALID", "Return line item has an invalid quantity", "returnInput", "returnLineItems")
        if given.get("returnReason") == "OTHER" and not given.get("returnReasonNote"):
            return _error("BLANK", "Return reason note can't be blank", "returnInput", "returnLineItems")
    row = put(shop, shop.orders[number], return_input["returnLineItems"], "OPEN")
    tell(shop, row, "returns/approve")
    return {"return": ReturnView(shop, row), "user_errors": []}


def return_approve_request(shop: FakeShopify, input: Json) -> Json:  # noqa: A002
    row = shop.returns.get(number_of(input["id"], "Return"))
    if row is None:
        return _error("NOT_FOUND", "Return does not exist", "input", "id")
    if row["status"] != "REQUESTED":
        return _error("INVALID_STATE", "Return is not approvable", "input", "id")
    row["status"] = "OPEN"
    tell(shop, row, "returns/approve")
    return {"return": ReturnView(shop, row), "user_errors": []}


def put(shop: Any, order: Json, lines: Sequence[Json], status: str) -> Json:
    number = shop.next_id("Return")
    made = sum(row["order_id"] == order["id"] for row in shop.returns.values()) + 1
    row: Json = {
        "id": number,
        "order_id": order["id"],
        "name": f"{order['name']}-R{made}",
        "status": status,
        "created_at": shop.stamp(),
        "lines": [
            {
                "id": gid("ReturnLineItem", number * 100 + place),
                "sent": given["fulfillmentLineItemId"],
                "quantity": given["quantity"],
                "reason": given.get("returnReason") or "UNKNOWN",
                "note": given.get("returnReasonNote") or "",
            }
            for place, given in enumerate(lines)
        ],
    }
    shop.returns[number] = row
    return row


def tell(shop: Any, row: Json, topic: str) -> None:
    """The webhook of a step."""
    order = row["order_id"]
    lines = [
        {
            "id": int(line["id"].rpartition("/")[2]),
            "quantity": line["quantity"],
            "fulfillment_line_item": {"line_item": {"id": _sent_view(shop, line["sent"])["line_item"].row["id"]}},
        }
        for line in row["lines"]
    ]
    body = {
        "id": row["id"],
        "admin_graphql_api_id": gid("Return", row["id"]),
        "status": str(row["status"]).lower(),
        "order": {"id": order, "admin_graphql_api_id": gid("Order", order)},
        "total_return_line_items": len(lines),
        "name": row["name"],
        "return_line_items": lines,
        "return_shipping_fees": [],
        "exchange_line_items": [],
        "total_exchange_line_items": 0,
    }
    shop.announce([topic], body)


def ask_in_shop(shop: Any, order: Json, lines: Sequence[tuple[Json, int]]) -> Json:
    """A customer asks for a return of (line row, quantity) on Shopify's own pages; `returns/request`."""
    given = []
    for line, quantity in lines:
        sent_id = next(sent_id for _, sent, sent_id in _sent(shop, order["id"]) if sent["id"] == line["id"])
        given.append({"fulfillmentLineItemId": sent_id, "quantity": quantity, "returnReason": "UNKNOWN"})
    row = put(shop, order, given, "REQUESTED")
    tell(shop, row, "returns/request")
    return row


RETURN_MUTATIONS: Mapping[str, Callable[..., Json]] = {
    "return_create": return_create,
    "return_approve_request": return_approve_request,
}
RETURN_QUERIES: Mapping[str, Callable[..., Any]] = {"returnable_fulfillments": returnable_fulfillments}
