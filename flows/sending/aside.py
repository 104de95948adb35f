"""Effects that do not go to the customer: calls, word to people of the merchant's, rows of our own."""

from __future__ import annotations

from datetime import datetime

from connector.clock import from_text
from connector.contracts import EffectFailed
from connector.model import Effect, Run
from connector.store.effects import BY_HAND
from flows.definition import Flow
from flows.sending.records import RECORD
from flows.sending.telling import NOTIFY

CALL = "call"
"""The kind of effect that `connector.working.calling` carries out."""
ASIDE = frozenset({CALL, NOTIFY, RECORD})
"""Nobody's consent, caps or address bear on them."""


def is_decided(flow: Flow, run: Run, effect: Effect) -> bool:
    """Whether a question to a person came too late: its run does not wait at that step any more."""
    if effect.request.get("do") != "task":
        return False
    return run.step >= len(flow.steps) or flow.steps[run.step].id != effect.step_id


def given_up(effect: Effect, now: datetime) -> EffectFailed | None:
    """The end of an effect whose time is over; a person's word (`BY_HAND`) lets it be tried all the same."""
    until = effect.request.get("until")
    if not until or BY_HAND in effect.result or now < from_text(str(until)):
        return None
    return EffectFailed("GAVE_UP", f"not done in time; the last said: {effect.reason or 'nothing'}")
