"""Signing up for news: only the owner of an address says yes to it, and a visitor learns nothing about others."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from connector.cli.signup import form_of
from connector.config.settings import ConsentSettings
from connector.errors import ConfigError
from connector.model import Channel, Consent, ConsentState, Purpose
from connector.pages import signup
from connector.store import consents, privacy, suppressions
from connector.testing.fakes.people import MUG, Buyer
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import FLOWS, SHOPIFY, WOO, World
from flows.catalog import Catalog
from flows.people.signing_up import signup_token
from tests.pages.life import START, client, snapshot

OPT_IN = {"opt-in": {"file": "opt_in"}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = {"signup": True, "flows": {**{name: {"file": name.replace("-", "_")} for name in FLOWS}, **OPT_IN}}
    try:
        with World(Path(tmp_path_factory.mktemp("signup")), START, settings=settings, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def nobody_was_here(shop: World) -> None:
    """A day passes between tests, and nobody is counted from the one before."""
    shop.clock.advance(timedelta(days=1))


def path(shop: World) -> str:
    return f"/p/signup/{signup_token(shop.kiitos.salt, SHOPIFY)}"


def form(address: str, **more: str) -> dict[str, str]:
    return {"email": address, "agree": "1", "lang": "en", **more}


def state(shop: World, address: str) -> ConsentState:
    with shop.kiitos.store.work.read() as tx:
        return consents.state(tx, SHOPIFY, address, Channel.EMAIL, Purpose.MARKETING)[0]


def mailed(shop: World, address: str) -> list[str]:
    """The confirmation pages in the mails to this address."""
    shop.worker.drain()
    pages = []
    for message in shop.sink.to(address):
        part = message_from_bytes(message.content, policy=default).get_body(("plain",))  # type: ignore[attr-defined]
        pages += re.findall(r"http://[^/]+(/p/confirm/\w+)", part.get_content())
    return pages


def configured(shop: World, monkeypatch: pytest.MonkeyPatch, wanted: ConsentSettings) -> None:
    config = shop.kiitos.config
    settings = replace(config.shops[SHOPIFY], consenting=wanted)
    monkeypatch.setattr(shop.kiitos, "config", replace(config, shops={**config.shops, SHOPIFY: settings}))


def test_a_yes_is_one_only_when_the_mail_was_opened_and_the_button_pressed(shop: World) -> None:
    visitor = client(shop)
    page = visitor.post(path(shop), data=form("Nora@Example.test")).text
    assert "A message with a link is on its way" in page
    assert state(shop, "nora@example.test") is ConsentState.UNKNOWN
    (confirm,) = mailed(shop, "Nora@Example.test")
    before = snapshot(shop)
    asked = visitor.get(confirm)
    assert "Shall Aurora Outdoor send news and offers to <bdi>n…@example.test</bdi>?" in asked.text
    assert visitor.head(confirm).status_code == 200
    assert snapshot(shop) == before, "whoever follows links confirms nothing"
    assert "Confirmed." in visitor.post(confirm).text
    assert state(shop, "nora@example.test") is ConsentState.GRANTED
    after = snapshot(shop)
    assert "Confirmed." in visitor.post(confirm).text
    assert "Confirmed." in visitor.get(confirm).text
    assert snapshot(shop) == after
    with shop.kiitos.store.work.read() as tx:
        (entry,) = consents.history(tx, SHOPIFY, "nora@example.test")
    assert (entry.source, entry.raw_state) == ("sign-up page, confirmed", "confirmed")
    shown = json.loads(entry.evidence)
    version = hashlib.sha256(shown["text"].encode()).hexdigest()[:12]
    assert shown == {"text": shown["text"], "language": "en", "page": "sign-up page", "version": version}
    assert shown["text"].startswith("Yes, Aurora Outdoor may send me news and offers by e-mail.")


def test_a_known_address_is_answered_like_any_other(shop: World) -> None:
    visitor, address = client(shop), "known@example.test"
    first = visitor.post(path(shop), data=form(address)).text
    (confirm,) = mailed(shop, address)
    visitor.post(confirm)
    shop.clock.advance(timedelta(days=2))

    def without_nonce(text: str) -> str:
        return re.sub(r'nonce="[^"]+"', "", text)

    assert without_nonce(visitor.post(path(shop), data=form(address)).text) == without_nonce(first)
    assert len(mailed(shop, address)) == 1, "who said yes is not asked again"


def test_one_mail_a_day_however_often_a_name_is_typed(shop: World) -> None:
    visitor, address = client(shop), "often@example.test"
    for spelling in (address, address.upper(), f" {address} "):
        assert visitor.post(path(shop), data=form(spelling)).status_code == 200
    assert len(mailed(shop, address)) == 1
    shop.clock.advance(timedelta(days=1))
    visitor.post(path(shop), data=form(address))
    assert len(mailed(shop, address)) == 2


def test_a_stranger_changes_nothing_of_what_somebody_said(shop: World) -> None:
    """Neither a no, nor that buyers who were told at checkout may be asked for a review."""
    address = "buyer@example.test"
    with shop.kiitos.store.work.transaction() as tx:
        suppressions.add(tx, SHOPIFY, address, Channel.EMAIL, "marketing", "unsubscribe", shop.clock.now())
    client(shop).post(path(shop), data=form(address))
    with shop.kiitos.store.work.read() as tx:
        assert consents.history(tx, SHOPIFY, address) == []
        assert [row.scope for row in suppressions.find(tx, SHOPIFY, address, Channel.EMAIL)] == ["marketing"]


def test_a_new_yes_is_about_news_and_leaves_an_earlier_no_to_the_rest(shop: World) -> None:
    visitor, address = client(shop), "back@example.test"
    with shop.kiitos.store.work.transaction() as tx:
        suppressions.add(tx, SHOPIFY, address, Channel.EMAIL, "marketing", "unsubscribe", shop.clock.now())
    visitor.post(path(shop), data=form(address))
    shop.clock.advance(timedelta(minutes=1))
    visitor.post(mailed(shop, address)[0])
    with shop.kiitos.store.work.read() as tx:
        left = {row.scope for row in suppressions.find(tx, SHOPIFY, address, Channel.EMAIL)}
    assert left == {"review", "referral", "loyalty"}
    assert state(shop, address) is ConsentState.GRANTED


def test_an_old_link_takes_back_no_later_no(shop: World) -> None:
    visitor, address = client(shop), "changed@example.test"
    visitor.post(path(shop), data=form(address))
    (confirm,) = mailed(shop, address)
    shop.clock.advance(timedelta(hours=1))
    with shop.kiitos.store.work.transaction() as tx:
        no = Consent(
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=ConsentState.WITHDRAWN,
            raw_state="unsubscribed",
            at=shop.clock.now(),
            source="unsubscribe link",
            address=address,
        )
        consents.record(tx, SHOPIFY, no, shop.clock.now())
    shop.clock.advance(timedelta(hours=1))
    assert visitor.post(confirm).status_code == 404
    assert state(shop, address) is ConsentState.WITHDRAWN


def test_a_confirmation_is_waited_for_a_fortnight(shop: World) -> None:
    visitor, address = client(shop), "late@example.test"
    visitor.post(path(shop), data=form(address))
    (confirm,) = mailed(shop, address)
    shop.clock.advance(timedelta(days=14, minutes=1))
    assert (visitor.get(confirm).status_code, visitor.post(confirm).status_code) == (404, 404)
    assert state(shop, address) is ConsentState.UNKNOWN


@pytest.mark.parametrize(
    "address", ["", "nora", "nora@", "@example.test", "nora@example", "a b@example.test", "x" * 250 + "@example.test"]
)
def test_no_address(shop: World, address: str) -> None:
    answer = client(shop).post(path(shop), data=form(address))
    assert (answer.status_code, "Please write an address" in answer.text) == (422, True)


def test_the_box_must_be_ticked_and_what_was_typed_stays(shop: World) -> None:
    before = snapshot(shop)
    answer = client(shop).post(path(shop), data={"email": "nora2@example.test", "lang": "fi"})
    assert (answer.status_code, "Rastita ruutu" in answer.text) == (422, True)
    assert 'value="nora2@example.test"' in answer.text
    assert snapshot(shop) == before


def test_a_machine_is_thanked_and_forgotten(shop: World) -> None:
    before = snapshot(shop)
    answer = client(shop).post(path(shop), data=form("machine@example.test", website="https://spam.example"))
    assert (answer.status_code, "on its way" in answer.text) == (200, True)
    assert snapshot(shop) == before


def test_too_many_from_one_place_wait(shop: World) -> None:
    visitor = client(shop)
    answers = [visitor.post(path(shop), data=form(f"c{n}@example.test")).status_code for n in range(signup.OF_ONE + 1)]
    assert answers == [200] * signup.OF_ONE + [429]
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert visitor.post(path(shop), data=form("d@example.test"), environ_overrides=elsewhere).status_code == 200


def test_a_shop_that_asks_nobody_to_confirm(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(shop, monkeypatch, ConsentSettings(signup=True, double_opt_in=False, keep_ip=True))
    page = client(shop).post(path(shop), data=form("single@example.test")).text
    assert "You have signed up" in page
    assert (state(shop, "single@example.test"), mailed(shop, "single@example.test")) == (ConsentState.GRANTED, [])
    with shop.kiitos.store.work.read() as tx:
        (entry,) = consents.history(tx, SHOPIFY, "single@example.test")
    ip = json.loads(entry.evidence)["ip"]
    assert re.fullmatch(r"[0-9a-f]{32}", ip)


@pytest.mark.parametrize(
    ("language", "asked"), [("de-AT,de;q=0.8", True), ("fi-FI", False), ("fi,sv-SE;q=0.5", False), ("fi", True)]
)
def test_by_country(shop: World, monkeypatch: pytest.MonkeyPatch, language: str, asked: bool) -> None:
    configured(shop, monkeypatch, ConsentSettings(signup=True, double_opt_in=frozenset({"DE", "AT"})))
    address = f"{abs(hash(language))}@example.test"
    client(shop).post(path(shop), data=form(address), headers={"Accept-Language": language})
    assert (len(mailed(shop, address)) == 1) is asked


def test_who_was_forgotten_may_come_back(shop: World) -> None:
    visitor, address, kiitos = client(shop), "forgotten@example.test", shop.kiitos
    with kiitos.store.work.transaction() as tx:
        key = privacy.key_of(kiitos.salt, SHOPIFY, "email", address)
        privacy.remember_erasure(tx, SHOPIFY, [key], shop.clock.now())
    shop.clock.advance(timedelta(hours=1))
    visitor.post(path(shop), data=form(address))
    shop.clock.advance(timedelta(hours=1))
    visitor.post(mailed(shop, address)[0])
    assert state(shop, address) is ConsentState.GRANTED


def test_a_shop_without_a_page_has_none(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(shop, monkeypatch, ConsentSettings(signup=False))
    visitor = client(shop)
    assert (visitor.get(path(shop)).status_code, visitor.post(path(shop)).status_code) == (404, 404)


def test_a_page_wants_a_flow_that_asks_for_confirmation(shop: World) -> None:
    config = shop.kiitos.config
    bare = replace(config.shops[SHOPIFY], flows=())
    with pytest.raises(ConfigError, match=r"signup: needs a flow .* flows.opt-in = "):
        Catalog(replace(config, shops={SHOPIFY: bare}), shop.kiitos.registry, frozenset())


@pytest.mark.parametrize("language", ["ar", "de", "en", "fi", "ja", "sv"])
def test_in_every_language(shop: World, language: str) -> None:
    page = client(shop).get(f"{path(shop)}?lang={language}").text
    assert f'<html lang="{language}"' in page


# -- the benefit -------------------------------------------------------------------------------------------------------


@pytest.fixture
def giving(tmp_path: Path) -> Iterator[World]:
    """Both shops give ten percent to who signs up and never bought."""
    flows = {
        **OPT_IN,
        "signup-benefit": {"file": "signup_benefit"},
        "order-confirmation": {"file": "order_confirmation"},
    }
    try:
        with World(tmp_path, START, settings={"signup": True, "flows": flows}, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def test_page_and_form_may_promise_free_delivery(tmp_path: Path) -> None:
    flows = {**OPT_IN, "signup-benefit": {"file": "signup_benefit", "params": {"reward": "free delivery"}}}
    with World(tmp_path, START, settings={"signup": True, "flows": flows}, unchecked=True) as made:
        for language, words in (
            ("en", "free delivery of your first"),
            ("fi", "toimitus on ilmainen"),
            ("ar", "المجاني"),
        ):
            text = client(made).get(page_of(made, SHOPIFY), query_string={"lang": language}).text
            assert words in text
            assert words in form_of(made.kiitos, SHOPIFY, language)
            assert language == "en" or "free delivery" not in text


def codes(shop: World, address: str) -> list[str]:
    shop.worker.drain()
    found: list[str] = []
    for message in shop.sink.to(address):
        part = message_from_bytes(message.content, policy=default).get_body(("plain",))  # type: ignore[attr-defined]
        found += re.findall(r"(?i)FIRST-[0-9A-Z]{16}", part.get_content())
    return found


def page_of(world: World, shop_id: str) -> str:
    return f"/p/signup/{signup_token(world.kiitos.salt, shop_id)}"


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
def test_who_confirms_and_never_bought_gets_one_code(giving: World, shop_id: str) -> None:
    visitor, address = client(giving), "new@example.test"
    assert "10 % off your first order" in visitor.get(page_of(giving, shop_id), query_string={"lang": "en"}).text
    visitor.post(page_of(giving, shop_id), data=form(address))
    assert codes(giving, address) == [], "not before the address is confirmed"
    (confirm,) = mailed(giving, address)
    for _ in range(3):
        visitor.post(confirm)
    found = codes(giving, address)
    (code,) = set(found)
    assert len(giving.sink.to(address)) == 2
    if shop_id == SHOPIFY:
        assert [made.code for made in giving.shopify.discounts.values()] == [code]
    else:
        assert giving.woo.coupon_by_code(code) is not None
    giving.clock.advance(timedelta(days=40))
    visitor.post(page_of(giving, shop_id), data=form(address))
    assert set(codes(giving, address)) == {code}


def test_who_has_bought_or_says_no_gets_none_and_hears_the_same(giving: World) -> None:
    """A buyer, and somebody who unsubscribes before the code is made."""
    visitor = client(giving)
    giving.shopify.place_order([(MUG, 1)], Buyer(first_name="Bo", email="bo@example.test"))
    giving.deliver()
    answers = {
        visitor.post(page_of(giving, SHOPIFY), data=form(who)).text for who in ("bo@example.test", "x@example.test")
    }
    assert len({re.sub(r'nonce="[^"]+"', "", text) for text in answers}) == 1
    (confirm,) = mailed(giving, "bo@example.test")
    visitor.post(confirm)
    assert state(giving, "bo@example.test") is ConsentState.GRANTED, "the news they get"
    assert codes(giving, "bo@example.test") == []
    (other,) = mailed(giving, "x@example.test")
    visitor.post(other)
    with giving.kiitos.store.work.transaction() as tx:
        suppressions.add(tx, SHOPIFY, "x@example.test", Channel.EMAIL, "all", "unsubscribe", giving.clock.now())
    assert codes(giving, "x@example.test") == []


def test_where_the_form_stood_is_kept_with_the_yes(giving: World) -> None:
    """The shop's own theme posts the printed form: its fields, its trap, its page."""
    printed = form_of(giving.kiitos, SHOPIFY, "en")
    fields = set(re.findall(r'name="(\w+)"', printed))
    assert fields == {"email", "agree", "lang", signup.TRAP}
    assert "10 % off your first order" in printed
    assert "<script" not in printed
    visitor, address = client(giving), "theme@example.test"
    url = re.search(r'action="http://[^/]+([^"]+)"', printed)
    assert url is not None
    origin = {"Origin": "https://shop.example", "Referer": "https://shop.example/pages/news?utm=1"}
    assert visitor.post(url[1], data=form(address), headers=origin).status_code == 200
    (confirm,) = mailed(giving, address)
    visitor.post(confirm)
    with giving.kiitos.store.work.read() as tx:
        (entry,) = consents.history(tx, SHOPIFY, address)
    assert json.loads(entry.evidence)["page"] == "https://shop.example"
    visitor.post(url[1], data=form("robot@example.test", **{signup.TRAP: "x"}), headers=origin)
    assert mailed(giving, "robot@example.test") == []
