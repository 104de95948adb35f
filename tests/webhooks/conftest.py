from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webhooks.composition import Bench, receiver_here


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with receiver_here(tmp_path) as made:
        yield made
