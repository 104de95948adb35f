"""Lists: paging, searching and the time filters with their traps (woocommerce.md §2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from connector.testing.fakes.web import Request, Response
from connector.testing.fakes.woocommerce.answers import invalid_param, ok
from connector.testing.fakes.woocommerce.state import STATUSES, Json, WooState

ORDER_KEYS = ("date", "id", "include", "title", "slug", "modified")
LIST_STATUSES = ("any", "trash", "auto-draft", *STATUSES)
HIDDEN = ("trash", "checkout-draft", "auto-draft")


def _listed(words: Sequence[str]) -> str:
    """`a, b, and c`, as WordPress joins them."""
    return ", ".join(words[:-1]) + f", and {words[-1]}"


def page(request: Request, rows: Sequence[Json]) -> Response:
    """The asked page with X-WP-Total; beyond the last page the total is 0 (§2)."""
    size, number = request.last("per_page") or "10", request.last("page") or "1"
    if not size.isdigit() or not 1 <= int(size) <= 100:
        return invalid_param(
            "per_page", "per_page must be between 1 (inclusive) and 100 (inclusive)", "rest_out_of_bounds"
        )
    start = (int(number) - 1) * int(size) if number.isdigit() else 0
    offset = request.last("offset")
    start = int(offset) if offset and offset.isdigit() else start
    part = rows[start : start + int(size)]
    total = len(rows) if part or not start else 0
    fields = (request.last("_fields") or "").split(",")
    if fields != [""]:
        part = [{key: row[key] for key in row if key in fields} for row in part]
    pages = -(-total // int(size))
    return ok(part, headers=[("X-WP-Total", str(total)), ("X-WP-TotalPages", str(pages))])


def threshold(state: WooState, text: str, *, are_gmt: bool) -> str | None:
    """The naive time a filter compares with: GMT when `are_gmt`, else site-local; `None` when it cannot be read.

    A time with an offset is turned into site-local time first; with the flag that local time is then taken for GMT,
    which is the trap of §2: it misses everything of the last hours.
    """
    if "T" not in text and " " not in text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return state.local(at) if at.tzinfo else at.strftime("%Y-%m-%dT%H:%M:%S")


def orders(state: WooState, request: Request) -> Response:
    """`GET /orders`. Unknown parameters are ignored without a word, as the real one ignores them."""
    key = request.last("orderby") or "date"
    if key not in ORDER_KEYS:
        return invalid_param("orderby", f"orderby is not one of {_listed(ORDER_KEYS)}.", "rest_not_in_enum")
    wanted = (request.last("status") or "any").split(",")
    if unknown := [word for word in wanted if word not in LIST_STATUSES]:
        position = wanted.index(unknown[0])
        return invalid_param(
            "status", f"status[{position}] is not one of {_listed(LIST_STATUSES)}.", "rest_not_in_enum"
        )
    rows = [row for row in state.orders.values() if _status_fits(row, wanted) and row["id"] not in state.unlisted]
    within = _within(state, request, rows)
    if isinstance(within, Response):
        return within
    rows = _narrow(request, within)
    return page(request, _sorted(rows, key, request.last("order") or "desc"))


def products(state: WooState, request: Request) -> Response:
    """`GET /products`, with the same time filters."""
    rows = [row for row in state.products.values() if request.last("sku") in (None, row["sku"])]
    within = _within(state, request, rows)
    if isinstance(within, Response):
        return within
    if include := request.last("include"):
        within = [row for row in within if str(row["id"]) in include.split(",")]
    rows = _sorted(within, request.last("orderby") or "date", request.last("order") or "desc")
    return page(request, [state.linked(row, "products", row["id"]) for row in rows])


def _sorted(rows: list[Json], key: str, order: str) -> list[Json]:
    sort: Callable[[Json], Any] = {
        "modified": lambda row: (row["date_modified_gmt"], row["id"]),
        "id": lambda row: row["id"],
    }.get(key, lambda row: (row["date_created_gmt"], row["id"]))
    return sorted(rows, key=sort, reverse=order != "asc")


def _within(state: WooState, request: Request, rows: list[Json]) -> list[Json] | Response:
    """The rows the time filters leave."""
    are_gmt = request.last("dates_are_gmt") in ("true", "1")
    for name, field, later in (
        ("modified_after", "date_modified", True),
        ("modified_before", "date_modified", False),
        ("after", "date_created", True),
        ("before", "date_created", False),
    ):
        text = request.last(name)
        if text is None:
            continue
        limit = threshold(state, text, are_gmt=are_gmt)
        if limit is None:
            return invalid_param(name, "Invalid date.", "rest_invalid_date")
        column = f"{field}_gmt" if are_gmt else field
        rows = [row for row in rows if (row[column] > limit if later else row[column] < limit)]
    return rows


def _status_fits(row: Json, wanted: Sequence[str]) -> bool:
    if "any" in wanted:
        return row["status"] not in HIDDEN
    return row["status"] in wanted


def _narrow(request: Request, rows: list[Json]) -> list[Json]:
    if include := request.last("include"):
        numbers = {int(part) for part in include.split(",") if part.isdigit()}
        rows = [row for row in rows if row["id"] in numbers]
    if customer := request.last("customer"):
        rows = [row for row in rows if str(row["customer_id"]) == customer]
    if search := (request.last("search") or "").lower():
        rows = [row for row in rows if search in " ".join((row["number"], *map(str, row["billing"].values()))).lower()]
    return rows
