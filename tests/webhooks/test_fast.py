"""The fast path by itself: bodies in pieces, clients that leave, time that runs out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.webhooks.composition import KEY, PATH, Bench, headers_for, receiver_here
from webhooks.fast import FastPath

END = {"type": "http.disconnect"}


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def ask(app: FastPath, body: bytes, *parts: dict[str, Any], **changes: str) -> int | None:
    """The status of one request whose body comes as `parts`; after the last one it never says more. None: no answer."""
    messages, sent = list(parts), []

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in headers_for(body, **changes).items()]
    await app({"type": "http", "method": "POST", "path": PATH, "headers": headers}, receive, send)
    return sent[0]["status"] if sent else None


def run(bench: Bench, *requests: tuple[bytes, list[dict[str, Any]]]) -> list[int | None]:
    """Statuses of requests made at the same time."""
    app = FastPath(bench.app, bench.receiver)

    async def scene() -> list[int | None]:
        asked = (ask(app, body, *parts, delivery=f"d-{n}") for n, (body, parts) in enumerate(requests))
        return list(await asyncio.gather(*asked))

    return asyncio.run(scene())


def test_a_body_in_pieces_is_put_together(bench: Bench) -> None:
    body = b'{"a": "' + b"b" * 1000 + b'"}'
    pieces = [part(body[at : at + 100], more=at + 100 < len(body)) for at in range(0, len(body), 100)]
    assert run(bench, (body, pieces)) == [200]
    assert bench.rows()[0].body == body


def test_a_client_that_leaves_gets_no_answer_and_leaves_no_row(bench: Bench) -> None:
    assert run(bench, (b"{}", [part(b"{", more=True), END]), (b"{}", [END])) == [None, None]
    assert bench.rows() == []


def test_time_runs_out_for_the_slow_only(tmp_path: Path) -> None:
    with receiver_here(tmp_path, body_timeout=0.2) as bench:
        silent, halting = (b"{}", []), (b"{}", [part(b"{", more=True)])
        assert run(bench, silent, (b"{}", [part(b"{}")]), halting) == [408, 200, 408]
        assert len(bench.rows()) == 1


def test_a_cancellation_of_the_server_s_own_goes_through(bench: Bench) -> None:
    app = FastPath(bench.app, bench.receiver)

    async def scene() -> None:
        task = asyncio.create_task(ask(app, b"{}"))
        await asyncio.sleep(0.05)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scene())


def test_unfinished_big_bodies_are_bounded_together_and_small_ones_pass(tmp_path: Path) -> None:
    big, small = b"{" + b" " * 100_000, b"{" + b" " * 10_000

    def halves(body: bytes) -> list[dict[str, Any]]:
        return [part(body[:9000], more=True), part(body[9000:])]

    with receiver_here(tmp_path, open_bytes=50_000) as bench:
        assert run(bench, (big, halves(big)), (small, halves(small))) == [503, 200]
    roomy = tmp_path / "roomy"
    roomy.mkdir()
    with receiver_here(roomy, open_bytes=500_000) as bench:
        assert run(bench, (big, halves(big)), (small, halves(small))) == [200, 200]


def test_accept_gives_both_callers_the_same(bench: Bench) -> None:
    acceptor = bench.receiver.acceptor
    headers = {name: [value] for name, value in headers_for(b"{}").items()}
    for key, secret_headers, status in ((KEY, headers, 200), ("nobody", headers, 404), (KEY, {}, 401)):
        now = acceptor.accept("acme", key, secret_headers, b"{}")
        soon = asyncio.run(acceptor.accept_soon("acme", key, secret_headers, b"{}"))
        assert now == soon
        assert now.status == status
