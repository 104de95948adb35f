"""What a shop encloses with some of its messages."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file, or a calendar entry, that goes with the messages made of `templates`.

    `content` are a file's bytes, read when the settings were. `calendar` is Liquid that gives the beginning of a
    meeting (a pick-up) as ISO 8601; an order for which it gives none gets no entry. `hours` is how long it lasts.
    `url` is where the order's own file is (an invoice), with `{order.id}` and `{order.number}` in it; it is fetched
    before the message is written.
    """

    name: str
    templates: tuple[str, ...]
    media_type: str = "application/octet-stream"
    content: bytes = field(default=b"", repr=False)
    calendar: str = ""
    hours: float = 1.0
    url: str = field(default="", repr=False)
    private_addresses: bool = False
