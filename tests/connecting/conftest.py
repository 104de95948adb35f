from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.app import Kiitos
from connector.testing.fakes.woocommerce import FakeWoo
from tests.connecting.instance import Scene, make, make_store


@pytest.fixture
def kiitos(tmp_path: Path) -> Iterator[Kiitos]:
    made = make(tmp_path)
    yield made
    made.close()


@pytest.fixture
def woo() -> Iterator[FakeWoo]:
    with make_store() as store:
        yield store


@pytest.fixture
def scene(kiitos: Kiitos, woo: FakeWoo) -> Scene:
    return Scene(kiitos, woo)
