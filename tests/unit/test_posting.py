"""One POST to a server nobody vouches for: what it may cost, where it may go, and what its failures are called."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connector.errors import Refused, Transient
from connector.outside.posting import LARGEST, post
from connector.testing.fakes.web import LoopbackServer, Request, Response

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@contextlib.contextmanager
def answering(response: Response) -> Iterator[tuple[str, list[Request]]]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return response

    with LoopbackServer(answer) as server:
        yield server.url, seen


@contextlib.contextmanager
def raw(*parts: bytes, pause: float) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers a connection with these parts, and a pause after each; and the parts it has sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended, sent = threading.Event(), []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for part in parts:
                connection.sendall(part)
                sent.append(part)
                if ended.wait(pause):
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", sent
    finally:
        ended.set()
        listener.close()
        thread.join(5)


def test_what_is_sent_and_what_comes_back() -> None:
    with answering(Response(202, b'{"score": 7}')) as (url, seen):
        answer = post(f"{url}/hook?a=1", b"{}", {"webhook-id": "x"}, now=NOW, private_addresses=True)
    assert (answer.status, answer.body) == (202, b'{"score": 7}')
    (request,) = seen
    assert (request.method, request.path, request.body) == ("POST", "/hook", b"{}")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "x"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("Kiitos/")


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with answering(Response(302, headers=(("Location", "http://127.0.0.1:1/"),))) as (url, seen):
        assert post(url, b"", {}, now=NOW, private_addresses=True).status == 302
    assert len(seen) == 1


def test_a_wish_to_wait_is_told() -> None:
    with answering(Response(429, headers=(("Retry-After", "17"),))) as (url, _):
        assert post(url, b"", {}, now=NOW, private_addresses=True).retry_after == 17


def test_an_answer_without_end_is_cut() -> None:
    with answering(Response(200, b"x" * (LARGEST * 4))) as (url, _):
        assert len(post(url, b"", {}, now=NOW, private_addresses=True).body) == LARGEST


@pytest.mark.parametrize(
    "parts",
    [
        (b"",) * 50,
        (b"HTTP/1.1 200 OK\r\n", *[b"X-Slow: 1\r\n"] * 50),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", *[b"y"] * 49),
        (b"HTTP/1.1 200 OK\r\n\r\n", *[b"y"] * 50),
    ],
    ids=["silence", "drip of headers", "drip of a body", "drip without a length"],
)
def test_whatever_it_hangs_on_it_ends_in_time(parts: tuple[bytes, ...]) -> None:
    with raw(*parts, pause=0.1) as (url, sent):
        with pytest.raises(Transient, match="no answer in time") as told:
            post(url, b"", {}, now=NOW, private_addresses=True, limit=0.4)
        assert len(sent) < len(parts), "it did not wait for the end"
    assert told.value.maybe_done


def test_nobody_there_is_certainly_not_done() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Transient) as told:
        post(f"http://127.0.0.1:{port}/", b"", {}, now=NOW, private_addresses=True)
    assert not told.value.maybe_done


def test_a_connection_that_breaks_may_have_been_done() -> None:
    with answering(Response(200, drop=True)) as (url, _), pytest.raises(Transient) as told:
        post(url, b"", {}, now=NOW, private_addresses=True)
    assert told.value.maybe_done


@pytest.mark.parametrize(
    "url",
    [
        "http://203.0.113.9/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://example.com:22/",
        "https://user:secret@example.com/",
        "ftp://example.com/",
    ],
)
def test_it_goes_to_public_servers_only(url: str) -> None:
    with pytest.raises(Refused) as told:
        post(url, b"", {}, now=NOW)
    assert "secret" not in str(told.value)
    assert "127" not in str(told.value)


def test_a_name_that_leads_into_the_house_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.outside.destinations.resolve", lambda host, port: ["127.0.0.1"])
    with pytest.raises(Refused, match="private network"):
        post("https://hooks.example.com/", b"", {}, now=NOW)


def test_loopback_answers_where_the_operator_says_so() -> None:
    """The negative control of the refusals above."""
    with answering(Response(204)) as (url, seen):
        assert post(url, b"", {}, now=NOW, private_addresses=True).status == 204
    assert seen
