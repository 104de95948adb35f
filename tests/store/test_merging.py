"""Two accounts become one: purchases, people in flight, decisions and wake-ups are the kept one's. Both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.model import Buyer, Channel, Consent, ConsentState, Customer, Purpose, Ref, RunStatus
from connector.store import Store, consents, entities, merging, purchases, runs, wakeups
from connector.store.wakeups import Wakeup
from tests.store.examples import SHOP, order, order_event, run

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEPT, GONE = "c1", "c2"


def wakeup(customer: str, origin: str, **more: object) -> Wakeup:
    made = Wakeup(
        shop_id=SHOP,
        flow_id="winback",
        subject=Ref("customer", customer),
        trigger_key="k",
        due_at=NOW,
        moment=NOW,
        origin=origin,
        customer_id=customer,
    )
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept_since", "gone_since", "stays"), [("2026-01", "2026-05", "2026-05"), ("2026-05", "2026-01", "2026-05")]
)
def test_of_two_wakeups_the_later_stays(store: Store, kept_since: str, gone_since: str, stays: str) -> None:
    with store.work.transaction() as tx:
        wakeups.put(tx, wakeup(KEPT, kept_since, fired_at=NOW - timedelta(days=9)))
        wakeups.put(tx, wakeup(GONE, gone_since))
        wakeups.put(tx, wakeup(GONE, "2026-02", flow_id="birthday"))
        merging.merge(tx, SHOP, KEPT, GONE)
        merging.merge(tx, SHOP, KEPT, GONE)
        found = {row.flow_id: row for row in wakeups.of_person(tx, SHOP, None, KEPT)}
        assert {name: row.origin for name, row in found.items()} == {"winback": "2026-05", "birthday": "2026-02"}
        assert found["winback"].fired_at == NOW - timedelta(days=9), "what was told to one was told to the person"
        assert wakeups.of_person(tx, SHOP, None, GONE) == []


def test_purchases_runs_and_decisions_follow(store: Store) -> None:
    theirs = replace(order("o1", email=None), customer=Customer(id=GONE))
    no = Consent(
        channel=Channel.EMAIL,
        purpose=Purpose.MARKETING,
        state=ConsentState.WITHDRAWN,
        raw_state="unsubscribed",
        at=NOW,
        source="test",
        customer_id=GONE,
    )
    with store.work.transaction() as tx:
        entities.apply(tx, SHOP, order_event(theirs), NOW)
        runs.begin(
            tx,
            replace(run("r1"), customer_id=GONE, subject_kind="customer", subject_id=GONE, status=RunStatus.SLEEPING),
        )
        consents.record(tx, SHOP, no, NOW)
        merging.merge(tx, SHOP, KEPT, GONE)
    with store.work.read() as tx:
        assert [each.order_id for each in purchases.of_buyer(tx, SHOP, Buyer(None, KEPT))] == ["o1"]
        assert purchases.of_buyer(tx, SHOP, Buyer(None, GONE)) == ()
        moved = runs.get(tx, SHOP, "r1")
        assert moved is not None
        assert (moved.customer_id, moved.subject_id) == (KEPT, KEPT)
        said, _ = consents.state(tx, SHOP, "a@example.test", Channel.EMAIL, Purpose.MARKETING, KEPT)
        assert said is ConsentState.WITHDRAWN
        untouched, _ = consents.state(tx, SHOP, "a@example.test", Channel.EMAIL, Purpose.MARKETING, "c3")
        assert untouched is ConsentState.UNKNOWN
