"""Whether a message whose sending is in doubt went out, from what its provider told since."""

from __future__ import annotations

from datetime import datetime

from connector.model import Effect
from connector.store import channel_events, runs
from connector.store.db import Tx
from flows.sending.became import proof

CAME_BACK = ("BOUNCED", "its provider told that it came back")
"""Code and reason of a message that was in doubt and did not arrive."""


def learn(tx: Tx, effect: Effect, now: datetime) -> bool | None:
    """`True` when it went out, `False` when it came back, `None` when nobody told. The journal keeps it."""
    sent = proof(channel_events.of_effects(tx, effect.shop_id, [effect.id]).get(effect.id, ()))
    if sent is not None and effect.run_id:
        told = {"sent": "true" if sent else "false"}
        runs.journal(tx, effect.shop_id, effect.run_id, now, effect.step_id, "learned", told)
    return sent
