"""The page of an order: what it tells, what it keeps to itself, and that it goes away with its buyer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.config.guides import read_guides
from connector.testing.fakes.people import BEANS, MUG, Article, Buyer
from connector.testing.world import SHOPIFY, World
from tests.pages.life import AINO, NORA, TWO, client, link, order_arrives, snapshot, woo_order_leaves

PRIVATE = ("nora", "lind", "example.test", "keksitty", "helsinki", "00100", "€", "eur", "24.90", "bogus")
ENGRAVED = "Rakkaalle Liisalle"
SNAPSHOT = (
    "Order #1001 · Aurora Outdoor Aurora Outdoor Order #1001 Everything is on its way to you. Your parcel On its way"
    " Follow the parcel with Posti Tracking number: JJFI66100000000000001 In this parcel 1 × Kahvimuki"
    " &#34;Äiti &amp; Isä&#34; 3 dl ☕ 2 × Kahvipapu 250 g What has happened On the way 2 March 2026 12:00"
    " Sent 2 March 2026 10:00 Paid 2 March 2026 10:00 Ordered 2 March 2026 10:00 Help Something wrong, or a question?"
    " Please mention order #1001 . Return something, or complain help@aurora.example"
    " Call +358 9 555 0100 Go to the shop"
)
"""All of the page's words."""
MUG_GUIDE = """
titles = ["*kahvimuki*"]
[en]
name = "Mug"
facts = ["Fired twice."]
steps = ["Rinse it."]
care = ["By hand."]
url = "https://shop.example/mug"
[[en.tips]]
title = "Warm it up"
text = "With hot water."
url = "https://shop.example/tip"
"""


def page(world: World, buyer: Buyer = NORA) -> str:
    answer = client(world).get(link(world, buyer, "order"))
    assert answer.status_code == 200
    return text_of(answer.text)


def text_of(html: str) -> str:
    body = re.sub(r"(?s)<style.*?</style>|<script.*?</script>", "", html)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_it_tells_where_everything_is(world: World) -> None:
    """Two parcels, one under way and one that arrived, and a thing that has not left yet."""
    three: Sequence[tuple[Article, int]] = ((MUG, 3), (BEANS, 1))
    order = world.shopify.place_order(three, NORA)
    world.deliver()
    assert "We are getting your order ready." in page(world)
    assert "Still to come 3 × " in page(world)
    mugs, beans = order["line_items"]
    first = world.shopify.fulfill(order, [(mugs, 2)])
    world.wait(hours=3)
    second = world.shopify.fulfill(order, [(beans, 1)], tracking=("Matkahuolto", "MH1"), url="javascript:alert(1)")
    world.wait(hours=1)
    world.shopify.carrier_event(first, "out_for_delivery")
    world.deliver()
    world.wait(hours=1)
    world.shopify.carrier_event(first, "delivered")
    world.shopify.carrier_event(second, "in_transit", eta=world.clock.now() + timedelta(days=2))
    world.deliver()
    said = page(world)
    assert "A part has arrived; the rest is still to come." in said
    assert "Parcel 1 of 2 Delivered Follow the parcel with Posti" in said
    assert "Parcel 2 of 2 On its way Expected on Wednesday, 4 March 2026 Tracking number: MH1" in said
    assert re.search(r"Still to come 1 × \S+", said)
    story = said[said.index("What has happened") :]
    told = ["On the way (parcel 2)", "Delivered (parcel 1)", "Out for delivery (parcel 1)"]
    told += ["Sent (parcel 2)", "Sent (parcel 1)", "Paid", "Ordered"]
    assert sorted(told, key=story.index)[-1] == "Ordered"
    assert all(word in story for word in told)
    html = client(world).get(link(world, NORA, "order")).text
    assert "https://track.example.test/" in html
    assert "javascript:" not in html


def test_it_names_nobody(world: World) -> None:
    """Promises B1 row 34: no address, no name, no sum, no payment, nothing they typed; nobody keeps or finds it."""
    order = world.shopify.place_order(TWO, NORA)
    order["line_items"][0]["properties"] = [{"name": "Kaiverrus", "value": ENGRAVED}]
    order["note"] = ENGRAVED
    parcel = world.shopify.fulfill(order)
    world.wait(hours=2)
    world.shopify.carrier_event(parcel, "in_transit", message=f"{NORA.city} {NORA.name}")
    world.deliver()
    visitor = client(world)
    answer = visitor.get(link(world, NORA, "order"))
    shown = text_of(answer.text).lower()
    for word in (*PRIVATE, ENGRAVED.lower()):
        assert word not in shown.replace("hello@aurora.example.test", ""), word
    assert text_of(answer.text) == SNAPSHOT, "whatever comes onto this page is looked at by somebody"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_looking_changes_nothing(world: World) -> None:
    order_arrives(world)
    path, visitor = link(world, NORA, "order"), client(world)
    before = snapshot(world)
    for method in ("GET", "HEAD", "POST"):
        assert visitor.open(path, method=method).status_code == (405 if method == "POST" else 200)
    assert snapshot(world) == before


def test_one_page_an_order_in_its_buyers_language(world: World) -> None:
    order_arrives(world, NORA)
    order_arrives(world, AINO)
    woo_order_leaves(world, Buyer(first_name="Eero", last_name="Salo", email="eero@example.test"))
    paths = {link(world, buyer, "order") for buyer in (NORA, AINO)}
    assert len(paths) == 2
    assert "Kaikki on perillä." in page(world, AINO)
    assert "Everything has arrived." in page(world, NORA)
    woo = page(world, Buyer(email="eero@example.test"))
    assert "JJFI65300000000000001" in woo


def test_what_to_do_with_it(world: World, tmp_path: Path) -> None:
    """The merchant's texts about what was bought, in the customer's language, and of nothing else."""
    (tmp_path / "mug.toml").write_text(MUG_GUIDE, encoding="utf-8")
    (tmp_path / "tent.toml").write_text('titles = ["*tent*"]\n[en]\nname = "Tent"\nfacts = ["Dry"]\n', encoding="utf-8")
    faults: list[str] = []
    guides = read_guides(tmp_path, faults)
    assert not faults
    assert len(guides) == 2
    config = world.kiitos.config
    world.kiitos.config = replace(
        config, shops={**config.shops, SHOPIFY: replace(config.shops[SHOPIFY], guides=guides)}
    )
    order_arrives(world)
    said = page(world)
    told = "Mug Good to know Fired twice. How to begin Rinse it. Care By hand. Tips Warm it up : With hot water."
    assert f"What to do with it {told} Read or watch more" in said
    assert "Tent" not in said
    assert "<script>" not in client(world).get(link(world, NORA, "order")).text


def test_cancelled_refunded_and_edited(world: World) -> None:
    order = world.shopify.place_order(TWO, NORA)
    world.deliver()
    world.wait(hours=1)
    assert "2 × Kahvipapu" in page(world)
    world.shopify.refund(order, [(order["line_items"][1], 1)])
    world.deliver()
    assert "1 × Kahvipapu" in page(world)
    assert "A part of the money was returned" in page(world)
    world.wait(hours=1)
    world.shopify.cancel(order)
    world.deliver()
    said = page(world)
    assert "This order was cancelled" in said
    assert "Still to come" not in said
    assert "The money was returned" in said


@pytest.mark.parametrize("how", ["deleted", "forgotten", "switched off", "unknown shop"])
def test_it_is_gone(world: World, how: str) -> None:
    order = order_arrives(world)
    path = link(world, NORA, "order")
    if how == "deleted":
        world.shopify.delete_order(order)
        world.deliver()
    elif how == "forgotten":
        forget(world)
    else:
        leave(world, off=how == "switched off")
    answer = client(world).get(path)
    assert answer.status_code == 404
    assert order["name"].lstrip("#") not in text_of(answer.text)


def forget(world: World) -> None:
    world.shopify.redact_customer(next(iter(world.shopify.customers.values())))
    world.deliver()
    world.wait(days=1)


def leave(world: World, *, off: bool) -> None:
    config = world.kiitos.config
    settings = config.shops[SHOPIFY]
    shops = {name: one for name, one in config.shops.items() if name != SHOPIFY}
    if off:
        shops[SHOPIFY] = replace(settings, growth=replace(settings.growth, order_page=False))
    world.kiitos.config = replace(config, shops=shops)
