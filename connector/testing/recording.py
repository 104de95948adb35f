"""Recordings: deliveries kept as files, and the events they must become.

A recording is a folder with three files:

    request.json    {"topic": "orders/paid", "headers": {"X-Shopify-Topic": "orders/paid", ...}}
    body.json       the body, byte for byte
    expected.json   the events `normalise` must give, pretty and sorted; absent for a handshake

The signature is no part of it: the kit signs the bytes with a secret of its own. The people in it are invented.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from connector import codec
from connector.contracts import Inbound
from connector.model import Event

UPDATE_VARIABLE = "KIITOS_UPDATE_GOLDENS"

Replaced = Mapping[str, str | Sequence[str] | None]
NOTHING: Replaced = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One delivery on disk. `headers` are as sent; `inbound` lower-cases them as the receiver does.

    `handshake` marks a request that must be answered and forgotten (WooCommerce's ping).
    """

    folder: Path
    topic: str
    headers: Mapping[str, str]
    body: bytes
    handshake: bool = False

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def expected(self) -> Path:
        return self.folder / "expected.json"

    def inbound(self, replaced: Replaced = NOTHING, *, body: bytes | None = None) -> Inbound:
        """The request as the receiver hands it on.

        `replaced` sets headers by lower-case name; a list repeats a header, `None` removes it.
        """
        headers: dict[str, Sequence[str]] = {name.lower(): [value] for name, value in self.headers.items()}
        for name, value in replaced.items():
            if value is None:
                headers.pop(name, None)
            else:
                headers[name] = [value] if isinstance(value, str) else list(value)
        return Inbound(headers=headers, body=self.body if body is None else body)


def find_recordings(root: Path) -> list[Recording]:
    """All recordings below `root`, sorted by folder. An incomplete folder raises, it is never left out in silence."""
    return [_read(request.parent) for request in sorted(root.rglob("request.json"))]


def _read(folder: Path) -> Recording:
    request = json.loads((folder / "request.json").read_text("utf-8"))
    return Recording(
        folder=folder,
        topic=request["topic"],
        headers=request["headers"],
        body=(folder / "body.json").read_bytes(),
        handshake=bool(request.get("handshake", False)),
    )


def golden(events: Iterable[Event]) -> str:
    """The text of expected.json: events sorted by key and kind, made to be read by people.

    What is empty is left out (a new optional field of the model touches no recording), money is `"12.50 EUR"`, and a
    snapshot that an earlier event of the delivery carried already is `"as <that event's key>"`.
    """
    plain: list[Any] = sorted((_dense(codec.builtins(event)) for event in events), key=lambda e: (e["key"], e["kind"]))
    carried: list[tuple[str, str, Any]] = []
    for event in plain:
        for part, snapshot in list(event.items()):
            if isinstance(snapshot, dict) and part != "subject":
                same = [key for key, name, earlier in carried if name == part and earlier == snapshot]
                carried.append((event["key"], part, snapshot))
                if same:
                    event[part] = f"as {same[0]}"
    return json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _dense(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"amount", "currency"}:
            return f"{value['amount']} {value['currency']}"
        return {key: _dense(item) for key, item in value.items() if item not in (None, "", [], {}, ())}
    if isinstance(value, (list, tuple)):
        return [_dense(item) for item in value]
    return value


def golden_update_allowed(environ: Mapping[str, str] | None = None) -> bool:
    """Whether expected.json may be rewritten: only when asked for by name, and never where CI is set.

    Raises `RuntimeError` when both are set: a build that rewrites what it checks proves nothing.
    """
    environ = os.environ if environ is None else environ
    asked = environ.get(UPDATE_VARIABLE) == "1"
    if asked and environ.get("CI"):
        raise RuntimeError(f"{UPDATE_VARIABLE} is refused where CI is set")
    return asked
