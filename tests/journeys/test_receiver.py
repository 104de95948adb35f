"""The receiver as it runs in production: server, sockets, and the process killed or starved on purpose."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from connector.clock import SystemClock
from tests.webhooks.composition import PATH, ROOT, Server, headers_for, serving

BODY = b'{"id": 1, "note": "' + b"x" * 3000 + b'"}'


def send(server: Server, delivery: str, body: bytes = BODY) -> int:
    return server.call("POST", PATH, body, headers_for(body, delivery=delivery))[0]


def acknowledged_until_killed(server: Server, first: int, after: int) -> set[str]:
    """Send from four clients at once; kill the whole process group once `after` answers came. Ids answered with 200."""
    answered: set[str] = set()
    enough, dead = threading.Event(), threading.Event()

    def client(lane: int) -> None:
        for number in range(1000):
            if dead.is_set():
                return
            name = f"{first}-{lane}-{number}"
            with suppress(OSError, Exception):
                if send(server, name) == 200:
                    answered.add(name)
                    if len(answered) >= after:
                        enough.set()

    with ThreadPoolExecutor(4) as pool:
        for lane in range(4):
            pool.submit(client, lane)
        assert enough.wait(60)
        server.kill()
        dead.set()
    return answered


def test_killed_right_after_an_answer_the_row_is_there(tmp_path: Path) -> None:
    """SIGKILL leaves the page cache, so this shows that the commit precedes the answer, and not that the disk was
    synced: `synchronous=OFF` would pass too. For that see the power-cut test of the store."""
    acknowledged: set[str] = set()
    for round_ in range(3):
        with serving(tmp_path, fresh=round_ == 0) as server:
            acknowledged |= acknowledged_until_killed(server, round_, 5 + 20 * round_)
            kept = {row.dedup_key for row in server.rows()}
            assert acknowledged <= kept, f"{len(acknowledged - kept)} acknowledged deliveries are lost"
    assert len(acknowledged) >= 75


def test_the_kill_test_notices_a_writer_that_does_not_commit(tmp_path: Path) -> None:
    """Negative control of the test above."""
    with serving(tmp_path, writer="forgetful") as server:
        answered = acknowledged_until_killed(server, 0, 5)
        assert len(answered) >= 5
        assert server.rows() == []


def test_sigterm_finishes_what_was_begun(tmp_path: Path) -> None:
    with serving(tmp_path, writer="slow") as server, ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(send, server, f"d-{n}") for n in range(8)]
        next(as_completed(answers))  # the first commit is done, and what came meanwhile is in the second
        assert server.stop() == 0
        results = [answer.exception() or answer.result() for answer in answers]
        kept = {row.dedup_key for row in server.rows()}
    stored = {f"d-{n}" for n, result in enumerate(results) if result == 200}
    assert stored, results
    assert stored <= kept


SOON = 2.0
"""Seconds within which each of the others has its answer; Shopify waits for five."""
HANGING = 200


@contextmanager
def half_sent(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections that promised a body and sent the half of it."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers_for(BODY, delivery="slow").items())
    text = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n{head}\r\n".encode() + BODY[:1500]
    sockets = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]
    try:
        for one in sockets:
            one.sendall(text)
        yield sockets
    finally:
        for one in sockets:
            one.close()


def waited(ask: Callable[[int], int | None], count: int) -> list[float]:
    """Seconds each of so many others waited for its 200, from four clients; sorted, endless where none came."""

    def one(number: int) -> float:
        began = time.monotonic()
        return time.monotonic() - began if ask(number) == 200 else float("inf")

    with ThreadPoolExecutor(4) as pool:
        return sorted(pool.map(one, range(count)))


def test_two_hundred_half_sent_bodies_disturb_nobody(tmp_path: Path) -> None:
    with serving(tmp_path) as server, half_sent(server.port, HANGING) as slow:
        others = waited(lambda n: send(server, f"d-{n}"), 200)
        assert others[-1] < SOON, "the slowest of the others"
        assert select.select(slow, [], [], 0)[0] == [], "all two hundred hang all the while"
        slow[0].sendall(BODY[1500:])
        assert slow[0].recv(100).startswith(b"HTTP/1.1 200"), "a slow body is only slow"
        assert len(server.rows()) == 201


class InTurn(BaseHTTPRequestHandler):
    """Reads one body after the other, as a server with one thread does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


def test_control_a_server_that_reads_bodies_in_turn_starves_the_others() -> None:
    server = HTTPServer(("127.0.0.1", 0), InTurn)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(_: int) -> int | None:
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=SOON)
        with suppress(OSError), closing(connection):
            connection.request("POST", PATH, BODY)
            return connection.getresponse().status
        return None

    try:
        assert waited(ask, 1)[-1] < SOON, "with nobody before them it answers"
        with half_sent(server.server_port, 4):
            assert waited(ask, 4)[0] >= SOON
    finally:
        server.shutdown()
        server.server_close()


def test_a_body_that_never_ends_is_given_up(tmp_path: Path) -> None:
    with serving(tmp_path, body_timeout=0.3) as server, half_sent(server.port, 3) as slow:
        assert [one.recv(100)[:12] for one in slow] == [b"HTTP/1.1 408"] * 3
        assert send(server, "d-1") == 200
        assert [row.dedup_key for row in server.rows()] == ["d-1"]


def test_deliveries_are_committed_where_they_are_read(tmp_path: Path) -> None:
    """In the event loop's thread: handing each to another cost two fifths of a webhook's CPU (docs/adr/0008)."""
    with serving(tmp_path, writer="telling") as server:
        assert [send(server, f"d-{n}") for n in range(3)] == [200] * 3
    assert set((tmp_path / "threads").read_text().split()) == {"MainThread"}


def test_a_page_whose_body_never_ends_is_given_up_too(tmp_path: Path) -> None:
    with serving(tmp_path, body_timeout=0.3) as server:
        with socket.create_connection(("127.0.0.1", server.port), 10) as one:
            one.sendall(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf")
            assert one.recv(100).startswith(b"HTTP/1.1 408")
        assert server.call("POST", "/echo", b"whole")[:2] == (200, b"whole")


def test_a_body_in_chunks_is_bounded_too(tmp_path: Path) -> None:
    def chunked(server: Server, body: bytes, delivery: str) -> bytes:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers_for(body, delivery=delivery).items())
        with socket.create_connection(("127.0.0.1", server.port), 10) as one:
            one.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n{head}\r\n".encode())
            with suppress(ConnectionError):  # the refusal may come before the last chunk
                for start in range(0, len(body), 1000):
                    part = body[start : start + 1000]
                    one.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                one.sendall(b"0\r\n\r\n")
            return one.recv(100)[:12]

    with serving(tmp_path, max_body=8192) as server:
        assert chunked(server, b"{" + b"a" * 8191, "d-1") == b"HTTP/1.1 200"
        assert chunked(server, b"{" + b"a" * 60_000, "d-2") == b"HTTP/1.1 413"
        assert [len(row.body) for row in server.rows()] == [8192]


def test_a_client_that_hangs_up_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with half_sent(server.port, 5):
            pass
        assert send(server, "d-1") == 200
        assert [row.dedup_key for row in server.rows()] == ["d-1"]
        assert "error" not in server.log.read_text().lower()


def test_a_full_queue_says_try_again_and_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, writer="slow", queue_rows=5) as server:
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda n: (n, send(server, f"d-{n}")), range(24)))
        assert {status for _, status in answers} == {200, 503}
        accepted = {f"d-{n}" for n, status in answers if status == 200}
        assert {row.dedup_key for row in server.rows()} == accepted
        assert send(server, "late") == 200


def test_a_store_that_cannot_write_answers_503_and_recovers(tmp_path: Path) -> None:
    with serving(tmp_path, writer="failing") as server:
        assert send(server, "d-1") == 200
        (tmp_path / "broken").touch()
        assert send(server, "d-2") == 503
        status, body, _ = server.call("GET", "/readyz")
        assert (status, b'"stored":false' in body) == (503, True)
        (tmp_path / "broken").unlink()
        assert send(server, "d-2") == 200
        assert server.call("GET", "/readyz")[0] == 200
        assert [row.dedup_key for row in server.rows()] == ["d-1", "d-2"]


def test_a_server_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "from connector.serving.serve import run_server; "
        "run_server('tests.webhooks.nowhere:create', port=0, config='x')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert '"event":"cannot_start","code":"CONFIG"' in done.stderr
    assert "tests.webhooks.nowhere:create" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    import os
    import signal

    with serving(tmp_path) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        if not children.exists():
            pytest.skip("needs /proc to find the worker")
        assert send(server, "d-1") == 200
        os.kill(int(children.read_text().split()[-1]), signal.SIGKILL)
        for _ in range(200):
            with suppress(OSError):
                if send(server, "d-2") == 200:
                    break
            SystemClock().sleep(0.05)
        assert [row.dedup_key for row in server.rows()] == ["d-1", "d-2"]
