"""An executor is seen as a worker is: its port, its row among the processes, its part of the trace."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from connector.clock import ManualClock
from connector.store import traces, watch
from connector.testing.fakes.web import LoopbackServer
from connector.testing.serving import free_port
from connector.watching.keeping_house import of_executor
from connector.watching.warden import STUCK
from connector.working.dispatching import Executing
from tests.dispatch.rig import KIITOS, SHOP, ProcessRig, process_rig, write_files
from tests.dispatch.servers import redis
from tests.dispatch.test_planted import Remembered, ThreadRig
from tests.watching.conftest import START
from tests.watching.test_traces import Collector

TRACE = "0af7651916cd43dd8448eb211c80319c"


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def until(done: Callable[[], bool], patience: float = 90.0) -> bool:
    end = monotonic() + patience
    while not done():
        if monotonic() > end:
            return False
        threading.Event().wait(0.1)
    return True


@pytest.mark.postgres
def test_an_executor_has_a_port_a_row_and_traces(
    tmp_path: Path, schema_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, collector = free_port(), Collector()
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    (tmp_path / "broker").mkdir()
    with LoopbackServer(collector.answer) as server, redis(tmp_path / "broker") as address:
        (tmp_path / "broker.url").write_text(address, "utf-8")
        lines = f'kind = "celery"\nlisten = "127.0.0.1:{port}"\nbroker = {{ file = "broker.url" }}'
        path = write_files(tmp_path, f'{lines}\n\n[app.traces]\nendpoint = "{server.url}"', lease="5m")
        with process_rig(path, schema_dsn) as rig:
            (run,) = rig.due(1)
            with rig.kiitos.store.work.transaction() as tx:
                traces.put(tx, SHOP, run.id, f"00-{TRACE}-b7ad6b7169203331-01", rig.kiitos.clock.now())
            rig.start()
            assert rig.until(lambda: rig.done(run) == 1), rig.log()
            assert until(lambda: 'kiitos_steps_total{outcome="done"} 1.0' in get(port, "/metrics")[1]), rig.log()
            assert get(port, "/health") == (200, "ok")
            status, text = get(port, "/ready")
            assert (status, json.loads(text)["queue"]) == (200, True), text
            assert until(lambda: len(processes(rig)) == 1), rig.log()
            told = said(path, schema_dsn)
            assert (len(told["executors"]), told["workers"]) == (1, [])
            rig.stop()  # in good order: its spans are out, its row is gone
            step = collector.named("step")
            assert (step["trace"], step["service"]) == (TRACE, "kiitos-steps")
            assert processes(rig) == []
            rig.start()
            assert until(lambda: get(port, "/ready")[0] == 200), rig.log()
            servers_gone(address)
            status, text = get(port, "/ready")
            assert (status, json.loads(text)["queue"]) == (503, False), text
            rig.kill()


def processes(rig: ProcessRig) -> list[str]:
    """The roles of those that say they live."""
    with rig.kiitos.store.work.read() as tx:
        return [one.role for one in watch.processes(tx)]


def servers_gone(address: str) -> None:
    """Redis ends."""
    import redis as client

    connection = client.Redis.from_url(address)
    connection.shutdown(nosave=True)
    connection.close()


def said(path: Path, dsn: str) -> dict[str, list[object]]:
    words = [str(KIITOS), "-c", str(path), "status", "--json"]
    environ = {**os.environ, "KIITOS_DATABASE": dsn}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=120, check=False)
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def test_an_executor_whose_step_never_ends_is_not_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = ThreadRig(tmp_path, Remembered())
    clock = ManualClock(START)
    monkeypatch.setattr(rig.kiitos, "clock", clock)
    executing, gate = Executing(rig.kiitos), threading.Event()
    monkeypatch.setattr(executing, "_try", lambda due: "done" if gate.wait(60) else "failed")
    warden = of_executor(rig.kiitos, executing, rig.dispatcher)
    rig.due(1)
    rig.handing.wake()
    thread = threading.Thread(target=executing.carry_out, args=(rig.dispatcher.queue.get(),))  # type: ignore[attr-defined]
    thread.start()
    assert until(lambda: bool(executing._in_hand))
    assert warden.alive
    clock.advance(timedelta(seconds=STUCK + 1))
    assert not warden.alive
    assert not warden.ready()["ready"]
    gate.set()
    thread.join()
    assert warden.alive
    assert executing.tallies.steps == {"done": 1}
    rig.close()
