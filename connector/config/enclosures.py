"""`[...attachments.NAME]`: files and calendar entries that go with messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.errors import near
from connector.model import Enclosure

LARGEST = 2 << 20
"""Bytes of one file: a mail with much more is refused by many servers."""
TYPES = {".pdf": "application/pdf", ".ics": "text/calendar", ".png": "image/png", ".jpg": "image/jpeg",
         ".txt": "text/plain"}  # fmt: skip
_KEYS = ("file", "url", "calendar", "hours", "name", "templates", "private_addresses")
_PLACES = ("order.id", "order.number")
"""What an address may name."""
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\\"<>|:*?]{1,100}")


def read_enclosures(directory: Path, tables: Mapping[str, Any], where: str, faults: list[str]) -> tuple[Enclosure, ...]:
    """A shop's attachments; each fault is noted with its place."""
    found = []
    for key, table in tables.items():
        place = f"{where}.attachments.{key}"
        before = len(faults)
        enclosure = _read(directory, key, table, place, faults)
        if enclosure is not None and len(faults) == before:
            found.append(enclosure)
    return tuple(found)


def _read(directory: Path, key: str, table: Any, place: str, faults: list[str]) -> Enclosure | None:
    if not isinstance(table, Mapping):
        faults.append(f"{place}: should be a table")
        return None
    faults += [f"{place}.{name}: unknown key{near(name, _KEYS)}" for name in table if name not in _KEYS]
    templates, hours = table.get("templates"), table.get("hours", 1)
    if not isinstance(templates, list) or not templates or not all(isinstance(name, str) for name in templates):
        faults.append(f'{place}.templates: say which messages, such as ["order_confirmation"]')
        return None
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 240:
        faults.append(f"{place}.hours: should be a number of hours, at most 240")
        return None
    if sum(key in table for key in ("file", "url", "calendar")) != 1:
        faults.append(
            f'{place}: needs exactly one of file = "terms.pdf", url = "https://shop.example/{{order.id}}.pdf" and '
            'calendar = "{{ order.attributes... }}"'
        )
        return None
    if "url" in table:
        return _of_url(key, table, tuple(templates), place, faults)
    if "calendar" in table:
        name = _name(table, f"{key}.ics", place, faults)
        return Enclosure(name=name, templates=tuple(templates), media_type="text/calendar",
                         calendar=str(table["calendar"]), hours=float(hours))  # fmt: skip
    path = directory / str(table["file"])
    name = _name(table, path.name, place, faults)
    if path.suffix.lower() not in TYPES:
        faults.append(f"{place}.file: should be one of {', '.join(TYPES)}")
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        faults.append(f"{place}.file: {path.name} cannot be read ({type(error).__name__})")
        return None
    if len(content) > LARGEST:
        faults.append(f"{place}.file: {path.name} is larger than {LARGEST >> 20} MB; link to it instead")
    return Enclosure(name=name, templates=tuple(templates), media_type=TYPES[path.suffix.lower()], content=content)


def _of_url(key: str, table: Mapping[str, Any], templates: tuple[str, ...], place: str, faults: list[str]) -> Enclosure:
    """A file of the order's own, behind an address."""
    url, private = table["url"], table.get("private_addresses", False)
    name = _name(table, f"{key}.pdf", place, faults)
    kind = TYPES.get(Path(name).suffix.lower(), "")
    if not kind:
        faults.append(f"{place}.name: should end with one of {', '.join(TYPES)}")
    if not isinstance(private, bool):
        faults.append(f"{place}.private_addresses: should be true or false")
    if not isinstance(url, str) or not url.startswith(("https://", "http://") if private is True else ("https://",)):
        faults.append(f"{place}.url: should begin with https://")
        url = ""
    named = re.findall(r"{([^{}]*)}", url)
    faults += [
        f"{place}.url: no place {{{word}}}{near(word, _PLACES)} (one of {', '.join(_PLACES)})"
        for word in named
        if word not in _PLACES
    ]
    if url and not re.search(r"{order\.(id|number)}", url.partition("://")[2].partition("/")[2]):
        faults.append(f"{place}.url: names no order after the host; a file that is the same for all is file = ...")
    return Enclosure(name=name, templates=templates, media_type=kind, url=url, private_addresses=private is True)


def _name(table: Mapping[str, Any], otherwise: str, place: str, faults: list[str]) -> str:
    name = table.get("name", otherwise)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        faults.append(f"{place}.name: should be a file's name, such as Terms.pdf")
        return otherwise
    return name
