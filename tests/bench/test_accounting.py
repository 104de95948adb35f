from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from bench import accounting, machine

BUSY_WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
print("on", flush=True)
child.wait()
"""


def start(code: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_children_count_and_go_with_the_session() -> None:
    process = start(BUSY_WITH_CHILD)
    try:
        before = accounting.cpu_seconds(process.pid)
        while accounting.cpu_seconds(process.pid) < before + 0.05:
            pass
        assert len(accounting.session_of(process.pid)) == 2
        assert accounting.pss_mb(process.pid) > 1
    finally:
        accounting.end_session(process.pid, kill=True)
        process.communicate()
    assert accounting.session_of(process.pid) == []


def test_an_orphan_is_still_found_when_its_parent_is_gone() -> None:
    child = 'Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=DEVNULL)'
    code = f"import sys; from subprocess import DEVNULL, Popen; {child}; print(1)"
    process = start(code)
    process.communicate()
    assert process.returncode == 0
    assert len(accounting.session_of(process.pid)) == 1
    accounting.end_session(process.pid)
    assert accounting.session_of(process.pid) == []


def test_one_that_ignores_the_polite_signal_is_killed_and_named() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = start(code)
    assert accounting.end_session(process.pid, patience=0.2) == [process.pid]
    process.communicate()
    assert accounting.session_of(process.pid) == []


def test_a_stranger_is_not_in_our_session() -> None:
    assert os.getpid() not in accounting.session_of(-1)
    assert accounting.cpu_seconds(-1) == 0.0


def test_a_port_in_use_is_seen() -> None:
    port = accounting.free_port()
    assert not accounting.port_answers(port)
    with socket.create_server(("127.0.0.1", port)):
        assert accounting.port_answers(port)


def test_a_meter_counts_the_system_and_never_below_zero() -> None:
    process = start("print(1, flush=True)\nwhile True: pass")
    try:
        meter = accounting.Meter(process.pid)
        while (usage := meter.read()).cpu < 0.05:
            pass
    finally:
        accounting.end_session(process.pid, kill=True)
        process.communicate()
    assert 0 <= usage.foreign <= 1
    assert usage.seconds > 0


def test_the_machine_is_described_without_names_or_paths() -> None:
    facts = machine.describe()
    text = " ".join(facts.values())
    assert facts["cores"] == str(os.cpu_count())
    assert socket.gethostname() not in text
    assert str(Path.home()) not in text


def test_the_deepest_mount_wins() -> None:
    assert machine.file_system(Path("/proc/self")) == "proc"
