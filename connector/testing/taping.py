"""Recording HTTP: a listener between an adapter and a platform's test server that writes down what was said as a tape.

    with Taping("http://127.0.0.1:3210") as taping:
        adapter.fetch_order(access_to(taping.url), "1")
        taping.write(Path("exchanges/fetch_order/placed.json"), arguments={"order_id": "1"}, returns=...)

Headers of requests are not written at all, so no credential can get into a tape. What the platform answered may
hold people: record from a test shop with invented ones, and let the kit's check of recordings look over it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from connector.testing.fakes.web import LoopbackServer, Request, Response

_KEPT = ("Retry-After", "Link", "X-WP-Total", "X-WP-TotalPages")
_PASSED = ("authorization", "content-type", "accept", "user-agent")
_OPERATION = re.compile(r"^\s*(?:#[^\n]*\n\s*)*(query|mutation)\s+(\w+)")


class Taping:
    """Forwards every request to `upstream` and keeps the exchange, until `write` or `take`."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream.rstrip("/")
        self._session = requests.Session()
        self._kept: list[dict[str, Any]] = []
        self._server = LoopbackServer(self._forward)

    def __enter__(self) -> Taping:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._session.close()

    @property
    def url(self) -> str:
        return self._server.url

    def take(self) -> list[dict[str, Any]]:
        """The exchanges since the last `take` or `write`."""
        taken, self._kept = self._kept, []
        return taken

    def write(self, file: Path, *, arguments: Mapping[str, Any], **rest: Any) -> None:
        """Write what was exchanged as a tape. `rest` is `returns=` or `raises=`, and `again=`, `at=`, `about=`."""
        file.parent.mkdir(parents=True, exist_ok=True)
        tape = {"arguments": dict(arguments), "exchanges": self.take(), **rest}
        file.write_text(json.dumps(tape, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def _forward(self, request: Request) -> Response:
        sent = {name: value for name, value in request.headers.items() if name in _PASSED or name.startswith("x-")}
        sent |= {name: value for name, value in request.headers.items() if name.endswith(("-key", "-token"))}
        answer = self._session.request(
            request.method,
            self._upstream + request.path,
            params=list(request.query),
            data=request.body or None,
            headers=sent,
            timeout=30,
            allow_redirects=False,
        )
        asked, writes = _asked(request)
        told: dict[str, Any] = {"status": answer.status_code}
        headers = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        if headers:
            told["headers"] = headers
        kind = answer.headers.get("Content-Type", "text/plain")
        if "json" in kind:
            told["json"] = answer.json()
        else:
            told["text"] = answer.text
        self._kept.append({"request": asked, **({"writes": True} if writes else {}), "response": told})
        return Response(answer.status_code, answer.content, kind, headers=tuple(headers.items()))


def _asked(request: Request) -> tuple[dict[str, Any], bool]:
    """A request as a tape demands it, and whether it changes anything. A GraphQL text is known by its operation."""
    asked: dict[str, Any] = {"method": request.method, "path": request.path}
    if request.query:
        asked["query"] = dict(request.query)
    writes = request.method not in ("GET", "HEAD")
    if not request.body:
        return asked, writes
    try:
        body = json.loads(request.body)
    except ValueError:
        return asked, writes
    named = _OPERATION.match(body.get("query", "")) if isinstance(body, dict) else None
    if named is None:
        asked["json"] = body
        return asked, writes
    asked["contains"] = [named.group(0).strip().splitlines()[-1].strip()]
    asked["json"] = {"variables": body.get("variables", {})}
    return asked, named.group(1) == "mutation"
