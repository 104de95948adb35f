"""Checks of whole tables of app.toml, a layer at a time: every fault as `where.key: what is wrong`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connector.config.shapes import Check
from connector.errors import near

NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
"""What entries of a table are called that their author names."""


def entries(where: str, value: Any, faults_of: Callable[[str, str, Any], list[str]]) -> list[str]:
    """The faults of each entry, by `faults_of(its place, its key, its value)`; what is no table is a fault itself."""
    if not isinstance(value, Mapping):
        return [f"{where}: should be a table"]
    return [fault for key, item in value.items() for fault in faults_of(f"{where}.{key}", key, item)]


def key_faults(where: str, key: str, value: Any, keys: Mapping[str, Check], others: Iterable[str] = ()) -> list[str]:
    """Of one entry; `others` are keys that exist and are checked elsewhere, for the nearest name."""
    if key not in keys:
        return [f"{where}: unknown key{near(key, [*keys, *others])}"]
    fault = keys[key](value)
    return [f"{where}: {fault}"] if fault else []


def table_faults(where: str, value: Any, keys: Mapping[str, Check]) -> list[str]:
    return entries(where, value, lambda place, key, item: key_faults(place, key, item, keys))


def named_faults(where: str, value: Any, faults_of: Callable[[str, Any], list[str]]) -> list[str]:
    """Of a table whose entries their author names, by `faults_of(its place, its value)`."""
    wrong = "names are lower-case letters, digits, - and _"
    return entries(
        where,
        value,
        lambda place, name, item: faults_of(place, item) if NAME.fullmatch(name) else [f"{place}: {wrong}"],
    )
