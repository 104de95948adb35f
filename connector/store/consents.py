"""The consent ledger: append-only, the newest decision of a person counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Channel, Consent, ConsentState, Purpose, email_key
from connector.model.changing import quick
from connector.store import entities
from connector.store.db import Row, Tx

_COVERED_BY_MARKETING = {Purpose.REVIEW, Purpose.REFERRAL, Purpose.LOYALTY}


@quick
@dataclass(frozen=True, slots=True)
class ConsentRow:
    """An entry of the ledger. `at` is when the person decided, `recorded_at` when we heard."""

    seq: int
    address_key: str
    customer_id: str
    channel: Channel
    purpose: Purpose
    state: ConsentState
    raw_state: str
    at: datetime
    source: str
    evidence: str
    recorded_at: datetime


def record(tx: Tx, shop_id: str, consent: Consent, now: datetime) -> None:
    """Append. An entry that names only a customer gets the address we know; else it waits for one."""
    tx.run(
        "consent_record",
        shop_id=shop_id,
        address_key=address_of(tx, shop_id, consent),
        customer_id=consent.customer_id or "",
        channel=consent.channel.value,
        purpose=consent.purpose.value,
        state=consent.state.value,
        raw_state=consent.raw_state,
        at=to_text(consent.at),
        source=consent.source,
        evidence=consent.evidence,
        now=to_text(now),
    )


def address_of(tx: Tx, shop_id: str, consent: Consent) -> str:
    """The address a decision is about, as the ledger knows it; empty while nobody knows it."""
    address = consent.address
    if address is None and consent.customer_id is not None:
        owner = entities.customer(tx, shop_id, consent.customer_id)
        if owner is not None:
            address = owner.email if consent.channel.by_email else owner.phone
    return address_key_of(address, consent.channel)


def address_key_of(address: str | None, channel: Channel) -> str:
    """The form in which the ledger knows an address of a channel; empty for none."""
    if channel.by_email:
        return email_key(address) or ""
    return "".join((address or "").split())


def state(
    tx: Tx, shop_id: str, address_key: str, channel: Channel, purpose: Purpose, customer_id: str | None = None
) -> tuple[ConsentState, ConsentRow | None]:
    """What this person last decided, and the entry that says so; `UNKNOWN` and `None` without one.

    A decision about marketing covers review, referral and loyalty messages unless the person decided about that
    purpose itself. A yes counts for the address it was given for. A no of `customer_id` counts for all addresses of
    that customer: who unsubscribed and then orders with another address has not changed their mind.
    """
    rows = tx.all(
        "consent_said",
        shop_id=shop_id,
        address_key=address_key,
        channel=channel.value,
        purpose=purpose.value,
        covering=covering(purpose).value,
        customer_id=customer_id,
    )
    found = newest([_entry(row) for row in rows], address_key, purpose)
    return (found.state, found) if found is not None else (ConsentState.UNKNOWN, None)


def covering(purpose: Purpose) -> Purpose:
    """The purpose a decision about which is one about this too."""
    return Purpose.MARKETING if purpose in _COVERED_BY_MARKETING else purpose


def newest(rows: Iterable[ConsentRow], address: str, purpose: Purpose) -> ConsentRow | None:
    """Of what a person said for this and other addresses, the entry that decides for this one. Pure."""
    ranked = sorted(rows, key=lambda row: _weight(row, purpose))
    last = {row.address_key if row.address_key != address else "": row for row in ranked}
    own = last.pop("", None)
    refused = [row for row in last.values() if row.state is ConsentState.WITHDRAWN]
    elsewhere = max(refused, key=lambda row: _weight(row, purpose), default=None)
    if elsewhere is not None and (
        own is None or own.state is not ConsentState.GRANTED or _weight(elsewhere, purpose) > _weight(own, purpose)
    ):
        return elsewhere
    return own


def _weight(row: ConsentRow, purpose: Purpose) -> tuple[bool, datetime, int]:
    """Of two entries the heavier decides: the one about the very purpose, then the newer."""
    return row.purpose is purpose, row.at, row.seq


@dataclass(frozen=True, slots=True)
class Unfounded:
    """A message of the marketing class that should not have left; `at` is when it did."""

    shop_id: str
    effect_id: str
    flow_id: str
    purpose: str
    channel: str
    at: datetime
    why: str


def unfounded(tx: Tx, shop_id: str = "") -> list[Unfounded]:
    """Every message that was sent without a ground, of one shop or all; empty where the invariant holds."""
    return [
        Unfounded(
            row["shop_id"],
            row["effect_id"],
            row["flow_id"],
            row["purpose"],
            row["channel"] or "email",
            from_text(row["at"]),
            _why(row),
        )
        for row in tx.all("consent_unfounded", shop_id=shop_id)
    ]


def _why(row: Row) -> str:
    if row["stopped"]:
        return "the address was on the suppression list"
    if row["refused"]:
        return "the customer had said no for another address"
    return f"what was recorded was '{row['said']}'" if row["said"] else "nothing was recorded, and no soft opt-in"


def sent(tx: Tx, shop_id: str = "") -> int:
    """How many messages that need a ground went out, or may have."""
    row = tx.one("consent_sent", shop_id=shop_id)
    return int(row["total"]) if row else 0


def page(tx: Tx, shop_id: str, after: int, limit: int) -> list[ConsentRow]:
    """The ledger of a shop in the order it was written, from after an entry on."""
    return [_entry(row) for row in tx.all("consent_page", shop_id=shop_id, after=after, limit=limit)]


def history(tx: Tx, shop_id: str, address_key: str) -> list[ConsentRow]:
    """Every entry for the address, by the time of the decision."""
    return [_entry(row) for row in tx.all("consent_history", shop_id=shop_id, address_key=address_key)]


def _entry(row: Row) -> ConsentRow:
    return ConsentRow(
        seq=row["seq"],
        address_key=row["address_key"],
        customer_id=row["customer_id"],
        channel=Channel.of(row["channel"]),
        purpose=Purpose.of(row["purpose"]),
        state=ConsentState.of(row["state"]),
        raw_state=row["raw_state"],
        at=from_text(row["at"]),
        source=row["source"],
        evidence=row["evidence"],
        recorded_at=from_text(row["recorded_at"]),
    )
