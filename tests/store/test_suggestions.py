"""Recommendations in the whole product: counted from a shop's orders, shown in a message, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.model import (
    Buyer,
    Channel,
    Consent,
    ConsentState,
    Customer,
    Event,
    EventKind,
    LineItem,
    Money,
    Order,
    Product,
    Purpose,
    Ref,
)
from connector.store import Store, consents, entities, suppressions
from connector.store.db import Tx
from flows.facts import Facts
from flows.goods.suggestions import suggest
from flows.knowing.acquaintance import Acquaintance
from tests.store.trade import SHOP, Trade

COUNTING = {"best": {"when": ["customer.lifetime.rfm == 'champion'"]}}


def lines(*products: str, back: Sequence[str] = ()) -> tuple[LineItem, ...]:
    price = Money(Decimal(10), "EUR")
    return tuple(
        LineItem(
            id=product, title=product, quantity=1, unit_price=price, total=price, product_id=product,
            current_quantity=0 if product in back else 1,
        )
        for product in products
    )  # fmt: skip


def sold(shop: Trade, *products: str, **more: Any) -> None:
    for name in products:
        known = Product(id=name, title=name, url=f"https://acme.example/{name}", raw_status="active", **more)
        subject = Ref("product", name)
        key = f"product/{name}/{more}"
        shop.take_in(
            Event(kind=EventKind.PRODUCT_UPDATED, key=key, subject=subject, at=shop.clock.now(), product=known)
        )


def counted(store: Store, folder: Path) -> Trade:
    """A shop in which cups go with trays and spoons, and a hundred buy something else."""
    shop = Trade(store, folder, COUNTING)
    sold(shop, "cup", "tray", "spoon", "lamp", "pot")
    for number in range(8):
        shop.order(f"a{number}@example.test", lines=lines("cup", "tray"))
        shop.order(f"b{number}@example.test", lines=lines("cup", "spoon") if number < 4 else lines("lamp"))
        shop.order(f"c{number}@example.test", lines=lines("pot"))
    shop.live(timedelta(days=1))
    return shop


def suggested(shop: Trade, order: Order, **how: bool) -> list[str]:
    with shop.store.work.read() as tx:
        return [product.id for product in suggest(tx, facts_of(tx, shop, order), **how)]


def facts_of(tx: Tx, shop: Trade, order: Order) -> Facts:
    the_shop, now = shop.kiitos.config.shop(SHOP).shop, shop.clock.now()
    known = Acquaintance(tx, the_shop, Buyer(str(order.email)), now)
    return Facts(now=now, shop=the_shop, order=order, background=known)


def test_what_others_bought_with_it(store: Store, tmp_path: Path) -> None:
    shop = counted(store, tmp_path)
    assert suggested(shop, shop.order("new@example.test", lines=lines("cup"))) == ["tray", "spoon"]
    assert suggested(shop, shop.order("other@example.test", lines=lines("pot"))) == [], "pots go with nothing"


def test_never_what_they_had_nor_what_they_sent_back(store: Store, tmp_path: Path) -> None:
    shop = counted(store, tmp_path)
    shop.order("new@example.test", lines=lines("tray", back=["tray"]))
    assert suggested(shop, shop.order("new@example.test", lines=lines("cup"))) == ["spoon"]
    assert suggested(shop, shop.order("back@example.test", lines=lines("cup", "pot", back=["cup"]))) == []


def test_never_what_is_not_sold(store: Store, tmp_path: Path) -> None:
    shop = counted(store, tmp_path)
    shop.clock.advance(timedelta(hours=1))
    gone = Event(kind=EventKind.PRODUCT_DELETED, key="gone", subject=Ref("product", "tray"), at=shop.clock.now())
    with shop.store.work.transaction() as tx:
        entities.apply(tx, SHOP, gone, shop.clock.now())
    assert suggested(shop, shop.order("new@example.test", lines=lines("cup"))) == ["spoon"]


def test_before_anything_is_counted_nothing_is_recommended(store: Store, tmp_path: Path) -> None:
    shop = Trade(store, tmp_path, {})
    sold(shop, "cup", "tray")
    assert suggested(shop, shop.order("new@example.test", lines=lines("cup"))) == []


def test_nothing_is_worked_out_for_who_objects(store: Store, tmp_path: Path) -> None:
    """A tag, an unsubscription and a withdrawn consent; each by itself, and nobody else's."""
    shop = counted(store, tmp_path)
    bought = {name: shop.order(f"{name}@example.test", lines=lines("cup")) for name in ("tag", "stop", "said", "other")}
    now = shop.clock.now()
    with store.work.transaction() as tx:
        suppressions.add(tx, SHOP, "stop@example.test", Channel.EMAIL, "marketing", "unsubscribe", now)
        withdrawn = Consent(
            channel=Channel.EMAIL, purpose=Purpose.MARKETING, state=ConsentState.WITHDRAWN, raw_state="no", at=now,
            source="form", address="said@example.test",
        )  # fmt: skip
        consents.record(tx, SHOP, withdrawn, now)
    bought["tag"] = shop.tell(
        bought["tag"], customer=Customer(id="c1", email="tag@example.test", tags=("No-Profiling",))
    )
    assert [name for name, order in bought.items() if suggested(shop, order)] == ["other"]


def test_what_runs_out_comes_again_when_it_is_about_to(store: Store, tmp_path: Path) -> None:
    shop = Trade(store, tmp_path, COUNTING)
    sold(shop, "press", "cup", "lamp")
    sold(shop, "beans", tags=("consumable",))
    for number in range(12):
        shop.order(f"a{number}@example.test", lines=lines("press", "beans"))
        shop.order(f"b{number}@example.test", lines=lines("lamp"))
    shop.live(timedelta(days=10))
    for number in range(12):
        shop.order(f"a{number}@example.test", lines=lines("beans"))
    shop.live(timedelta(days=35))
    last = shop.order("new@example.test", lines=lines("press", "beans"))
    assert suggested(shop, last) == [], "theirs is full"
    shop.live(timedelta(days=35 + 6))
    assert suggested(shop, last) == []
    shop.live(timedelta(days=35 + 9))
    assert suggested(shop, last) == ["beans"]
    sold(shop, "beans")  # not a consumable any more
    assert suggested(shop, last) == []


def test_best_sellers_of_the_same_kind_only_where_they_are_asked_for(store: Store, tmp_path: Path) -> None:
    shop = counted(store, tmp_path)
    sold(shop, "pot", "lamp", product_type="kitchen")
    last = shop.order("other@example.test", lines=lines("pot"))
    assert suggested(shop, last) == []
    assert suggested(shop, last, best_sellers=True) == ["lamp"], "cups sell better, and are of another kind"


def test_the_guard_counts_only_what_can_be_had(store: Store, tmp_path: Path) -> None:
    """A message about recommendations with none in it must not go."""
    shop = counted(store, tmp_path)
    last = shop.order("new@example.test", lines=lines("cup"))

    def count() -> int:
        with store.work.read() as tx:
            return int(facts_of(tx, shop, last).get("customer.recommendations"))

    assert count() == 2
    shop.clock.advance(timedelta(hours=1))
    sold(shop, "tray", "spoon", in_stock=False)
    assert (count(), suggested(shop, last)) == (0, [])
