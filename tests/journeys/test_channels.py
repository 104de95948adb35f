"""Preferred and fall-back channels: which one a message takes, why not those before it, and what stops each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connector.contracts import Unknown
from connector.errors import ConfigError
from connector.model import Channel, Consent, ConsentState, EffectStatus, Purpose
from connector.rehearsal import VOCABULARY
from connector.store import consents, runs, suppressions
from connector.testing.world import WOO
from flows.channels.memory import Memory
from tests.journeys.bare import Door
from tests.journeys.office import Office, office

FLOW = """
id = "office"
trigger = "order.paid"
purpose = "{purpose}"
subject = "order"

[[steps]]
id = "tell"
do = "send"
template = "{template}"
channels = [{channels}]
"""
ORDERS = FLOW.format(purpose="transactional", template="order_confirmation", channels='"sms", "email"')
ASKING = FLOW.format(purpose="review", template="review_request", channels='"sms", "email"')
PHONE = "+358401234567"


class Shop:
    """An office whose texts and mails are kept apart."""

    def __init__(self, life: Office) -> None:
        self.life, self.texts = life, Memory()
        life.kiitos.use_channel("texts", self.texts)

    def order(self, number: str = "1", phone: str | None = "040 123 4567") -> None:
        events = VOCABULARY["order"](self.life.life, number, self.life.clock.now())
        known = [replace(event, order=replace(event.order, phone=phone)) if event.order else event for event in events]
        with self.life.store.work.transaction() as tx:
            self.life.kiitos.runner.ingest(tx, WOO, known, self.life.clock.now())
        self.life.until(minutes=1)

    def told(self) -> tuple[list[str], list[str]]:
        """Recipients of texts and of mails."""
        return [each.recipient for each in self.texts.messages], [each.recipient for each in self.life.mails.messages]

    def journal(self, number: int = 0) -> dict[str, dict[str, str]]:
        run = self.life.runs()[number]
        with self.life.store.work.read() as tx:
            return {row.what: dict(row.detail) for row in runs.journal_of(tx, WOO, run.id)}

    def says(self, state: ConsentState) -> None:
        """What the person decided about marketing by SMS."""
        said = Consent(
            channel=Channel.SMS,
            purpose=Purpose.MARKETING,
            state=state,
            raw_state=str(state),
            at=self.life.clock.now(),
            source="test",
            address=PHONE,
        )
        with self.life.store.work.transaction() as tx:
            consents.record(tx, WOO, said, self.life.clock.now())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def shop_of(folder: Path, flow: str, *, sms: bool = True) -> Iterator[Shop]:
    more = {"sms": "texts"} if sms else {}
    with office(folder, flow, soft_opt_in=["review"], reviews={"again_after": "0d"}, **more) as life:
        yield Shop(life)


@pytest.fixture
def shop(folder: Path) -> Iterator[Shop]:
    yield from shop_of(folder, ORDERS)


@pytest.fixture
def asking(folder: Path) -> Iterator[Shop]:
    yield from shop_of(folder, ASKING)


MAIL = "aino@example.test"


def test_the_preferred_channel_takes_it(shop: Shop) -> None:
    shop.order()
    assert shop.told() == ([PHONE], [])
    text = shop.texts.messages[0].content.decode()
    assert "1" in text
    assert "MIME-Version" not in text
    assert "<" not in text
    assert "channel" not in shop.journal(), "there is nothing to explain"


@pytest.mark.parametrize("phone", [None, "", "12", "not a number"])
def test_without_a_number_the_next_one_does(shop: Shop, phone: str | None) -> None:
    shop.order(phone=phone)
    assert shop.told() == ([], [MAIL])
    assert shop.journal()["channel"] == {"chosen": "email", "sms": "no_address"}


def test_a_shop_without_the_channel(folder: Path) -> None:
    for shop in shop_of(folder, ORDERS, sms=False):
        shop.order()
        assert shop.told() == ([], [MAIL])
        assert shop.journal()["channel"] == {"chosen": "email", "sms": "no_channel"}


def test_a_shop_with_none_of_the_channels_is_told_when_flows_load(folder: Path) -> None:
    only = ORDERS.replace('"sms", "email"', '"whatsapp", "sms"')
    with pytest.raises(ConfigError, match=r"no channel for whatsapp or sms; name one of .* with whatsapp = "):
        list(shop_of(folder, only, sms=False))


@pytest.mark.parametrize("reason", ["hard_bounce", "complaint"])
def test_a_suppressed_number(shop: Shop, reason: str) -> None:
    with shop.life.store.work.transaction() as tx:
        suppressions.add(tx, WOO, PHONE, Channel.SMS, "all", reason, shop.life.clock.now())
    shop.order()
    assert shop.told() == ([], [MAIL])
    assert shop.journal()["channel"]["sms"] == "suppressed"


def test_consent_is_asked_of_each_channel(asking: Shop) -> None:
    asking.order()
    assert asking.told() == ([PHONE], []), "soft opt-in"
    asking.says(ConsentState.WITHDRAWN)
    asking.life.until(days=3)
    asking.order("2")
    assert asking.told() == ([PHONE], [MAIL])
    assert asking.journal(1)["channel"] == {"chosen": "email", "sms": "consent_withdrawn"}


def test_when_none_is_open_the_reason_is_the_last_ones(asking: Shop) -> None:
    asking.says(ConsentState.WITHDRAWN)
    with asking.life.store.work.transaction() as tx:
        suppressions.add(tx, WOO, MAIL, Channel.EMAIL, "all", "hard_bounce", asking.life.clock.now())
    asking.order()
    assert asking.told() == ([], [])
    (effect,) = asking.life.effects().values()
    assert effect.status is EffectStatus.SKIPPED
    assert effect.reason.startswith("suppressed")
    assert asking.journal()["channel"]["sms"] == "consent_withdrawn"


def test_what_may_have_arrived_is_repeated_where_it_went(shop: Shop) -> None:
    shop.order(phone=None)
    (first,) = shop.life.effects().values()
    assert (first.channel, first.recipient) == ("email", MAIL)
    events = VOCABULARY["order"](shop.life.life, "2", shop.life.clock.now())
    with shop.life.store.work.transaction() as tx:
        known = [replace(each, order=replace(each.order, phone=PHONE)) if each.order else each for each in events]
        shop.life.kiitos.runner.ingest(tx, WOO, known, shop.life.clock.now())
    real = Memory.send_all

    def lost(self: Memory, messages: object, on_wire: object = None) -> Iterator[object]:
        for outcome in real(self, messages, on_wire):  # type: ignore[arg-type]
            yield Unknown(key=outcome.key, text="the answer was lost")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "send_all", lost)
        shop.life.worker.tick()
    with shop.life.store.work.transaction() as tx:
        suppressions.add(tx, WOO, PHONE, Channel.SMS, "all", "manual", shop.life.clock.now())
    shop.life.until(minutes=5)
    assert shop.told() == ([PHONE], [MAIL]), "once as a text, and not a second time by mail"


def test_the_link_in_a_text_stops_texts_and_not_mails(asking: Shop) -> None:
    asking.order()
    link = re.search(r"http://localhost(/p/unsubscribe/\w+)", asking.texts.messages[0].content.decode())
    assert link is not None
    door = Door(asking.life.kiitos)
    try:
        assert door.client.post(link[1], data={"scope": "marketing"}).status_code == 200
    finally:
        door.close()
    asking.life.until(days=3)
    asking.order("2")
    assert asking.told() == ([PHONE], [MAIL])
