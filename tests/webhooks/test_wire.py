"""The fast road by itself, over real sockets: heads and bodies in pieces, clients that leave, time that runs out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.clock import SystemClock
from connector.testing.serving import Serving
from tests.webhooks.composition import PATH, Bench, headers_for, receiver_here

BODY = b'{"id": 1}'


class Client:
    """One connection."""

    made: ClassVar[list[Client]] = []

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self._reader = self.socket.makefile("rb")
        self.made.append(self)

    def close(self) -> None:
        self._reader.close()
        self.socket.close()

    def send(self, *parts: bytes) -> Client:
        for part in parts:
            self.socket.sendall(part)
        return self

    def answer(self, bare: bool = False) -> tuple[int, bytes, dict[str, str]]:
        """The next answer; status 0 when the connection ended instead."""
        line = self._reader.readline()
        if not line:
            return 0, b"", {}
        headers = {}
        while (text := self._reader.readline().strip()) != b"":
            name, _, value = text.decode().partition(": ")
            headers[name] = value
        return int(line.split()[1]), b"" if bare else self._reader.read(int(headers["content-length"])), headers

    def status(self) -> int:
        return self.answer()[0]

    def ended(self) -> bool:
        return self._reader.read(1) == b""


def request(body: bytes = BODY, *extra: str, target: str = PATH, version: str = "1.1", **changes: str) -> bytes:
    lines = [f"POST {target} HTTP/{version}", "host: x", *extra]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in extra):
        lines.append(f"content-length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers_for(body, **changes).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    yield
    while Client.made:
        Client.made.pop().close()


@contextmanager
def house(folder: Path, **limits: Any) -> Iterator[tuple[Bench, int]]:
    with receiver_here(folder, started=False, **limits) as bench:
        bench.app.add_url_rule("/echo", view_func=_echo, methods=["POST"])
        with Serving(bench.app) as serving:
            yield bench, serving.port


def _echo() -> bytes:
    from flask import request as asked

    return asked.get_data()


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, int]]:
    with house(tmp_path_factory.mktemp("wire"), max_body=8192, directory_pause=0.0) as made:
        yield made


@pytest.fixture
def bench(open_house: tuple[Bench, int]) -> Bench:
    return open_house[0]


@pytest.fixture
def client(open_house: tuple[Bench, int]) -> Client:
    return Client(open_house[1])


def bodies(bench: Bench) -> list[bytes]:
    return [row.body for row in bench.rows()]


def test_a_request_in_pieces_is_put_together(bench: Bench, client: Client) -> None:
    body = b'{"pieces": "' + b"b" * 500 + b'"}'
    whole = request(body, delivery="pieces")
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(whole), 50):
        client.send(whole[at : at + 50])
        SystemClock().sleep(0.001)
    assert client.status() == 200
    assert body in bodies(bench)


def test_one_connection_serves_deliveries_and_pages_in_turn(client: Client) -> None:
    for turn in range(3):
        assert client.send(request(delivery=f"turn-{turn}")).answer()[:2] == (200, b"ok")
        page = client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\necho").answer()
        assert page[:2] == (200, b"echo")
    assert client.send(request(signature="no")).status() == 401
    assert client.send(request(delivery="turn-3")).status() == 200


def test_refusals_leave_the_connection_open_for_the_next(client: Client) -> None:
    large = request(b"{" + b" " * 100_000, delivery="large")
    assert client.send(large).status() == 413
    assert client.send(request(target="/hooks/acme/unheard")).status() == 404
    head = b"HEAD " + PATH.encode() + b" HTTP/1.1\r\nhost: x\r\n\r\n"
    status, _, headers = client.send(head).answer(bare=True)
    assert (status, headers["content-length"]) == (405, "9")
    assert client.send(request(delivery="after refusals")).status() == 200


def test_every_answer_is_dated_and_says_nothing_of_the_server(client: Client) -> None:
    headers = client.send(request(delivery="dated")).answer()[2]
    assert headers["date"].endswith("GMT")
    assert "server" not in headers


def test_a_client_that_wants_to_close_is_let_go(open_house: tuple[Bench, int]) -> None:
    for number, sent in enumerate(
        (request(BODY, "connection: close", delivery="bye-1"), request(delivery="bye-2", version="1.0"))
    ):
        client = Client(open_house[1]).send(sent)
        status, _, headers = client.answer()
        assert (status, headers["connection"]) == (200, "close"), number
        assert client.ended()


def test_who_waits_for_a_word_before_the_body_gets_it(client: Client) -> None:
    whole = request(BODY, "expect: 100-continue", delivery="expecting")
    client.send(whole[: -len(BODY)])
    assert client._reader.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert client._reader.readline() == b"\r\n"
    assert client.send(BODY).status() == 200


def test_who_is_refused_instead_is_let_go(client: Client) -> None:
    """It may send no body now, and its next request would be read as one."""
    status, _, headers = client.send(request(BODY, "expect: 100-continue", target="/hooks/acme")[: -len(BODY)]).answer()
    assert (status, headers["connection"]) == (404, "close")
    assert client.ended()


def test_an_escaped_path_is_the_same_path(client: Client) -> None:
    assert client.send(request(delivery="escaped", target=PATH.replace("acme", "%61cme"))).status() == 200


def test_the_second_of_two_at_once_is_not_taken(bench: Bench, client: Client) -> None:
    """Neither stored nor answered: its client has to send it again, and may, as it knows that it was not answered."""
    client.send(request(delivery="first of two") + request(b'{"second": 1}', delivery="second of two"))
    assert client.answer()[:2] == (200, b"ok")
    assert client.ended()
    assert b'{"second": 1}' not in bodies(bench)


def test_what_follows_a_page_is_answered_after_it(bench: Bench, client: Client) -> None:
    """A client has its page as soon as the last byte came, a moment before the server is done with it."""
    page = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\necho"
    client.send(page + page + request(b'{"after pages": 1}', delivery="after pages"))
    assert [client.answer()[:2] for _ in range(3)] == [(200, b"echo"), (200, b"echo"), (200, b"ok")]
    assert b'{"after pages": 1}' in bodies(bench)
    assert client.send(page).answer()[:2] == (200, b"echo")


def test_a_trailer_is_not_a_header(client: Client) -> None:
    body = b'{"trailer": 1}'
    lines = request(body, "transfer-encoding: chunked", delivery="trailer").decode().split("\r\n")
    named = [line for line in lines if line.startswith("x-acme-signature")]
    head = "\r\n".join(line for line in lines[:-1] if line not in named) + "\r\n"
    chunk = f"{len(body):x}\r\n{body.decode()}\r\n0\r\n"
    client.send(f"{head}{chunk}{named[0]}\r\n\r\n".encode())
    assert client.status() == 401
    assert Client(client.socket.getpeername()[1]).send(
        f"{head}{named[0]}\r\n\r\n".replace("\r\n\r\n", "\r\n", 1).encode() + f"{chunk}\r\n".encode()
    ).status() in (200, 400), "the control: where a header belongs"


@pytest.mark.parametrize(
    "broken",
    [
        request(BODY, "content-length: 9", "transfer-encoding: chunked"),
        request(BODY, "content-length: 9", "content-length: 5"),
        request(BODY, "content-length: +9"),
        request(BODY, "transfer-encoding: chunked, identity"),
        request(BODY, "x-acme-note : 1"),
        b"POST " + PATH.encode() + b" HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40,
    ],
    ids=["both lengths", "two lengths", "plus", "identity last", "space before colon", "version", "TLS"],
)
def test_what_two_servers_could_read_differently_is_refused(bench: Bench, client: Client, broken: bytes) -> None:
    """Request smuggling (promises.md B1 10)."""
    before = len(bench.rows())
    assert client.send(broken).status() == 400
    assert client.ended()
    assert len(bench.rows()) == before


def test_a_head_without_end_is_given_up(client: Client) -> None:
    client.send(b"POST " + PATH.encode() + b" HTTP/1.1\r\nx-long: " + b"a" * 70_000)
    assert client.status() == 431
    assert client.ended()


def test_a_client_that_leaves_leaves_no_row_and_holds_nothing(tmp_path: Path) -> None:
    with house(tmp_path) as (bench, port):
        connections = bench.app.extensions["front"].connections
        whole = request(b"{" + b" " * 90_000, delivery="gone")
        client = Client(port).send(whole[:80_000])
        _wait_until(lambda: connections.held > 0)
        client.close()
        _wait_until(lambda: connections.held == 0)
        assert bench.rows() == []


def test_time_runs_out_for_the_slow_only(tmp_path: Path) -> None:
    with house(tmp_path, body_timeout=0.4) as (bench, port):
        silent = Client(port).send(request()[: -len(BODY)])
        halting = Client(port).send(request()[:-3])
        half_head = Client(port).send(b"POST " + PATH.encode())
        assert Client(port).send(request(delivery="quick")).status() == 200
        for slow in (silent, halting, half_head):
            status, _, headers = slow.answer()
            assert (status, headers["connection"]) == (408, "close")
            assert slow.ended()
        assert len(bench.rows()) == 1


def test_unfinished_big_bodies_are_bounded_together_and_small_ones_pass(tmp_path: Path) -> None:
    big, small = b"{" + b" " * 100_000, b"{" + b" " * 10_000
    with house(tmp_path, open_bytes=90_000) as (bench, port):
        first = Client(port).send(request(big, delivery="big-1")[:60_000])
        _wait_until(lambda: bench.app.extensions["front"].connections.held >= 59_000)
        assert Client(port).send(request(big, delivery="big-2")[:80_000]).status() == 503
        assert Client(port).send(request(small, delivery="small")).status() == 200
        assert first.send(request(big, delivery="big-1")[60_000:]).status() == 200, "the other's was let go"


@pytest.mark.parametrize("connected", [True, False], ids=["kept connections", "new connections"])
def test_what_comes_together_shares_a_commit(tmp_path: Path, connected: bool) -> None:
    with house(tmp_path) as (bench, port):
        clients = [Client(port) for _ in range(40)]
        if connected:
            assert [one.send(request(signature="no")).status() for one in clients] == [401] * 40
        writer = bench.receiver.writer
        committed, sizes = writer._commit, []

        def slowly(batch: Any) -> None:
            sizes.append(len(batch))
            SystemClock().sleep(0.2)
            committed(batch)

        writer._commit = slowly  # type: ignore[method-assign]
        for number, one in enumerate(clients):
            one.send(request(delivery=f"together-{number}"))
        assert [one.status() for one in clients] == [200] * 40
        assert sum(sizes) == 40
        assert len(sizes) <= 4


def _wait_until(true: Any) -> None:
    for _ in range(500):
        if true():
            return
        SystemClock().sleep(0.01)
    raise AssertionError("it never came true")
