from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from connector.errors import ConfigError
from connector.model import Shop, ShopStatus
from connector.secrets import Vault
from connector.store import Store, shops
from tests.store.examples import NOW, SHOP, at

AALTO = Shop(id=SHOP, client_id="demo", platform="shopify", domain="aalto.myshopify.com", name="Aalto")
OLD = base64.b64encode(b"o" * 32).decode()
NEW = base64.b64encode(b"n" * 32).decode()
TOKEN = "shpat_0123456789abcdef"


def test_shops_are_kept_and_found(store: Store) -> None:
    with store.work.transaction() as tx:
        shops.save(tx, AALTO, NOW)
        shops.save(tx, replace(AALTO, name="Aalto Oy"), at(1))
        shops.save(tx, replace(AALTO, id="shop-b", platform="woocommerce"), NOW)
        assert [shop.id for shop in shops.all(tx)] == [SHOP, "shop-b"]
        assert shops.get(tx, SHOP) == replace(AALTO, name="Aalto Oy")
        assert shops.get(tx, "nobody") is None
        found = shops.by_domain(tx, "woocommerce", "aalto.myshopify.com")
        assert found is not None
        assert found.id == "shop-b"


def test_a_restart_does_not_wake_a_paused_shop(store: Store) -> None:
    with store.work.transaction() as tx:
        shops.save(tx, AALTO, NOW)
        shops.set_status(tx, SHOP, ShopStatus.PAUSED, at(1), "credentials expired")
        shops.save(tx, AALTO, at(2))
        found = shops.get(tx, SHOP)
    assert found is not None
    assert found.status is ShopStatus.PAUSED


def test_two_shops_cannot_be_the_same_store(store: Store) -> None:
    with store.work.transaction() as tx:
        shops.save(tx, AALTO, NOW)
        with pytest.raises(ConfigError, match="same shopify store"):
            shops.save(tx, replace(AALTO, id="shop-b"), NOW)


def test_endpoints(store: Store) -> None:
    with store.work.transaction() as tx:
        shops.put_endpoint(tx, "k1", "shopify", "app:main", None, NOW)
        shops.put_endpoint(tx, "k2", "woocommerce", SHOP, SHOP, NOW)
        assert shops.endpoint(tx, "k1") == shops.EndpointRow("k1", "shopify", "app:main", None)
        assert shops.endpoint(tx, "k3") is None
        assert [row.key for row in shops.endpoints(tx)] == ["k1", "k2"]


def test_credentials_are_sealed(store: Store) -> None:
    vault = Vault.from_text(NEW)
    with store.work.transaction() as tx:
        shops.put_secret(tx, vault, SHOP, "access_token", TOKEN, NOW)
        shops.put_secret(tx, vault, SHOP, "access_token", TOKEN + "2", at(1))
        shops.put_secret(tx, vault, "app:main", "client_secret", "hush", NOW)
        assert shops.secrets(tx, vault, SHOP) == {"access_token": TOKEN + "2"}
        stored = [row["value"] for row in tx.all("credential_all")]
        assert not any(TOKEN in value or "hush" in value for value in stored)
        shops.delete_secrets(tx, SHOP)
        assert shops.secrets(tx, vault, SHOP) == {}
        assert shops.secrets(tx, vault, "app:main") == {"client_secret": "hush"}


def test_a_credential_moved_to_another_row_does_not_open(store: Store) -> None:
    vault = Vault.from_text(NEW)
    with store.work.transaction() as tx:
        shops.put_secret(tx, vault, SHOP, "access_token", TOKEN, NOW)
        shops.put_secret(tx, vault, "shop-b", "access_token", "theirs", NOW)
        tx.script(
            "UPDATE credentials SET value = (SELECT value FROM credentials WHERE owner_id = 'shop-aalto')"
            " WHERE owner_id = 'shop-b'"
        )
        with pytest.raises(ConfigError) as raised:
            shops.secrets(tx, vault, "shop-b")
        assert TOKEN not in str(raised.value)
        assert shops.secrets(tx, vault, SHOP) == {"access_token": TOKEN}


def test_keys_can_be_changed(store: Store) -> None:
    old, both, new = Vault.from_text(f"a={OLD}"), Vault.from_text(f"b={NEW},a={OLD}"), Vault.from_text(f"b={NEW}")
    with store.work.transaction() as tx:
        shops.put_secret(tx, old, SHOP, "access_token", TOKEN, NOW)
        shops.put_secret(tx, both, SHOP, "refresh_token", "r", NOW)
        with pytest.raises(ConfigError, match="needs encryption key 'a'"):
            shops.secrets(tx, new, SHOP)
        assert shops.rotate_secrets(tx, both) == 1
        assert shops.rotate_secrets(tx, both) == 0
        assert shops.secrets(tx, new, SHOP) == {"access_token": TOKEN, "refresh_token": "r"}
