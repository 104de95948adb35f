"""A world of its own for each journey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connector.testing.demo.scenario import MONDAY
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import World
from tests.journeys.telling import check_golden, timeline

Worlds = Callable[..., World]


class PatientWorld(World):
    """A world in which Shopify's deliveries that were put off also come when their time has come."""

    def until(self, at: datetime) -> None:
        while late := [one.next_at for one in self.shopify.outbox.pending if self.clock.now() < one.next_at <= at]:
            super().until(min(late))
        super().until(at)


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    """`worlds(start, **settings)`: a running world; settings replace keys of `[defaults]`."""
    with ExitStack() as stack:

        def make(start: datetime = MONDAY, **settings: Any) -> World:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            try:
                return stack.enter_context(PatientWorld(folder, start, settings=settings))
            except FakeUnavailable as missing:
                pytest.skip(str(missing))

        yield make


@pytest.fixture
def world(worlds: Worlds) -> World:
    return worlds()


@pytest.fixture
def tells(request: pytest.FixtureRequest) -> Callable[[World], str]:
    """`tells(world)`: the world's timeline, compared with the golden of this test's name."""

    def tell(world: World) -> str:
        told = timeline(world)
        check_golden(request.node.name.removeprefix("test_").replace("[", "-").rstrip("]"), told)
        return told

    return tell
