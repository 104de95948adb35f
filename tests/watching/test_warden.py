"""A worker tells of itself: its port, its row, systemd's watchdog; and chores are one worker's at a time."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from connector.app import Kiitos
from connector.errors import ConfigError
from connector.store import watch
from connector.watching.port import Port
from connector.watching.systemd import Systemd
from connector.watching.tallies import Tallies
from connector.watching.warden import STUCK, Chore, Warden
from connector.working import standstill
from connector.working.standstill import Standstill
from tests.watching.conftest import House


def get(warden: Warden, path: str) -> tuple[int, str]:
    assert warden.port is not None
    try:
        with urllib.request.urlopen(f"http://{warden.port.address}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def make(house: House, **rest: object) -> tuple[Kiitos, Warden]:
    house.app = 'worker_listen = "127.0.0.1:0"'
    kiitos = house.open()
    return kiitos, Warden(kiitos, Tallies(), rest.pop("trusted", lambda: True), **rest)  # type: ignore[arg-type]


def test_the_port_answers_what_is_asked(house: House) -> None:
    _, warden = make(house)
    try:
        assert get(warden, "/health") == (200, "ok")
        status, text = get(warden, "/ready")
        assert (status, set(json.loads(text).values())) == (200, {True})
        assert "kiitos_database_up 1.0" in get(warden, "/metrics")[1]
        assert get(warden, "/else")[0] == 404
    finally:
        warden.close()


def test_a_worker_that_does_not_get_on_is_not_alive(house: House) -> None:
    _, warden = make(house)
    asked = warden.watched(lambda: False)
    try:
        house.clock.advance(timedelta(seconds=STUCK + 1))
        assert get(warden, "/health")[0] == 503
        asked()
        assert get(warden, "/health")[0] == 200
        house.clock.advance(timedelta(seconds=STUCK + 1))
        other = threading.Thread(target=asked)  # a thread that asks platforms says nothing of the worker's rounds
        other.start()
        other.join()
        assert get(warden, "/health")[0] == 503
    finally:
        warden.close()


def break_schema(kiitos: Kiitos) -> None:
    with kiitos.store.work.transaction() as tx:
        tx.script("DELETE FROM schema_ledger WHERE component = 'work' AND name > '0020'")


def hold(kiitos: Kiitos) -> None:
    with kiitos.store.work.transaction() as tx:
        standstill.begin(tx, Standstill.RESTORED, kiitos.clock.now())


@pytest.mark.parametrize(("change", "check"), [(break_schema, "schema"), (hold, "released")])
def test_what_keeps_a_worker_from_working_is_told(house: House, change: Callable[[Kiitos], None], check: str) -> None:
    kiitos, warden = make(house)
    try:
        change(kiitos)
        status, text = get(warden, "/ready")
        found = json.loads(text)
        assert (status, [name for name, good in found.items() if not good]) == (503, ["ready", check])
    finally:
        warden.close()


def test_a_clock_that_is_not_believed_makes_it_unready_and_rests_the_chores(house: House) -> None:
    done: list[int] = []
    _, warden = make(house, trusted=lambda: False, chores=[Chore("c", 1.0, lambda: bool(done.append(1)))])
    try:
        warden.work()
        assert (get(warden, "/ready")[0], done) == (503, [])
    finally:
        warden.close()


def test_nothing_is_written_while_the_database_is_moved(house: House) -> None:
    done: list[int] = []
    kiitos, warden = make(house, chores=[Chore("c", 1.0, lambda: bool(done.append(1)))])
    with kiitos.store.work.transaction() as tx:
        standstill.begin(tx, Standstill.MOVING, kiitos.clock.now())
    warden.work()
    with kiitos.store.work.read() as tx:
        assert (watch.processes(tx), done) == ([], [])
    with kiitos.store.work.transaction() as tx:
        standstill.end(tx, kiitos.clock.now())
    warden.work()
    assert done == [1]
    warden.close()


def test_chores_are_one_worker_s_and_another_takes_over(house: House) -> None:
    done: list[str] = []
    kiitos, first = make(house, chores=[Chore("c", 60.0, lambda: bool(done.append("first")))])
    second = Warden(kiitos, Tallies(), lambda: True, [Chore("c", 60.0, lambda: bool(done.append("second")))])
    first.work()
    second.work()
    assert done == ["first"]
    house.clock.advance(timedelta(seconds=61))
    second.work()
    first.work()
    assert done == ["first", "first"]
    first.close()
    house.clock.advance(timedelta(seconds=61))
    second.work()
    assert done[2:] == ["second"]
    house.clock.advance(timedelta(hours=1))  # one that died says nothing; its time runs out
    third = Warden(kiitos, Tallies(), lambda: True, [Chore("c", 60.0, lambda: bool(done.append("third")))])
    third.work()
    assert done[3:] == ["third"]
    second.close()
    third.close()


def test_a_chore_that_has_more_to_do_comes_at_once(house: House) -> None:
    left = [True, True, False]
    _, warden = make(house, chores=[Chore("c", 3600.0, lambda: left.pop(0))])
    for _ in range(5):
        warden.work()
    assert left == []
    warden.close()


def test_the_process_is_known_while_it_lives(house: House) -> None:
    kiitos, warden = make(house)
    warden.work()
    with kiitos.store.work.read() as tx:
        assert [(one.role, one.seen_at) for one in watch.processes(tx)] == [("worker", house.clock.now())]
    warden.close()
    with kiitos.store.work.read() as tx:
        assert watch.processes(tx) == []


@pytest.fixture
def notified(tmp_path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "notify"))
    listening.settimeout(30)
    return listening


def test_systemd_hears_that_it_is_ready_lives_and_stops(house: House, notified: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": notified.getsockname(), "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "7"}
    systemd = Systemd(environ, pid=7)
    assert systemd.interval == 10
    _, warden = make(house, systemd=systemd)
    with notified:
        systemd.ready()
        assert notified.recv(200) == b"READY=1"
        warden.work()
        assert notified.recv(200).startswith(b"WATCHDOG=1\nSTATUS=0 rounds")
        house.clock.advance(timedelta(seconds=STUCK + 1))
        warden.work()  # stuck: systemd hears nothing, and restarts us
        warden.close()
        assert notified.recv(200) == b"STOPPING=1"


def test_without_systemd_nothing_is_said() -> None:
    assert Systemd({}).interval is None
    assert Systemd({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, pid=2).interval is None
    Systemd({}).ready()


def test_a_port_that_is_taken_is_a_fault_of_the_configuration() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="worker_listen"):
            Port(f"127.0.0.1:{taken.getsockname()[1]}", {})
