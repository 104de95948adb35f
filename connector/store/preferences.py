"""What people chose on the preference page, by address: the language of their messages, a pause from advertising."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Channel
from connector.store.db import Tx
from connector.store.refused import PAUSED, Refusal
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True)
class Preference:
    """`locale` is BCP 47, empty for what the order says. Nothing of the marketing class goes out before
    `paused_until`, and none before `care_until`, while a person of the merchant's owes them an answer
    (`connector.store.care`)."""

    locale: str = ""
    paused_until: datetime | None = None
    care_until: datetime | None = None
    care_reason: str = ""


NONE = Preference()


def get(tx: Tx, shop_id: str, address_key: str | None) -> Preference:
    """What the owner of an address chose. Costs nothing while nobody of the shop ever chose anything."""
    if address_key is None or not anybody(tx, shop_id):
        return NONE
    foresee(tx, shop_id, [address_key])
    found: Preference = tx.recall("preference_of_keys")[shop_id, address_key]
    return found


def foresee(tx: Tx, shop_id: str, address_keys: Iterable[str]) -> None:
    """Read at once what `get` is about to be asked of each address."""
    if not anybody(tx, shop_id):
        return
    known: dict[tuple[str, str], Preference] = tx.recall("preference_of_keys")
    missing = [key for key in dict.fromkeys(address_keys) if (shop_id, key) not in known]
    if missing:
        known.update(((shop_id, key), NONE) for key in missing)
        for row in tx.all("preference_of_keys", shop_id=shop_id, keys=id_list(missing)):
            known[shop_id, row["address_key"]] = Preference(
                row["locale"], _time(row["paused_until"]), _time(row["care_until"]), row["care_reason"] or ""
            )


def _time(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def put(tx: Tx, shop_id: str, address_key: str, chosen: Preference, now: datetime) -> None:
    """What the person chose; why others keep advertising away is not theirs to choose, and stays."""
    tx.forget("preference_any")
    tx.forget("preference_of_keys")
    until = chosen.paused_until
    word = to_text(until) if until is not None else ""
    tx.noted.append(
        Refusal(shop_id=shop_id, address_key=address_key, channel=Channel.EMAIL, scope=PAUSED, reason=word, at=now)
    )
    tx.run(
        "preference_put",
        shop_id=shop_id,
        address_key=address_key,
        locale=chosen.locale,
        paused_until=to_text(until) if until is not None else None,
        now=to_text(now),
    )


def keep_from(tx: Tx, shop_id: str, address_key: str, until: datetime | None, reason: str, now: datetime) -> None:
    """Advertising stays away until then, for a reason that is not the person's; `None` ends it."""
    tx.forget("preference_any")
    tx.forget("preference_of_keys")
    tx.run(
        "care_project",
        shop_id=shop_id,
        address_key=address_key,
        care_until=to_text(until) if until is not None else None,
        care_reason=reason,
        now=to_text(now),
    )


def anybody(tx: Tx, shop_id: str) -> bool:
    """Whether anybody of the shop chose anything."""
    known: dict[str, bool] = tx.recall("preference_any")
    if shop_id not in known:
        known[shop_id] = tx.one("preference_any", shop_id=shop_id) is not None
    return known[shop_id]
