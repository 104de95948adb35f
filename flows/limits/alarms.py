"""When people have had enough of a flow: opt-outs and complaints are counted against what it sent, and a flow with too
many is paused and a person told. facts/messaging.md 5.2: complaints under 0.1 %, never 0.3 %.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from connector.config.limits import Alarm
from connector.log import get_log
from connector.standing import FLOW_PAUSED, tell_of_flow
from connector.store import effects, pace
from connector.store.db import Tx
from flows.catalog import Catalog

log = get_log("alarms")

COMPLAINT, UNSUBSCRIBE = "complaint", "unsubscribe"
ANSWERS = timedelta(days=5)
"""An objection answers the last message of these days: as long as a click is credited (brief, defaults)."""
TWO = 2
"""One objection is a person's, two may be the flow's."""


def objected(tx: Tx, catalog: Catalog, shop_id: str, address_key: str, kind: str, now: datetime) -> str | None:
    """Somebody opted out or complained: count it against the flow that wrote last, and pause that where it was one
    too many. Returns the flow that was paused by it. Call it in the transaction that records the objection.
    """
    sent = effects.sent_to(tx, shop_id, address_key, now - ANSWERS)
    last = next((each for each in reversed(sent) if each.kind == "message" and each.purpose.needs_consent), None)
    if last is None:
        return None
    # By the message it answers: told twice (by the page and by the platform) it is still one.
    objection_id = f"{kind}/{hashlib.sha256(last.id.encode()).hexdigest()[:24]}"
    pace.object_to(tx, shop_id, last.flow_id, kind, objection_id, now)
    reason = _too_many(tx, catalog.settings(shop_id).limits.alarm, shop_id, last.flow_id, kind, now)
    if reason is None or not pace.pause(tx, shop_id, last.flow_id, reason, now):
        return None
    tell_of_flow(tx, shop_id, FLOW_PAUSED, last.flow_id, now)
    log.error("flow_paused", shop_id=shop_id, flow_id=last.flow_id, reason=reason)
    return last.flow_id


def _too_many(tx: Tx, alarm: Alarm, shop_id: str, flow_id: str, kind: str, now: datetime) -> str | None:
    """Why the flow must pause; `None` when it need not."""
    since = now - alarm.window
    sent = pace.begun(tx, shop_id, flow_id, since)
    said = pace.objections(tx, shop_id, flow_id, kind, since)
    most = alarm.complaints if kind == COMPLAINT else alarm.unsubscribes
    if said < TWO or sent < alarm.at_least or said <= most * sent:
        return None
    days = alarm.window.total_seconds() / 86400
    return f"{said} {kind}s after {sent} messages in {days:g} d, more than {most:.2%}"
