"""Browsers that take a shop's notifications: whose they are, and how they are reached, sealed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from connector.clock import to_text
from connector.secrets import Vault
from connector.store.db import Tx

MOST = 5
"""Browsers of one person that are written to; an older one goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a browser gave (RFC 8030, 8291). `endpoint` is a credential: who knows it may write to the browser.

    `p256dh` and `auth` are base64url as the browser's `PushSubscription.toJSON` writes them.
    """

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(self.endpoint.encode()).hexdigest()[:32]


def put(tx: Tx, vault: Vault, shop_id: str, email_key: str, subscription: Subscription, now: datetime) -> None:
    """Keep it; the same browser once more changes only whose it is."""
    told = {"endpoint": subscription.endpoint, "p256dh": subscription.p256dh, "auth": subscription.auth}
    sealed = vault.encrypt(json.dumps(told), _place(shop_id, subscription.id))
    tx.run(
        "push_put",
        shop_id=shop_id,
        subscription_id=subscription.id,
        email_key=email_key,
        sealed=sealed,
        now=to_text(now),
    )
    tx.run("push_surplus", shop_id=shop_id, email_key=email_key, limit=MOST)


def known(tx: Tx, shop_id: str, email_key: str) -> bool:
    """Whether the person has a browser that takes notifications."""
    return bool(tx.all("push_of", shop_id=shop_id, email_key=email_key, limit=1))


def of(tx: Tx, vault: Vault, shop_id: str, email_key: str) -> list[Subscription]:
    """The person's browsers, the newest first."""
    rows = tx.all("push_of", shop_id=shop_id, email_key=email_key, limit=MOST)
    found = (json.loads(vault.decrypt(row["sealed"], _place(shop_id, row["subscription_id"]))) for row in rows)
    return [Subscription(**told) for told in found]


def drop(tx: Tx, shop_id: str, subscription_ids: Iterable[str]) -> None:
    """Forget browsers that are gone."""
    for subscription_id in subscription_ids:
        tx.run("push_drop", shop_id=shop_id, subscription_id=subscription_id)


def stop(tx: Tx, shop_id: str, email_key: str) -> bool:
    """Forget all of a person's; `False` when there were none."""
    return tx.run("push_stop", shop_id=shop_id, email_key=email_key) > 0


def count(tx: Tx) -> Counter[str]:
    """How many browsers there are, by shop."""
    return Counter(row["shop_id"] for row in tx.all("push_sealed"))


def sealed(tx: Tx) -> list[str]:
    """Every ciphertext."""
    return [row["sealed"] for row in tx.all("push_sealed")]


def reseal(tx: Tx, vault: Vault) -> int:
    """Seal what is under an older key anew; how many were."""
    changed = 0
    for row in tx.all("push_sealed"):
        if vault.is_current(row["sealed"]):
            continue
        place = _place(row["shop_id"], row["subscription_id"])
        fresh = vault.encrypt(vault.decrypt(row["sealed"], place), place)
        names = {"shop_id": row["shop_id"], "subscription_id": row["subscription_id"]}
        tx.run("push_reseal", **names, sealed=fresh)
        changed += 1
    return changed


def _place(shop_id: str, subscription_id: str) -> str:
    return f"{shop_id}|push|{subscription_id}"
