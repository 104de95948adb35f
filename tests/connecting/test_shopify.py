"""A Shopify store is connected through the pages: by approval, from the admin, by an own app; and what forgers get."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.app import Kiitos, build, create_app
from connector.clock import ManualClock
from connector.config import parse_config
from connector.connecting import Attempts
from connector.model import ShopStatus
from connector.store import effects, shops
from connector.testing.fakes.shopify import FakeShopify, FakeUnavailable
from connector.testing.fakes.shopify.oauth import sign_query
from connector.worker import Worker
from platforms.shopify.install import REQUIRED_SCOPES
from platforms.shopify.tokens import read_grant
from tests.connecting.instance import BASE, ENV, NOW, active, document
from webhooks.receiver import receiver_of

DOMAIN = "aurora-demo.myshopify.com"
SECRET = "the-app-secret"
NOTHING = {"connected": [], "credentials": ["app:shopify"], "shops": []}
SHOP_ID = "acme-aurora-demo"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW, seed=5)


@pytest.fixture
def store(clock: ManualClock) -> Iterator[FakeShopify]:
    made = FakeShopify(clock, DOMAIN, "the-app-id", SECRET, {*REQUIRED_SCOPES}, unchecked=True, name="Aurora Outdoor")
    made.oauth.redirect_urls.append(f"{BASE}/connect/return/shopify")
    try:
        made.start()
    except FakeUnavailable as missing:
        pytest.skip(str(missing))
    yield made
    made.stop()


def built(folder: Path, store: FakeShopify, clock: ManualClock, **app: str) -> Kiitos:
    settings = {"client_id": "the-app-id", "client_secret": SECRET, "api_url": store.url, **app}
    found = document(folder, client="acme", apps={"shopify": settings})
    return build(parse_config(found, folder / "app.toml", ENV), clock=clock)


@pytest.fixture
def kiitos(tmp_path: Path, store: FakeShopify, clock: ManualClock) -> Iterator[Kiitos]:
    made = built(tmp_path, store, clock)
    yield made
    made.close()


class Merchant:
    """A browser with an invite."""

    def __init__(self, kiitos: Kiitos) -> None:
        self.kiitos = kiitos
        self.app = create_app(kiitos)
        self.browser = self.app.test_client()
        self.invite = urlsplit(Attempts(kiitos).invite("acme", locale="en")).path

    def submit(self, way: str, **values: str) -> TestResponse:
        return self.browser.post(f"{self.invite}/shopify/{way}", data=values, base_url=BASE)

    def approve(self) -> str:
        """Up to the merchant's yes; the query the browser is sent back with."""
        assert self.submit("approve", shop="aurora-demo").status_code == 303
        page = self.browser.get("/connect/go", base_url=BASE).text
        link = re.search(r'class="button" href="([^"]+)"', page)
        assert link is not None
        answer = requests.post(html.unescape(link[1]), timeout=10, allow_redirects=False)
        return urlsplit(answer.headers["Location"]).query

    def come_back(self, query: str, browser: FlaskClient | None = None) -> TestResponse:
        return (browser or self.browser).get(f"/connect/return/shopify?{query}", base_url=BASE)


@pytest.fixture
def merchant(kiitos: Kiitos) -> Merchant:
    return Merchant(kiitos)


def test_an_approved_store_is_connected_and_told_how_it_stands(merchant: Merchant, kiitos: Kiitos) -> None:
    query = merchant.approve()
    assert active(kiitos) == NOTHING
    back = merchant.come_back(query)
    assert (back.status_code, back.location) == (303, "/connect/result")
    assert active(kiitos)["connected"] == [SHOP_ID]
    page = merchant.browser.get("/connect/result", base_url=BASE).text
    assert "Aurora Outdoor is connected" in page
    assert "Open Shopify" in page
    assert SECRET not in page
    assert "shpat_" not in page


def test_the_token_of_a_connected_store_is_renewed_with_the_operators_app(
    merchant: Merchant, kiitos: Kiitos, store: FakeShopify, clock: ManualClock
) -> None:
    merchant.come_back(merchant.approve())
    clock.advance(timedelta(days=30))
    Worker(kiitos).tick()
    settings = kiitos.config.shop(SHOP_ID)
    grant = read_grant(kiitos.access(settings).secrets)
    assert grant is not None
    assert grant.until > clock.now()
    assert store.oauth.granted == ["authorization_code", "refresh_token"]
    with kiitos.store.work.read() as tx:
        assert set(shops.secret_names(tx, SHOP_ID)) == {"grant"}


def test_an_install_from_the_admin_connects_without_a_form(
    merchant: Merchant, kiitos: Kiitos, store: FakeShopify
) -> None:
    answer = merchant.browser.get(store.oauth.embedded_load("/connect/from/shopify"), base_url=BASE)
    assert answer.status_code == 200
    assert "Aurora Outdoor is connected" in answer.text
    assert active(kiitos)["connected"] == [SHOP_ID]
    assert store.oauth.granted == ["token_exchange"]
    # The admin shows it in a frame; nobody else may, and nothing else of ours may be framed.
    policy = answer.headers["Content-Security-Policy"]
    assert f"frame-ancestors https://{DOMAIN} https://admin.shopify.com" in policy
    assert "X-Frame-Options" not in answer.headers
    other = merchant.browser.get(merchant.invite, base_url=BASE, follow_redirects=True)
    assert "frame-ancestors 'none'" in other.headers["Content-Security-Policy"]


def test_an_install_without_an_id_token_goes_through_approval(
    merchant: Merchant, kiitos: Kiitos, store: FakeShopify
) -> None:
    first = store.oauth.signed({"shop": DOMAIN, "timestamp": str(int(store.clock.now().timestamp()))})
    answer = merchant.browser.get(f"/connect/from/shopify?{urlencode(first)}", base_url=BASE)
    assert answer.status_code == 303
    assert answer.location.startswith(f"{store.url}/admin/oauth/authorize?")
    yes = requests.post(answer.location, timeout=10, allow_redirects=False)
    assert merchant.come_back(urlsplit(yes.headers["Location"]).query).status_code == 303
    assert active(kiitos)["connected"] == [SHOP_ID]


def test_an_own_app_connects_at_once_and_brings_its_own_secret(merchant: Merchant, kiitos: Kiitos) -> None:
    answer = merchant.submit("own_app", shop=DOMAIN, client_id="the-app-id", client_secret=SECRET)
    assert (answer.status_code, answer.location) == (303, "/connect/result")
    with kiitos.store.work.read() as tx:
        assert set(shops.secret_names(tx, SHOP_ID)) == {"grant", "client_id", "client_secret"}


def delivery(secret: str) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"id": 5, "name": "#1"}).encode()
    signed = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    headers = {
        "X-Shopify-Hmac-Sha256": signed,
        "X-Shopify-Topic": "orders/delete",
        "X-Shopify-Shop-Domain": DOMAIN,
        "X-Shopify-Webhook-Id": secret,
        "Content-Type": "application/json",
    }
    return body, headers


@pytest.mark.parametrize("app_wide", [False, True], ids=["the shop's address", "the app's address"])
def test_deliveries_signed_by_the_operators_app_are_taken_also_after_a_rotation(
    merchant: Merchant, kiitos: Kiitos, tmp_path: Path, store: FakeShopify, clock: ManualClock, app_wide: bool
) -> None:
    merchant.come_back(merchant.approve())
    rotated = built(tmp_path, store, clock, client_secret="new-secret", client_secret_previous=SECRET)
    web = create_app(rotated)
    receiver = receiver_of(web)
    receiver.start()
    try:
        url = rotated.app_hook_url("shopify") if app_wide else rotated.hook_url(rotated.config.shop(SHOP_ID))
        for secret, status in (("new-secret", 200), (SECRET, 200), ("of-nobody", 401)):
            body, headers = delivery(secret)
            answer = web.test_client().post(urlsplit(url).path, data=body, headers=headers, base_url=BASE)
            assert answer.status_code == status, secret
    finally:
        receiver.close()
        rotated.close()


@pytest.mark.parametrize("app_wide", [False, True], ids=["the shop's key", "the app's key"])
def test_the_app_proxy_is_answered_for_whom_the_app_signed(
    merchant: Merchant, kiitos: Kiitos, clock: ManualClock, app_wide: bool
) -> None:
    merchant.come_back(merchant.approve())
    hook = kiitos.app_hook_url("shopify") if app_wide else kiitos.hook_url(kiitos.config.shop(SHOP_ID))

    def ask(shop: str, secret: str) -> int:
        query = {"shop": shop, "path_prefix": "/apps/kiitos", "timestamp": str(int(clock.now().timestamp()))}
        message = "".join(f"{key}={value}" for key, value in sorted(query.items()))
        query["signature"] = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        path = f"/p/proxy/{hook.rpartition('/')[2]}/rating?{urlencode(query)}"
        return merchant.app.test_client().get(path, base_url=BASE).status_code

    assert ask(DOMAIN, SECRET) == 200
    assert ask(DOMAIN, "of-nobody") == 401
    assert ask("other.myshopify.com", SECRET) in (401, 404)


def test_connecting_again_frees_what_was_held(
    merchant: Merchant, kiitos: Kiitos, store: FakeShopify, clock: ManualClock
) -> None:
    merchant.come_back(merchant.approve())
    clock.advance(timedelta(hours=2))
    store.oauth.uninstall()
    worker = Worker(kiitos)
    with kiitos.store.work.transaction() as tx:
        from flows.obeying import fetch_effect

        effects.put(tx, fetch_effect(SHOP_ID, "77", "k", clock.now()))
    worker.drain()
    with kiitos.store.work.read() as tx:
        assert shops.get(tx, SHOP_ID).status is ShopStatus.DISCONNECTED  # type: ignore[union-attr]
    again = Merchant(kiitos)
    assert again.come_back(again.approve()).status_code == 303
    assert worker.next_due() is not None
    worker.drain()
    with kiitos.store.work.read() as tx:
        assert shops.get(tx, SHOP_ID).status is ShopStatus.ACTIVE  # type: ignore[union-attr]
        (held,) = effects.of_order(tx, SHOP_ID, "77")
    assert held.status.ended


# --- forgers ---


def forged(query: str, **changes: str) -> str:
    """A return that is signed as Shopify signs, with other values."""
    pairs = [(k, changes.get(k, v)) for k, v in parse_qsl(query, keep_blank_values=True) if k != "hmac"]
    return urlencode([*pairs, ("hmac", sign_query(pairs, SECRET))])


@pytest.mark.parametrize(
    "change",
    [
        {"shop": "evil.myshopify.com.evil.test"},
        {"shop": "other.myshopify.com"},
        {"state": "another"},
        {"timestamp": "1700000000"},
        {"code": "made-up"},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_forged_return_connects_nothing(change: dict[str, str], merchant: Merchant, kiitos: Kiitos) -> None:
    query = merchant.approve()
    assert merchant.come_back(forged(query, **change)).status_code == 400
    assert active(kiitos) == NOTHING


def test_an_unsigned_return_connects_nothing(merchant: Merchant, kiitos: Kiitos, store: FakeShopify) -> None:
    query = urlencode([(k, v) for k, v in parse_qsl(merchant.approve()) if k != "hmac"])
    assert merchant.come_back(query).status_code == 400
    assert (active(kiitos), store.oauth.granted) == (NOTHING, [])


def test_a_return_in_another_browser_connects_nothing(merchant: Merchant, kiitos: Kiitos, store: FakeShopify) -> None:
    query = merchant.approve()
    assert merchant.come_back(query, merchant.app.test_client()).status_code == 400
    assert (active(kiitos), store.oauth.granted) == (NOTHING, [])


def test_a_return_of_an_attacker_in_a_victims_browser_connects_nothing(merchant: Merchant, kiitos: Kiitos) -> None:
    """Login by another's hand: the victim's own attempt is open, the query is the attacker's."""
    attacker = Merchant(kiitos)
    query = attacker.approve()
    merchant.approve()
    assert merchant.come_back(query).status_code == 400
    assert active(kiitos) == NOTHING


def test_a_return_is_not_taken_twice(merchant: Merchant, kiitos: Kiitos, store: FakeShopify) -> None:
    query = merchant.approve()
    merchant.come_back(query)
    generation = kiitos.generation
    assert merchant.come_back(query).location == "/connect/result"
    assert (kiitos.generation, store.oauth.granted) == (generation, ["authorization_code"])


def test_a_late_return_connects_nothing(merchant: Merchant, kiitos: Kiitos, clock: ManualClock) -> None:
    query = merchant.approve()
    clock.advance(timedelta(minutes=6))
    assert merchant.come_back(query).status_code == 400
    assert active(kiitos) == NOTHING


@pytest.mark.parametrize("fault", ["unsigned", "alg none", "other app", "late", "other shop"])
def test_a_forged_install_connects_nothing(
    fault: str, merchant: Merchant, kiitos: Kiitos, store: FakeShopify, clock: ManualClock
) -> None:
    oauth = store.oauth
    tokens = {
        "alg none": lambda: oauth.id_token(alg="none") + "AA",
        "other app": lambda: oauth.id_token(aud="another"),
        "other shop": lambda: oauth.id_token(iss="https://b.myshopify.com/admin", dest="https://b.myshopify.com"),
    }
    query = dict(parse_qsl(urlsplit(oauth.embedded_load()).query))
    del query["hmac"]
    query["id_token"] = tokens.get(fault, oauth.id_token)()
    sent = query if fault == "unsigned" else oauth.signed(query)
    if fault == "late":
        clock.advance(timedelta(minutes=3))
    answer = merchant.browser.get(f"/connect/from/shopify?{urlencode(sent)}", base_url=BASE)
    assert answer.status_code == 400
    assert (active(kiitos), oauth.granted) == (NOTHING, [])
