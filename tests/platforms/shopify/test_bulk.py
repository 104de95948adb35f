"""A bulk operation's file: streamed, resumed at a byte, and never held in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.errors import Refused, Transient
from platforms.shopify.bulk import Place, _objects

LARGE = Path(__file__).with_name("large_history.py")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_history() -> None:
    """200,000 orders with their lines (260 MB of JSON) after the first 2,000: less than 24 MB more."""
    command = [sys.executable, str(LARGE), "200000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    read, grown = (int(word) for word in done.stdout.split())
    assert read == 200_000
    assert grown < 24, f"{grown} MB more"


def lines(*rows: dict[str, Any]) -> Iterator[tuple[bytes, int]]:
    position = 0
    for row in rows:
        text = json.dumps(row).encode()
        position += len(text) + 1
        yield text, position


def test_children_follow_their_parent() -> None:
    rows = ({"id": "a"}, {"id": "l1", "__parentId": "a"}, {"id": "b"}, {"id": "l2", "__parentId": "b"})
    found = [(root["id"], [child["id"] for child in children]) for root, children, _ in _objects(lines(*rows))]
    assert found == [("a", ["l1"]), ("b", ["l2"])]


def test_a_cursor_is_where_the_next_object_begins() -> None:
    rows = [{"id": "a"}, {"id": "l1", "__parentId": "a"}, {"id": "b"}]
    whole = "".join(json.dumps(row) + "\n" for row in rows)
    first = next(_objects(lines(*rows)))
    assert whole[first[2] :] == json.dumps(rows[2]) + "\n"


def test_an_ungrouped_file_is_refused_rather_than_read_without_its_lines() -> None:
    rows = ({"id": "a"}, {"id": "b"}, {"id": "l1", "__parentId": "a"})
    with pytest.raises(Refused, match="away from its parent"):
        list(_objects(lines(*rows)))


def test_a_broken_line_is_asked_for_again() -> None:
    with pytest.raises(Transient):
        list(_objects(iter([(b'{"id": ', 7)])))


def test_a_place_survives_as_text() -> None:
    place = Place("gid://shopify/BulkOperation/7", 4711, None, 86400.0)
    assert msgspec.json.decode(place.text(), type=Place) == place
