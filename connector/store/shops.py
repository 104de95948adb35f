"""Shops, the keys of their hook URLs, and their credentials (encrypted at rest)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.errors import ConfigError
from connector.model import Shop, ShopStatus
from connector.secrets import Vault
from connector.store import meta
from connector.store.db import Row, Tx


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """A hook URL's random key. `owner_id` owns the secrets: a shop, or `app:<name>` for an app-wide URL."""

    key: str
    platform: str
    owner_id: str
    shop_id: str | None


def save(tx: Tx, shop: Shop, now: datetime) -> None:
    """Insert or refresh. A known shop keeps its status: only `set_status` changes that.

    Raises `ConfigError` when another shop has the same platform and domain.
    """
    other = by_domain(tx, shop.platform, shop.domain)
    if other is not None and other.id != shop.id:
        raise ConfigError(f"shops {other.id!r} and {shop.id!r} are the same {shop.platform} store", where=shop.domain)
    tx.forget("shop_get")
    tx.run(
        "shop_save",
        shop_id=shop.id,
        platform=shop.platform,
        domain=shop.domain,
        status=shop.status.value,
        snapshot=codec.encode_text(shop),
        now=to_text(now),
    )


def get(tx: Tx, shop_id: str) -> Shop | None:
    known = tx.recall("shop_get")  # asked again for every message of a batch
    if shop_id not in known:
        known[shop_id] = _shop(tx.one("shop_get", shop_id=shop_id))
    found: Shop | None = known[shop_id]
    return found


def all(tx: Tx) -> list[Shop]:  # noqa: A001 - read as shops.all(tx)
    return [shop for row in tx.all("shop_all") if (shop := _shop(row)) is not None]


def by_domain(tx: Tx, platform: str, domain: str) -> Shop | None:
    return _shop(tx.one("shop_by_domain", platform=platform, domain=domain))


def set_status(tx: Tx, shop_id: str, status: ShopStatus, now: datetime, reason: str = "") -> None:
    before = get(tx, shop_id)
    if status is ShopStatus.ACTIVE and before is not None and before.status is ShopStatus.UNINSTALLED:
        note_installed(tx, shop_id, now)
    tx.forget("shop_get")
    tx.run("shop_set_status", shop_id=shop_id, status=status.value, reason=reason, now=to_text(now))


def note_installed(tx: Tx, shop_id: str, now: datetime) -> None:
    """The merchant gave access just now. Whoever takes a new installation calls it, whatever the status says."""
    meta.put(tx, f"installed/{shop_id}", to_text(now), now)


def installed_at(tx: Tx, shop_id: str) -> datetime | None:
    """When access was last given, else when the shop was first known; `None` for one that is not known."""
    noted = meta.get(tx, f"installed/{shop_id}")
    if noted is not None:
        return from_text(noted)
    row = tx.one("shop_created_at", shop_id=shop_id)
    return from_text(row["created_at"]) if row else None


def _shop(row: Row | None) -> Shop | None:
    if row is None:
        return None
    shop = codec.decode(row["snapshot"], Shop)
    return shop if shop.status == row["status"] else replace(shop, status=ShopStatus.of(row["status"]))


def put_endpoint(tx: Tx, key: str, platform: str, owner_id: str, shop_id: str | None, now: datetime) -> None:
    tx.run("endpoint_put", key=key, platform=platform, owner_id=owner_id, shop_id=shop_id, now=to_text(now))


def endpoint(tx: Tx, key: str) -> EndpointRow | None:
    row = tx.one("endpoint_get", key=key)
    return _endpoint(row) if row else None


def endpoints(tx: Tx) -> list[EndpointRow]:
    return [_endpoint(row) for row in tx.all("endpoint_all")]


def _endpoint(row: Row) -> EndpointRow:
    return EndpointRow(row["endpoint_key"], row["platform"], row["owner_id"], row["shop_id"])


def _place(owner_id: str, name: str) -> str:
    """Binds a ciphertext to its row: copied to another shop's row it does not decrypt (promises.md B1 row 26)."""
    return f"{owner_id}|credentials|{name}"


def put_secret(tx: Tx, vault: Vault, owner_id: str, name: str, value: str, now: datetime) -> None:
    """Keep a credential. `owner_id` is a shop's id, or `app:<name>`."""
    sealed = vault.encrypt(value, _place(owner_id, name))
    tx.run("credential_put", owner_id=owner_id, name=name, value=sealed, now=to_text(now))


def secrets(tx: Tx, vault: Vault, owner_id: str) -> dict[str, str]:
    """The owner's credentials in clear. Raises `ConfigError` when the vault has not the key."""
    rows = tx.all("credential_of", owner_id=owner_id)
    return {row["name"]: vault.decrypt(row["value"], _place(owner_id, row["name"])) for row in rows}


def secret_names(tx: Tx, owner_id: str) -> list[str]:
    """What the owner has credentials for; nothing is opened."""
    return [row["name"] for row in tx.all("credential_of", owner_id=owner_id)]


def delete_secret(tx: Tx, owner_id: str, name: str) -> None:
    tx.run("credential_drop", owner_id=owner_id, name=name)


def delete_secrets(tx: Tx, owner_id: str) -> None:
    tx.run("credential_delete", owner_id=owner_id)


def sealed(tx: Tx) -> list[str]:
    """Every credential as it is stored."""
    return [row["value"] for row in tx.all("credential_all")]


def rotate_secrets(tx: Tx, vault: Vault) -> int:
    """Re-encrypt with the current key whatever is under an older one; return how many were."""
    changed = 0
    for row in tx.all("credential_all"):
        if vault.is_current(row["value"]):
            continue
        place = _place(row["owner_id"], row["name"])
        sealed = vault.encrypt(vault.decrypt(row["value"], place), place)
        changed += tx.run(
            "credential_reencrypt", owner_id=row["owner_id"], name=row["name"], value=sealed, old=row["value"]
        )
    return changed
