"""What providers told, kept on both engines: once, by message, of nobody, counted, forgotten with its shop."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connector.contracts.channel_events import BounceKind, ChannelEvent, ChannelEventKind
from connector.model import Channel, Effect, EffectStatus, Purpose
from connector.store import Store, channel_events, effects, people, suppressions
from connector.store.effects import Beginning
from tests.store.examples import NOW

SHOP, AINO = "shop", "aino@example.test"
EVENT = ChannelEvent(
    id="e1",
    kind=ChannelEventKind.BOUNCED,
    at=NOW,
    raw_kind="HardBounce\0",
    provider_id="p1",
    recipient=AINO,
    bounce=BounceKind.SOFT,
    code="5.2.2",
    text="a\0b",
)


def sent(store: Store, name: str, key: str) -> None:
    effect = Effect(
        shop_id=SHOP,
        id=name,
        run_id="",
        flow_id="f",
        version="v",
        step_id="s",
        kind="message",
        purpose=Purpose.TRANSACTIONAL,
        request={},
        status=EffectStatus.PENDING,
        due_at=NOW,
        created_at=NOW,
        channel="email",
    )
    with store.work.transaction() as tx:
        effects.put(tx, effect)
        until = NOW + timedelta(minutes=5)
        effects.take(tx, Beginning(SHOP, name, NOW, until, AINO, "shop@example.com", "Hei", b"mail", key))
        effects.settle(tx, SHOP, name, NOW, EffectStatus.SENT)


def test_a_message_is_found_by_its_key_and_an_event_kept_once(store: Store) -> None:
    sent(store, "m1", "k1")
    sent(store, "m2", "k2")
    with store.work.transaction() as tx:
        assert channel_events.message_of(tx, "k1") == (SHOP, "m1")
        assert channel_events.message_of(tx, "k3") is None
        assert channel_events.put(tx, SHOP, "m1", "mail", EVENT, NOW, 7)
        assert not channel_events.put(tx, SHOP, "m1", "mail", EVENT, NOW, 8)
        assert channel_events.put(tx, SHOP, "m1", "other", EVENT, NOW), "another provider's id is another event"
    with store.work.read() as tx:
        found = channel_events.of_effects(tx, SHOP, ["m1", "m2"])
        one = channel_events.get(tx, SHOP, "m1", "mail", "e1")
    assert list(found) == ["m1"]
    assert len(found["m1"]) == 2
    assert one is not None
    assert (one.raw_kind, one.said, one.bounce, one.delivery_id, one.recipient) == ("HardBounce", "ab", "soft", 7, "")


def test_one_of_nobody_s_is_kept_under_the_account_until_its_message_is_known(store: Store) -> None:
    account = channel_events.account_of("mail")
    with store.work.transaction() as tx:
        assert channel_events.put(tx, account, "", "mail", EVENT, NOW, recipient="a***@example.test")
        (row,) = channel_events.unmatched(tx, "mail")
        assert (row.recipient, row.effect_id) == ("a***@example.test", "")
        assert channel_events.unmatched(tx, "other") == []
    sent(store, "m1", "k1")
    with store.work.transaction() as tx:
        assert channel_events.put(tx, SHOP, "m1", "mail", EVENT, NOW)
        assert channel_events.unmatched(tx, "mail") == []


def test_soft_bounces_are_counted_by_message_and_trouble_is_listed(store: Store) -> None:
    for number in range(3):
        sent(store, f"m{number}", f"k{number}")
        with store.work.transaction() as tx:
            for place in range(2):
                event = replace(EVENT, id=f"e{number}{place}", at=NOW + timedelta(days=number))
                channel_events.put(tx, SHOP, f"m{number}", "mail", event, NOW)
            channel_events.put(
                tx, SHOP, f"m{number}", "mail", replace(EVENT, id="d", kind=ChannelEventKind.DELIVERED), NOW
            )
    with store.work.read() as tx:
        counted = [channel_events.soft_bounces(tx, SHOP, AINO, "email", NOW + timedelta(days=n)) for n in range(4)]
        assert counted == [3, 2, 1, 0]
        assert channel_events.soft_bounces(tx, SHOP, AINO, "sms", NOW) == 0
        listed = channel_events.troubled(tx, SHOP, "bounced")
        assert len(listed) == 6
        assert listed[0].at >= listed[-1].at
        assert channel_events.troubled(tx, SHOP, "complained") == []
        assert len(channel_events.troubled(tx, SHOP, since=NOW + timedelta(days=2))) == 2


def test_a_shop_s_are_wiped_with_it(store: Store) -> None:
    for number in range(3):
        sent(store, f"m{number}", f"k{number}")
        with store.work.transaction() as tx:
            channel_events.put(tx, SHOP, f"m{number}", "mail", EVENT, NOW)
    with store.work.transaction() as tx:
        while people.wipe_shop(tx, SHOP, 2):
            pass
        assert channel_events.of_effects(tx, SHOP, ["m0", "m1", "m2"]) == {}


def test_a_whole_list_of_suppressions(store: Store) -> None:
    with store.work.transaction() as tx:
        suppressions.add(tx, SHOP, AINO, Channel.EMAIL, "all", "hard_bounce", NOW)
        suppressions.add(tx, SHOP, "+358401234567", Channel.SMS, "marketing", "unsubscribe", NOW + timedelta(days=1))
        suppressions.add(tx, "other", AINO, Channel.EMAIL, "all", "complaint", NOW)
    with store.work.read() as tx:
        assert [row.address_key for row in suppressions.of_shop(tx, SHOP)] == ["+358401234567", AINO]
        assert [row.address_key for row in suppressions.of_shop(tx, SHOP, reason="hard_bounce")] == [AINO]
        assert [row.channel for row in suppressions.of_shop(tx, SHOP, channel="sms")] == [Channel.SMS]
