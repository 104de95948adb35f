"""Alerts: each once, and once more when it is solved; nothing that comes and goes fills a phone; nobody is named."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from connector.app import Kiitos
from connector.contracts import Retry
from connector.store import alerts
from connector.testing.fakes.web import LoopbackServer, Request, Response
from connector.watching.alerting import Alerting, shape
from connector.watching.trouble import Level, Trouble
from tests.watching.conftest import House

SETTINGS = """
[app.alerts]
mail = "ops@agency.example"
sender = "Kiitos <kiitos@agency.example>"
wait = "5m"
quiet = "1h"
"""
CHAT = """
[app.alerts]
chat = { file = "chat" }
private_addresses = true
"""


def trouble(check: str = "backlog", subject: str = "") -> Trouble:
    return Trouble(check, Level.FAIL, subject, "12 items are due", "Customers wait.", "kiitos status")


@dataclass
class Desk:
    """An installation whose troubles we set, and what the operator got."""

    house: House
    kiitos: Kiitos
    wrong: list[Trouble] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.alerting = Alerting(self.kiitos, lambda: self.wrong)

    def look(self, minutes: float = 0) -> list[str]:
        """The subjects of what is told after so many minutes, with a look every five."""
        before = len(self.house.mails.messages)
        self.alerting.work()
        for _ in range(int(minutes // 5)):
            self.house.clock.advance(timedelta(minutes=5))
            self.alerting.work()
        return [subject(message.content) for message in self.house.mails.messages[before:]]


def subject(content: bytes) -> str:
    return next(line for line in content.decode().split("\r\n") if line.startswith("Subject: "))[9:]


def body(house: House) -> str:
    """The plain text of the last message."""
    message = email.message_from_bytes(bytes(house.mails.messages[-1].content), policy=email.policy.default)
    found = message.get_body(("plain",))
    assert found is not None
    return str(found.get_content())


@pytest.fixture
def desk(house: House) -> Desk:
    house.app = SETTINGS
    return Desk(house, house.open())


def test_a_trouble_is_told_once_when_it_has_stood_for_a_while(desk: Desk) -> None:
    desk.wrong = [trouble()]
    assert desk.look() == []
    assert desk.look(60) == ["Kiitos: backlog"]
    assert desk.look(24 * 60) == []


def test_it_is_told_again_when_it_is_solved_and_begins_anew(desk: Desk) -> None:
    desk.wrong = [trouble()]
    desk.look(10)
    desk.wrong = []
    assert desk.look(120) == ["Kiitos: solved: backlog"]
    with desk.kiitos.store.work.read() as tx:
        assert alerts.all(tx) == []
    desk.wrong = [trouble()]
    assert desk.look(10) == ["Kiitos: backlog"]


def test_what_is_over_before_anybody_had_to_know_is_never_told(desk: Desk) -> None:
    desk.wrong = [trouble()]
    desk.look()
    desk.wrong = []
    assert desk.look(120) == []


def test_what_comes_and_goes_is_told_of_once_in_the_quiet_time(desk: Desk) -> None:
    told = []
    for _ in range(6):  # an hour of ten minutes wrong, ten minutes well
        desk.wrong = [trouble()]
        told += desk.look(10)
        desk.wrong = []
        told += desk.look(10)
    assert told == ["Kiitos: backlog"] or told == ["Kiitos: backlog", "Kiitos: solved: backlog", "Kiitos: backlog"]
    assert len(told) <= 3


def test_several_at_once_are_one_message_that_says_what_to_do(desk: Desk) -> None:
    desk.wrong = [trouble(), trouble("uncertain", "acme-main")]
    assert desk.look(5) == ["Kiitos: backlog and 1 more"]
    raw = desk.house.mails.messages[-1].content.decode()
    text = body(desk.house)
    assert "FAIL backlog: 12 items are due" in text
    assert "FAIL uncertain acme-main:" in text
    assert "mend it: kiitos status" in text
    assert "To: ops@agency.example" in raw
    assert "Auto-Submitted: auto-generated" in raw


def test_what_could_not_be_told_is_told_at_the_next_look(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.wrong = [trouble()]
    monkeypatch.setattr(
        type(desk.house.mails),
        "send_all",
        lambda self, messages, *_: iter([Retry(key=m.key, text="") for m in messages]),
    )
    assert desk.look(30) == []
    monkeypatch.undo()
    assert desk.look(5) == ["Kiitos: backlog"]


def test_without_settings_nothing_is_looked_at(house: House) -> None:
    def never() -> list[Trouble]:
        raise AssertionError("looked")

    assert Alerting(house.open(), never).work() is False


@pytest.fixture
def chat(house: House) -> Iterator[list[Request]]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(200 if len(seen) > 1 else 503)

    with LoopbackServer(answer) as server:
        (house.folder / "chat").write_text(f"{server.url}/hook", "utf-8")
        yield seen


def test_a_chat_is_told_over_http_and_again_after_an_outage(house: House, chat: list[Request]) -> None:
    house.app = CHAT
    desk = Desk(house, house.open(), [trouble()])
    desk.look(10)
    desk.look(30)
    assert len(chat) == 2  # the first was answered 503
    assert json.loads(chat[1].body)["text"].startswith("Kiitos: backlog\n\nFAIL backlog")


def test_the_real_checks_are_asked(house: House) -> None:
    """No worker runs, no webhook came: told as the doctor would say it."""
    house.app = SETTINGS
    kiitos = house.open()
    alerting = Alerting(kiitos)
    alerting.work()
    house.clock.advance(timedelta(minutes=5))
    alerting.work()
    assert "no worker has said that it lives" in body(house)


def test_each_chat_gets_its_own_form() -> None:
    assert json.loads(shape("https://hooks.slack.com/x", "", "S", "t")[0]) == {"text": "S\n\nt"}
    assert json.loads(shape("https://discord.com/x", "", "S", "t")[0])["content"] == "S\n\nt"
    teams = json.loads(shape("https://a.webhook.office.com/x", "", "S", "t")[0])
    assert teams["attachments"][0]["content"]["type"] == "AdaptiveCard"
    body, headers = shape("https://ntfy.sh/topic", "", "Kiitos: solved: ä", "t")
    assert (body, headers["Title"]) == (b"t", "Kiitos: solved: ?")
    assert shape("https://own.example/topic", "ntfy", "S", "t")[0] == b"t"
