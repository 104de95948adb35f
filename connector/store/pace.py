"""How often, and to how many, flows have written: what the limits of policy are counted by, and what they held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector import codec
from connector.clock import from_text, to_text
from connector.model import Effect, EffectStatus
from connector.store.db import Tx
from connector.store.effects import effect_of
from connector.store.sql import id_list

RELEASED = "released"
"""In `result` of an effect that was held and that a person let go: since when."""
_REMEMBERED = 100
"""Messages of one person that are looked at: more than any limit asks for."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A marketing-class message that reached somebody, or may have. `sending`: `at` is when that will be known."""

    shop_id: str
    flow_id: str
    at: datetime
    sending: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A marketing-class message of one of the person's runs that is due too. `tried_at` where it may have gone out."""

    shop_id: str
    flow_id: str
    to: str
    tried_at: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """How much of a flow is held for one reason, and since when."""

    shop_id: str
    flow_id: str
    reason: str
    total: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    shop_id: str
    flow_id: str
    at: datetime
    reason: str


def reached(tx: Tx, shop_ids: Iterable[str], address_key: str, channel: str, but: str) -> list[Contact]:
    """What reached the person on the channel over the shops given, newest first, the effect `but` left out."""
    rows = tx.all(
        "pace_reached",
        shops=id_list(shop_ids),
        recipient_key=address_key,
        channel=channel,
        effect_id=but,
        limit=_REMEMBERED,
    )
    return [
        Contact(row["shop_id"], row["flow_id"], from_text(row["at"]), row["status"] == EffectStatus.SENDING)
        for row in rows
    ]


def sign_at(tx: Tx, shop_ids: Iterable[str], address_key: str) -> datetime | None:
    """When the person last showed that they care: ordered, or what `note` was told."""
    row = tx.one("pace_sign", shops=id_list(shop_ids), address_key=address_key)
    return from_text(row["at"]) if row and row["at"] else None


def note(tx: Tx, shop_id: str, address_key: str, kind: str, at: datetime) -> None:
    """A sign of life: `click`, `review`, ... Opens are none (facts/messaging.md 5.3)."""
    tx.run("engagement_note", shop_id=shop_id, address_key=address_key, kind=kind, at=to_text(at))


def rivals(tx: Tx, shop_ids: Iterable[str], email_key: str, channel: str, now: datetime, but: str) -> list[Waiting]:
    """What else is due for the person on the channel, the effect `but` left out."""
    rows = tx.all(
        "pace_rivals",
        shops=id_list(shop_ids),
        email_key=email_key,
        channel=channel,
        now=to_text(now),
        effect_id=but,
    )
    return [
        Waiting(
            row["shop_id"],
            row["flow_id"],
            str(codec.decode(row["request"], dict[str, Any]).get("to", "customer")),
            from_text(row["first_try_at"]) if row["tainted"] and row["first_try_at"] else None,
        )
        for row in rows
    ]


def begun(tx: Tx, shop_id: str, flow_id: str, since: datetime) -> int:
    """How many marketing-class messages the flow has begun to send since then: counted once a transaction, which
    itself says what it begins (`begins`)."""
    known = tx.recall("pace_begun")
    if (shop_id, flow_id, since) not in known:
        row = tx.one("pace_begun", shop_id=shop_id, flow_id=flow_id, since=to_text(since))
        known[shop_id, flow_id, since] = int(row["total"]) if row else 0
    return int(known[shop_id, flow_id, since])


def begins(tx: Tx, effect: Effect) -> None:
    """This transaction begins to send a message for the first time."""
    known = tx.recall("pace_begun")
    for shop_id, flow_id, since in known:
        if (shop_id, flow_id) == (effect.shop_id, effect.flow_id):
            known[shop_id, flow_id, since] += 1


# -- held by a limit, or by a person's word ----------------------------------------------------------------------------


def hold(tx: Tx, shop_id: str, effect_id: str, reason: str) -> None:
    """Keep it from being due until it is released."""
    tx.run("held_put", shop_id=shop_id, effect_id=effect_id, reason=reason)


def release(tx: Tx, shop_id: str, effect_id: str, now: datetime) -> bool:
    """Due at once, past budget, canary and pause: a person said so. `False` when it was not held any more."""
    result = codec.encode_text({RELEASED: to_text(now)})
    return tx.run("held_release", shop_id=shop_id, effect_id=effect_id, now=to_text(now), result=result) == 1


def held(tx: Tx, shop_id: str, flow_id: str, limit: int) -> list[Effect]:
    """What is held of a flow, oldest first, without contents."""
    rows = tx.all("held_of_flow", shop_id=shop_id, flow_id=flow_id, limit=limit)
    return [effect_of(row) for row in rows]


def held_counts(tx: Tx, shop_id: str = "") -> list[Held]:
    """By flow and reason, of a shop or of all."""
    return [
        Held(row["shop_id"], row["flow_id"], row["reason"], row["total"], from_text(row["since"]))
        for row in tx.all("held_counts", shop_id=shop_id)
    ]


def pause(tx: Tx, shop_id: str, flow_id: str, reason: str, now: datetime) -> bool:
    """Hold the flow's marketing-class messages from now on; `False` when it was paused already."""
    tx.forget("pause_of_shop")
    return tx.run("pause_put", shop_id=shop_id, flow_id=flow_id, reason=reason, now=to_text(now)) == 1


def resume(tx: Tx, shop_id: str, flow_id: str) -> bool:
    """`False` when it was not paused."""
    tx.forget("pause_of_shop")
    return tx.run("pause_lift", shop_id=shop_id, flow_id=flow_id) == 1


def pauses(tx: Tx, shop_id: str = "") -> list[Pause]:
    """The paused flows of a shop, or of all; asked once a transaction."""
    known = tx.recall("pause_of_shop")
    if shop_id not in known:
        rows = tx.all("pause_of_shop", shop_id=shop_id) if shop_id else tx.all("pause_all")
        known[shop_id] = [Pause(row["shop_id"], row["flow_id"], from_text(row["at"]), row["reason"]) for row in rows]
    found: list[Pause] = known[shop_id]
    return found


def object_to(tx: Tx, shop_id: str, flow_id: str, kind: str, objection_id: str, at: datetime) -> None:
    """Somebody had enough of the flow: `complaint` or `unsubscribe`."""
    tx.run("objection_put", shop_id=shop_id, flow_id=flow_id, kind=kind, objection_id=objection_id, at=to_text(at))


def objections(tx: Tx, shop_id: str, flow_id: str, kind: str, since: datetime) -> int:
    row = tx.one("objection_count", shop_id=shop_id, flow_id=flow_id, kind=kind, since=to_text(since))
    return int(row["total"]) if row else 0


def messages_of(tx: Tx, shop_id: str, email_key: str, limit: int) -> list[Effect]:
    """Every message of the person's runs, or to their address, newest first, without contents."""
    rows = tx.all("calendar_of_person", shop_id=shop_id, email_key=email_key, limit=limit)
    return [effect_of(row) for row in rows]
