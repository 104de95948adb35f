"""Single values of WooCommerce payloads, as they really come (facts/woocommerce.md section 3, "Data").

PHP has one kind of array, meta is whatever a plug-in stored, and booleans turn into "1". Each function takes the
value as it was decoded; the strict ones raise `MalformedPayload` naming the path, never the value.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from connector.errors import MalformedPayload
from connector.model import Money

T = TypeVar("T")

ERASED = "[deleted]"
ERASED_EMAIL = "deleted@site.invalid"

# NUL and other controls break headers and CSV later; lone surrogates cannot be stored (promises B1 rows 8 and 18).
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# Bounded so that sums of Decimals cannot overflow whatever a body claims.
_AMOUNT = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,12})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_UNIX = re.compile(r"[0-9]{9,13}", re.ASCII)
_WEB = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_MILLISECONDS_FROM = 100_000_000_000


def text(value: Any) -> str | None:
    """A text or number as clean text; `None` for what is empty, erased or no scalar."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    clean = _CONTROL.sub("", str(value)).strip()
    return clean if clean and clean != ERASED else None


def line(value: Any) -> str | None:
    """`text` on one line: names, titles and cities are put into headers and subjects later."""
    clean = text(value)
    return " ".join(clean.split()) if clean else None


def label(value: Any) -> str | None:
    """A name the shop stored HTML-escaped (`Mugs &amp; more`), as a person reads it."""
    clean = line(value)
    return line(html.unescape(clean)) if clean else None


def email(value: Any) -> str | None:
    """An address as typed; `None` for what the privacy eraser leaves."""
    clean = line(value)
    return None if clean is None or clean.lower() == ERASED_EMAIL else clean


def ident(value: Any) -> str | None:
    """An id as text. 0 and "" mean none (guests, deleted products)."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    clean = str(value).strip()
    return clean if clean not in ("", "0") and len(clean) <= 64 and clean.isprintable() else None


def truth(value: Any) -> bool:
    """PHP's idea of true over JSON: true, 1, "1", "yes"."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in ("1", "yes", "true"))


def web(value: Any) -> str | None:
    """An http(s) address; anything else (`javascript:` too) is none."""
    clean = text(value)
    return clean if clean and len(clean) <= 2000 and _WEB.fullmatch(clean) else None


def items(many: Any) -> list[Any]:
    """The values of a PHP array: a JSON list, or an object once a middle element was removed."""
    if isinstance(many, dict):
        return list(many.values())
    return list(many) if isinstance(many, list) else []


def decimal(value: Any) -> Decimal | None:
    """An amount, given as text or number, or `None` where it is empty or none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    written = format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value).strip()
    return Decimal(written) if _AMOUNT.fullmatch(written) else None


def money(value: Any, currency: str, path: str) -> Money:
    """An amount that must be there. Raises `MalformedPayload`."""
    amount = decimal(value)
    if amount is None:
        raise MalformedPayload("not an amount of money", path=path)
    return Money(amount, currency)


def money_or_zero(value: Any, currency: str) -> Money:
    """An amount of which "" and a missing field mean nothing was charged."""
    amount = decimal(value)
    return Money(Decimal(0) if amount is None else amount, currency)


def share(total: Money, parts: int) -> Money:
    """`total` divided by a quantity, at the precision the shop wrote the total in."""
    if parts in (0, 1):
        return total
    exponent = total.amount.as_tuple().exponent
    step = Decimal(1).scaleb(exponent if isinstance(exponent, int) else -2)
    return Money((total.amount / parts).quantize(step, ROUND_HALF_UP), total.currency)


def moment(value: Any, path: str) -> datetime | None:
    """A `*_gmt` date, which WooCommerce writes without its Z. `None` where empty; raises `MalformedPayload`."""
    clean = text(value)
    if clean is None or clean.startswith("0000-00-00"):
        return None
    try:
        at = datetime.fromisoformat(clean)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedPayload("not a date and time", path=path) from error


def loose_moment(value: Any, timezone: str) -> datetime | None:
    """A time from a plug-in: unix time as number or text, ISO text, or a day of the shop's calendar. Never raises."""
    clean = text(value)
    if clean is None:
        return None
    try:
        if _UNIX.fullmatch(clean):
            number = int(clean)
            return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC)
        at = datetime.fromisoformat(clean)
        zone = _zone(timezone) if _DAY.fullmatch(clean) else UTC
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def latest(times: Iterable[datetime | None]) -> datetime:
    """The last of the known times (at least one must be known)."""
    return max(at for at in times if at is not None)


def local_text(at: datetime, timezone: str) -> str:
    """`at` as the shop's own clock shows it, without offset: the only form `date_expires` of a coupon takes.

    >>> local_text(datetime(2026, 12, 21, 20, 0, tzinfo=UTC), "Europe/Helsinki")
    '2026-12-21T22:00:00'
    """
    return at.astimezone(_zone(timezone)).strftime("%Y-%m-%dT%H:%M:%S")
