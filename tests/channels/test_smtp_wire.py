"""Odd servers, played from a script: what is written when, and what each answer means."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from connector.clock import SystemClock
from connector.contracts import Accepted, Rejected, Retry, Unknown
from flows.channels.smtp import Smtp

from .conftest import message

HELLO = [b"220 odd.example.test\r\n", b"250-odd.example.test\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n"]


class Script:
    """Answers the n-th thing it is waiting for with the n-th text; records what came before each answer."""

    def __init__(self, connections: list[list[tuple[bytes, bytes]]]) -> None:
        self.heard: list[list[bytes]] = []
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        for exchange in self._connections:
            client, _ = self._listener.accept()
            heard: list[bytes] = []
            self.heard.append(heard)
            with client:
                client.settimeout(5)
                client.sendall(HELLO[0])
                for wanted, answer in [(b"ehlo", HELLO[1]), *exchange]:
                    got = b""
                    while not got.lower().endswith(wanted.lower() if wanted != b"ehlo" else b"\r\n"):
                        piece = client.recv(65_536)
                        if not piece:
                            return
                        got += piece
                    heard.append(got)
                    if answer:
                        client.sendall(answer)

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()


@pytest.fixture
def play() -> Iterator[Callable[..., tuple[Script, Smtp]]]:
    made: list[tuple[Script, Smtp]] = []

    def begin(*connections: list[tuple[bytes, bytes]]) -> tuple[Script, Smtp]:
        script = Script(list(connections))
        settings = {"host": "127.0.0.1", "port": script.port, "tls": "none", "timeout": 5}
        made.append((script, Smtp.from_settings(settings, SystemClock())))
        return made[-1]

    yield begin
    for script, channel in made:
        channel.close()
        script.close()


ENVELOPE = (b"data\r\n", b"250 sender ok\r\n250 recipient ok\r\n354 go\r\n")
DOT = b"\r\n.\r\n"


def test_the_next_envelope_travels_with_the_dot(play):
    script, channel = play(
        [
            ENVELOPE,
            (b"data\r\n", b"250 first\r\n250 sender ok\r\n250 recipient ok\r\n354 go\r\n"),
            (DOT, b"250 second\r\n"),
        ]
    )
    found = list(channel.send_all([message("a"), message("b")]))
    assert [type(outcome) for outcome in found] == [Accepted, Accepted]
    _, envelope, both, last = script.heard[0]
    assert envelope == b"MAIL FROM:<shop@example.com>\r\nRCPT TO:<aino@example.com>\r\nDATA\r\n"
    assert b"Subject: a" in both
    assert both.endswith(DOT + envelope)
    assert b"Subject: b" not in both
    assert last.endswith(b"Hei!" + DOT)


def test_content_asked_for_although_nobody_will_get_it_is_empty(play):
    script, channel = play(
        [
            (b"data\r\n", b"250 sender ok\r\n550 5.1.1 no such user\r\n354 go\r\n"),
            (b".\r\n", b"554 no valid recipients\r\n"),
            ENVELOPE,
            (DOT, b"250 ok\r\n"),
        ]
    )
    first, second = channel.send_all([message("a"), message("b")])
    assert isinstance(first, Rejected)
    assert first.bad_address
    assert isinstance(second, Accepted)
    assert script.heard[0][2] == b".\r\n"
    assert b"Subject: a" not in b"".join(script.heard[0])


def test_a_refused_envelope_is_reset_before_the_next(play):
    script, channel = play(
        [
            (b"data\r\n", b"250 sender ok\r\n450 4.2.1 busy\r\n503 no recipients\r\n"),
            (b"data\r\n", b"250 reset\r\n250 sender ok\r\n250 recipient ok\r\n354 go\r\n"),
            (DOT, b"250 ok\r\n"),
        ]
    )
    first, second = channel.send_all([message("a"), message("b")])
    assert isinstance(first, Retry)
    assert first.text == "450 4.2.1 busy"
    assert isinstance(second, Accepted)
    assert script.heard[0][2].startswith(b"RSET\r\nMAIL FROM")


def test_a_server_that_is_leaving_is_left(play):
    script, channel = play(
        [(b"data\r\n", b"421 4.3.2 shutting down\r\n503 x\r\n503 x\r\n")],
        [ENVELOPE, (DOT, b"250 ok\r\n")],
    )
    first, second = channel.send_all([message("a"), message("b")])
    assert isinstance(first, Retry)
    assert isinstance(second, Accepted)
    assert len(script.heard) == 2


def test_leaving_after_the_dot_is_an_answer_and_the_announced_message_moves_on(play):
    _, channel = play(
        [ENVELOPE, (b"data\r\n", b"421 4.3.2 shutting down\r\n")],
        [ENVELOPE, (DOT, b"250 ok\r\n")],
    )
    first, second = channel.send_all([message("a"), message("b")])
    assert isinstance(first, Retry)
    assert isinstance(second, Accepted)


def test_silence_after_the_dot_is_unknown_and_the_announced_message_was_not_sent(play):
    script, channel = play([ENVELOPE, (b"data\r\n", b"")], [ENVELOPE, (DOT, b"250 ok\r\n")])
    first, second = channel.send_all([message("a"), message("b")])
    assert isinstance(first, Unknown)
    assert isinstance(second, Accepted)
    assert b"".join(script.heard[0]).count(b"Subject: b") == 0


def test_a_server_that_cannot_write_other_letters_gets_no_such_address(play):
    script, channel = play([ENVELOPE, (DOT, b"250 ok\r\n")])
    first, second = channel.send_all([message("a", "äiti@example.com"), message("b")])
    assert first == Rejected(key="a", code="553 5.6.7", text="the server takes no addresses outside ASCII")
    assert isinstance(second, Accepted)
    assert b"RCPT TO:<aino@example.com>" in b"".join(script.heard[0])
