"""Reading event webhooks: message keys, and the forms Twilio and 46elks send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from connector.errors import MalformedPayload

_KEY = re.compile(r"[0-9a-hjkmnp-tv-z]{24}")
_MOST_FIELDS = 200


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form; of a repeated one the first. Raises `MalformedPayload`."""
    return dict(reversed(form_pairs(body)))


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in order. Raises `MalformedPayload`."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise MalformedPayload("is no form in UTF-8") from error


def key_in(query: str) -> str:
    """The message key in the query of an event's address, empty where there is none."""
    try:
        found = dict(parse_qsl(query, max_num_fields=20)).get("key", "")
    except ValueError:
        return ""
    return known_key(found)


def known_key(text: str) -> str:
    """`text` where it has the form of a message key, else nothing."""
    return text if _KEY.fullmatch(text) else ""


def time_of(form: Mapping[str, str], field: str, otherwise: datetime | None) -> datetime:
    """An ISO time in UTC, else `otherwise`. Raises `MalformedPayload` where there is neither."""
    try:
        return datetime.fromisoformat(form.get(field, "").removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError as error:
        if otherwise is None:
            raise MalformedPayload("has no time", path=field) from error
        return otherwise
