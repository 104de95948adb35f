"""What a WooCommerce body proves, rule by rule. Whole bodies are in tests/recordings/woocommerce."""

from __future__ import annotations

import ast
import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import MalformedPayload
from connector.model import (
    Event,
    EventKind,
    FinancialStatus,
    OrderStatus,
)
from platforms.woocommerce.fields import decimal, local_text, loose_moment, text, web
from platforms.woocommerce.people import locale_tag
from tests.platforms.woocommerce.bodies import (
    RECORDED,
    kinds,
    normalise,
    order_body,
    order_of,
    recorded,
    with_meta,
)


def test_recorded_bodies_have_the_shops_own_byte_style() -> None:
    """Pure ASCII, escaped slashes, no spaces between tokens: else the signature tests prove less than they say."""
    for path in RECORDED.rglob("body.json"):
        raw = path.read_bytes()
        assert raw.isascii(), path
        if raw.startswith(b"{"):
            again = json.dumps(json.loads(raw), ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()
            assert raw == again, path


# -- level-triggered -----------------------------------------------------------------------------------------------


def test_order_updated_before_order_created_gives_the_same_events() -> None:
    first = normalise(order_body(), "order.updated")
    second = normalise(order_body(), "order.created")
    assert [event.key for event in first] == [event.key for event in second]
    assert {"order.created", "order.paid", "order.updated"} == kinds(first)


@pytest.mark.parametrize("status", ["auto-draft", "draft", "trash", "checkout-draft"])
def test_drafts_and_trash_are_no_orders(status: str) -> None:
    assert "order.created" not in kinds(normalise(order_body(status=status)))


def test_a_status_with_its_database_prefix_is_the_same_status() -> None:
    assert order_of(order_body(status="wc-completed")).status is OrderStatus.COMPLETED


@pytest.mark.parametrize(
    ("status", "paid", "expected"),
    [
        ("pending", None, False),
        ("on-hold", None, False),
        ("failed", None, False),
        ("processing", None, True),
        ("completed", None, True),
        ("cancelled", None, False),
        ("cancelled", "2026-11-20T08:15:30", True),
        ("odottaa-kuvaa", "2026-11-20T08:15:30", True),
    ],
)
def test_paid_is_a_date_or_a_paid_status(status: str, paid: str | None, expected: bool) -> None:
    assert ("order.paid" in kinds(normalise(order_body(status=status, date_paid_gmt=paid)))) is expected


def test_completed_is_fulfilled_but_not_delivered() -> None:
    events = normalise(order_body(status="completed", date_completed_gmt="2026-11-20T12:00:00"))
    assert "order.fulfilled" in kinds(events)
    assert not [event for event in events if event.kind.startswith("shipment.")]


NINE, TEN, ELEVEN = (f"2026-11-20T{hour}:00:00" for hour in ("09", "10", "11"))


def keys(kind: EventKind, **state: Any) -> set[str]:
    """The keys of one state under both topics: they must not depend on which delivery told it."""
    told = [
        {event.key for event in normalise(order_body(**state), f"order.{how}") if event.kind == kind}
        for how in ("created", "updated")
    ]
    assert told[0] == told[1]
    return told[0]


def test_an_order_can_be_cancelled_twice() -> None:
    first = keys(EventKind.ORDER_CANCELLED, status="cancelled", date_modified_gmt=NINE)
    assert not keys(EventKind.ORDER_CANCELLED, status="processing", date_modified_gmt=TEN)
    second = keys(EventKind.ORDER_CANCELLED, status="cancelled", date_modified_gmt=ELEVEN)
    assert len(first) == len(second) == 1
    assert first != second


def test_a_completion_is_known_by_its_date_and_not_by_later_changes() -> None:
    def fulfilled(completed: str | None, modified: str) -> set[str]:
        state = {"status": "completed", "date_completed_gmt": completed, "date_modified_gmt": modified}
        return keys(EventKind.ORDER_FULFILLED, **state)

    assert fulfilled(NINE, NINE) == fulfilled(NINE, TEN)
    assert fulfilled(NINE, TEN) != fulfilled(ELEVEN, ELEVEN)
    assert fulfilled(None, NINE) == fulfilled(None, TEN) == {"order/1001/fulfilled"}


@pytest.mark.parametrize(
    ("created_via", "source"),
    [("pos-rest-api", "pos"), ("woocommerce-pos", "pos"), ("rest-api", "rest-api"), ("store-api", "store-api")],
)
def test_the_counter_is_called_pos(created_via: str, source: str) -> None:
    assert order_of(order_body(created_via=created_via)).source == source


def test_an_unknown_status_is_other_with_its_own_word_kept() -> None:
    order = order_of(order_body(status="odottaa-kuvaa", date_paid_gmt=None))
    assert (order.status, order.raw_status, order.financial) == (
        OrderStatus.OTHER,
        "odottaa-kuvaa",
        FinancialStatus.OTHER,
    )


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the machine's time zone cannot be set here")
def test_gmt_dates_are_read_as_gmt_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        body = order_body(date_created="2026-11-20T23:59:59", date_created_gmt="2026-11-20T08:15:30")
        assert order_of(body).placed_at == datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


# -- money ---------------------------------------------------------------------------------------------------------


def test_lines_are_in_the_shops_price_convention_and_add_up_to_the_total() -> None:
    order = order_of(order_body())
    assert order.lines[0].unit_price.amount == Decimal("12.50")
    assert order.lines[0].total.amount == Decimal("25.00")
    assert order.subtotal is not None
    assert order.shipping is not None
    assert order.subtotal + order.shipping == order.total
    net = order_of(order_body(prices_include_tax=False))
    assert net.lines[0].total.amount == Decimal("19.92")
    assert net.subtotal is not None
    assert net.shipping is not None
    assert net.tax is not None
    assert net.subtotal + net.shipping + net.tax == net.total


def test_the_float_price_is_never_read() -> None:
    line = {**order_body()["line_items"][0], "price": 99999.123}
    assert order_of(order_body(line_items=[line])).lines[0].unit_price.amount == Decimal("12.50")


@pytest.mark.parametrize("total", ["", None, "abc", [], True, "1e5", "9" * 40])
def test_a_total_that_is_no_amount_is_malformed_with_its_path(total: Any) -> None:
    with pytest.raises(MalformedPayload) as caught:
        normalise(order_body(total=total))
    assert caught.value.path == "$.total"
    assert caught.value.topic == "order.updated"


def test_refunds_are_positive_and_reduce_nothing() -> None:
    events = normalise(order_body(refunds=[{"id": 5, "reason": "x", "total": "-12.50"}, {"id": 6, "total": "-1.00"}]))
    refunds = {event.key: event.refund for event in events if event.refund}
    assert {key: refund.amount.amount for key, refund in refunds.items() if refund.amount} == {
        "refund/5": Decimal("12.50"),
        "refund/6": Decimal("1.00"),
    }
    order = events[0].order
    assert order is not None
    assert order.refunded is not None
    assert order.refunded.amount == Decimal("13.50")
    assert order.total.amount == Decimal("31.15")
    assert order.financial is FinancialStatus.PARTIALLY_REFUNDED


# -- people --------------------------------------------------------------------------------------------------------


def test_a_guest_has_no_id_and_the_address_as_typed() -> None:
    order = order_of(order_body(customer_id=0))
    assert order.customer is not None
    assert order.customer.id is None
    assert order.email == "Leena.Kettunen@Example.com"
    assert normalise(order_body(customer_id=0))[0].customer_id is None
    assert normalise(order_body(customer_id="57"))[0].customer_id == "57"


def test_what_the_eraser_leaves_is_nobody() -> None:
    order = order_of(recorded("order.updated/erased_customer"))
    assert order.customer is None
    assert order.email is None
    assert order.billing_address is None
    assert "deleted" not in repr(order)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("wpml_language", "fi", "fi"),
        ("trp_language", "fi_FI", "fi-FI"),
        ("_order_language", "zh-hans", "zh-Hans"),
        ("customer_language", "pt_BR", "pt-BR"),
        ("wpml_language", "", None),
        ("wpml_language", {"a": 1}, None),
        ("somebody_else", "fi", None),
    ],
)
def test_the_language_comes_from_the_plugins_meta(key: str, value: Any, expected: str | None) -> None:
    assert order_of(with_meta((key, value))).locale == expected


def test_locale_tags() -> None:
    assert [locale_tag(code) for code in ("de_DE_formal", "EN", "sr-latn-rs", "x", "ä", None, 5)] == [
        "de-DE",
        "en",
        "sr-Latn-RS",
        None,
        None,
        None,
        None,
    ]


# -- no facts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "body", "subject"),
    [
        ("order.deleted", {"id": 28}, "order/28"),
        ("product.deleted", {"id": 45}, "product/45"),
        ("coupon.deleted", {"id": 45}, "coupon/45"),
        ("customer.deleted", {"id": 5, "email": "a@example.test"}, "customer/5"),
        ("order.restored", {"id": 28}, "order/28"),
        ("order.updated", {"code": "woocommerce_rest_cannot_view", "message": "Sorry"}, "order/unknown"),
        ("action.woocommerce_delete_order", {"action": "woocommerce_delete_order", "arg": 54}, "order/54"),
        ("action.woocommerce_order_status_on-hold", {"action": "x", "arg": "54"}, "order/54"),
    ],
)
def test_what_is_no_fact_is_a_reason_to_look_again(topic: str, body: dict[str, Any], subject: str) -> None:
    (event,) = normalise(body, topic)
    assert event.kind == EventKind.RESOURCE_RECHECK
    assert str(event.subject) == subject
    assert set(event.data) == {"resource", "id", "reason"}
    assert (event.order, event.customer, event.product) == (None, None, None)


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("order.deleted", {"id": 28}),
        ("product.deleted", {"id": 28}),
        ("order.updated", {"code": "woocommerce_rest_cannot_view"}),
        ("action.woocommerce_order_refunded", {"action": "woocommerce_order_refunded", "arg": 28}),
    ],
)
def test_each_delivery_asks_for_one_look(topic: str, body: dict[str, Any]) -> None:
    """Into the bin, out of it and in again: the second deletion is looked at too."""
    first, same, later = (normalise(body, topic, key)[0].key for key in ("28:ab:1", "28:ab:1", "28:ab:2"))
    assert first == same
    assert first != later


def test_a_deleted_account_is_a_fact_under_one_key() -> None:
    first, later = (normalise({"id": 5}, "customer.deleted", key) for key in ("5:ab:1", "5:ab:2"))
    assert first == later
    (event,) = first
    assert (event.kind, event.key, str(event.subject)) == (
        EventKind.CUSTOMER_DELETED,
        "customer/5/deleted",
        "customer/5",
    )
    assert (event.customer_id, event.order_id, event.customer) == ("5", None, None)


@pytest.mark.parametrize(
    "topic",
    [
        "order.refunded",
        "subscription.created",
        "action.woocommerce_add_to_cart",
        "action.woocommerce_before_delete_order",
        "action.woocommerce_order_note_added",
        "orders/paid",
        "order",
    ],
)
def test_other_topics_mean_nothing(topic: str) -> None:
    assert normalise({"action": "x", "arg": 5, "id": 5}, topic) == []


def test_an_action_without_an_order_means_nothing() -> None:
    assert normalise({"action": "x", "arg": []}, "action.woocommerce_order_refunded") == []


def test_a_note_to_the_customer_is_not_quoted() -> None:
    body = recorded("action.woocommerce_new_customer_note/note_with_link")
    (event,) = normalise(body, "action.woocommerce_new_customer_note")
    assert "Paketti" not in repr(event)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b'{"message":"x"}', b"[" * 5000])
def test_unreadable_bodies_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload) as caught:
        normalise(body)
    assert caught.value.topic == "order.updated"
    assert caught.value.path


def test_the_path_of_a_fault_is_named_and_its_value_is_not() -> None:
    line = {**order_body()["line_items"][0], "id": ["Salainen Nimi"]}
    with pytest.raises(MalformedPayload) as caught:
        normalise(order_body(line_items=[line]))
    assert "line_items[0].id" in caught.value.path.replace("[...]", "[0]")
    assert "Salainen" not in str(caught.value)


def test_php_arrays_with_a_gap_arrive_as_objects() -> None:
    lines = order_body()["line_items"]
    assert order_of(order_body(line_items={"3": lines[0]})).lines == order_of(order_body()).lines


def test_staff_accounts_are_not_welcomed() -> None:
    assert kinds(normalise(recorded("customer.created/shop_manager"), "customer.created")) == {"customer.updated"}


def test_the_eraser_empties_an_account() -> None:
    events = normalise(recorded("customer.updated/erased"), "customer.updated")
    assert {event.customer.email for event in events if event.customer} == {None}


# -- single values -------------------------------------------------------------------------------------------------


def test_single_values() -> None:
    assert text("a\x00b\ud800c") == "abc"
    assert text("[deleted]") is None
    assert decimal("-12.50") == Decimal("-12.50")
    assert decimal(1e-7) == Decimal("0.0000001")
    assert decimal("NaN") is None
    assert web("ftp://x.example") is None
    assert loose_moment("2026-11-22", "Not/AZone") == datetime(2026, 11, 22, tzinfo=UTC)
    assert local_text(datetime(2026, 7, 1, 21, 30, tzinfo=UTC), "Europe/Helsinki") == "2026-07-02T00:30:00"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(order_body())), JSON)
def test_any_value_in_any_field_is_events_or_malformed(field: str, value: Any) -> None:
    fault = ""
    events: list[Event] = []
    try:
        events = normalise(order_body(**{field: value}))
    except MalformedPayload as error:
        fault = error.path
    assert fault.startswith("$") if fault else all(event.key for event in events)


def test_the_adapter_and_all_it_imports_here_are_pure() -> None:
    """Negative control: the same walk from `platform` does reach the network."""
    assert not reached("adapter") & {"requests", "woocommerce", "connector.http", "flask", "sqlite3", "socket", "time"}
    assert {"requests", "woocommerce", "connector.http"} <= reached("platform")


def reached(module: str) -> set[str]:
    """Modules imported by `platforms.woocommerce.<module>` and by the modules of that package it imports."""
    package = "platforms.woocommerce."
    seen: set[str] = set()
    todo = [package + module]
    while todo:
        name = todo.pop()
        seen.add(name)
        if name.startswith(package):
            path = Path(__file__).parents[3] / (name.replace(".", "/") + ".py")
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                found += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                todo += [name for name in found if name not in seen]
    return seen
