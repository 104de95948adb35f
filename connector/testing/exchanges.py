"""Recorded HTTP: what a client asked of a platform and what it was answered, kept as files and replayed over loopback.

A tape is one call of one capability method, a file `<method>/<case>.json`:

    {"arguments": {"order_id": "450789469", "tag": "vip"},
     "exchanges": [{"request": {"method": "POST", "path": "/admin/api/2026-10/graphql.json",
                                "json": {"variables": {"tags": ["vip"]}}, "contains": ["tagsAdd"]},
                    "writes": true,
                    "response": {"status": 200, "json": {"data": {"tagsAdd": {"userErrors": []}}}}}],
     "returns": null}

`request` says what must be asked: `json` and `query` are subsets (more may be sent), `contains` are texts of the body.
`writes` marks a request that changes something on the platform, `optional` one whose refusal is got over. Instead of
`returns` a tape may say `"raises": {"error": "Refused", "provider_code": "TAKEN"}`. `again: "<case>"` marks a
repetition of another tape's call after it had been carried out. `at` (ISO 8601) sets the clock. People in tapes are
invented, and credentials there are none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any
from urllib.parse import parse_qsl

from connector.clock import ManualClock, from_text
from connector.errors import ConfigError
from connector.testing.fakes.web import LoopbackServer, Request, Response

START = "2026-11-22T08:00:00Z"
ENDLESS = 60
"""Requests after which a replay stops answering: a client that still asks goes round in a circle."""

_KEYS = {"arguments", "exchanges", "returns", "raises", "again", "at", "about"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request as it must be made, and its recorded answer. `body` is the answer's, byte for byte."""

    method: str
    path: str
    query: Mapping[str, str]
    json: Any
    contains: Sequence[str]
    writes: bool
    optional: bool
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def graphql(self) -> bool:
        """Whether the recorded request names a GraphQL operation."""
        return any(words.startswith(("query", "mutation")) for words in self.contains)

    def differs(self, request: Request) -> str:
        """What is wrong with a request, naming no value of it; empty when it is the recorded one."""
        if (request.method, request.path) != (self.method, self.path):
            return f"{request.method} {request.path} was asked, the recording has {self.method} {self.path}"
        asked = dict(request.query)
        for name, value in self.query.items():
            if asked.get(name) != value:
                return f"the query's {name} differs"
        for words in self.contains:
            if words.encode() not in request.body:
                return f"'{words}' is not in the body"
        return "" if self.json is None else _lacks(_parsed(request), self.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """A recorded call. `returns` is the result in plain JSON; `raises` the error's class name and fields instead."""

    file: Path
    call: str
    arguments: Mapping[str, Any]
    exchanges: Sequence[Exchange]
    returns: Any = None
    raises: Mapping[str, Any] | None = None
    again: str = ""
    at: str = START

    @property
    def name(self) -> str:
        return f"{self.call}/{self.file.stem}"

    def clock(self) -> ManualClock:
        return ManualClock(from_text(self.at))


def find_tapes(root: Path) -> list[Tape]:
    """All tapes below `root`, sorted. Raises `ConfigError` with the file's name for one that cannot be read."""
    return [read_tape(file) for file in sorted(root.glob("*/*.json"))]


def read_tape(file: Path) -> Tape:
    """One tape. Raises `ConfigError` naming the file and the key that is wrong."""
    where = f"{file.parent.name}/{file.name}"
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ConfigError(f"is no JSON: {error}", where=where) from None
    if not isinstance(found, dict) or not isinstance(found.get("exchanges"), list):
        raise ConfigError("a tape is an object with a list 'exchanges'", where=where)
    if unknown := sorted(set(found) - _KEYS):
        raise ConfigError(f"unknown key '{unknown[0]}'", where=where)
    if ("returns" in found) == ("raises" in found):
        raise ConfigError("a tape has exactly one of 'returns' and 'raises'", where=where)
    return Tape(
        file=file,
        call=file.parent.name,
        arguments=found.get("arguments", {}),
        exchanges=tuple(_exchange(each, where) for each in found["exchanges"]),
        returns=found.get("returns"),
        raises=found.get("raises"),
        again=found.get("again", ""),
        at=found.get("at", START),
    )


def _exchange(found: Mapping[str, Any], where: str) -> Exchange:
    try:
        request, response = found["request"], found["response"]
        text = response.get("text")
        body = text.encode() if text is not None else json.dumps(response["json"], ensure_ascii=False).encode()
        kind = "text/html; charset=utf-8" if text is not None else "application/json; charset=utf-8"
        return Exchange(
            method=request["method"],
            path=request["path"],
            query=request.get("query", {}),
            json=request.get("json"),
            contains=request.get("contains", ()),
            writes=bool(found.get("writes", False)),
            optional=bool(found.get("optional", False)),
            status=response["status"],
            headers={"Content-Type": kind, **response.get("headers", {})},
            body=body,
        )
    except KeyError as error:
        raise ConfigError(f"an exchange lacks {error}", where=where) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a platform does instead of answering as recorded, from the exchange number `at` (from 0) on.

    `drop` reads the request and closes the connection: the work may be done, and nobody hears of it.
    """

    at: int = 0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes = b"{}"
    content_type: str = "application/json; charset=utf-8"
    drop: bool = False
    once: bool = False


class Replay:
    """`with Replay(tape) as replay:` serves a tape at `replay.url`. Any HTTP client will do: it is a real server.

    `unexpected` names each request that is not the recorded one (it was answered 500); `missing` the recorded requests
    that were never made; `repeated` counts requests that were made before, byte for byte. With `fault` the tape is
    followed up to that place only.
    """

    def __init__(self, tape: Tape, fault: Fault | None = None) -> None:
        self.tape = tape
        self._guard = threading.Lock()
        self._server = LoopbackServer(self._answer)
        self.rewind(fault)

    def rewind(self, fault: Fault | None = None) -> None:
        """Begin anew, with another fault or none; the server and its address stay."""
        self.unexpected: list[str] = []
        self.asked = 0
        self.repeated = 0
        self._seen: set[tuple[str, str, bytes]] = set()
        self._fault = fault

    def __enter__(self) -> Replay:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def missing(self) -> list[str]:
        left = self.tape.exchanges[min(self.asked, len(self.tape.exchanges)) :]
        return [f"{each.method} {each.path}" for each in left]

    def _answer(self, request: Request) -> Response:
        with self._guard:
            number, self.asked = self.asked, self.asked + 1
            sight = (request.method, f"{request.path}?{request.query}", request.body)
            self.repeated += sight in self._seen
            self._seen.add(sight)
        fault = self._fault
        if fault is not None and (number == fault.at or (number > fault.at and not fault.once)):
            if number > ENDLESS:
                return Response(410)
            headers = tuple(fault.headers.items())
            return Response(fault.status, fault.body, fault.content_type, headers=headers, drop=fault.drop)
        if number >= len(self.tape.exchanges):
            return self._refuse(f"request {number + 1}: {request.method} {request.path} is not in the recording")
        exchange = self.tape.exchanges[number]
        if wrong := exchange.differs(request):
            return self._refuse(f"request {number + 1}: {wrong}")
        headers = tuple((name, value) for name, value in exchange.headers.items() if name != "Content-Type")
        return Response(exchange.status, exchange.body, exchange.headers["Content-Type"], headers=headers)

    def _refuse(self, why: str) -> Response:
        self.unexpected.append(why)
        return Response(500, b'{"error": "not in the recording"}')


def _parsed(request: Request) -> Any:
    if "json" in request.headers.get("content-type", ""):
        try:
            return json.loads(request.body)
        except ValueError:
            return None
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _lacks(found: Any, wanted: Any, at: str = "the body") -> str:
    """Where `found` does not hold what is `wanted`; objects may hold more, lists may not."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return f"{at} is no object"
        for key, value in wanted.items():
            if key not in found:
                return f"{at} lacks {key}"
            if inner := _lacks(found[key], value, f"{at}'s {key}" if at == "the body" else f"{at}.{key}"):
                return inner
        return ""
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return f"{at} is no list of {len(wanted)}"
        for index, value in enumerate(wanted):
            if inner := _lacks(found[index], value, f"{at}[{index}]"):
                return inner
        return ""
    return "" if found == wanted and type(found) is type(wanted) else f"{at} differs"
