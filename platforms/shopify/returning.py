"""Opening returns over the Admin API (2026-10: returnCreate, returnApproveRequest, returnableFulfillments).

shopify.dev/docs/api/admin-graphql/latest/mutations/returnCreate: it needs `write_returns` and takes no key, so each of
our lines carries a mark in its reason's note, and the order's returns are read before anything is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.clock import to_text
from connector.contracts import Access, OpensReturns, ReturnRef, ReturnRequest
from connector.errors import Refused, Transient
from platforms.shopify.calls import Calls, digest, gid, made_id
from platforms.shopify.reading import ident

_MARK = "[kiitos "
_MOST_NOTE = 255
_UNDECIDED = "REQUESTED"
_LIVE = frozenset((_UNDECIDED, "OPEN"))
# ReturnReason is deprecated for ids of ReturnReasonDefinition, which each shop would have to be asked for first;
# 2026-10 still takes it.
_REASONS: Mapping[str, str] = {
    "changed_mind": "UNWANTED",
    "too_small": "SIZE_TOO_SMALL",
    "too_large": "SIZE_TOO_LARGE",
    "not_as_described": "NOT_AS_DESCRIBED",
    "damaged": "DEFECTIVE",
    "wrong_item": "WRONG_ITEM",
}


class OpenReturns(Calls, OpensReturns):
    """Needs `write_returns` and `read_orders`."""

    def open_return(self, access: Access, request: ReturnRequest) -> ReturnRef:
        """Approve the return that waits in the shop, or create one that is approved. Shopify mails nobody about it:
        the customer hears of the case from us."""
        try:
            return self._open(access, request)
        except Refused as error:
            if error.provider_code != "ACCESS_DENIED":
                raise
            raise Refused(
                "Shopify lets the app open no returns: add the scope write_returns (and read_orders) to the app and "
                "let the merchant approve it",
                provider_code=error.provider_code,
            ) from error

    def _open(self, access: Access, request: ReturnRequest) -> ReturnRef:
        order, mark = gid("Order", request.order_id), f"{_MARK}{digest(request.key)}]"
        present = list(self._present(access, order))
        mine = [each for each in present if mark in each.notes]
        same = [each for each in present if each.status in _LIVE and _is_same(each, request)]
        for found in mine or same:
            if found.status == _UNDECIDED:
                self._approve(access, found)
            return ReturnRef(platform_id=found.id, name=found.name, adopted=True)
        note = f"{request.note[: _MOST_NOTE - len(mark) - 1]} {mark}"
        rows = [
            {
                "fulfillmentLineItemId": line,
                "quantity": quantity,
                "returnReason": _REASONS.get(request.reason, "OTHER"),
                "returnReasonNote": note,
            }
            for line, quantity in self._sent(access, order, request)
        ]
        wanted = {"orderId": order, "requestedAt": to_text(request.requested_at), "returnLineItems": rows}
        made = self._client.mutate(access, "return_create", {"return": wanted}).get("return")
        number = made_id(made if isinstance(made, Mapping) else None, "return_create")
        return ReturnRef(platform_id=number, name=str((made or {}).get("name") or ""))

    def _approve(self, access: Access, found: Present) -> None:
        try:
            wanted = {"id": gid("Return", found.id), "notifyCustomer": False}
            self._client.mutate(access, "return_approve", {"input": wanted})
        except Refused as error:
            if error.provider_code == "INVALID_STATE":  # somebody in the admin decided at this moment
                raise Transient("Shopify return_approve: the return changed while it was approved") from error
            raise

    def _present(self, access: Access, order: str) -> Iterator[Present]:
        for page in self._pages(access, "returns_of_order", {"id": order}, "order", "returns"):
            if page is None:
                raise Refused("the order of the return is not there", provider_code="NOT_FOUND")
            yield from (_read(row) for row in _nodes(page, "returns_of_order"))

    def _sent(self, access: Access, order: str, request: ReturnRequest) -> list[tuple[str, int]]:
        """Which lines of which parcels come back. What was not sent, or is in another return, cannot."""
        left, found = dict(request.lines), []
        for page in self._pages(access, "returnable", {"id": order}, "returnableFulfillments"):
            for parcel in _nodes(page, "returnable"):
                for row in _nodes(parcel.get("returnableFulfillmentLineItems"), "returnable"):
                    sent, line, quantity = _piece(row)
                    taken = min(left.get(line, 0), quantity)
                    if taken > 0:
                        left[line] -= taken
                        found.append((sent, taken))
        if not found or any(left.values()):
            raise Refused(
                "Shopify has these pieces as not sent yet, refunded, or in another return: look at the order's returns "
                "in the admin",
                provider_code="NOT_RETURNABLE",
            )
        return found


@dataclass(frozen=True, slots=True)
class Present:
    """A return the order has: `notes` are those of its lines, `pieces` how many of each line of the order."""

    id: str
    name: str
    status: str
    notes: str
    pieces: Mapping[str, int]


def _nodes(connection: object, name: str) -> list[Mapping[str, Any]]:
    """A connection's nodes. Raises `Transient` where there are none to read: nothing is concluded from that."""
    nodes = connection.get("nodes") if isinstance(connection, Mapping) else None
    if not isinstance(nodes, list) or not all(isinstance(node, Mapping) for node in nodes):
        raise Transient(f"Shopify {name}: an answer without its list")
    return nodes


def _read(row: Mapping[str, Any]) -> Present:
    pieces: dict[str, int] = {}
    notes = []
    try:
        for line in _nodes(row.get("returnLineItems"), "returns_of_order"):
            sold = ident(line["fulfillmentLineItem"]["lineItem"]["id"]) if "fulfillmentLineItem" in line else None
            pieces[sold or ""] = pieces.get(sold or "", 0) + int(line["quantity"])
            notes.append(str(line["returnReasonNote"]))
        status, number = str(row["status"]), ident(row["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise Transient("Shopify returns_of_order: an answer without its parts") from error
    if number is None:
        raise Transient("Shopify returns_of_order: an answer without an id")
    return Present(number, str(row.get("name") or ""), status, "\n".join(notes), pieces)


def _piece(row: Mapping[str, Any]) -> tuple[str, str, int]:
    """A line in its parcel, of which line of the order it is, and how many may come back."""
    try:
        sent = row["fulfillmentLineItem"]
        return str(sent["id"]), ident(sent["lineItem"]["id"]) or "", int(row["quantity"])
    except (KeyError, TypeError, ValueError) as error:
        raise Transient("Shopify returnable: an answer without its parts") from error


def _is_same(found: Present, request: ReturnRequest) -> bool:
    """Whether a return that another case did not make is the one asked for: the one we were told of, with a piece of
    ours in it, or one of the same pieces (the customer asked in the shop as well)."""
    if _MARK in found.notes:
        return False
    told = bool(request.platform_id) and found.id == request.platform_id
    return found.pieces == dict(request.lines) or (told and bool(found.pieces.keys() & request.lines.keys()))
