"""Twilio as an emulator of others' making has it: our texts, and its signed callbacks through the real receiver."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from werkzeug.serving import WSGIRequestHandler, make_server

from connector.clock import SystemClock
from connector.contracts import Accepted, Message
from connector.model import Channel, EffectStatus
from connector.rehearsal import VOCABULARY
from connector.store import channel_events, suppressions
from connector.testing.serving import free_port
from connector.testing.world import WOO
from flows.channels.twilio import Twilio
from flows.channels.twilio.events import signature
from flows.sending.became import furthest
from tests.emulator import emulated
from tests.journeys.bare import Door
from tests.journeys.office import Office, office
from tests.journeys.test_channels import ORDERS, PHONE

ACCOUNT, TOKEN, NUMBER = "AC" + "0" * 32, "a-token-of-the-emulator", "+15551230000"


@pytest.fixture(scope="module")
def twilio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator's address."""
    account = {"sid": ACCOUNT, "auth_token": TOKEN}
    seed = {"twilio": {"account": account, "phone_numbers": [{"phone_number": NUMBER}]}}

    def ask(url: str) -> requests.Response:
        return requests.get(f"{url}/2010-04-01/Accounts/{ACCOUNT}.json", auth=(ACCOUNT, TOKEN), timeout=1)

    with emulated("twilio", seed, tmp_path_factory.mktemp("emulate"), ask) as url:
        yield url


class Quiet(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        """The path holds a key."""


@dataclass
class Shop:
    """A shop whose receiver the emulator can reach."""

    life: Office
    url: str

    def order(self, number: str = "1", phone: str = PHONE) -> None:
        events = VOCABULARY["order"](self.life.life, number, self.life.clock.now())
        known = [replace(event, order=replace(event.order, phone=phone)) if event.order else event for event in events]
        with self.life.store.work.transaction() as tx:
            self.life.kiitos.runner.ingest(tx, WOO, known, self.life.clock.now())
        self.life.until(minutes=1)

    def messages(self) -> list[dict[str, Any]]:
        url = f"{self.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        found: list[dict[str, Any]] = requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5).json()["messages"]
        return found

    def becomes(self, sid: str, status: str) -> None:
        url = f"{self.url}/_twilio/simulate/message-status"
        told = requests.post(url, data={"MessageSid": sid, "Status": status}, auth=(ACCOUNT, TOKEN), timeout=5)
        assert told.ok, told.text
        self.life.worker.drain()

    def became(self) -> tuple[str, list[str]]:
        (effect,) = self.life.effects().values()
        with self.life.store.work.read() as tx:
            heard = channel_events.of_effects(tx, WOO, [effect.id]).get(effect.id, [])
        return str(furthest(effect.status, heard)[0]), [row.raw_kind for row in heard]


@contextmanager
def shop(folder: Path, twilio: str, **more: Any) -> Iterator[Shop]:
    with office(folder, ORDERS, sms="texts") as life:
        port = free_port()
        channels: Any = life.kiitos.config.channels
        channels["texts"].update(
            {"kind": "twilio", "account_sid": ACCOUNT, "auth_token": TOKEN, "from": NUMBER, **more}
        )
        path = life.kiitos.event_urls()["texts"].removeprefix("http://localhost")
        channels["texts"].update({"api_url": twilio, "events_url": f"http://127.0.0.1:{port}{path}"})
        life.kiitos.sync()
        door = Door(life.kiitos)
        server = make_server("127.0.0.1", port, door.app, threaded=True, request_handler=Quiet)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Shop(life, twilio)
        finally:
            server.shutdown()
            thread.join(5)
            server.server_close()
            door.close()


def test_a_text_is_sent_and_what_became_of_it_comes_back_signed(tmp_path: Path, twilio: str) -> None:
    with shop(tmp_path, twilio) as metsa:
        before = len(metsa.messages())
        metsa.order()
        message = metsa.messages()[0]
        assert len(metsa.messages()) == before + 1
        assert (message["to"], message["from"]) == (PHONE, NUMBER)
        assert message["body"].startswith("Metsäkauppa: Kiitos")
        (effect,) = metsa.life.effects().values()
        assert (effect.status, effect.result["provider_id"]) == (EffectStatus.SENT, message["sid"])
        for status in ("sent", "delivered"):
            metsa.becomes(message["sid"], status)
        became, heard = metsa.became()
        assert became == "delivered"
        assert set(heard) >= {"sent", "delivered"}


def test_who_answers_stop_gets_no_advertising_by_text(tmp_path: Path, twilio: str) -> None:
    with shop(tmp_path, twilio) as metsa:
        metsa.order("5")
        table: Any = metsa.life.kiitos.config.channels["texts"]
        answered = {
            "MessageSid": "SM" + "7" * 32,
            "Body": "Stop!",
            "From": PHONE,
            "To": NUMBER,
            "SmsStatus": "received",
        }
        body = urlencode(answered).encode()
        signed = {"X-Twilio-Signature": signature(TOKEN, table["events_url"], body)}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for headers, status in (({"X-Twilio-Signature": "AAAA"}, 401), (signed, 200)):
            told = requests.post(table["events_url"], data=body, headers=form | headers, timeout=5)
            assert told.status_code == status
        metsa.life.worker.drain()
        with metsa.life.store.work.read() as tx:
            (row,) = suppressions.find(tx, WOO, PHONE, Channel.SMS)
        assert (row.scope, row.reason) == ("marketing", "unsubscribe")


def test_a_callback_signed_with_another_token_is_not_believed(tmp_path: Path, twilio: str) -> None:
    with shop(tmp_path, twilio) as metsa:
        metsa.order("2")
        sid = metsa.messages()[0]["sid"]
        channels: Any = metsa.life.kiitos.config.channels
        channels["texts"]["auth_token"] = "another"
        metsa.becomes(sid, "delivered")
        assert "delivered" not in metsa.became()[1]


def test_wrong_credentials_and_a_number_that_is_none(tmp_path: Path, twilio: str) -> None:
    with shop(tmp_path, twilio, auth_token="wrong") as metsa:
        metsa.order("3")
        (effect,) = metsa.life.effects().values()
        assert effect.status is EffectStatus.PENDING
        assert "check the credentials" in effect.reason


def test_a_text_whose_answer_was_lost_is_found_in_its_list(tmp_path: Path, twilio: str) -> None:
    clock = SystemClock()  # the emulator's own
    table = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from": NUMBER, "api_url": twilio}
    channel = Twilio.from_settings(table, clock)
    message = Message(key="k" * 24, channel="sms", sender="", recipient="+358405550001", content=b"Vain kerran")
    (sent,) = channel.send_all([message])
    assert isinstance(sent, Accepted)
    since = clock.now() - timedelta(minutes=1)
    found = channel.look_up(message, since)
    assert found is not None
    assert found.provider_id == sent.provider_id
    assert channel.look_up(replace(message, content=b"Toinen"), since) is None
    assert channel.look_up(message, since + timedelta(hours=-1)) is not None
