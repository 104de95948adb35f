"""Connected stores are a layer of the configuration, and running processes take them in without a restart."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.app import Kiitos, build, look
from connector.clock import ManualClock
from connector.config import ConnectedShop, parse_config, with_connected
from connector.errors import ConfigError
from connector.model import ShopStatus
from connector.store import connecting, shops
from connector.store.connecting import ConnectedRow

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SETTINGS = {
    "platform": "woocommerce",
    "domain": "metsa.example",
    "url": "https://metsa.example",
    "name": "Metsäkauppa",
    "timezone": "Europe/Helsinki",
    "currency": "EUR",
}
ENV = {"KEY": "k1=" + base64.b64encode(b"a master key that has 32 bytes!!").decode()}


def document(tmp_path: Path, **connect: object) -> dict:
    return {
        "schema": 1,
        "app": {"database": f"sqlite:///{tmp_path}/kiitos.db", "master_key": {"env": "KEY"}},
        "connect": connect,
        "channels": {"mail": {"kind": "memory"}},
        "defaults": {"sender": "Agency <post@agency.example>", "timezone": "Europe/Berlin"},
        "clients": {"acme": {"flows": {"order-confirmation": {"file": "order_confirmation"}}}},
    }


def connected(**changes: object) -> ConnectedShop:
    return ConnectedShop(shop_id="acme-metsa", client_id="acme", settings={**SETTINGS, **changes})


@pytest.fixture
def kiitos(tmp_path: Path):
    made = start(tmp_path)
    yield made
    made.close()


def start(tmp_path: Path) -> Kiitos:
    return build(parse_config(document(tmp_path), tmp_path / "app.toml", ENV), clock=ManualClock(NOW))


def put(kiitos: Kiitos, **changes: object) -> None:
    row = connected(**changes)
    with kiitos.store.work.transaction() as tx:
        connecting.put(
            tx, ConnectedRow(shop_id=row.shop_id, client_id=row.client_id, settings=row.settings), kiitos.clock.now()
        )


def test_a_connected_store_lies_above_its_client_and_below_its_own_table(tmp_path: Path) -> None:
    plain = document(tmp_path)
    config = with_connected(parse_config(plain, tmp_path / "app.toml", ENV), [connected()])
    layered = config.shop("acme-metsa").layered
    assert layered.layer_of("timezone") == "connected"
    assert layered.layer_of("sender") == "defaults"
    assert layered.layer_of("flows.order-confirmation.file") == "clients.acme"
    assert not config.shop("acme-metsa").declared
    plain["clients"]["acme"]["shops"] = {
        "metsa": {"platform": "woocommerce", "url": "https://metsa.example", "timezone": "Europe/Oslo"}
    }
    both = with_connected(parse_config(plain, tmp_path / "app.toml", ENV), [connected()]).shop("acme-metsa")
    assert both.layered.layer_of("timezone") == "clients.acme.shops.metsa"
    assert both.layered.layer_of("currency") == "connected"
    assert both.declared


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (connected(currency="euros"), "currency"),
        (connected(nonsense="x"), "nonsense"),
        (connected(platform=""), "platform"),
        (ConnectedShop(shop_id="gone-metsa", client_id="gone", settings=SETTINGS), "no client 'gone'"),
    ],
    ids=["value", "key", "missing", "client"],
)
def test_a_faulty_connected_store_is_left_out_and_stops_nobody(tmp_path: Path, row: ConnectedShop, reason: str) -> None:
    good = ConnectedShop(shop_id="acme-good", client_id="acme", settings={**SETTINGS, "domain": "good.example"})
    config = with_connected(parse_config(document(tmp_path), tmp_path / "app.toml", ENV), [row, good])
    assert set(config.shops) == {"acme-good"}
    assert reason in config.left_out[row.shop_id]


def test_the_connect_table_is_checked(tmp_path: Path) -> None:
    for wrong, said in [
        ({"client": "acne"}, "did you mean 'acme'"),
        ({"clint": "acme"}, "did you mean 'client'"),
        ({"passphrase": "open sesame"}, "is a secret"),
        ({"passphrase": {"env": "SHORT"}}, "at least 16"),
        ({"apps": {"shopify": {"client_id": 5}}}, "connect.apps.shopify.client_id"),
    ]:
        with pytest.raises(ConfigError, match=said):
            parse_config(document(tmp_path, **wrong), tmp_path / "app.toml", {**ENV, "SHORT": "open sesame"})
    good = parse_config(document(tmp_path, passphrase={"env": "LONG"}), tmp_path / "a.toml", {**ENV, "LONG": "x" * 16})
    assert (good.connect.client, good.connect.enabled, good.connect.private_addresses) == ("acme", True, False)
    assert "x" * 16 not in repr(good)


def test_a_running_process_takes_a_store_in_and_its_changes(kiitos: Kiitos) -> None:
    assert not kiitos.refresh()
    assert not kiitos.catalog.knows("acme-metsa")
    put(kiitos)
    assert kiitos.refresh()
    assert not kiitos.refresh()
    assert [flow.id for flow in kiitos.catalog.flows("acme-metsa")] == ["order-confirmation"]
    assert kiitos.runner.catalog is kiitos.catalog
    with kiitos.store.work.read() as tx:
        assert shops.get(tx, "acme-metsa") is not None
        assert [row.shop_id for row in shops.endpoints(tx)] == ["acme-metsa"]
    put(kiitos, timezone="Europe/Oslo")
    assert kiitos.refresh()
    assert kiitos.catalog.settings("acme-metsa").shop.timezone == "Europe/Oslo"


def test_flows_are_loaded_for_what_changed_only(kiitos: Kiitos) -> None:
    put(kiitos)
    kiitos.refresh()
    (before,) = kiitos.catalog.flows("acme-metsa")
    with kiitos.store.work.transaction() as tx:
        other = {**SETTINGS, "domain": "other.example"}
        connecting.put(tx, ConnectedRow(shop_id="acme-other", client_id="acme", settings=other), NOW)
    kiitos.refresh()
    assert kiitos.catalog.flows("acme-metsa")[0] is before
    assert all(before in kiitos.catalog.triggered_by("acme-metsa", kind) for kind in before.trigger)
    assert len(kiitos.catalog.flows("acme-other")) == 1
    put(kiitos, flows={"order-confirmation": {"params": {"newest": "1d"}}})
    kiitos.refresh()
    assert kiitos.catalog.flows("acme-metsa")[0].version != before.version


def test_a_store_whose_flows_do_not_load_is_left_out_alone(kiitos: Kiitos, capfd: pytest.CaptureFixture[str]) -> None:
    put(kiitos, flows={"order-confirmation": {"params": {"nonsense": "1"}}})
    with kiitos.store.work.transaction() as tx:
        good = {**SETTINGS, "domain": "good.example"}
        connecting.put(tx, ConnectedRow(shop_id="acme-good", client_id="acme", settings=good), NOW)
    assert kiitos.refresh()
    assert list(kiitos.config.shops) == ["acme-good"]
    assert "nonsense" in kiitos.config.left_out["acme-metsa"]


def test_a_fresh_process_knows_connected_stores_and_so_does_who_only_looks(tmp_path: Path) -> None:
    config = parse_config(document(tmp_path), tmp_path / "app.toml", ENV)
    assert look(config) is config
    first = start(tmp_path)
    put(first)
    first.close()
    again = start(tmp_path)
    assert again.catalog.knows("acme-metsa")
    again.close()
    assert look(config).shop("acme-metsa").layered.layer_of("name") == "connected"


def test_credentials_come_from_the_vault_and_connected_addresses_are_not_trusted(kiitos: Kiitos) -> None:
    put(kiitos)
    kiitos.refresh()
    settings = kiitos.config.shop("acme-metsa")
    assert kiitos.credentials.names(settings) == frozenset()
    with kiitos.store.work.transaction() as tx:
        shops.put_secret(tx, kiitos.vault, "acme-metsa", "consumer_key", "ck_stored", NOW)
        connecting.bump(tx, NOW)
    kiitos.refresh()
    access = kiitos.access(kiitos.config.shop("acme-metsa"))
    assert access.secrets == {"consumer_key": "ck_stored"}
    assert access.public_only
    assert kiitos.credentials.names(settings) == {"consumer_key"}
    assert "ck_stored" not in repr(access)


def test_a_removed_shop_gets_no_credentials_back_from_the_file(tmp_path: Path) -> None:
    plain = document(tmp_path)
    plain["clients"]["acme"]["shops"] = {
        "a": {"platform": "woocommerce", "url": "https://a.example", "consumer_key": {"env": "CK"}}
    }
    config = parse_config(plain, tmp_path / "app.toml", {**ENV, "CK": "ck_file"})
    kiitos = build(config, clock=ManualClock(NOW))
    with kiitos.store.work.transaction() as tx:
        shops.set_status(tx, "acme-a", ShopStatus.UNINSTALLED, NOW)
        shops.delete_secrets(tx, "acme-a")
    kiitos.sync()
    with kiitos.store.work.read() as tx:
        assert shops.secrets(tx, kiitos.vault, "acme-a") == {}
    kiitos.close()
