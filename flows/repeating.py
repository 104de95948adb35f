"""Whether a message that may have arrived may still be repeated: only while its channel knows it by its key. Pure."""

from __future__ import annotations

from datetime import datetime

from connector.model import Effect, Purpose

_MARGIN = 0.9
"""For the provider's clock, and for the way there."""


def known_still(first: datetime, now: datetime, idempotent_for: float) -> bool:
    """Whether the channel, which knows keys for so many seconds, takes a repetition for the same message."""
    return (now - first).total_seconds() < _MARGIN * idempotent_for


def forgotten(effect: Effect, now: datetime, idempotent_for: float) -> bool:
    """A repetition of the marketing class that was put off (the shop could not be asked, the server said "later") until
    the channel knows the message no more: it would be sent twice."""
    repeats = effect.kind == "message" and effect.tainted and effect.purpose is not Purpose.TRANSACTIONAL
    return repeats and not known_still(effect.first_try_at or now, now, idempotent_for)
