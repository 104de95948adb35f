"""Whether what was decided earlier may still leave: a repetition only while its channel knows the message by its key,
any message only while what it was decided for holds. Pure."""

from __future__ import annotations

from datetime import datetime

from connector.contracts import StepContext
from connector.model import Channel, Effect, Purpose
from flows.definition import Flow
from flows.guards import GuardResult

_MARGIN = 0.9
"""For the provider's clock, and for the way there."""


def looks_first(effect: Effect) -> bool:
    """Whether it looks whether it is done already before it is done again: what acts on a platform does
    (`connector.contracts.acting`), and the shop's own mail is such an act."""
    return effect.kind != "message" or effect.channel == Channel.PLATFORM


def gives_money(effect: Effect) -> bool:
    """Whether it puts money into somebody's hands: done, it stays done though nobody asks again."""
    return bool(effect.request.get("grant"))


def in_doubt(effect: Effect) -> bool:
    """Whether an earlier attempt may have reached somebody or given them money: "not done" would be a guess."""
    return effect.tainted and (effect.kind == "message" or gives_money(effect))


def known_still(first: datetime, now: datetime, idempotent_for: float) -> bool:
    """Whether the channel, which knows keys for so many seconds, takes a repetition for the same message."""
    return (now - first).total_seconds() < _MARGIN * idempotent_for


def forgotten(effect: Effect, now: datetime, idempotent_for: float) -> bool:
    """A repetition of the marketing class that was put off (the shop could not be asked, the server said "later") until
    the channel knows the message no more: it would be sent twice."""
    repeats = effect.kind == "message" and effect.tainted and effect.purpose is not Purpose.TRANSACTIONAL
    return repeats and not known_still(effect.first_try_at or now, now, idempotent_for)


def no_longer_true(flow: Flow, effect: Effect, seen: StepContext) -> GuardResult | None:
    """The guard of the effect's step that held when it was decided and does not hold now, as after a long outage."""
    at = None if effect.tainted else flow.index(effect.step_id)
    if at is None:
        return None
    for guard in flow.steps[at].when:
        found = guard.failure(seen)
        if found is not None:
            return found
    return None
