"""What a provider's account may send, as an operator writes it: `rate = "10/s"`, `burst = 20`, `account = "name"`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from connector.contracts import Rate

OURS = frozenset({"rate", "burst", "account", "dkim_selector"})
"""Keys of a channel's table that are kept from the channel: limits are all workers' together, DKIM is looked up."""
_RATE = re.compile(r"(\d{1,7}) ?/ ?(s|min|h|d)")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_TOGETHER = 10
"""Of a fast account a tenth of a second's messages may go at once, so that a batch is not one message."""


def pace_faults(where: str, table: Mapping[str, Any]) -> list[str]:
    """What is wrong with a channel's own limits, each as `where.key: what`."""
    faults = []
    if "rate" in table and not _matched(table["rate"]):
        faults.append(f'{where}.rate: should be messages by time, such as "10/s", "600/min", "5000/h" or "50000/d"')
    burst = table.get("burst", 1)
    if isinstance(burst, bool) or not isinstance(burst, int) or not 1 <= burst <= 10_000:
        faults.append(f"{where}.burst: should be a whole number from 1 to 10000")
    if not isinstance(table.get("dkim_selector", ""), str):
        faults.append(f'{where}.dkim_selector: should be a text such as "s1"')
    if not isinstance(table.get("account", ""), str):
        faults.append(f"{where}.account: should be a name that channels of one account share")
    return faults


def rate_of(table: Mapping[str, Any], usual: Rate | None) -> Rate | None:
    """The rate of a channel whose table has no faults; `usual` is its provider's own."""
    found = _matched(table.get("rate"))
    if found is None:
        return usual
    seconds, messages = _SECONDS[found[2]], int(found[1])
    usual_burst = max(1, math.ceil(messages / seconds / _TOGETHER))
    return Rate(messages, seconds, int(table.get("burst", usual_burst)))


def _matched(value: Any) -> re.Match[str] | None:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    return found if found is not None and int(found[1]) else None
