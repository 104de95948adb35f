"""What became of a message, from the provider's webhook to the shop's lists and flows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.contracts import Unknown
from connector.model import Channel, ConsentState, EffectStatus, Purpose
from connector.store import channel_events, consents, deliveries, pace
from flows.sending.became import Became
from tests.journeys.afterwards import (
    AINO,
    ASK,
    BLOCKED,
    CONFIRM,
    FLOW,
    HARD,
    SHOPIFY,
    SOFT,
    VERIFIED,
    WOO,
    PostWorld,
    body_of,
    post_world,
    silent,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PostWorld]:
    with post_world(tmp_path) as made:
        yield made


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[PostWorld]:
    with post_world(tmp_path, ASK, soft_opt_in=["review"]) as made:
        yield made


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
