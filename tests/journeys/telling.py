"""The golden timeline: what came in, what was decided, what left and what did not, as lines people can review.

    Mon 02 Nov 10:00  in        #1001: order.created
    Mon 02 Nov 10:00  SENT      #1001: order_confirmation -> aino@example.com  [order-confirmation/confirm]
    Thu 12 Nov 10:00  not sent  #1001: review_request not sent: no_consent: no consent is ...  [review-request/ask]

Told from `connector.explaining.explain` alone, so that a journey also proves that explain knows everything. Ids, codes
and flow versions are replaced by words: a timeline changes when behaviour does, and for no other reason. Times are
Helsinki's.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from connector.explaining.explain import Line, Story, explain
from connector.testing.recording import golden_update_allowed
from connector.testing.world import World

HELSINKI = ZoneInfo("Europe/Helsinki")
GOLDENS = Path(__file__).parent / "goldens"
_CODE = re.compile(r"\b(FRIEND|KIITOS|THANKS)-[0-9A-Z]{16}\b", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
# What a step says on the way to the one thing it does; the rest of the journal is told.
_BETWEEN = frozenset({"acting", "allowed", "completed", "repeated"})
# In the order in which things happen to a run within one instant; runs of one instant are told by flow.
_MARKS = {
    "event": "in",
    "not_started": "refused",
    "started": "started",
    "restarted": "retimed",
    "done": "went on",
    "skipped": "passed",
    "sleeping": "waits",
    "awaiting": "waits",
    "deferred": "deferred",
    "held": "held",
    "without_pictures": "bare",
    "cancelled": "stopped",
    "effect.pending": "pending",
    "effect.held": "held",
    "effect.sending": "sending",
    "effect.sent": "SENT",
    "effect.skipped": "not sent",
    "effect.failed": "FAILED",
    "effect.uncertain": "UNKNOWN",
    "taken_back": "back",
    "exited": "ended",
}


def timeline(world: World) -> str:
    """Everything the world's customers lived through, oldest first. Also checks that the mail server agrees."""
    words = _Told()
    rows: Counter[tuple[datetime, str, int, str]] = Counter()
    for story in stories(world):
        # What reached an advocate because of a friend's order is in both stories, and is told once.
        here: Counter[tuple[datetime, str, int, str]] = Counter()
        for line in story.lines:
            text = words.line(line)
            if text is not None:
                here[line.at, line.flow, list(_MARKS).index(line.what), text] += 1
        rows |= here
    told = sorted(rows.elements())
    _agrees_with_the_mail_server(world, [text for *_, text in told])
    return "".join(f"{at.astimezone(HELSINKI):%a %d %b %H:%M}  {text}\n" for at, *_, text in told)


def stories(world: World) -> Iterator[Story]:
    """One story a person, and one an order that leads to nobody."""
    with closing(sqlite3.connect(world.folder / "kiitos.db")) as db:
        people = db.execute(
            "SELECT shop_id, email_key FROM orders WHERE email_key IS NOT NULL"
            " UNION SELECT shop_id, email_key FROM runs WHERE email_key IS NOT NULL ORDER BY 1, 2"
        ).fetchall()
        nobody = db.execute("SELECT shop_id, order_id FROM orders WHERE email_key IS NULL ORDER BY 1, 2").fetchall()
    for shop_id, who in [*people, *nobody]:
        story = explain(world.kiitos.store, shop_id, who)
        if story is not None:
            yield story


def check_golden(name: str, told: str) -> None:
    """Compare with goldens/<name>.txt; `KIITOS_UPDATE_GOLDENS=1` writes it anew, never where CI is set."""
    path = GOLDENS / f"{name}.txt"
    if golden_update_allowed():
        path.write_text(told, "utf-8")
    assert path.is_file(), f"no golden {path.name}: look at the timeline, then run with KIITOS_UPDATE_GOLDENS=1\n{told}"
    assert told == path.read_text("utf-8")


class _Told:
    """Words for lines. Things are named in the order in which they are met."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()

    def line(self, line: Line) -> str | None:
        if line.what in _BETWEEN or self._dull(line):
            return None
        place = f"  [{line.flow}/{line.step}]" if line.step else f"  [{line.flow}]" if line.flow else ""
        order = f"#{line.order.lstrip('#')}: " if line.order else ""
        return f"{_MARKS[line.what]:<8}  {order}{self._words(line)}{place}"

    @staticmethod
    def _dull(line: Line) -> bool:
        detail = line.detail
        if line.what == "skipped":
            # Each delivery update has six steps, of which five are for other news.
            return detail.get("path") == "event.kind" or str(detail.get("path", "")).startswith("steps.")
        if line.what == "done":
            return detail.get("outcome") not in ("event", "timeout")
        return line.what == "event" and detail["kind"] in ("order.updated", "shipment.updated", "customer.updated")

    def _words(self, line: Line) -> str:
        detail = line.detail
        match line.what:
            case "event":
                return self._event(detail)
            case "skipped" | "not_started":
                text = line.text
            case "cancelled" | "exited":
                text = str(detail.get("reason", ""))
            case "sleeping" | "awaiting":
                text = f"{detail.get('kinds', '')} until {detail['until']}".strip()
            case "restarted":
                text = f"by {detail['kind']}"
            case "done":
                text = str(detail["outcome"])
            case "deferred":
                text = f"{detail.get('rule')}: {detail.get('why')}"
            case "effect.sent":
                # Subjects are the templates' business, and tested with them.
                text = re.sub(r"^(\w+) to (\S+): .*$", r"\1 -> \2", line.text)
            case _:
                text = line.text
        return _TIME.sub(lambda found: _local(found[0]), _CODE.sub(r"\1-...", text))

    def _event(self, detail: Mapping[str, str]) -> str:
        kind, _, number = detail["subject"].partition(" ")
        key = (kind, number)
        if key not in self._names:
            self._counts[kind] += 1
            self._names[key] = f"{kind} {self._counts[kind]}" if kind not in ("order", "person") else kind
        who = "" if kind == "person" else f" ({self._names[key]})" if kind != "order" else ""
        why = f": {detail['reason']}" if detail.get("reason") else ""
        return f"{detail['kind']}{who}{why}"


def _local(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(HELSINKI):%a %d %b %H:%M}"


def _agrees_with_the_mail_server(world: World, texts: list[str]) -> None:
    """What we say was sent is what a mail server took: as many messages, to the same people, each once."""
    said = Counter(found[1] for text in texts if (found := re.match(r"SENT +(?:#\S+: )?\w+ -> (\S+)", text)))
    took = Counter(recipient for kept in world.sink.messages for recipient in kept.recipients)
    assert took == said, f"the mail server took {took - said} more and {said - took} less than is said"
    twice = {name: count for name, count in world.sink.by_message_id().items() if count != 1}
    assert not twice, f"sent twice: {twice}"
