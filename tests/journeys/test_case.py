"""From the request on the page to the money back: staff, mails, advertising, news of the platform; in both shops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector import app as application
from connector.cli import cli
from connector.explaining.explain import explain
from connector.pages.find import find_link
from connector.store import cases, people, preferences
from connector.testing.fakes.people import Buyer
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, WOO, World
from tests.pages.life import (
    NORA,
    START,
    client,
    link,
    links_of,
    mails,
    order_arrives,
    rows,
    snapshot,
    subjects,
    woo_order_leaves,
)

KAISA = Buyer(first_name="Kaisa", last_name="Aalto", email="kaisa@aurora.example")
EVIL = "<script>alert(1)</script> \u202e{{ shop.name }} & \x00broken"
SETTINGS: dict[str, Any] = {
    "flows": {
        "case-updates": {"file": "case_updates"},
        "order-link": {"file": "order_link"},
        "order-confirmation": {"file": "order_confirmation"},
        "delivery-updates": {"file": "delivery_updates"},
        "review-request": {"file": "review_request"},
    },
    "soft_opt_in": ["review"],
    "people": {"support": {"name": "Kaisa", "email": str(KAISA.email)}},
    "returns": {
        "instructions": {"en": "You may return goods within 14 days.\nKeep the <box>."},
        "accepted": {"en": "Send it to Aurora, Esimerkkikatu 1.", "fi": "Lähetä se meille."},
    },
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, START, settings=SETTINGS, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def page_of(world: World, buyer: Buyer = NORA) -> str:
    """The page of returns, from the order's own page, which every mail about it leads to."""
    path = link(world, buyer, "order")
    shown = client(world).get(path).text
    assert f'href="/p/case/{path.rpartition("/")[2]}"' in shown
    return f"/p/case/{path.rpartition('/')[2]}"


def asks(world: World, buyer: Buyer = NORA, **form: str) -> str:
    path = page_of(world, buyer)
    shown = client(world).get(path).text
    name = shown[shown.index('name="line-') + 6 :].partition('"')[0]
    given = {"kind": "return", name: "1", "reason": "damaged", "wish": "refund", "text": EVIL, **form}
    sent = client(world).post(path, data=given)
    assert sent.status_code == 303, sent.text
    world.deliver()
    return str(sent.location).rpartition("=")[2]


def desk(world: World) -> str:
    urls = (url for message in mails(world, KAISA) for url in links_of(message) if "/p/desk/" in url)
    url = next(urls)
    return url[url.index("/p/desk/") :]


def state(world: World, case_id: str, shop: str = SHOPIFY) -> str:
    with world.kiitos.store.work.read() as tx:
        row = cases.get(tx, shop, case_id)
    assert row is not None
    return row.state


def test_a_return_from_the_request_to_the_money(world: World) -> None:
    order = order_arrives(world)
    world.wait(days=1)
    case_id = asks(world)
    assert f"We have your request about order {order['name']}" in subjects(world, NORA)
    shown = client(world).get(page_of(world)).text
    assert "You may return goods within 14 days." in shown
    assert "Keep the &lt;box&gt;." in shown
    assert case_id in shown
    assert "alert(1)" not in shown, "nothing a customer wrote is shown to whoever has the link"
    staff = client(world).get(desk(world)).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ shop.name }} &amp; broken" in staff
    assert "Nora Lind" in staff
    before = snapshot(world)
    client(world).get(desk(world))
    assert snapshot(world) == before, "looking decides nothing"
    assert client(world).post(desk(world), data={"action": "refuse", "text": " "}).status_code == 422
    assert client(world).post(desk(world), data={"action": "accept", "text": "Take your time."}).status_code == 303
    world.deliver()
    assert state(world, case_id) == "accepted"
    (mail,) = [each for each in mails(world, NORA) if "is approved" in str(each["Subject"])]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Send it to Aurora, Esimerkkikatu 1." in body.get_content()
    assert "Take your time." in body.get_content()
    assert client(world).post(desk(world), data={"action": "accept"}).status_code == 422, "not twice"
    client(world).post(desk(world), data={"action": "arrive"})
    world.wait(hours=1)
    world.shopify.refund(order)
    world.deliver(duplicate=True, out_of_order=True)
    assert state(world, case_id) == "refunded"
    assert subjects(world, NORA).count("Your money is on its way back") == 1
    with world.kiitos.store.work.read() as tx:
        story = [(entry.what, entry.by) for entry in cases.story(tx, SHOPIFY, case_id)]
        held = preferences.get(tx, SHOPIFY, "nora.lind@example.test").care_until
    assert story == [
        ("received", ""), ("accepted", "support"), ("arrived", "support"), ("refunded", "the platform"),
    ]  # fmt: skip
    assert held is None
    client(world).post(desk(world), data={"action": "close"})
    world.deliver()
    assert state(world, case_id) == "closed"


def test_an_open_case_keeps_review_requests_away_and_explain_says_so(world: World) -> None:
    order_arrives(world)
    world.wait(days=9)
    case_id = asks(world, kind="complaint")
    world.wait(days=4)
    assert not any("review" in each.lower() for each in subjects(world, NORA))
    told = explain(world.kiitos.store, SHOPIFY, str(NORA.email))
    assert told is not None
    (line,) = [each for each in told.lines if each.what == "effect.skipped"]
    assert "in_care: a return or complaint of the customer is open" in line.text + str(line.detail)
    assert state(world, case_id) == "received"


def test_a_form_sent_twice_is_one_case_and_a_bad_one_is_none(world: World) -> None:
    order_arrives(world)
    first = asks(world)
    assert asks(world) == first
    path, before = page_of(world), snapshot(world)
    for form in ({"kind": "return"}, {"kind": "complaint", "text": " "}, {"kind": "theft", "text": "x"}, {}):
        assert client(world).post(path, data=form).status_code == 422
    assert snapshot(world) == before
    assert client(world).post(f"/p/case/{'a' * 26}", data={"kind": "other", "text": "x"}).status_code == 404
    for number in range(4):
        asks(world, kind="other", text=f"also {number}")
    full = client(world).post(path, data={"kind": "other", "text": "one more"})
    assert full.status_code == 422
    assert "several open requests" in full.text


def test_at_a_shop_of_woocommerce_by_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order = woo_order_leaves(world, NORA)
    world.wait(hours=3)
    case_id = asks(world, kind="complaint", text="Rikki")
    monkeypatch.setattr(application, "load", lambda *_: world.kiitos)
    monkeypatch.setattr("connector.cli.context.load_config", lambda *_, **__: world.kiitos.config)
    monkeypatch.setattr("connector.cli.context.App.whole_config", world.kiitos.config)

    def run(*words: str, code: int = 0) -> str:
        found = CliRunner().invoke(cli, ["cases", *words])
        assert found.exit_code == code, found.output
        return found.output

    assert case_id in run("list", WOO)
    assert '"about": "complaint"' in run("list", "--json")
    shown = run("show", WOO, case_id.lower())
    assert "Rikki" in shown
    assert "can be: accept, arrive, refund, refuse, close" in shown
    assert run("answer", WOO, case_id, "Saisimmeko kuvan?", "--by", "Kaisa") == f"{case_id}: answered by Kaisa\n"
    assert run("refuse", WOO, case_id, "Kulunut", "--by", "Kaisa") == f"{case_id}: refused by Kaisa\n"
    assert "it can be: accept, refund, close" in run("arrive", WOO, case_id, code=1)
    assert "/p/desk/" in run("page", WOO, case_id)
    assert "/p/find/" in run("form", WOO)
    assert "has no case" in run("show", WOO, "NONE", code=1)
    assert run("close", WOO, case_id, "--by", "Kaisa") == f"{case_id}: closed by Kaisa\n"
    assert case_id not in run("list", WOO)
    assert case_id in run("list", WOO, "--all")
    world.deliver()
    texts = [str(body.get_content()) for each in mails(world, NORA) if (body := each.get_body(("plain",)))]
    assert any("Saisimmeko kuvan?" in text for text in texts)
    assert any("Kulunut" in text for text in texts)
    notes = [note["note"] for note in world.woo.notes[int(order["id"])]]
    assert any(f"Kiitos case {case_id} (complaint): received. Rikki" in note for note in notes)
    assert any("refused. Kulunut" in note for note in notes)


def test_who_lost_the_way_is_mailed_it_and_strangers_learn_nothing(world: World) -> None:
    order = order_arrives(world)
    path = find_link(world.kiitos, SHOPIFY).partition("127.0.0.1")[2].partition("/")[2]
    path = f"/{path}"
    number = str(order["name"])
    said = {
        re.sub(r"nonce=\"[^\"]+\"", "", client(world).post(path, data=form).text)
        for form in (
            {"number": number, "email": "nora.lind@example.test"},
            {"number": number, "email": "stranger@example.test"},
            {"number": "#99999", "email": "nora.lind@example.test"},
            {"number": number, "email": "nora.lind@example.test", "website": "x"},
        )
    }
    assert len(said) == 1, "everybody is told the same"
    world.deliver()
    assert [each for each in subjects(world, NORA) if "The way to your order" in each] == [
        f"The way to your order {number}"
    ]
    assert world.sink.to("stranger@example.test") == []
    assert client(world).post(path, data={"number": "", "email": "x"}).status_code == 422
    slow = [client(world).post(path, data={"number": "1", "email": "a@example.test"}).status_code for _ in range(5)]
    assert slow == [200, 200, 200, 429, 429], "an address is asked for three times in ten minutes"
    assert link(world, NORA, "case").startswith("/p/case/")


def test_an_erased_customers_case_is_gone(world: World) -> None:
    order_arrives(world)
    asks(world)
    with world.kiitos.store.work.transaction() as tx:
        person = people.find(tx, SHOPIFY, email="nora.lind@example.test")
        assert {"cases", "case_entries", "care_holds"} <= {
            name for name, found in people.gather(tx, person).items() if found
        }
        people.erase(tx, person, world.clock.new_id, [], "r")
    assert rows(world, "SELECT (SELECT COUNT(*) FROM cases), (SELECT COUNT(*) FROM case_entries)") == [(0, 0)]
    assert rows(world, "SELECT COUNT(*) FROM care_holds") == [(0,)]
