"""The words of a rehearsal: what may be given, and which events it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from connector.model import ConsentState, Event, EventKind
from connector.rehearsal import cases, person
from connector.rehearsal.life import MOVES, Life
from connector.rehearsal.others import CODES


def _moving(word: str) -> Callable[[Life, str, datetime], list[Event]]:
    return lambda life, rest, now: life.moves(word, rest, now)


def _returning(kind: EventKind) -> Callable[[Life, str, datetime], list[Event]]:
    return lambda life, rest, now: life.returned(kind, rest, now)


VOCABULARY: Mapping[str, Callable[[Life, str, datetime], list[Event]]] = {
    "order": Life.order,
    "unpaid order": Life.order_unpaid,
    "friend orders": Life.friend_order,
    "paid": Life.paid,
    "cancelled": Life.cancelled,
    "refunded": Life.refunded,
    "partly refunded": Life.partly_refunded,
    "return requested": _returning(EventKind.RETURN_REQUESTED),
    "return approved": _returning(EventKind.RETURN_APPROVED),
    "return cancelled": _returning(EventKind.RETURN_CANCELLED),
    "deleted": Life.deleted,
    **{word: _moving(word) for word in MOVES},
    "review": Life.review,
    "survey": Life.survey,
    "case": cases.case,
    "link requested": cases.link_requested,
    "consent given": lambda life, _, now: life.consent(ConsentState.GRANTED, now),
    "consent withdrawn": lambda life, _, now: life.consent(ConsentState.WITHDRAWN, now),
    "erased": Life.erased,
    "uninstalled": Life.uninstalled,
    "event": person.told,
    "customer": person.account,
    "customer deleted": person.account_deleted,
    "birthday": person.birthday,
    "checkout": person.checkout,
    "checkout updated": person.checkout_updated,
    "checkout deleted": person.checkout_deleted,
    "entered": person.entered,
    "left": person.left,
    "tier": person.tier,
    "points": person.points,
    # No events of the shop's: a person decides, or has filled a list (connector.rehearsal.others).
    CODES: lambda *_: [],
    "task approved": lambda *_: [],
    "task refused": lambda *_: [],
}
"""The words a test's `given` may use after its span."""
