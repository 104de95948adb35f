"""Opening returns over the Admin API (2026-10: returnCreate, returnApproveRequest, returnableFulfillments).

shopify.dev/docs/api/admin-graphql/latest/mutations/returnCreate: it needs `write_returns` and takes no key, so each of
our lines carries a mark in its reason's note, and the order's returns are read before anything is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
        mine = [row for row in present if mark in _notes(row)]
        same = [row for row in present if row.get("status") in _LIVE and _is_same(row, request)]
        for row in mine or same:
            if row.get("status") == _UNDECIDED:
                self._approve(access, row)
            return ReturnRef(platform_id=made_id(row, "returns_of_order"), name=row.get("name") or "", adopted=True)
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
        made = self._client.mutate(access, "return_create", {"return": wanted}).get("return") or {}
        return ReturnRef(platform_id=made_id(made, "return_create"), name=made.get("name") or "")

    def _approve(self, access: Access, row: Mapping[str, Any]) -> None:
        try:
            self._client.mutate(access, "return_approve", {"input": {"id": row["id"], "notifyCustomer": False}})
        except Refused as error:
            if error.provider_code == "INVALID_STATE":  # somebody in the admin decided at this moment
                raise Transient("Shopify return_approve: the return changed while it was approved") from error
            raise

    def _present(self, access: Access, order: str) -> Iterator[Mapping[str, Any]]:
        for page in self._pages(access, "returns_of_order", {"id": order}, "order", "returns"):
            if page is None:
                raise Refused("the order of the return is not there", provider_code="NOT_FOUND")
            yield from page.get("nodes") or ()

    def _sent(self, access: Access, order: str, request: ReturnRequest) -> list[tuple[str, int]]:
        """Which lines of which parcels come back. What was not sent, or is in another return, cannot."""
        left, found = dict(request.lines), []
        for page in self._pages(access, "returnable", {"id": order}, "returnableFulfillments"):
            for row in _sent_lines(page or {}):
                piece = row.get("fulfillmentLineItem") or {}
                line = ident((piece.get("lineItem") or {}).get("id")) or ""
                taken = min(left.get(line, 0), int(row.get("quantity") or 0))
                if taken > 0:
                    left[line] -= taken
                    found.append((str(piece["id"]), taken))
        if not found or any(left.values()):
            raise Refused(
                "Shopify has these pieces as not sent yet, refunded, or in another return: look at the order's returns "
                "in the admin",
                provider_code="NOT_RETURNABLE",
            )
        return found


def _sent_lines(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for parcel in page.get("nodes") or ():
        yield from (parcel.get("returnableFulfillmentLineItems") or {}).get("nodes") or ()


def _lines(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((row.get("returnLineItems") or {}).get("nodes") or ())


def _notes(row: Mapping[str, Any]) -> str:
    return "\n".join(str(line.get("returnReasonNote") or "") for line in _lines(row))


def _is_same(row: Mapping[str, Any], request: ReturnRequest) -> bool:
    """Whether a return that another case did not make is the one asked for: the one we were told of, with a piece of
    ours in it, or one of the same pieces (the customer asked in the shop as well)."""
    if _MARK in _notes(row):
        return False
    pieces: dict[str, int] = {}
    for line in _lines(row):
        sold = ident(((line.get("fulfillmentLineItem") or {}).get("lineItem") or {}).get("id")) or ""
        pieces[sold] = pieces.get(sold, 0) + int(line.get("quantity") or 0)
    told = bool(request.platform_id) and ident(row.get("id")) == request.platform_id
    return pieces == dict(request.lines) or (told and bool(pieces.keys() & request.lines.keys()))
