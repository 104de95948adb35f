"""Events and snapshots that are lost, taken twice or in the wrong order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from connector.reconciliation import changes
from connector.store import deliveries, entities, events
from connector.store.deliveries import Finished
from connector.working.intake import Intake
from flows import runner
from tests.swarm.bugs.planting import Bug, reword, wrap
from tests.swarm.house import House


def done_before_the_work(patch: pytest.MonkeyPatch, house: House) -> None:
    """A delivery is marked done in a transaction of its own, and then worked on."""

    def together(real: Any, self: Intake, batch: Any) -> None:
        rows = [Finished(item.delivery.shop_id, item.delivery.id, "done") for item in batch]
        with house.store.work.transaction() as tx:
            deliveries.finish_many(tx, rows, house.clock.now())
        real(self, batch)

    wrap(patch, Intake, "_together", together)


def events_written_apart(patch: pytest.MonkeyPatch, house: House) -> None:
    """Events are recorded in a transaction of their own; what they lead to comes in the next one."""
    fresh: set[str] = set()

    def together(real: Any, self: Intake, batch: Any) -> None:
        try:
            with house.store.work.transaction() as tx:
                for item in batch:
                    fresh.update(events.record_many(tx, item.delivery.shop_id, item.events, house.clock.now()))
            real(self, batch)
        finally:
            fresh.clear()  # who dies in between leaves nobody who knows

    def record(real: Any, tx: Any, shop_id: str, given: Any, *more: Any) -> set[str]:
        known = {event.key for event in given} & fresh
        return known | real(tx, shop_id, given, *more)

    wrap(patch, Intake, "_together", together)
    patch.setattr(runner, "events", _with(events, record_many=lambda *given: record(events.record_many, *given)))


def _with(module: Any, **changes: Any) -> Any:
    """The module with some of its functions replaced, for one reader."""
    return SimpleNamespace(**{**vars(module), **changes})


def one_is_skipped(patch: pytest.MonkeyPatch, house: House) -> None:
    """The cursor of the inbox moves one too far when more waits than is claimed."""

    def admit(real: Any, store: Any, tx: Any, now: Any, until: str, limit: int) -> Any:
        found = real(store, tx, now, until, 1)
        if found:
            tx.run("cursor_put", last_id=found[-1]["delivery_id"] + 1)
        return found

    wrap(patch, deliveries, "_admit", admit)


def lost_leases(patch: pytest.MonkeyPatch, house: House) -> None:
    """A delivery whose worker died is nobody's."""
    wrap(
        patch,
        deliveries,
        "claim",
        lambda real, store, *asked: [
            item for item in real(store, *asked) if item.attempts == 1 or _given_up(house, item)
        ],
    )


def _given_up(house: House, item: Any) -> bool:
    with house.store.work.transaction() as tx:
        deliveries.finish(tx, item.delivery.shop_id, item.delivery.id, house.clock.now())
    return False


def oldest_snapshot_wins(patch: pytest.MonkeyPatch, house: House) -> None:
    reword(
        patch, house, "order_put", "excluded.updated_at > orders.updated_at", "excluded.updated_at < orders.updated_at"
    )


def last_to_arrive_wins(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(entities, "_is_old", lambda *_: False)
    reword(patch, house, "order_put", "excluded.updated_at > orders.updated_at", "TRUE")


def nothing_is_recovered(patch: pytest.MonkeyPatch, house: House) -> None:
    """The poll looks at what changed and reads none of it."""
    patch.setattr(changes, "_unread", lambda *_: [])


BUGS = (
    Bug("a delivery is done before the work", done_before_the_work),
    Bug("events are written apart", events_written_apart),
    Bug("one delivery is skipped", one_is_skipped),
    Bug("a dead worker's delivery is nobody's", lost_leases),
    Bug("the oldest snapshot wins", oldest_snapshot_wins),
    Bug("the last snapshot to arrive wins", last_to_arrive_wins),
    Bug("the poll reads nothing", nothing_is_recovered),
)
