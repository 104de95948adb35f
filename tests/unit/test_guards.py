"""Guards: every operator on every type, every fault with its near match."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.model import AppliedDiscount, FinancialStatus, Money, ShipmentStatus
from flows.facts import Progress
from flows.guards import parse_guard
from flows.knowing.situation import Situation, facts_of
from tests.engine.world import START, facts, flow_of, line, order, parcel

ORDER = order(
    source="web",
    tags=("vip", "gift"),
    attributes=(("gift", "yes"), ("utm_source", "news")),
    lines=(line("l1", sku="CUP"), line("l2", 3, sku=None)),
    discounts=(AppliedDiscount(code="WELCOME"),),
    total=Money.parse("50.00", "EUR"),
)
FACTS = facts(
    order=ORDER,
    shipment=parcel(status=ShipmentStatus.DELAYED),
    progress=Progress(delivered_at=START - timedelta(days=2), parcels=2),
    event={"kind": "order.paid", "at": "2026-11-02T09:00:00Z", "rating": "4"},
    steps={"reply": {"outcome": "event", "rating": "4", "count": "x", "sure": "true"}},
    params={"wait": "10d"},
)
PARAMS: dict[str, str | int | float | bool] = {"wait": "10d", "least": 50, "word": "web", "sum": "45 EUR", "yes": True}


def holds(text: str, **more: Any) -> bool:
    return parse_guard(text, params=PARAMS, steps=["reply", "code"]).evaluate(replace(FACTS, **more)).passed


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("order.source == 'web'", True),
        ('order.source == "web"', True),
        ("order.source != 'web'", False),
        ("order.source in ['pos', 'web']", True),
        ("order.source not in ['pos', 'web']", False),
        ("order.source contains 'we'", True),
        ("order.source not contains 'we'", False),
        ("order.source == $word", True),
        ("order.source in [$word]", True),
        ("order.financial == 'paid'", True),
        ("order.financial in ['pending', 'refunded']", False),
        ("shipment.status == 'delayed'", True),
        ("order.total.amount == 50", True),
        ("order.total.amount != 50.0", False),
        ("order.total.amount < 50", False),
        ("order.total.amount <= 50", True),
        ("order.total.amount > 49.99", True),
        ("order.total.amount >= $least", True),
        ("order.lines.count in [1, 2]", True),
        ("order.lines.count not in [1, 2]", False),
        ("order.lines.count > -1", True),
        ("order.lines.sku contains 'CUP'", True),
        ("order.lines.sku not contains 'MUG'", True),
        ("order.lines.quantity contains 3", True),
        ("order.discounts.code contains 'WELCOME'", True),
        ("order.tags contains 'vip'", True),
        ("order.tags not contains 'vip'", False),
        ("order.tags.count == 2", True),
        ("order.attributes.gift == 'yes'", True),
        ("order.attributes.missing == ''", True),
        ("order.is_test == false", True),
        ("order.is_test != false", False),
        ("order.needs_shipping == true", True),
        ("order.is_test != $yes", True),
        ("order.total > 45 EUR", True),
        ("order.total == 50 EUR", True),
        ("order.total >= $sum", True),
        ("order.total < 45 EUR", False),
        ("order.total > 1 USD", False),
        ("order.total == 50 USD", False),
        ("order.total != 50 USD", True),
        ("order.placed_at within 3d", True),
        ("progress.delivered_at within 1d", False),
        ("progress.delivered_at not within 1d", True),
        ("progress.delivered_at within $wait", True),
        ("order.placed_at > '2026-01-01'", True),
        ("order.placed_at <= '2026-11-02T09:00:00+00:00'", True),
        ("order.placed_at == '2026-11-02T11:00:00+02:00'", True),
        ("event.kind == 'order.paid'", True),
        ("event.kind in ['order.created', 'custom.mine']", False),
        ("event.rating >= 4", True),
        ("steps.reply.outcome == 'event'", True),
        ("steps.reply.rating < 4", False),
        ("steps.reply.rating in [4, 5]", True),
        ("steps.reply.count > 1", False),
        ("steps.reply.sure == true", True),
        ("steps.code.code != ''", False),
        ("steps.code.code == null", True),
        ("params.wait == '10d'", True),
        ("order.shipping_address != null", True),
        ("order.billing_address == null", True),
        ("order.billing_address.country == 'FI'", False),
        ("order.shipping_address.country == 'FI'", True),
        ("shop.country == 'FI'", True),
        ("customer.orders_count == 1", True),
        ("referral.code == 'X'", False),
    ],
)  # fmt: skip
def test_guard(text: str, passed: bool) -> None:
    assert holds(text) is passed


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("order.source == 'web'", False),
        ("order.source != 'web'", True),
        ("order.source in ['web']", False),
        ("order.source not in ['web']", True),
        ("order.source == ''", True),
        ("order.source == null", True),
        ("order.source contains 'w'", False),
        ("order.total.amount > 1", False),
        ("order.total.amount != 1", True),
        ("order.is_test == false", False),
        ("order.placed_at within 3d", False),
        ("order.placed_at not within 3d", True),
        ("order.tags contains 'vip'", False),
        ("order.tags not contains 'vip'", True),
        ("order.lines == null", True),
        ("order.lines.count > 0", False),
        ("order == null", True),
    ],
)
def test_missing_values_never_raise(text: str, passed: bool) -> None:
    assert holds(text, order=None) is passed


def test_result_tells_what_it_wanted_and_saw() -> None:
    found = parse_guard("order.total >= 90 EUR").evaluate(FACTS)
    assert (found.passed, found.path, found.op, found.wanted, found.saw) == (
        False, "order.total", ">=", "90 EUR", "50.00 EUR",
    )  # fmt: skip
    assert parse_guard("order.placed_at within 36h").evaluate(FACTS).wanted == "1d 12h"
    assert parse_guard("order.financial == 'paid'").evaluate(facts(order=None)).saw == "null"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("order.financal == 'paid'", "order has no 'financal'; did you mean 'financial'?"),
        ("ordr.id == 'x'", "did you mean 'order'?"),
        ("order.total.amonut > 1", "order.total has no 'amonut'; did you mean 'amount'?"),
        ("order.lines.titel contains 'x'", "order.lines has no 'titel'; did you mean 'title'?"),
        ("order.attributes.a.b == 'x'", "nothing lies below"),
        ("order.financial == 'payed'", "is never 'payed'; did you mean 'paid'?"),
        ("shipment.status in ['delivered', 'delayd']", "did you mean 'delayed'?"),
        ("event.kind == 'order.payd'", "no event kind 'order.payd'; did you mean 'order.paid'?"),
        ("event.a.b == 'x'", "an event has one level"),
        ("steps.replly.outcome == 'x'", "no earlier step 'replly'; did you mean 'reply'?"),
        ("steps.reply == 'x'", "write it like steps.ask.outcome"),
        ("params.wiat == 'x'", "no parameter 'wiat'; did you mean 'wait'?"),
        ("order.source == $wrod", "no parameter 'wrod'; did you mean 'word'?"),
        ("order.source == 5", "order.source is text, but 5 is a number"),
        ("order.total.amount == 'x'", "is a number, but x is text"),
        ("order.is_test == 'false'", "is true or false, but false is text"),
        ("order.is_test > true", "cannot be compared with '>'"),
        ("order.total == 5", "is an amount of money, but 5 is a number"),
        ("order.placed_at == 5", "is a time, but 5 is a number"),
        ("order.placed_at within 5", "'within' needs a span such as 10d"),
        ("order.source within 5d", "cannot be compared with 'within'"),
        ("order.source in 'web'", "'in' needs a list"),
        ("order.source < 'web'", "cannot be compared with '<'"),
        ("order.source in null", "null can only be compared with == and !="),
        ("order.lines == 'x'", "is a list: compare it with null only"),
        ("order.shipping_address == 'x'", "is a group of values: compare it with null only"),
        ("order.tags == 'vip'", "compare it with null only"),
        ("order.source == web", "cannot read web"),
        ("order.source in ['a' 'b']", "cannot read the list"),
        ("order.source", "expected 'path op literal'"),
        ("order.source == 'pos' or order.source == 'web'", "cannot read"),
        ("__import__('os') == 1", "expected 'path op literal'"),
        ("order.__class__ == 'x'", "order has no '__class__'"),
    ],
)
def test_faults_name_the_near_match(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_guard(text, params=PARAMS, steps=["reply"])
    assert message in caught.value.message


def test_every_financial_status_can_be_named() -> None:
    for status in FinancialStatus:
        paid = facts(order=order(financial=status))
        assert parse_guard(f"order.financial == '{status}'").evaluate(paid).passed


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_text_makes_parsing_raise_anything_else(text: str) -> None:
    try:
        parsed = parse_guard(text, params=PARAMS)
    except ConfigError:
        return
    assert parsed.evaluate(FACTS).passed in (True, False)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["order.source", "order.total", "order.total.amount", "order.tags", "order.placed_at", "event.x"]),
    st.sampled_from(["==", "!=", "<", ">=", "in", "not in", "contains", "not contains", "within", "not within"]),
    st.sampled_from(["'a'", "5", "5 EUR", "true", "null", "10d", "['a', 'b']", "[1, 2]", "[]"]),
    st.dictionaries(st.just("x"), st.text(max_size=8)),
)
def test_a_negation_is_the_opposite(path: str, op: str, literal: str, event: dict[str, str]) -> None:
    opposite = {"==": "!=", "in": "not in", "contains": "not contains", "within": "not within"}.get(op)
    try:
        guard = parse_guard(f"{path} {op} {literal}")
    except ConfigError:
        return
    seen = replace(FACTS, event=event)
    passed = guard.evaluate(seen).passed
    assert guard.evaluate(seen).passed is passed
    if opposite is not None:
        assert parse_guard(f"{path} {opposite} {literal}").evaluate(seen).passed is not passed


WAITING = flow_of("""
id = "waiting"
title = "Waiting"
trigger = "order.paid"
purpose = "transactional"

[[steps]]
id = "pause"
do = "wait"
span = "3d"
""")


def test_a_switch_of_the_flow_reads_the_same_when_the_message_leaves() -> None:
    """The guard is asked when the step begins and again when the message leaves: a parameter `true` was `True` there,
    and every message behind such a switch was dropped as no longer true."""
    nothing = Situation(order=None, customer=None, shipments=(), progress=Progress())
    switched = replace(WAITING, params={"yes": True, "no": False, "least": 50})
    seen = facts_of(nothing, FACTS.shop, switched.texts, START, b"")
    guard = parse_guard("params.yes == true", params=PARAMS)
    assert guard.holds(seen)
    assert seen.params == {"yes": "true", "no": "false", "least": "50"}
