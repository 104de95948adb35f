"""A review's whole life over both fakes: asked, written with a photo, held, approved, published, answered, edited,
withdrawn; with what the loyalty programme makes of it."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
import requests

from connector import privacy
from connector.loyalty import overview
from connector.store.privacy import ERASE_CUSTOMER
from connector.testing import world as world_module
from connector.testing.demo.mailbox import read_mail
from connector.testing.demo.scenario import LIISA, MONDAY, MUG, SOCKS
from connector.testing.fakes.people import AINO, Buyer
from connector.testing.world import FLOWS, SHOPIFY, WOO, World
from tests.journeys.conftest import Worlds
from tests.journeys.reviewing import decide, desk, form_of, of_product, picture, products_in, shown, write
from tests.journeys.test_review_request import delivered_order, woo_order

LOYALTY = {"return_window": "14d", "rules": {"review": {"kind": "review", "points": 20}}}
WITH_ANSWERS = {
    "flows": {name: {"file": name.replace("-", "_")} for name in (*FLOWS, "review-answer")},
    "loyalty": LOYALTY,
}


def points(world: World, shop_id: str, buyer: Buyer) -> tuple[str, str]:
    """What they have to use, and what is pending."""
    found = overview(world.kiitos, shop_id, str(buyer.email))
    row = next((unit for unit in found["units"] if unit["unit"] == "points"), {"available": "0", "pending": "0"})
    return row["available"], row["pending"]


def test_woo_the_whole_life_of_a_review(worlds: Worlds) -> None:
    world = worlds(**WITH_ANSWERS)
    woo_order(world)
    world.until(MONDAY + timedelta(days=16))
    form = form_of(world, LIISA)
    jam, _ = products_in(form)
    sent = {
        f"rating-{jam}": "4",
        f"title-{jam}": "Makea",
        f"text-{jam}": "Katso www.example.com!",
        "author": "Liisa K.",
    }
    assert write(world, form, sent, {f"photos-{jam}": [picture(), picture("red")]}) == 200
    (row,) = of_product(world, WOO, jam)
    assert (row.state, row.reasons, row.verified, row.rewarded) == ("held", ("link",), True, True)
    assert world.woo.reviews == {}, "nothing is in the shop before a person looked"
    assert points(world, WOO, LIISA) == ("0", "20"), "promised, and pending until it is shown"
    assert "Makea" not in shown(world, WOO, jam).text

    link = desk(world, WOO)
    queue = requests.get(link, timeout=10).text
    assert "Katso www.example.com!" in queue
    (photo, *_) = re.findall(r'src="([^"]+/p/photo/[^"]+|/p/photo/[^"]+)"', queue)
    base = link.partition("/p/")[0]
    seen = requests.get(base + photo.partition("?")[0].removeprefix(base), timeout=10)
    assert seen.headers["Content-Type"] == "image/jpeg"
    assert b"Liisa" not in seen.content, "what the phone wrote into the picture is gone"
    assert seen.headers["Content-Disposition"].startswith("attachment")
    public = re.sub(r"(/p/photo/\w+)/\w+.*", r"\1", base + photo.removeprefix(base))
    assert requests.get(public, timeout=10).status_code == 404, "held: nobody else sees its pictures"

    assert decide(world, link, "approve", row.id).status_code == 200
    (there,) = world.woo.reviews.values()
    assert (there["status"], there["rating"], there["verified"]) == ("approved", 4, True)
    assert "Kirjoittaja sai palkkion" in there["review"], "what was given for it stands with it"
    assert f"\n\n{public}\n" in there["review"], "its photos are links below the words"
    assert points(world, WOO, LIISA) == ("20", "0")
    assert requests.get(public, timeout=10).status_code == 200

    mails = len(world.sink.to(str(LIISA.email)))
    decide(world, link, "answer", row.id, "Kiitos Liisa! <b>Uusi satotyö</b> tulee.")
    world.wait(minutes=5)
    assert len(world.sink.to(str(LIISA.email))) == mails + 1
    page = shown(world, WOO, jam)
    assert "Kiitos Liisa! &lt;b&gt;Uusi" in page.text
    assert "Vahvistettu ostos" in page.text

    own = requests.get(form, params={"edit": row.id}, timeout=10).text
    assert "Makea" in own
    assert "Katso www.example.com!" in own
    edited = {"do": "edit", "review": row.id, f"rating-{jam}": "2", f"text-{jam}": "Sokeria liikaa.", "author": "Liisa"}
    assert write(world, form, edited) == 200
    (there,) = world.woo.reviews.values()
    assert (there["rating"], there["reviewer"]) == (2, "Liisa")
    assert there["review"].startswith("Sokeria liikaa.")
    assert f"\n\n{public}\n" in there["review"]
    assert len(world.woo.reviews) == 1

    assert write(world, form, {"do": "withdraw", "review": row.id}) == 200
    assert world.woo.reviews == {}, "taken away in the shop too"
    assert points(world, WOO, LIISA) == ("0", "0"), "what it earned is taken back"
    assert "Sokeria" not in shown(world, WOO, jam).text
    assert requests.get(public, timeout=10).status_code == 404
    (row,) = of_product(world, WOO, jam)
    assert row.state == "withdrawn"


def test_shopify_the_whole_life_of_a_review(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "SCOPES", (*world_module.SCOPES, "write_products"))
    world = worlds(**WITH_ANSWERS)
    delivered_order(world)
    world.until(MONDAY + timedelta(days=14))
    form = form_of(world, AINO)
    (mug,) = products_in(form)
    fields = {f"rating-{mug}": "5", f"text-{mug}": "Hyvä.", "reuse": "1", f"video-{mug}": "https://youtu.be/abc"}
    assert write(world, form, fields, {f"photos-{mug}": [picture()]}) == 200
    world.wait(minutes=5)
    (there,) = world.shopify.metaobjects.values()
    assert there["status"] == "ACTIVE"
    assert there["fields"]["verified"] == "true"
    assert there["fields"]["disclosure"]
    (address,) = json.loads(there["fields"]["photos"])
    assert requests.get(address, timeout=10).headers["Content-Type"] == "image/jpeg"
    ratings = {key: row["value"] for key, row in metafields(world).items()}
    assert (json.loads(ratings["rating"])["value"], ratings["rating_count"]) == ("5.0", "1")
    assert in_theme(world) == list(world.shopify.metaobjects), "its page in the theme reads it"
    (row,) = of_product(world, SHOPIFY, mug)
    link = desk(world, SHOPIFY)
    decide(world, link, "answer", row.id, "Kiitos!")
    (there,) = world.shopify.metaobjects.values()
    assert there["fields"]["answer"] == "Kiitos!"
    assert decide(world, link, "hide", row.id).status_code == 422, "nothing is hidden without a reason"
    decide(world, link, "hide", row.id, "names a neighbour")
    assert world.shopify.metaobjects == {}
    assert metafields(world)["rating_count"]["value"] == "0"
    assert in_theme(world) == []
    assert points(world, SHOPIFY, AINO) == ("0", "0")
    for text in ("Parempi.", "Vielä parempi."):
        write(world, form, {"do": "edit", "review": row.id, f"rating-{mug}": "4", f"text-{mug}": text})
        (waits,) = of_product(world, SHOPIFY, mug)
        assert waits.state == "held", "what a person hid is not shown by an edit, nor by a second one"
    decide(world, link, "approve", row.id)
    edited = {"do": "edit", "review": row.id, f"rating-{mug}": "3", f"text-{mug}": "Ihan hyvä."}
    write(world, form, edited)
    world.wait(minutes=5)
    (there,) = world.shopify.metaobjects.values()
    assert there["fields"]["body"] == "Ihan hyvä."
    assert in_theme(world) == list(world.shopify.metaobjects), "shown again, under another number"
    ratings = {key: row["value"] for key, row in metafields(world).items()}
    assert (json.loads(ratings["rating"])["value"], ratings["rating_count"]) == ("3.0", "1")
    assert points(world, SHOPIFY, AINO) == ("20", "0"), "shown again: given again, once"


@pytest.mark.parametrize("taken_back", [True, False])
def test_what_the_forgotten_said_is_gone_from_the_shop_too(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, taken_back: bool
) -> None:
    """The control forgets without telling the platform, and the shop still shows the review."""
    if not taken_back:
        monkeypatch.setattr(privacy, "take_back", lambda *_: None)
    world = worlds(**WITH_ANSWERS)
    world.shopify.place_order([(SOCKS, 1)], AINO)
    woo_order(world)
    world.until(MONDAY + timedelta(days=16))
    form = form_of(world, LIISA)
    product = products_in(form)[0]
    write(world, form, {f"rating-{product}": "4", f"text-{product}": "Liisan omat sanat."})
    world.wait(minutes=5)
    assert len(world.woo.reviews) == 1
    asked_for = privacy.Privacy(world.kiitos).ask(WOO, ERASE_CUSTOMER, privacy.COMMAND, {"email": str(LIISA.email)})
    assert asked_for is not None
    world.wait(minutes=10)
    assert len(world.woo.reviews) == (0 if taken_back else 1)
    assert of_product(world, WOO, product) == []


def in_theme(world: World) -> list[int]:
    """The reviews that the product's page in the theme reads, by their numbers there."""
    (field,) = [row for key, row in world.shopify.metafields.items() if key[2] == "reviews"]
    return [int(each.rpartition("/")[2]) for each in json.loads(field["value"])]


def metafields(world: World) -> dict[str, dict[str, str]]:
    return {key[2]: row for key, row in world.shopify.metafields.items() if key[1] == "reviews"}


@pytest.mark.parametrize("rating", ["1", "2", "3", "4", "5"])
def test_stars_decide_nothing(worlds: Worlds, rating: str) -> None:
    """The same words with other stars: the same state, at once in the shop, the same points."""
    world = worlds(**WITH_ANSWERS)
    world.shopify.place_order([(SOCKS, 1)], AINO)
    woo_order(world)
    world.until(MONDAY + timedelta(days=16))
    form = form_of(world, LIISA)
    product = products_in(form)[0]
    write(world, form, {f"rating-{product}": rating, f"text-{product}": "Ihan niin kuin sanottiin."})
    world.wait(minutes=5)
    (row,) = of_product(world, WOO, product)
    assert (row.state, row.reasons) == ("published", ())
    assert [each["status"] for each in world.woo.reviews.values()] == ["approved"]
    assert points(world, WOO, LIISA) == ("20", "0")
    assert shown(world, WOO, product).text.count("kiitos-heading") == 2, "once in the style, once on the page"


def test_nobody_is_asked_about_what_they_reviewed(worlds: Worlds) -> None:
    """A second order of the same mug is not asked about; one with something new is, and names only that."""
    world = worlds()
    delivered_order(world)
    world.until(MONDAY + timedelta(days=14))
    form = form_of(world, AINO)
    (mug,) = products_in(form)
    write(world, form, {f"rating-{mug}": "5"})
    delivered_order(world)
    world.wait(days=30)
    assert asked(world) == 1
    order = world.shopify.place_order([(MUG, 1), (SOCKS, 1)], AINO)
    parcel = world.shopify.fulfill(order)
    world.wait(days=1)
    world.shopify.carrier_event(parcel, "delivered")
    world.wait(days=11)
    assert asked(world) == 2
    assert mug not in products_in(form_of(world, AINO))


def asked(world: World) -> int:
    """How many mails asked for a review; the reminder of the last one may be among them in time."""
    return sum("/p/review/" in read_mail(0, kept).text for kept in world.sink.to(str(AINO.email)))
