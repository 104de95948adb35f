"""A world a test: the product and its shops under a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import World
from tests.pages.life import START


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, START, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))
