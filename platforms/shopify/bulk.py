"""Bulk operations: a query Shopify runs at its leisure, and its result as JSON lines (facts/shopify.md section 3).

The file is read as it comes, a few hundred objects at a time; where the next one begins is the cursor. A file that was
being read is kept open between two calls; after an interruption it is opened anew at that byte.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
import requests

from connector.contracts import Access
from connector.errors import Refused, Transient
from connector.http import USER_AGENT
from platforms.shopify.client import AdminClient, operation

Node = Mapping[str, Any]

PART = 250
"""Objects handed over at a time."""
POLL_SECONDS = 10.0
BUSY_SECONDS = 60.0
"""When five operations of ours run already, or another app's client of ours holds the only one."""
LONGEST_LINE = 8 * 1024 * 1024
SHORTEST_WINDOW = timedelta(days=1)
_TIMEOUT = (3.05, 60.0)
_BLOCK = 1 << 16
_GOING_ON = frozenset({"CREATED", "RUNNING", "CANCELING"})


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far it has come: the operation, the byte its next object begins at, and the window the operation covers.

    `step` is the window's length in seconds, 0 for all at once: halved each time Shopify runs out of time.
    """

    operation: str = ""
    byte: int = 0
    since: datetime | None = None
    step: float = 0.0

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class Part:
    """Some objects, each with its lines; the next cursor, `None` after the last; seconds to wait before asking."""

    objects: Sequence[tuple[Node, Sequence[Node]]] = ()
    cursor: str | None = None
    wait: float = 0.0


@dataclass
class _Open:
    """A file being read. `size` is its length in bytes as Shopify tells it (0 unknown), `received` how far it came."""

    place: Place
    response: requests.Response
    size: int
    received: int

    @cached_property
    def objects(self) -> Iterator[tuple[Node, list[Node], int]]:
        """(object, lines, byte after them), one after another."""
        return _objects(self._lines())

    def _lines(self) -> Iterator[tuple[bytes, int]]:
        """Lines with the byte after each; memory holds one block and one line. Raises `Transient` for a short file."""
        # A server that does not know Range sends the whole file: what was read before is read over.
        over = self.place.byte if self.response.status_code == 200 else 0
        rest, position = b"", self.place.byte
        for block in self.response.iter_content(_BLOCK):
            skipped = min(over, len(block))
            over -= skipped
            self.received += len(block) - skipped
            *whole, rest = (rest + block[skipped:]).split(b"\n")
            if len(rest) > LONGEST_LINE:
                raise Refused("Shopify bulk result: a line without an end", provider_code="BAD_RESULT")
            for line in whole:
                position += len(line) + 1
                yield line, position
        if self.received < self.size:
            raise Transient("Shopify bulk result: the file ended early")
        if rest.strip():
            yield rest, position + len(rest)

    def close(self) -> None:
        self.response.close()


@dataclass
class BulkReader:
    """Reads the histories of the shops of one process. Thread-safe, a shop at a time (its job has a lease)."""

    client: AdminClient
    _open: dict[str, _Open] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_part(self, access: Access, name: str, since: datetime, until: datetime, cursor: str | None) -> Part:
        """Go on at `cursor`. Raises `Transient`, `AuthExpired`, `Refused`."""
        place = msgspec.json.decode(cursor, type=Place) if cursor else Place(since=since)
        begin = place.since or since
        end = until if not place.step else min(until, begin + timedelta(seconds=place.step))
        if not place.operation:
            return self._run(access, name, place, begin, end)
        kept = self._take(access.shop.id, place)
        if kept is None:
            found = self.client.query(access, "bulk_poll", {"id": place.operation}).get("bulkOperation") or {}
            status = str(found.get("status") or "EXPIRED")
            if status in _GOING_ON:
                return Part(cursor=place.text(), wait=POLL_SECONDS)
            if status != "COMPLETED":
                return _again(place, begin, end, status, str(found.get("errorCode") or ""))
            if not found.get("url"):
                return self._after(place, end, until)  # nothing was found
            size = str(found.get("fileSize") or "")
            kept = self._begin(str(found["url"]), place, int(size) if size.isdecimal() else 0)
        return self._read(access, kept, end, until)

    def _run(self, access: Access, name: str, place: Place, begin: datetime, end: datetime) -> Part:
        from platforms.shopify.catching_up import search_time

        query = operation(name).replace("SINCE", search_time(begin)).replace("UNTIL", search_time(end))
        try:
            made = self.client.mutate(access, "bulk_run", {"query": query})
        except Refused as error:
            if error.provider_code in ("OPERATION_IN_PROGRESS", "LIMIT_REACHED"):
                return Part(cursor=place.text(), wait=BUSY_SECONDS)
            raise
        number = (made.get("bulkOperation") or {}).get("id")
        if not number:
            raise Transient("Shopify bulk_run: an answer without an operation")
        return Part(cursor=Place(str(number), 0, place.since, place.step).text(), wait=POLL_SECONDS)

    def _after(self, place: Place, end: datetime, until: datetime) -> Part:
        """The window is read; the next one, unless it was the last."""
        if end >= until:
            return Part()
        return Part(cursor=Place("", 0, end, place.step).text())

    def _begin(self, url: str, place: Place, size: int) -> _Open:
        """Open the file at the byte.

        The address is signed and carries no token of ours: it is asked without the shop's client.
        """
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if place.byte:
            headers["Range"] = f"bytes={place.byte}-"
        try:
            response = requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT)
        except requests.exceptions.RequestException as error:
            raise Transient("Shopify bulk result: connection failed") from error
        if response.status_code not in (200, 206):
            response.close()
            raise Transient(f"Shopify bulk result: answered {response.status_code}", retry_after=60)
        return _Open(place, response, size, place.byte)

    def _read(self, access: Access, opened: _Open, end: datetime, until: datetime) -> Part:
        found: list[tuple[Node, Sequence[Node]]] = []
        place = opened.place
        try:
            for root, lines, byte in opened.objects:
                found.append((root, lines))
                place = Place(place.operation, byte, place.since, place.step)
                if len(found) == PART:
                    opened.place = place
                    self._keep(access.shop.id, opened)
                    return Part(found, place.text())
        except (requests.exceptions.RequestException, Transient) as error:
            opened.close()
            if found:
                return Part(found, place.text())  # what came is whole; the rest is asked for from there
            raise Transient("Shopify bulk result: the connection broke") from error
        opened.close()
        rest = self._after(place, end, until)
        return Part(found, rest.cursor)

    def _take(self, shop_id: str, place: Place) -> _Open | None:
        """The file left open by the last call, if that stopped at this very place."""
        with self._lock:
            kept = self._open.pop(shop_id, None)
        if kept is not None and kept.place != place:
            kept.close()
            return None
        return kept

    def _keep(self, shop_id: str, opened: _Open) -> None:
        with self._lock:
            older = self._open.pop(shop_id, None)
            self._open[shop_id] = opened
        if older is not None:
            older.close()

    def close(self) -> None:
        with self._lock:
            for opened in self._open.values():
                opened.close()
            self._open.clear()


def _again(place: Place, begin: datetime, end: datetime, status: str, code: str) -> Part:
    """An operation that failed is run anew; one for which Shopify's time was too short, over half the window."""
    if code == "ACCESS_DENIED":
        raise Refused("Shopify bulk operation: an access scope is missing; grant it to the app", provider_code=code)
    step = place.step
    if status == "FAILED" and code == "TIMEOUT":
        step = max((end - begin).total_seconds() / 2, SHORTEST_WINDOW.total_seconds())
    return Part(cursor=Place("", 0, place.since, step).text(), wait=POLL_SECONDS)


def _objects(lines: Iterator[tuple[bytes, int]]) -> Iterator[tuple[Node, list[Node], int]]:
    """Roots with their children, which follow them and name them in `__parentId`."""
    root: Node | None = None
    children: list[Node] = []
    end = 0
    for line, after in lines:
        if not line.strip():
            continue
        try:
            node = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Transient("Shopify bulk result: a line is no JSON") from None
        if not isinstance(node, dict):
            raise Refused("Shopify bulk result: a line is no object", provider_code="BAD_RESULT")
        if "__parentId" in node:
            if root is None or node["__parentId"] != root.get("id"):
                raise Refused("Shopify bulk result: a line away from its parent", provider_code="NOT_GROUPED")
            children.append(node)
        else:
            if root is not None:
                yield root, children, end
            root, children = node, []
        end = after
    if root is not None:
        yield root, children, end
