"""What the mail that asks for a review says and asks about, over both fakes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.store import runs
from connector.testing.demo.mailbox import read_mail
from connector.testing.demo.scenario import LIISA, MONDAY, MUG, SOCKS
from connector.testing.fakes.people import AINO
from connector.testing.world import SHOPIFY, World
from tests.journeys.conftest import Worlds
from tests.journeys.reviewing import form_of, products_in
from tests.journeys.test_review_request import delivered_order, woo_order

GIVES_NOTHING = {"flows": {"review-request": {"file": "review_request", "remove": ["reward", "thanks"]}}}
POINTS = {"return_window": "14d", "rules": {"review": {"kind": "review", "points": 20}}}
TOLD = "jokainen arvostelun kirjoittanut saa palkkion"


def asking(world: World, address: str) -> list[Any]:
    """The mails that ask for a review, oldest first."""
    mails = [read_mail(0, kept) for kept in world.sink.to(address)]
    return [mail for mail in mails if "/p/review/" in mail.text]


@pytest.mark.parametrize(
    ("settings", "told"), [({}, True), (GIVES_NOTHING, False), ({**GIVES_NOTHING, "loyalty": POINTS}, True)]
)
def test_who_is_asked_knows_what_is_given_for_it(worlds: Worlds, settings: dict[str, Any], told: bool) -> None:
    """A code of the flow's, or points of the programme's; the request and the reminder both say so, or neither."""
    world = worlds(**settings)
    woo_order(world)
    world.until(MONDAY + timedelta(days=30))
    request, reminder = asking(world, str(LIISA.email))
    for mail in (request, reminder):
        assert (TOLD in mail.text, TOLD in mail.html) == (told, told)


@pytest.mark.parametrize(("again_after", "again"), [("365d", False), ("0d", True)])
def test_nobody_is_asked_about_the_same_product_with_every_order(worlds: Worlds, again_after: str, again: bool) -> None:
    """An order of something new is asked about that alone, one of nothing new is not asked about. The control minds no
    repetition."""
    world = worlds(reviews={"again_after": again_after})
    delivered_order(world)
    world.until(MONDAY + timedelta(days=13, hours=12))
    assert len(asking(world, str(AINO.email))) == 1
    for articles in ([(MUG, 1), (SOCKS, 1)], [(MUG, 1)]):
        parcel = world.shopify.fulfill(world.shopify.place_order(articles, AINO))
        world.deliver()
        world.shopify.carrier_event(parcel, "delivered")
        world.deliver()
    world.wait(days=12)
    mails = asking(world, str(AINO.email))[1:]
    requests = [(SOCKS.title in mail.text, MUG.title in mail.text) for mail in mails]
    reminder, both = (False, True), (True, again)
    assert sorted(requests) == sorted([reminder, both, (False, True)] if again else [reminder, both])
    last = str(max(world.shopify.orders))
    with world.kiitos.store.work.read() as tx:
        told = [line for run in runs.of_order(tx, SHOPIFY, last) for line in runs.journal_of(tx, SHOPIFY, run.id)]
    assert any("asked_before" in line.detail.values() for line in told) is not again
    assert len(products_in(form_of(world, AINO))) == (1 if again else 2), "who wants to may write about the other too"
