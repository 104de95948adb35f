"""A receiver to deliver to, a clock that stands still, the shared captures where they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.clock import ManualClock
from connector.testing.fakes.web import LoopbackServer, Request, Response


@dataclass
class Receiver:
    """Keeps what is delivered; answers 200, or what `statuses` say, one each."""

    requests: list[Request] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    always: int = 200
    url: str = ""

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(self.statuses.pop(0) if self.statuses else self.always, b"ok", "text/plain")

    def header(self, name: str) -> list[str | None]:
        return [request.headers.get(name) for request in self.requests]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=UTC))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    it = Receiver()
    server = LoopbackServer(it.answer)
    server.start()
    it.url = f"{server.url}/hook/x?y=1"
    yield it
    server.stop()


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data")
    return folder
