"""Flows change under a running product: workers take in what was applied, and whatever dies, each shop is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import changes
from connector.app import Kiitos, build
from connector.changes import (
    Applied,
    Choices,
    Plan,
    adopt,
    apply_shop,
    make_plan,
    target_of_files,
    target_of_state,
    targets_of,
)
from connector.changes.files import with_flows
from connector.clock import ManualClock
from connector.config import parse_config
from connector.model import Ref, Run, RunStatus
from connector.store import applied, runs
from connector.store.store import Store
from connector.testing.demo.scenario import MONDAY
from connector.testing.world import SHOPIFY, WOO
from connector.worker import Worker
from flows.authoring.moving import Migration
from flows.render.sources import Sources
from tests.engine.world import event, order
from tests.journeys.bare import build_bare
from tests.journeys.test_crashes import Crash, Fuse, fused_commits

REVIEW = "review-request"
MOVING = Choices(Migration.MOVE, overriding=True)
SHOPS = (SHOPIFY, WOO)


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open("sqlite://:memory:")
    yield opened
    opened.close()


@dataclass
class House:
    """Processes on one database, each built from files of its own."""

    store: Store
    clock: ManualClock

    def built(self, wait: str = "10d", *, remove: tuple[str, ...] = (), **setting: Any) -> Kiitos:
        """A process that read files in which people are asked so long after the parcel."""
        table = {"file": "review_request", "params": {"wait": wait}, "remove": list(remove), **setting}
        return build_bare(self.clock, self.store, flows={REVIEW: table})

    def by_hand(self, wait: str = "10d", **more: Any) -> Kiitos:
        kiitos = self.built(wait, **more)
        source = {**kiitos.config.source.document, "flows": {"apply": "by_hand"}}
        config = parse_config(source, kiitos.config.path, kiitos.config.source.environ)
        return build(config, clock=self.clock, store=self.store)

    def plan(self, kiitos: Kiitos, choices: Choices = MOVING) -> Plan:
        targets = targets_of(with_flows(kiitos.config, kiitos.registry), Sources())
        with self.store.work.read() as tx:
            return make_plan(tx, targets, applied.newest(tx), choices)

    def apply(self, kiitos: Kiitos, choices: Choices = MOVING) -> None:
        for shop in self.plan(kiitos, choices).changed:
            apply_shop(kiitos, shop, choices, who="aino", what="apply")

    def ship(self, kiitos: Kiitos, count: int = 3) -> None:
        """People who wait for their parcels, in both shops."""
        now = self.clock.now()
        for shop_id in SHOPS:
            with self.store.work.transaction() as tx:
                for n in range(count):
                    made = order(id=f"o{n}", placed_at=now, updated_at=now, email=f"p{n}@example.com", customer=None)
                    ref = Ref("order", made.id)
                    told = event("order.shipped", key=f"{n}/shipped", at=now, subject=ref, order_id=made.id, order=made)
                    kiitos.runner.ingest(tx, shop_id, [told], now)

    def runs(self, shop_id: str) -> list[Run]:
        with self.store.work.read() as tx:
            return runs.active_of_flow(tx, shop_id, REVIEW, 1000)

    def state(self, shop_id: str) -> int:
        with self.store.work.read() as tx:
            found = applied.newest_of(tx, shop_id)
        return found.state if found else 0


@pytest.fixture
def house(store: Store) -> House:
    return House(store, ManualClock(MONDAY))


def version(kiitos: Kiitos, shop_id: str = WOO) -> str:
    return kiitos.catalog.flows(shop_id)[0].version


# -- workers -----------------------------------------------------------------------------------------------------------


def test_the_first_start_applies_the_files_by_itself(house: House) -> None:
    kiitos = house.built()
    worker = Worker(kiitos)
    worker.tick()
    assert house.state(WOO) == 0
    worker.adopting = True
    worker.tick()
    assert [house.state(shop_id) for shop_id in SHOPS] == [1, 1]
    worker.tick()
    assert adopt(kiitos) == 0
    with house.store.work.read() as tx:
        assert [state.what for state in applied.history(tx, WOO)] == ["first start"]


def test_a_start_with_edited_files_is_another_state_and_leaves_people_where_they_are(house: House) -> None:
    before = house.built()
    adopt(before)
    house.ship(before)
    after = house.built("21d")
    assert adopt(after) == 2
    assert {run.version for run in house.runs(WOO)} == {version(before)}
    with house.store.work.read() as tx:
        newest = applied.newest_of(tx, WOO)
    assert newest is not None
    assert (newest.what, newest.who, newest.changes[0]["left"]) == ("start", "worker", "3")


def test_a_declared_move_is_made_at_the_start_and_an_unclear_one_left(house: House) -> None:
    before = house.built()
    adopt(before)
    house.ship(before)
    unclear = house.built(migrate="move", remove=("arrival_home",))
    assert adopt(unclear) == 2
    assert {run.version for run in house.runs(WOO)} == {version(before)}
    moving = house.built("21d", migrate="move")
    assert adopt(moving) == 2
    assert {run.version for run in house.runs(WOO)} == {version(moving)}


def test_a_running_worker_takes_in_what_was_applied(house: House) -> None:
    kiitos = house.by_hand()
    worker = Worker(kiitos)
    worker.adopting = True
    worker.tick()
    house.ship(kiitos)
    edited = house.by_hand("21d")
    assert version(edited) == version(kiitos)
    house.apply(edited)
    worker.tick()
    assert version(kiitos) != house.built().catalog.flows(WOO)[0].version
    assert {run.version for run in house.runs(WOO)} == {version(kiitos)}


def test_by_hand_a_start_only_says_what_differs(house: House, caplog: pytest.LogCaptureFixture) -> None:
    adopt(house.by_hand())
    kiitos = house.by_hand("21d")
    with caplog.at_level("WARNING"):
        assert adopt(kiitos) == 0
    assert "flows_adrift" in caplog.text
    assert [house.state(shop_id) for shop_id in SHOPS] == [1, 1]


def test_by_hand_a_flows_limits_are_found_by_its_name_in_the_file(house: House) -> None:
    """What a canary keeps back must not go out because the flow calls itself otherwise than the file does."""

    def built() -> Kiitos:
        table = {"file": "review_request", "canary": "5%"}
        kiitos = build_bare(house.clock, house.store, flows={"asking": table})
        source = {**kiitos.config.source.document, "flows": {"apply": "by_hand"}}
        config = parse_config(source, kiitos.config.path, kiitos.config.source.environ)
        return build(config, clock=house.clock, store=house.store)

    adopt(built())
    setting = built().catalog.setting(WOO, REVIEW)
    assert setting is not None
    assert (setting.flow_id, setting.canary) == ("asking", 0.05)


def limited(house: House, cap: str, daily: int, *, by_hand: bool = True) -> Kiitos:
    """A process whose files have these limits."""
    table = {"file": "review_request", "daily": daily}
    kiitos = build_bare(house.clock, house.store, flows={REVIEW: table}, limits={"email": {"cap": cap}})
    if not by_hand:
        return kiitos
    source = {**kiitos.config.source.document, "flows": {"apply": "by_hand"}}
    return build(
        parse_config(source, kiitos.config.path, kiitos.config.source.environ), clock=house.clock, store=house.store
    )


def limits_of(kiitos: Kiitos) -> tuple[float, int | None]:
    setting = kiitos.catalog.setting(WOO, REVIEW)
    assert setting is not None
    return kiitos.catalog.settings(WOO).limits.of("email").cap / timedelta(hours=1), setting.daily


def test_by_hand_limits_wait_to_be_applied_as_flows_do(house: House) -> None:
    adopt(limited(house, "16h", 50))
    edited = limited(house, "1h", 9)
    adopt(edited)
    assert limits_of(edited) == (16, 50)
    plan = house.plan(edited).changed[0]
    assert set(plan.changes[0].lines) == {"limits.email.cap: 16h -> 1h", "daily: 50 -> 9"}
    assert plan.changes[0].positions == ()
    house.apply(edited)
    Worker(edited).tick()
    assert limits_of(edited) == (1, 9)
    assert limits_of(limited(house, "5h", 7)) == (1, 9)


def test_files_that_apply_themselves_apply_their_limits(house: House) -> None:
    adopt(limited(house, "16h", 50, by_hand=False))
    edited = limited(house, "1h", 9, by_hand=False)
    adopt(edited)
    assert limits_of(edited) == (1, 9)
    assert house.state(WOO) == 2


def roll_back(house: House, kiitos: Kiitos) -> None:
    """To the first state, as `kiitos flows rollback` does."""
    for shop_id in SHOPS:
        with house.store.work.read() as tx:
            first = applied.get(tx, shop_id, 1)
            assert first is not None
            target = target_of_state(tx, kiitos.config.shop(shop_id).shop.client_id, first)
            (plan,) = make_plan(tx, [target], applied.newest(tx), MOVING).shops
        assert isinstance(apply_shop(kiitos, plan, MOVING, who="aino", what="rollback"), Applied)


def test_a_rollback_holds_where_files_apply_themselves(house: House, caplog: pytest.LogCaptureFixture) -> None:
    adopt(house.built())
    newer = house.built("21d")
    adopt(newer)
    second = version(newer)
    roll_back(house, newer)
    Worker(newer).tick()
    first = version(newer)
    assert first != second
    for wait in ("21d", "30d"):  # the workers start again, with the file as it was and with one edited since
        started = house.built(wait)
        with caplog.at_level("WARNING"):
            assert adopt(started) == 0
        Worker(started).tick()
        assert version(started) == first
        assert house.state(WOO) == 3
    assert "rollback_holds" in caplog.text
    house.apply(started)  # one way out of it
    Worker(started).tick()
    assert version(started) not in (first, second)
    roll_back(house, started)
    adopt(house.built())  # the other: the file says again what runs
    edited = house.built("12d")
    adopt(edited)
    assert version(edited) not in (first, second)


def test_what_was_applied_by_hand_holds_until_files_that_apply_themselves_are_read_again(house: House) -> None:
    kiitos = house.built()
    adopt(kiitos)
    first = version(kiitos)
    house.apply(house.built("21d"))
    Worker(kiitos).tick()
    assert version(kiitos) != first
    again = house.built()
    adopt(again)
    Worker(kiitos).tick()
    assert version(again) == version(kiitos) == first
    assert house.state(WOO) == 3


def test_a_mapped_run_goes_on_at_its_new_step_and_ends(house: House) -> None:
    kiitos = house.built()
    adopt(kiitos)
    house.ship(kiitos, count=1)
    edited = house.built(remove=("arrival_home", "use"))
    choices = Choices(Migration.MOVE, mapping={"arrival_home": "ask"}, overriding=True)
    house.apply(edited, choices)
    (run,) = house.runs(WOO)
    assert run.status is RunStatus.READY
    Worker(edited).tick()
    with house.store.work.read() as tx:
        moved = runs.get(tx, WOO, run.id)
        told = [(row.step_id, row.what) for row in runs.journal_of(tx, WOO, run.id)]
    assert moved is not None
    assert moved.step > 0 or moved.status.ended
    assert ("ask", "moved") in told


# -- death at each commit ----------------------------------------------------------------------------------------------


def whole(house: House, shop_id: str, old: str, new: str) -> bool:
    """Whether the shop is wholly as it was or wholly as planned."""
    followed = {run.version for run in house.runs(shop_id)}
    return (house.state(shop_id), followed) in ((1, {old}), (2, {new}))


@pytest.mark.parametrize("how", [Migration.MOVE, Migration.REEVALUATE])
def test_each_shop_is_old_or_new_whatever_dies(how: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    choices = Choices(how, overriding=True)
    died = 0
    for at in range(1, 50):
        store, fuse = Store.open("sqlite://:memory:"), Fuse(at=at, armed=False)
        house = House(store, ManualClock(MONDAY))
        before = house.built()
        adopt(before)
        house.ship(before)
        after = house.built("21d")
        with monkeypatch.context() as patch:
            fused_commits(store, fuse, patch)
            fuse.armed = True
            try:
                house.apply(after, choices)
            except Crash:
                died += 1
            fuse.armed = False
        assert all(whole(house, shop_id, version(before), version(after)) for shop_id in SHOPS), fuse.blown
        house.apply(after, choices)
        assert {house.state(shop_id) for shop_id in SHOPS} == {2}
        assert all(whole(house, shop_id, "", version(after)) for shop_id in SHOPS)
        store.close()
        if not fuse.blown:
            break
    assert died == 4  # before and after the commit of each of the two shops


def test_a_state_kept_apart_from_its_people_would_be_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: the people are migrated in a transaction of their own."""
    before = house.built()
    adopt(before)
    house.ship(before)
    after = house.built("21d")
    monkeypatch.setattr(changes.applying, "_migrate", lambda *_: {"flow": REVIEW, "change": "changed"})
    house.apply(after)
    assert not whole(house, WOO, version(before), version(after))


def test_somebody_elses_apply_in_between_refuses_this_one(house: House) -> None:
    adopt(house.built())
    mine, theirs = house.built("12d"), house.built("21d")
    (plan, *_) = house.plan(mine).changed
    house.apply(theirs)
    refused = apply_shop(mine, plan, MOVING, who="aino", what="apply")
    assert not isinstance(refused, Applied)
    assert "something else was applied meanwhile" in refused.why[0]


def test_a_target_says_which_templates_it_sends(house: House) -> None:
    kiitos = house.built()
    target = target_of_files(kiitos.config.shop(WOO), kiitos.catalog.flows(WOO), Sources())
    assert {"review_request/en", "review_request/fi"} <= set(target.entries[0].templates)


def test_another_text_of_a_template_is_a_difference_that_moves_nobody(house: House, tmp_path: Path) -> None:
    kiitos = house.built()
    adopt(kiitos)
    house.ship(kiitos)
    folder = shutil.copytree(Sources().directory, tmp_path / "templates")
    texts = folder / "fi" / "texts.json"
    table = json.loads(texts.read_text("utf-8"))
    table["review_request"]["title"] += " P.S."
    texts.write_text(json.dumps(table), "utf-8")
    target = target_of_files(kiitos.config.shop(WOO), kiitos.catalog.flows(WOO), Sources(folder))
    with house.store.work.read() as tx:
        (plan,) = make_plan(tx, [target], applied.newest(tx), MOVING).shops
    assert plan.changes[0].lines == ("template review_request/fi: another text",)
    assert plan.changes[0].positions == ()
