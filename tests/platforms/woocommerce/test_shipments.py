"""Parcels: three plug-in shapes, the fulfillments feature, and statuses plug-ins add."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.model import Event, EventKind, FulfillmentStatus, ShipmentStatus
from tests.platforms.woocommerce.bodies import kinds, normalise, order_body, order_of, recorded, with_meta

SHIPPED_AT = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)


def tracking(**entry: Any) -> list[Event]:
    events = normalise(with_meta(("_wc_shipment_tracking_items", [entry])))
    return [event for event in events if event.kind == EventKind.SHIPMENT_CREATED]


@pytest.mark.parametrize("when", ["1795298400", 1795298400, 1795298400000, "2026-11-22", "2026-11-21T22:00:00Z"])
def test_date_shipped_in_every_form(when: Any) -> None:
    (event,) = tracking(tracking_number="A1", tracking_id="t", date_shipped=when)
    assert event.at == SHIPPED_AT


@pytest.mark.parametrize("when", ["", None, "eilen", [], -1, "99999999999999999999"])
def test_an_unreadable_date_shipped_is_the_orders_last_change(when: Any) -> None:
    (event,) = tracking(tracking_number="A1", tracking_id="t", date_shipped=when)
    assert event.at == datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)


def test_a_parcel_never_left_before_its_order_was_placed() -> None:
    (event,) = tracking(tracking_number="A1", tracking_id="t", date_shipped="2026-11-20")  # midnight, order at 10:15
    assert event.at == datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)


def test_tracking_without_an_id_of_its_own_keeps_one_key() -> None:
    assert tracking(tracking_number="A1")[0].key == tracking(tracking_number="A1")[0].key
    assert tracking(tracking_number="A1")[0].key != tracking(tracking_number="A2")[0].key
    assert tracking(date_shipped="1795298400") == []


def test_a_corrected_number_is_an_update_of_the_same_parcel() -> None:
    def keys(number: str) -> set[str]:
        entry = {"tracking_number": number, "tracking_id": "t"}
        return {event.key for event in normalise(with_meta(("_wc_shipment_tracking_items", [entry])))}

    (new,) = keys("A2") - keys("A1")
    assert new.startswith("shipment/tracking-1001-t/updated/")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//x", "https://a b", "x", None, {}])
def test_a_tracking_link_that_is_no_web_address_is_dropped(link: Any) -> None:
    shipment = tracking(tracking_number="A1", custom_tracking_link=link)[0].shipment
    assert shipment is not None
    assert shipment.tracking_urls == ()


def test_tracking_stored_as_json_text_is_read() -> None:
    stored = json.dumps([{"tracking_number": "A1", "tracking_id": "t"}])
    events = normalise(with_meta(("_wc_shipment_tracking_items", stored)))
    assert "shipment/tracking-1001-t/created" in {event.key for event in events}


def test_delivered_without_tracking_is_one_parcel_told_by_the_status() -> None:
    keys = {event.key for event in normalise(order_body(status="delivered"))}
    assert {"shipment/status-1001/created", "shipment/status-1001/delivered"} <= keys


def test_delivered_with_tracking_is_the_tracked_parcel() -> None:
    body = with_meta(
        ("_wc_shipment_tracking_items", [{"tracking_number": "A1", "tracking_id": "t"}]), status="delivered"
    )
    events = normalise(body)
    keys = {event.key for event in events}
    assert "shipment/tracking-1001-t/delivered" in keys
    assert not [key for key in keys if "status-" in key]
    delivered = next(event for event in events if event.kind == EventKind.SHIPMENT_DELIVERED)
    assert delivered.shipment is not None
    assert delivered.shipment.status is ShipmentStatus.DELIVERED


def test_a_fulfillment_of_a_tracked_number_is_the_same_parcel() -> None:
    fulfillment = recorded("order.updated/fulfillments_merged_by_a_fetch")["fulfillments"][0]
    number = "MH0001"
    body = with_meta(
        ("_wc_shipment_tracking_items", [{"tracking_number": number, "tracking_id": "t"}]), fulfillments=[fulfillment]
    )
    created = [event.key for event in normalise(body) if event.kind == EventKind.SHIPMENT_CREATED]
    assert created == ["shipment/tracking-1001-t/created"]


def test_a_deleted_fulfillment_and_a_draft_are_no_parcels() -> None:
    fulfillment = recorded("order.updated/fulfillments_merged_by_a_fetch")["fulfillments"][0]
    gone = {**fulfillment, "date_deleted": "2026-11-22T10:00:00Z"}
    draft = {**fulfillment, "is_fulfilled": False}
    assert "shipment.created" not in kinds(normalise(order_body(fulfillments=[gone, draft])))
    assert "shipment.created" in kinds(normalise(order_body(fulfillments=[fulfillment])))


def test_a_virtual_order_needs_no_shipping() -> None:
    order = order_of(order_body(needs_processing=False))
    assert not order.needs_shipping
    assert order.fulfillment is FulfillmentStatus.NOT_REQUIRED
    assert order_of(order_body()).needs_shipping
