"""The `[backup.litestream]` table: where Litestream copies a SQLite installation to, second by second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector.contracts.step import parse_span
from connector.errors import near

_SPANS = {"every": "1s", "snapshot": "24h", "keep": "72h"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """`to` is a folder or `s3://bucket/prefix`. What was committed is there after `every`; a whole copy is made every
    `snapshot`, and what is older than `keep` goes: so far back a restore can reach, and so long what was erased stays
    in the replica."""

    to: str
    every: timedelta = timedelta(seconds=1)
    snapshot: timedelta = timedelta(hours=24)
    keep: timedelta = timedelta(hours=72)


def stream_faults(value: Any) -> list[str]:
    """What is wrong with the table, as `backup.litestream.key: what`."""
    where = "backup.litestream"
    if not isinstance(value, Mapping):
        return [f"{where}: should be a table"]
    if not isinstance(value.get("to"), str) or not value["to"]:
        return [f"{where}.to: should be a folder or s3://bucket/prefix"]
    faults = []
    if "://" in value["to"] and not value["to"].startswith("s3://"):
        faults.append(f"{where}.to: should be a folder or s3://bucket/prefix")
    known = ("to", *_SPANS)
    for name, item in value.items():
        if name not in known:
            faults.append(f"{where}.{name}: unknown key{near(name, known)}")
        elif name in _SPANS:
            faults += _span_faults(f"{where}.{name}", item)
    return faults


def _span_faults(where: str, item: Any) -> list[str]:
    try:
        return [] if parse_span(str(item)) else [f"{where}: should be longer than nothing"]
    except ValueError as error:
        return [f"{where}: {error}"]


def read_stream(table: Mapping[str, Any], directory: Path) -> StreamSettings | None:
    """The table of a checked `[backup]` (`stream_faults`); `None` where there is none. No secret is looked up."""
    said = table.get("litestream")
    if said is None:
        return None
    to = str(said["to"])
    return StreamSettings(
        to=to if "://" in to else str(directory / to),
        **{name: parse_span(str(said.get(name, default))) for name, default in _SPANS.items()},
    )
