"""Short links in texts and pages: what is replaced, what is left alone, and what a token can be made to say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.store import Store, clicks
from connector.store.db import Tx
from flows.sending.addressing import derive_token
from flows.sending.short_links import LENGTH, OPENED, Shortener, marks_of, read_token, token_of

SALT = b"salt of a test"
KEY = derive_token(SALT, "message", "shop", "e1", length=24)
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BEGIN, OURS = "https://go.brand.example", "https://kiitos.example"


@pytest.fixture
def tx() -> Iterator[Tx]:
    store = Store.open("sqlite://:memory:")
    with store.work.transaction() as opened:
        yield opened
    store.close()


def shortener(tx: Tx, owner: str = "aino@example.test", marks: tuple[str, ...] = ("ABC123",)) -> Shortener:
    return Shortener(
        tx=tx, shop_id="shop", key=KEY, salt=SALT, begin=BEGIN, ours=OURS, owner=owner, marks=marks, now=NOW
    )


def stored(tx: Tx) -> list[tuple[str, str]]:
    tx.flush()
    found = tx._cursor.execute("SELECT url, owner FROM short_links ORDER BY url, owner").fetchall()
    return [(url, owner) for url, owner in found]


def leads_to(tx: Tx, short: str) -> str:
    followed = read_token(SALT, short.removeprefix(f"{BEGIN}/c/"))
    assert followed is not None
    assert KEY.startswith(followed.message)
    found = clicks.find(tx, followed.url_id)
    assert found is not None
    return found.url


@pytest.mark.parametrize(
    ("html", "url"),
    [
        ('<a href="https://shop.example/p?a=1&amp;b=2">x</a>', "https://shop.example/p?a=1&b=2"),
        ("<A class=x HREF = 'https://shop.example/'>x</A>", "https://shop.example/"),
        ('<v:roundrect style="x" href="https://shop.example/v">', "https://shop.example/v"),
        ('<area shape="rect" href="http://shop.example/m">', "http://shop.example/m"),
    ],
)
def test_a_link_of_a_page_is_replaced(tx: Tx, html: str, url: str) -> None:
    made = shortener(tx).html(html)
    short = next(part for part in unescape(made).replace("'", '"').split('"') if part.startswith(BEGIN))
    assert leads_to(tx, short) == url
    assert unescape(made).replace(short, url) == unescape(html)


@pytest.mark.parametrize(
    "html",
    [
        '<link href="https://fonts.example/css" rel="stylesheet">',
        '<img src="https://cdn.example/a.png">',
        '<a href="mailto:help@shop.example">help</a>',
        '<a href="tel:+358401234567">call</a>',
        f'<a href="{OURS}/p/unsubscribe/abc">stop</a>',
        f'<a href="{OURS}/p/preferences/abc">choose</a>',
        f'<a href="{OURS}/p/review/abc?rating=5">five</a>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="https://shop.example/a b">x</a>',
        "<p>https://shop.example/shown</p>",
    ],
)
def test_what_is_left_alone(tx: Tx, html: str) -> None:
    assert shortener(tx).html(html) == html
    assert stored(tx) == []


def test_a_plain_text_keeps_its_punctuation(tx: Tx) -> None:
    text = "See https://shop.example/a, or (https://shop.example/b). https://shop.example/c?x=1!\nhttps://kiitos.example/p/x"
    made = shortener(tx).text(text)
    assert {url for url, _ in stored(tx)} == {
        "https://shop.example/a",
        "https://shop.example/b",
        "https://shop.example/c?x=1",
    }
    assert made.startswith(f"See {BEGIN}/c/")
    assert f", or ({BEGIN}/c/" in made
    assert made.endswith("!\nhttps://kiitos.example/p/x")


def test_a_short_message_is_not_made_longer(tx: Tx) -> None:
    long = "https://carrier.example/" + "x" * 60
    made = shortener(tx).text(f"https://s.example {long}", shorter_only=True)
    assert made.startswith("https://s.example https://go.brand.example/c/")
    assert len(made) < len(long) + 18


def test_an_address_with_something_of_theirs_in_it_is_kept_as_theirs(tx: Tx) -> None:
    one = shortener(tx)
    one.link("https://shop.example/orders/ABC123")
    other = shortener(tx, owner="nora@example.test")
    other.link("https://shop.example/orders/ABC123")
    one.link("https://shop.example/")
    other.link("https://shop.example/")
    assert stored(tx) == [
        ("https://shop.example/", ""),
        ("https://shop.example/orders/ABC123", "aino@example.test"),
        ("https://shop.example/orders/ABC123", "nora@example.test"),
    ]


@pytest.mark.parametrize("html", ["<html><body><p>x</p></body></html>", "<p>x</p>"])
def test_the_picture_comes_last(tx: Tx, html: str) -> None:
    made = shortener(tx).picture(html)
    address = f"{BEGIN}/c/{token_of(SALT, OPENED, KEY)}"
    assert made.count(address) == 1
    assert made.index("<p>x</p>") < made.index(address)
    assert re.sub(r"<img[^>]+>", "", made) == html
    assert stored(tx) == []


def test_marks_are_long_enough_to_mean_something() -> None:
    assert marks_of(["DE", None, "", "1042", "ABC123", "ABC123"]) == ("ABC123",)


def test_a_token_is_short_enough_for_a_text_message() -> None:
    assert len(f"{BEGIN}/c/{token_of(SALT, 'a' * 10, KEY)}") <= 56


@given(st.text(alphabet="0123456789abcdefghjkmnpqrstvwxyz", min_size=LENGTH, max_size=LENGTH) | st.text(max_size=60))
@settings(max_examples=200)
def test_no_text_that_we_did_not_sign_is_a_token(text: str) -> None:
    assert read_token(SALT, text) is None


@given(st.integers(0, LENGTH - 1), st.sampled_from("0123456789abcdefghjkmnpqrstvwxyz"))
@settings(max_examples=200)
def test_a_token_changed_in_one_place_is_none(place: int, letter: str) -> None:
    token = token_of(SALT, "abcdefghjk", KEY)
    changed = token[:place] + letter + token[place + 1 :]
    assert (read_token(SALT, changed) is not None) is (changed == token)
    assert read_token(b"another salt", token) is None


_PIECES = st.sampled_from(
    [
        '<a href="',
        "<a href='",
        '">',
        "'>",
        "</a>",
        "https://",
        "http://x.example/",
        "javascript:",
        "&amp;",
        "&quot;",
        " ",
        "x",
        "\n",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_page_only_links_change(tx: Tx, html: str) -> None:
    made = shortener(tx).html(html)
    for short in [part[:LENGTH] for part in made.split(f"{BEGIN}/c/")[1:]]:
        assert leads_to(tx, f"{BEGIN}/c/{short}").startswith(("http://", "https://"))
