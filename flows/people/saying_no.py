"""Consent that is taken back, or given again, elsewhere than on our pages: at the provider, by STOP, by a complaint."""

from __future__ import annotations

from datetime import datetime

from connector.model import Consent, ConsentState, Purpose
from connector.store import consents, suppressions
from connector.store.db import Tx
from flows.people.choices import Reachable, state_before, tell
from flows.policy import UNSUBSCRIBE
from flows.runner import Runner

BY_REPLY, BY_REPLY_UNDONE = "reply STOP", "reply START"


def complained(tx: Tx, runner: Runner, who: Reachable, now: datetime) -> None:
    """Who complains takes consent back as well: the shop's own newsletter must stop too. Flows hear of the other."""
    _record(tx, runner, who, ConsentState.WITHDRAWN, "complained", "complaint", now)


def resume(tx: Tx, runner: Runner, who: Reachable, now: datetime) -> bool:
    """Take back a STOP: what held before it holds again, no more than that. `False` when there was none."""
    rows = suppressions.find(tx, who.shop_id, who.address_key, who.channel)
    stopped = [row for row in rows if row.reason == UNSUBSCRIBE]
    for row in stopped:
        suppressions.remove(tx, who.shop_id, who.address_key, who.channel, row.scope)
    if stopped:
        before = state_before(tx, who, Purpose.MARKETING, frozenset({BY_REPLY, BY_REPLY_UNDONE}))
        _record(tx, runner, who, before, "resubscribed", BY_REPLY_UNDONE, now)
    return bool(stopped)


def _record(
    tx: Tx, runner: Runner, who: Reachable, state: ConsentState, raw_state: str, source: str, now: datetime
) -> None:
    consent = Consent(
        channel=who.channel,
        purpose=Purpose.MARKETING,
        state=state,
        raw_state=raw_state,
        at=now,
        source=source,
        address=who.address_key,
    )
    consents.record(tx, who.shop_id, consent, now)
    tell(tx, runner, who.shop_id, consent, now)
