"""Runs and effects: a customer's way through a flow, and what it asks of the world. Both are rows, never timers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.model.changing import quick
from connector.model.enums import OpenEnum, Purpose


class RunStatus(OpenEnum):
    """`sleeping` waits for `wake_at`, `awaiting` for an event or `wake_at`, `acting` for its effect."""

    READY = "ready"
    SLEEPING = "sleeping"
    AWAITING = "awaiting"
    ACTING = "acting"
    COMPLETED = "completed"
    EXITED = "exited"
    CANCELLED = "cancelled"
    FAILED = "failed"
    OTHER = "other"

    @property
    def ended(self) -> bool:
        return self in _RUN_ENDED


class EffectStatus(OpenEnum):
    """`sending` is committed before the call; a row found there after its lease is an unknown outcome.
    `held` waits for a person's word (a budget, a canary, a paused flow)."""

    PENDING = "pending"
    HELD = "held"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"
    FAILED = "failed"
    OTHER = "other"

    @property
    def ended(self) -> bool:
        return self in _EFFECT_ENDED


# Not written where they are asked for: that would make a set at each of a dozen questions a step.
_RUN_ENDED = frozenset({RunStatus.COMPLETED, RunStatus.EXITED, RunStatus.CANCELLED, RunStatus.FAILED})
_EFFECT_ENDED = frozenset({EffectStatus.SENT, EffectStatus.UNCERTAIN, EffectStatus.SKIPPED, EffectStatus.FAILED})


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One subject's way through one version of one flow.

    `entry_key` is unique within (shop, flow): it is what "once per subject" means. `step` is the index of the step the
    run stands at; `outcomes` maps step id to what guards see as `steps.<id>`. `event` is the trigger
    (`kind`, `at`, `key` and its data). `acted` is true once an effect was put in the outbox. `rev` serialises two
    signals.
    """

    shop_id: str
    id: str
    flow_id: str
    version: str
    subject_kind: str
    subject_id: str
    entry_key: str
    status: RunStatus
    step: int
    created_at: datetime
    updated_at: datetime
    order_id: str | None = None
    customer_id: str | None = None
    email_key: str | None = None
    wake_at: datetime | None = None
    awaiting: tuple[str, ...] = ()
    event: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    acted: bool = False
    reason: str = ""
    rev: int = 0


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One row of the outbox. `id` is its own key: derived from run and step, never from the attempt.

    `request` is what the step decided. `content` is the rendered message, frozen when sending begins.
    `tainted` is set for good once an attempt's outcome was unknown.
    """

    shop_id: str
    id: str
    run_id: str
    flow_id: str
    version: str
    step_id: str
    kind: str
    purpose: Purpose
    request: Mapping[str, Any]
    status: EffectStatus
    due_at: datetime
    created_at: datetime
    order_id: str | None = None
    channel: str = ""
    attempts: int = 0
    tainted: bool = False
    lease_until: datetime | None = None
    first_try_at: datetime | None = None
    done_at: datetime | None = None
    recipient: str = ""
    sender: str = ""
    subject: str = ""
    content: bytes | None = None
    provider_id: str = ""
    reason: str = ""
    result: Mapping[str, str] = field(default_factory=dict)


def by_itself(
    shop_id: str, effect_id: str, kind: str, request: Mapping[str, Any], now: datetime, **more: Any
) -> Effect:
    """An effect that no run asked for: the shop is told of a decision, a code is taken back, an order looked up again.
    Due at once unless `due_at` says otherwise; `more` are fields of `Effect`."""
    whole: dict[str, Any] = {"due_at": now, **more}
    return Effect(
        shop_id=shop_id,
        id=effect_id,
        run_id="",
        flow_id="",
        version="",
        step_id="",
        kind=kind,
        purpose=Purpose.TRANSACTIONAL,
        request=request,
        status=EffectStatus.PENDING,
        created_at=now,
        **whole,
    )
