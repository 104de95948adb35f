"""The terms that a shop's referrals go by: its `referrals` table, or what its own flows promise. Pure.

Without a table everything but the promise is as shipped: the same signs of fraud, the same queue, the same ways to find
whose friend an order is. What is promised then is read from the steps that give it, whatever parameters they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from connector.config.loyalty import DELIVERY
from connector.config.referrals import CODE, ReferralTerms, Reward
from connector.model import EventKind, Order, Purpose
from flows.authoring.fields import money_text
from flows.definition import Flow, FlowStep
from flows.facts import Progress
from flows.steps.create_discount import CreateDiscount
from flows.steps.wait import Wait

ON_THE_WAY = timedelta(days=4)
"""How long a parcel is given to arrive whose arrival nobody reports: what `referral_invite` gives it."""
_OPENS = "referral.opens_at"


def terms_of(table: ReferralTerms, flows: Sequence[Flow]) -> ReferralTerms:
    """The table where it is switched on, else what the flows say (`rewards` for showing: what is given is theirs)."""
    if table.enabled:
        return table
    shared = next(_codes(flow for flow in flows if _invites(flow)), None)
    rewarding = next((flow for flow in flows if EventKind.REFERRAL_ATTRIBUTED in flow.trigger), None)
    return ReferralTerms(
        friend=_worth(shared) if shared is not None else "",
        friend_valid=shared.expires if shared is not None else None,
        minimum=shared.minimum if shared is not None else None,
        hold=_hold(rewarding) if rewarding is not None else None,
        rewards=tuple(_rewards(rewarding)) if rewarding is not None else (),
    )


def opens_at(hold: timedelta, pending_from: str, order: Order, progress: Progress) -> datetime:
    """From when on a reward may be given: `hold` after the payment, or after the friend's last parcel arrived where
    that is later. Where nobody tells of an arrival, after the last parcel left and `ON_THE_WAY`; an order that never
    leaves is held from its payment alone, so that no promise waits for ever."""
    paid = order.paid_at or order.placed_at
    if pending_from != DELIVERY:
        return paid + hold
    arrived = progress.delivered_at
    if arrived is None and progress.shipped_at is not None:
        arrived = progress.shipped_at + ON_THE_WAY
    return max(paid, arrived or paid) + hold


def _invites(flow: Flow) -> bool:
    """Whether codes for friends are made here (as `Programmes.performed` knows them)."""
    return flow.purpose is Purpose.REFERRAL or EventKind.REFERRAL_ASKED in flow.trigger


def _codes(flows: Iterable[Flow]) -> Iterator[CreateDiscount]:
    steps = (item.step for flow in flows for item in flow.steps)
    return (step for step in steps if isinstance(step, CreateDiscount) and step.bind == "none")


def _worth(step: CreateDiscount) -> str:
    if step.amount is not None:
        return money_text(step.amount)
    return f"{step.percent:f} %" if step.percent is not None else step.value


def _rewards(flow: Flow) -> Iterator[Reward]:
    """The code that the advocate is given, where it is one."""
    for item in flow.steps:
        step = item.step
        if isinstance(step, CreateDiscount) and step.to == "advocate" and step.bind == "customer":
            yield Reward(kind=CODE, worth=_worth(step), valid=step.expires)
            return


def _hold(flow: Flow) -> timedelta | None:
    """How long the flow waits by itself, where it would wait for `referral.opens_at`; one that never looks at that
    waits by its own steps alone, and when it gives is not known here."""
    if not any(isinstance(item.step, Wait) and item.step.from_ == _OPENS for item in flow.steps):
        return None
    return next((step.span for item in flow.steps if (step := _instead(item)) is not None), None)


def _instead(item: FlowStep) -> Wait | None:
    """The wait of a referral that has no time to open."""
    step = item.step
    plain = isinstance(step, Wait) and step.span is not None and not step.from_
    return step if plain and isinstance(step, Wait) and any(guard.path == _OPENS for guard in item.when) else None
