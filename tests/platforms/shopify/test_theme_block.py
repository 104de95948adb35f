"""The block of a theme: what is published as metaobjects and metafields, as HTML and structured data, by Liquid."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.clock import ManualClock
from connector.contracts import Access, RatingRequest, ReviewRequest
from connector.pages.frame import languages, strings
from connector.testing.fakes.people import MUG
from connector.testing.fakes.shopify import FakeShopify
from platforms.shopify import Shopify, theming
from tests.pages.test_strangers import PAYLOADS
from tests.platforms.shopify.conftest import serving

from .theme import BLOCK, render, settings, tag

GRANTED = ("write_products", "write_metaobjects", "read_metaobjects")
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeShopify]:
    yield from serving(clock, GRANTED)


@pytest.fixture
def live(fake: FakeShopify, granted: Access) -> Access:
    return replace(granted, base_url=fake.url)


def review(product_id: str, number: int = 1, **said: Any) -> ReviewRequest:
    written = {
        "key": f"{number}-{product_id}", "order_id": str(number), "product_id": product_id, "rating": 4,
        "title": f"Warm {number}", "text": "Keeps warm.\nFor hours.", "author_name": "Liisa K.", "approved": True,
        "author_email": "liisa@example.com", "at": AT + timedelta(days=number),
    }  # fmt: skip
    return ReviewRequest(**(written | said))


def publish(shopify: Shopify, live: Access, *written: ReviewRequest, average: str = "4.0", count: int = 0) -> None:
    """The newest first."""
    newest = {each.key: shopify.publish_review(live, each) for each in written}
    rating = RatingRequest(
        product_id=written[0].product_id, average=Decimal(average), count=count or len(written), newest=newest
    )
    shopify.publish_rating(live, rating)


def structured(html: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    told: dict[str, Any] = json.loads(found)
    return told


def test_a_products_page_shows_and_tells_its_reviews(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    product = str(fake.product_of(MUG)["id"])
    photos = ("https://kiitos.example/p/photo/aaaa",)
    rich = review(product, 2, rating=5, verified=True, photos=photos, disclosure="Rewarded.", answer="Thank you!")
    publish(shopify, live, rich, review(product, 1, title="", author_name=""), average="4.46", count=17)
    html = render(fake, product)
    told = structured(html)
    assert (told["@type"], told["name"], told["@id"]) == ("Product", MUG.title, f"/products/{handle(fake)}#product")
    assert told["aggregateRating"] == {
        "@type": "AggregateRating", "ratingValue": "4.5", "reviewCount": 17, "bestRating": 5, "worstRating": 1,
    }  # fmt: skip
    assert [each["reviewRating"]["ratingValue"] for each in told["review"]] == [5, 4]
    assert [each["author"]["name"] for each in told["review"]] == ["Liisa K.", "-"]
    assert [each["datePublished"] for each in told["review"]] == ["2026-03-04", "2026-03-03"]
    assert [each.get("name") for each in told["review"]] == ["Warm 2", None]
    assert told["review"][0]["reviewBody"] == "Keeps warm.\nFor hours."
    body = html[html.index("<section") :]
    for words in ("4.5 of 5 stars", "Reviews: 17", "<bdi>Warm 2</bdi>", "Verified purchase", "Rewarded.", "Thank you!"):
        assert words in body, words
    assert re.search(r"Keeps warm\.<br />\s*For hours\.", body)
    assert body.count("· Verified purchase") == 1, "the other is not proven"
    assert f'<img src="{photos[0]}?small=1"' in body
    assert "Anonymous" in body
    assert f'href="/apps/kiitos/reviews?product={product}"' in body
    assert "<script" not in body, "no script, and nothing from anybody else"
    assert "liisa@example.com" not in html


def handle(fake: FakeShopify) -> str:
    return str(fake.product_of(MUG)["handle"])


def test_nobody_reviewed_it(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    product = str(fake.product_of(MUG)["id"])
    assert render(fake, product).strip() == "", "a rating of nobody is a lie"
    shopify.publish_rating(live, RatingRequest(product_id=product, average=Decimal(0), count=0, newest={}))
    assert render(fake, product).strip() == ""


def test_what_is_kept_back_or_gone_is_not_shown(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    product = str(fake.product_of(MUG)["id"])
    publish(shopify, live, *(review(product, n, approved=n != 2, title=f"Nr-{n}.") for n in (3, 2, 1)))
    assert re.findall(r"<bdi>(Nr-\d)", render(fake, product)) == ["Nr-3", "Nr-1"]
    assert len(structured(render(fake, product))["review"]) == 2
    first = next(number for number, row in fake.metaobjects.items() if row["fields"]["title"] == "Nr-3.")
    shopify.remove_review(live, str(first))
    assert re.findall(r"<bdi>(Nr-\d)", render(fake, product)) == ["Nr-1"]


def test_no_more_than_the_merchant_wants(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    product = str(fake.product_of(MUG)["id"])
    publish(shopify, live, *(review(product, n) for n in range(9, 0, -1)))
    html = render(fake, product, most=3, structured=False, all="")
    assert re.findall(r"<bdi>Warm (\d)", html) == ["9", "8", "7"]
    assert "ld+json" not in html
    assert "href" not in html


HOSTILE = [*PAYLOADS, "</script><script>alert(1)</script>", "<!--&\u2028", "{{ shop.name }}{% raw %}", 'a"b\\c\n']


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_stay_words(fake: FakeShopify, shopify: Shopify, live: Access, text: str) -> None:
    product = str(fake.product_of(MUG)["id"])
    odd = ("javascript:alert(1)", 'https://x.example/"onerror="alert(1)')
    said = {"title": text, "text": text, "author_name": text, "answer": text, "disclosure": text, "photos": odd}
    publish(shopify, live, review(product, **said))
    html = render(fake, product)
    assert bad(html) == []
    (told,) = structured(html)["review"]
    assert (told["name"], told["reviewBody"], told["author"]["name"]) == (text, text, text)


def bad(html: str) -> list[str]:
    """What in the page is markup that the block did not write."""
    outside = re.sub(r">[^<]*<", "><", html[html.index("</script>") + 9 :])
    scripts = html.count("<script") - 1
    found = re.findall(
        r"<(?!/?(?:section|h2|h3|p|span|strong|ol|ul|li|article|bdi|time|a|img|div|br)\b)[^>]*>", outside
    )
    found += re.findall(r"<[^>]*\s(?:on\w+|style)=[^>]*>", outside) + re.findall(r"javascript:", outside)
    return found + ["script"] * scripts


@pytest.mark.parametrize(("place", "left_out"), [("body", " | escape"), ("script", " | replace: '<', '\\u003c'")])
def test_the_reading_sees_what_is_not_escaped(
    fake: FakeShopify, shopify: Shopify, live: Access, place: str, left_out: str
) -> None:
    """Control: the block without its escapes."""
    product = str(fake.product_of(MUG)["id"])
    payload = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    publish(shopify, live, review(product, title=payload, text=payload))
    source = theming.block()[BLOCK]
    assert left_out in source
    assert bad(render(fake, product)) == []
    assert bad(render(fake, product, source=source.replace(left_out, ""))) != [], place


def test_it_speaks_the_shops_language(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    product = str(fake.product_of(MUG)["id"])
    publish(shopify, live, review(product))
    for language in languages():
        html = render(fake, product, language=language)
        assert str(strings(language)["reviews.how"]) in html
    assert "Arvosteluja: 1" in render(fake, product, language="fi")


def test_the_words_are_those_of_our_own_pages() -> None:
    """Six languages with the same keys; what our pages say too is said alike."""
    shared = {name: f"reviews.{name}" for name in ("title", "average", "count", "anonymous", "verified", "how")}
    shared |= {"star": "review.star", "answered": "review.answered"}
    for language in languages():
        name = "en.default" if language == "en" else language
        told: Mapping[str, str] = json.loads(theming.block()[f"locales/{name}.json"])["reviews"]
        used = set(re.findall(r"'reviews\.(\w+)' \| t", theming.block()[BLOCK]))
        assert set(told) == used, language
        for key, ours in shared.items():
            assert re.sub(r"{{ (\w+) }}", r"{\1}", told[key]) == strings(language)[ours], (language, key)


def test_the_extension_is_what_the_cli_deploys() -> None:
    texts = theming.block()
    assert tomllib.loads(texts["shopify.extension.toml"])["type"] == "theme"
    assert {name for name in texts if name.startswith("locales/")} == {
        f"locales/{'en.default' if language == 'en' else language}.json" for language in languages()
    }
    schema = json.loads(tag("schema"))
    assert schema["target"] == "section"
    assert len(schema["name"]) <= 25, "the CLI's limit"
    assert settings()["most"] <= 10
    assert "<script src" not in texts[BLOCK]
    assert "http" not in tag("stylesheet")
    assert all(len(text.encode()) < 15_000 for name, text in texts.items() if name.startswith("locales/"))


def test_the_command_writes_it(tmp_path: Path) -> None:
    config = tmp_path / "app.toml"
    config.write_text(
        f'schema = 1\n[app]\nbase_url = "https://kiitos.example"\ndatabase = "sqlite:///{tmp_path}/k.db"\n'
        f'master_key = {{ file = "{tmp_path}/m.key", generate = true }}\n'
        '[channels.mail]\nkind = "smtp"\nurl = "smtp://127.0.0.1:9"\ntls = "none"\n[defaults]\nemail = "mail"\n',
        "utf-8",
    )
    folder = tmp_path / "extensions" / "kiitos-reviews"

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli, ["-c", str(config), "shopify", "theme-block", "-o", str(folder), *words])

    assert run().exit_code == 0, run().output
    there = {str(each.relative_to(folder)): each.read_text("utf-8") for each in folder.rglob("*") if each.is_file()}
    assert there == theming.block()
    (folder / BLOCK).write_text("my own", "utf-8")
    assert "is there already" in str(run().exception)
    assert (folder / BLOCK).read_text("utf-8") == "my own"
    assert run("--force").exit_code == 0
    assert (folder / BLOCK).read_text("utf-8") == theming.block()[BLOCK]


# -- what the list says ------------------------------------------------------------------------------------------------


def test_the_list_is_written_once_and_emptied(fake: FakeShopify, shopify: Shopify, live: Access) -> None:
    product = str(fake.product_of(MUG)["id"])
    publish(shopify, live, review(product))
    before = len([call for call in fake.calls if call.operation == "MetafieldsSet"])
    publish(shopify, live, review(product))
    assert len([call for call in fake.calls if call.operation == "MetafieldsSet"]) == before, "nothing is written twice"
    shopify.publish_rating(live, RatingRequest(product_id=product, average=Decimal(0), count=0, newest={}))
    (listed,) = [row["value"] for (_, _, key), row in fake.metafields.items() if key == "reviews"]
    assert json.loads(listed) == []


def test_a_rating_that_says_nothing_of_reviews_leaves_the_list(
    fake: FakeShopify, shopify: Shopify, live: Access
) -> None:
    product = str(fake.product_of(MUG)["id"])
    publish(shopify, live, review(product))
    shopify.publish_rating(live, RatingRequest(product_id=product, average=Decimal(3), count=9))
    assert "Reviews: 9" in render(fake, product)
    assert "Warm 1" in render(fake, product)


def test_an_app_that_was_deployed_before_has_its_rating_all_the_same(
    fake: FakeShopify, shopify: Shopify, live: Access
) -> None:
    """The list is not declared there: it is refused, and the rating stands."""
    product = str(fake.product_of(MUG)["id"])
    fake.declared_lists.clear()
    publish(shopify, live, review(product), average="4.0", count=1)
    html = render(fake, product)
    assert "Reviews: 1" in html
    assert "Warm" not in html
    assert structured(html)["aggregateRating"]["reviewCount"] == 1
