"""Procrastinate and Celery as they run: executors are processes, one is killed with twenty steps in its hands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.dispatch.rig import examine, process_rig, write_files
from tests.dispatch.servers import rabbitmq, redis

pytestmark = pytest.mark.postgres


def test_procrastinate(tmp_path: Path, schema_dsn: str) -> None:
    path = write_files(tmp_path, 'kind = "procrastinate"')
    with process_rig(path, schema_dsn) as rig:
        assert examine(rig) == [], rig.log()
        assert rig.dispatcher.waiting() == 0


@pytest.mark.parametrize("broker", [redis, rabbitmq])
def test_celery(tmp_path: Path, schema_dsn: str, broker: Callable[[Path], AbstractContextManager[str]]) -> None:
    (tmp_path / "broker").mkdir()
    with broker(tmp_path / "broker") as address:
        (tmp_path / "broker.url").write_text(address, "utf-8")
        path = write_files(tmp_path, 'kind = "celery"\nbroker = { file = "broker.url" }')
        with process_rig(path, schema_dsn) as rig:
            assert examine(rig) == [], rig.log()
