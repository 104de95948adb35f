"""A return or complaint as a machine: its states, and what leads from one to another. Pure.

    received -> accepted -> arrived -> refunded -> closed      refused may be accepted after all; closed is the end

News of the platform come late, twice and in any order: whoever is told of a step that was passed stays where they are.
"""

from __future__ import annotations

from collections.abc import Mapping

RETURN, COMPLAINT, OTHER = "return", "complaint", "other"
KINDS = (RETURN, COMPLAINT, OTHER)
RECEIVED, ACCEPTED, ARRIVED, REFUNDED, REFUSED, CLOSED = (
    *("received", "accepted", "arrived", "refunded", "refused", "closed"),
)
STATES = (RECEIVED, ACCEPTED, ARRIVED, REFUNDED, REFUSED, CLOSED)
OPEN = frozenset({RECEIVED, ACCEPTED, ARRIVED})
"""States in which the merchant owes the customer something."""

ACCEPT, ARRIVE, REFUND, REFUSE, CLOSE = "accept", "arrive", "refund", "refuse", "close"
ACTIONS: Mapping[str, Mapping[str, str]] = {
    ACCEPT: dict.fromkeys((RECEIVED, REFUSED), ACCEPTED),
    ARRIVE: dict.fromkeys((RECEIVED, ACCEPTED), ARRIVED),
    REFUND: dict.fromkeys((RECEIVED, ACCEPTED, ARRIVED, REFUSED), REFUNDED),
    REFUSE: dict.fromkeys((RECEIVED, ACCEPTED, ARRIVED), REFUSED),
    CLOSE: dict.fromkeys((RECEIVED, ACCEPTED, ARRIVED, REFUNDED, REFUSED), CLOSED),
}
"""Of each action, from which state to which."""


def after(state: str, action: str) -> str | None:
    """The state an action leads to; `None` where it cannot be taken (any more)."""
    return ACTIONS[action].get(state)


def possible(state: str) -> tuple[str, ...]:
    """What may be done now, in the order of a case's life."""
    return tuple(action for action in ACTIONS if state in ACTIONS[action])
