"""`tag_order` and `note_order`: what the shop's people see on the order, once, also when the worker died in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.contracts import Access, WritesOrders
from connector.model import EffectStatus
from connector.store import effects
from connector.testing.demo.scenario import JAM, LIISA
from connector.testing.fakes.people import AINO, MUG
from connector.testing.world import SHOPIFY, WOO, World
from connector.worker import Worker
from tests.journeys.conftest import Worlds

FLOW = """
id = "welcome-desk"
title = "Mark the order for the packers"
trigger = "order.paid"
purpose = "transactional"
subject = "order"
reentry = "once"

[[steps]]
id = "tag"
do = "tag_order"
tag = "kiitos-thanked"

[[steps]]
id = "note"
do = "note_order"
note = "Kiitos has thanked the customer <by mail> & put a card aside."
when = ["steps.tag.outcome == 'done'"]
"""


class Crash(BaseException):
    """The process is gone after the call and before anybody wrote down that it was made."""


@pytest.fixture
def world(worlds: Worlds, tmp_path: Path) -> World:
    file = tmp_path / "welcome_desk.toml"
    file.write_text(FLOW, "utf-8")
    return worlds(flows={"welcome-desk": {"file": str(file)}})


def shopify_order(world: World) -> str:
    return str(world.shopify.place_order([(MUG, 1)], AINO)["id"])


def woo_order(world: World) -> str:
    return str(world.woo.place_order([(JAM, 1)], LIISA)["id"])


def shopify_marks(world: World, order_id: str) -> tuple[list[str], str]:
    row = world.shopify.orders[int(order_id)]
    tags = row["tags"]
    return ([tag.strip() for tag in tags.split(",") if tag.strip()] if isinstance(tags, str) else list(tags)), str(
        row["note"] or ""
    )


def woo_marks(world: World, order_id: str) -> tuple[list[str], str]:
    meta = {entry["key"]: entry["value"] for entry in world.woo.orders[int(order_id)]["meta_data"]}
    notes = [note["note"] for note in world.woo.notes[int(order_id)]]
    return list(meta.get("_kiitos_tags", [])), "\n".join(text for text in notes if "[kiitos" in text)


PLACES = pytest.mark.parametrize(
    ("shop_id", "place", "marks"),
    [(SHOPIFY, shopify_order, shopify_marks), (WOO, woo_order, woo_marks)],
    ids=["shopify", "woocommerce"],
)


def once(found: tuple[list[str], str]) -> bool:
    tags, note = found
    return tags.count("kiitos-thanked") == 1 and note.count("has thanked the customer") == 1


@PLACES
def test_the_order_is_marked_once(world: World, shop_id: str, place: Any, marks: Any) -> None:
    order_id = place(world)
    world.deliver()
    world.wait(hours=1)
    assert once(marks(world, order_id)), marks(world, order_id)
    with world.kiitos.store.work.read() as tx:
        found = effects.of_order(tx, shop_id, order_id)
    assert {effect.step_id: effect.status for effect in found} == dict.fromkeys(("tag", "note"), EffectStatus.SENT)


@PLACES
@pytest.mark.parametrize("call", ["add_tag", "add_note"])
def test_a_worker_that_dies_after_the_call_marks_nothing_twice(
    world: World, shop_id: str, place: Any, marks: Any, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = world.kiitos.registry.platform("shopify" if shop_id == SHOPIFY else "woocommerce")
    assert isinstance(adapter, WritesOrders)
    real, calls = getattr(adapter, call), []

    def dies_after_the_first(access: Access, *given: Any, **named: Any) -> None:
        real(access, *given, **named)
        calls.append(given)
        if len(calls) == 1:
            raise Crash

    monkeypatch.setattr(adapter, call, dies_after_the_first, raising=False)
    order_id = place(world)
    with pytest.raises(Crash):
        world.deliver()
    world.worker = Worker(world.kiitos)
    world.wait(hours=1)
    assert len(calls) == 2, "nobody could know whether the first had worked, so it was made again"
    assert once(marks(world, order_id)), marks(world, order_id)


@PLACES
def test_a_note_that_does_not_look_first_would_be_there_twice(
    world: World, shop_id: str, place: Any, marks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same death, and an adapter that gives each attempt another key."""
    adapter = world.kiitos.registry.platform("shopify" if shop_id == SHOPIFY else "woocommerce")
    assert isinstance(adapter, WritesOrders)
    real, calls = adapter.add_note, []

    def forgetful(access: Access, order: str, note: str, *, key: str) -> None:
        calls.append(key)
        real(access, order, note, key=f"{key}/{len(calls)}")
        if len(calls) == 1:
            raise Crash

    monkeypatch.setattr(adapter, "add_note", forgetful, raising=False)
    order_id = place(world)
    with pytest.raises(Crash):
        world.deliver()
    world.worker = Worker(world.kiitos)
    world.wait(hours=1)
    assert not once(marks(world, order_id))
