"""A message that names products is not sent to somebody who just bought one, sent one back, or cannot have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.model import Effect, EffectStatus, Event, EventKind, LineItem, Money, Product, Ref, Return, ShippedLine
from connector.store import effects
from connector.store.store import Store
from flows.steps.send import Send
from tests.engine.fair_world import SHOPS, START, FairWorld, Wanted, address, without_rendering
from tests.engine.world import facts, order

SHOP = SHOPS[0]
MUG, TENT = "mug", "tent"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FairWorld]:
    store = Store.open("sqlite://:memory:")
    with without_rendering():
        yield FairWorld(tmp_path, store)
    store.close()


def take_in(world: FairWorld, event: Event) -> None:
    with world.store.work.transaction() as tx:
        world.kiitos.runner.ingest(tx, SHOP, [event], world.clock.now())


def buy(world: FairWorld, product: str, days_ago: float, **more: Any) -> None:
    at = START - timedelta(days=days_ago)
    ten = Money.parse("10.00", "EUR")
    line = LineItem(id="l1", product_id=product, title=product, quantity=1, unit_price=ten, total=ten)
    placed = order(id=f"o-{product}", email=address(0), placed_at=at, updated_at=at, lines=(line,), **more)
    take_in(
        world,
        Event(
            kind=EventKind.ORDER_CREATED,
            key=f"order/{product}",
            subject=Ref("order", placed.id),
            at=at,
            order_id=placed.id,
            order=placed,
        ),
    )


def send_back(world: FairWorld, product: str) -> None:
    order_id = f"o-{product}"
    back = Return(
        id="r1", order_id=order_id, raw_status="closed", at=START, lines=(ShippedLine(line_id="l1", quantity=1),)
    )
    take_in(
        world,
        Event(
            kind=EventKind.RETURN_REQUESTED,
            key="return/r1",
            subject=Ref("return", "r1"),
            at=START,
            order_id=order_id,
            return_=back,
        ),
    )


def stock(world: FairWorld, product: str, in_stock: bool | None, *, deleted: bool = False) -> None:
    kind = EventKind.PRODUCT_DELETED if deleted else EventKind.PRODUCT_UPDATED
    told = Product(id=product, title=product, updated_at=START, in_stock=in_stock, deleted=deleted)
    take_in(
        world,
        Event(kind=kind, key=f"product/{kind}", subject=Ref("product", product), at=START, product=told),
    )


def tell(world: FairWorld, *products: str) -> Effect:
    """A message about these products; what became of it."""
    effect_id = world.want(Wanted(START, SHOP, "low", 0))
    with world.store.work.transaction() as tx:
        waiting = effects.get(tx, SHOP, effect_id)
        assert waiting is not None
        tx.script("DELETE FROM effects WHERE effect_id = '" + effect_id + "'")
        effects.put(tx, replace(waiting, request={**waiting.request, "products": list(products)}))
    world.pass_until(START)
    return world.effect(effect_id)


CASES: dict[str, Callable[[FairWorld], None]] = {
    "just_bought": lambda world: buy(world, MUG, 29),
    "returned_product": lambda world: (buy(world, MUG, 200), send_back(world, MUG))[0],
    "out_of_stock": lambda world: stock(world, MUG, in_stock=False),
}


@pytest.mark.parametrize("rule", CASES)
def test_a_product_that_would_annoy_is_not_named(world: FairWorld, rule: str) -> None:
    CASES[rule](world)
    found = tell(world, TENT, MUG)
    assert found.status is EffectStatus.SKIPPED
    assert found.reason.startswith(f"{rule}: ")
    assert found.result["product"] == MUG


def test_a_deleted_product_is_not_to_be_had(world: FairWorld) -> None:
    stock(world, MUG, None)
    stock(world, MUG, None, deleted=True)
    assert tell(world, MUG).reason.startswith("out_of_stock")


def long_ago(world: FairWorld) -> None:
    buy(world, MUG, 31)


def undone(world: FairWorld) -> None:
    buy(world, MUG, 1, cancelled_at=START)


def in_stock(world: FairWorld) -> None:
    stock(world, MUG, in_stock=True)


def unknown(world: FairWorld) -> None:
    stock(world, MUG, None)


@pytest.mark.parametrize("past", [long_ago, undone, in_stock, unknown])
def test_otherwise_it_is(world: FairWorld, past: Callable[[FairWorld], None]) -> None:
    past(world)
    assert tell(world, MUG).status is EffectStatus.SENT


def test_a_message_that_names_none_of_them_goes(world: FairWorld) -> None:
    buy(world, MUG, 1)
    stock(world, MUG, in_stock=False)
    assert tell(world).status is EffectStatus.SENT


def test_a_step_says_what_its_message_is_about() -> None:
    step = Send(template="t", products=("event.product_id", "12345"))
    act = step.start(facts(event={"product_id": MUG}))
    assert act.request["products"] == [MUG, "12345"]  # type: ignore[union-attr]
    assert step.paths() == ["event.product_id"]
    assert "products" not in Send(template="t").start(facts()).request  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="product ids"):
        Send(template="t", products=("",))
