"""The SQL, the C sources, the sink and the table."""

from __future__ import annotations

import json
import re
import shutil
import smtplib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import mail, native, run, sink, sql
from bench.figures import Results
from bench.plan import Bench
from bench.systems import Floor

ROOT = Path(__file__).resolve().parents[2]


def columns(statement: str) -> list[str]:
    return re.findall(r"^\s+([a-z_]+) (?:INTEGER|TEXT|BLOB|\{)", statement, re.MULTILINE)


def test_the_floor_stores_the_row_ours_stores() -> None:
    ours = ROOT / "connector" / "store" / "migrations" / "inbox" / "0001_inbox.sql"
    table = ours.read_text().partition("CREATE TABLE inbox (")[2].partition(");")[0]
    assert columns(sql.statements()["schema"]) == columns(table)
    assert "dedup_key" in columns(table)


def test_statements_are_read_by_name() -> None:
    assert set(sql.statements()) == {"schema", "insert", "keys"}


@pytest.mark.parametrize("name", sorted(native.PARTS))
def test_every_c_source_compiles_without_a_warning(name: str, tmp_path: Path) -> None:
    part, compiler = native.PARTS[name], shutil.which("cc")
    if compiler is None or not all(native._has_header(compiler, header) for header in part.headers):
        pytest.skip("no C compiler or headers")
    command = [compiler, "-O1", "-Wall", "-Wextra", "-Werror", *part.flags, "-o", str(tmp_path / name)]
    done = subprocess.run(
        [*command, native.HERE / f"{name}.c", *part.libraries], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_a_compiler_one_line_says_what_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(native, "_compiler", lambda: None)
    assert native.build("lg", cache=tmp_path) is None
    assert capsys.readouterr().out == (
        "bench: lg: there is no C compiler; using the asyncio generator (slower: expect 'generator-bound')\n"
    )


@pytest.mark.parametrize("form", ["C", "Python"])
def test_the_sink_logs_who_what_and_when(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if form == "C" and native.build("sink") is None:
        pytest.skip("no C compiler")
    if form == "Python":
        monkeypatch.setattr(native, "build", lambda _: None)
    text = "Message-ID: <7@x.test>\r\nX: 1\r\nsubject: Hyv\tä\r\n\r\n.\r\n..dots\r\n"
    with mail.sink(tmp_path) as running, smtplib.SMTP("127.0.0.1", running.port) as client:
        client.sendmail("a@x.test", ["order-000007@example.com"], text.encode())
        client.sendmail("a@x.test", ["order-000008@example.com"], b"no headers\r\n")
        found = running.wait_for(2, quiet=5, patience=10)
    assert [message.recipient for message in found] == ["order-000007@example.com", "order-000008@example.com"]
    assert found[0].message_id == "<7@x.test>"
    assert found[0].subject.startswith("Hyv ")
    assert found[0].at <= found[1].at


def test_pipelined_messages_all_arrive(tmp_path: Path) -> None:
    if native.build("sink") is None:
        pytest.skip("no C compiler")
    with mail.sink(tmp_path) as running:
        mail.pump(running.port, b"Subject: x\r\n\r\nbody\r\n", 30)
        assert len(running.wait_for(30, quiet=5, patience=10)) == 30


def test_a_line_still_being_written_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "sink.log"
    log.write_text(sink.log_line(1.5, "a@x.test", b"Subject: one\r\n\r\n") + "2.0\tb@x.t")
    assert [message.subject for message in mail.read_log(log)] == ["one"]


def test_a_delay_on_the_disk_needs_no_change_of_the_program(tmp_path: Path) -> None:
    library = native.build("fsyncdelay")
    if library is None:
        pytest.skip("no C compiler")
    code = "import os,time;f=os.open('f',64|1);t=time.monotonic();os.fsync(f);os.fdatasync(f);print(time.monotonic()-t)"
    environ = {"LD_PRELOAD": str(library), "FSYNC_US": "150000"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) >= 0.3


def test_the_table_shows_rounds_and_doubts() -> None:
    results = Results()
    results.put("a", [1.0, 3.0, 2.0], "x")
    results.put("b.c", 4321.0, "/s", "unstable")
    assert run.table(results) == "a    2.000 (1.000, 3.000, 2.000) x\nb.c  4321 (4321) /s   ! unstable"


def test_changes_name_ratios_and_cpu_only(tmp_path: Path) -> None:
    before = {"r.ours_over_floor.rate": {"median": 0.5}, "r.ours.rate": {"median": 9}, "r.cpu_us": {"median": 4}}
    (tmp_path / "0.1.0.json").write_text(json.dumps({"figures": before}))
    results = Results()
    results.put("r.ours_over_floor.rate", 0.4, "x")
    results.put("r.ours.rate", 18.0, "/s")
    results.put("r.cpu_us", 5.0, "us/req")
    text = run.changes(results, tmp_path)
    assert "r.ours_over_floor.rate: 0.5 -> 0.4 (-20 %)" in text
    assert "r.cpu_us: 4 -> 5 (+25 %)" in text
    assert "r.ours.rate" not in text
    assert run.changes(results, tmp_path / "none") == ""


def test_a_broken_phase_does_not_hide_the_others(
    bench_of: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: Bench) -> None:
        raise RuntimeError("it broke")

    monkeypatch.setattr(run, "PHASES", {"bad": breaks, "good": lambda bench: bench.results.put("g", 1.0, "x")})
    bench = bench_of(Floor())
    run.run_phases(bench, ["bad", "good"])
    assert bench.results.value("g") == 1.0
    assert bench.results.remarks == ["bad failed: it broke"]
