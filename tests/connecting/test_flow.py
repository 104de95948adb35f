"""Connecting a WooCommerce store, as it should go."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.connecting import Attempts, check, leave, sentences
from connector.contracts import Verdict
from connector.errors import ConnectRefused
from connector.model import ShopStatus
from connector.reconciliation import Reconciler
from connector.store import connecting, shops
from connector.testing.fakes.web import Trouble
from connector.testing.fakes.woocommerce import FakeWoo
from connector.worker import Worker
from tests.connecting.instance import BASE, ENV, NOTHING, NOW, Scene, active, document, make, make_store


def secrets_of(kiitos: Kiitos, shop_id: str) -> dict[str, str]:
    with kiitos.store.work.read() as tx:
        return shops.secrets(tx, kiitos.vault, shop_id)


def reconcile(kiitos: Kiitos) -> None:
    """What the worker does beside its rounds: subscriptions first of all."""
    reconciler = Reconciler(kiitos)
    for _ in range(50):
        if not reconciler.run_one():
            return


def test_what_is_sent_to_the_store(scene: Scene) -> None:
    assert scene.authorize.startswith(f"{scene.woo.home}/wc-auth/v1/authorize?")
    assert scene.sent["scope"] == "read_write"
    assert scene.sent["return_url"] == f"{BASE}/connect/return/woocommerce"
    assert scene.sent["callback_url"].startswith(f"{BASE}/connect/callback/woocommerce/")
    assert scene.ticket not in scene.sent["callback_url"]
    assert active(scene.kiitos) == NOTHING


def test_keys_become_active_when_the_browser_is_back_and_not_before(scene: Scene) -> None:
    answer = scene.call()
    assert (answer.status_code, answer.text) == (200, "ok")
    assert active(scene.kiitos) == NOTHING
    back = scene.come_back()
    assert (back.status_code, back.location) == (303, "/connect/result")
    shop_id = active(scene.kiitos)["connected"][0]
    stored = secrets_of(scene.kiitos, shop_id)
    assert (stored["consumer_key"], stored["consumer_secret"]) == (scene.key, scene.secret)
    assert len(stored["webhook_secret"]) == 40
    settings = scene.kiitos.config.shop(shop_id)
    assert settings.shop.name == "Metsäkauppa"
    assert (settings.shop.timezone, settings.shop.currency, settings.shop.country) == ("Europe/Helsinki", "EUR", "FI")
    assert settings.layered.layer_of("timezone") == "connected"
    assert settings.sender == "Metsäkauppa <post@127.0.0.1>" or "@" in settings.sender


def test_the_result_page_says_how_it_stands(scene: Scene) -> None:
    scene.call()
    scene.come_back()
    page = scene.browser.get("/connect/result", base_url=BASE).text
    assert "Metsäkauppa is connected" in page
    assert "WooCommerce 11.0.1" in page
    assert "Processing order" in page
    assert "wc_email_customer_processing_order" in page
    assert scene.secret not in page
    assert scene.key not in page
    assert scene.visitor().get("/connect/result", base_url=BASE).status_code == 404


def test_a_reload_of_the_return_shows_the_result_and_connects_nothing_twice(scene: Scene) -> None:
    scene.call()
    scene.come_back()
    generation = scene.kiitos.generation
    again = scene.come_back()
    assert (again.status_code, again.location) == (303, "/connect/result")
    assert scene.kiitos.generation == generation


def test_a_running_worker_takes_the_store_in(scene: Scene, tmp_path: Path) -> None:
    other = make(tmp_path)
    worker = Worker(other)
    worker.tick()
    assert not other.config.shops
    scene.call()
    scene.come_back()
    worker.tick()
    (shop_id,) = other.config.shops
    assert other.access(other.config.shop(shop_id)).secrets["consumer_key"] == scene.key
    other.close()


def test_removing_a_shop_deletes_our_webhooks_there_and_connecting_it_again_makes_them_anew(scene: Scene) -> None:
    scene.call()
    scene.come_back()
    (shop_id,) = active(scene.kiitos)["connected"]
    reconcile(scene.kiitos)
    foreign = scene.woo.queue.create("theirs", "order.created", "https://elsewhere.example/hook", "s" * 20)
    ours = len(scene.woo.queue.hooks) - 1
    assert ours > 3
    said = leave(scene.kiitos, scene.kiitos.config.shop(shop_id))
    assert f"{ours} webhooks of ours were deleted in the store" in said
    assert list(scene.woo.queue.hooks) == [foreign.id]
    assert active(scene.kiitos)["credentials"] == []
    again = Scene(scene.kiitos, scene.woo)
    again.call()
    assert again.come_back().status_code == 303
    reconcile(scene.kiitos)
    assert len(scene.woo.queue.hooks) == ours + 1


def test_a_shop_that_cannot_be_reached_is_removed_all_the_same(scene: Scene) -> None:
    scene.call()
    scene.come_back()
    (shop_id,) = active(scene.kiitos)["connected"]
    scene.woo.maintenance = True
    said = leave(scene.kiitos, scene.kiitos.config.shop(shop_id))
    assert "could not be deleted" in said[1]
    with scene.kiitos.store.work.read() as tx:
        found = shops.get(tx, shop_id)
    assert found is not None
    assert found.status is ShopStatus.UNINSTALLED
    assert active(scene.kiitos)["credentials"] == []


def test_keys_by_hand_connect_at_once(scene: Scene) -> None:
    answer = scene.submit(
        scene.browser, scene.invite, "keys", url=scene.woo.home, consumer_key=scene.key, consumer_secret=scene.secret
    )
    assert (answer.status_code, answer.location) == (303, "/connect/result")
    assert len(active(scene.kiitos)["connected"]) == 1
    assert scene.browser.get(scene.invite, base_url=BASE).status_code == 404


def test_a_store_that_is_slow_for_a_moment_may_be_asked_again(scene: Scene) -> None:
    scene.call()
    scene.woo.trouble(*[Trouble(status=503)] * 3)
    failed = scene.come_back()
    assert failed.status_code == 503
    assert active(scene.kiitos) == NOTHING
    assert scene.come_back().status_code == 303
    assert len(active(scene.kiitos)["connected"]) == 1


def test_connecting_again_replaces_the_keys_and_keeps_the_webhook_secret(scene: Scene) -> None:
    scene.call()
    scene.come_back()
    (shop_id,) = active(scene.kiitos)["connected"]
    before = secrets_of(scene.kiitos, shop_id)
    with scene.kiitos.store.work.transaction() as tx:
        shops.set_status(tx, shop_id, ShopStatus.DISCONNECTED, scene.kiitos.clock.now())
    again = Scene(scene.kiitos, scene.woo)
    again.call()
    assert again.come_back().status_code == 303
    after = secrets_of(scene.kiitos, shop_id)
    assert active(scene.kiitos)["connected"] == [shop_id]
    assert after["consumer_key"] == again.key != before["consumer_key"]
    assert after["webhook_secret"] == before["webhook_secret"]
    with scene.kiitos.store.work.read() as tx:
        found = shops.get(tx, shop_id)
    assert found is not None
    assert found.status is ShopStatus.ACTIVE


def test_a_paused_shop_stays_paused_when_it_is_connected_again(scene: Scene) -> None:
    scene.call()
    scene.come_back()
    (shop_id,) = active(scene.kiitos)["connected"]
    with scene.kiitos.store.work.transaction() as tx:
        shops.set_status(tx, shop_id, ShopStatus.PAUSED, scene.kiitos.clock.now())
    again = Scene(scene.kiitos, scene.woo)
    again.call()
    again.come_back()
    with scene.kiitos.store.work.read() as tx:
        found = shops.get(tx, shop_id)
    assert found is not None
    assert found.status is ShopStatus.PAUSED


def test_another_client_cannot_take_a_connected_store(tmp_path: Path, woo: FakeWoo) -> None:
    kiitos = make(tmp_path, clients=("other",))
    scene = Scene(kiitos, woo)
    scene.call()
    scene.come_back()
    values = {"url": woo.home, "consumer_key": scene.key, "consumer_secret": scene.secret}
    with pytest.raises(ConnectRefused) as refused:
        Attempts(kiitos).connect_now("other", "woocommerce", "keys", values)
    assert refused.value.reason == "taken"
    with kiitos.store.work.read() as tx:
        assert [row.client_id for row in connecting.all(tx)] == ["acme"]
    kiitos.close()


def test_an_invite_for_a_known_shop_connects_no_other(scene: Scene) -> None:
    scene.call()
    scene.come_back()
    (shop_id,) = active(scene.kiitos)["connected"]
    with make_store() as second:
        _, key, secret = second.issue_key("read_write")
        link = Attempts(scene.kiitos).invite("acme", shop_id=shop_id)
        path = link.removeprefix(BASE)
        values = {"url": second.home, "consumer_key": key, "consumer_secret": secret}
        answer = scene.submit(scene.visitor(), path, "keys", **values)
    assert answer.status_code == 422
    assert "another store" in answer.text
    assert active(scene.kiitos)["connected"] == [shop_id]


def test_the_check_says_what_is_wrong(scene: Scene) -> None:
    scene.call()
    scene.come_back()
    (shop_id,) = active(scene.kiitos)["connected"]

    def codes() -> dict[str, Verdict]:
        return {finding.code: finding.verdict for finding in check(scene.kiitos, shop_id)}

    assert codes()["webhooks_coming"] is Verdict.WARN
    reconcile(scene.kiitos)
    assert codes() == {
        "webhooks_right": Verdict.OK,
        "reached": Verdict.OK,
        "may_write": Verdict.OK,
        "timezone_same": Verdict.OK,
        "currency_same": Verdict.OK,
        "double_processing": Verdict.WARN,
        "double_on_hold": Verdict.WARN,
        "double_completed": Verdict.WARN,
    }
    hook = next(iter(scene.woo.queue.hooks.values()))
    hook.status = "disabled"
    assert codes()["webhooks_wrong"] is Verdict.WARN
    hook.status = "active"
    for group in ("on_hold", "processing", "completed"):
        scene.woo.settings[f"email_customer_{group}_order"]["enabled"] = "no"
    assert codes()["doubles_none"] is Verdict.OK
    scene.woo.features += ["customer_review_request", "abandoned_cart_recovery", "fulfillments"]
    assert {"double_cart", "double_fulfillment"} <= set(codes())
    assert "double_review" not in codes()
    scene.woo.settings["email_customer_review_request"]["enabled"] = "yes"
    scene.woo.cron = False
    scene.woo.currency = "SEK"
    assert {"double_review", "cron_off"} <= set(codes())
    assert codes()["currency_other"] is Verdict.FAIL
    scene.woo.keys[scene.key] = (scene.secret, "read")
    assert codes()["read_only"] is Verdict.FAIL
    del scene.woo.keys[scene.key]
    assert codes() == {"keys_refused": Verdict.FAIL}
    scene.woo.maintenance = True
    assert codes() == {"unreachable": Verdict.FAIL}


@pytest.mark.parametrize("language", ["en", "fi"])
def test_every_finding_and_error_has_its_sentence_in_each_language(scene: Scene, language: str) -> None:
    english, words = (sentences(scene.kiitos, "woocommerce", one) for one in ("en", language))
    assert set(english) == set(words)
    for key, sentence in words.items():
        assert sentence.strip(), key
        assert set(re.findall(r"{\w+}", sentence)) == set(re.findall(r"{\w+}", english[key])), key


@pytest.mark.parametrize("written", ["www.127.0.0.1:{port}", "127.0.0.1:{port}/"])
def test_a_store_the_file_writes_with_www_is_the_same_store(tmp_path: Path, woo: FakeWoo, written: str) -> None:
    port = urlsplit(woo.home).port
    found = document(tmp_path)
    found["clients"]["acme"]["shops"] = {
        "metsa": {
            "platform": "woocommerce",
            "url": woo.home,
            "domain": written.format(port=port),
            "sender": "Metsä <post@metsa.example>",
        }
    }
    kiitos = build(parse_config(found, tmp_path / "app.toml", ENV), clock=ManualClock(NOW))
    _, key, secret = woo.issue_key("read_write")
    values = {"url": woo.home, "consumer_key": key, "consumer_secret": secret}
    assert Attempts(kiitos).connect_now("acme", "woocommerce", "keys", values) == "acme-metsa"
    assert list(kiitos.config.shops) == ["acme-metsa"]
    assert kiitos.config.shop("acme-metsa").layered.layer_of("timezone") == "connected"
    kiitos.close()


def test_credentials_of_the_file_are_the_operator_s_word(tmp_path: Path, woo: FakeWoo) -> None:
    found = document(tmp_path)
    shop = {"platform": "woocommerce", "url": woo.home, "sender": "Metsä <post@metsa.example>"}
    found["clients"]["acme"]["shops"] = {"metsa": {**shop, "consumer_key": {"env": "CK"}}}
    config = parse_config(found, tmp_path / "app.toml", {**ENV, "CK": "ck_of_the_file"})
    kiitos = build(config, clock=ManualClock(NOW))
    _, key, secret = woo.issue_key("read_write")
    values = {"url": woo.home, "consumer_key": key, "consumer_secret": secret}
    with pytest.raises(ConnectRefused) as refused:
        Attempts(kiitos).connect_now("acme", "woocommerce", "keys", values)
    assert refused.value.reason == "in_file"
    assert secrets_of(kiitos, "acme-metsa")["consumer_key"] == "ck_of_the_file"
    kiitos.close()
