"""The pages of referrals: the friend's, the advocate's own, where a link is asked for, the staff's queue, the board."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from markupsafe import escape

from connector.app import create_app
from connector.model import email_key
from connector.pages.frame import languages, strings
from connector.pages.referral_ask import OF_ONE, address_of
from connector.pages.referral_leaders import token_of
from connector.pages.referral_queue import new_link
from connector.store import entities, referrals
from connector.store.keeping import visits
from connector.store.referrals import ReferralRow
from connector.testing.demo.scenario import MONDAY, MUG, TENT
from connector.testing.fakes.people import Buyer
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from flows.render.locales import direction
from tests.pages.life import client, link, mails, rows, snapshot

AINO = Buyer(first_name="Aino", last_name="Mäkinen", email="aino@example.test", phone="+358401234567")
VAINO = Buyer(first_name="Väinö", last_name="Niemi", email="vaino@example.test", address="Toinen 5", postcode="90100")
ILONA = Buyer(first_name="Ilona", last_name="Laine", email="ilona@example.test", address="Third 7", postcode="20100")
NAMESAKE = Buyer(first_name="A.", last_name="Makinen", email="am@example.test", address="Uusi 1", postcode="33100")
TERMS = {
    "friend": "10 %",
    "minimum": "5 EUR",
    "return_window": "14d",
    "reward": {"kind": "points", "points": 100},
    "leaderboard": True,
}
FLOWS = {name: {"file": name.replace("-", "_")} for name in ("referral-invite", "referral-reward", "referral-link")}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, MONDAY, settings={"flows": FLOWS, "referrals": TERMS}) as made:
            yield made
    except FakeUnavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture
def invited(world: World) -> World:
    """Aino was invited to recommend the shop."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(days=1)
    parcel = world.shopify.fulfill(order)
    world.wait(days=2)
    world.shopify.carrier_event(parcel, "delivered")
    world.until(MONDAY + timedelta(days=23))
    return world


def code_of(world: World) -> str:
    with world.kiitos.store.work.read() as tx:
        code = referrals.code_of(tx, SHOPIFY, "aino@example.test")
    assert code is not None
    return code.code_key


def of(world: World, buyer: Buyer) -> ReferralRow:
    with world.kiitos.store.work.read() as tx:
        orders = entities.orders_of(tx, SHOPIFY, email_key(buyer.email) or "")
        found = [row for order in orders if (row := referrals.by_order(tx, SHOPIFY, order.id))]
    return found[0]


def asking(world: World) -> str:
    return urlsplit(address_of(world.kiitos, SHOPIFY)).path


def test_the_advocates_page_has_the_link_the_code_and_ways_to_share(invited: World) -> None:
    text = client(invited).get(link(invited, AINO, "share")).text
    friend = re.search(r'data-kiitos-copy="(http[^"]+)"', text)
    assert friend is not None
    assert client(invited).get(urlsplit(friend[1]).path).status_code == 200
    assert code_of(invited) in text
    whatsapp = re.search(r'href="(https://wa\.me/\?text=[^"]+)"', text)
    mail = re.search(r'href="(mailto:\?[^"]+)"', text)
    assert whatsapp is not None
    assert mail is not None
    assert friend[1] in parse_qs(urlsplit(whatsapp[1]).query)["text"][0]
    assert "%2Fp%2Ffriend%2F" in mail[1].replace("&amp;", "&")


def test_pages_say_free_delivery(tmp_path: Path) -> None:
    """The friend's and the advocate's, in the advocate's language and never in the setting's own words."""
    terms = {**TERMS, "friend": "free delivery", "reward": {"kind": "code", "worth": "free delivery"}}
    with World(tmp_path, MONDAY, settings={"flows": FLOWS, "referrals": terms}) as world:
        parcel = world.shopify.fulfill(world.shopify.place_order([(MUG, 1)], AINO))
        world.wait(days=2)
        world.shopify.carrier_event(parcel, "delivered")
        world.until(MONDAY + timedelta(days=23))
        share, friend = link(world, AINO, "share"), link(world, AINO, "friend")
        world.shopify.place_order([(TENT, 1)], VAINO, discount_code=code_of(world))
        world.wait(hours=1)
        for path, said in ((share, ("saa ensimmäiseen tilaukseensa ilmaisen toimituksen", "ilmainen toimitus")), (friend, ("Saat ilmaisen toimituksen",))):  # fmt: skip # noqa: E501
            text = client(world).get(path).text
            assert all(word in text for word in said)
            assert "free delivery" not in text
            assert "alennusta" not in text
        for language in languages():
            text, said = client(world).get(f"{asking(world)}?lang={language}").text, strings(language)
            assert escape(said["share.delivery"]) in text, language
            assert ("free delivery" in text) is (language == "en"), language


def test_what_came_of_it_is_told_without_a_name(invited: World) -> None:
    path = link(invited, AINO, "share")
    assert "Ei vielä tilauksia" in client(invited).get(path).text
    order = invited.shopify.place_order([(TENT, 1)], VAINO, discount_code=code_of(invited))
    invited.shopify.place_order([(TENT, 1)], NAMESAKE, discount_code=code_of(invited))
    invited.wait(hours=1)
    text = client(invited).get(path).text
    assert text.count("<strong>Odottaa</strong>") == 2, "what a person looks at waits like everything else"
    for secret in ("Väinö", "Niemi", "vaino@", "Makinen", "similar", order["name"]):
        assert secret not in text.partition("<body>")[2]
    invited.shopify.refund(order, [(order["line_items"][0], 1)])
    invited.wait(days=17)
    assert "Palautettu tai peruttu" in client(invited).get(path).text


def test_looking_changes_nothing_and_pressing_notes_the_visit(invited: World) -> None:
    path, visitor = link(invited, AINO, "friend"), client(invited)
    before = snapshot(invited)
    for page in (path, link(invited, AINO, "share"), asking(invited)):
        assert visitor.get(page).status_code == 200
        assert visitor.head(page).status_code == 200
    assert snapshot(invited) == before
    answer = visitor.post(path)
    assert answer.status_code == 200
    (row,) = rows(invited, "SELECT visit, friend_email_key, place, device FROM referral_visits")
    assert (len(row[0]), row[1], "127.0.0.1" in str(row)) == (32, None, False)
    onward = re.search(r'class="button" href="([^"]+)"', answer.text)
    assert onward is not None
    target = urlsplit(onward[1])
    assert target.path == f"/discount/{code_of(invited)}"
    assert parse_qs(target.query)["redirect"] == [f"/?kiitos_ref={row[0]}"]
    invited.shopify.place_order([(TENT, 1)], VAINO, landing_site=f"{target.path}?{target.query}")
    invited.wait(hours=1)
    assert (of(invited, VAINO).way, of(invited, VAINO).state) == ("landing", "held")
    assert (
        dict(rows(invited, "SELECT visit, order_id FROM referral_visits"))[row[0]] == of(invited, VAINO).friend_order_id
    )


def test_a_friend_who_left_an_address_is_known_on_another_device(invited: World) -> None:
    path, visitor = link(invited, AINO, "friend"), client(invited)
    assert visitor.post(path, data={"email": "no address"}).status_code == 422
    assert visitor.post(path, data={"email": "Vaino+gift@example.test"}).status_code == 200
    invited.wait(days=3)
    invited.shopify.place_order([(TENT, 1)], VAINO)
    invited.shopify.place_order([(TENT, 1)], ILONA)
    invited.wait(hours=1)
    row = of(invited, VAINO)
    assert (row.way, row.state) == ("journey", "held")
    with pytest.raises(IndexError):
        of(invited, ILONA)
    assert mails(invited, VAINO) == [], "we never write to a friend ourselves"
    invited.wait(days=17)
    assert of(invited, VAINO).state == "rewarded"


def test_a_visit_is_good_for_the_window_and_forgotten(invited: World) -> None:
    client(invited).post(link(invited, AINO, "friend"), data={"email": "vaino@example.test"})
    invited.wait(days=31)
    invited.shopify.place_order([(TENT, 1)], VAINO)
    invited.wait(hours=1)
    with pytest.raises(IndexError):
        of(invited, VAINO)
    now = invited.clock.now()
    assert rows(invited, "SELECT COUNT(*) FROM referral_visits WHERE place <> ''") == [(1,)]
    visits(invited.kiitos.store, SHOPIFY, now - timedelta(days=30), now - timedelta(days=90))
    assert rows(invited, "SELECT place, device FROM referral_visits") == [("", "")]
    visits(invited.kiitos.store, SHOPIFY, None, now)
    assert rows(invited, "SELECT COUNT(*) FROM referral_visits") == [(0,)]


def test_a_device_that_served_two_friends_is_looked_at(invited: World) -> None:
    path = link(invited, AINO, "friend")
    shared = create_app(invited.kiitos).test_client()
    for buyer in (VAINO, ILONA):
        answer = shared.post(path, data={"email": str(buyer.email)})
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        invited.shopify.place_order([(TENT, 1)], buyer)
        invited.wait(hours=1)
    assert (of(invited, VAINO).state, of(invited, ILONA).signs) == ("held", ("same_device",))


def test_the_advocates_own_browser_is_no_friends(invited: World) -> None:
    own = create_app(invited.kiitos).test_client()
    own.post(asking(invited), data={"email": "aino@example.test"})
    own.post(link(invited, AINO, "friend"), data={"email": "vaino@example.test"})
    invited.shopify.place_order([(TENT, 1)], VAINO)
    invited.wait(hours=1)
    assert of(invited, VAINO).signs == ("same_device",)


def test_who_asks_is_told_the_same_and_only_customers_are_mailed(invited: World) -> None:
    path, visitor = asking(invited), client(invited)
    known = visitor.post(path, data={"email": "Aino@example.test"})
    unknown = visitor.post(path, data={"email": "nobody@example.test"})
    tidy: Callable[[str], str] = lambda text: re.sub(r'nonce="\w+"', "", text)  # noqa: E731
    assert (known.status_code, tidy(known.text)) == (unknown.status_code, tidy(unknown.text))
    assert known.headers.getlist("Set-Cookie")
    assert len(known.headers["Set-Cookie"]) == len(unknown.headers["Set-Cookie"])
    told = len(mails(invited, AINO))
    invited.wait(hours=1)
    assert len(mails(invited, AINO)) == told + 1
    assert link(invited, AINO, "share")
    assert mails(invited, Buyer(email="nobody@example.test")) == []
    assert visitor.post(path, data={"email": "aino@example.test", "website": "x"}).status_code == 200
    assert visitor.post(path, data={"email": "not one"}).status_code == 422
    invited.wait(hours=1)
    assert len(mails(invited, AINO)) == told + 1, "one mail a day"


def test_a_customer_without_a_code_gets_one_by_asking(world: World) -> None:
    world.shopify.place_order([(MUG, 1)], ILONA)
    world.wait(hours=1)
    client(world).post(asking(world), data={"email": str(ILONA.email)})
    world.wait(hours=1)
    text = client(world).get(link(world, ILONA, "share")).text
    assert re.search(r"FRIEND-[0-9A-Z]{16}", text)
    friend = re.search(r'data-kiitos-copy="(http[^"]+)"', text)
    assert friend is not None
    assert client(world).get(urlsplit(friend[1]).path).status_code == 200


def test_the_page_is_asked_only_so_often(invited: World) -> None:
    visitor, path = client(invited), asking(invited)
    found = [visitor.post(path, data={"email": f"n{number}@example.test"}).status_code for number in range(OF_ONE + 1)]
    assert found == [200] * OF_ONE + [429]


def test_the_queue_is_decided_by_a_named_person_until_the_link_ends(invited: World) -> None:
    invited.shopify.place_order([(TENT, 1)], NAMESAKE, discount_code=code_of(invited))
    invited.wait(hours=1)
    row = of(invited, NAMESAKE)
    path = urlsplit(new_link(invited.kiitos, SHOPIFY, "Maija <b>", timedelta(days=1))).path
    visitor = client(invited)
    text = visitor.get(path).text
    assert "Nearly the same name" in text
    assert "am@example.test" in text
    assert "<b>" not in text
    assert visitor.post(path, data={"referral": row.id, "answer": "maybe"}).status_code == 422
    assert of(invited, NAMESAKE).state == "review"
    assert visitor.post(path, data={"referral": row.id, "answer": "refuse", "note": "same"}).status_code == 200
    decided = of(invited, NAMESAKE)
    assert (decided.state, decided.decided_by, decided.note) == ("refused", "Maija <b>", "same")
    assert visitor.post(path, data={"referral": row.id, "answer": "approve"}).status_code == 409
    assert of(invited, NAMESAKE).state == "refused"
    invited.wait(days=2)
    assert visitor.get(path).status_code == 404
    assert visitor.post(path, data={"referral": row.id, "answer": "approve"}).status_code == 404


def test_the_leaderboard_shows_those_alone_who_said_so(invited: World) -> None:
    invited.shopify.place_order([(TENT, 1)], VAINO, discount_code=code_of(invited))
    invited.wait(days=17)
    board, share, visitor = (
        f"/p/leaders/{token_of(invited.kiitos, SHOPIFY)}",
        link(invited, AINO, "share"),
        client(invited),
    )
    assert "Aino" not in visitor.get(board).text
    assert visitor.post(share, data={"show": "1"}).status_code == 200
    assert "Aino M." in visitor.get(board).text
    assert "Mäkinen" not in visitor.get(board).text
    visitor.post(share)
    assert "Aino" not in visitor.get(board).text


def test_every_page_in_every_language(invited: World) -> None:
    ask, visitor = asking(invited), client(invited)
    for language in languages():
        text = visitor.get(f"{ask}?lang={language}").text
        assert f'<html lang="{language}" dir="{direction(language)}">' in text
        assert "10 %" in text


def test_without_a_table_the_pages_say_what_the_flows_promise(tmp_path: Path) -> None:
    """The visit is noted as ever, and the order known by it; only the leaderboard is the table's alone."""
    invite = {"file": "referral_invite", "params": {"friend_reward": "15 %", "minimum": "20 EUR"}}
    reward = {"file": "referral_reward", "params": {"reward": "7 EUR"}}
    settings: dict[str, Any] = {"flows": {"referral-invite": invite, "referral-reward": reward}}
    with World(tmp_path, MONDAY, settings=settings) as plain:
        parcel = plain.shopify.fulfill(plain.shopify.place_order([(MUG, 1)], AINO))
        plain.wait(days=2)
        plain.shopify.carrier_event(parcel, "delivered")
        plain.until(MONDAY + timedelta(days=23))
        visitor, friend = client(plain), link(plain, AINO, "friend")
        text = visitor.get(friend).text
        assert "15 %" in text
        assert "20 EUR" in text
        assert "7 EUR" in visitor.get(link(plain, AINO, "share")).text
        visitor.post(friend, data={"email": str(VAINO.email)})
        plain.shopify.place_order([(TENT, 1)], VAINO)
        plain.wait(hours=1)
        row = of(plain, VAINO)
        assert (row.way, row.state, row.reward.get("worth")) == ("journey", "held", None)
        assert address_of(plain.kiitos, SHOPIFY) == "", "there is no flow that would answer"
        assert visitor.get(f"/p/leaders/{token_of(plain.kiitos, SHOPIFY)}").status_code == 404


def test_without_a_table_the_link_may_be_asked_for_where_a_flow_answers(tmp_path: Path) -> None:
    with World(tmp_path, MONDAY, settings={"flows": FLOWS}) as plain:
        assert client(plain).get(asking(plain)).status_code == 200
