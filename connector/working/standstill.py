"""Why workers hold still: a restored database that is not yet reconciled, or one that is being moved.

A row of `meta`, written into a restored copy before it is put in place, so that no worker ever sees it without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector import codec
from connector.clock import from_text, to_text
from connector.log import get_log
from connector.store import meta
from connector.store.db import Tx
from connector.store.store import Store

NAME = "standstill"

log = get_log("standstill")


class Standstill(StrEnum):
    """`restored`: everything but sending goes on. `moving`: nothing does."""

    NONE = ""
    RESTORED = "restored"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class Held:
    """Since when, why, and what is to be known of it (`cut`: the time of the backup, `backup`: its name)."""

    why: Standstill
    since: datetime
    detail: Mapping[str, Any]


def read(tx: Tx) -> Held | None:
    """What holds workers now; `None` when nothing does."""
    text = meta.get(tx, NAME)
    if not text:
        return None
    kept = codec.decode(text, dict[str, Any])
    why = Standstill(kept.pop("why"))
    return Held(why, from_text(kept.pop("since")), kept) if why else None


def begin(tx: Tx, why: Standstill, now: datetime, **detail: Any) -> None:
    meta.put(tx, NAME, codec.encode_text({"why": why.value, "since": to_text(now), **detail}), now)


def end(tx: Tx, now: datetime) -> None:
    meta.put(tx, NAME, "", now)


class Standing:
    """One worker's view of it: `look()` before each tick, a read of one row."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.why = Standstill.NONE

    def look(self) -> Standstill:
        with self._store.work.read() as tx:
            held = read(tx)
        why = held.why if held else Standstill.NONE
        if why is not self.why:
            log.warning("standstill" if why else "standstill_over", why=why.value or self.why.value)
        self.why = why
        return why
