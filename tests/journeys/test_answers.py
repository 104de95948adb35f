"""What people write back, who is forgotten meanwhile, and what commands say of it all."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.context import App
from connector.cli.messages import messages
from connector.contracts.channel_events import ChannelEvent, ChannelEventKind
from connector.explaining.explain import explain
from connector.model import Channel, ConsentState, EffectStatus, Purpose
from connector.privacy import COMMAND, Privacy
from connector.rehearsal import VOCABULARY
from connector.store import channel_events, consents, entities, inbox, suppressions
from connector.store.privacy import ERASE_CUSTOMER
from flows.sending.afterwards import Account, Afterwards
from tests.journeys.afterwards import AINO, ASK, HARD, SHOPIFY, WOO, PostWorld, post_world, silent


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PostWorld]:
    with post_world(tmp_path) as made:
        yield made


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[PostWorld]:
    with post_world(tmp_path, ASK, soft_opt_in=["review"]) as made:
        yield made


def forget(world: PostWorld) -> None:
    privacy = Privacy(world.kiitos)
    assert privacy.ask(WOO, ERASE_CUSTOMER, COMMAND, {"email": AINO}) is not None
    world.until(minutes=1)


def kept_bodies(world: PostWorld) -> bytes:
    with world.store.inbox.read() as tx:
        return b"".join(row.body for row in inbox.after(tx, 0, 1000))


def test_who_is_forgotten_is_forgotten_in_what_providers_told(world: PostWorld) -> None:
    world.order()
    world.tell("Bounce", **HARD)
    assert AINO.encode() in kept_bodies(world)
    effect = world.effect()
    forget(world)
    assert AINO.encode() not in kept_bodies(world)
    assert world.heard(effect) == []
    with world.store.work.read() as tx:
        assert channel_events.message_of(tx, world.post.messages[0].key) is None
    world.tell("SpamComplaint")  # it comes late, and is nobody's
    world.until(minutes=2)
    (row,) = world.strangers()
    assert row.recipient == "a***@example.test"
    assert AINO.encode() not in kept_bodies(world), "nor may what came afterwards stay as it came"


def test_a_stranger_s_late_event_stays_as_it_came(world: PostWorld) -> None:
    """The control: only who was forgotten is."""
    world.order()
    forget(world)
    world.send({"RecordType": "Bounce", "MessageID": "x", "Metadata": {"kiitos_key": "nobody"}, "Type": "HardBounce",
                "Recipient": "bo@example.test", "ID": 1, "ReceivedAt": world.clock.now().isoformat()})  # fmt: skip
    world.until(minutes=2)
    assert b"bo@example.test" in kept_bodies(world)


@pytest.mark.parametrize("bounced", [True, False])
def test_the_hash_of_a_dead_address_still_blocks(world: PostWorld, bounced: bool) -> None:
    """Who was forgotten and orders again is a customer, and hears of it; not where their mailbox is none."""
    world.order("1")
    if bounced:
        world.tell("Bounce", **HARD)
    forget(world)
    with world.store.work.read() as tx:
        listed = suppressions.of_shop(tx, WOO)
    assert [row.address_key[0] for row in listed] == (["#"] if bounced else [])
    world.until(hours=1)
    world.order("2")
    assert len(world.post.messages) == (1 if bounced else 2)


def reply(world: PostWorld, text: str, **more: str) -> list[str]:
    """Somebody answers by mail; the subjects of what their merchant hears."""
    key = world.post.messages[0].key
    events = [
        ChannelEvent(
            id=f"reply {text}",
            kind=ChannelEventKind.REPLIED,
            at=world.clock.now(),
            raw_kind="reply",
            key=key,
            recipient=more.get("who", AINO),
            text=text,
        )
    ]
    account = Account("mail", Channel.EMAIL, [WOO, SHOPIFY])
    afterwards = Afterwards(world.kiitos.runner, world.clock, lambda: world.kiitos.outbox)
    before = len(world.post.messages)
    with world.store.work.transaction() as tx:
        for event in events:
            assert afterwards.hear(tx, account, event, world.clock.now(), None)
    world.until(minutes=1)
    return [each.content.decode() for each in world.post.messages[before:]]


def test_an_answer_reaches_the_merchant_who_can_answer_it(asking: PostWorld) -> None:
    asking.order()
    (mail,) = reply(asking, "Where is it?\nI wait since {shop} Monday.")
    read = email.message_from_string(mail, policy=email.policy.default)
    assert read["To"] == "apu@metsa.example"
    assert read["Reply-To"] == AINO
    assert read["Auto-Submitted"] == "auto-generated"
    body = read.get_body(("plain",))
    assert body is not None
    assert "Where is it?" in body.get_content()
    assert "I wait since {shop} Monday." in body.get_content()
    assert asking.blocked() == {}
    assert reply(asking, "Where is it?\nI wait since {shop} Monday.") == [], "told once"


def test_stop_acts_and_start_takes_it_back(asking: PostWorld) -> None:
    asking.order()
    assert reply(asking, " Lopeta. ") == []
    assert asking.blocked() == {"marketing": "unsubscribe"}
    asking.until(days=1)  # past the cap of one mail in 16 hours
    asking.order("2")
    assert len(asking.post.messages) == 1
    assert reply(asking, "START") == []
    assert asking.blocked() == {}
    with asking.store.work.read() as tx:
        assert consents.state(tx, WOO, AINO, Channel.EMAIL, Purpose.MARKETING, None)[0] is ConsentState.UNKNOWN
    asking.order("3")
    assert len(asking.post.messages) == 2


def test_two_machines_end(asking: PostWorld) -> None:
    asking.order()
    told = [mail for number in range(30) for mail in reply(asking, f"Thank you for your message, number {number}")]
    assert len(told) == 20


def command(world: PostWorld, *words: str) -> Result:
    app = App("app.toml")
    app.__dict__ |= {"kiitos": world.kiitos, "config": world.kiitos.config}
    return CliRunner().invoke(messages, list(words), obj=app)


def test_commands_say_what_became_of_a_message(world: PostWorld) -> None:
    world.order("1")
    world.tell("Bounce", **HARD)
    (row,) = json.loads(command(world, "list", WOO, "--became", "bounced", "--json").output)
    assert (row["status"], row["became"]) == ("sent", "bounced 5.1.1")
    assert json.loads(command(world, "list", WOO, "--became", "complained", "--json").output) == []
    shown = json.loads(command(world, "show", WOO, row["id"], "--json").output)
    (heard,) = shown["heard"]
    assert (heard["heard"], heard["code"], heard["from"]) == ("bounced", "5.1.1", "mail")
    assert "bounced" in command(world, "show", WOO, row["id"]).output
    assert command(world, "list", "--became", "bounced").exit_code == 2


def test_what_nobody_knows_is_shown_as_unknown(tmp_path: Path) -> None:
    with post_world(tmp_path, ASK, soft_opt_in=["review"]) as world:
        world.happens("order", "1")
        silent(world)
        world.until(seconds=30)
        (row,) = json.loads(command(world, "list", WOO, "--json").output)
        assert (row["status"], row["became"]) == ("uncertain", "unknown")


def test_explain_tells_it_too(world: PostWorld) -> None:
    world.order("1")
    world.tell("Delivery")
    order_id = world.effect().order_id
    assert order_id is not None
    with world.store.work.read() as tx:
        number = entities.order(tx, WOO, order_id)
    assert number is not None
    story = explain(world.store, WOO, number.number)
    assert story is not None
    assert [line.text for line in story.lines if line.what == "heard.delivered"] == [
        "order_confirmation: delivered, says mail"
    ]


TEXT = """
id = "office"
trigger = ["order.paid"]
purpose = "review"
subject = "order"

[[steps]]
id = "tell"
do = "send"
template = "review_request"
channels = ["sms"]
"""
PHONE = "+358401234567"


@pytest.mark.parametrize(("text", "stopped"), [("STOP", True), ("Lopeta!", True), ("Where is it?", False)])
def test_an_answer_to_a_text_is_of_the_last_that_was_sent(tmp_path: Path, text: str, stopped: bool) -> None:
    """An inbound text names no message of ours: it is an answer to the last one to that number."""
    with post_world(tmp_path, TEXT, sms="texts", soft_opt_in=["review"], texts=True) as world:
        events = VOCABULARY["order"](world.life, "1", world.clock.now())
        known = [replace(event, order=replace(event.order, phone=PHONE)) if event.order else event for event in events]
        with world.store.work.transaction() as tx:
            world.kiitos.runner.ingest(tx, WOO, known, world.clock.now())
        world.until(minutes=1)
        assert world.effect().status is EffectStatus.SENT
        said = ChannelEvent(
            id="SM1",
            kind=ChannelEventKind.REPLIED,
            at=world.clock.now(),
            raw_kind="reply",
            provider_id="SM-of-the-answer",
            recipient=PHONE,
            text=text,
        )
        afterwards = Afterwards(world.kiitos.runner, world.clock, lambda: world.kiitos.outbox)
        with world.store.work.transaction() as tx:
            account = Account("texts", Channel.SMS, [WOO, SHOPIFY])
            assert afterwards.hear(tx, account, said, world.clock.now(), None)
        world.until(minutes=1)
        with world.store.work.read() as tx:
            rows = suppressions.find(tx, WOO, PHONE, Channel.SMS)
            elsewhere = suppressions.find(tx, SHOPIFY, PHONE, Channel.SMS)
        assert [(row.scope, row.reason) for row in rows] == ([("marketing", "unsubscribe")] if stopped else [])
        assert elsewhere == []
        told = [mail.content.decode() for mail in world.post.messages]
        assert len(told) == (0 if stopped else 1)
        if not stopped:
            read = email.message_from_string(told[0], policy=email.policy.default)
            assert read["Reply-To"] is None
            body = read.get_body(("plain",))
            assert body is not None
            assert text in body.get_content()
            assert PHONE in body.get_content()


def test_a_stranger_s_word_is_no_order(world: PostWorld) -> None:
    """Who never got anything has nothing to stop; it is kept all the same."""
    said = ChannelEvent(
        id="1", kind=ChannelEventKind.REPLIED, at=world.clock.now(), raw_kind="reply", recipient=AINO, text="STOP"
    )
    afterwards = Afterwards(world.kiitos.runner, world.clock, lambda: world.kiitos.outbox)
    account = Account("mail", Channel.EMAIL, [WOO, SHOPIFY])
    with world.store.work.transaction() as tx:
        assert not afterwards.hear(tx, account, said, world.clock.now(), None)
        afterwards.keep_unmatched(tx, account, said, world.clock.now(), None)
    assert world.blocked() == {}
    assert len(world.strangers()) == 1


def test_a_mail_s_key_in_a_text_s_event_is_not_believed(world: PostWorld) -> None:
    world.order()
    key = world.post.messages[0].key
    said = ChannelEvent(
        id="1", kind=ChannelEventKind.COMPLAINED, at=world.clock.now(), raw_kind="x", key=key, recipient=AINO
    )
    afterwards = Afterwards(world.kiitos.runner, world.clock, lambda: world.kiitos.outbox)
    with world.store.work.transaction() as tx:
        assert not afterwards.hear(tx, Account("texts", Channel.SMS, [WOO]), said, world.clock.now(), None)
    assert world.blocked() == {}
