"""A merchant switches a flow off: those in it are counted, and hear no more of it once it is stopped."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result

from connector.cli.context import App
from connector.cli.flows import flows
from connector.explaining.explain import Line, explain
from connector.testing.fakes.people import AINO, BEANS, EERO, MUG
from connector.testing.world import SHOPIFY, World


def kiitos(world: World, *words: str) -> Result:
    app = App("app.toml")
    vars(app).update(config=world.kiitos.config, kiitos=world.kiitos, catalog=world.kiitos.catalog)
    return CliRunner().invoke(flows, list(words), obj=app)


def people_wait(world: World) -> None:
    """Two people, three orders, all asked for a review in ten days; nobody is asked about the same thing twice."""
    for buyer, article in ((AINO, MUG), (AINO, BEANS), (EERO, MUG)):
        order = world.shopify.place_order([(article, 1)], buyer)
        world.wait(hours=1)
        world.shopify.carrier_event(world.shopify.fulfill(order), "delivered")
    world.wait(hours=1)


def under_way(world: World) -> dict[str, tuple[str, int, int]]:
    rows = json.loads(kiitos(world, "running", SHOPIFY, "--json").output)
    return {row["flow"]: (row["state"], row["runs"], row["people"]) for row in rows}


def lines(world: World, who: str) -> list[Line]:
    story = explain(world.kiitos.store, SHOPIFY, who)
    assert story is not None
    return [line for line in story.lines if line.flow == "review-request"]


def test_who_is_in_a_flow_is_counted(world: World) -> None:
    people_wait(world)
    assert under_way(world)["review-request"] == ("on", 3, 2)
    assert "review-request" in kiitos(world, "running").output


def test_a_stopped_flow_tells_what_was_not_sent_and_why(world: World) -> None:
    people_wait(world)
    before = len(world.sink.messages)
    told = kiitos(world, "stop", SHOPIFY, "review-request", "--reason", "we ask in the shop now")
    assert told.exit_code == 0, told.output
    assert "3 runs of review-request" in told.output
    assert "still on" in told.output
    assert "review-request" not in under_way(world)
    assert "referral-invite" in under_way(world), "other flows go on"
    world.wait(days=12)
    assert len(world.sink.messages) == before, "nobody was asked"
    (stopped,) = [line for line in lines(world, "1001") if line.what == "cancelled"]
    assert stopped.detail["reason"] == "we ask in the shop now"
    assert stopped.detail["not_sent"] == "review_request, review_reminder, review_thanks"
    assert "therefore not sent: review_request" in stopped.text


def test_without_the_stop_they_are_asked(world: World) -> None:
    """The control: the same days, and nobody stopped the flow."""
    people_wait(world)
    before = len(world.sink.messages)
    world.wait(days=12)
    assert len(world.sink.messages) == before + 3


def test_a_message_that_waits_in_the_outbox_is_not_sent(world: World) -> None:
    people_wait(world)
    world.wait(days=9, hours=18)
    world.sink.script.data_codes = [451] * 200
    world.wait(hours=7)  # asked, and put off by the mail server
    before = len(world.sink.messages)
    assert kiitos(world, "stop", SHOPIFY, "review-request").exit_code == 0
    world.sink.script.data_codes = []
    world.wait(days=2)
    assert len(world.sink.messages) == before
    assert any("not sent: cancelled: the flow was stopped by hand" in line.text for line in lines(world, "1001"))


def test_a_flow_nobody_is_in(world: World) -> None:
    people_wait(world)
    told = kiitos(world, "stop", SHOPIFY, "review-requst")
    assert (told.exit_code, "review-request" in told.stderr) == (1, True)
