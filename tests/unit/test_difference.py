"""What differs between two versions of a flow, and the timeline of one: text that people read."""

from __future__ import annotations

from typing import Any

import pytest

from flows.authoring.difference import differences
from flows.authoring.timeline import channels, starts, timeline
from tests.engine.world import flow_of, library

USE = {"id": "use", "do": "wait", "when": [], "span": "10d"}
ASK = {"id": "ask", "do": "send", "when": ["order.is_test == false"], "template": "review_request"}
THANKS = {"id": "thanks", "do": "send", "when": [], "template": "review_thanks"}


def document(**more: Any) -> dict[str, Any]:
    given = {"id": "f", "trigger": ["order.paid"], "when": [], "cancel_on": [], "params": {"wait": "10d"}}
    return {**given, "steps": [USE, ASK, THANKS], **more}


def test_the_same_text_has_no_difference() -> None:
    assert differences(document(), document()) == []


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"params": {"wait": "21d"}}, ["params.wait: '10d' -> '21d' (clients.acme)"]),
        ({"params": {}}, ["params.wait: removed, was '10d'"]),
        ({"trigger": ["order.shipped"]}, ["trigger: order.paid -> order.shipped"]),
        ({"when": ["order.total >= 40 EUR"]}, ["when: also order.total >= 40 EUR"]),
        ({"max_age": "3d"}, ["max_age: new, '3d'"]),
        (
            {"steps": [USE, ASK]},
            ["step thanks: removed (send, template 'review_thanks')"],
        ),
        (
            {"steps": [USE, ASK, THANKS, {"id": "end", "do": "exit", "reason": "done", "when": ["a == 1"]}]},
            ["step end: new, after thanks (exit, reason 'done', only if a == 1)"],
        ),
        (
            {"steps": [USE, {**ASK, "when": [], "template": "x"}, THANKS]},
            ["step ask: template: 'review_request' -> 'x'", "step ask: when: no longer order.is_test == false"],
        ),
        (
            {"steps": [THANKS, USE, ASK]},
            ["step thanks: moved, now first"],
        ),
    ],
)  # fmt: skip
def test_a_difference(change: dict[str, Any], lines: list[str]) -> None:
    assert differences(document(), document(**change), {"params.wait": "clients.acme"}) == lines


def test_the_review_request_as_a_timeline() -> None:
    moments = {moment.step_id: moment for moment in timeline(library("review_request"))}
    assert moments["arrival_home"].when == "day 0"
    assert moments["ask"].when == "progress.delivered_at +10d"
    assert moments["reminder"].when == "progress.delivered_at +17d"
    assert moments["nothing_came"].when == "progress.delivered_at +10d to +24d"
    assert moments["ask"].what == "send review_request by email"
    assert "steps.reply.outcome == 'timeout'" in moments["reminder"].only_if
    assert channels(library("review_request")) == ["email"]
    assert starts(library("review_request"))[0].startswith("at order.shipped, once per order")
    assert "only if order.placed_at within 120d" in starts(library("review_request"))


def test_waits_of_every_kind() -> None:
    flow = flow_of(
        """
id = "f"
trigger = ["order.paid", "order.created"]
purpose = "marketing"
reentry = "per_event"
[[steps]]
id = "first"
do = "wait"
span = "1d 12h"
[[steps]]
id = "morning"
do = "wait"
at = "09:00"
days = ["mon", "thu"]
zone = "recipient"
[[steps]]
id = "tell"
do = "send"
template = "news"
channels = ["sms", "email"]
to = "friend"
"""
    )
    first, morning, tell = timeline(flow)
    assert (first.when, morning.when, tell.when) == ("day 0", "+1d 12h", "+1d 12h, 09:00")
    assert morning.what == "wait until 09:00 on mon, thu (recipient)"
    assert tell.what == "send news by sms, else email to the friend"
    assert channels(flow) == ["sms", "email"]
    assert starts(flow) == ["at order.paid or order.created, once per order and kind of event"]
