"""Bodies damaged on purpose: each field of a JSON body dropped, nulled and retyped in turn.

Platforms drop fields (facts/shopify.md section 0.5), send null for what an app may not see, and change a number
into text. An adapter must give events or `MalformedPayload`, never another exception.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

SENTINEL = "kiitos-sentinel-7f3a"
"""A text that must appear in no error message: messages name the path, never the value."""

ANY: tuple[Any, ...] = (None, SENTINEL, 10**25, -1.5, True, [SENTINEL], {})


def damaged(body: bytes, replacements: Sequence[Any] = ANY) -> Iterator[tuple[str, bytes]]:
    """Each damage as (what was done, the body). Of a list only the first item is damaged: the others are alike.

    Each field is dropped, and becomes each of `replacements`. A body that is no JSON gives nothing.
    """
    try:
        whole = json.loads(body)
    except ValueError:
        return
    for path in list(_paths(whole)):
        parent = whole
        for key in path[:-1]:
            parent = parent[key]
        original = parent[path[-1]]
        for replacement in replacements:
            parent[path[-1]] = replacement
            yield f"{_name(path)} became {json.dumps(replacement)}", _dump(whole)
        if isinstance(parent, dict):
            del parent[path[-1]]
            yield f"{_name(path)} dropped", _dump(whole)
        parent[path[-1]] = original


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _name(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def _paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value[:1]))
    for key, child in children:
        yield (*at, key)
        yield from _paths(child, (*at, key))
