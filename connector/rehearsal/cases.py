"""Steps of a return or complaint, and of whoever lost the way to an order, as a rehearsal gives them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from connector.clock import to_text
from connector.errors import ConfigError, near
from connector.model import Event, EventKind
from connector.model.case import RETURN, STATES
from connector.rehearsal.life import Life

STEPS = (*STATES, "answered")


def case(life: Life, rest: str, now: datetime) -> list[Event]:
    """`case`, `case refused worn out`: a step of the case about the last order, and words to the customer.

    Raises `ConfigError` for a step that is none.
    """
    step, _, text = (rest or "received").partition(" ")
    if step not in STEPS:
        raise ConfigError(f"'{step}' is no step of a case{near(step, STEPS)} (one of {', '.join(STEPS)})")
    order = life.last_order()
    if order is None:
        raise ConfigError("a case needs an order before it")
    event = life.of_order(order, EventKind.of(f"case.{step}"), f"case/{step}/{to_text(now)}", now)
    lines = "\n".join(f"{line.quantity} × {line.title}" for line in order.lines)
    data = {"case": "7K3M9P2Q", "about": RETURN, "state": step, "reason": "damaged", "wish": "refund", "lines": lines}
    return [replace(event, order=None, data={**data, "text": text})]


def link_requested(life: Life, rest: str, now: datetime) -> list[Event]:
    del rest
    order = life.last_order()
    if order is None:
        raise ConfigError("nobody can ask for an order before there is one")
    event = life.of_order(order, EventKind.ORDER_LINK_REQUESTED, f"link/{to_text(now)}", now)
    return [replace(event, order=None)]
