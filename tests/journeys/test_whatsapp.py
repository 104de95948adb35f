"""An approved template, from an order to Meta's API: languages, places, and what is refused before it is sent."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConfigError
from connector.model import EffectStatus
from connector.rehearsal import VOCABULARY
from connector.testing.fakes.web import LoopbackServer, Request, Response, as_json
from connector.testing.world import WOO
from flows.channels.whatsapp import WhatsApp
from tests.journeys.bare import Door
from tests.journeys.office import Office, office
from tests.journeys.test_channels import MAIL, ORDERS, PHONE

FLOW = ORDERS.replace('"sms", "email"', '"whatsapp", "email"')
APPROVED: dict[str, Any] = {
    "name": "order_confirmed_2",
    "languages": ["en_US", "fi"],
    "header": "{{ shop.name }}",
    "body": ["{{ first_name | default: 'ystävä' }}", "{{ order.number }}", "{{ order.total | money }}"],
    "buttons": ["{{ order.id }}"],
}


@contextmanager
def shop(folder: Path, **approved: Any) -> Iterator[tuple[Office, list[Request]]]:
    table = {"order_confirmation": {**APPROVED, **approved}}
    with office(folder, FLOW, whatsapp="texts", whatsapp_templates=table) as life:
        seen: list[Request] = []

        def answer(request: Request) -> Response:
            seen.append(request)
            return as_json(200, {"messages": [{"id": "wamid.1"}]})

        with LoopbackServer(answer) as web:
            made = {"phone_number_id": "1065", "access_token": "t", "api_url": web.url}
            life.kiitos.use_channel("texts", WhatsApp.from_settings(made, life.clock))
            yield life, seen


def order(life: Office, locale: str = "fi-FI", number: str = "1") -> None:
    events = VOCABULARY["order"](life.life, number, life.clock.now())
    known = [
        replace(event, order=replace(event.order, phone=PHONE, locale=locale)) if event.order else event
        for event in events
    ]
    with life.store.work.transaction() as tx:
        life.kiitos.runner.ingest(tx, WOO, known, life.clock.now())
    life.until(minutes=1)


def test_the_places_are_filled_in_the_persons_language(tmp_path: Path) -> None:
    with shop(tmp_path) as (life, seen):
        order(life)
        order(life, "en-GB", "2")
        finnish, english = (json.loads(request.body)["template"] for request in seen)
        (effect,) = life.effects().values()
    assert (finnish["name"], finnish["language"]) == ("order_confirmed_2", {"policy": "deterministic", "code": "fi"})
    assert english["language"]["code"] == "en_US"
    header, body, button = finnish["components"]
    assert header["parameters"] == [{"type": "text", "text": "Metsäkauppa"}]
    assert [each["text"] for each in body["parameters"]][1] == "1"
    assert "," in body["parameters"][2]["text"], "the amount as Finns write it"
    assert "." in english["components"][1]["parameters"][2]["text"]
    assert (button["sub_type"], button["index"]) == ("url", "0")
    assert (effect.status, effect.result["provider_id"]) == (EffectStatus.SENT, "wamid.1")


def test_without_an_approved_template_the_next_channel_takes_it(tmp_path: Path) -> None:
    with office(tmp_path, FLOW, whatsapp="texts") as life:
        order(life)
        assert [each.recipient for each in life.mails.messages] == [MAIL]


def test_meta_may_ask_for_its_handshake_at_the_channels_own_address(tmp_path: Path) -> None:
    with shop(tmp_path) as (life, _):
        channels: Any = life.kiitos.config.channels
        secrets = {"access_token": "t", "app_secret": "s", "verify_token": "v"}
        channels["texts"].update({"kind": "whatsapp", "phone_number_id": "1065", **secrets})
        path = life.kiitos.event_urls()["texts"].removeprefix("http://localhost")
        life.kiitos.sync()
        door = Door(life.kiitos)
        try:
            right = "hub.mode=subscribe&hub.verify_token=v&hub.challenge=1158201444"
            answer = door.client.get(f"{path}?{right}")
            assert (answer.status_code, answer.get_data()) == (200, b"1158201444")
            assert door.client.get(f"{path}?{right.replace('token=v', 'token=w')}").status_code == 401
            assert door.client.post(path, data=b"{}", headers={"X-Hub-Signature-256": "sha256=00"}).status_code == 401
            signed = "sha256=" + hmac.new(b"s", b"{}", hashlib.sha256).hexdigest()
            assert door.client.post(path, data=b"{}", headers={"X-Hub-Signature-256": signed}).status_code == 200
        finally:
            door.close()


def test_an_empty_place_is_refused_and_named(tmp_path: Path) -> None:
    with shop(tmp_path, body=["{{ order.note }}"]) as (life, seen):
        order(life)
        (effect,) = life.effects().values()
    assert seen == []
    assert effect.reason.startswith("empty_place: whatsapp_templates.order_confirmation.body 1 is empty")


def test_a_wrong_table_is_told_when_the_file_is_read(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"order_confirmation\.languages: should be a list"),
        shop(tmp_path, languages="fi"),
    ):
        pass
    with pytest.raises(ConfigError, match=r"bdy: unknown key; did you mean 'body'"), shop(tmp_path, bdy=[]):
        pass
