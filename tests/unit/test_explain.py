"""Explain asked by number, by id, by address, and about orders that never came to be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.explaining.explain import Story, explain
from connector.model import EventKind, Ref
from connector.store import deliveries, entities, events, inbox, runs
from connector.store.inbox import NewDelivery
from connector.store.store import Store
from tests.store.examples import NOW, SHOP, event, order, order_event, run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/kiitos.db")
    yield opened
    opened.close()


def put(store: Store, order_id: str, number: str, email: str | None = "aino@example.test") -> None:
    told = order_event(replace(order(order_id, email=email), number=number), EventKind.ORDER_CREATED)
    with store.work.transaction() as tx:
        entities.apply(tx, SHOP, told, NOW)
        events.record(tx, SHOP, told, NOW)


def fail(store: Store, body: bytes, topic: str = "orders/create") -> None:
    new = NewDelivery(SHOP, "shopify", topic, f"{topic}{len(body)}", {}, body, NOW + timedelta(minutes=1))
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [new])
    for claimed in deliveries.claim(store, NOW + timedelta(hours=1), 10, timedelta(seconds=30)):
        with store.work.transaction() as tx:
            deliveries.fail(tx, SHOP, claimed.delivery.id, NOW, "MALFORMED_PAYLOAD", "total: no money", None)


def told(store: Store, who: str) -> Story:
    story = explain(store, SHOP, who)
    assert story is not None
    return story


@pytest.mark.parametrize("stored", ["1001", "#1001"])
def test_a_number_goes_before_an_id_of_the_same_digits(store: Store, stored: str) -> None:
    put(store, "1001", "#2044")
    put(store, "77", stored)
    for who in ("1001", "#1001"):
        assert [found.id for found in told(store, who).orders] == ["77"]
    assert told(store, "1001").note == "1001 is also the id of order #2044: ask for that number to see it"
    assert told(store, "#1001").note == ""
    assert [found.id for found in told(store, "2044").orders] == ["1001"]
    assert told(store, "2044").note == ""
    assert [found.number for found in told(store, "77").orders] == [stored]


def test_a_parcel_whose_order_never_came_has_a_story(store: Store) -> None:
    parcel = event("shipment.created", Ref("shipment", "9001"), order_id="501")
    with store.work.transaction() as tx:
        events.record(tx, SHOP, parcel, NOW)
        runs.start(tx, run("r1", subject_kind="shipment", subject_id="9001", email_key=None))
        runs.journal(tx, SHOP, "r1", NOW, "shipped", "deferred", {"rule": "order_unknown"})
    story = told(store, "501")
    assert story.orders == ()
    assert story.note.startswith("the order itself is not here")
    assert [line.text for line in story.lines] == [
        "shipment.created (shipment 9001)", "step shipped deferred rule order_unknown",
    ]  # fmt: skip
    assert explain(store, SHOP, "502") is None
    assert explain(store, "another-shop", "501") is None


@pytest.mark.parametrize("who", ["501", "#1001", "1001", "Aino@example.test"])
def test_an_order_whose_delivery_failed_has_a_story(store: Store, who: str) -> None:
    fail(
        store,
        b'{"id": 501, "name": "#1001", "number": 1, "order_number": 1001, "email": "aino@Example.test", "total": "?"}',
    )
    fail(store, b'{"id": 502, "name": "#1002", "email": "kaino@example.test"}')
    (line,) = told(store, who).lines
    assert (line.what, line.detail) == (
        "delivery.failed", {"delivery": "1", "topic": "orders/create", "code": "MALFORMED_PAYLOAD"},
    )  # fmt: skip
    assert "delivery 1 (orders/create) could not be used: MALFORMED_PAYLOAD: total: no money" in line.text
    for stranger in ("1", "50", "no order", "ino@example.test"):
        assert explain(store, SHOP, stranger) is None


def test_a_quarantined_delivery_says_why_it_was_not_acted_on(store: Store) -> None:
    body = b'{"id": 501, "number": "1001", "billing": {"email": "aino@example.test"}}'
    reason = "sent by https://staging.kauppa.example, not by this shop"
    new = NewDelivery(SHOP, "woocommerce", "order.created", "q1", {}, body, NOW, reason)
    other = NewDelivery(SHOP, "woocommerce", "order.created", "q2", {}, body.replace(b"501", b"502"), NOW, "")
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [new, other])
    deliveries.claim(store, NOW + timedelta(hours=1), 10, timedelta(seconds=30))
    for who in ("501", "1001", "aino@example.test"):
        (line,) = told(store, who).lines
        assert (line.what, line.detail["reason"]) == ("delivery.quarantined", reason)
        assert line.text == f"delivery 1 (order.created) is kept and not acted on: {reason}"
    assert explain(store, SHOP, "502") is None, "only a delivery waiting for its turn"


def test_a_failed_parcel_is_told_with_its_order_and_address(store: Store) -> None:
    put(store, "501", "#1001")
    fail(store, b'{"id": 9001, "order_id": 501}', "fulfillments/create")
    fail(store, b'{"id": 501, "order_id": 9999}', "fulfillments/create")
    fail(store, b"no JSON at all, 501", "fulfillments/create")
    for who in ("1001", "aino@example.test"):
        assert [line.what for line in told(store, who).lines] == ["event", "delivery.failed"]
