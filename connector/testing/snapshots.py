"""The kit's checks of what events hold: whole values, keys that name one event each, and snapshots in their order."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connector import codec
from connector.model import Event, EventKind, Order
from connector.store import Store, entities
from connector.store import shops as shop_store
from connector.testing.exchanges import START
from connector.testing.recording import Recording, find_recordings
from connector.testing.subject import Subject

LATER = timedelta(days=1)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
_OWN_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


class SnapshotChecks(Subject):
    """The part of `PlatformConformance` that looks into the events."""

    def test_values_are_whole(self, recording: Recording) -> None:
        """No empty id anywhere (`None` is what is not known), and kinds flows can be written for."""
        if recording.handshake:
            return
        for event in self.events(recording):
            known = event.kind in set(EventKind) - {EventKind.OTHER}
            assert known or _OWN_KIND.fullmatch(event.kind), f"{recording.name}: no kind of event: {event.kind!r}"
            # A guest who asks to be forgotten has no id: such a request names an address, in `data`.
            asked = event.kind.startswith("compliance.")
            plain = {name: item for name, item in codec.builtins(event).items() if not asked or name != "subject"}
            empty = [path for path, value in _ids(plain) if not str(value).strip() and not path.startswith("data.")]
            assert not empty, f"{recording.name}: {event.kind} has an empty {empty[0]}; unknown is None"

    def test_a_key_names_one_event(self) -> None:
        """Over all recordings: what has the same key is the same kind of event about the same thing."""
        named: dict[str, tuple[str, str, str]] = {}
        for recording in find_recordings(self.recordings):
            for event in () if recording.handshake else self.events(recording):
                if event.kind == EventKind.RESOURCE_RECHECK:
                    continue
                kind, subject, first = named.setdefault(event.key, (event.kind, str(event.subject), recording.name))
                same = (kind, subject) == (event.kind, str(event.subject))
                assert same, (
                    f"key '{event.key}' is {kind} of {subject} in {first}, and {event.kind} of {event.subject} "
                    f"in {recording.name}"
                )

    def test_the_newest_snapshot_of_an_order_wins(self) -> None:
        """A later version of each order (its time of change moved by a day) is kept, whichever arrives first.

        The time of change must come from the payload, and not be that of the placing.
        """
        unmoved = []
        for recording, earlier in self._orders():
            later = self._changed_later(recording, earlier)
            if later is None:
                unmoved.append(recording.name)
                continue
            for arrivals in ((earlier, later), (later, earlier)):
                kept = _kept(self, arrivals)
                assert kept is not None, f"{recording.name}: the order was not stored"
                assert kept.updated_at == later[0].updated_at, (
                    f"{recording.name}: an older snapshot that arrived later replaced the newer one"
                )
        assert not unmoved, f"{unmoved[0]}: no time of change in the body moves order.updated_at"

    def _orders(self) -> Iterator[tuple[Recording, tuple[Order, Sequence[Event]]]]:
        """One recording a topic that tells of an order, with the order and its events."""
        topics = set()
        for recording in find_recordings(self.recordings):
            if recording.handshake or recording.topic in topics:
                continue
            events = self.events(recording)
            order = next((event.order for event in events if event.order is not None), None)
            if order is not None:
                topics.add(recording.topic)
                yield recording, (order, events)

    def _changed_later(
        self, recording: Recording, earlier: tuple[Order, Sequence[Event]]
    ) -> tuple[Order, Sequence[Event]] | None:
        """The same delivery with the time of change of its order a day later; `None` where no time of the body moves
        `updated_at` and leaves `placed_at`."""
        for path in _times(json.loads(recording.body)):
            events = self.events(replace(recording, body=_moved(recording.body, path)))
            order = next((event.order for event in events if event.order is not None), None)
            if order is None or order.updated_at <= earlier[0].updated_at:
                continue
            if order.placed_at == earlier[0].placed_at:
                return order, events
        return None


def _kept(subject: Subject, arrivals: Sequence[tuple[Order, Sequence[Event]]]) -> Order | None:
    """The order a store holds after the snapshots arrived in this order."""
    now = datetime.fromisoformat(START)
    with tempfile.TemporaryDirectory(prefix="kiitos-kit-") as folder:
        store = Store.open(f"sqlite:///{Path(folder)}/kit.db")
        try:
            with store.work.transaction() as tx:
                shop_store.save(tx, subject.shop, now)
                for _, events in arrivals:
                    entities.apply_many(tx, subject.shop.id, events, now)
                return entities.order(tx, subject.shop.id, arrivals[0][0].id)
        finally:
            store.close()


def _ids(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every id of an event in plain JSON, with its path."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        path = f"{at}.{name}" if at else str(name)
        if isinstance(name, str) and (name == "id" or name.endswith("_id") or name == "key") and item is not None:
            yield path, item
        yield from _ids(item, path)


def _times(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all texts of a body that begin like a time."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(item, str) and _TIME.match(item):
            yield (*at, name)
        yield from _times(item, (*at, name))


def _moved(body: bytes, path: tuple[str | int, ...]) -> bytes:
    """The body with the time at a path a day later, its form kept."""
    whole = place = json.loads(body)
    for name in path[:-1]:
        place = place[name]
    text = place[path[-1]]
    place[path[-1]] = (datetime.fromisoformat(text[:19]) + LATER).isoformat(sep=text[10]) + text[19:]
    return json.dumps(whole, ensure_ascii=False).encode()
