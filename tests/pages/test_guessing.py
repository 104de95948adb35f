"""Nobody guesses: how many bits there are in what opens a page or is money, and what becomes of ten thousand tries.

Codes are tried at the shop's checkout, where neither platform promises a limit, so each has 80 bits. Tokens of pages
have 130, and nothing of ours says whether a code is one. What somebody can know (an order's number and an address) is
asked for only so often.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.contracts.step import CODE_LETTERS
from connector.pages import find
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import FLOWS, SHOPIFY, World
from flows.facts import _LETTERS
from flows.sending import short_links
from flows.sending.addressing import _ALPHABET, derive_token
from tests.pages.life import NORA, START, client, link, mails, order_arrives
from tests.pages.member import SETTINGS as LOYALTY
from tests.pages.member import exchanges, gives, page_of

GUESSES = 10_000
SALT = b"s" * 32
SETTINGS = {
    **LOYALTY,
    "soft_opt_in": ["review", "referral"],
    "flows": {name: {"file": name.replace("-", "_")} for name in (*FLOWS, "order-link")},
    "people": {"support": {"name": "Kaisa", "email": "kaisa@aurora.example"}},
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, START, settings=SETTINGS, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def bits(secret: str, alphabet: str) -> float:
    """Of a text each of whose letters may be any of the alphabet. Raises `ValueError` for a letter that may not."""
    if strange := set(secret) - set(alphabet):
        raise ValueError(f"no letters of the alphabet: {strange}")
    return len(secret) * math.log2(len(set(alphabet)))


def test_letters_are_as_likely_as_one_another() -> None:
    """Five bits each, at every place: none is left out, none comes often."""
    made = [derive_token(SALT, str(number)) for number in range(4000)]
    for place in range(26):
        seen = [token[place] for token in made]
        counts = [seen.count(letter) for letter in _ALPHABET]
        assert min(counts) > 60, (place, counts)
        assert max(counts) < 200, (place, counts)


def test_codes_have_eighty_bits(world: World) -> None:
    """Those of flows, by which friends and buyers are thanked, and those of points."""
    order_arrives(world, NORA)
    world.wait(days=25)
    shop = [discount.code for discount in world.shopify.discounts.values()]
    gives(world, 500, str(NORA.email), "guessing")
    page = page_of(world, str(NORA.email))
    exchanges(client(world), page, "five")
    world.wait(minutes=2)
    points = [discount.code for discount in world.shopify.discounts.values() if discount.code not in shop]
    assert shop, "a flow made one"
    assert points, "points made one"
    for code in (*shop, *points):
        assert bits(code.rpartition("-")[2], _LETTERS) >= 80, code


def test_what_opens_a_page_has_more(world: World) -> None:
    """Those of mails, of the shop's pages, and of short links: an address and a signature must both be met."""
    order_arrives(world, NORA)
    world.wait(days=25)
    for kind in ("review", "unsubscribe", "friend"):
        assert bits(link(world, NORA, kind).rpartition("/")[2].partition("?")[0], _ALPHABET) >= 128, kind
    assert bits(find.find_token(SALT, SHOPIFY), _ALPHABET) >= 128
    token = short_links.token_of(SALT, "0" * short_links._URL, "m" * 12)
    met = short_links._URL + short_links._SIGNATURE
    assert len(token) - short_links._MESSAGE == met
    assert bits("0" * met, _ALPHABET) >= 80


def test_the_counting_sees_what_is_short() -> None:
    """Control: what codes had before, and one whose letters are not those of the alphabet."""
    assert bits("0" * 10, _LETTERS) == 50
    assert bits("0" * 12, _LETTERS) == 60
    with pytest.raises(ValueError, match="no letters"):
        bits("lower", _LETTERS)
    assert CODE_LETTERS * 5 == 80


@pytest.mark.slow
def test_ten_thousand_tokens_open_nothing(world: World) -> None:
    order_arrives(world, NORA)
    world.wait(days=16)
    mine = link(world, NORA, "review")
    visitor = client(world)
    kinds = ("review", "preferences", "reviews", "photo")
    answers = [
        visitor.get(f"/p/{kinds[n % 4]}/{derive_token(SALT, str(n))}{'/77' * (n % 4 == 2)}") for n in range(GUESSES)
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert visitor.get(mine).status_code == 200, "control: the one that is right; and nobody is locked out"


def find_form(world: World) -> str:
    return "/p/" + find.find_link(world.kiitos, SHOPIFY).partition("/p/")[2]


def tries(world: World, number: str) -> Counter[int]:
    """Ten thousand addresses for an order, all from one place; how often which status was answered."""
    visitor, path = client(world), find_form(world)
    place = {"REMOTE_ADDR": "192.0.2.1"}
    return Counter(
        visitor.post(path, data={"number": number, "email": f"n{n}@example.test"}, environ_base=place).status_code
        for n in range(GUESSES)
    )


@pytest.mark.slow
def test_ten_thousand_guesses_are_slowed_and_lock_nobody_out(world: World) -> None:
    """Ten in ten minutes are looked at, whatever they say; whose order it is has their mail all the same."""
    order = order_arrives(world, NORA)
    world.wait(minutes=5)
    before = len(mails(world))
    assert tries(world, str(order["name"])) == {200: find.OF_ONE, 429: GUESSES - find.OF_ONE}
    world.wait(minutes=5)
    assert len(mails(world)) == before, "nothing was hit"
    form = {"number": str(order["name"]), "email": str(NORA.email)}
    mine = client(world).post(find_form(world), data=form, environ_base={"REMOTE_ADDR": "192.0.2.2"})
    assert mine.status_code == 200
    world.wait(minutes=5)
    assert len(mails(world, NORA)) > 0
    assert len(mails(world)) == before + 1, "control: what is right is mailed"


def test_without_the_limit_the_guesses_would_be_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "OF_ONE", 10**6)
    monkeypatch.setattr(find, "OF_ALL", 10**6)
    order = order_arrives(world, NORA)
    monkeypatch.setattr(f"{__name__}.GUESSES", 40)
    assert tries(world, str(order["name"])) == {200: 40}
