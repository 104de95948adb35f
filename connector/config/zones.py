"""Names of time zones."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from connector.errors import near


def zone(value: Any) -> str:
    if isinstance(value, str) and value in _zones():
        return ""
    return f"no time zone '{value}'{near(str(value), _zones())}"


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # 25 ms of reading folders
