"""Texts that really leave: from an order to the form a provider's server receives, and what keeps one back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.model import Channel, EffectStatus
from connector.rehearsal import VOCABULARY
from connector.store import runs, suppressions
from connector.testing.fakes.texting import ACCOUNT, NOBODY, STOPPED, TOKEN, Texting
from connector.testing.fakes.web import LoopbackServer
from connector.testing.world import WOO
from flows.channels.elks46 import Elks46
from flows.channels.twilio import Twilio
from flows.render.renderer import Renderer
from flows.render.sms import GSM, segments
from flows.render.sources import Sources
from tests.journeys.office import Office, office
from tests.journeys.test_channels import ASKING, MAIL, ORDERS, PHONE

EVENTS = "https://kiitos.example.com/hooks/channel.texts/abc"


@dataclass
class Phones:
    """A shop whose texts go to a provider's server on loopback."""

    life: Office
    server: Texting

    def order(self, number: str = "1", phone: str = PHONE) -> None:
        events = VOCABULARY["order"](self.life.life, number, self.life.clock.now())
        known = [replace(event, order=replace(event.order, phone=phone)) if event.order else event for event in events]
        with self.life.store.work.transaction() as tx:
            self.life.kiitos.runner.ingest(tx, WOO, known, self.life.clock.now())
        self.life.until(minutes=1)

    @property
    def texts(self) -> list[str]:
        return [form.get("Body") or form["message"] for form in self.server.taken]

    def journal(self) -> dict[str, dict[str, str]]:
        run = self.life.runs()[0]
        with self.life.store.work.read() as tx:
            return {row.what: dict(row.detail) for row in runs.journal_of(tx, WOO, run.id)}


@contextmanager
def phones(folder: Path, flow: str, provider: str = "twilio", **more: Any) -> Iterator[Phones]:
    with office(
        folder, flow, **{"sms": "texts", "soft_opt_in": ["review"], "reviews": {"again_after": "0d"}, **more}
    ) as life:
        server = Texting(life.clock)
        with LoopbackServer(server.twilio if provider == "twilio" else server.elks46) as web:
            common = {"api_url": web.url, "events_url": EVENTS, "from": "Metsa"}
            if provider == "twilio":
                table = {"account_sid": ACCOUNT, "auth_token": TOKEN, **common}
                life.kiitos.use_channel("texts", Twilio.from_settings(table, life.clock))
            else:
                table = {"username": "user", "password": "pass", **common}
                life.kiitos.use_channel("texts", Elks46.from_settings(table, life.clock))
            yield Phones(life, server)


@pytest.mark.parametrize("provider", ["twilio", "elks46"])
def test_an_order_is_confirmed_by_text(tmp_path: Path, provider: str) -> None:
    with phones(tmp_path, ORDERS, provider, sms_sender="Metsakauppa") as shop:
        shop.order()
        (form,) = shop.server.taken
        (effect,) = shop.life.effects().values()
        assert shop.life.mails.messages == []
    (text,) = [form.get("Body") or form["message"]]
    assert text.startswith("Metsäkauppa: Kiitos")
    assert "\u00a0" not in text, "the amount's no-break space would make the text dear"
    assert segments(text).encoding == GSM
    assert segments(text).parts == 1
    assert (form.get("From") or form["from"], form.get("To") or form["to"]) == ("Metsakauppa", PHONE)
    hook = form.get("StatusCallback") or form["whendelivered"]
    address, _, key = hook.partition("?key=")
    assert address == EVENTS
    assert len(key) == 24
    assert effect.status is EffectStatus.SENT
    assert effect.result["provider_id"].startswith(("SM", "s"))


def test_who_told_the_sender_to_stop_gets_no_text_again(tmp_path: Path) -> None:
    with phones(tmp_path, ORDERS) as shop:
        shop.order(phone=STOPPED)
        (effect,) = shop.life.effects().values()
        assert effect.status is EffectStatus.FAILED
        assert effect.reason.startswith("21610")
        with shop.life.store.work.read() as tx:
            (row,) = suppressions.find(tx, WOO, STOPPED, Channel.SMS)
        assert (row.scope, row.reason) == ("all", "stop")
        shop.order("2", phone=STOPPED)
        assert shop.texts == []
        assert [each.recipient for each in shop.life.mails.messages] == [MAIL]


def test_a_number_that_is_none_is_not_tried_twice(tmp_path: Path) -> None:
    with phones(tmp_path, ORDERS) as shop:
        shop.order(phone=NOBODY)
        with shop.life.store.work.read() as tx:
            (row,) = suppressions.find(tx, WOO, NOBODY, Channel.SMS)
        assert row.reason == "hard_bounce"


def test_no_advertising_at_night_where_the_person_lives(tmp_path: Path) -> None:
    with phones(tmp_path, ASKING) as shop:
        shop.life.until(hours=10)  # 21:00 in Helsinki
        shop.order()
        assert shop.texts == []
        assert shop.journal()["deferred"]["rule"] == "quiet_hours"
        assert shop.journal()["deferred"]["zone"] == "Europe/Helsinki"
        shop.life.until(hours=11, minutes=58)
        assert shop.texts == []
        shop.life.until(minutes=2)  # 09:00
        assert len(shop.texts) == 1
        assert shop.life.clock.now() >= datetime(2026, 11, 24, 7, 0, tzinfo=UTC)


def test_an_order_message_is_sent_at_night(tmp_path: Path) -> None:
    with phones(tmp_path, ORDERS) as shop:
        shop.life.until(hours=13)
        shop.order()
        assert len(shop.texts) == 1


def test_one_advertising_text_a_day(tmp_path: Path) -> None:
    only = ASKING.replace('"sms", "email"', '"sms"')
    with phones(tmp_path, only) as shop:
        shop.order()
        shop.order("2")
        assert len(shop.texts) == 1
        shop.life.until(hours=24)
        assert len(shop.texts) == 2


@pytest.mark.parametrize(
    ("sender", "wanted"),
    [("Metsakauppa", "/p/unsubscribe/"), ("+358401111111", "Peru viestit vastaamalla STOP."), ("", "/p/unsubscribe/")],
)
def test_the_way_out_is_one_that_the_sender_can_hear(tmp_path: Path, sender: str, wanted: str) -> None:
    folder = tmp_path / "templates"
    shutil.copytree(Sources().directory, folder)
    short = "{{ shop.name }}: Kerro mielipiteesi: {{ links.review }}"
    (folder / "fi" / "review_request.sms.liquid").write_text(short, "utf-8")
    with phones(tmp_path, ASKING, **({"sms_sender": sender} if sender else {})) as shop:
        shop.life.kiitos.renderer = Renderer(folder)
        shop.life.kiitos.__dict__.pop("outbox", None)
        shop.order()
        (text,) = shop.texts
    assert wanted in text
    assert ("STOP" in text) == sender.startswith("+")


def test_a_text_of_too_many_parts_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    long = ORDERS.replace('template = "order_confirmation"', 'template = "order_rest_follows"')
    with phones(tmp_path, long, sms_parts=1) as shop:
        shop.order()
        (effect,) = shop.life.effects().values()
    assert shop.texts == []
    assert effect.status is EffectStatus.FAILED
    assert effect.reason.startswith("too_long: the text of 'order_rest_follows' takes ")
    assert "order_rest_follows.sms.liquid" in effect.reason
