"""Forged, tampered, replayed and misdirected: no key becomes active.

Each scenario plays with an open attempt and then lets the browser come back as far as it can. Nothing may be connected,
no credential stored, no shop known. A planted control does the same without the forgery and connects.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connector.app import Kiitos, create_app
from connector.connecting import Attempts
from connector.outside import destinations
from connector.store import connecting
from connector.testing.fakes.web import LoopbackServer, Response
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.fakes.woocommerce.authorize import callback_body
from connector.worker import Worker
from tests.connecting.instance import BASE, NOTHING, Scene, active, make, make_store

Forgery = Callable[[Scene], None]
FORGERIES: dict[str, Forgery] = {}


def forgery(name: str) -> Callable[[Forgery], Forgery]:
    def keep(act: Forgery) -> Forgery:
        FORGERIES[name] = act
        return act

    return keep


def body_with(scene: Scene, **changes: object) -> bytes:
    fields = json.loads(callback_body(scene.ticket, scene.key, scene.secret))
    fields.update(changes)
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


# -- the callback ------------------------------------------------------------------------------------------------------

BODIES: dict[str, Callable[[Scene], bytes]] = {
    "an empty body": lambda s: b"",
    "no json": lambda s: b"consumer_key=ck_1&consumer_secret=cs_1",
    "a list": lambda s: b"[" + callback_body(s.ticket, s.key, s.secret) + b"]",
    "a number": lambda s: b"1",
    "null": lambda s: b"null",
    "deep nesting": lambda s: b"[" * 4000,
    "broken utf-8": lambda s: b'{"consumer_key":"ck_\xff\xfe"}',
    "no key": lambda s: body_with(s, consumer_key=...),
    "no secret": lambda s: body_with(s, consumer_secret=...),
    "no user id": lambda s: body_with(s, user_id=...),
    "no permissions": lambda s: body_with(s, key_permissions=...),
    "a key of another kind": lambda s: body_with(s, consumer_key="sk_live_1234567890"),
    "key and secret swapped": lambda s: body_with(s, consumer_key=s.secret, consumer_secret=s.key),
    "a list for a key": lambda s: body_with(s, consumer_key=[s.key]),
    "a number for a secret": lambda s: body_with(s, consumer_secret=12345),
    "a key with a line break": lambda s: body_with(s, consumer_key=s.key + "\r\nX-Evil: 1"),
    "a key of a megabyte": lambda s: body_with(s, consumer_key="ck_" + "a" * 1_000_000),
    "padding of 60 KiB": lambda s: body_with(s, padding="x" * 60_000),
    "another attempt's ticket": lambda s: body_with(s, user_id="a" * 52),
    "a ticket in capitals": lambda s: body_with(s, user_id=s.ticket.upper()),
    "a read-only key": lambda s: body_with(s, key_permissions="read"),
    "permissions of another kind": lambda s: body_with(s, key_permissions=["read_write"]),
    "a key that does not exist": lambda s: body_with(s, consumer_key="ck_" + "0" * 40),
    "a wrong secret": lambda s: body_with(s, consumer_secret="cs_" + "0" * 40),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_forged_callback(scene: Scene, name: str) -> None:
    scene.call(BODIES[name](scene))
    assert active(scene.kiitos) == NOTHING
    back = scene.come_back()
    assert back.status_code == 400
    assert active(scene.kiitos) == NOTHING
    assert sealed(scene.kiitos) == [""]


def sealed(kiitos: Kiitos) -> list[str]:
    """What attempts keep: nothing once they are over."""
    with kiitos.store.work.read() as tx:
        rows = tx._cursor.execute("SELECT sealed, received FROM connect_attempts").fetchall()
    return sorted({str(value) for row in rows for value in (row.values() if isinstance(row, dict) else row)})


@forgery("no callback at all")
def _(scene: Scene) -> None:
    assert scene.come_back().status_code == 400


@forgery("the callback's secret guessed")
def _(scene: Scene) -> None:
    url = scene.sent["callback_url"]
    assert scene.call(url=url[:-1] + ("a" if url[-1] != "a" else "b")).status_code == 404
    assert scene.come_back().status_code == 400


@forgery("the ticket in place of the callback's secret")
def _(scene: Scene) -> None:
    assert scene.call(url=f"/connect/callback/woocommerce/{scene.ticket}").status_code == 404
    assert scene.come_back().status_code == 400


@forgery("another platform's callback")
def _(scene: Scene) -> None:
    assert scene.call(url=scene.sent["callback_url"].replace("/woocommerce/", "/shopify/")).status_code == 404
    assert scene.come_back().status_code == 400


@forgery("a form instead of json")
def _(scene: Scene) -> None:
    assert scene.call(content_type="application/x-www-form-urlencoded").status_code == 400
    assert scene.come_back().status_code == 400


@forgery("a callback after fifteen minutes")
def _(scene: Scene) -> None:
    scene.pass_time(minutes=15)
    assert scene.call().status_code == 404
    assert scene.come_back().status_code == 400


@forgery("keys of another store")
def _(scene: Scene) -> None:
    with make_store() as other:
        _, key, secret = other.issue_key("read_write")
        assert scene.call(callback_body(scene.ticket, key, secret)).status_code == 200
        assert scene.come_back().status_code == 400


@forgery("a second callback replaces the first, which was wrong")
def _(scene: Scene) -> None:
    assert scene.call(callback_body(scene.ticket, "ck_" + "0" * 40, "cs_" + "0" * 40)).status_code == 200
    assert scene.call().status_code == 400
    assert scene.come_back().status_code == 400


@forgery("a read-only key that says it may write")
def _(scene: Scene) -> None:
    _, key, secret = scene.woo.issue_key("read")
    assert scene.call(callback_body(scene.ticket, key, secret)).status_code == 200
    assert scene.come_back().status_code == 400


# -- the return --------------------------------------------------------------------------------------------------------


@forgery("another browser")
def _(scene: Scene) -> None:
    scene.call()
    assert scene.come_back(scene.visitor()).status_code == 400


@forgery("a browser with a made-up cookie")
def _(scene: Scene) -> None:
    scene.call()
    other = scene.visitor()
    other.set_cookie("__Host-kiitos-connect", "a" * 52, domain="kiitos.test", secure=True)
    assert scene.come_back(other).status_code == 400


@forgery("the ticket as the cookie")
def _(scene: Scene) -> None:
    scene.call()
    other = scene.visitor()
    other.set_cookie("__Host-kiitos-connect", scene.ticket, domain="kiitos.test", secure=True)
    assert scene.come_back(other).status_code == 400


@forgery("the browser of another attempt")
def _(scene: Scene) -> None:
    scene.call()
    neighbour = Scene(scene.kiitos, scene.woo)
    assert scene.come_back(neighbour.browser).status_code == 400


RETURNS = {
    "no query": "",
    "no ticket": "success=1",
    "an empty ticket": "success=1&user_id=",
    "a wrong ticket": "success=1&user_id=" + "a" * 52,
    "the ticket twice": "success=1&user_id={t}&user_id={t}",
    "the ticket under another name": "success=1&state={t}",
    "declined": "success=0&user_id={t}",
    "no success": "user_id={t}",
    "success twice": "success=0&success=1&user_id={t}",
    "success as a word": "success=true&user_id={t}",
    "success with a blank": "success=1%20&user_id={t}",
    "a ticket with a null byte": "success=1&user_id={t}%00",
    "a ticket of a megabyte": "success=1&user_id=" + "a" * 60_000,
}


@pytest.mark.parametrize("name", RETURNS)
def test_a_tampered_return(scene: Scene, name: str) -> None:
    scene.call()
    assert scene.come_back(query=RETURNS[name].format(t=scene.ticket)).status_code == 400
    assert active(scene.kiitos) == NOTHING


@forgery("a return after fifteen minutes")
def _(scene: Scene) -> None:
    scene.call()
    scene.pass_time(minutes=15)
    assert scene.come_back().status_code == 400


@forgery("another platform's return")
def _(scene: Scene) -> None:
    scene.call()
    query = f"success=1&user_id={scene.ticket}&state={scene.ticket}"
    assert scene.browser.get(f"/connect/return/shopify?{query}", base_url=BASE).status_code == 400
    assert scene.browser.get(f"/connect/return/nosuch?{query}", base_url=BASE).status_code == 400


@forgery("the store renames itself meanwhile")
def _(scene: Scene) -> None:
    scene.call()
    scene.woo.home = "https://another.example"
    assert scene.come_back().status_code == 400


@forgery("the invite was used up meanwhile")
def _(scene: Scene) -> None:
    scene.call()
    with scene.kiitos.store.work.transaction() as tx:
        token = scene.invite.rpartition("/")[2]
        assert connecting.use_invite(tx, connecting.digest(token), scene.kiitos.clock.now())
    assert scene.come_back().status_code == 400


@forgery("the keys were revoked between callback and return")
def _(scene: Scene) -> None:
    scene.call()
    del scene.woo.keys[scene.key]
    assert scene.come_back().status_code == 400


@forgery("a declined return is not taken back by a second")
def _(scene: Scene) -> None:
    scene.call()
    assert scene.come_back(query=f"success=0&user_id={scene.ticket}").status_code == 400
    assert scene.come_back().status_code == 400


@forgery("posting to the return and getting the callback")
def _(scene: Scene) -> None:
    path = f"/connect/return/woocommerce?success=1&user_id={scene.ticket}"
    assert scene.browser.post(path, base_url=BASE).status_code == 405
    assert scene.browser.get(urlsplit(scene.sent["callback_url"]).path, base_url=BASE).status_code == 405


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery(scene: Scene, name: str) -> None:
    FORGERIES[name](scene)
    assert active(scene.kiitos) == NOTHING


def test_there_are_at_least_forty() -> None:
    assert len(BODIES) + len(RETURNS) + len(FORGERIES) >= 40


def test_the_same_without_a_forgery_connects(scene: Scene) -> None:
    """The control: were this to fail, everything above would pass for nothing."""
    assert scene.call().status_code == 200
    assert scene.come_back().status_code == 303
    assert active(scene.kiitos) != NOTHING


def test_a_wrong_visitor_does_not_spoil_the_right_one(scene: Scene) -> None:
    scene.call()
    scene.come_back(scene.visitor())
    scene.come_back(query="success=1&user_id=" + "a" * 52)
    assert scene.come_back().status_code == 303


# -- the declared store ------------------------------------------------------------------------------------------------

ADDRESSES = {
    "http": "http://shop.example",
    "this machine": "https://127.0.0.1",
    "this machine in another form": "https://2130706433",
    "localhost": "https://localhost",
    "the metadata service": "https://169.254.169.254",
    "the neighbourhood": "https://192.168.1.1/wp-admin/",
    "IPv6": "https://[::1]",
    "mapped IPv4": "https://[::ffff:10.0.0.1]",
    "a user name": "https://user:word@shop.example",
    "another port": "https://shop.example:6379",
    "a file": "file:///etc/passwd",
    "words": "my shop",
    "nothing": " ",
    "a name that leads inside": "https://inside.example",
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_that_is_not_a_public_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    reached: list[object] = []
    look_up = destinations.resolve

    def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.7"] if host == "inside.example" else look_up(host, port)

    monkeypatch.setattr(destinations, "resolve", resolve)
    monkeypatch.setattr(destinations.sockets, "create_connection", lambda *a, **k: reached.append(a))
    kiitos = make(tmp_path, private_addresses=False)
    invite = urlsplit(Attempts(kiitos).invite("acme", locale="en")).path
    client = create_app(kiitos).test_client()
    for way in ("approve", "keys"):
        values = {"url": ADDRESSES[name], "consumer_key": "ck_12345", "consumer_secret": "cs_12345"}
        answer = client.post(f"{invite}/woocommerce/{way}", data=values, base_url=BASE)
        assert answer.status_code == 422, way
        assert "cs_12345" not in answer.text
    assert reached == []
    assert active(kiitos) == NOTHING
    kiitos.close()


@pytest.mark.parametrize(
    ("moved_to", "said"),
    [("http://localhost:1/wp-json/", "localhost"), ("http://127.0.0.2:1/wp-json/", "127.0.0.2")],
    ids=["another name", "another address"],
)
def test_a_store_that_redirects_to_another_host_is_not_followed_with_keys(
    kiitos: Kiitos, moved_to: str, said: str
) -> None:
    answers = [Response(302, headers=[("Location", moved_to)])]
    server = LoopbackServer(lambda _request: answers[0])
    server.start()
    try:
        values = {"url": server.url, "consumer_key": "ck_12345", "consumer_secret": "cs_12345"}
        invite = urlsplit(Attempts(kiitos).invite("acme", locale="en")).path
        answer = create_app(kiitos).test_client().post(f"{invite}/woocommerce/keys", data=values, base_url=BASE)
    finally:
        server.stop()
    assert answer.status_code == 422
    assert active(kiitos) == NOTHING


def test_the_address_box_never_shows_a_secret_again(kiitos: Kiitos, woo: FakeWoo) -> None:
    scene = Scene(kiitos, woo)
    answer = scene.submit(
        scene.browser, scene.invite, "keys", url=woo.home, consumer_key="ck_wrong1", consumer_secret="cs_wrong1"
    )
    assert answer.status_code == 422
    assert woo.home in answer.text
    assert "wrong1" not in answer.text
    assert "does not accept these keys" in answer.text


# -- the door ----------------------------------------------------------------------------------------------------------


def test_nobody_gets_in_without_an_invite(scene: Scene) -> None:
    visitor = scene.visitor()
    for path in ("/connect", "/connect/" + "a" * 52, "/connect/" + "a" * 52 + "/woocommerce", "/connect/go"):
        assert visitor.get(path, base_url=BASE).status_code == 404, path
    posted = scene.submit(visitor, "/connect/" + "a" * 52, "keys", url=scene.woo.home)
    assert posted.status_code == 404
    assert visitor.get("/connect/result", base_url=BASE).status_code == 404


def test_an_invite_runs_out(scene: Scene) -> None:
    scene.pass_time(days=3)
    assert scene.visitor().get(scene.invite, base_url=BASE).status_code == 404


def test_connecting_can_be_switched_off(tmp_path: Path, woo: FakeWoo) -> None:
    open_one = make(tmp_path)
    path = urlsplit(Attempts(open_one).invite("acme")).path
    open_one.close()
    shut = make(tmp_path, enabled=False)
    client = create_app(shut).test_client()
    assert client.get(path, base_url=BASE).status_code == 404
    shut.close()


def test_the_pass_phrase_opens_one_invite_and_guesses_are_counted(tmp_path: Path) -> None:
    kiitos = make(tmp_path, passphrase={"env": "PASSPHRASE"})
    client = create_app(kiitos).test_client()
    assert client.get("/connect", base_url=BASE).status_code == 200
    for _ in range(5):
        assert client.post("/connect", data={"passphrase": "wrong"}, base_url=BASE).status_code == 403
    right = {"passphrase": "a long enough pass phrase"}
    assert client.post("/connect", data=right, base_url=BASE).status_code == 429
    kiitos.clock.sleep(301)
    opened = client.post("/connect", data=right, base_url=BASE)
    assert opened.status_code == 303
    assert client.get(opened.location, base_url=BASE).status_code in (200, 303)
    kiitos.close()


def test_a_giant_callback_is_cut_off(scene: Scene) -> None:
    answer = scene.call(b"x" * 5_000_000)
    assert answer.status_code == 413
    assert active(scene.kiitos) == NOTHING


def test_pages_carry_the_strict_headers(scene: Scene) -> None:
    page = scene.browser.get(scene.invite + "/woocommerce", base_url=BASE)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "form-action 'self'" in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    cookie = next(
        c
        for c in scene.submit(scene.visitor(), scene.invite, "approve", url=scene.woo.home).headers.getlist(
            "Set-Cookie"
        )
        if "connect" in c
    )
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "__Host-"))


def test_no_secret_reaches_the_log(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    scene.call()
    scene.come_back(query="success=0&user_id=" + scene.ticket)
    text = "".join(capfd.readouterr())
    assert not any(word in text for word in (scene.key, scene.secret, scene.ticket, scene.sent["callback_url"]))


def test_two_returns_at_once_connect_once(scene: Scene) -> None:
    scene.call()
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: scene.come_back(), range(2)))
    assert statuses[0] == 303
    assert len(active(scene.kiitos)["connected"]) == 1
    assert scene.kiitos.generation == 1


def test_the_worker_forgets_keys_nobody_came_back_for(scene: Scene) -> None:
    scene.call()
    worker = Worker(scene.kiitos)
    worker.tick()
    assert len(sealed(scene.kiitos)) == 2
    scene.pass_time(minutes=15)
    worker.tick()
    assert sealed(scene.kiitos) == []
