"""Who does not react hears less, then a goodbye, then nothing; and flows people object to are paused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from connector.model import Channel, Consent, ConsentState, EffectStatus, Event, EventKind, Purpose, Ref
from connector.standing import FLOW_HELD, FLOW_PAUSED, tell_of_flow
from connector.store import events, notices, pace, runs
from connector.store.db import Tx
from connector.store.store import Store
from connector.working.notices import LANGUAGES, Notices, texts
from flows.channels.memory import Memory
from flows.limits.alarms import COMPLAINT, objected
from tests.engine.fair_world import SHOPS, START, FairWorld, Wanted, address, without_rendering
from tests.engine.world import order

GOODBYE = """
id = "goodbye"
trigger = "customer.saturated"
subject = "customer"
purpose = "marketing"
[[steps]]
id = "part"
do = "send"
template = "order_confirmation"
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., FairWorld]]:
    stores: list[Store] = []
    (tmp_path / "goodbye.toml").write_text(GOODBYE, encoding="utf-8")

    def one(limits: dict[str, Any] | None = None, **flows: Any) -> FairWorld:
        stores.append(Store.open("sqlite://:memory:"))
        return FairWorld(tmp_path, stores[-1], limits, **flows)

    with without_rendering():
        yield one
    for store in stores:
        store.close()


def write(world: FairWorld, count: int, days: float = 1) -> None:
    """So many messages to one person, each given every chance."""
    for _ in range(count):
        world.want(Wanted(world.clock.now(), SHOPS[0], "low", 0))
        world.pass_until(world.clock.now() + timedelta(days=days))


def sent(world: FairWorld) -> int:
    return sum(effect.status is EffectStatus.SENT for effect in world.rows())


def test_silence_makes_messages_rarer_and_an_order_brings_them_back(make: Callable[..., FairWorld]) -> None:
    world = make({"saturation": {"after": 2, "slowest": 4, "goodbye": 0}})
    write(world, 2)
    world.want(Wanted(world.clock.now(), SHOPS[0], "low", 0))
    world.pass_until(world.clock.now() + timedelta(hours=1))
    slow = world.rows()[-1]
    assert slow.status is EffectStatus.PENDING
    assert slow.reason.startswith("slowed: the person hears less often, as nothing came of 2 messages")
    world.pass_until(world.clock.now() + timedelta(days=2))
    assert sent(world) == 3
    placed = order(email=address(0), placed_at=world.clock.now(), updated_at=world.clock.now())
    bought = Event(
        kind=EventKind.ORDER_CREATED,
        key="order/o1/created",
        subject=Ref("order", placed.id),
        at=world.clock.now(),
        order_id=placed.id,
        order=placed,
    )
    with world.store.work.transaction() as tx:
        world.kiitos.runner.ingest(tx, SHOPS[1], [bought], world.clock.now())
    world.pass_until(world.clock.now() + timedelta(hours=17))
    write(world, 1)
    assert sent(world) == 4


def test_after_so_many_there_is_one_goodbye_and_then_peace(make: Callable[..., FairWorld]) -> None:
    limits = {"saturation": {"after": 0, "goodbye": 3}}
    world = make(limits, goodbye={})
    write(world, 5)
    with world.store.work.read() as tx:
        parted = [run for run in runs.all_of_shop(tx, SHOPS[0]) if run.flow_id == "goodbye"]
    assert len(parted) == 1
    assert parted[0].event["ignored"] == "3"
    mine = [effect for effect in world.rows() if effect.flow_id == "low"]
    assert [str(effect.status) for effect in mine] == ["sent"] * 3 + ["skipped"] * 2
    assert mine[3].reason.startswith("saturated: the last 3 messages were met with silence")
    with world.store.work.read() as tx:
        farewell = [effect for effect in pace.messages_of(tx, SHOPS[0], address(0), 50) if effect.flow_id == "goodbye"]
        assert [str(effect.status) for effect in farewell] == ["sent"]
        assert events.has(tx, SHOPS[0], parted[0].event["key"])
        pace_note = world.clock.now()
    with world.store.work.transaction() as tx:
        pace.note(tx, SHOPS[0], address(0), "click", pace_note)
    write(world, 1)
    assert str(world.rows()[-1].status) == "sent", "a click is a sign of life"


def test_an_older_sign_that_comes_late_changes_nothing(make: Callable[..., FairWorld]) -> None:
    world = make()
    with world.store.work.transaction() as tx:
        pace.note(tx, SHOPS[0], address(0), "click", START)
        pace.note(tx, SHOPS[0], address(0), "review", START - timedelta(days=9))
        assert pace.sign_at(tx, SHOPS, address(0)) == START
        assert pace.sign_at(tx, SHOPS, address(1)) is None


# -- alarms -----------------------------------------------------------------------------------------------------------


def opt_out(world: FairWorld, person: int) -> None:
    now = world.clock.now()
    said = Consent(
        channel=Channel.EMAIL,
        purpose=Purpose.MARKETING,
        state=ConsentState.WITHDRAWN,
        raw_state="unsubscribed",
        at=now,
        source="test",
        address=address(person),
    )
    event = Event(
        kind=EventKind.CONSENT_WITHDRAWN,
        key=f"no/{person}",
        subject=Ref("person", address(person)),
        at=now,
        consent=said,
    )
    with world.store.work.transaction() as tx:
        world.kiitos.runner.ingest(tx, SHOPS[0], [event, event], now)


def greeted(world: FairWorld) -> None:
    for person in range(4):
        world.want(Wanted(START, SHOPS[0], "low", person))
    world.pass_until(START + timedelta(hours=1))


def test_too_many_opt_outs_pause_the_flow_and_a_person_is_told(make: Callable[..., FairWorld]) -> None:
    world = make({"alarm": {"unsubscribes": "30%", "at_least": 4}})
    greeted(world)
    opt_out(world, 0)
    with world.store.work.read() as tx:
        assert pace.pauses(tx) == [], "one is a person's"
    opt_out(world, 1)
    with world.store.work.read() as tx:
        (paused,) = pace.pauses(tx)
        told = [notice.kind for notice in notices.of_shop(tx, SHOPS[0])]
    assert (paused.flow_id, paused.reason) == ("low", "2 unsubscribes after 4 messages in 7 d, more than 30.00%")
    assert told == ["flow_paused/low"]
    later_on = world.want(Wanted(world.clock.now() + timedelta(days=1), SHOPS[0], "low", 2))
    world.pass_until(world.clock.now() + timedelta(days=2))
    assert world.effect(later_on).status is EffectStatus.HELD


@pytest.mark.parametrize(
    "alarm", [{"unsubscribes": "50%", "at_least": 4}, {"unsubscribes": "30%", "at_least": 5}], ids=["share", "few"]
)
def test_within_the_share_or_too_few_to_tell_the_flow_goes_on(
    make: Callable[..., FairWorld], alarm: dict[str, Any]
) -> None:
    world = make({"alarm": alarm})
    greeted(world)
    opt_out(world, 0)
    opt_out(world, 1)
    with world.store.work.read() as tx:
        assert pace.pauses(tx) == []


def test_an_objection_counts_against_the_flow_that_wrote_last_and_lately(make: Callable[..., FairWorld]) -> None:
    world = make({"alarm": {"complaints": "1%", "at_least": 1}})
    greeted(world)

    def complains(tx: Tx, who: str) -> str | None:
        return objected(tx, world.kiitos.catalog, SHOPS[0], who, COMPLAINT, world.clock.now())

    with world.store.work.transaction() as tx:
        assert complains(tx, address(0)) is None
        assert complains(tx, address(0)) is None, "told twice is once"
        assert complains(tx, "stranger@example.test") is None
        assert complains(tx, address(1)) == "low"
        assert complains(tx, address(2)) is None, "paused already"
        assert pace.objections(tx, SHOPS[0], "low", COMPLAINT, START) == 3
    world.clock.advance(timedelta(days=6))
    with world.store.work.transaction() as tx:
        complains(tx, address(3))
        assert pace.objections(tx, SHOPS[0], "low", COMPLAINT, START) == 3


# -- what the merchant is told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "language"), [(kind, each) for each in LANGUAGES for kind in texts(each)])
def test_every_text_can_be_filled_in(kind: str, language: str) -> None:
    values = {name: name.upper() for name in ("shop", "flow", "domain", "app", "link", "subject", "said", "who")}
    subject, *paragraphs = (part.format(**values) for part in texts(language)[kind])
    assert "SHOP" in subject
    assert len(paragraphs) >= 3
    assert kind not in (FLOW_HELD, FLOW_PAUSED) or "FLOW" in subject


def test_the_merchant_gets_one_mail_about_a_paused_flow(make: Callable[..., FairWorld]) -> None:
    world, channel = make(), Memory()
    world.kiitos.use_channel("mail", channel)
    with world.store.work.transaction() as tx:
        assert tell_of_flow(tx, SHOPS[0], FLOW_PAUSED, "low", START)
        assert not tell_of_flow(tx, SHOPS[0], FLOW_PAUSED, "low", START + timedelta(hours=23))
        assert tell_of_flow(tx, SHOPS[0], FLOW_PAUSED, "high", START), "each flow is told of by itself"
    Notices(world.kiitos).tell()
    told = [message_from_bytes(message.content)["Subject"] for message in channel.messages]
    assert sorted(told) == ["north.example: the flow high was paused", "north.example: the flow low was paused"]
