"""Asking a provider after the fact: what its answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.contracts import Accepted, Message
from connector.errors import KiitosError, Refused, Transient
from connector.outside.posting import Answer

SETTLES_AFTER = 60.0
"""Seconds after which a message that a provider took stands in its index."""


def found_or_none(message: Message, ids: Sequence[str], since: datetime, now: datetime) -> Accepted | None:
    """The acceptance, or `None` once the index must know. Raises `Transient` before that."""
    if ids:
        return Accepted(key=message.key, provider_id=ids[0])
    rest = SETTLES_AFTER - (now - since).total_seconds()
    if rest > 0:
        raise Transient("the provider does not know it yet", retry_after=rest)
    return None


def refused_to_tell(name: str, answer: Answer) -> KiitosError:
    """An answer that tells nothing about the message."""
    said = f"{name} answered {answer.status} to a look-up"
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return Transient(said, retry_after=answer.retry_after)
    return Refused(said, provider_code=str(answer.status))
