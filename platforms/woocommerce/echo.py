"""Our own writes to orders and accounts, told from other people's. Pure.

WooCommerce sends `order.updated` for every write of meta, ours too (facts/woocommerce.md section 1.5). Each write of
ours therefore carries a digest of everything it did not change. A body that still has that digest shows nothing new:
it is applied as a snapshot like any other, but is no `order.updated` that a flow could start from or be stopped by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from connector.model import Event, EventKind
from platforms.woocommerce.fields import items

ECHO_META = "_kiitos_echo"
OWN_META = "_kiitos_"
_UPDATES = frozenset((EventKind.ORDER_UPDATED, EventKind.CUSTOMER_UPDATED))
# What people and plug-ins change. Dates of change, links and formatted values are left out: they move by themselves.
_TOLD = (
    "status",
    "currency",
    "total",
    "customer_id",
    "email",
    "username",
    "first_name",
    "last_name",
    "role",
    "billing",
    "shipping",
    "payment_method",
    "transaction_id",
    "customer_note",
    "date_paid_gmt",
    "date_completed_gmt",
    "line_items",
    "shipping_lines",
    "fee_lines",
    "coupon_lines",
    "refunds",
)


def state_digest(body: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of what an order or account says, our own meta left out."""
    meta = [
        (str(entry.get("key")), entry.get("value"))
        for entry in items(body.get("meta_data"))
        if isinstance(entry, dict) and not str(entry.get("key")).startswith(OWN_META)
    ]
    told = {name: body.get(name) for name in _TOLD}
    text = json.dumps([told, sorted(meta, key=repr)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def not_ours(events: Sequence[Event], body: Mapping[str, Any]) -> list[Event]:
    """The events without the news that we wrote ourselves."""
    entries = items(body.get("meta_data"))
    marks = [entry.get("value") for entry in entries if isinstance(entry, dict) and entry.get("key") == ECHO_META]
    if not marks or marks[-1] != state_digest(body):
        return list(events)
    return [event for event in events if event.kind not in _UPDATES]
