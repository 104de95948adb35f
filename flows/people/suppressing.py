"""Who is not written to any more because of what a provider, or they themselves, told (facts/messaging.md 5.4).

| reason | from | blocks |
| --- | --- | --- |
| hard_bounce, invalid | 5.1.x, or the provider's word: there is no such address | everything, order mail too |
| complaint | "this is spam" | everything but what the law wants (`flows.policy`) |
| unsubscribe | an opt-out at the provider, STOP | the marketing class, or one purpose of it |
| soft_bounce | three messages in 14 days came back for a while, or were not taken | the marketing class, for 14 days |
| stop | a provider that takes nothing for the person any more, order messages too | everything |
| manual | a person of the merchant's | everything |

A bounce that blames the sender (5.7.x, a policy) is not the address' fault and blocks nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.contracts import Rejected, Retry
from connector.contracts.channel_events import BounceKind, ChannelEvent, ChannelEventKind
from connector.model import Channel, Effect, email_key
from connector.store import channel_events, suppressions
from connector.store.db import Tx
from flows.policy import COMPLAINT, HARD_BOUNCE, SOFT_BOUNCE, UNSUBSCRIBE

INVALID, MANUAL, STOP = "invalid", "manual", "stop"
REASONS = (HARD_BOUNCE, INVALID, COMPLAINT, UNSUBSCRIBE, SOFT_BOUNCE, STOP, MANUAL)
EVERYTHING, MARKETING = "all", "marketing"
"""Scopes: everything, or the whole marketing class; else one purpose."""
SOFT_LIMIT = 3
SOFT_WINDOW = timedelta(days=14)
_CAME_BACK = (ChannelEventKind.BOUNCED, ChannelEventKind.REFUSED)


def reason_of(event: ChannelEvent) -> str | None:
    """Why an event blocks its address at once; `None` for one that does not."""
    if event.kind is ChannelEventKind.COMPLAINED:
        return COMPLAINT
    told_off = event.kind in (ChannelEventKind.BOUNCED, ChannelEventKind.FAILED)
    if told_off and event.bounce is BounceKind.HARD:
        return INVALID if event.code == INVALID else HARD_BOUNCE
    return None


def block(tx: Tx, shop_id: str, medium: Channel, address_key: str, event: ChannelEvent, now: datetime) -> str | None:
    """Put the address on the shop's list where the event, which is stored, asks for it; the reason it was put there.

    A complaint is not taken back by a bounce that comes later.
    """
    reason = reason_of(event)
    if reason is None and event.kind in _CAME_BACK and event.bounce is BounceKind.SOFT:
        since = event.at - SOFT_WINDOW
        if channel_events.soft_bounces(tx, shop_id, address_key, str(medium), since) >= SOFT_LIMIT:
            reason = SOFT_BOUNCE
    if reason is None:
        return None
    known = {row.scope: row.reason for row in suppressions.find(tx, shop_id, address_key, medium)}
    before = known.get(EVERYTHING)
    if before is not None and (before == reason or _weight(before) > _weight(reason)):
        return None
    suppressions.add(tx, shop_id, address_key, medium, EVERYTHING, reason, now)
    return reason


def blame(tx: Tx, effect: Effect, recipient: str, objected: bool, now: datetime) -> None:
    """A provider refused the person when it was handed the message: the address is none, or they `objected`.

    What was refused is what ends: a provider that lets no advertising through any more may still take order mail.
    """
    medium = Channel.of(effect.channel or "email")
    key = email_key(recipient) if medium is Channel.EMAIL else recipient
    if key is None:
        return
    if not objected:
        suppressions.add(tx, effect.shop_id, key, medium, EVERYTHING, HARD_BOUNCE, now)
    elif effect.purpose.needs_consent:
        suppressions.add(tx, effect.shop_id, key, medium, MARKETING, UNSUBSCRIBE, now)
    else:
        suppressions.add(tx, effect.shop_id, key, medium, EVERYTHING, STOP, now)


def note_refusal(
    tx: Tx, effect: Effect, channel: str, refused: Rejected | Retry, recipient: str, now: datetime
) -> None:
    """A provider would not take the message because the mailbox is full or shut for now: it counts as if it had come
    back, once a message however often that is tried."""
    medium = Channel.of(effect.channel or "email")
    key = email_key(recipient) if medium is Channel.EMAIL else recipient
    if refused.bounce is not BounceKind.SOFT or key is None:
        return
    code = refused.code if isinstance(refused, Rejected) else refused.text[:9].strip()
    told = ChannelEvent(
        id="refused", kind=ChannelEventKind.REFUSED, at=now, raw_kind="refused", bounce=BounceKind.SOFT, code=code
    )
    if channel_events.put(tx, effect.shop_id, effect.id, channel or str(medium), told, now, recipient=recipient):
        block(tx, effect.shop_id, medium, key, told, now)


def _weight(reason: str) -> int:
    """The latest reason stands, but none gives way to one that blocks less."""
    return {SOFT_BOUNCE: 0, COMPLAINT: 1, HARD_BOUNCE: 2, INVALID: 2, MANUAL: 3}.get(reason, 3)
