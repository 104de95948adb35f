"""Effects that are rows of our own: carried out and settled in one transaction, so there is no moment in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from connector.clock import from_text
from connector.errors import Refused
from connector.model import Effect, Run
from connector.store import accounts, customer_fields, perks, referrals
from connector.store.db import Tx
from flows.facts import Facts, email_of
from flows.referring.giving import release_points
from flows.referring.promises import ADVOCATE
from flows.value.bookings import balance, give_points

RECORD = "record"
"""The kind of effect."""


def record(tx: Tx, effect: Effect, run: Run, facts: Facts, now: datetime) -> Mapping[str, str]:
    """Write it down; what later steps see. Raises `Refused` for what no record is."""
    write = _RECORDS.get(str(effect.request.get("do")))
    if write is None:
        raise Refused(f"'{effect.request.get('do')}' is no record of ours")
    customer = facts.customer
    customer_id = (customer.id if customer is not None else None) or run.customer_id
    key = email_of(facts) or run.email_key
    if not customer_id and not key:
        raise Refused("there is nobody to keep it for", provider_code="nobody")
    return write(tx, effect, customer_id, key, now)


def _set(tx: Tx, effect: Effect, customer_id: str | None, key: str | None, now: datetime) -> Mapping[str, str]:
    name, value = str(effect.request["field"]), effect.request["value"]
    if value is None:
        had = customer_fields.drop(tx, effect.shop_id, customer_id, key, name)
        return {"field": name, "value": "", "cleared": "1" if had else "0"}
    kind = str(effect.request["kind"])
    customer_fields.put(tx, effect.shop_id, customer_id, key, name, kind, str(value), now, effect.id)
    return {"field": name, "value": str(value)}


def _grant(tx: Tx, effect: Effect, customer_id: str | None, key: str | None, now: datetime) -> Mapping[str, str]:
    given, until = int(effect.request["points"]), effect.request.get("expires_at")
    give_points(
        tx,
        effect.shop_id,
        effect.id,
        customer_id,
        key,
        given,
        now,
        reason=str(effect.request.get("reason", "")),
        cause=f"order/{effect.order_id}" if effect.order_id else f"flow/{effect.flow_id}",
        rule=f"flow/{effect.flow_id}",
        version=effect.version,
        expires_at=from_text(str(until)) if until else None,
    )
    values = {"points": str(given), "balance": str(balance(tx, effect.shop_id, customer_id, key, now))}
    return values | ({"ends_at": str(until)} if until else {})


def _hand_out(tx: Tx, effect: Effect, customer_id: str | None, key: str | None, now: datetime) -> Mapping[str, str]:
    holder = accounts.open_for(tx, effect.shop_id, customer_id, key, effect.id, now)
    code = perks.take(tx, effect.shop_id, str(effect.request["perk"]), holder.account, now)
    if code is None:
        raise Refused(f"none is left of '{effect.request['perk']}'", provider_code="none_left")
    return {"code": code}


def _give_reward(tx: Tx, effect: Effect, customer_id: str | None, key: str | None, now: datetime) -> Mapping[str, str]:
    """Points that a referral promised, waiting in the books since it came."""
    side, referral_id = str(effect.request["side"]), str(effect.request.get("referral_id", ""))
    points = release_points(tx, effect.shop_id, referral_id, side, now)
    if not points:
        raise Refused(f"the referral '{referral_id}' promised no points", provider_code="nothing_promised")
    row = referrals.get(tx, effect.shop_id, referral_id)
    whose = (None, row.advocate_email_key) if row is not None and side == ADVOCATE else (customer_id, key)
    left = balance(tx, effect.shop_id, *whose, now)
    return {"kind": "points", "worth": str(points), "points": str(points), "balance": str(left)}


_RECORDS: Mapping[str, Callable[[Tx, Effect, str | None, str | None, datetime], Mapping[str, str]]] = {
    "set": _set,
    "grant": _grant,
    "hand_out": _hand_out,
    "give_reward": _give_reward,
}
