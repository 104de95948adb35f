"""Who was forgotten, kept beside the send ledger: a restored database must forget them again.

Keyed hashes under the installation's salt, as in the table `erasures`; one line each, on the disk before the erasure is
called done. Lines: `P <unix seconds> <shop> <erased key>` for a person, `S <unix seconds> <shop>` for a whole shop.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from connector.errors import StoreUnavailable
from connector.log import get_log

NAME = "forgotten.list"

log = get_log("forgotten")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One line: a person's key in a shop, or the whole shop where the key is empty."""

    shop_id: str
    key: str
    at: datetime


def note_people(folder: Path | None, shop_id: str, keys: Iterable[str], at: datetime) -> None:
    """Note a person's keys. Raises `StoreUnavailable`: then the erasure is not done yet and is tried again."""
    _append(folder, [f"P {int(at.timestamp())} {shop_id} {key}" for key in keys])


def note_shop(folder: Path | None, shop_id: str, at: datetime) -> None:
    _append(folder, [f"S {int(at.timestamp())} {shop_id}"])


def _append(folder: Path | None, lines: list[str]) -> None:
    """A new line before the first: one that was cut short by a power cut then stands alone and is passed over."""
    if folder is None or not lines:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            data = ("\n" + "\n".join(lines) + "\n").encode()
            if os.write(handle, data) != len(data):
                raise OSError("the disk took a part of it only")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise StoreUnavailable(f"{folder / NAME} cannot be written: {error}") from error


def read_forgotten(folders: Iterable[Path], since: datetime) -> Iterator[Forgotten]:
    """What was noted since then, on any machine. Lines that make no sense are counted in the log."""
    for folder in folders:
        path = folder / NAME
        if not path.exists():
            continue
        strange = 0
        for line in path.read_text("ascii", errors="replace").splitlines():
            kind, *fields = line.split(" ")
            if not line:
                continue
            if (kind, len(fields)) not in (("P", 3), ("S", 2)) or not fields[0].isdecimal():
                strange += 1
                continue
            found = Forgotten(fields[1], fields[2] if kind == "P" else "", datetime.fromtimestamp(int(fields[0]), UTC))
            if found.at >= since.replace(microsecond=0):
                yield found
        if strange:
            log.error("forgotten_lines_unreadable", lines=strange)
