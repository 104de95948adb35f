"""What failed, and what nobody can know: listed with its reason, tried again or settled by a person, and remembered."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from click.testing import CliRunner, Result

from connector.cli.context import App
from connector.cli.messages import messages
from connector.explaining.explain import explain
from connector.model import Channel
from connector.store import suppressions
from connector.testing.fakes.people import AINO, MUG
from connector.testing.world import SHOPIFY, World


def kiitos(world: World, *words: str) -> Result:
    """`kiitos messages ...` on the world's own database."""
    app = App("app.toml")
    vars(app).update(config=world.kiitos.config, kiitos=world.kiitos)
    return CliRunner().invoke(messages, list(words), obj=app)


def waiting(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kiitos(world, "list", "--json").output)
    return found


def bought(world: World, *, delivered: bool = False) -> None:
    order = world.shopify.place_order([(MUG, 1)], AINO)
    if delivered:
        world.wait(hours=1)
        world.shopify.carrier_event(world.shopify.fulfill(order), "delivered")
    world.deliver()


def subjects(world: World) -> int:
    return len(world.sink.messages)


def test_a_refused_confirmation_is_listed_and_sent_by_hand(world: World) -> None:
    world.sink.script.data_codes = [554]
    bought(world)
    (row,) = waiting(world)
    assert (row["shop"], row["order"], row["kind"], row["status"]) == (SHOPIFY, "#1001", "order_confirmation", "failed")
    assert "554" in row["why"]
    assert row["since"] == f"{world.clock.now():%Y-%m-%d %H:%M}"
    assert row["id"] in kiitos(world, "list", SHOPIFY, "--status", "failed").output
    assert row["id"] not in kiitos(world, "list", SHOPIFY, "--status", "uncertain").output
    world.wait(days=12)  # far later than policy would let it go by itself
    told = kiitos(world, "retry", SHOPIFY, row["id"])
    assert (told.exit_code, "the worker tries it again" in told.output) == (0, True)
    world.wait(hours=1)
    assert [kept.recipients for kept in world.sink.messages] == [("aino@example.test",)]
    assert waiting(world) == []
    story = explain(world.kiitos.store, SHOPIFY, "1001")
    assert story is not None
    assert any(line.what == "by_hand" and line.detail["did"] == "retry" for line in story.lines)


def test_a_suppressed_address_is_not_written_to_by_hand(world: World) -> None:
    """A person's word waives lateness, not the suppression list."""
    world.sink.script.data_codes = [554]
    bought(world)
    (row,) = waiting(world)
    with world.kiitos.store.work.transaction() as tx:
        suppressions.add(tx, SHOPIFY, "aino@example.test", Channel.EMAIL, "all", "hard_bounce", world.clock.now())
    assert kiitos(world, "retry", SHOPIFY, row["id"]).exit_code == 0
    world.wait(hours=1)
    assert world.sink.messages == []
    story = explain(world.kiitos.store, SHOPIFY, "1001")
    assert story is not None
    assert any("order_confirmation not sent: suppressed" in line.text for line in story.lines)


def asked_and_lost(world: World) -> dict[str, Any]:
    """The review request went out, and its answer was lost: marketing, so nobody repeats it."""
    bought(world, delivered=True)
    world.wait(days=9, hours=22)
    world.sink.script.drop_after_data = 1
    world.wait(days=1)
    (row,) = waiting(world)
    assert (row["kind"], row["status"]) == ("review_request", "uncertain")
    return row


def test_uncertain_marketing_needs_force(world: World) -> None:
    row = asked_and_lost(world)
    before = subjects(world)
    refused = kiitos(world, "retry", SHOPIFY, row["id"])
    assert (refused.exit_code, "--force" in refused.stderr) == (1, True)
    world.wait(hours=1)
    assert subjects(world) == before
    forced = kiitos(world, "retry", SHOPIFY, row["id"], "--force")
    assert (forced.exit_code, "may arrive twice" in forced.output) == (0, True)
    world.wait(hours=1)
    assert subjects(world) == before + 1
    first, second = world.sink.messages[-2:]
    assert first.message_id == second.message_id, "the same bytes, so that mailboxes may show one"


def test_settled_as_sent_or_not(world: World) -> None:
    row = asked_and_lost(world)
    before = subjects(world)
    assert kiitos(world, "settle", SHOPIFY, row["id"]).exit_code == 2, "sent or not sent: it must be said"
    assert kiitos(world, "settle", SHOPIFY, row["id"], "--not-sent").exit_code == 0
    assert [(each["status"], each["why"]) for each in waiting(world)] == [("failed", "by hand: it was not carried out")]
    assert kiitos(world, "retry", SHOPIFY, row["id"]).exit_code == 0, "now it is certain: no force needed"
    world.wait(hours=1)
    assert (subjects(world), waiting(world)) == (before + 1, [])
    again = kiitos(world, "settle", SHOPIFY, row["id"], "--sent")
    assert (again.exit_code, "it is sent" in again.stderr) == (1, True)


def test_settled_as_sent_stays_so(world: World) -> None:
    row = asked_and_lost(world)
    before = subjects(world)
    assert kiitos(world, "settle", SHOPIFY, row["id"], "--sent").exit_code == 0
    world.wait(days=3)
    assert (subjects(world), waiting(world)) == (before, [])
    shown = json.loads(kiitos(world, "show", SHOPIFY, row["id"], "--json").output)
    assert (shown["status"], shown["may_have_arrived"]) == ("sent", "yes")
    assert [line["now"] for line in shown["journal"] if line.get("did") == "settle"] == ["sent"]
    assert "may have arrived" in kiitos(world, "show", SHOPIFY, row["id"]).output


def test_a_code_made_at_last_is_mailed_too(world: World) -> None:
    """The flow had gone past the failed step and done nothing since: it goes on from there."""
    bought(world, delivered=True)
    world.until(world.clock.now() + timedelta(days=18))
    world.shopify.scopes.discard("write_discounts")
    world.wait(days=3)
    (row,) = [each for each in waiting(world) if each["kind"] == "create_discount"]
    before = subjects(world)
    world.shopify.scopes.add("write_discounts")
    told = kiitos(world, "retry", SHOPIFY, row["id"])
    assert "the flow goes on from there" in told.output
    world.wait(hours=2)
    assert len(world.shopify.discounts) == 1
    assert subjects(world) == before + 1, "the invitation with the code"


def test_what_was_cancelled_is_not_retried(world: World) -> None:
    world.sink.script.data_codes = [554]
    bought(world)
    (row,) = waiting(world)
    with world.kiitos.store.work.transaction() as tx:
        tx.script("UPDATE runs SET status = 'cancelled', reason = 'order.cancelled'")
    refused = kiitos(world, "retry", SHOPIFY, row["id"])
    assert (refused.exit_code, "order.cancelled" in refused.stderr) == (1, True)


def test_an_unknown_message_is_said(world: World) -> None:
    for verb in (("retry",), ("show",), ("settle", "--sent")):
        told = kiitos(world, verb[0], SHOPIFY, "nobody:knows", *verb[1:])
        assert (told.exit_code, "nobody:knows" in told.stderr) == (1, True)
