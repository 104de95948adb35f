"""Effects that are rows of our own: carried out and settled in one transaction, so there is no moment in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.clock import from_text, to_text
from connector.errors import Refused
from connector.model import Effect, Run
from connector.store import accounts, customer_fields, perks, referrals
from connector.store.db import Tx
from flows.facts import Facts, email_of
from flows.referring.giving import release_points
from flows.referring.promises import ADVOCATE
from flows.value.bookings import Change, balance, give_points

RECORD = "record"
"""The kind of effect."""


@dataclass(frozen=True, slots=True)
class Written:
    """`values` is what later steps see, `changes` what became of points, for `Loyalty.given` to tell."""

    values: Mapping[str, str]
    changes: Sequence[Change] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What is to be written, and whom it is about. Points are good for `lasting` where their step does not say."""

    tx: Tx
    effect: Effect
    customer_id: str | None
    key: str | None
    now: datetime
    lasting: timedelta | None

    @property
    def shop_id(self) -> str:
        return self.effect.shop_id

    def balance(self) -> str:
        return str(balance(self.tx, self.shop_id, self.customer_id, self.key, self.now))


def record(tx: Tx, effect: Effect, run: Run, facts: Facts, now: datetime, lasting: timedelta | None = None) -> Written:
    """Write it down. `lasting` is how long points of the shop's programme are good, `None` for ever. Raises `Refused`
    for what no record is."""
    write = _RECORDS.get(str(effect.request.get("do")))
    if write is None:
        raise Refused(f"'{effect.request.get('do')}' is no record of ours")
    customer = facts.customer
    customer_id = (customer.id if customer is not None else None) or run.customer_id
    key = email_of(facts) or run.email_key
    if not customer_id and not key:
        raise Refused("there is nobody to keep it for", provider_code="nobody")
    return write(_Scene(tx=tx, effect=effect, customer_id=customer_id, key=key, now=now, lasting=lasting))


def _set(scene: _Scene) -> Written:
    tx, effect = scene.tx, scene.effect
    name, value = str(effect.request["field"]), effect.request["value"]
    if value is None:
        had = customer_fields.drop(tx, scene.shop_id, scene.customer_id, scene.key, name)
        return Written({"field": name, "value": "", "cleared": "1" if had else "0"})
    kind = str(effect.request["kind"])
    customer_fields.put(tx, scene.shop_id, scene.customer_id, scene.key, name, kind, str(value), scene.now, effect.id)
    return Written({"field": name, "value": str(value)})


def _grant(scene: _Scene) -> Written:
    effect, told = scene.effect, scene.effect.request.get("expires_at")
    given, until = int(effect.request["points"]), from_text(str(told)) if told else None
    if until is None and scene.lasting is not None:
        until = scene.now + scene.lasting
    changes = give_points(
        scene.tx,
        scene.shop_id,
        effect.id,
        scene.customer_id,
        scene.key,
        given,
        scene.now,
        reason=str(effect.request.get("reason", "")),
        cause=f"order/{effect.order_id}" if effect.order_id else f"flow/{effect.flow_id}",
        rule=f"flow/{effect.flow_id}",
        version=effect.version,
        expires_at=until,
    )
    values = {"points": str(given), "balance": scene.balance()}
    return Written(values | ({"ends_at": to_text(until)} if until else {}), changes)


def _hand_out(scene: _Scene) -> Written:
    tx, effect = scene.tx, scene.effect
    holder = accounts.open_for(tx, scene.shop_id, scene.customer_id, scene.key, effect.id, scene.now)
    code = perks.take(tx, scene.shop_id, str(effect.request["perk"]), holder.account, scene.now)
    if code is None:
        raise Refused(f"none is left of '{effect.request['perk']}'", provider_code="none_left")
    return Written({"code": code})


def _give_reward(scene: _Scene) -> Written:
    """Points that a referral promised, waiting in the books since it came."""
    tx, request = scene.tx, scene.effect.request
    side, referral_id = str(request["side"]), str(request.get("referral_id", ""))
    points = release_points(tx, scene.shop_id, referral_id, side, scene.now)
    if not points:
        raise Refused(f"the referral '{referral_id}' promised no points", provider_code="nothing_promised")
    row = referrals.get(tx, scene.shop_id, referral_id)
    left = scene.balance()
    if row is not None and side == ADVOCATE:
        left = str(balance(tx, scene.shop_id, None, row.advocate_email_key, scene.now))
    return Written({"kind": "points", "worth": str(points), "points": str(points), "balance": left})


_RECORDS: Mapping[str, Callable[[_Scene], Written]] = {
    "set": _set,
    "grant": _grant,
    "hand_out": _hand_out,
    "give_reward": _give_reward,
}
