"""A customer's points page: what it tells, and points exchanged for a code exactly once, or not at all."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connector.app import create_app
from connector.contracts import EffectSkipped
from connector.loyalty import faults, rewards_of
from connector.model import EffectStatus
from connector.store import effects
from connector.testing.fakes.people import BEANS, MUG
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import FLOWS, SHOPIFY, World
from flows.value.exchanging import EXCHANGE
from tests.pages.life import NORA, START, client, link, mails, order_arrives, rows, snapshot
from tests.pages.member import SETTINGS, exchanges, gives, key_of, page_of, usable


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        flows = {name: {"file": name.replace("-", "_")} for name in (*FLOWS, "reward-ready")}
        with World(tmp_path, START, settings={**SETTINGS, "flows": flows}, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", html, flags=re.S).split())


def test_the_page_tells_all_that_somebody_has(world: World) -> None:
    order = order_arrives(world)
    gives(world, 150)
    told = text_of(client(world).get(page_of(world)).text)
    assert "150 Points you can use" in told
    assert "Silver" in told
    assert "Missing to Gold" in told
    assert "First of many" in told
    assert "Orders: 1 of 3" in told
    assert "Pending points Usable from Points March 18, 2026" in told, "delivered on the 2nd, 14 days and two"
    assert "September 18, 2026 150" in told, "what lapses when"
    assert f"Order {order['name']} +" in told
    assert "Adjusted by the shop +150" in told
    assert "Points missing: 4,850" in told
    assert "Pisteitä ei vielä ole" in text_of(client(world).get(page_of(world, "x@example.test", locale="fi")).text)


def test_points_become_a_code(world: World) -> None:
    gives(world, 150)
    visitor, path = client(world), page_of(world)
    after = exchanges(visitor, path, "five")
    assert "Your code is being made" in after.text
    assert usable(world) == 50
    world.wait(minutes=1)
    page = visitor.get(path).text
    code = re.search(r"POINTS-[0-9A-Z]{16}", page)
    assert code is not None
    made = world.shopify.discount_by_code(code[0])
    assert made is not None
    assert (made.amount, made.usage_limit, made.once_per_customer) == (5, 1, True)
    order_arrives(world)
    world.shopify.place_order([(MUG, 1)], NORA, discount_code=code[0])
    world.deliver()
    assert "Used" in visitor.get(path).text
    assert code[0] not in visitor.get(path).text
    five = next(row for row in rewards_of(world.kiitos, SHOPIFY) if row["reward"] == "five")
    assert (five["worth"], five["made"], five["used"], five["unused"]) == ("5 EUR", 1, 1, 0)
    assert faults(world.kiitos, SHOPIFY)[1] == []


@pytest.mark.parametrize(("reward", "kind"), [("delivery", "free"), ("tenth", "percent")])
def test_every_kind_of_benefit(world: World, reward: str, kind: str) -> None:
    gives(world, 100)
    exchanges(client(world), page_of(world), reward)
    world.wait(minutes=1)
    made = next(iter(world.shopify.discounts.values()))
    assert (made.free_delivery, made.percentage is not None) == (kind == "free", kind == "percent")
    assert made.minimum == (20 if reward == "tenth" else None)


def test_the_code_is_mailed_with_the_way_to_the_page(world: World) -> None:
    order_arrives(world)
    gives(world, 150)
    path = page_of(world)
    exchanges(client(world), path, "five")
    world.wait(minutes=2)
    [letter] = [mail for mail in mails(world, NORA) if "Your code is ready" in str(mail["Subject"])]
    code = next(iter(world.shopify.discounts.values())).code
    plain = letter.get_body(("plain",))
    assert plain is not None
    assert code in plain.get_content()
    assert link(world, NORA, "loyalty") == path, "the same page, whichever message led there"


def test_a_double_click_is_one_exchange_and_a_second_wish_another(world: World) -> None:
    gives(world, 250)
    visitor, path = client(world), page_of(world)
    key = key_of(visitor.get(path).text)
    form = {"reward": "five", "key": key}
    assert [visitor.post(path, data=form).status_code for _ in range(3)] == [303] * 3
    assert usable(world) == 150
    assert key_of(visitor.get(path).text) != key
    exchanges(visitor, path, "five")
    assert usable(world) == 50
    assert "not enough points" in visitor.post(path, data={"reward": "five", "key": "x"}, follow_redirects=True).text


def test_fifty_at_once_get_what_can_be_afforded(world: World) -> None:
    """Each with a key of its own, as somebody would who wants more than they have."""
    gives(world, 1000)
    path, app, said = page_of(world), create_app(world.kiitos), []
    barrier = threading.Barrier(50, timeout=120)

    def press(number: int) -> None:
        visitor = app.test_client(use_cookies=False)
        barrier.wait()
        while True:  # a machine under load may say "in a moment": the same wish again is the same wish
            answer = visitor.post(path, data={"reward": "five", "key": f"k{number}"})
            if answer.status_code != 503:
                break
        said.append(answer.location.rpartition("?")[2])

    threads = [threading.Thread(target=press, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["done=1"] * 10 + ["short=1"] * 40
    assert usable(world) == 0
    assert rows(world, f"SELECT COUNT(*) FROM effects WHERE kind = '{EXCHANGE}'") == [(10,)]
    assert faults(world.kiitos, SHOPIFY)[1] == []


def test_what_the_platform_refuses_costs_nothing(world: World) -> None:
    gives(world, 150)
    path, visitor = page_of(world), client(world)
    world.shopify.scopes = tuple(each for each in world.shopify.scopes if "discounts" not in each)
    exchanges(visitor, path, "five")
    assert usable(world) == 50
    world.wait(days=3)
    assert usable(world) == 150
    told = text_of(visitor.get(path).text)
    assert "Points returned" in told
    assert "Returned: Exchanged" in told
    assert world.shopify.discounts == {}
    assert faults(world.kiitos, SHOPIFY)[1] == []


def test_an_unused_code_goes_back_and_a_used_or_an_old_one_does_not(world: World) -> None:
    gives(world, 250)
    path, visitor = page_of(world), client(world)
    for _ in range(2):
        exchanges(visitor, path, "five")
        world.wait(minutes=1)
    first, second = re.findall(r'name="back" value="([^"]+)"', visitor.get(path).text)
    codes = re.findall(r"POINTS-[0-9A-Z]{16}", visitor.get(path).text)
    world.shopify.place_order([(BEANS, 1)], NORA, discount_code=codes[1])
    world.deliver()
    used = visitor.post(path, data={"back": second}, follow_redirects=True)
    assert "cannot go back" in used.text
    for _ in range(2):
        assert "is being taken back" in visitor.post(path, data={"back": first}, follow_redirects=True).text
    world.wait(minutes=1)
    assert usable(world) == 150
    assert "Points returned" in visitor.get(path).text
    exchanges(visitor, path, "five")
    world.wait(days=15)
    assert 'name="back"' not in visitor.get(path).text
    [(newest,)] = rows(world, "SELECT cause FROM vouchers WHERE state = 'issued'")
    late = visitor.post(path, data={"back": newest}, follow_redirects=True)
    assert "cannot go back" in late.text
    assert faults(world.kiitos, SHOPIFY)[1] == []


def test_nobody_takes_what_is_anothers(world: World) -> None:
    gives(world, 150)
    gives(world, 150, "eero@example.test", "other")
    mine, other, visitor = page_of(world), page_of(world, "eero@example.test"), client(world)
    exchanges(visitor, mine, "five")
    world.wait(minutes=1)
    claim = re.findall(r'name="back" value="([^"]+)"', visitor.get(mine).text)[0]
    before = snapshot(world)
    answer = visitor.post(other, data={"back": claim}, follow_redirects=True)
    assert "taken back" not in answer.text
    assert snapshot(world) == before
    key = key_of(visitor.get(mine).text)
    visitor.post(other, data={"reward": "five", "key": key})
    assert (usable(world), usable(world, "eero@example.test")) == (50, 50), "another's key is a key of one's own"
    for nonsense in ({"reward": "nothing", "key": "x"}, {}, {"back": "exchange/five/x"}):
        assert visitor.post(mine, data=nonsense).status_code == 303
    assert usable(world) == 50


def test_a_code_given_up_by_a_person_gives_the_points_back(world: World) -> None:
    gives(world, 150)
    exchanges(client(world), page_of(world), "five")
    with world.kiitos.store.work.transaction() as tx:
        [(effect_id,)] = rows(world, f"SELECT effect_id FROM effects WHERE kind = '{EXCHANGE}'")
        effect = effects.get(tx, SHOPIFY, effect_id)
        assert effect is not None
        effects.settle(tx, SHOPIFY, effect_id, world.clock.now(), EffectStatus.SKIPPED, reason="no")
        world.kiitos.runner.settle(tx, effect, EffectSkipped("no"), world.clock.now())
    assert usable(world) == 150


def test_no_programme_no_page(world: World) -> None:
    catalog = world.kiitos.runner.catalog
    known = catalog.settings(SHOPIFY)
    path = page_of(world)
    with pytest.MonkeyPatch.context() as patch:
        off = replace(known, loyalty=replace(known.loyalty, enabled=False))
        patch.setattr(type(catalog), "settings", lambda _, shop_id: off)
        visitor = client(world)
        assert [visitor.open(path, method=method).status_code for method in ("GET", "POST")] == [404, 404]
