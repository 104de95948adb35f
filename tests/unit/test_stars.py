"""A reward that depends on the stars of a review is refused when the flow is loaded, in either direction."""

from __future__ import annotations

import tomllib

import pytest

from connector.registry import Registry
from flows.authoring.stars import GIVES
from flows.definition import Flow, FlowErrors, load_flow

STEPS = Registry().steps
ON_REVIEW = """
id = "thanks"
title = "T"
trigger = "review.submitted"
purpose = "loyalty"
subject = "order"
{when}

{before}

[[steps]]
id = "present"
{gift}
{guard}
"""
AFTER_ASKING = """
id = "asks"
title = "T"
trigger = "order.delivered"
purpose = "review"
subject = "order"

[[steps]]
id = "reply"
do = "wait_for"
event = "review.submitted"
timeout = "7d"

[[steps]]
id = "present"
{gift}
{guard}
"""
CODE = 'do = "create_discount"\nvalue = "10 %"\nprefix = "THANKS"'
POINTS = 'do = "grant"\nwhat = "points"\npoints = 20'
STOP = '[[steps]]\nid = "stop"\ndo = "exit"\nwhen = ["event.rating {op} 3"]'


def load(text: str) -> Flow:
    return load_flow(text, where="own.toml", registry_steps=STEPS)


@pytest.mark.parametrize("gift", [CODE, POINTS])
@pytest.mark.parametrize("op", [">=", "<="])
@pytest.mark.parametrize(
    "text",
    [
        ON_REVIEW.format(when="", before="", gift="{gift}", guard='when = ["event.rating {op} 3"]'),
        ON_REVIEW.format(when='when = ["event.rating {op} 3"]', before="", gift="{gift}", guard=""),
        ON_REVIEW.format(when="", before=STOP, gift="{gift}", guard=""),
        AFTER_ASKING.format(gift="{gift}", guard='when = ["steps.reply.rating {op} 3"]'),
    ],
    ids=["the step's guard", "the flow's guard", "an exit before it", "after it was asked for"],
)
def test_a_present_for_stars_is_refused(text: str, op: str, gift: str) -> None:
    with pytest.raises(FlowErrors, match=r"own\.toml: steps\.present: '(create_discount|grant)' depends on the stars"):
        load(text.replace("{op}", op).replace("{gift}", gift))


@pytest.mark.parametrize(
    "text",
    [
        ON_REVIEW.format(when="", before="", gift=CODE, guard=""),
        AFTER_ASKING.format(gift=CODE, guard="when = [\"steps.reply.outcome == 'event'\"]"),
        ON_REVIEW.format(
            when="", before="", gift='do = "tag_order"\ntag = "unhappy"', guard='when = ["event.rating <= 2"]'
        ),
        ON_REVIEW.format(when="", before=STOP.replace("{op}", "<="), gift='do = "tag_order"\ntag = "x"', guard=""),
        AFTER_ASKING.replace("review.submitted", "survey.answered").format(
            gift=CODE, guard='when = ["steps.reply.rating <= 2"]'
        ),
    ],
    ids=["for every review", "for having written", "a tag", "a tag after an exit", "a survey's score"],
)
def test_what_does_not_pay_for_stars_is_loaded(text: str) -> None:
    assert load(text).steps


def test_who_is_under_way_in_such_a_flow_goes_on() -> None:
    """A version that was stored before this was asked can still be read."""
    fair = load(ON_REVIEW.format(when="", before="", gift=CODE, guard=""))
    stored = fair.to_json().replace('"when":[]}]', '"when":["event.rating >= 4"]}]')
    unfair = Flow.from_json(stored, STEPS)
    assert [guard.text for guard in unfair.steps[0].when] == ["event.rating >= 4"]


def test_the_steps_that_give_are_there() -> None:
    assert set(STEPS) >= GIVES
    assert tomllib.loads(CODE)["do"] in GIVES
