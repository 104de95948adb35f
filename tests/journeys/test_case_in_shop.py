"""A return that a person approves is opened in the shop: once, looked for after a lost answer, and clear if refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector import app as application
from connector.cli import cli
from connector.store import cases
from connector.store.cases import CaseRow
from connector.testing.fakes.shopify import FakeUnavailable, Trouble
from connector.testing.fakes.shopify.returns import ask_in_shop, tell
from connector.testing.world import SHOPIFY, WOO, World
from flows.care import cases as acting
from flows.care.returning import standing
from tests.journeys.test_case import NORA, SETTINGS, START, asks, desk, page_of, state
from tests.pages.life import AINO, client, order_arrives, rows, subjects, woo_order_leaves


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, START, settings=SETTINGS, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def row_of(world: World, case_id: str, shop: str = SHOPIFY) -> CaseRow:
    with world.kiitos.store.work.read() as tx:
        row = cases.get(tx, shop, case_id)
    assert row is not None
    return row


def stands(world: World, case_id: str, shop: str = SHOPIFY) -> tuple[str, str]:
    row = row_of(world, case_id, shop)
    with world.kiitos.store.work.read() as tx:
        found = standing(tx, row)
    return (found.state, found.told) if found is not None else ("", "")


def decide(world: World, action: str, code: int = 303) -> None:
    assert client(world).post(desk(world), data={"action": action}).status_code == code
    world.deliver()


def acting_on(world: World, case_id: str) -> None:
    with world.kiitos.store.work.transaction() as tx:
        row = cases.get(tx, SHOPIFY, case_id)
        assert row is not None
        assert acting.act(tx, world.kiitos.runner, row, "accept", "kaisa", "", world.clock.now()) is not None
    world.deliver()


def made_in(world: World) -> list[tuple[str, int]]:
    return [(row["status"], sum(line["quantity"] for line in row["lines"])) for row in world.shopify.returns.values()]


def test_an_approved_return_is_open_in_the_shop_once(world: World) -> None:
    order = order_arrives(world)
    world.wait(days=1)
    case_id = asks(world)
    assert (made_in(world), stands(world, case_id)) == ([], ("", "")), "asking is not approving"
    decide(world, "accept")
    assert made_in(world) == [("OPEN", 1)]
    (made,) = world.shopify.returns.values()
    assert (made["lines"][0]["reason"], made["name"]) == ("DEFECTIVE", f"{order['name']}-R1")
    assert case_id in made["lines"][0]["note"]
    assert stands(world, case_id) == ("opened", made["name"])
    assert row_of(world, case_id).platform_id == str(made["id"])
    assert f"Return {made['name']} is open in the shop." in client(world).get(desk(world)).text
    decide(world, "ask_shop", 422)
    tell(world.shopify, made, "returns/approve")
    world.deliver(duplicate=True)
    assert (state(world, case_id), len(subjects(world, NORA))) == ("accepted", len(set(subjects(world, NORA))))
    made["status"] = "CANCELED"
    tell(world.shopify, made, "returns/cancel")
    world.deliver()
    assert state(world, case_id) == "closed"
    assert made_in(world) == [("CANCELED", 1)]


def test_a_lost_answer_leads_to_one_return(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order_arrives(world)
    case_id = asks(world)
    adapter: Any = world.kiitos.registry.platform("shopify")
    mutate, lost = adapter._client.mutate, list[str]()

    def lost_once(access: Any, name: str, variables: Any) -> Any:
        if name == "return_create" and not lost:
            lost.append(name)
            world.shopify.trouble(Trouble(drop=True))
        return mutate(access, name, variables)

    monkeypatch.setattr(adapter._client, "mutate", lost_once)
    decide(world, "accept")
    world.wait(hours=1)
    assert lost
    assert made_in(world) == [("OPEN", 1)]
    assert stands(world, case_id)[0] == "opened"
    assert rows(world, "SELECT tainted FROM effects WHERE kind = 'return'") == [(1,)]


def test_without_the_permission_it_says_so_and_can_be_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_arrives(world)
    case_id = asks(world)
    world.shopify.scopes -= {"write_returns"}
    decide(world, "accept")
    assert any("is approved" in each for each in subjects(world, NORA)), "the customer hears all the same"
    assert (state(world, case_id), made_in(world)) == ("accepted", [])
    assert stands(world, case_id)[0] == "refused"
    shown = client(world).get(desk(world)).text
    assert "add the scope write_returns" in shown
    monkeypatch.setattr(application, "load", lambda *_: world.kiitos)
    monkeypatch.setattr("connector.cli.context.App.whole_config", world.kiitos.config)

    def run(*words: str, code: int = 0) -> str:
        found = CliRunner().invoke(cli, ["cases", *words])
        assert found.exit_code == code, found.output
        return found.output

    assert "in the shop: not opened" in run("show", SHOPIFY, case_id)
    decide(world, "ask_shop")
    assert stands(world, case_id)[0] == "refused", "still"
    world.shopify.scopes |= {"write_returns"}
    assert "the shop is asked" in run("open-return", SHOPIFY, case_id)
    assert "being asked" in run("open-return", SHOPIFY, case_id, code=1)
    world.deliver()
    assert made_in(world) == [("OPEN", 1)]
    assert "in the shop: opened #" in run("show", SHOPIFY, case_id)
    assert "opened" in run("open-return", SHOPIFY, case_id, code=1)


def test_two_cases_of_an_order_have_a_return_each(world: World) -> None:
    order = order_arrives(world)
    first = asks(world)
    beans = order["line_items"][1]
    path = page_of(world)
    sent = client(world).post(path, data={"kind": "return", f"line-{beans['id']}": "2", "reason": "late"})
    second = str(sent.location).rpartition("=")[2]
    assert second != first
    ask_in_shop(world.shopify, order, [(beans, 2)])
    world.deliver()
    assert row_of(world, first).platform_id == "", "the shop's return names pieces of the other case"
    assert row_of(world, second).platform_id != ""
    for case_id in (first, second):
        acting_on(world, case_id)
    assert sorted(made_in(world)) == [("OPEN", 1), ("OPEN", 2)]
    assert len({row_of(world, case_id).platform_id for case_id in (first, second)}) == 2


def test_where_the_platform_has_no_returns_or_the_merchant_wants_none_nothing_is_asked(world: World) -> None:
    order = woo_order_leaves(world, NORA)
    world.wait(hours=3)
    case_id = asks(world)
    decide(world, "accept")
    assert (state(world, case_id, WOO), stands(world, case_id, WOO)) == ("accepted", ("", ""))
    assert rows(world, "SELECT COUNT(*) FROM effects WHERE kind = 'return'") == [(0,)]
    notes = [note["note"] for note in world.woo.notes[int(order["id"])]]
    assert any(f"Kiitos case {case_id} (return): accepted" in note for note in notes)
    order_arrives(world, AINO)
    object.__setattr__(world.kiitos.config.shop(SHOPIFY).returns, "open_in_shop", False)
    case_id = asks(world, AINO)
    acting_on(world, case_id)
    assert (state(world, case_id), made_in(world)) == ("accepted", [])
    assert stands(world, case_id) == ("", "")
