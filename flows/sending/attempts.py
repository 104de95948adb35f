"""What an attempt at a platform effect must know of earlier ones, where the platform has no key to go by. Pure.

Whoever carries the effect out adds it to the request (`connector.working.performing`): the store knows, a step does
not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.clock import from_text, to_text
from connector.contracts import Access

KEY = "attempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """`again`: an earlier attempt's outcome is unknown, look before acting. `claimed`: what other effects made."""

    first_try_at: datetime
    again: bool = False
    claimed: Sequence[str] = ()


def with_attempt(request: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
    """The request with what is known of earlier attempts."""
    told = {"first_try_at": to_text(attempt.first_try_at), "again": attempt.again, "claimed": list(attempt.claimed)}
    return {**request, KEY: told}


def attempt_of(request: Mapping[str, Any], access: Access) -> Attempt:
    """What was added; without it, the first attempt, now."""
    told = request.get(KEY)
    if not told:
        return Attempt(first_try_at=access.clock.now())
    return Attempt(
        first_try_at=from_text(told["first_try_at"]), again=bool(told["again"]), claimed=tuple(told["claimed"])
    )
