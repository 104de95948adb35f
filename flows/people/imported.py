"""Lists of addresses from other tools: which column is which, and what of a row can be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector.errors import ConfigError, near
from connector.model import Channel, Purpose, email_key
from flows.people.suppressing import EVERYTHING, INVALID, MANUAL, MARKETING, REASONS
from flows.policy import COMPLAINT, HARD_BOUNCE, SOFT_BOUNCE, UNSUBSCRIBE

COLUMNS = ("address", "channel", "scope", "reason", "at")
# What the columns are called in the exports of other providers and tools.
_NAMES = {
    "email": "address",
    "e-mail": "address",
    "email_address": "address",
    "email address": "address",
    "recipient": "address",
    "phone": "address",
    "number": "address",
    "medium": "channel",
    "type": "reason",
    "suppressionreason": "reason",
    "created": "at",
    "created_at": "at",
    "createdat": "at",
    "date": "at",
    "timestamp": "at",
}
# What they call their reasons: SendGrid, Postmark, Mailgun, Brevo, SES, in lower case without signs.
_REASONS = {
    "bounce": HARD_BOUNCE,
    "bounces": HARD_BOUNCE,
    "bounced": HARD_BOUNCE,
    "hardbounce": HARD_BOUNCE,
    "blocked": HARD_BOUNCE,
    "spam": COMPLAINT,
    "spamreport": COMPLAINT,
    "spamcomplaint": COMPLAINT,
    "complaints": COMPLAINT,
    "abuse": COMPLAINT,
    "unsubscribed": UNSUBSCRIBE,
    "unsubscribes": UNSUBSCRIBE,
    "optout": UNSUBSCRIBE,
    "manualsuppression": UNSUBSCRIBE,
    "invalidemail": INVALID,
    "softbounce": SOFT_BOUNCE,
    "": MANUAL,
}
_SCOPES = (EVERYTHING, MARKETING, *(str(purpose) for purpose in Purpose if purpose.needs_consent))


@dataclass(frozen=True, slots=True)
class Listed:
    """A row that can be used."""

    address_key: str = field(repr=False)
    channel: Channel
    scope: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that cannot; `text` names what is wrong and quotes no address."""

    line: int
    text: str
    row: Sequence[str] = field(default=(), repr=False)


def columns_of(heading: Sequence[str]) -> dict[str, int]:
    """Where each of our columns stands. Raises `ConfigError` when none holds addresses, or one is unknown."""
    found: dict[str, int] = {}
    unknown = []
    for place, written in enumerate(heading):
        name = written.strip().lower().strip('"')
        name = _NAMES.get(name, name)
        if name in COLUMNS:
            found.setdefault(name, place)
        else:
            unknown.append(written.strip())
    if "address" not in found:
        hint = next((near(name.lower(), [*COLUMNS, *_NAMES]) for name in unknown), "")
        raise ConfigError(f"the heading names no column of addresses (address or email){hint}", where="line 1")
    return found


def listed(values: Mapping[str, Any], now: datetime, line: int = 0, row: Sequence[str] = ()) -> Listed | Fault:
    """What a row says, or what is wrong with it."""
    address = str(values.get("address", "")).strip()
    if not address:
        return Fault(line, "there is no address", row)
    wanted = str(values.get("channel", "")).strip().lower()
    channel = (
        Channel.of(wanted)
        if wanted
        else (Channel.SMS if address[0] in "+0123456789" and "@" not in address else Channel.EMAIL)
    )
    if channel is Channel.OTHER:
        return Fault(line, f"no channel '{wanted[:40]}'{near(wanted, [str(each) for each in Channel])}", row)
    key = email_key(address) if channel is Channel.EMAIL else _number(address)
    if key is None:
        text = "is no e-mail address" if channel is Channel.EMAIL else "is no number such as +358401234567"
        return Fault(line, f"the address {text}", row)
    word = str(values.get("reason", "")).strip().lower()
    plain = "".join(char for char in word if char.isalnum())
    reason = word if word in REASONS else _REASONS.get(plain)
    if reason is None:
        return Fault(line, f"no reason '{word[:40]}'{near(word, REASONS)}", row)
    return _scoped(values, key, channel, reason, now, line, row)


def _scoped(
    values: Mapping[str, Any],
    key: str,
    channel: Channel,
    reason: str,
    now: datetime,
    line: int,
    row: Sequence[str],
) -> Listed | Fault:
    scope = str(values.get("scope", "")).strip().lower() or (MARKETING if reason == UNSUBSCRIBE else EVERYTHING)
    if scope not in _SCOPES:
        return Fault(line, f"no scope '{scope[:40]}'{near(scope, _SCOPES)}", row)
    written = str(values.get("at", "")).strip()
    at = now
    if written:
        try:
            at = _time(written)
        except (ValueError, OverflowError):
            return Fault(line, "the time should be such as 2026-11-22T09:00:00Z", row)
    return Listed(key, channel, scope, reason, min(at, now))


def _number(text: str) -> str | None:
    digits = "".join(text.split())
    return digits if digits.startswith("+") and digits[1:].isdigit() and 7 <= len(digits) <= 16 else None


def _time(text: str) -> datetime:
    if text.isdigit() and len(text) == 10:  # SendGrid's exports
        return datetime.fromtimestamp(int(text), UTC)
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
