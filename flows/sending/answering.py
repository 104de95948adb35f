"""What somebody answered to a message, as their merchant reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.model import Channel
from connector.store import channel_events, effects
from connector.store.db import Tx

SAID = "{said}"
"""Stands for the person's own words, which keep their lines."""


@dataclass(frozen=True, slots=True)
class Answered:
    """`who` wrote `said` about the message of that `subject`. `reply_to` only where an answer by mail reaches them."""

    subject: str
    said: str = field(repr=False)
    who: str = field(repr=False)
    reply_to: str | None = field(repr=False)


def answered(tx: Tx, shop_id: str, about: str) -> Answered | None:
    """The answer a notice is about (`channel|event|effect`); `None` when it, or its message, is not kept any more."""
    channel, _, rest = about.partition("|")
    event_id, _, effect_id = rest.rpartition("|")
    row = channel_events.get(tx, shop_id, effect_id, channel, event_id)
    effect = effects.get(tx, shop_id, effect_id) if row is not None else None
    if row is None or effect is None or not effect.recipient:
        return None
    by_mail = Channel.of(effect.channel or "email") is Channel.EMAIL
    subject = effect.subject or str(effect.request.get("template", ""))
    return Answered(subject, row.said or "-", effect.recipient, effect.recipient if by_mail else None)
