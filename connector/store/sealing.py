"""Everything the vault seals, in one place: under which keys it is, and sealing it anew under the current one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from connector.secrets import Vault, key_id_of
from connector.store import connecting, meta, push_subscriptions, shops
from connector.store.db import Tx

SALT = "salt"
"""The name in `meta` of the secret behind codes, links and hook addresses."""
SALT_PLACE = "meta|salt"
"""What binds its ciphertext to its row."""


def keys_in_use(tx: Tx) -> dict[str, Counter[str]]:
    """How many secrets are sealed under each key, by what they are (`credentials`, `salt`, ...)."""
    found: dict[str, Counter[str]] = {}
    for what, sealed in _all(tx):
        found.setdefault(key_id_of(sealed), Counter())[what] += 1
    return found


def reseal(tx: Tx, vault: Vault, now: datetime) -> int:
    """Seal whatever is under another key with the current one; how many were. What it says does not change.

    Raises `ConfigError` when the vault lacks a key that something is sealed under; then nothing was changed.
    """
    changed = shops.rotate_secrets(tx, vault) + connecting.reseal(tx, vault) + push_subscriptions.reseal(tx, vault)
    salt = meta.get(tx, SALT)
    if salt is not None and not vault.is_current(salt):
        meta.put(tx, SALT, vault.encrypt(vault.decrypt(salt, SALT_PLACE), SALT_PLACE), now)
        changed += 1
    return changed


def _all(tx: Tx) -> Iterator[tuple[str, str]]:
    for value in shops.sealed(tx):
        yield "credentials", value
    for value in connecting.sealed(tx):
        yield "connect attempts", value
    for value in push_subscriptions.sealed(tx):
        yield "push subscriptions", value
    salt = meta.get(tx, SALT)
    if salt is not None:
        yield "salt", salt
