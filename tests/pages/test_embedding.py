"""Our pages inside the shop's theme: only what Shopify signed just now, only the visitor's own, never a command."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from connector.model import Event, EventKind, Ref
from connector.model.party import Customer
from connector.store import entities, referrals
from connector.testing.world import SHOPIFY, WOO, World
from tests.pages.life import NORA, order_arrives, snapshot
from tests.pages.member import gives, page_of
from tests.pages.test_proxy import ask, signed

HOSTILE = "{{ shop.email }}{% include 'x' %}<script>alert(1)</script>"


@pytest.fixture
def life(world: World) -> World:
    order_arrives(world)
    return world


def copier(world: World) -> str:
    """The one script that a piece of ours may bring into the theme."""
    return f'<script src="{world.kiitos.config.app.base_url}/p/copy.js" defer>'


def nora(world: World) -> str:
    return str(next(iter(world.shopify.customers)))


def test_each_page_shows_what_is_the_visitors_own(life: World) -> None:
    gives(life, 150)
    now = life.clock.now()
    with life.kiitos.store.work.transaction() as tx:
        referrals.put_code(tx, SHOPIFY, "friend-7", str(NORA.email).lower(), nora(life), None, "run", now)
    for what, expected in (("points", "150</strong>"), ("share", "FRIEND-7"), ("orders", "#1001")):
        answer = ask(life, what, signed(life, logged_in_customer_id=nora(life)))
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/liquid; charset=utf-8"
        assert expected in answer.text, what
        assert re.findall(r"<script[^>]*>", answer.text) == ([copier(life)] if what == "share" else [])
        assert "<form" not in answer.text
        for somebody in ("", "99999"):
            other = ask(life, what, signed(life, logged_in_customer_id=somebody))
            assert other.status_code == 200
            assert "Log in to see this" in other.text
            assert expected not in other.text, (what, somebody)


def test_a_look_makes_no_link_and_shows_one_that_was_sent(life: World) -> None:
    gives(life, 150)
    before = snapshot(life)
    query = signed(life, logged_in_customer_id=nora(life))
    for what in ("points", "share", "orders"):
        for _ in range(3):
            answer = ask(life, what, query)
            assert answer.status_code == 200
    assert snapshot(life) == before
    assert "/p/loyalty/" not in ask(life, "points", query).text
    path = page_of(life)
    assert f'{path}"' in ask(life, "points", query).text


def test_what_is_not_signed_or_old_is_refused(life: World) -> None:
    good = signed(life, logged_in_customer_id=nora(life))
    for what in ("points", "share", "orders"):
        forged = good.replace(f"logged_in_customer_id={nora(life)}", "logged_in_customer_id=1")
        assert ask(life, what, forged).status_code == 401
        assert ask(life, what, signed(life, secret="another")).status_code == 401
        assert ask(life, what, good, WOO).status_code == 404
    life.clock.advance(timedelta(seconds=91))
    assert ask(life, "points", good).status_code == 401


def test_what_a_person_wrote_is_no_command_of_the_theme(world: World) -> None:
    """A customer who is called like a Liquid tag would otherwise read the theme's data, or worse."""
    world.kiitos.config.shops[SHOPIFY].loyalty.tiers  # noqa: B018 - the programme is the fixture's
    now = world.clock.now()
    customer = Customer(id="31", email="x@example.test", updated_at=now)
    event = Event(kind=EventKind.CUSTOMER_UPDATED, key="31", subject=Ref("customer", "31"), at=now, customer=customer)
    with world.kiitos.store.work.transaction() as tx:
        entities.apply_many(tx, SHOPIFY, [event], now)
        referrals.put_code(tx, SHOPIFY, HOSTILE, "x@example.test", "31", None, "run", now)
    told = ask(world, "share", signed(world, logged_in_customer_id="31")).text
    assert "ALERT(1)" in told.upper(), "the text itself is shown"
    assert copier(world) in told
    assert not re.search(r"[{}]|<script", told.replace(copier(world), ""), re.IGNORECASE)
