"""Forms with files: so many are held at a time, and nobody else waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask, request

from webhooks.front import UPLOADS, Front

MOST, ROOM = 1000, 5000
FORM = b"multipart/form-data; boundary=b"


def front() -> Front:
    app = Flask("uploads")

    @app.post("/p/<path:rest>")
    def take(rest: str) -> str:
        return f"{rest} {len(request.get_data())}"

    settings = SimpleNamespace(max_body=MOST, body_timeout=20.0)
    receiver = SimpleNamespace(settings=settings, acceptor=None)
    return Front(app, cast("Any", receiver), threads=2, roomy={"/p/review/": ROOM})


class Client:
    """A browser whose body comes only when it is told to."""

    def __init__(self, there: Front, path: str, size: int, kind: bytes = FORM) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.status, self.body = 0, b""
        self._body: list[bytes] | None = [b"x" * size]
        headers = [(b"content-type", kind), (b"content-length", str(size).encode()), (b"host", b"kiitos.example")]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "https",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
            "client": ("192.0.2.1", 1), "server": ("kiitos.example", 443),
        }  # fmt: skip
        self.done = asyncio.ensure_future(there(scope, self._receive, self._send))

    def hang_up(self) -> None:
        self._body = None
        self.go.set()

    async def _receive(self) -> dict[str, Any]:
        self.asked.set()
        await self.go.wait()
        if not self._body:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._body.pop(), "more_body": False}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


def played(story: Callable[[Front], Any]) -> None:
    async def play() -> None:
        await asyncio.wait_for(story(front()), 60)

    asyncio.run(play())


@pytest.mark.parametrize("hang_up", [True, False])
def test_so_many_forms_with_files_are_held_at_a_time(hang_up: bool) -> None:
    """Whoever comes beyond is asked to come again; one that is done, or hung up, makes room."""

    async def story(there: Front) -> None:
        held = [Client(there, "/p/review/t", 2000) for _ in range(UPLOADS)]
        await asyncio.gather(*(each.asked.wait() for each in held))
        beyond = Client(there, "/p/review/t", 2000)
        await beyond.done
        assert (beyond.status, beyond.asked.is_set()) == (503, False), "nothing of it is read"
        small = Client(there, "/p/review/t", MOST)
        small.go.set()
        await small.done
        assert (small.status, small.body) == (200, b"review/t 1000"), "a form without files does not wait for them"
        held[0].hang_up() if hang_up else held[0].go.set()
        await held[0].done
        assert held[0].status == (0 if hang_up else 200)
        late = Client(there, "/p/review/t", 2000)
        for each in (late, *held[1:]):
            each.go.set()
        await asyncio.gather(late.done, *(each.done for each in held[1:]))
        assert [each.status for each in (late, *held[1:])] == [200] * UPLOADS

    played(story)


@pytest.mark.parametrize(
    ("path", "size", "kind", "status"),
    [
        ("/p/review/t", ROOM, FORM, 200),
        ("/p/review/t", ROOM + 1, FORM, 413),
        ("/p/review/t", MOST + 1, b"application/json", 413),
        ("/p/survey/t", MOST + 1, FORM, 413),
        ("/p/survey/t", MOST, FORM, 200),
    ],
)
def test_only_such_forms_may_be_that_large(path: str, size: int, kind: bytes, status: int) -> None:
    async def story(there: Front) -> None:
        client = Client(there, path, size, kind)
        client.go.set()
        await client.done
        assert client.status == status

    played(story)
