"""Notifications from the sign-up page to the browser that decrypts them, and how they end."""

from __future__ import annotations

import email
import email.policy
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from connector.model import Channel, ConsentState, EffectStatus, Purpose
from connector.pages import push
from connector.pages.push import shop_key
from connector.rehearsal import VOCABULARY
from connector.store import consents, links, push_subscriptions, suppressions
from connector.testing.world import WOO
from flows.channels.webpush import WebPush
from flows.channels.webpush.vapid import Vapid, make_private_key
from flows.render.renderer import Renderer
from flows.render.sources import Sources
from tests.channels.browser import Browser, push_service
from tests.journeys.bare import Door
from tests.journeys.office import Office, office
from tests.journeys.test_channels import ASKING, MAIL, ORDERS

FLOW = ORDERS.replace('"sms", "email"', '"push", "email"')
OFFERS = ASKING.replace('"sms", "email"', '"push"')
PRIVATE = make_private_key()
TABLE = {"private_key": PRIVATE, "subject": "mailto:it@example.com", "private_addresses": True}
TOKEN = "abcdefghjkmnpqrstvwxyz0123"
STATUS = "https://metsa.example/checkout/order-received/1/?key=wc_order_Zx81kPqLm3"


@dataclass
class Person:
    """Somebody with a browser, at the door of a shop."""

    life: Office
    door: Door
    browser: Browser

    def order(self, number: str = "1", **more: Any) -> None:
        events = VOCABULARY["order"](self.life.life, number, self.life.clock.now())
        known = [replace(event, order=replace(event.order, **more)) if event.order else event for event in events]
        with self.life.store.work.transaction() as tx:
            self.life.kiitos.runner.ingest(tx, WOO, known, self.life.clock.now())
        self.life.until(minutes=1)

    def has_link(self) -> str:
        data = {"address": MAIL, "locale": "fi"}
        with self.life.store.work.transaction() as tx:
            links.put(tx, WOO, TOKEN, "push", data, self.life.clock.now())
        return f"/p/push/{TOKEN}"

    def says_yes(self, path: str, *, offers: bool = False, **change: Any) -> int:
        told = {"subscription": {**self.browser.subscription, **change}, "offers": offers}
        return self.door.client.post(path, json=told).status_code

    def browsers(self) -> int:
        with self.life.store.work.read() as tx:
            return len(push_subscriptions.of(tx, self.life.kiitos.vault, WOO, MAIL))


@contextmanager
def person(folder: Path, flow: str = FLOW, **more: Any) -> Iterator[Person]:
    with office(folder, flow, push="texts", **more) as life:
        # The page reads the key where the operator wrote it; the channel itself may reach a loopback service.
        life.kiitos.config.channels["texts"].update({"kind": "webpush", **TABLE})  # type: ignore[attr-defined]
        life.kiitos.use_channel("texts", WebPush.from_settings(TABLE, life.clock))
        door, browser = Door(life.kiitos), Browser()
        try:
            with push_service(browser) as service, pytest.MonkeyPatch.context() as patch:
                # Tests have no public push service: one address is let through, all other rules hold.
                real = push._is_public
                patch.setattr(push, "_is_public", lambda url: url.startswith(service.url) or real(url))
                yield Person(life, door, browser)
        finally:
            door.close()


def test_from_the_page_to_the_browser_and_back_to_mail(tmp_path: Path) -> None:
    with person(tmp_path) as aino:
        aino.order()
        assert [each.recipient for each in aino.life.mails.messages] == [MAIL], "no browser yet"
        assert aino.says_yes(aino.has_link()) == 204
        aino.order("2", status_url=STATUS)
        assert len(aino.life.mails.messages) == 1
        (shown,) = aino.browser.got
        assert "2" in shown["title"] + shown["body"]
        assert shown["url"] == STATUS
        assert (shown["lang"], shown["dir"]) == ("fi", "ltr")
        assert aino.browser.headers[0]["topic"] == shown["tag"]
        assert shown["tag"] != "2"
        aino.browser.status = 410
        aino.order("3")
        assert aino.browsers() == 0
        aino.order("4")
        assert [each.recipient for each in aino.life.mails.messages] == [MAIL] * 2


def test_what_is_kept_of_a_notification_names_no_browser(tmp_path: Path) -> None:
    with person(tmp_path) as aino:
        aino.says_yes(aino.has_link())
        aino.order()
        (effect,) = aino.life.effects().values()
        assert effect.status is EffectStatus.SENT
        assert effect.recipient == MAIL
        kept = str(effect)
    assert aino.browser.base not in kept
    assert aino.browser.subscription["keys"]["auth"] not in kept


def test_a_yes_to_offers_is_a_decision_of_its_own(tmp_path: Path) -> None:
    with person(tmp_path, OFFERS) as aino:
        path = aino.has_link()
        assert aino.says_yes(path) == 204
        aino.order()
        assert aino.browser.got == [], "news of orders is no yes to anything else, whatever the shop may mail unasked"
        assert aino.says_yes(path, offers=True) == 204
        with aino.life.store.work.read() as tx:
            state, row = consents.state(tx, WOO, MAIL, Channel.PUSH, Purpose.MARKETING)
            mail, _ = consents.state(tx, WOO, MAIL, Channel.EMAIL, Purpose.MARKETING)
        assert state is ConsentState.GRANTED
        assert mail is ConsentState.UNKNOWN
        assert row is not None
        assert row.source == "notification page"
        assert "tarjouksista" in row.evidence, "the words she saw"
        aino.order("2")
        assert len(aino.browser.got) == 1
        assert aino.browser.headers[0]["urgency"] == "low"


def test_stopping_forgets_the_browsers_and_is_written_down(tmp_path: Path) -> None:
    with person(tmp_path) as aino:
        path = aino.has_link()
        aino.says_yes(path, offers=True)
        page = aino.door.client.get(path).get_data(as_text=True)
        assert "Lopeta ilmoitukset" in page
        done = aino.door.client.post(path, data={"do": "stop"})
        assert (done.status_code, aino.browsers()) == (200, 0)
        assert "Ilmoituksia ei enää tule" in done.get_data(as_text=True)
        with aino.life.store.work.read() as tx:
            state, _ = consents.state(tx, WOO, MAIL, Channel.PUSH, Purpose.MARKETING)
            (row,) = suppressions.find(tx, WOO, MAIL, Channel.PUSH)
        assert (state, row.reason, row.scope) == (ConsentState.WITHDRAWN, "unsubscribe", "marketing")
        aino.order()
        assert [each.recipient for each in aino.life.mails.messages] == [MAIL]


def test_looking_changes_nothing_and_an_unknown_link_leads_nowhere(tmp_path: Path) -> None:
    with person(tmp_path) as aino:
        path = aino.has_link()
        for method in ("get", "head"):
            assert getattr(aino.door.client, method)(path).status_code == 200
        assert aino.browsers() == 0
        assert aino.door.client.get("/p/push/" + "z" * 26).status_code == 404
        assert aino.says_yes("/p/push/" + "z" * 26) == 404
        assert aino.browsers() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://push.example.com/x"},
        {"endpoint": "https://127.0.0.1/x"},
        {"endpoint": "https://169.254.169.254/latest"},
        {"endpoint": "https://[::1]/x"},
        {"endpoint": "https://user:word@push.example.com/x"},
        {"endpoint": "https://push.example.com:22/x"},
        {"endpoint": "https://push.example.com/" + "x" * 1000},
        {"endpoint": "https://push.example.com/\r\nX: y"},
        {"endpoint": 7},
        {"endpoint": ""},
        {"keys": {"p256dh": "AAAA", "auth": "AAAA"}},
        {"keys": "x"},
        {"keys": {}},
    ],
)
def test_what_is_no_browser_of_the_public_web_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with person(tmp_path) as aino:
        assert aino.says_yes(aino.has_link(), **change) == 400
        assert aino.browsers() == 0


def test_the_merchants_line_leads_the_buyer_and_nobody_else(tmp_path: Path) -> None:
    with person(tmp_path) as aino:
        aino.order("1", status_url=STATUS)
        key = shop_key(aino.life.kiitos.salt, WOO)
        with aino.life.store.work.read() as tx:
            order_id = tx._cursor.execute("SELECT order_id FROM orders").fetchone()[0]
        path = f"/p/push/order/{key}/{order_id}"
        right = "https://metsa.example/kassa/order-received/1/?key=wc_order_Zx81kPqLm3&utm=1"
        assert aino.door.client.get(path, query_string={"from": right}).status_code == 200
        for wrong in (
            "",
            "https://metsa.example/checkout/order-received/1/",
            STATUS[:-1],
            "https://metsa.example/checkout",
        ):
            assert aino.door.client.get(path, query_string={"from": wrong}).status_code == 404
        assert aino.door.client.get(path.replace(key, key[::-1]), query_string={"from": right}).status_code == 404
        told = {"subscription": aino.browser.subscription, "offers": False}
        assert aino.door.client.post(path, json=told, query_string={"from": STATUS[:-1]}).status_code == 404
        assert aino.browsers() == 0
        assert aino.door.client.post(path, json=told, query_string={"from": right}).status_code == 204
        assert aino.browsers() == 1


def test_the_page_allows_its_own_script_and_no_other(tmp_path: Path) -> None:
    with person(tmp_path) as aino:
        answer = aino.door.client.get(aino.has_link())
        policy, body = answer.headers["Content-Security-Policy"], answer.get_data(as_text=True)
        nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
        assert nonce is not None
        assert f'<script nonce="{nonce[1]}">' in body
        assert body.count("<script") == 1
        assert "worker-src 'self'" in policy
        assert f'data-key="{Vapid(PRIVATE).public_key}"' in body
        assert PRIVATE not in body
        other = aino.door.client.get("/p/unsubscribe/" + "z" * 26)
        assert "script-src" not in other.headers["Content-Security-Policy"]
        for name in ("worker", "snippet"):
            script = aino.door.client.get(f"/p/push/{name}.js")
            assert script.status_code == 200
            assert script.headers["Content-Type"].startswith("text/javascript")


def test_a_template_that_asks_for_it_gets_the_personal_link(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    shutil.copytree(Sources().directory, folder)
    file = folder / "order_confirmation.mjml.liquid"
    line = '<mj-text><p><a href="{{ links.push }}">{{ links.push }}</a></p></mj-text>'
    file.write_text(file.read_text("utf-8").replace("{% include 'shared/lines' %}", line), "utf-8")
    with person(tmp_path) as aino:
        aino.life.kiitos.renderer = Renderer(folder)
        aino.life.kiitos.__dict__.pop("outbox", None)
        aino.order()
        (mail,) = aino.life.mails.messages
        body = email.message_from_bytes(mail.content, policy=email.policy.default).get_body(("html",))
        assert body is not None
        found = re.search(r"/p/push/([0-9a-z]{16,})", body.get_content())
        assert found is not None
        assert aino.door.client.get(f"/p/push/{found[1]}").status_code == 200
