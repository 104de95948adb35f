"""Applied states, where people in flight stand, and how far they came: on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import StoreCollision
from connector.model import Run, RunStatus
from connector.store import Store, applied, people, runs
from connector.store.applied import AppliedFlow, AppliedState

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
        found = {(at.version, at.step): (at.runs, at.people) for at in runs.positions(tx, "s")}
        assert found == {("v1", 1): (2, 1), ("v1", 2): (1, 1), ("v2", 1): (1, 1)}
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


def test_a_shop_that_is_wiped_leaves_no_history(store: Store) -> None:
    with store.work.transaction() as tx:
        applied.append(tx, state(1))
        applied.append(tx, state(1, "other"))
    with store.work.transaction() as tx:
        while people.wipe_shop(tx, "s", 1):
            pass
    with store.work.read() as tx:
        assert set(applied.newest(tx)) == {"other"}
