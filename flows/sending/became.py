"""What became of a message: the furthest thing that was told of it, in whatever order it came. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from connector.contracts.channel_events import BounceKind, ChannelEventKind
from connector.model import EffectStatus


class Heard(Protocol):
    """What is looked at of an event, as told or as kept."""

    @property
    def kind(self) -> ChannelEventKind: ...
    @property
    def bounce(self) -> BounceKind | None: ...
    @property
    def code(self) -> str: ...
    @property
    def by_machine(self) -> bool: ...


class Became(StrEnum):
    """From least to furthest; a message is where the furthest of its events put it."""

    WAITING = "waiting"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    SOFT_BOUNCED = "bounced for now"
    DELIVERED = "delivered"
    FAILED = "failed"
    BOUNCED = "bounced"
    CLICKED = "clicked"
    REPLIED = "replied"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"


_ORDER = {each: place for place, each in enumerate(Became)}
_OF_KIND = {
    ChannelEventKind.ACCEPTED: Became.ACCEPTED,
    ChannelEventKind.DEFERRED: Became.DEFERRED,
    ChannelEventKind.DELIVERED: Became.DELIVERED,
    ChannelEventKind.OPENED: Became.DELIVERED,  # perhaps read, perhaps fetched by a machine; it arrived either way
    ChannelEventKind.FAILED: Became.FAILED,
    ChannelEventKind.REPLIED: Became.REPLIED,
    ChannelEventKind.UNSUBSCRIBED: Became.UNSUBSCRIBED,
    ChannelEventKind.COMPLAINED: Became.COMPLAINED,
}
_OF_STATUS = {
    EffectStatus.SENT: Became.ACCEPTED,
    EffectStatus.UNCERTAIN: Became.UNKNOWN,
    EffectStatus.FAILED: Became.NOT_SENT,
    EffectStatus.SKIPPED: Became.NOT_SENT,
}
LOST = frozenset({Became.FAILED, Became.BOUNCED, Became.SOFT_BOUNCED})


def stands(event: Heard) -> Became | None:
    """How far one event alone puts its message; `None` for one that says nothing of it."""
    if event.kind is ChannelEventKind.CLICKED:
        return Became.DELIVERED if event.by_machine else Became.CLICKED
    if event.kind is ChannelEventKind.BOUNCED:
        return Became.SOFT_BOUNCED if event.bounce is BounceKind.SOFT else Became.BOUNCED
    return _OF_KIND.get(event.kind)


def furthest(status: EffectStatus, events: Iterable[Heard]) -> tuple[Became, str]:
    """Where a message is, and the code that goes with it (`5.1.1`)."""
    found, code = _OF_STATUS.get(status, Became.WAITING), ""
    for event in events:
        stand = stands(event)
        if stand is not None and _ORDER[stand] >= _ORDER[found]:
            found, code = stand, event.code
    return found, code


def proof(events: Iterable[Heard]) -> bool | None:
    """Whether a message whose sending is in doubt went out: `True` when its provider had it or it arrived, `False` when
    it came back or was refused, `None` when nothing was told."""
    found, _ = furthest(EffectStatus.UNCERTAIN, events)
    if found is Became.UNKNOWN:
        return None
    return found not in LOST
