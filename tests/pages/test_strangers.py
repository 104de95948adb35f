"""Those who follow links without meaning to, and those who guess them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.store import links, shops
from connector.testing.fakes.people import Article, Buyer
from connector.testing.world import SHOPIFY, World
from tests.pages.life import (
    AINO,
    NORA,
    TWO,
    client,
    link,
    links_of,
    mails,
    order_arrives,
    snapshot,
    woo_order_leaves,
)

POSTS = ({"List-Unsubscribe": "One-Click"}, {"scope": "review"}, {"rating-1": "5"}, {})


def test_a_scanner_that_opens_every_link_changes_nothing(world: World) -> None:
    """Security gateways fetch header and body links, often several times, with GET and HEAD (RFC 8058 section 1)."""
    order_arrives(world, NORA)
    order_arrives(world, AINO)
    woo_order_leaves(world, Buyer(first_name="Eero", last_name="Salo", email="eero@example.test"))
    world.wait(days=32)
    base = world.serving.url
    addresses = {url for message in mails(world) for url in links_of(message) if url.startswith(base)}
    paths = [urlsplit(url).path.split("/") for url in addresses]
    assert {kind if place == "p" else place for _, place, kind, *_ in paths} == {
        "unsubscribe", "review", "friend", "share", "preferences", "order", "c",
    }  # fmt: skip
    before = untouched(world)
    with requests.Session() as scanner:
        for _ in range(3):
            for url in sorted(addresses):
                for method in ("GET", "HEAD"):
                    answer = scanner.request(
                        method, url, timeout=10, headers={"Referer": "https://scanner.example/"}, allow_redirects=False
                    )
                    assert answer.status_code == (302 if "/c/" in url else 200), (method, url)
        assert not scanner.cookies
    assert len(addresses) * 6 > 60
    assert untouched(world) == before
    assert world.worker.drain().effects == 0
    requests.post(next(url for url in addresses if "/unsubscribe/" in url), timeout=10).raise_for_status()
    assert untouched(world) != before, "the snapshot would not notice an opt-out"


def untouched(world: World) -> Mapping[str, list[tuple[Any, ...]]]:
    """All that nobody but a person may change. What opened a link is written down, to be judged (test_clicks.py)."""
    return {name: rows for name, rows in snapshot(world).items() if name != "clicks"}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, dict[str, str]]]:
    """A world that nobody changes, with one real token of each kind."""
    from tests.pages.life import START

    with World(tmp_path_factory.mktemp("tokens"), START) as world:
        order_arrives(world)
        world.wait(days=20)
        yield (
            world,
            {
                kind: link(world, NORA, kind).rpartition("/")[2]
                for kind in ("review", "unsubscribe", "friend", "share", "order")
            },
        )


def mutations(token: str) -> st.SearchStrategy[str]:
    place = st.integers(0, len(token) - 1)
    letter = st.sampled_from("0123456789abcdefghjkmnpqrstvwxyzILOU%_'\";-\x00é☕")
    return st.one_of(
        st.tuples(place, letter).map(lambda pair: token[: pair[0]] + pair[1] + token[pair[0] + 1 :]),
        place.map(lambda cut: token[:cut]),
        st.text("0123456789abcdefghjkmnpqrstvwxyz%_", max_size=70).map(lambda more: token + more),
        st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=26, max_size=26),
        st.text(max_size=30),
    ).filter(lambda made: made not in (token, "", ".", "..") and "/" not in made)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_token_opens_nothing(tokens: tuple[World, dict[str, str]], data: st.DataObject) -> None:
    world, real = tokens
    kind = data.draw(st.sampled_from(sorted(real)))
    token = data.draw(mutations(real[kind]))
    visitor = client(world)
    answers = {}
    for method in ("GET", "HEAD", "POST"):
        answers[method] = visitor.open(f"/p/{kind}/{requests.utils.quote(token, safe='')}", method=method).status_code
    assert answers["GET"] == answers["HEAD"] == 404
    assert answers["POST"] == {"unsubscribe": 200, "review": 404, "friend": 404, "share": 404, "order": 405}[kind]


def test_a_changed_token_changes_nothing(tokens: tuple[World, dict[str, str]]) -> None:
    world, real = tokens
    visitor, before = client(world), snapshot(world)
    for kind, token in real.items():
        for other in (token.upper(), token[::-1], token[:-1], f"{token} ", f"{token}%00", "%25", "a" * 5000):
            for data in POSTS:
                visitor.post(f"/p/{kind}/{other}", data=data)
    assert snapshot(world) == before


def test_a_token_opens_its_own_kind_only(tokens: tuple[World, dict[str, str]]) -> None:
    world, real = tokens
    visitor, before = client(world), snapshot(world)
    for kind, token in real.items():
        for page in real:
            if page == kind:
                continue
            assert visitor.get(f"/p/{page}/{token}").status_code == 404
            visitor.post(f"/p/{page}/{token}", data={"scope": "marketing"})
    assert snapshot(world) == before
    for kind, token in real.items():
        assert visitor.get(f"/p/{kind}/{token}").status_code == 200


def test_links_show_no_address_and_no_name(tokens: tuple[World, dict[str, str]]) -> None:
    """A link gets passed on; the page behind it shows no more than it must (promises B1 row 34)."""
    world, real = tokens
    visitor = client(world)
    for kind, token in real.items():
        assert token.isalnum()
        shown = visitor.get(f"/p/{kind}/{token}").text.lower()
        for private in ("nora.lind", "@example.test", "lind<", "keksittykatu", "00100"):
            assert private not in shown, (kind, private)
    assert "Nora" in visitor.get(f"/p/review/{real['review']}").text, "the name field is filled in for its owner"


PAYLOADS = (
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</legend></fieldset></form><form action=https://evil.example>",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}{{ config }}",
    "{shop.__class__.__mro__}{0}{number}",
    "${alert(1)}`${alert(1)}`",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "\u202e<script>\u2066",
    "<sCrIpT\n>alert(1)</ScRiPt >",
    "<math><mtext><script>alert(1)</script>",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    '\\"-alert(1)//',
    "\u2028<script>\u2029",
    "＜script＞alert(1)＜/script＞",
    "<input name=scope value=undo>",
    "<button formaction=https://evil.example>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
)


class Tags(HTMLParser):
    """What a browser would build out of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


EXPECTED_TAGS = {
    *("html", "head", "meta", "link", "title", "style", "body", "main", "div", "p", "h1", "bdi", "form", "fieldset"),
    *("legend", "label", "input", "span", "textarea", "button", "a", "h2", "ul", "li"),
}


def assert_tame(html: str, origin: str) -> str:
    """No tag, attribute or address that our templates do not have; the page's text."""
    tags = Tags()
    tags.feed(html)
    assert {tag for tag, _ in tags.found} <= EXPECTED_TAGS, origin
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "formaction")]
        assert (attributes.get("action") or "/p/").startswith("/p/")
        assert "http-equiv" not in attributes
        href = attributes.get("href")
        assert href is None or href == "data:," or href.startswith(("https://", "http://", "/p/")), (tag, href, origin)
        assert "evil.example" not in (href or "")
    return tags.text


@pytest.mark.parametrize("first", range(0, len(PAYLOADS), 10))
def test_hostile_text_stays_text(world: World, first: int) -> None:
    """Names, product titles, review texts, the shop's own name; ten customers a shop."""
    people = {
        payload: replace(NORA, first_name=payload, last_name=payload, email=f"p{number}@example.test")
        for number, payload in enumerate(PAYLOADS[first : first + 10])
    }
    for payload, buyer in people.items():
        goods = Article(title=payload, price=TWO[0][0].price, sku=f"X-{buyer.email}")
        order_arrives(world, buyer, ((goods, 1), TWO[0]))
    world.wait(days=11)
    visitor = client(world)
    for payload, buyer in people.items():
        with world.kiitos.store.work.transaction() as tx:
            stored = shops.get(tx, SHOPIFY)
            assert stored is not None
            shops.save(tx, replace(stored, name=payload), world.clock.now())
        path = link(world, buyer, "review")
        product = re.search(r'name="rating-([^"]+)"', visitor.get(path).text)
        assert product is not None
        shown = assert_tame(visitor.get(path, query_string={"rating": payload, "product": payload}).text, payload)
        assert payload.strip() in shown, "the text is shown as it was written"
        refused = visitor.post(path, data={f"text-{product[1]}": payload, "author": payload})
        assert refused.status_code == 422
        assert_tame(refused.text, payload)
        sent = visitor.post(path, data={f"rating-{product[1]}": "5", f"text-{product[1]}": payload, "author": payload})
        assert_tame(visitor.get(sent.location).text, payload)
        stop = link(world, buyer, "unsubscribe")
        for answer in (
            visitor.get(stop),
            visitor.post(stop, data={"scope": payload}),
            visitor.get(f"/p/review/{payload}"),
        ):
            assert_tame(answer.text, payload)


def test_the_check_notices_what_is_not_escaped() -> None:
    noticed = 0
    for payload in PAYLOADS:
        try:
            assert_tame(f"<p>{payload}</p>", payload)
        except AssertionError:
            noticed += 1
    assert noticed >= 15


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", 'https://evil.example"x'])
def test_a_shop_address_that_is_none_makes_no_link(world: World, url: str) -> None:
    with world.kiitos.store.work.transaction() as tx:
        stored = shops.get(tx, SHOPIFY)
        assert stored is not None
        shops.save(tx, replace(stored, url=url), world.clock.now())
        links.put(tx, SHOPIFY, "f" * 26, "referral", {"code": "FRIEND-<b>", "url": url}, world.clock.now())
    page = client(world).get(f"/p/friend/{'f' * 26}").text
    assert "FRIEND-<b>" in assert_tame(page, "friend")
    assert "<a " not in page
