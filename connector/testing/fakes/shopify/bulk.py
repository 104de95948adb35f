"""Bulk operations: accepted at once, done after a while, their result a file of JSON lines for seven days.

What Shopify refuses is refused: a connection inside a list, more than five connections, a sixth operation at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLError, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, parse

from connector.testing.fakes.shopify.state import Json, gid
from connector.testing.fakes.shopify.views import IN_BULK
from connector.testing.fakes.web import Request, Response

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify

BULK_PATH = "/bulk/"
AT_ONCE = 5
MOST_CONNECTIONS = 5
KEPT = timedelta(days=7)
LISTS = frozenset({"fulfillments", "refunds", "transactions"})


@dataclass(slots=True, kw_only=True)
class Operation:
    """One bulk operation. `fails` is the error code it will end with."""

    id: int
    query: str
    created_at: datetime
    done_at: datetime
    result: bytes
    roots: int
    objects: int
    fails: str = ""


@dataclass
class Bulk:
    """A shop's operations. `seconds` is how long one takes, `fail` the codes the next ones end with, one each;
    `ranges` whether the file server knows Range; `cut` ends the next download after so many bytes."""

    shop: FakeShopify
    seconds: float = 25.0
    ranges: bool = True
    cut: int = 0
    fail: list[str] = field(default_factory=list)
    operations: dict[int, Operation] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)

    def serve(self, request: Request) -> Response:
        """The file. Its address is signed: no token is asked for."""
        number = int(request.path.removeprefix(BULK_PATH).partition(".")[0] or 0)
        found = self.operations.get(number)
        if found is None or self.shop.clock.now() > found.done_at + KEPT:
            return Response(403, b"<Error>expired</Error>", "application/xml")
        wanted = request.headers.get("range", "")
        self.downloads.append(wanted)
        body, status = found.result, 200
        if wanted and self.ranges:
            body, status = body[int(wanted.removeprefix("bytes=").partition("-")[0]) :], 206
        if self.cut:
            body, self.cut = body[: self.cut], 0
        return Response(status, body, "application/jsonl")


def run_query(shop: FakeShopify, query: str, group_objects: bool = False) -> Json:
    """bulkOperationRunQuery."""
    now = shop.clock.now()
    running = [one for one in shop.bulk.operations.values() if one.done_at > now]
    if len(running) >= AT_ONCE:
        return _refused("LIMIT_REACHED", "A bulk query operation for this app and shop is already in progress")
    fault = _fault(query)
    if fault:
        return _refused("INVALID", fault)
    token = IN_BULK.set(True)
    try:
        data = shop.inner(query)
    except GraphQLError as error:
        return _refused("INVALID", error.message)
    finally:
        IN_BULK.reset(token)
    lines = list(_flat(data))
    if not group_objects:
        # Without grouping only this is promised: a parent comes before its children.
        lines.sort(key=lambda line: "__parentId" in line)
    made = Operation(
        id=shop.next_id("BulkOperation"),
        query=query,
        created_at=now,
        done_at=now + timedelta(seconds=shop.bulk.seconds),
        result="".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines).encode(),
        roots=sum("__parentId" not in line for line in lines),
        objects=len(lines),
        fails=shop.bulk.fail.pop(0) if shop.bulk.fail else "",
    )
    shop.bulk.operations[made.id] = made
    return {"bulk_operation": _view(shop, made), "user_errors": []}


def operation(shop: FakeShopify, id: str) -> Json | None:  # noqa: A002
    """bulkOperation(id)."""
    found = shop.bulk.operations.get(int(id.rpartition("/")[2] or 0))
    return _view(shop, found) if found else None


def _refused(code: str, message: str) -> Json:
    error = {"field": None, "message": message, "code": code}
    return {"bulk_operation": None, "user_errors": [error]}


def _view(shop: FakeShopify, found: Operation) -> Json:
    now = shop.clock.now()
    share = min(1.0, (now - found.created_at) / (found.done_at - found.created_at))
    status = "CREATED" if share == 0 else "RUNNING"
    done = now >= found.done_at
    if done:
        status = "FAILED" if found.fails else "COMPLETED"
    address = f"{shop.url}{BULK_PATH}{found.id}.jsonl" if done and found.objects and not found.fails else None
    return {
        "id": gid("BulkOperation", found.id),
        "status": status,
        "error_code": found.fails or None if done else None,
        "created_at": found.created_at.isoformat(),
        "completed_at": found.done_at.isoformat() if done else None,
        "object_count": str(int(found.objects * share)),
        "root_object_count": str(int(found.roots * share)),
        "file_size": str(len(found.result)) if done else None,
        "url": address,
        "partial_data_url": None,
        "query": found.query,
        "type": "QUERY",
    }


def _fault(query: str) -> str:
    """Why Shopify refuses to run the query in bulk, empty when it does not."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return error.message
    first = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    counted = _connections(first.selection_set, within_list=False)
    if counted is None:
        return "Queries that contain a connection field within a list field are not currently supported."
    if counted > MOST_CONNECTIONS:
        return "Bulk queries cannot contain more than 5 connections."
    return "" if counted else "Bulk queries must contain at least one connection."


def _connections(selection: SelectionSetNode | None, *, within_list: bool) -> int | None:
    """How many connections; `None` when one stands inside a list."""
    total = 0
    for node in selection.selections if selection else ():
        if not isinstance(node, (FieldNode, InlineFragmentNode)):
            continue
        inner = node.selection_set
        names = {each.name.value for each in inner.selections if isinstance(each, FieldNode)} if inner else set()
        connects = bool(names & {"edges", "nodes", "pageInfo"})
        if connects and within_list:
            return None
        listed = within_list or (isinstance(node, FieldNode) and node.name.value in LISTS)
        below = _connections(inner, within_list=listed)
        if below is None:
            return None
        total += below + connects
    return total


def _flat(data: Mapping[str, Any]) -> Iterator[Json]:
    """Each object of a connection a line, its children after it with the parent's id."""
    for root in data.values():
        for edge in root["edges"]:
            yield from _lines(edge["node"], None)


def _lines(node: Json, parent: str | None) -> Iterator[Json]:
    nested = {key: value for key, value in node.items() if isinstance(value, dict) and "edges" in value}
    line = {key: value for key, value in node.items() if key not in nested}
    yield line if parent is None else {**line, "__parentId": parent}
    for value in nested.values():
        for edge in value["edges"]:
            yield from _lines(edge["node"], node["id"])
