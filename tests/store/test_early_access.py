"""Early access: let in at its time, whoever stands in the tier, once each; and nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.config.layering import merge
from connector.config.loyalty import loyalty_faults, read_loyalty
from connector.loyalty import perks_of
from connector.model import Customer, Event, EventKind, Ref
from connector.store import Store, people
from connector.worker import Worker
from tests.store.loyal import AINO, DAY, Loyal, line, purchase, told
from tests.store.trade import SHOP

PERK: dict[str, Any] = {
    "kind": "early_access",
    "title": "Autumn",
    "tiers": ["gold"],
    "begins": "2026-03-12 10:00",
    "opens": "2026-03-22 10:00",
    "link": "https://shop.example/autumn",
    "tag": "early-autumn",
}
PROGRAMME: dict[str, Any] = {
    "return_window": "14d",
    "rules": {"spend": {"kind": "spend", "points": 1, "per": "1 EUR"}},
    "tiers": {"silver": {"at": "50 EUR"}, "gold": {"at": "100 EUR"}},
    "perks": {"autumn": PERK},
}


@pytest.fixture
def life(store: Store, tmp_path: Path) -> Loyal:
    return Loyal(store, tmp_path, PROGRAMME)


def let_in(life: Loyal) -> list[tuple[int, str]]:
    """Day and perk of everybody who was told."""
    return [(day, data["perk"]) for day, _, data in life.told("perk.opened")]


def test_members_of_the_tier_are_let_in_when_it_begins_and_once(life: Loyal) -> None:
    life.buys(line("a", "120"), order_id="1")
    life.buys(line("a", "60"), order_id="2", email="eero@example.test")  # silver: not theirs
    life.live(9 * DAY)
    assert let_in(life) == []
    life.live(12 * DAY)
    assert let_in(life) == [(9, "Autumn")], "ten in Helsinki is before nine in UTC, when days turn here"
    (_, _, data) = life.told("perk.opened")[0]
    expected = {"link": PERK["link"], "tag": "early-autumn", "name": "autumn", "opens": "2026-03-22T08:00:00.000000Z"}
    assert {key: data[key] for key in expected} == expected
    assert life.state()["perks"] == ["autumn"]
    assert "perks" not in life.state("eero@example.test")
    life.worker = Worker(life.kiitos)  # a restart, a second worker: nobody is looked at again for it
    assert life.worker.looks.work() == 0
    life.buys(line("a", "10"), order_id="3")
    life.live(15 * DAY)
    assert let_in(life) == [(9, "Autumn")]
    (row,) = perks_of(life.kiitos, SHOP)
    assert (row["state"], row["let_in"], row["tiers"]) == ("for members", 1, "gold")


def test_who_comes_to_stand_there_later_is_let_in_then_and_nobody_once_it_is_open_to_all(life: Loyal) -> None:
    life.buys(line("a", "60"), order_id="1")
    life.live(14 * DAY)
    life.buys(line("a", "60"), order_id="2")
    life.live(16 * DAY)
    assert let_in(life) == [(14, "Autumn")]
    life.live(25 * DAY)
    life.buys(line("a", "300"), order_id="3", email="late@example.test")
    life.live(27 * DAY)
    assert let_in(life) == [(14, "Autumn")]
    assert perks_of(life.kiitos, SHOP)[0]["state"] == "open to everybody"


def test_a_perk_that_is_written_while_it_runs_begins_at_once(life: Loyal) -> None:
    life.programme = {key: value for key, value in PROGRAMME.items() if key != "perks"}
    life.configure({})
    life.buys(line("a", "120"))
    life.live(12 * DAY)
    assert let_in(life) == []
    life.programme = PROGRAMME
    life.configure({})
    life.live(13 * DAY)
    assert let_in(life) == [(12, "Autumn")]


def test_two_accounts_that_become_one_are_let_in_once(life: Loyal) -> None:
    for number in (0, 1):
        made = purchase(line("a", "120"), order_id=f"{number}", email=f"a{number}@example.test", at=life.clock.now())
        who = Customer(id=f"c{number}", email=f"a{number}@example.test")
        life.take_in(told(replace(made, customer=who), EventKind.ORDER_PAID))
    life.live(11 * DAY)
    assert len(let_in(life)) == 2
    merged = Event(
        kind=EventKind.CUSTOMER_MERGED,
        key="m",
        subject=Ref("customer", "c0"),
        at=life.clock.now(),
        customer_id="c0",
        data={"kept": "c0", "merged": "c1"},
    )
    life.take_in(merged)
    life.live(15 * DAY)
    assert len(let_in(life)) == 2
    assert perks_of(life.kiitos, SHOP)[0]["let_in"] == 1


def test_the_forgotten_are_let_in_nowhere(life: Loyal) -> None:
    life.buys(line("a", "120"))
    with life.store.work.transaction() as tx:
        people.erase(tx, people.find(tx, SHOP, email=AINO), life.clock.new_id, (), "")
    life.live(12 * DAY)
    assert let_in(life) == []


def test_without_the_marker_every_restart_would_look_at_everybody(life: Loyal) -> None:
    """Planted: what keeps it to once is the row."""
    life.buys(line("a", "120"))
    life.live(12 * DAY)
    with life.store.work.transaction() as tx:
        tx.script("DELETE FROM perk_openings")
    life.worker = Worker(life.kiitos)
    assert life.worker.looks.work() == 1


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"kind": "early"}, "should be one of early_access"),
        ({"begins": "soon"}, "should be a time of the shop's clock"),
        ({"link": "http://shop.example"}, "begins with https://"),
        ({"tag": "a,b"}, "without a comma"),
        ({"beginns": "2026-03-12 10:00"}, "did you mean 'begins'"),
    ],
)
def test_a_slip_is_named(changes: dict[str, Any], fault: str) -> None:
    (found,) = loyalty_faults("loyalty", {"perks": {"x": {**PERK, **changes}}})
    assert fault in found


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"tiers": ["golden"]}, "loyalty.perks.autumn.tiers: no tier 'golden'"),
        ({"opens": "2026-03-11 10:00"}, "a later opens"),
        ({"link": "", "tag": ""}, "needs a link to be told of, or a tag"),
        ({"begins": None}, "needs begins"),
    ],
)
def test_what_only_the_whole_can_tell(changes: dict[str, Any], fault: str) -> None:
    faults: list[str] = []
    table = {key: value for key, value in {**PERK, **changes}.items() if value not in (None, "")}
    whole = {"timezone": "Europe/Helsinki", "loyalty": {**PROGRAMME, "perks": {"autumn": table}}}
    read_loyalty(merge([("app", whole)]), "app", "EUR", faults)
    assert any(fault in each for each in faults), faults


LISTED = {"kind": "invitation", "begins": "2026-03-12 10:00", "ends": "2026-03-22 10:00"}


@pytest.mark.parametrize(
    ("name", "changes", "fault"),
    [
        ("evening", {"ends": None}, "a later ends"),
        ("evening", {"opens": "2026-03-22 10:00"}, "loyalty.perks.evening.opens: write ends"),
        ("evening", {"tag": "x"}, "loyalty.perks.evening.tag: only of"),
        ("An_evening", {}, "its name is that of its list"),
        ("evening", {}, ""),
    ],
)
def test_of_a_list_other_things_are_told(name: str, changes: dict[str, Any], fault: str) -> None:
    faults: list[str] = []
    table = {key: value for key, value in {**LISTED, **changes}.items() if value is not None}
    whole = {"timezone": "Europe/Helsinki", "loyalty": {**PROGRAMME, "perks": {name: table}}}
    read_loyalty(merge([("app", whole)]), "app", "EUR", faults)
    assert any(fault in each for each in faults) if fault else faults == []


def test_times_are_the_shops() -> None:
    whole = {"timezone": "Asia/Tokyo", "loyalty": PROGRAMME}
    (perk,) = read_loyalty(merge([("app", whole)]), "app", "EUR", []).perks
    assert perk.over - perk.begins == timedelta(days=10)
    assert perk.begins.isoformat() == "2026-03-12T01:00:00+00:00"
