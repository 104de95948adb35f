"""The `[events.NAME]` tables: which events of their own merchants may tell, and with which fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector.errors import near

TYPES = ("text", "number", "time", "money", "bool")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEYS = ("fields", "description")


def event_faults(tables: Mapping[str, Any]) -> list[str]:
    """All faults of the tables, each as `events.name.key: what is wrong`."""
    faults: list[str] = []
    for name, table in tables.items():
        if not _NAME.fullmatch(name):
            faults.append(f"events.{name}: names are lower-case letters, digits and _; flows call it custom.{name}")
            continue
        if not isinstance(table, Mapping):
            faults.append(f'events.{name}: should be a table such as {{ fields = {{ size = "number" }} }}')
            continue
        faults += [f"events.{name}.{key}: unknown key{near(key, _KEYS)}" for key in table if key not in _KEYS]
        faults += _field_faults(name, table.get("fields", {}))
    return faults


def _field_faults(name: str, fields: Any) -> list[str]:
    if not isinstance(fields, Mapping):
        return [f'events.{name}.fields: should be a table such as {{ size = "number" }}']
    faults = []
    for key, kind in fields.items():
        if not _NAME.fullmatch(key):
            faults.append(f"events.{name}.fields.{key}: names are lower-case letters, digits and _")
        if kind not in TYPES:
            faults.append(
                f"events.{name}.fields.{key}: no type '{kind}'{near(str(kind), TYPES)} (one of {', '.join(TYPES)})"
            )
    return faults


def schemas(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Kind (`custom.NAME`) to field to type, of a checked document."""
    return {f"custom.{name}": dict(table.get("fields", {})) for name, table in document.get("events", {}).items()}
