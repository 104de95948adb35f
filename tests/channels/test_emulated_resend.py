"""Resend as an emulator of others' making has it: what arrives, and what its keys are worth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from connector.clock import SystemClock
from connector.contracts import Accepted, Rejected
from connector.model import Purpose
from flows.channels.resend import Resend
from tests.emulator import emulated

from .letters import MARKETING, letter

KEY = "re_test"


@pytest.fixture(scope="module")
def resend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator's address."""
    seed = {"resend": {"domains": [{"name": "aurora.example", "region": "eu-west-1"}]}, "tokens": {KEY: {"login": "a"}}}
    with emulated("resend", seed, tmp_path_factory.mktemp("resend"), lambda url: get(f"{url}/domains")) as url:
        yield url


def get(url: str) -> requests.Response:
    return requests.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=1)


@pytest.fixture
def channel(resend: str) -> Iterator[Resend]:
    made = Resend.from_settings({"api_key": KEY, "url": resend}, SystemClock())
    yield made
    made.close()


def kept(url: str, provider_id: str) -> dict[str, object]:
    answer = get(f"{url}/emails/{provider_id}")
    assert answer.ok, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_what_was_sent_is_what_it_has(resend: str, channel: Resend) -> None:
    mail = letter(key="a" * 24, purpose=Purpose.REVIEW)
    (outcome,) = channel.send_all([mail])
    assert isinstance(outcome, Accepted), outcome
    found = kept(resend, outcome.provider_id)
    assert found["subject"] == "Kiitos, Äiti & Isä, tilauksesta 1001"
    assert found["to"] in (["aino@example.com"], ['"Äinö, \\"Nö\\" Korhonen" <aino@example.com>']), found["to"]
    assert "Tilaus on matkalla. €" in str(found["html"])
    assert MARKETING["List-Unsubscribe"] in json.dumps(found["headers"])


def test_a_repetition_under_its_key_is_the_same_message(channel: Resend) -> None:
    mail = letter(key="b" * 24)
    first, again = (next(iter(channel.send_all([mail]))) for _ in range(2))
    assert isinstance(first, Accepted)
    assert again == first


def test_another_message_under_the_same_key_is_refused(channel: Resend) -> None:
    (first,) = channel.send_all([letter(key="c" * 24)])
    other = replace(letter(key="c" * 24, subject="Something else"), key="c" * 24)
    (second,) = channel.send_all([other])
    assert isinstance(first, Accepted)
    assert isinstance(second, Rejected), second
