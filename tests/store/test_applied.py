"""Applied states, where people in flight stand, and how far they came: on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.changes import Applied, Choices, adopt, apply_shop, make_plan, target_of_files
from connector.clock import ManualClock
from connector.errors import StoreCollision
from connector.explaining.funnel import count_funnel
from connector.model import Run, RunStatus
from connector.store import Store, applied, census, people, runs
from connector.store.applied import AppliedFlow, AppliedState
from connector.testing.world import WOO
from flows.authoring.moving import Migration
from flows.render.sources import Sources
from tests.engine.world import event, order
from tests.journeys.bare import build_bare

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
FLOW = AppliedFlow(flow_id="f", version="v1", title="T", origin={"params.wait": "defaults"}, templates={"x/en": "ab"})


def state(number: int, shop_id: str = "s", **more: str) -> AppliedState:
    changes = ({"flow": "f", "change": "changed", "moved": "3"},)
    return AppliedState(
        shop_id=shop_id, state=number, at=NOW, who="aino", what="apply", flows=(FLOW,), changes=changes, **more
    )


def run(run_id: str, **more: object) -> Run:
    given = Run(
        shop_id="s",
        id=run_id,
        flow_id="f",
        version="v1",
        subject_kind="order",
        subject_id=run_id,
        entry_key=run_id,
        status=RunStatus.SLEEPING,
        step=1,
        created_at=NOW,
        updated_at=NOW,
        wake_at=NOW + timedelta(days=1),
        email_key="aino@example.com",
    )
    return replace(given, **more)  # type: ignore[arg-type]


def test_the_newest_state_is_what_runs(store: Store) -> None:
    with store.work.transaction() as tx:
        for each in (state(1), state(2, note="later", plan="d1", part="p1"), state(1, "other")):
            applied.hold(tx, each.shop_id)
            applied.append(tx, each)
    with store.work.read() as tx:
        assert {shop: found.state for shop, found in applied.newest(tx).items()} == {"s": 2, "other": 1}
        assert applied.newest_of(tx, "s") == state(2, note="later", plan="d1", part="p1")
        assert [found.state for found in applied.history(tx, "s")] == [2, 1]
        assert applied.get(tx, "s", 1) == state(1)
        assert applied.get(tx, "s", 3) is None
        assert applied.newest_of(tx, "nobody") is None


def test_people_are_counted_by_step_and_runs_migrated_by_rev(store: Store) -> None:
    with store.work.transaction() as tx:
        for each in (run("a"), run("b"), run("c", email_key="b@example.com", step=2), run("d", version="v2")):
            assert runs.start(tx, each)
        assert runs.start(tx, run("e", status=RunStatus.COMPLETED, wake_at=None))
    with store.work.read() as tx:
        found = {(at.version, at.step): (at.runs, at.people) for at in census.positions(tx, "s")}
        assert found == {("v1", 1): (2, 1), ("v1", 2): (1, 1), ("v2", 1): (1, 1)}
        assert {at.version for at in census.positions(tx, "s", ["v1"])} == {"v2"}
        assert [each.id for each in runs.on_other_versions(tx, "s", "f", "v2", 1)] == ["a", "b", "c"]
    with store.work.transaction() as tx:
        for each in runs.on_other_versions(tx, "s", "f", "v2", 2):
            runs.migrate(tx, replace(each, version="v2", step=7))
    with store.work.read() as tx:
        moved = runs.get(tx, "s", "a")
    assert moved is not None
    assert (moved.version, moved.step, moved.rev, moved.wake_at) == ("v2", 7, 1, NOW + timedelta(days=1))


def test_a_run_that_moved_meanwhile_is_not_overwritten(store: Store) -> None:
    with store.work.transaction() as tx:
        assert runs.start(tx, run("a"))
        assert runs.save(tx, run("a", step=2))
    with pytest.raises(StoreCollision), store.work.transaction() as tx:
        runs.migrate(tx, run("a", version="v2"))


def test_a_whole_apply_moves_people_and_takes_them_back(store: Store) -> None:
    """The same statements on both databases, from the file to the runs."""
    clock = ManualClock(NOW)
    before = build_bare(clock, store, flows={"review-request": {"file": "review_request"}})
    adopt(before)
    made = order(id="o1", placed_at=NOW, updated_at=NOW)
    told = event("order.shipped", at=NOW, order=made)
    with store.work.transaction() as tx:
        before.runner.ingest(tx, WOO, [told], NOW)
    after = build_bare(clock, store, flows={"review-request": {"file": "review_request", "params": {"wait": "21d"}}})
    choices = Choices(Migration.REEVALUATE, overriding=True)
    old, new = (kiitos.catalog.flows(WOO)[0].version for kiitos in (before, after))
    for kiitos, wanted in ((after, new), (before, old)):
        target = target_of_files(kiitos.config.shop(WOO), kiitos.catalog.flows(WOO), Sources())
        with store.work.read() as tx:
            (plan,) = make_plan(tx, [target], applied.newest(tx), choices).shops
        assert plan.changes[0].people == 1
        done = apply_shop(kiitos, plan, choices, who="aino", what="apply")
        assert isinstance(done, Applied)
        assert done.state.changes[0]["moved"] == "1"
        with store.work.read() as tx:
            (moved,) = runs.active_of_flow(tx, WOO, "review-request", 10)
            assert (moved.version, moved.status) == (wanted, RunStatus.AWAITING)
            assert moved.wake_at == NOW + timedelta(days=14)
            assert "moved" in [row.what for row in runs.journal_of(tx, WOO, moved.id)]
        found = count_funnel(store, WOO, "review-request", NOW - timedelta(days=1))
        assert found is not None
        assert found.started == 1


def test_a_shop_that_is_wiped_leaves_no_history(store: Store) -> None:
    with store.work.transaction() as tx:
        applied.append(tx, state(1))
        applied.append(tx, state(1, "other"))
    with store.work.transaction() as tx:
        while people.wipe_shop(tx, "s", 1):
            pass
    with store.work.read() as tx:
        assert set(applied.newest(tx)) == {"other"}
