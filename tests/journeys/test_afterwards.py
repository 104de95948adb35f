"""What became of a message, from the provider's webhook to the shop's lists and flows."""

from __future__ import annotations

import email
import email.policy
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.context import App
from connector.cli.messages import messages
from connector.contracts import Unknown, Verified
from connector.contracts.channel_events import ChannelEvent, ChannelEventKind
from connector.explain import explain
from connector.model import Channel, ConsentState, EffectStatus, Purpose
from connector.privacy import COMMAND, Privacy
from connector.rehearsal import VOCABULARY
from connector.store import channel_events, consents, deliveries, entities, inbox, pace, suppressions
from connector.store.privacy import ERASE_CUSTOMER
from flows.afterwards import Account, Afterwards
from flows.became import Became
from tests.journeys.afterwards import AINO, ASK, CONFIRM, FLOW, SHOPIFY, WOO, PostWorld, post_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PostWorld]:
    with post_world(tmp_path) as made:
        yield made


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[PostWorld]:
    with post_world(tmp_path, ASK, soft_opt_in=["review"]) as made:
        yield made


HARD = {"Type": "HardBounce", "Details": "smtp;550 5.1.1 unknown user"}
SOFT = {"Type": "SoftBounce", "Details": "smtp;552 5.2.2 mailbox full"}
BLOCKED = {"Type": "HardBounce", "Details": "smtp;550 5.7.1 message refused by policy"}


def test_a_delivery_is_known_of_its_message(world: PostWorld) -> None:
    world.order()
    assert world.became() is Became.ACCEPTED
    assert world.tell("Delivery") == 200
    assert world.became() is Became.DELIVERED
    (row,) = world.heard()
    assert (row.channel, row.recipient, row.said) == ("mail", "", "")
    assert world.blocked() == {}


def test_the_order_in_which_events_come_does_not_matter(tmp_path: Path) -> None:
    told = [("Bounce", {"Type": "Transient"}), ("Delivery", {}), ("Open", {}), ("SpamComplaint", {})]
    for number, order in enumerate(itertools.permutations(told)):
        if number % 7:  # four of the twenty-four
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        with post_world(folder) as world:
            world.order()
            for record, more in order:
                world.tell(record, **more)
            assert world.became() is Became.COMPLAINED
            assert world.blocked() == {"all": "complaint"}


def test_a_repetition_changes_nothing(world: PostWorld) -> None:
    world.order()
    for _ in range(3):
        world.tell("SpamComplaint", ID=7, ReceivedAt="2026-11-23T10:00:00Z")
    world.tell("SpamComplaint", ID=7, ReceivedAt="2026-11-23T10:00:00Z", Subject="told in other words")
    assert len(world.heard()) == 1


def test_a_hard_bounce_stops_order_mail_too(world: PostWorld) -> None:
    world.order("1")
    world.tell("Bounce", **HARD)
    assert world.became() is Became.BOUNCED
    assert world.blocked() == {"all": "hard_bounce"}
    world.order("2")
    assert len(world.post.messages) == 1
    assert world.effect(1).reason.startswith("suppressed")


def test_a_block_is_not_the_address_s_fault(world: PostWorld) -> None:
    world.order("1")
    world.tell("Bounce", **BLOCKED)
    assert world.became() is Became.BOUNCED
    assert world.blocked() == {}
    world.order("2")
    assert len(world.post.messages) == 2


def test_a_complaint_leaves_what_the_law_wants(tmp_path: Path) -> None:
    for template, sent in (("order_confirmation", 2), ("shipment_shipped", 1)):
        folder = tmp_path / template
        folder.mkdir()
        with post_world(folder, FLOW.format(purpose="transactional", template=template)) as world:
            world.order("1")
            world.tell("SpamComplaint")
            world.order("2")
            assert len(world.post.messages) == sent, template


def test_three_soft_bounces_hold_marketing_for_two_weeks(asking: PostWorld) -> None:
    for number in "123":
        asking.order(number)
        asking.tell("Bounce", **SOFT)
        assert asking.blocked() == ({} if number != "3" else {"all": "soft_bounce"})
        asking.until(days=2)
    asking.order("4")
    assert len(asking.post.messages) == 3
    asking.until(days=15)
    asking.order("5")
    assert len(asking.post.messages) == 4


def test_the_same_message_coming_back_thrice_counts_once(asking: PostWorld) -> None:
    asking.order()
    for _ in range(4):
        asking.tell("Bounce", **SOFT)
    assert asking.blocked() == {}


def test_soft_bounces_far_apart_are_nothing(asking: PostWorld) -> None:
    for number in "1234":
        asking.order(number)
        asking.tell("Bounce", **SOFT)
        asking.until(days=8)
    assert asking.blocked() == {}


def test_soft_bounces_hold_no_order_mail(world: PostWorld) -> None:
    for number in "1234":
        world.order(number)
        world.tell("Bounce", **SOFT)
    assert world.blocked() == {"all": "soft_bounce"}
    assert len(world.post.messages) == 4


def test_an_opt_out_at_the_provider_is_one_with_us(asking: PostWorld) -> None:
    asking.order()
    asking.tell("SubscriptionChange", SuppressSending=True, SuppressionReason="ManualSuppression")
    assert asking.blocked() == {"marketing": "unsubscribe"}
    asking.until(days=1)  # past the cap of one mail in 16 hours
    with asking.store.work.read() as tx:
        state, row = consents.state(tx, WOO, AINO, Channel.EMAIL, Purpose.MARKETING, None)
    assert (state, row.source if row else "") == (ConsentState.WITHDRAWN, "unsubscribed at the provider")
    asking.order("2")
    assert len(asking.post.messages) == 1


def test_taken_off_the_provider_s_list_makes_no_consent(asking: PostWorld) -> None:
    asking.order()
    asking.tell("SubscriptionChange", SuppressSending=False)
    assert asking.blocked() == {}
    with asking.store.work.read() as tx:
        assert consents.history(tx, WOO, AINO) == []


def test_only_the_shop_whose_message_it_is(world: PostWorld) -> None:
    """Two shops share the account: the one's complaint is not the other's."""
    world.order()
    world.tell("SpamComplaint")
    assert world.blocked(shop_id=WOO) == {"all": "complaint"}
    assert world.blocked(shop_id=SHOPIFY) == {}


def test_a_complaint_counts_against_its_flow_and_a_click_is_a_sign_of_life(asking: PostWorld) -> None:
    asking.order()
    asking.tell("Click", OriginalLink="https://shop.example/p/1")
    asking.tell("SpamComplaint")
    since = asking.clock.now() - timedelta(days=1)
    with asking.store.work.read() as tx:
        assert pace.objections(tx, WOO, "office", "complaint", since) == 1
        assert pace.sign_at(tx, [WOO], AINO) is not None


@pytest.mark.parametrize(
    ("record", "more", "status"),
    [
        ("Delivery", {}, EffectStatus.SENT),
        ("Open", {}, EffectStatus.SENT),
        ("Bounce", {"Type": "Transient"}, EffectStatus.SENT),
        ("Bounce", HARD, EffectStatus.FAILED),
    ],
)
def test_an_event_settles_a_doubt(tmp_path: Path, record: str, more: dict[str, str], status: EffectStatus) -> None:
    """The answer was lost. Marketing is never repeated, and its provider's word settles what became of it."""
    with post_world(tmp_path, ASK, soft_opt_in=["review"]) as world:
        world.happens("order", "1")
        silent(world)
        world.until(seconds=30)
        assert world.effect().status is EffectStatus.UNCERTAIN
        assert world.became() is Became.UNKNOWN
        world.tell(record, **more)
        assert world.effect().status is status
        assert len(world.post.messages) == 1


def silent(world: PostWorld) -> None:
    """The provider takes the next message and its answer never comes."""
    real = world.post.send_all

    def send(messages, on_wire=None):  # type: ignore[no-untyped-def]
        world.post.send_all = real  # type: ignore[method-assign]
        for message in messages:
            world.post.messages.append(message)
            yield Unknown(key=message.key, text="no answer")

    world.post.send_all = send  # type: ignore[method-assign]


def test_what_was_to_be_repeated_is_not_once_its_provider_told(world: PostWorld) -> None:
    """Order mail in doubt is repeated after a second; an event that comes sooner saves a second mail."""
    world.happens("order", "1")
    silent(world)
    world.worker.tick()
    assert world.effect().status is EffectStatus.PENDING
    world.tell("Delivery")
    assert world.effect().status is EffectStatus.SENT
    world.until(hours=1)
    assert len(world.post.messages) == 1
    assert all(run.status.ended for run in world.runs())


def test_without_the_event_it_is_repeated(world: PostWorld) -> None:
    """Negative control of the test above."""
    world.happens("order", "1")
    silent(world)
    world.until(hours=1)
    assert len(world.post.messages) == 2


def test_an_event_that_overtakes_the_answer(world: PostWorld) -> None:
    """It comes while the message is being sent; then the worker never hears the answer."""
    world.happens("order", "1")
    real = world.post.send_all

    def send(messages, on_wire=None):  # type: ignore[no-untyped-def]
        world.post.send_all = real  # type: ignore[method-assign]
        for message in messages:
            world.post.messages.append(message)
            told = {"RecordType": "Delivery", "Metadata": {"k": message.key}, "DeliveredAt": "2026-11-23T09:00:01Z"}
            event = next(iter(world.kiitos.registry.channel_events("postmark").read(VERIFIED, body_of(told))))
            with world.store.work.transaction() as tx:
                place = channel_events.message_of(tx, message.key)
                assert place is not None
                assert channel_events.put(tx, *place, "mail", event, world.clock.now())
            yield Unknown(key=message.key, text="no answer")

    world.post.send_all = send  # type: ignore[method-assign]
    world.until(hours=1)
    assert len(world.post.messages) == 1
    assert world.effect().status is EffectStatus.SENT


def test_an_event_of_nobody_s_message_is_kept_and_shown_masked(world: PostWorld) -> None:
    told = {"RecordType": "SpamComplaint", "MessageID": "x-1", "Email": AINO, "BouncedAt": "2026-11-23T09:00:00Z"}
    world.send(told)
    assert world.strangers() == []
    world.until(minutes=2)
    (row,) = world.strangers()
    assert (row.kind, row.recipient) == ("complained", "a***@example.test")
    assert world.blocked() == {}, "two shops share the account: whose it is nobody knows"


def test_alone_on_its_account_a_shop_is_meant(tmp_path: Path) -> None:
    with post_world(tmp_path, alone=True) as world:
        world.send(
            {"RecordType": "SpamComplaint", "MessageID": "x-1", "Email": AINO, "BouncedAt": "2026-11-23T09:00:00Z"}
        )
        world.until(minutes=2)
        assert world.blocked() == {"all": "complaint"}


def test_found_by_the_provider_s_own_name(world: PostWorld) -> None:
    world.order()
    world.tell("Delivery", MessageID="memory-1", Metadata={})
    assert world.became() is Became.DELIVERED


def test_what_cannot_be_read_is_kept_and_can_be_replayed(world: PostWorld) -> None:
    assert world.send({"RecordType": "Click", "ReceivedAt": 5}) == 200
    assert (
        world.client.post(world.path, data=b"{", headers={"Authorization": "Basic a2lpdG9zOnNlc2FtZQ=="}).status_code
        == 200
    )
    world.worker.drain()
    with world.store.work.read() as tx:
        failed = deliveries.failed(tx)
    assert [(row.shop_id, row.error_code) for row in failed] == [("channel:mail", "MALFORMED_PAYLOAD")]


def test_a_flow_hears_of_a_bounce(tmp_path: Path) -> None:
    flow = """
id = "office"
trigger = ["message.bounced"]
purpose = "transactional"
subject = "order"
when = ["event.code == '5.1.1'"]

[[steps]]
id = "note"
do = "note_order"
note = "mail came back: {event.code}"
"""
    confirm = tmp_path / "confirm.toml"
    confirm.write_text(CONFIRM.replace('"office"', '"confirm"'))
    flows = {"office": {"file": "office.toml"}, "confirm": {"file": "confirm.toml"}}
    with post_world(tmp_path, flow, flows=flows) as world:
        world.order()
        world.tell("Bounce", **HARD)
        world.tell("Bounce", **HARD)
        assert [run.flow_id for run in world.runs() if run.event["kind"] == "message.bounced"] == ["office"]


VERIFIED = Verified(topic="events", dedup_key="x")


def body_of(told: dict[str, object]) -> bytes:
    return json.dumps(told).encode()


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
