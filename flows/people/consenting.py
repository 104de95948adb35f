"""Telling the platform what a person decided with us, and knowing our own word when it comes back.

Only pages and channels of ours call `tell_platform`; what a platform tells is never told back to it. Its webhook about
our own write is recognised by its time, which is that of the decision, and starts nothing.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from connector.clock import from_text, to_text
from connector.contracts import Access, ConsentRequest, PlatformAdapter, WritesConsent
from connector.model import Channel, Consent, ConsentState, Effect, Purpose, by_itself
from connector.store import consents, effects
from connector.store.db import Tx

CONSENT = "consent"
"""The kind of effect that writes a person's decision to the platform."""
_SAME = timedelta(seconds=1)  # platforms keep whole seconds
_TOLD = {ConsentState.GRANTED: True, ConsentState.WITHDRAWN: False}


def tell_platform(tx: Tx, adapter: PlatformAdapter, shop_id: str, consent: Consent, now: datetime) -> bool:
    """Put the decision in the outbox. `False` where the platform has no place for it, or for this kind of decision:
    platforms know marketing as a whole, e-mail and SMS; neither a single purpose nor "as before"."""
    known = consent.state in _TOLD and consent.channel in (Channel.EMAIL, Channel.SMS) and consent.address
    if not isinstance(adapter, WritesConsent) or consent.purpose is not Purpose.MARKETING or not known:
        return False
    address = str(consent.address)
    name = f"consent:{consent.channel}:{hashlib.sha256(address.encode()).hexdigest()[:16]}:{to_text(consent.at)}"
    request = {"do": CONSENT, "granted": _TOLD[consent.state], "at": to_text(consent.at)}
    return effects.put(
        tx, by_itself(shop_id, name, CONSENT, request, now, channel=str(consent.channel), recipient=address)
    )


def write_consent(adapter: PlatformAdapter, access: Access, effect: Effect) -> dict[str, str]:
    """Carry such an effect out. Raises what the adapter raises."""
    if not isinstance(adapter, WritesConsent):
        return {"written": "0", "reason": f"platform '{adapter.name}' has no place for consent"}
    request = ConsentRequest(
        channel=Channel.of(effect.channel),
        granted=bool(effect.request["granted"]),
        at=from_text(str(effect.request["at"])),
        address=effect.recipient,
        source="kiitos",
    )
    written = adapter.write_consent(access, request)
    return {"written": "1" if written else "0"}


def is_echo(tx: Tx, shop_id: str, consent: Consent) -> bool:
    """Whether a platform only repeats what we told it: the same decision, of the same moment, from another source."""
    if consent.state not in _TOLD:
        return False
    return any(
        row.channel is consent.channel
        and row.purpose is consent.purpose
        and row.state is consent.state
        and row.source != consent.source
        and abs(row.at - consent.at) < _SAME
        for row in consents.history(tx, shop_id, consents.address_of(tx, shop_id, consent))
    )
