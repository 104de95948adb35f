"""A code that nobody may hear of is not made: it would cost the merchant a use and be nobody's.

A step that makes something to be told (`Step.told_in_message`) serves the message of the same flow that is guarded by
its outcome. Where the law keeps that message from the person now (consent, suppression, no address), the code is
dropped for the same reason. Caps, quiet hours and other flows are no reason: they only put the message off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from connector.contracts import Act, PlatformAdapter, StepContext
from connector.model import Effect, Purpose
from connector.store.db import Tx
from flows.definition import Flow, FlowStep
from flows.limits.verdicts import Drop, Verdict
from flows.policy import check
from flows.sending.composing import Case
from flows.sending.media import way_of
from flows.sending.records import RECORD
from flows.steps.send import Send


def unheard(
    tx: Tx, flow: Flow, case: Case, salt: bytes, now: datetime, adapter: Callable[[str], PlatformAdapter]
) -> Drop | None:
    """Why nobody would hear of what this effect makes; `None` when somebody may, or when nothing tells of it."""
    message = word_of(flow, case.effect, case.facts)
    if message is None:
        return None
    way = way_of(tx, message, case.facts, case.settings, case.shop, case.situation, salt, now, adapter)
    return silence(message, check(way.effect, case.facts, way.person, now))


def word_of(flow: Flow, effect: Effect, seen: StepContext) -> Effect | None:
    """The message by which somebody would hear of what the effect makes; `None` where nothing tells of it. Pure."""
    if effect.kind == "message" or effect.tainted or not effect.purpose.needs_consent:
        return None
    item = _teller(flow, effect)
    if item is None or not isinstance(item.step, Send):
        return None
    decided = item.step.start(seen)
    if not isinstance(decided, Act):
        return None
    return replace(
        effect,
        kind="message",
        step_id=item.id,
        request=decided.request,
        channel=item.step.media()[0],
        purpose=Purpose.of(item.step.purpose) if item.step.purpose else flow.purpose,
        recipient="",
    )


def silence(message: Effect, verdict: Verdict) -> Drop | None:
    """What the verdict on the message means for what it tells of. Pure."""
    if not isinstance(verdict, Drop):
        return None
    detail = {**verdict.detail, "message": message.step_id}
    return Drop(verdict.code, f"{verdict.reason}, so nobody would hear of it", detail)


def _teller(flow: Flow, effect: Effect) -> FlowStep | None:
    """The first later message that goes out only when this step was done."""
    if effect.kind == RECORD or effect.request.get("grant") == "store_credit":
        return None  # it is theirs in the books or on their account, whether they hear of it or not
    at = flow.index(effect.step_id)
    if at is None or not flow.steps[at].step.told_in_message:
        return None
    named = f"steps.{effect.step_id}."
    return next(
        (
            item
            for item in flow.steps[at + 1 :]
            if item.step.do == "send" and any(guard.path.startswith(named) for guard in item.when)
        ),
        None,
    )
