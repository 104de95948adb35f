"""Procrastinate and Celery as they run: executors are processes, one is killed with twenty steps in its hands. What
is about orders goes before advertising."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from connector.working import dispatching
from tests.dispatch.rig import examine, one_at_a_time, order_of, process_rig, write_advertising, write_files
from tests.dispatch.servers import rabbitmq, redis

pytestmark = pytest.mark.postgres
ORDERS, ADVERTISING = 4, 8
FIRST = ["office"] * ORDERS + ["ask"] * ADVERTISING
"""Advertising was due for longer, and handed out before them."""


def test_procrastinate(tmp_path: Path, schema_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_files(tmp_path, 'kind = "procrastinate"')
    write_advertising(path)
    with process_rig(path, schema_dsn) as rig:
        assert examine(rig) == [], rig.log()
        assert rig.dispatcher.waiting() == 0
        one_at_a_time(path)
        assert order_of(rig, ADVERTISING, ORDERS) == FIRST, rig.log()
        monkeypatch.setattr(dispatching, "order_flows", lambda kiitos, shops: [])
        assert order_of(rig, ADVERTISING, ORDERS) != FIRST, "without ranks it is the same: this shows nothing"


@pytest.mark.parametrize("broker", [redis, rabbitmq])
def test_celery(tmp_path: Path, schema_dsn: str, broker: Callable[[Path], AbstractContextManager[str]]) -> None:
    (tmp_path / "broker").mkdir()
    with broker(tmp_path / "broker") as address:
        (tmp_path / "broker.url").write_text(address, "utf-8")
        path = write_files(tmp_path, 'kind = "celery"\nbroker = { file = "broker.url" }')
        write_advertising(path)
        with process_rig(path, schema_dsn) as rig:
            assert examine(rig) == [], rig.log()
            one_at_a_time(path)
            assert order_of(rig, ADVERTISING, ORDERS) == FIRST, rig.log()
