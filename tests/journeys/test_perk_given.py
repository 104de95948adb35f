"""Places at an evening over both platforms: so many and no more, one each, and nobody hears of what they cannot
have."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.app import build
from connector.explaining.explain import explain
from connector.loyalty import perks_of
from connector.store import Store, perks
from connector.store.db import Tx
from connector.testing.demo.scenario import LIISA
from connector.testing.fakes.people import Buyer
from connector.testing.world import SHOPIFY, WOO, World
from connector.watching.doctor import examine_running
from connector.worker import Worker
from tests.journeys.conftest import Worlds
from tests.journeys.test_early_access import SETTINGS as BEFORE
from tests.journeys.test_early_access import buys, page
from tests.journeys.test_referral import ADVOCATE, FRIEND
from tests.journeys.test_referral_terms import mails

TITLE, LINK = "Pikkujoulut", "https://shop.example/pikkujoulut"
BEGINS = datetime(2026, 11, 12, 8, 0, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    **BEFORE,
    "flows": {"perk-given": {"file": "perk_given"}, "perk-opened": {"file": "perk_opened"}},
    "loyalty": {
        **BEFORE["loyalty"],
        "perks": {
            "evening": {
                "kind": "invitation",
                "title": TITLE,
                "tiers": ["gold"],
                "begins": "2026-11-12 10:00",
                "ends": "2026-11-20 18:00",
                "link": LINK,
            }
        },
    },
}
SEAT = re.compile(r"SEAT-\d")
LATER = Buyer(first_name="Veera", last_name="Salo", email="veera.salo@example.test", locale="fi-FI")
GOLD = (ADVOCATE, FRIEND, LIISA)


def fill(world: World, shop_id: str, *codes: str) -> None:
    with world.kiitos.store.work.transaction() as tx:
        perks.add(tx, shop_id, "evening", codes)


def together(world: World) -> None:
    """Two workers at once, each with connections of its own, until neither finds anything to do."""
    other = build(
        world.kiitos.config, clock=world.clock, store=Store.open(f"sqlite:///{world.folder}/kiitos.db", migrate=False)
    )
    try:
        start = threading.Barrier(2)

        def work(worker: Worker) -> None:
            start.wait(10)
            worker.drain()

        with ThreadPoolExecutor(2) as pool:
            for ended in [pool.submit(work, each) for each in (world.worker, Worker(other))]:
                ended.result(60)
    finally:
        other.close()


def seats(world: World, buyer: Buyer) -> list[str]:
    """The codes in the mails that name the evening to them, one a mail."""
    found = [set(SEAT.findall(mail)) for mail in mails(world, buyer) if TITLE in mail]
    assert all(len(each) == 1 for each in found), "no mail without a place, none with two"
    return [code for each in found for code in each]


def warned(world: World, shop_id: str) -> list[str]:
    found = examine_running(world.kiitos, slow=False)
    return [one.what for one in found if (one.check, one.subject) == ("perks", shop_id)]


def invite(world: World, shop_id: str) -> None:
    """Three of the tier, two places; the invitations begin while two workers are at it."""
    for buyer in GOLD:
        buys(world, shop_id, buyer, 2)
    world.until(BEGINS - timedelta(minutes=1))
    assert [seats(world, buyer) for buyer in GOLD] == [[], [], []], "it has not begun"
    world.clock.advance(timedelta(minutes=1))
    together(world)
    world.wait(hours=1)


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
def test_places_run_out_and_nobody_hears_of_what_they_cannot_have(worlds: Worlds, shop_id: str) -> None:
    world = worlds(**SETTINGS)
    assert warned(world, shop_id) == ["the list 'evening' has nothing in it yet"]
    fill(world, shop_id, "SEAT-1", "SEAT-2")
    assert warned(world, shop_id) == []
    invite(world, shop_id)
    given = {str(buyer.email): seats(world, buyer) for buyer in GOLD}
    assert sorted(code for codes in given.values() for code in codes) == ["SEAT-1", "SEAT-2"]
    (late,) = [buyer for buyer in GOLD if not given[str(buyer.email)]]
    for buyer in GOLD:
        shown, mine = page(world, shop_id, buyer), given[str(buyer.email)]
        assert SEAT.findall(shown) == mine, "the page shows the same, or nothing"
        assert (LINK in shown) is bool(mine)
    assert warned(world, shop_id) == ["all 2 of the list 'evening' are given out: who comes now gets none"]
    (row,) = perks_of(world.kiitos, shop_id)
    assert (row["kind"], row["state"], row["let_in"], row["left"]) == ("invitation", "for members", 3, 0)
    story = explain(world.kiitos.store, shop_id, str(late.email))
    assert story is not None
    assert any("none is left of 'evening'" in line.text for line in story.lines)

    fill(world, shop_id, "SEAT-3")
    buys(world, shop_id, LATER, 2)  # gold by now
    assert seats(world, LATER) == ["SEAT-3"], "who comes to the tier later is invited then"
    world.wait(days=10)
    assert {str(buyer.email): seats(world, buyer) for buyer in GOLD} == given, "once, and no word to whoever came late"
    assert SEAT.findall(page(world, shop_id, ADVOCATE)) == [], "over"
    assert warned(world, shop_id) == [], "an empty list of what is over is nobody's trouble"


def test_a_list_that_gives_the_same_place_twice_would_be_seen(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the taking of a place broken, the journey above would not end as it does."""

    def first(tx: Tx, shop_id: str, perk: str, account: str, now: datetime) -> str | None:
        free = tx.one("perk_free", shop_id=shop_id, perk=perk)
        return str(free["code"]) if free else None

    monkeypatch.setattr(perks, "take", first)
    world = worlds(**SETTINGS)
    fill(world, WOO, "SEAT-1", "SEAT-2")
    invite(world, WOO)
    assert [seats(world, buyer) for buyer in GOLD] == [["SEAT-1"]] * 3


def test_without_the_flow_the_doctor_says_so(worlds: Worlds) -> None:
    world = worlds(**{**SETTINGS, "flows": {"perk-opened": {"file": "perk_opened"}}})
    fill(world, WOO, "SEAT-1")
    assert warned(world, WOO) == ["no flow hands out evening: switch on perk_given"]
