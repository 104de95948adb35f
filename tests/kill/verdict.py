"""What is true after the kills: acknowledged webhooks against the inbox, effects against what the sink counted."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from connector.app import load
from flows.sending.addressing import derive_token

from .load import Acknowledged
from .product import CONFIRMATION, THANKS


@dataclass(frozen=True, slots=True)
class Sent:
    """One message effect as the database has it, and how often the sink took its Message-ID."""

    effect_id: str
    flow_id: str
    status: str
    tainted: bool
    recipient: str
    purpose: str
    count: int
    shop_id: str = ""


@dataclass(slots=True)
class Verdict:
    """`lost`: acknowledged and not in the inbox. `undone`: in the inbox and not processed. `strangers`: Message-IDs at
    the sink that no effect has. `integrity`: what quick_check says of each database."""

    kills: int
    acknowledged: Acknowledged
    lost: list[str] = field(default_factory=list)
    undone: dict[str, str] = field(default_factory=dict)
    messages: list[Sent] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    integrity: dict[str, str] = field(default_factory=dict)

    def of(self, *, transactional: bool) -> list[Sent]:
        return [m for m in self.messages if (m.purpose == "transactional") is transactional]

    def twice(self, *, transactional: bool) -> list[Sent]:
        return [m for m in self.of(transactional=transactional) if m.count > 1]

    def extra(self, *, transactional: bool) -> int:
        """Messages beyond the first."""
        return sum(m.count - 1 for m in self.twice(transactional=transactional))

    def faults(self) -> dict[str, str]:
        """Every broken promise by name, with what was found; empty when all hold."""
        return {name: text for name, text in self._look() if text}

    def _look(self) -> Iterator[tuple[str, str]]:
        yield "lost", _some("acknowledged, not stored", self.lost)
        yield "undone", _some("stored, not processed", [f"{k} {v}" for k, v in self.undone.items()])
        yield "damaged", _some("quick_check", [f"{k}: {v}" for k, v in self.integrity.items() if v != "ok"])
        yield "strangers", _some("messages nobody decided on", self.strangers)
        arrived = {(m.flow_id, m.recipient) for m in self.messages if m.count}
        missing = [c for c in sorted(self.acknowledged.customers) if (CONFIRMATION, c) not in arrived]
        yield "unconfirmed", _some("acknowledged orders without a confirmation", missing)
        asked = {m.recipient for m in self.messages if m.flow_id == THANKS and (m.count or m.status == "uncertain")}
        yield "unasked", _some("neither asked nor shown as uncertain", sorted(self.acknowledged.customers - asked))
        claimed = [m.effect_id for m in self.messages if m.status == "sent" and not m.count]
        yield "claimed", _some("the database says sent, the sink has nothing", claimed)
        marketing = self.twice(transactional=False)
        yield (
            "marketing_twice",
            _some("marketing sent more than once", [f"{m.effect_id} x{m.count}" for m in marketing]),
        )
        extra = self.extra(transactional=True)
        yield "too_many", f"{extra} transactional repetitions in {self.kills} kills" if extra > self.kills else ""
        hidden = [m.effect_id for m in self.twice(transactional=True) if not m.tainted]
        yield "hidden", _some("sent twice, and the database does not know that it may have been", hidden)


def _some(text: str, found: list[str]) -> str:
    return f"{len(found)} {text}: {', '.join(found[:5])}" if found else ""


def judge(folder: Path, acknowledged: Acknowledged, counts: Mapping[str, int], kills: int) -> Verdict:
    """Read both databases of a product that is not running. `counts` are the sink's, by Message-ID."""
    verdict = Verdict(kills, acknowledged)
    by_key = Counter({message_id.strip("<>").partition("@")[0]: n for message_id, n in counts.items()})
    kiitos = load(folder / "app.toml", {})
    salt = kiitos.salt
    kiitos.close()
    with closing(_open(folder / "inbox.db")) as inbox, closing(_open(folder / "kiitos.db")) as work:
        verdict.integrity = {"inbox": _quick_check(inbox), "work": _quick_check(work)}
        stored = dict(inbox.execute("SELECT dedup_key, id FROM inbox"))
        progress = dict(work.execute("SELECT delivery_id, status FROM delivery_progress"))
        rows = work.execute(
            "SELECT shop_id, effect_id, flow_id, status, tainted, recipient, purpose FROM effects"
            " WHERE kind = 'message' ORDER BY created_at"
        ).fetchall()
    for webhook in sorted(acknowledged.webhooks):
        if webhook not in stored:
            verdict.lost.append(webhook)
        elif (status := progress.get(stored[webhook], "unseen")) != "done":
            verdict.undone[webhook] = status
    for shop_id, effect_id, flow_id, status, tainted, recipient, purpose in rows:
        key = derive_token(salt, "message", shop_id, effect_id, length=24)
        sent = Sent(effect_id, flow_id, status, bool(tainted), recipient, purpose, by_key.pop(key, 0), shop_id)
        verdict.messages.append(sent)
    verdict.strangers = sorted(by_key)
    return verdict


def is_drained(folder: Path) -> bool:
    """Whether a running product has nothing left to do."""
    with closing(_open(folder / "inbox.db")) as inbox:
        (newest,) = inbox.execute("SELECT COALESCE(MAX(id), 0) FROM inbox").fetchone()
    with closing(_open(folder / "kiitos.db")) as work:
        cursor = work.execute("SELECT last_id FROM inbox_cursor").fetchone()
        (deliveries,) = work.execute(
            "SELECT COUNT(*) FROM delivery_progress WHERE status IN ('new', 'leased')"
        ).fetchone()
        (open_effects,) = work.execute("SELECT COUNT(*) FROM effects WHERE status IN ('pending', 'sending')").fetchone()
    return (cursor[0] if cursor else 0) >= newest and not deliveries and not open_effects


def left_open(folder: Path) -> list[str]:
    """A line for each thing a product has left to do: what, since when, until when, and why."""
    with closing(_open(folder / "kiitos.db")) as work:
        columns = "effect_id, status, attempts, due_at, lease_until, reason"
        rows = work.execute(f"SELECT {columns} FROM effects WHERE status IN ('pending', 'sending') LIMIT 20").fetchall()
        rows += work.execute("SELECT * FROM delivery_progress WHERE status IN ('new', 'leased') LIMIT 20").fetchall()
    return [" ".join(map(str, row)) for row in rows]


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)


def _quick_check(database: sqlite3.Connection) -> str:
    return str(database.execute("PRAGMA quick_check").fetchone()[0])
