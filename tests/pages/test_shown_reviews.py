"""Reviews on the shop's own pages: what is published and nothing else, in shape for search engines, kept a while."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from connector.lists.review_lists import FORMATS, write
from connector.pages import shown_reviews
from connector.store import review_photos, reviews
from connector.store.review_photos import Photo
from connector.store.reviews import ReviewRow, ReviewState
from connector.testing.world import SHOPIFY, WOO, World
from tests.pages.life import client
from tests.pages.test_strangers import PAYLOADS

PRODUCT = "77"


def put(world: World, count: int = 1, **how: Any) -> list[ReviewRow]:
    now = world.clock.now()
    name = how.pop("id", "r")
    base = ReviewRow(id="", product_id=PRODUCT, product_title="Muki", rating=4, text="Hyvä.", author="Liisa K.", at=now)
    made = [replace(base, id=f"{name}{number:03}", **how) for number in range(count)]
    with world.kiitos.store.work.transaction() as tx:
        for row in made:
            reviews.save(tx, SHOPIFY, row, now)
    return made


def address(world: World, query: str = "") -> str:
    return f"/p/reviews/{shown_reviews.key_of(world.kiitos, SHOPIFY)}/{PRODUCT}{query}"


def structured(html: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    told: dict[str, Any] = json.loads(found)
    return told


def test_nobody_reviewed_it_yet(world: World) -> None:
    page = client(world).get(address(world))
    assert page.status_code == 200
    assert "Nobody has reviewed this yet" in page.text
    assert "ld+json" not in page.text, "a rating of nobody is a lie"


def test_only_what_is_published_is_shown(world: World) -> None:
    put(world, text="SHOWN-ONE")
    put(world, id="h", text="HELD-ONE", state=ReviewState.HELD)
    put(world, id="i", text="HIDDEN-ONE", state=ReviewState.HIDDEN)
    put(world, id="w", text="WITHDRAWN-ONE", state=ReviewState.WITHDRAWN)
    put(world, id="l", text="LATER-ONE", publish_at=world.clock.now() + timedelta(days=1))
    put(world, id="e", text="MAIL-ONE", email_key="secret@example.com", order_id="5551")
    page = client(world).get(address(world)).text
    assert set(re.findall(r"[A-Z]+-ONE", page)) == {"SHOWN-ONE", "MAIL-ONE"}
    assert "secret@example.com" not in page
    assert "5551" not in page
    world.clock.advance(timedelta(days=1, seconds=1))
    assert "LATER-ONE" in client(world).get(address(world)).text


def test_the_average_is_a_recount_and_leaves_out_no_stars(world: World) -> None:
    for stars, count in ((1, 3), (2, 1), (5, 4)):
        put(world, count, id=f"s{stars}", rating=stars)
    told = structured(client(world).get(address(world)).text)
    assert told["aggregateRating"] == {
        "@type": "AggregateRating",
        "ratingValue": "3.1",
        "reviewCount": 8,
        "bestRating": 5,
        "worstRating": 1,
    }
    assert sum((1, 1, 1, 2, 5, 5, 5, 5)) / 8 == pytest.approx(3.125)


def test_search_engines_are_told_in_the_shape_of_schema_org(world: World) -> None:
    """https://developers.google.com/search/docs/appearance/structured-data/review-snippet: what must be there."""
    put(world, title="Warm", rating=5)
    told = structured(client(world).get(address(world)).text)
    assert (told["@context"], told["@type"], told["name"]) == ("https://schema.org", "Product", "Muki")
    (review,) = told["review"]
    assert review["@type"] == "Review"
    assert review["author"] == {"@type": "Person", "name": "Liisa K."}
    assert review["reviewRating"] == {"@type": "Rating", "ratingValue": 5, "bestRating": 5, "worstRating": 1}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", review["datePublished"])
    assert (review["name"], review["reviewBody"]) == ("Warm", "Hyvä.")


@pytest.mark.parametrize("payload", [*PAYLOADS, "</script><script>alert(1)</script>", "\u2028\u2029&<!--"])
def test_hostile_words_stay_words(world: World, payload: str) -> None:
    put(world, text=payload, title=payload, author=payload, answer=payload, product_title=payload)
    page = client(world).get(address(world)).text
    assert len(re.findall(r"<script", page)) == 1
    told = structured(page)
    (review,) = told["review"]
    assert (review["reviewBody"], review["name"], review["author"]["name"]) == (payload, payload, payload)
    rating = told["aggregateRating"]
    assert (rating["@type"], rating["reviewCount"], 1 <= float(rating["ratingValue"]) <= 5) == (
        "AggregateRating",
        1,
        True,
    )
    assert "<img src=x" not in page
    assert "javascript:" not in re.sub(r">[^<]*<|ld\+json.*?</script", "", page, flags=re.DOTALL)


def test_pages_and_sorts(world: World) -> None:
    for number in range(23):
        put(world, id=f"n{number:02}", rating=1 + number % 5, text=f"Nr-{number:02}.")
    seen = []
    for number in (1, 2, 3):
        page = client(world).get(address(world, f"?page={number}&sort=worst")).text
        seen += re.findall(r"Nr-\d\d\.</bdi>", page)
    assert len(seen) == len(set(seen)) == 23
    best = client(world).get(address(world, "?sort=best")).text
    given = [len(stars) for stars in re.findall(r'<p><span class="kiitos-rated"[^>]*>(★+)', best)]
    assert given == [5] * 4 + [4] * 4 + [3] * 2
    for odd in ("0", "-1", "x", "9" * 30, "1e3"):
        assert client(world).get(address(world, f"?page={odd}")).status_code == 200


def test_the_page_may_be_kept_and_framed_by_the_shop_alone(world: World) -> None:
    (row,) = put(world)
    first = client(world).get(address(world))
    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert "frame-ancestors https://aurora-demo.myshopify.com" in first.headers["Content-Security-Policy"]
    assert "script-src" not in first.headers["Content-Security-Policy"]
    again = client(world).get(address(world), headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    with world.kiitos.store.work.transaction() as tx:
        reviews.answer(tx, SHOPIFY, row, "Thank you!", "Sanna", world.clock.now())
    assert client(world).get(address(world), headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_a_part_for_the_shops_own_page(world: World) -> None:
    put(world)
    part = client(world).get(address(world, "?part=1")).text
    assert part.lstrip().startswith("<section")
    assert "<html" not in part
    assert "<style" not in part
    assert structured(part)["aggregateRating"]["reviewCount"] == 1


def test_links_of_a_part_lead_to_the_page_it_stands_in(world: World) -> None:
    """By names that no shop system keeps for itself, with what the page was asked for besides, and nowhere else."""
    put(world, 30)
    keep = quote('product=mug&kiitos_page=9&x="><b>&https://evil.example')
    part = client(world).get(address(world, f"?part=1&sort=worst&page=2&keep={keep}")).text
    links = [unescape(href) for href in re.findall(r'<a [^>]*?href="([^"]*)"', part)]
    assert len(links) == 5
    for each in links:
        assert each.startswith("?product=mug&x=%22%3E%3Cb%3E&kiitos_sort="), each
        assert each.endswith("#kiitos-reviews"), each
    turned = [dict(parse_qsl(each.partition("#")[0][1:])) for each in links[3:]]
    assert [(each["kiitos_sort"], each.get("kiitos_page")) for each in turned] == [("worst", None), ("worst", "3")]
    assert 'id="kiitos-reviews"' in part
    page = client(world).get(address(world, "?page=2")).text
    assert "kiitos_" not in page, "control: our own page keeps its own names"
    assert re.findall(r'href="(\?sort=newest[^"]*)"', page) == [
        "?sort=newest",
        "?sort=newest",
        "?sort=newest&amp;page=3",
    ]


def test_a_part_says_its_stars_without_a_style_sheet(world: World) -> None:
    """Words for screen readers that only our style sheet would hide stood in the shop's page."""
    put(world, rating=4)
    part = client(world).get(address(world, "?part=1")).text
    assert "aside" not in part
    assert re.findall(r'role="img" aria-label="([^"]+)">([★☆]+)<', part)[-1] == ("4 of 5", "★★★★☆")


def test_a_page_beyond_the_last_is_the_last(world: World) -> None:
    put(world, 13)
    assert "Page 2 of 2" in client(world).get(address(world, "?page=40")).text


@pytest.mark.parametrize("platform", ["shopify", "woocommerce"])
def test_what_is_pasted_is_of_the_shops_platform(world: World, platform: str) -> None:
    shop = world.kiitos.config.shop(SHOPIFY if platform == "shopify" else WOO).shop
    told = shown_reviews.snippet(world.kiitos, shop)
    assert ("add_action(" in told, "theme-block" in told) == (platform == "woocommerce", platform == "shopify")
    key = shown_reviews.key_of(world.kiitos, shop.id)
    assert f"/p/reviews/{key}/PRODUCT_ID" in told
    assert "KIITOS_REVIEWS" not in told


@pytest.mark.parametrize("key", ["x" * 26, "short", "%2e%2e", "reviews"])
def test_a_key_that_is_none(world: World, key: str) -> None:
    assert client(world).get(f"/p/reviews/{key}/{PRODUCT}").status_code == 404


def test_what_was_given_and_taken_over_is_said(world: World) -> None:
    put(world, rewarded=True, proof={"order": "1"}, video="https://youtu.be/abc")
    put(world, id="j", source="import/judgeme")
    page = client(world).get(address(world)).text
    assert page.count("The author received a reward for an honest review.") == 1
    assert page.count("Taken over from another review service.") == 1
    assert page.count("· Verified purchase") == 1
    assert 'href="https://youtu.be/abc" rel="nofollow ugc noopener noreferrer"' in page


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_pictures_that_an_export_names_are_there_without_a_token(world: World, form: str) -> None:
    """As long as the review is shown; one that is hidden afterwards is seen by nobody."""
    (row,) = put(world)
    now = world.clock.now()
    with world.kiitos.store.work.transaction() as tx:
        photo = Photo(id="a" * 26, width=8, height=8, picture=b"\xff\xd8 large", small=b"\xff\xd8 small")
        review_photos.add(tx, SHOPIFY, row.id, 0, photo, now)

    def named() -> list[str]:
        target = io.StringIO()
        with world.kiitos.store.work.read() as tx:
            write(tx, SHOPIFY, target, form, world.kiitos.config.app.base_url, now)
        return re.findall(r"http://[^,\s]*(/p/photo/\w+)", target.getvalue())

    (picture,) = named()
    world.clock.advance(timedelta(days=700))
    found = client(world).get(picture)
    assert (found.status_code, found.mimetype, found.data) == (200, "image/jpeg", b"\xff\xd8 large")
    with world.kiitos.store.work.transaction() as tx:
        reviews.move(tx, SHOPIFY, row, ReviewState.HIDDEN, world.clock.now())
    assert named() == []
    assert client(world).get(picture).status_code == 404
