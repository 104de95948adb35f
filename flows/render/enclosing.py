"""Attachments as they leave: the bytes of a file, or a calendar entry made for this order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from connector.errors import TemplateError
from connector.model import Enclosure, Order
from flows.render import liquid
from flows.render.context import MessageView, template_context
from flows.render.mime import Attached
from flows.render.strings import Strings

_FOLD = 73  # RFC 5545 section 3.1: lines of at most 75 octets; a continuation begins with a space


@dataclass(frozen=True, slots=True)
class Made:
    """What goes with a message, and what could not be made of it."""

    attached: tuple[Attached, ...] = ()
    fault: str = ""


def address_of(enclosure: Enclosure, order: Order) -> str:
    """Where the order's own file is. What stands in for a place is encoded: no number leads anywhere else."""
    return enclosure.url.replace("{order.id}", quote(order.id, safe="")).replace(
        "{order.number}", quote(order.number.lstrip("#"), safe="")
    )


def with_files(
    enclosures: Sequence[Enclosure], shop_id: str, order: Order | None, files: Mapping[tuple[str, str], bytes]
) -> tuple[Enclosure, ...]:
    """The attachments with what was fetched for this order, by shop and address; without it they are left out."""
    found = []
    for each in enclosures:
        if not each.url:
            found.append(each)
        elif order is not None and (content := files.get((shop_id, address_of(each, order)))) is not None:
            found.append(replace(each, content=content))
    return tuple(found)


def enclose(
    enclosures: Sequence[Enclosure], template: str, view: MessageView, language: str, strings: Strings, now: datetime
) -> Made:
    """The attachments of a message made of `template`. A calendar entry without a time is left out; one whose time
    cannot be read is left out and told."""
    fitting = [each for each in enclosures if template in each.templates]
    if not fitting:
        return Made()
    attached, faults = [], []
    for each in fitting:
        if not each.calendar:
            attached.append(Attached(each.name, each.media_type, each.content))
            continue
        try:
            entry = _entry(each, view, language, strings, now)
        except TemplateError as error:
            faults.append(str(error))
            continue
        if entry is not None:
            attached.append(Attached(each.name, "text/calendar; charset=utf-8; method=PUBLISH", entry))
    return Made(tuple(attached), "; ".join(faults))


def _entry(each: Enclosure, view: MessageView, language: str, strings: Strings, now: datetime) -> bytes | None:
    where = f"attachment {each.name}"
    context = template_context(view, language, strings)
    text = liquid.render(liquid.parse(each.calendar, liquid.LENIENT_TEXT, where), context, where).strip()
    if not text:
        return None
    try:
        begin = datetime.fromisoformat(text)
    except ValueError as error:
        raise TemplateError("calendar should give a time such as 2026-11-24T16:00", where=where) from error
    from flows.render.formats import zone

    begin = begin if begin.tzinfo else begin.replace(tzinfo=zone(view.timezone))
    return calendar_entry(view, each.name, begin, begin + timedelta(hours=each.hours), now)


def calendar_entry(view: MessageView, name: str, begin: datetime, end: datetime, now: datetime) -> bytes:
    """An iCalendar file (RFC 5545) with one event, in UTC. The same order gives the same UID: a later mail moves it."""
    number = view.order.number if view.order else ""
    uid = hashlib.sha256(f"{view.shop.id}|{view.order.id if view.order else ''}|{name}".encode()).hexdigest()[:32]
    title = f"{view.shop.name} {number}".strip()
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Kiitos//EN", "METHOD:PUBLISH", "BEGIN:VEVENT",
        f"UID:{uid}@{view.shop.domain}", f"DTSTAMP:{_stamp(now)}", f"DTSTART:{_stamp(begin)}", f"DTEND:{_stamp(end)}",
        f"SUMMARY:{_escaped(title)}", f"LOCATION:{_escaped(', '.join(view.shop.address_lines))}",
        "END:VEVENT", "END:VCALENDAR",
    ]  # fmt: skip
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line)).encode()


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    plain = " ".join(text.split())
    return plain.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> Iterator[str]:
    piece, size = "", 0
    for sign in line:
        octets = len(sign.encode())
        if size + octets > _FOLD:
            yield piece
            piece, size = " ", 1
        piece, size = piece + sign, size + octets
    yield piece
