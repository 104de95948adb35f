"""The small part of Shopify's search syntax our queries use: `field:value` terms, all of which must hold.

Comparators on times and numbers, quotes around values, exact matches on the rest. As at Shopify an unknown field
filters nothing (there it adds a warning), so a typo in a query brings everything: look at what came back.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from connector.testing.fakes.shopify.state import Json

_TERM = re.compile(r"(\w+):(>=|<=|>|<)?('[^']*'|\"[^\"]*\"|\S+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "": operator.eq,
}
_TIMES = frozenset({"created_at", "updated_at", "processed_at"})


def matches(order: Json, query: str | None) -> bool:
    """Whether an order meets every term of a search query; an empty query is met by all."""
    return all(_holds(order, *found.groups()) for found in _TERM.finditer(query or ""))


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _holds(order: Json, field: str, comparator: str | None, quoted: str) -> bool:
    value = quoted.strip("'\"")
    compare = _COMPARE[comparator or ""]
    if field in _TIMES:
        return compare(_time(order[field]), _time(value))
    if field == "id":
        return compare(order["id"], int(value.rsplit("/", 1)[-1]))
    if "financial_status" not in order:
        return field not in order or str(order[field]).lower() == value.lower()
    known = {
        "name": order["name"],
        "email": order["email"],
        "financial_status": order["financial_status"],
        "fulfillment_status": order["fulfillment_status"] or "unfulfilled",
        "discount_code": next((entry["code"] for entry in order["discount_codes"]), ""),
        "customer_id": str((order["customer"] or {}).get("id", "")),
        "source_name": order["source_name"],
    }
    if field == "tag":
        return value.lower() in [tag.strip().lower() for tag in order["tags"].split(",")]
    if field == "status":
        state = "cancelled" if order["cancelled_at"] else "closed" if order["closed_at"] else "open"
        return value in ("any", state)
    return field not in known or known[field].lower() == value.lower()
