"""What is kept no longer is gone, on both engines, and what is still needed stays."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from connector.clock import to_text
from connector.model import Channel, Consent, ConsentState, EffectStatus, Purpose, Ref, RunStatus
from connector.store import (
    Store,
    applied,
    consents,
    deliveries,
    effects,
    entities,
    events,
    inbox,
    keeping,
    privacy,
    runs,
)
from connector.store import traces as trace_store
from tests.store.examples import NOW, SHOP, at, delivery, effect, event, order, order_event, run

LIMIT = at(-24)
"""What came before is too old."""
LEASE = timedelta(seconds=30)


def ids(store: Store) -> list[str]:
    with store.inbox.read() as tx:
        return [one.dedup_key for one in inbox.after(tx, 0, 100)]


def test_old_deliveries_go_and_what_nobody_finished_stays(store: Store) -> None:
    with store.inbox.transaction() as tx:
        inbox.put_many(
            tx,
            [
                *(delivery(key, received_at=at(-48)) for key in ("done", "dead", "leased")),
                delivery("young"),
            ],
        )
    claimed = {one.delivery.dedup_key: one.delivery.id for one in deliveries.claim(store, NOW, 10, LEASE)}
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery("unread", received_at=at(-48))])
    with store.work.transaction() as tx:
        deliveries.finish(tx, SHOP, claimed["done"], NOW)
        deliveries.fail(tx, SHOP, claimed["dead"], NOW, "X", "why", None)
        deliveries.finish(tx, SHOP, claimed["young"], NOW)
    assert keeping.webhooks(store, LIMIT, 0) is None
    assert ids(store) == ["leased", "young", "unread"]
    with store.work.read() as tx:
        assert deliveries.failed(tx) == []
        assert set(deliveries.status_of(tx, list(claimed.values()))) == {claimed["leased"], claimed["young"]}


def test_pages_of_deliveries_follow_one_another(store: Store, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(keeping, "PAGE", 2)
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery(str(number), received_at=at(-48)) for number in range(5)])
    for one in deliveries.claim(store, NOW, 10, LEASE):
        with store.work.transaction() as tx:
            deliveries.finish(tx, SHOP, one.delivery.id, NOW)
    place: int | None = 0
    pages = 0
    while place is not None:
        place = keeping.webhooks(store, LIMIT, place)
        pages += 1
    assert (ids(store), pages) == ([], 3)


def content(store: Store, effect_id: str) -> bytes | None:
    with store.work.read() as tx:
        found = effects.get(tx, SHOP, effect_id)
    assert found is not None
    return found.content


def test_old_messages_become_digests_and_what_may_still_be_sent_stays(store: Store) -> None:
    body = b"Dear Aino, thank you! " * 100
    with store.work.transaction() as tx:
        for status in ("sent", "skipped", "failed", "uncertain", "pending", "held", "sending"):
            tx_effect = effect(
                status,
                status=EffectStatus(status),
                created_at=at(-60),
                done_at=at(-48) if status in ("sent", "skipped", "failed", "uncertain") else None,
                content=body,
                attempts=1,
            )
            effects.put(tx, tx_effect)
        effects.put(tx, effect("young", status=EffectStatus.SENT, created_at=at(-60), done_at=NOW, content=body))
    digest = b"sha256 " + hashlib.sha256(body).hexdigest().encode()
    for _ in range(2):  # once more changes nothing
        assert keeping.messages(store, SHOP, LIMIT, "") is None
        assert {content(store, name) for name in ("sent", "skipped")} == {digest}
        assert {content(store, name) for name in ("failed", "uncertain")} == {None}
        assert {content(store, name) for name in ("pending", "held", "sending", "young")} == {body}


def test_old_subjects_go_and_those_of_what_may_still_be_sent_stay(store: Store, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    over, open_ = ("sent", "skipped", "failed", "uncertain"), ("pending", "held", "sending")
    with store.work.transaction() as tx:
        for status in (*over, *open_):
            done = at(-48) if status in over else None
            tx_effect = effect(
                status, status=EffectStatus(status), created_at=at(-60), done_at=done, subject="Dear Aino"
            )
            effects.put(tx, tx_effect)
        young = effect("young", status=EffectStatus.SENT, created_at=at(-60), done_at=NOW, subject="Dear Aino")
        effects.put(tx, young)
    monkeypatch.setattr(keeping, "PAGE", 2)
    place: str | None = ""
    while place is not None:
        place = keeping.subjects(store, SHOP, LIMIT, place)
    with store.work.read() as tx:
        found = {name: effects.get(tx, SHOP, name) for name in (*over, *open_, "young")}
    kept = {name for name, one in found.items() if one is not None and one.subject == "Dear Aino"}
    assert kept == {*open_, "young"}


def apply(store: Store, count: int) -> None:
    """So many states, each with a version of its own of one flow and an unchanged other."""
    with store.work.transaction() as tx:
        for number in range(1, count + 1):
            flows = (
                applied.AppliedFlow(flow_id="welcome", version=f"w{number}"),
                applied.AppliedFlow(flow_id="same", version="s1"),
            )
            state = applied.AppliedState(
                shop_id=SHOP, state=number, at=at(-1000 + number), who="anna", what="apply", flows=flows
            )
            applied.append(tx, state)


def states(store: Store) -> list[int]:
    with store.work.read() as tx:
        return [state.state for state in applied.history(tx, SHOP)]


@pytest.mark.parametrize("page", [3, 500])
def test_old_states_go_but_for_the_newest_and_those_somebody_is_under_way_in(
    store: Store, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(keeping, "STATES", 4)
    monkeypatch.setattr(keeping, "PAGE", page)
    apply(store, 20)
    with store.work.transaction() as tx:
        runs.start(tx, run("there", flow_id="welcome", version="w7", status=RunStatus.SLEEPING))
        runs.start(tx, run("same", flow_id="same", version="s1", status=RunStatus.SLEEPING, entry_key="x"))
        runs.start(tx, run("over", flow_id="welcome", version="w9", status=RunStatus.COMPLETED, entry_key="y"))
    below: int | None = 1 << 62
    while below is not None:
        below = keeping.states(store, SHOP, at(-1000 + 19), below)
    assert states(store) == [20, 19, 18, 17, 7]


def test_a_year_is_kept_however_often_a_shop_was_changed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "STATES", 4)
    apply(store, 20)
    assert keeping.states(store, SHOP, at(-1000 + 11), 1 << 62) is None
    assert states(store) == list(range(20, 10, -1))


def test_old_events_become_counts_and_those_of_a_run_under_way_stay(store: Store) -> None:
    with store.work.transaction() as tx:
        for order_id, recorded in (("1", -48), ("2", -48), ("3", 0)):
            told = event("order.paid", Ref("order", order_id), happened=at(recorded), key=f"{order_id}/paid")
            events.record(tx, SHOP, told, at(recorded), None)
        runs.start(tx, run("going", order_id="2", status=RunStatus.SLEEPING))
        runs.start(tx, run("ended", order_id="1", status=RunStatus.COMPLETED, wake_at=None))
    for _ in range(2):
        assert keeping.events(store, SHOP, LIMIT, "") is None
        with store.work.read() as tx:
            assert [bool(events.for_order(tx, SHOP, name)) for name in "123"] == [False, True, True]
            assert keeping.event_days(tx, SHOP) == [(f"{at(-48):%Y-%m-%d}", "order.paid", 1)]


def test_the_hashed_address_leaves_the_evidence_and_the_decision_stays(store: Store) -> None:
    with store.work.transaction() as tx:
        entities.apply(tx, SHOP, order_event(order()), NOW)
        for hours, evidence in ((-48, '{"ip":"abc","page":"signup"}'), (-47, '{"page":"x"}'), (0, '{"ip":"abc"}')):
            decided = Consent(
                channel=Channel.EMAIL,
                purpose=Purpose.MARKETING,
                state=ConsentState.GRANTED,
                raw_state="yes",
                at=at(hours),
                source="page",
                address="aino@example.test",
                evidence=evidence,
            )
            consents.record(tx, SHOP, decided, at(hours))
    assert keeping.addresses(store, SHOP, LIMIT, -1) is None
    with store.work.read() as tx:
        found = [row.evidence for row in consents.history(tx, SHOP, "aino@example.test")]
    assert sorted(found) == ['{"ip":"abc"}', '{"page":"signup"}', '{"page":"x"}']


def test_old_traces_go(store: Store) -> None:
    with store.work.transaction() as tx:
        trace_store.put(tx, SHOP, "old", "00-a-b-01", at(-48))
        trace_store.put(tx, SHOP, "new", "00-c-d-01", NOW)
    assert keeping.traces(store, SHOP, LIMIT) is False
    with store.work.read() as tx:
        assert [trace_store.get(tx, SHOP, name) for name in ("old", "new")] == ["", "00-c-d-01"]


def test_old_audit_rows_go_and_open_requests_stay(store: Store) -> None:
    """Who looked at gathered data, what was asked and done, what jobs found: a year; what is open, until it is done."""
    with store.work.transaction() as tx:
        for name, hours, status in (("old", -48, "done"), ("young", 0, "done"), ("open", -48, "open")):
            privacy.ask(tx, SHOP, name, privacy.EXPORT, "command", {}, "k", at(hours))
            if status == "done":
                tx.script(f"UPDATE privacy_requests SET status = 'done', done_at = due_at WHERE request_id = '{name}'")
            values = f"('{SHOP}', '{name}', '{to_text(at(hours))}', 'page')"
            tx.script(f"INSERT INTO privacy_access (shop_id, request_id, at, route) VALUES {values}")
            values = f"('{SHOP}', '{name}', '{to_text(at(hours))}', '{{}}')"
            tx.script(f"INSERT INTO job_reports (shop_id, kind, at, report) VALUES {values}")
    assert keeping.audit(store, SHOP, LIMIT) is False

    def left(table: str, column: str) -> list[str]:
        with store.work.read() as tx:
            found = tx._cursor.execute(f"SELECT {column} AS name FROM {table}").fetchall()
        return sorted(row["name"] if isinstance(row, dict) else row[0] for row in found)

    assert left("privacy_requests", "request_id") == ["open", "young"]
    assert left("privacy_access", "request_id") == ["young"]
    assert left("job_reports", "kind") == ["young"]
