"""Returns: goods on their way back."""

from __future__ import annotations

from datetime import datetime

from connector.model import Event, EventKind, Ref, Return, ShippedLine
from platforms.shopify.payloads import orders as raw
from platforms.shopify.reading import ident, required_id

_KINDS = {
    "returns/request": EventKind.RETURN_REQUESTED,
    "returns/approve": EventKind.RETURN_APPROVED,
    "returns/decline": EventKind.RETURN_DECLINED,
    "returns/cancel": EventKind.RETURN_CANCELLED,
    "returns/close": EventKind.RETURN_CLOSED,
}


def return_event(payload: raw.Return, topic: str, at: datetime, body_digest: str) -> Event:
    """One returns/* body. It has no time of its own: `at` is that of the delivery.

    Each stage is reached once (`return/{id}/approved`); process, update and reopen are told apart by their content.
    """
    return_id = required_id(payload.id, topic, "id")
    order_id = ident(payload.order_id) or required_id(payload.order.id if payload.order else None, topic, "order.id")
    kind = _KINDS.get(topic, EventKind.RETURN_UPDATED)
    stage = kind.partition(".")[2]
    lines = tuple(
        ShippedLine(line_id=line_id, quantity=line.quantity or 0, title=item.title or "")
        for line in payload.return_line_items or ()
        if line.fulfillment_line_item and (item := line.fulfillment_line_item.line_item) and (line_id := ident(item.id))
    )
    return Event(
        kind=kind,
        key=f"return/{return_id}/{stage}" + (f"/{body_digest}" if kind is EventKind.RETURN_UPDATED else ""),
        subject=Ref("return", return_id),
        at=at,
        order_id=order_id,
        return_=Return(id=return_id, order_id=order_id, raw_status=(payload.status or "").lower(), at=at, lines=lines),
    )
