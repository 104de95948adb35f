"""The review form: what was typed is kept, once, and nothing else."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.pages import MAX_BODY
from connector.store.reviews import ReviewRow, of_order
from connector.testing.fakes.people import BEANS, MUG, Buyer
from connector.testing.world import SHOPIFY, WOO, World
from flows.runner import RunMoved
from tests.pages.life import (
    AINO,
    GIFT,
    NORA,
    START,
    TWO,
    asked,
    client,
    link,
    mails,
    order_arrives,
    rows,
    snapshot,
    subjects,
    woo_order_leaves,
)


def stored(world: World, shop_id: str = SHOPIFY) -> list[ReviewRow]:
    with world.kiitos.store.work.read() as tx:
        orders = tx.all("review_of_order", shop_id=shop_id, order_id=newest_order(world, shop_id))
        return of_order(tx, shop_id, newest_order(world, shop_id)) if orders else []


def newest_order(world: World, shop_id: str = SHOPIFY) -> str:
    return str(rows(world, f"SELECT order_id FROM orders WHERE shop_id = '{shop_id}' ORDER BY order_id DESC")[0][0])


def products(world: World) -> list[str]:
    """Product ids of the newest Aurora order, in the order of its lines."""
    return [str(line["product_id"]) for line in list(world.shopify.orders.values())[-1]["line_items"]]


def test_from_the_stars_in_the_mail_to_the_thanks(world: World) -> None:
    path, visitor = asked(world), client(world)
    mug, beans = products(world)
    form = visitor.get(f"{path}?rating=4").text
    assert f'name="rating-{mug}" value="4" checked' in form
    assert f'name="rating-{beans}" value="0" checked' in form
    assert rows(world, "SELECT count(*) FROM reviews") == [(0,)], "looking is not sending"
    sent = visitor.post(
        path,
        data={f"rating-{mug}": "4", f"text-{mug}": "Sturdy.\r\nPretty.", f"rating-{beans}": "0", "author": "N. L."},
    )
    assert sent.status_code == 303
    assert sent.location == f"{path}?done=1"
    assert "Your review has been saved" in visitor.get(sent.location).text
    (review,) = stored(world)
    assert (review.product_id, review.rating, review.text, review.author) == (mug, 4, "Sturdy.\nPretty.", "N. L.")
    assert review.email_key == "nora.lind@example.test"
    before = len(mails(world, NORA))
    world.deliver()
    (shown,) = world.shopify.metaobjects.values()
    assert '"value": "4.0"' in shown["fields"]["rating"], "it is in the shop now"
    assert len(mails(world, NORA)) == before + 1, subjects(world, NORA)
    world.wait(days=14)
    assert all("reminder" not in str(row) for row in rows(world, "SELECT step_id FROM effects WHERE status = 'sent'"))


def test_each_product_is_rated_once_and_leaves_the_others_open(world: World) -> None:
    path, visitor = asked(world), client(world)
    mug, beans = products(world)
    visitor.post(path, data={f"rating-{mug}": "5"})
    world.deliver()
    form = visitor.get(f"{path}?rating=3").text
    assert (f"rating-{mug}" in form, f'name="rating-{beans}" value="3" checked' in form) == (False, True)
    assert visitor.post(path, data={f"rating-{mug}": "1", f"rating-{beans}": "2"}).status_code == 303
    assert [(review.product_id, review.rating) for review in stored(world)] == [(mug, 5), (beans, 2)]
    mails_before = len(mails(world, NORA))
    world.deliver()
    shown = [row["fields"]["rating"] for row in world.shopify.metaobjects.values() if "body" in row["fields"]]
    assert sorted('"value": "5.0"' in rating for rating in shown) == [False, True], "both are in the shop"
    assert len(mails(world, NORA)) == mails_before, "thanked once for the order"
    assert "You have reviewed this order already" in visitor.get(path).text


def test_a_review_after_the_flow_gave_up_is_published(world: World) -> None:
    path, visitor = asked(world), client(world)
    mug, _ = products(world)
    world.wait(days=30)
    assert rows(world, "SELECT status FROM runs WHERE flow_id = 'review-request'") == [("exited",)]
    assert visitor.post(path, data={f"rating-{mug}": "4"}).status_code == 303
    world.deliver()
    shown = [row for row in world.shopify.metaobjects.values() if "body" in row["fields"]]
    assert len(shown) == 1
    assert [review.platform_id != "" for review in stored(world)] == [True]
    world.wait(days=3)
    assert len([row for row in world.shopify.metaobjects.values() if "body" in row["fields"]]) == 1


def test_a_shop_that_publishes_nothing_publishes_nothing_late(tmp_path: Path) -> None:
    flows = {"review-request": {"file": "review_request", "remove": ["publish"]}}
    with World(tmp_path, START, settings={"flows": flows}, unchecked=True) as world:
        path, visitor = asked(world), client(world)
        mug, _ = products(world)
        world.wait(days=30)
        visitor.post(path, data={f"rating-{mug}": "4"})
        world.deliver()
        assert (len(stored(world)), len(world.shopify.metaobjects)) == (1, 0)


def test_a_second_review_is_refused_kindly(world: World) -> None:
    path, visitor = asked(world), client(world)
    mug, beans = products(world)
    visitor.post(path, data={f"rating-{mug}": "5", f"rating-{beans}": "4"})
    before = snapshot(world)
    again = visitor.post(path, data={f"rating-{mug}": "1", f"rating-{beans}": "1"})
    assert (again.status_code, "You have reviewed this order already" in again.text) == (200, True)
    assert "You have reviewed this order already" in visitor.get(path).text
    assert snapshot(world) == before


def test_fifty_at_once_are_one(world: World) -> None:
    path = asked(world)
    mug, beans = products(world)
    data = {f"rating-{mug}": "5", f"rating-{beans}": "3", f"text-{mug}": "Good"}

    def post(_: int) -> int:
        return requests.post(world.serving.url + path, data=data, timeout=60, allow_redirects=False).status_code

    with ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(post, range(50)))
    assert sorted(codes) == [200] * 49 + [303]
    assert len(stored(world)) == 2
    assert rows(world, "SELECT count(*) FROM events WHERE kind = 'review.submitted'") == [(1,)]
    before = len(mails(world, NORA))
    world.deliver()
    assert len(mails(world, NORA)) == before + 1


def test_no_stars_at_all(world: World) -> None:
    path = asked(world)
    answer = client(world).post(path, data={"author": "Nora L."})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'value="Nora L."' in answer.text
    assert stored(world) == []


def test_words_without_stars_are_asked_about_and_kept(world: World) -> None:
    path = asked(world)
    mug, beans = products(world)
    data = {f"rating-{beans}": "5", f"text-{mug}": "Lovely handle"}
    answer = client(world).post(path, data=data)
    assert answer.status_code == 422
    assert "gave no stars yet: Kahvimuki" in answer.text
    assert "Lovely handle" in answer.text
    assert f'name="rating-{beans}" value="5" checked' in answer.text
    assert stored(world) == []


@pytest.mark.parametrize("rating", ["0", "6", "-1", "5.0", "５", "", "on", "1e0"])
def test_stars_are_one_to_five(world: World, rating: str) -> None:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    assert client(world).post(path, data={f"rating-{mug}": rating}).status_code == 422
    assert " checked" not in client(world).get(path, query_string={"rating": rating}).text


def test_what_is_typed_is_capped_and_cleaned(world: World) -> None:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    text = "Hyvä\x00 \u202emuki\r\n 👩‍🌾 　1\xa0000 €" + "x" * 5000
    client(world).post(path, data={f"rating-{mug}": "5", f"text-{mug}": text, "author": "A\x00\n\t" + "b" * 100})
    (review,) = stored(world)
    assert review.text.startswith("Hyvä muki\n 👩‍🌾 　1\xa0000 €xxx")
    assert len(review.text) == 4000
    assert review.author == "A " + "b" * 77


def test_line_breaks_count_once_as_in_the_browser(world: World) -> None:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    text = "ab\r\n" * 1333 + "c"  # 4000 characters for maxlength, which counts a break as one
    client(world).post(path, data={f"rating-{mug}": "5", f"text-{mug}": text})
    assert stored(world)[0].text.endswith("\nc")


def test_an_empty_name_becomes_the_first_name(world: World) -> None:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    client(world).post(path, data={f"rating-{mug}": "5", "author": " \t "})
    assert stored(world)[0].author == "Nora"


def test_a_body_too_long_is_refused(world: World) -> None:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    answer = client(world).post(path, data={f"rating-{mug}": "5", f"text-{mug}": "x" * MAX_BODY})
    assert answer.status_code == 413
    assert "<h1>" in answer.text
    assert stored(world) == []


def test_the_longest_honest_form_passes(world: World) -> None:
    path = asked(world)
    data = {f"rating-{key}": "5" for key in products(world)} | {f"text-{key}": "👩" * 4000 for key in products(world)}
    assert client(world).post(path, data=data).status_code == 303


def test_other_peoples_products_are_not_reviewed(world: World) -> None:
    path = asked(world, lines=((MUG, 1),))
    assert client(world).post(path, data={"rating-999": "1", "text-999": "bad"}).status_code == 422
    assert rows(world, "SELECT count(*) FROM reviews") == [(0,)]


def test_gift_cards_and_lines_without_a_product_are_left_out(world: World) -> None:
    order = world.shopify.place_order([(MUG, 1), (GIFT, 1), (BEANS, 1)], NORA)
    order["line_items"][2]["product_id"] = None
    parcel = world.shopify.fulfill(order)
    world.wait(hours=1)
    world.shopify.carrier_event(parcel, "delivered")
    world.wait(days=11)
    form = client(world).get(link(world, NORA, "review")).text
    mug, gift, _ = products(world)
    assert f"rating-{mug}" in form
    assert f"rating-{gift}" not in form
    assert form.count("<fieldset") == 1


def test_nothing_to_review_is_said(world: World) -> None:
    order = world.shopify.place_order([(MUG, 1)], NORA)
    order["line_items"][0]["product_id"] = None
    parcel = world.shopify.fulfill(order)
    world.wait(hours=1)
    world.shopify.carrier_event(parcel, "delivered")
    world.wait(days=11)
    answer = client(world).get(f"{link(world, NORA, 'review')}?rating=5")
    assert answer.status_code == 200
    assert "There is nothing to review" in answer.text
    assert "<form" not in answer.text


@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_an_erased_order_is_a_friendly_page(world: World, method: str) -> None:
    path = asked(world)
    with world.kiitos.store.work.transaction() as tx:
        tx.script("DELETE FROM orders")
    answer = getattr(client(world), method)(f"{path}?rating=5")
    assert answer.status_code == 404
    assert method == "head" or "This link does not work any more" in answer.text


def test_a_run_that_moved_meanwhile_is_no_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    ingest, calls = world.kiitos.runner.ingest, []

    def moved_once(*args: Any) -> int:
        calls.append(args)
        if len(calls) == 1:
            raise RunMoved("r-1")
        return ingest(*args)

    monkeypatch.setattr(world.kiitos.runner, "ingest", moved_once)
    assert client(world).post(path, data={f"rating-{mug}": "5"}).status_code == 303
    assert (len(calls), len(stored(world))) == (2, 1)


def test_in_the_buyers_language(world: World) -> None:
    path = asked(world, AINO, TWO)
    form = client(world).get(path, headers={"Accept-Language": "en"}).text
    assert '<html lang="fi" dir="ltr">' in form
    assert "Mitä pidit?" in form


def test_a_language_we_lack_gives_the_shops(world: World) -> None:
    order_arrives(world)  # so that the world has both shops at work
    buyer = Buyer(first_name="雪", last_name="田中", email="yuki@example.test", locale="ja", country="FI")
    woo_order_leaves(world, buyer)
    world.wait(days=15)
    form = client(world).get(link(world, buyer, "review"))
    assert '<html lang="fi"' in form.text
    assert rows(world, f"SELECT DISTINCT shop_id FROM links WHERE token = '{link(world, buyer, 'review')[10:]}'") == [
        (WOO,)
    ]


def test_the_product_whose_stars_were_followed_comes_first_however_much_was_bought(world: World) -> None:
    """Of ten products the mail asks about five and the form shows eight; what is named in the address is among them."""
    lines = tuple((replace(MUG, title=f"Mug {n}", sku=f"MUG-{n}"), 1) for n in range(10))
    path, visitor = asked(world, lines=lines), client(world)
    bought = products(world)
    assert len(set(bought)) == 10
    body = mails(world, NORA)[-1].get_body(("html",))
    assert body is not None
    mail = unescape(body.get_content())
    assert [product for product in bought if f"{path}?product={product}&rating=5" in mail] == bought[:5]
    form = visitor.get(f"{path}?product={bought[9]}&rating=2").text
    on_page = list(dict.fromkeys(re.findall(r'name="rating-([^"]+)"', form)))
    assert on_page == [bought[9], *bought[:7]]
    assert f'name="rating-{bought[9]}" value="2" checked' in form
    assert rows(world, "SELECT count(*) FROM reviews") == [(0,)], "looking is not sending"
    said = {f"text-{product}": "" for product in on_page} | {f"text-{bought[9]}": "Sturdy."}
    answer = visitor.post(path, data=said)
    assert answer.status_code == 422, "words without stars"
    assert list(dict.fromkeys(re.findall(r'name="rating-([^"]+)"', answer.text))) == [*bought[:7], bought[9]]
    assert visitor.post(path, data=said | {f"rating-{bought[9]}": "2"}).status_code == 303
    assert [(review.product_id, review.rating) for review in stored(world)] == [(bought[9], 2)]
