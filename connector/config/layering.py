"""Layers of settings. Tables merge, everything else is replaced, and every leaf remembers its layer.

`remove` and `insert` of a flow are edits, not values: they are kept a layer at a time and applied in order, so that a
client's list never silently undoes the agency's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EDITS = frozenset({"remove", "insert"})


@dataclass(frozen=True, slots=True)
class Layered:
    """`values` merged, `origin` the layer of each leaf by dotted path, `edits` by dotted path in layer order."""

    values: dict[str, Any]
    origin: dict[str, str]
    edits: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a dotted path."""
        here: Any = self.values
        for part in path.split("."):
            if not isinstance(here, Mapping) or part not in here:
                return default
            here = here[part]
        return here

    def layer_of(self, path: str) -> str:
        """The layer that set `path` (or, for a table, the layers of its leaves); empty when it is not set."""
        if path in self.origin:
            return self.origin[path]
        below = sorted({layer for leaf, layer in self.origin.items() if leaf.startswith(path + ".")})
        return ", ".join(below)


def merge(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Layered:
    """Merge `(name, table)` layers, later ones over earlier ones.

    >>> merge([("defaults", {"a": {"x": 1, "y": 2}}), ("clients.acme", {"a": {"y": 3}})]).values
    {'a': {'x': 1, 'y': 3}}
    """
    result = Layered({}, {}, {})
    for name, table in layers:
        _merge_into(result, result.values, table, name, "")
    return result


def _merge_into(result: Layered, into: dict[str, Any], table: Mapping[str, Any], layer: str, prefix: str) -> None:
    for key, value in table.items():
        path = f"{prefix}{key}"
        if key in EDITS and prefix.startswith("flows."):
            result.edits.setdefault(path, []).append((layer, value))
        elif isinstance(value, Mapping) and (prefix.startswith("flows.") or not _is_secret(value)):
            below = into.get(key)
            if not isinstance(below, dict):
                _forget(result, path)
                below = into[key] = {}
            _merge_into(result, below, value, layer, path + ".")
        else:
            _forget(result, path)
            into[key] = value
            result.origin[path] = layer


def _forget(result: Layered, path: str) -> None:
    for leaf in [leaf for leaf in result.origin if leaf == path or leaf.startswith(path + ".")]:
        del result.origin[leaf]


def _is_secret(value: Mapping[str, Any]) -> bool:
    """A secret is a value and not a table; a flow of nothing but a `file` looks like one, so flows are never asked."""
    return bool(value) and set(value) <= {"env", "file", "generate"}
