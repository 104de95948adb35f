"""Those who had said no before a restore, met by their address: what they said holds again.

Their no was kept outside the database as a keyed hash (`connector.keeping.refusals`). Where the restored database knows
the address it is put in its place at once, else when somebody with that address comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from connector.clock import from_text
from connector.model import Consent, ConsentState, Event, Purpose, email_key
from connector.store import consents, preferences, privacy, refused, suppressions
from connector.store.db import Tx
from connector.store.refused import Refusal

SOURCE = "kiitos before a restore"


def meet(tx: Tx, salt: bytes, shop_id: str, event: Event, now: datetime) -> None:
    """Let hold again what people an event names had said. Costs one look at an empty table otherwise."""
    if not refused.anybody(tx, shop_id):
        return
    names = set(_addresses(event))
    known = {privacy.key_of(salt, shop_id, *name): name[1] for name in names}
    for one in refused.take(tx, shop_id, known) if known else ():
        hold(tx, replace(one, address_key=known[one.address_key]), now)


def hold(tx: Tx, said: Refusal, now: datetime) -> None:
    """Put one no back, for the address itself."""
    if said.scope == refused.PAUSED:
        chosen = preferences.get(tx, said.shop_id, said.address_key)
        until = from_text(said.reason)
        preferences.put(tx, said.shop_id, said.address_key, replace(chosen, paused_until=until), now)
    elif said.scope == refused.CONSENT:
        consents.record(tx, said.shop_id, _withdrawn(said, said.at or now), now)
    else:
        suppressions.add(tx, said.shop_id, said.address_key, said.channel, said.scope, said.reason, said.at or now)


def _withdrawn(said: Refusal, at: datetime) -> Consent:
    return Consent(
        channel=said.channel,
        purpose=Purpose.MARKETING,
        state=ConsentState.WITHDRAWN,
        raw_state=said.reason,
        at=at,
        source=SOURCE,
        address=said.address_key,
    )


def _addresses(event: Event) -> Iterable[tuple[str, str]]:
    """(`email` or `phone`, address) of everybody an event names."""
    order, cart = event.order, event.checkout
    people = [event.customer, order.customer if order else None, cart.customer if cart else None]
    emails = [order.email if order else None, cart.email if cart else None, *(one.email for one in people if one)]
    places = [order.shipping_address, order.billing_address] if order else []
    phones = [order.phone if order else None, cart.phone if cart else None]
    phones += [one.phone for one in (*people, *places) if one]
    if event.consent is not None and event.consent.address:
        (emails if event.consent.channel.by_email else phones).append(event.consent.address)
    yield from (("email", key) for address in emails if (key := email_key(address)))
    yield from (("phone", "".join(phone.split())) for phone in phones if phone)
