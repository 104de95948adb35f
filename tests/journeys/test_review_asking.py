"""What the mail that asks for a review says and asks about, over both fakes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.testing.demo.mailbox import read_mail
from connector.testing.demo.scenario import LIISA, MONDAY
from connector.testing.world import World
from tests.journeys.conftest import Worlds
from tests.journeys.test_review_request import woo_order

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
