from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.store import Store, deliveries, inbox
from tests.store.examples import NOW, SHOP, at, delivery

LEASE = timedelta(seconds=30)


def put(store: Store, *new: inbox.NewDelivery) -> None:
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, new)


def stored(store: Store) -> list[inbox.Delivery]:
    with store.inbox.read() as tx:
        return inbox.after(tx, 0, 1000)


def claim(store: Store, hours: float = 0, limit: int = 100) -> list[deliveries.Claimed]:
    return deliveries.claim(store, at(hours), limit, LEASE)


@pytest.mark.parametrize("body", [b"", b"{}", b"\x00\xff" * 300, b'{"id": 1, "note": "\xc3\xa4"}' * 400])
def test_a_delivery_comes_back_as_it_was(store: Store, body: bytes) -> None:
    put(store, delivery("a", body=body, quarantine="staging clone"))
    (found,) = stored(store)
    assert found.body == body
    assert (found.shop_id, found.platform, found.topic, found.dedup_key) == (SHOP, "shopify", "orders/create", "a")
    assert found.received_at == NOW
    assert found.quarantine == "staging clone"
    with store.inbox.read() as tx:
        assert inbox.get(tx, found.id) == found
        assert inbox.get(tx, found.id + 1) is None
        assert inbox.last_id(tx) == found.id
        assert inbox.count(tx) == 1


def test_redelivery_changes_nothing(store: Store) -> None:
    put(store, delivery("a", body=b"first"), delivery("a", body=b"second"), delivery("b"))
    put(store, delivery("a", body=b"third"))
    assert [(d.dedup_key, d.body) for d in stored(store)] == [("a", b"first"), ("b", b"{}")]


@pytest.mark.parametrize("count", [0, 1, 2, 64, 65, 200])
def test_what_is_appended_at_once_is_what_would_be_put_row_by_row(store: Store, count: int) -> None:
    sizes = (0, 600, 3)  # one is compressed, two are not
    new = [delivery(f"n{n}", body=b"x" * sizes[n % 3], quarantine="" if n % 5 else "why") for n in range(count)]
    inbox.append(store.inbox, new)
    assert [(d.dedup_key, d.body, d.quarantine) for d in stored(store)] == [
        (d.dedup_key, d.body, d.quarantine) for d in new
    ]
    inbox.append(store.inbox, [*new, *new, delivery("last"), delivery("last", body=b"again")])
    found = stored(store)
    assert [d.dedup_key for d in found] == [*(d.dedup_key for d in new), "last"]
    assert found[-1].body == b"{}"


def test_of_an_append_that_fails_nothing_is_stored(store: Store) -> None:
    bad = replace(delivery("bad"), topic=None)  # type: ignore[arg-type]
    for rows in ([delivery("a"), bad], [*(delivery(str(n)) for n in range(100)), bad]):
        with pytest.raises(Exception, match=r"(?i)null"):
            inbox.append(store.inbox, rows)
        assert stored(store) == []
    inbox.append(store.inbox, [delivery("a")])
    assert len(stored(store)) == 1


def test_an_append_inside_a_transaction_is_an_error(store: Store) -> None:
    with store.inbox.transaction(), pytest.raises(RuntimeError, match="already open"):
        inbox.append(store.inbox, [delivery("a")])


def test_the_same_key_under_another_topic_or_shop_is_another_delivery(store: Store) -> None:
    put(store, delivery("a"), inbox.NewDelivery(SHOP, "shopify", "orders/paid", "a", {}, b"{}", NOW))
    put(store, inbox.NewDelivery("shop-other", "shopify", "orders/create", "a", {}, b"{}", NOW))
    assert len(stored(store)) == 3


def test_only_headers_that_say_what_it_is_are_kept(store: Store) -> None:
    headers = {
        "X-Shopify-Topic": "orders/create",
        "x-shopify-hmac-sha256": "c2VjcmV0",
        "Shopify-Webhook-Id": "w1",
        "x-shopify-event-id": "e1",
        "x-shopify-triggered-at": "2026-11-22T08:00:00Z",
        "x-shopify-api-version": "2026-10",
        "x-wc-webhook-delivery-id": "d1",
        "x-wc-webhook-source": "https://shop.example.test/",
        "x-wc-webhook-signature": "c2ln",
        "authorization": "Bearer x",
        "cookie": "session",
        "user-agent": "WooCommerce",
        "x-forwarded-for": "192.0.2.1",
        "x-request-id-token": "t",
    }
    put(store, inbox.NewDelivery(SHOP, "shopify", "t", "k", headers, b"{}", NOW))
    assert set(stored(store)[0].headers) == {
        "x-shopify-topic",
        "shopify-webhook-id",
        "x-shopify-event-id",
        "x-shopify-triggered-at",
        "x-shopify-api-version",
        "x-wc-webhook-delivery-id",
        "x-wc-webhook-source",
    }


def test_bodies_do_not_show_in_reprs(store: Store) -> None:
    put(store, delivery("a", body=b"aino@example.test"))
    assert "aino" not in repr(stored(store)[0])
    assert "aino" not in repr(delivery("a", body=b"aino@example.test"))


def test_after_reads_on_from_an_id(store: Store) -> None:
    put(store, *(delivery(str(n)) for n in range(5)))
    everything = stored(store)
    with store.inbox.read() as tx:
        rest = inbox.after(tx, everything[1].id, 2)
        some = inbox.by_ids(tx, [everything[4].id, everything[0].id, 10**9])
    assert [d.dedup_key for d in rest] == ["2", "3"]
    assert [d.dedup_key for d in some] == ["0", "4"]


def test_claim_counts_the_attempt_before_the_work(store: Store) -> None:
    put(store, delivery("a"), delivery("b"))
    first = claim(store)
    assert [(c.delivery.dedup_key, c.attempts, c.alone) for c in first] == [("a", 1, False), ("b", 1, False)]
    assert claim(store) == []
    for key in ("a", "b"):  # one suspect at a time: if it kills the worker, the other's attempts must not count
        again = claim(store, hours=1)
        assert [(c.delivery.dedup_key, c.attempts, c.alone) for c in again] == [(key, 2, True)]
    assert claim(store, hours=1) == []


def test_claim_respects_the_limit_and_takes_the_oldest(store: Store) -> None:
    put(store, *(delivery(str(n)) for n in range(5)))
    assert [c.delivery.dedup_key for c in claim(store, limit=2)] == ["0", "1"]
    assert [c.delivery.dedup_key for c in claim(store, limit=2)] == ["2", "3"]
    assert [c.delivery.dedup_key for c in claim(store, limit=2)] == ["4"]
    assert claim(store, limit=2) == []


def test_a_delivery_received_by_a_clock_a_year_ahead_is_due_at_once(store: Store) -> None:
    put(store, delivery("a", received_at=at(365 * 24)))
    assert [claimed.delivery.dedup_key for claimed in claim(store)] == ["a"]


def test_quarantined_deliveries_are_never_claimed_but_counted_as_seen(store: Store) -> None:
    put(store, delivery("clone", quarantine="staging clone"), delivery("real"))
    assert [c.delivery.dedup_key for c in claim(store)] == ["real"]
    with store.work.read() as tx:
        assert sorted(deliveries.status_of(tx, [d.id for d in stored(store)]).values()) == ["leased", "quarantined"]
    assert deliveries.backlog(store) == 1


def test_finished_deliveries_stay_finished(store: Store) -> None:
    put(store, delivery("a"), delivery("b"), delivery("c"))
    a, b, c = (claimed.delivery.id for claimed in claim(store))
    assert deliveries.backlog(store) == 3
    with store.work.transaction() as tx:
        deliveries.finish_many(tx, [(SHOP, a), (SHOP, b, "ignored")], NOW)
        deliveries.finish(tx, SHOP, c, NOW, note="nothing to do")
    with store.work.read() as tx:
        assert deliveries.status_of(tx, [a, b, c]) == {a: "done", b: "ignored", c: "done"}
        assert deliveries.next_due(tx) is None
    assert claim(store, hours=5) == []
    assert deliveries.backlog(store) == 0


def test_a_failure_is_tried_again_when_due_and_then_becomes_a_dead_letter(store: Store) -> None:
    put(store, delivery("a"))
    ((claimed),) = claim(store)
    ident = claimed.delivery.id
    with store.work.transaction() as tx:
        deliveries.fail(tx, SHOP, ident, NOW, "TRANSIENT", "the shop did not answer", at(2))
        assert deliveries.next_due(tx) == at(2)
        assert deliveries.failed(tx, SHOP, 10) == []
    assert claim(store, hours=1) == []
    assert claim(store, hours=2)[0].attempts == 2
    with store.work.transaction() as tx:
        deliveries.fail(tx, SHOP, ident, at(2), "MALFORMED_PAYLOAD", "line_items[2].price", None)
        (letter,) = deliveries.failed(tx, limit=10)
        assert deliveries.failed(tx, "shop-other", 10) == []
    assert (letter.delivery_id, letter.attempts, letter.error_code) == (ident, 2, "MALFORMED_PAYLOAD")
    assert letter.finished_at == at(2)
    assert claim(store, hours=9) == []
    with store.work.transaction() as tx:
        assert deliveries.replay(tx, SHOP, ident, at(10))
        assert not deliveries.replay(tx, SHOP, ident + 1, at(10))
    assert [c.attempts for c in claim(store, hours=10)] == [1]


def test_backlog_counts_what_no_worker_has_met(store: Store) -> None:
    put(store, *(delivery(str(n)) for n in range(7)))
    assert deliveries.backlog(store) == 7
    claim(store, limit=3)
    assert deliveries.backlog(store) == 7


def test_a_delivery_that_was_purged_becomes_a_dead_letter(store: Store) -> None:
    put(store, delivery("a"), delivery("b"))
    claim(store)
    with store.inbox.transaction() as tx:
        tx.script("DELETE FROM inbox WHERE dedup_key = 'a'")
    assert claim(store, hours=1) == []
    assert [c.delivery.dedup_key for c in claim(store, hours=1)] == ["b"]
    with store.work.read() as tx:
        assert [letter.error_code for letter in deliveries.failed(tx, SHOP, 5)] == ["GONE"]


def test_an_older_inbox_file_does_not_hide_new_deliveries(tmp_path: Path) -> None:
    """Only inbox.db is restored from a backup: its ids start again below the worker's cursor."""
    url = f"sqlite:///{tmp_path}/work.db"
    store = Store.open(url)
    put(store, *(delivery(str(n)) for n in range(5)))
    assert len(claim(store)) == 5
    store.close()
    for path in tmp_path.glob("inbox.db*"):
        path.unlink()
    store = Store.open(url)
    put(store, delivery("fresh"))
    assert [c.delivery.dedup_key for c in claim(store)] == ["fresh"]
    store.close()


@pytest.mark.postgres
def test_ids_that_commit_out_of_order_are_not_lost_on_postgres(schema_dsn: str) -> None:
    slow, quick = Store.open(schema_dsn), Store.open(schema_dsn)
    try:
        with slow.inbox.transaction() as tx:
            inbox.put_many(tx, [delivery("slow")])
            put(quick, delivery("quick"))
            assert [c.delivery.dedup_key for c in claim(quick)] == ["quick"]
        late = claim(quick, hours=0.001)
        assert [c.delivery.dedup_key for c in late] == ["slow"]
        assert late[0].delivery.id < stored(quick)[-1].id
    finally:
        slow.close()
        quick.close()


def test_claims_of_two_stores_do_not_overlap(open_store: Callable[[], Store]) -> None:
    one, two = open_store(), open_store()
    put(one, *(delivery(str(n)) for n in range(10)))
    taken = [c.delivery.id for c in claim(one, limit=4)] + [c.delivery.id for c in claim(two, limit=100)]
    assert len(taken) == len(set(taken)) == 10
