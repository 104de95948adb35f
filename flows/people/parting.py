"""The event of being left in peace: policy's last word to somebody who never answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from connector.model import Customer, Event, EventKind, Ref
from flows.sending.composing import Case


def parting(case: Case, detail: Mapping[str, str], now: datetime) -> Event:
    """The person is left in peace from here on. The key is the silence's own, so that it is said once."""
    address = case.recipient.email_key or case.run.email_key or ""
    known = case.situation.customer
    customer_id = known.id if known is not None else case.recipient.customer_id
    whose = hashlib.sha256(address.encode()).hexdigest()[:20]
    return Event(
        kind=EventKind.CUSTOMER_SATURATED,
        key=f"saturated/{whose}/{detail.get('sign_at', 'never')}",
        subject=Ref("customer", customer_id or f"guest-{whose}"),
        at=now,
        customer_id=customer_id,
        customer=known or Customer(id=None, email=case.recipient.address),
        data={"ignored": detail["ignored"], "channel": case.effect.channel, "flow": case.effect.flow_id},
    )
