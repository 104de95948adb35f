"""The chat channel: what each chat gets, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.contracts import Accepted, Message, Rejected, Retry, Unknown
from connector.errors import ConfigError
from connector.testing.fakes.web import LoopbackServer, Request, Response
from flows.channels.chat import Chat, style_of

CLOCK = ManualClock(datetime(2026, 11, 22, 9, 0, tzinfo=UTC))
TEXT = "An answer\n<!channel> @here [x](http://evil.test) & so on"


def message(key: str = "k1", text: str = TEXT) -> Message:
    return Message(key=key, channel="chat", sender="", recipient="anna", content=text.encode())


class Room:
    """A chat that answers what it is told to."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.answers: list[Response] = []

    def answer(self, request: Request) -> Response:
        self.seen.append(request)
        return self.answers.pop(0) if self.answers else Response(200, b"ok")

    def bodies(self) -> list[Any]:
        return [json.loads(request.body) for request in self.seen]


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def chat(room: Room) -> Iterator[Callable[..., Chat]]:
    with LoopbackServer(room.answer) as server:
        yield lambda style="": Chat.from_settings(
            {"url": f"{server.url}/hook", "style": style, "private_addresses": True}, CLOCK
        )


@pytest.mark.parametrize(
    ("url", "style"),
    [
        ("https://hooks.slack.com/services/x", "slack"),
        ("https://chat.example.com/hooks/x", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://acme.webhook.office.com/webhookb2/x", "teams"),
        ("https://prod-1.westeurope.logic.azure.com/workflows/x", "teams"),
        ("https://discord.com.evil.test/", "slack"),
    ],
)
def test_the_address_tells_the_style(url: str, style: str) -> None:
    assert style_of(url) == style


def test_slack_is_told_and_nobody_is_woken(chat: Callable[..., Chat], room: Room) -> None:
    assert list(chat().send_all([message()])) == [Accepted(key="k1")]
    (body,) = room.bodies()
    assert list(body) == ["text"]
    assert "<!channel>" not in body["text"]
    assert "&lt;!channel&gt;" in body["text"]
    assert "@here" not in body["text"]


def test_discord_is_told_and_nobody_is_woken(chat: Callable[..., Chat], room: Room) -> None:
    list(chat("discord").send_all([message(text="x" * 5000)]))
    (body,) = room.bodies()
    assert len(body["content"]) == 2000
    assert body["allowed_mentions"] == {"parse": []}


def test_teams_gets_a_card(chat: Callable[..., Chat], room: Room) -> None:
    list(chat("teams").send_all([message()]))
    (body,) = room.bodies()
    blocks = body["attachments"][0]["content"]["body"]
    assert [block["type"] for block in blocks] == ["TextBlock", "TextBlock"]
    assert "[x](" not in blocks[1]["text"].replace("\\[", "")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Response(204), Accepted),
        (Response(429, headers=(("Retry-After", "30"),)), Retry),
        (Response(500), Retry),
        (Response(404), Rejected),
        (Response(302, headers=(("Location", "http://127.0.0.1/"),)), Rejected),
        (Response(200, drop=True), Unknown),
    ],
)
def test_what_an_answer_means(chat: Callable[..., Chat], room: Room, answer: Response, kind: type[Any]) -> None:
    room.answers = [answer]
    (outcome,) = chat().send_all([message()])
    assert isinstance(outcome, kind)
    if isinstance(outcome, Retry) and answer.status == 429:
        assert outcome.after == 30


def test_after_silence_the_rest_waits(chat: Callable[..., Chat], room: Room) -> None:
    room.answers = [Response(200, drop=True)]
    outcomes = list(chat().send_all([message("a"), message("b")]))
    assert [type(outcome) for outcome in outcomes] == [Unknown, Retry]
    assert len(room.seen) == 1


def test_the_wire_is_marked_before_anything_leaves(chat: Callable[..., Chat], room: Room) -> None:
    marked: list[str] = []

    def refuse(key: str) -> None:
        marked.append(key)
        raise OSError

    (outcome,) = chat().send_all([message()], refuse)
    assert isinstance(outcome, Retry)
    assert (marked, room.seen) == (["k1"], [])


def test_without_a_word_of_the_operator_loopback_is_refused(room: Room) -> None:
    with LoopbackServer(room.answer) as server:
        (outcome,) = Chat.from_settings({"url": server.url}, CLOCK).send_all([message()])
    assert isinstance(outcome, Rejected)
    assert outcome.code == "private_address"
    assert server is not None
    assert room.seen == []


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({}, "address is missing"),
        ({"url": "https://x.test", "style": "slak"}, "did you mean 'slack'"),
        ({"url": "https://x.test", "stile": "slack"}, "did you mean 'style'"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        Chat.from_settings(settings, CLOCK)
