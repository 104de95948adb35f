"""A customer's calendar: what was sent to them, what is due, and what was put off, held or dropped, and why.

Over all shops of a client, because to the customer they are one sender. Answered from rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.app import Kiitos
from connector.model import Effect, EffectStatus, Run, RunStatus
from connector.store import pace, runs, wakeups
from connector.store.db import Tx
from connector.store.wakeups import Wakeup
from flows.limits.fairness import slot

_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """One message. `state`: `sent`, `uncertain`, `failed`, `dropped`, `held`, `deferred`, `due` (in the outbox) or
    `planned` (its run sleeps until `at`, or its flow wakes then, and may still decide otherwise)."""

    at: datetime
    state: str
    shop_id: str
    flow: str
    step: str
    what: str
    channel: str
    purpose: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Oldest first. `free_from`: by channel, when the next message of the marketing class may come at the earliest as
    far as the distance between messages goes."""

    shop_ids: tuple[str, ...]
    appointments: tuple[Appointment, ...]
    free_from: dict[str, datetime]


def calendar_of(kiitos: Kiitos, shop_id: str, email_key: str) -> Calendar:
    """The calendar of a person, named by their address, in the shop and those of the same client."""
    shop_ids = kiitos.catalog.shops_beside(shop_id)
    found: list[Appointment] = []
    with kiitos.store.work.read() as tx:
        for each in shop_ids:
            found += [_of_effect(effect) for effect in pace.messages_of(tx, each, email_key, _MOST)]
            found += [plan for run in runs.of_email(tx, each, email_key) for plan in _of_run(kiitos, tx, run)]
            found += [_of_wakeup(wakeup) for wakeup in wakeups.of_person(tx, each, email_key, None) if wakeup.due_at]
        free = _free_from(kiitos, tx, shop_id, email_key, {one.channel for one in found if one.channel})
    return Calendar(shop_ids=shop_ids, appointments=tuple(sorted(found, key=lambda one: one.at)), free_from=free)


def _of_effect(effect: Effect) -> Appointment:
    waits = effect.status is EffectStatus.PENDING
    state = {EffectStatus.SKIPPED: "dropped", EffectStatus.SENDING: "due"}.get(effect.status, str(effect.status))
    if waits:
        state = "deferred" if effect.reason else "due"
    at = effect.due_at if waits else effect.done_at or effect.first_try_at or effect.created_at
    return Appointment(
        at=at,
        state=state,
        shop_id=effect.shop_id,
        flow=effect.flow_id,
        step=effect.step_id,
        what=str(effect.request.get("template", "")),
        channel=effect.channel,
        purpose=str(effect.purpose),
        why=effect.reason,
    )


def _of_run(kiitos: Kiitos, tx: Tx, run: Run) -> list[Appointment]:
    """The next message of a run that sleeps or waits, as far as its flow tells."""
    if run.status not in (RunStatus.SLEEPING, RunStatus.AWAITING) or run.wake_at is None:
        return []
    flow = kiitos.catalog.version(tx, run.shop_id, run.flow_id, run.version)
    coming = next((item for item in flow.steps[run.step + 1 :] if item.step.templates()), None)
    if coming is None:
        return []
    waits = f"waits for {' or '.join(run.awaiting)}" if run.awaiting else ""
    return [
        Appointment(
            at=run.wake_at,
            state="planned",
            shop_id=run.shop_id,
            flow=run.flow_id,
            step=coming.id,
            what=coming.step.templates()[0],
            channel=str(getattr(coming.step, "channel", "email")),
            purpose=str(getattr(coming.step, "purpose", "") or flow.purpose),
            why=waits,
        )
    ]


def _of_wakeup(wakeup: Wakeup) -> Appointment:
    """A flow that will look at the person then: a birthday, a silence. Which message it begins with is its own."""
    return Appointment(
        at=wakeup.due_at or wakeup.moment,
        state="planned",
        shop_id=wakeup.shop_id,
        flow=wakeup.flow_id,
        step="",
        what="the flow may begin",
        channel="",
        purpose="",
    )


def _free_from(kiitos: Kiitos, tx: Tx, shop_id: str, email_key: str, channels: set[str]) -> dict[str, datetime]:
    limits = kiitos.catalog.settings(shop_id).limits
    shops = kiitos.catalog.shops_beside(shop_id)
    sign = pace.sign_at(tx, shops, email_key)
    free = {}
    for channel in sorted(channels):
        contacts = pace.reached(tx, shops, email_key, channel, "")
        if contacts:
            ignored = sum(1 for contact in contacts if sign is None or contact.at > sign)
            free[channel] = contacts[0].at + slot(limits.saturation, limits.of(channel).cap, ignored)
    return free
