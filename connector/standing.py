"""How a shop stands with its platform: disconnected when its credentials fail, connected again at the first answer.

Order messages of a disconnected shop go on (they need no platform); what needs the platform is held, not dropped, and
the merchant is told once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.errors import AuthExpired
from connector.log import get_log
from connector.model import ShopStatus
from connector.store import effects, notices, shops
from connector.store.db import Tx

log = get_log("standing")

HELD = "credentials_refused"
"""How the reason of an effect begins that waits for its shop's credentials."""
RECONNECT = "reconnect"
FLOW_HELD, FLOW_PAUSED = "flow_held", "flow_paused"
"""Kinds of notices about one flow, whose name follows after a `/`."""
TELL_HELD_EVERY = timedelta(days=1)
TELL_EVERY = timedelta(days=7)
"""A shop whose credentials come and go is not told each time."""


def disconnect(tx: Tx, shop_id: str, error: AuthExpired, now: datetime) -> None:
    """Note that the shop's credentials fail, and ask for the merchant to be told. Only for a shop that is active."""
    stored = shops.get(tx, shop_id)
    if stored is None or stored.status is not ShopStatus.ACTIVE:
        return
    shops.set_status(tx, shop_id, ShopStatus.DISCONNECTED, now, error.message)
    told = notices.put(tx, shop_id, RECONNECT, now, TELL_EVERY)
    log.error("credentials_refused", shop_id=shop_id, code=error.code, merchant_told=told)


def reconnect(tx: Tx, shop_id: str, now: datetime) -> None:
    """The platform answers again: what waited for it is due now. A shop that was not disconnected stays as it is."""
    stored = shops.get(tx, shop_id)
    if stored is None or stored.status is not ShopStatus.DISCONNECTED:
        return
    shops.set_status(tx, shop_id, ShopStatus.ACTIVE, now, "the platform answers again")
    released = effects.release(tx, shop_id, HELD, now)
    log.info("connected_again", shop_id=shop_id, effects=released)


def tell_of_flow(tx: Tx, shop_id: str, kind: str, flow_id: str, now: datetime) -> bool:
    """Ask for the merchant to be told about a flow, once a day at most; whether they will be."""
    return notices.put(tx, shop_id, f"{kind}/{flow_id}", now, TELL_HELD_EVERY)
