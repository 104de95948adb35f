"""Phase A: what this machine can do at all, and whether the generator tells the truth about time."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from bench import corpus, mail, render_floor, sql
from bench.generator import Load
from bench.plan import Bench
from bench.sampling import VoidRun, measure
from bench.systems import Floor

MICRO_SECONDS = 0.4


def per_call_us(call: Callable[[], object], seconds: float = MICRO_SECONDS) -> float:
    """CPU microseconds of one call, over at least `seconds` of CPU."""
    call()
    calls, began = 0, time.process_time()
    while (used := time.process_time() - began) < seconds:
        for _ in range(20):
            call()
        calls += 20
    return used / calls * 1e6


def fsync_rate(directory: Path, seconds: float = 0.5) -> float:
    """8 KB appends with fdatasync per second on the disk that holds `directory`."""
    block, calls = b"k" * 8192, 0
    file = os.open(directory / "fsync", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            os.write(file, block)
            os.fdatasync(file)
            calls += 1
        return calls / (time.monotonic() - began)
    finally:
        os.close(file)


def insert_us(directory: Path, body: bytes, batch: int, seconds: float = 0.4) -> float:
    """Wall microseconds per row, durable, `batch` rows a transaction, in Python's sqlite3."""
    db = sqlite3.connect(directory / f"insert-{batch}.db", isolation_level=None)
    for pragma in sql.PRAGMAS:
        db.execute(pragma)
    statements, rows = sql.statements(), 0
    db.execute(statements["schema"])
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        db.execute("BEGIN IMMEDIATE")
        for number in range(rows, rows + batch):
            hints = {"shop_id": "s", "topic": "t", "received_at": "", "headers": "{}", "encoding": 0}
            db.execute(statements["insert"], {**hints, "dedup_key": str(number), "body": body})
        db.execute("COMMIT")
        rows += batch
    took = time.monotonic() - began
    db.close()
    return took / rows * 1e6


def _micro(bench: Bench, body: bytes) -> None:
    put, where = bench.results.put, bench.fresh("micro")
    put("machine.fsync", fsync_rate(where), "/s")
    put("machine.hmac_us", per_call_us(lambda: hmac.new(corpus.SECRET, body, hashlib.sha256).digest()), "us")
    put("machine.json_us", per_call_us(lambda: json.loads(body)), "us")
    for batch in (1, 10, 100):
        put(f"machine.insert{batch}_us", insert_us(where, body, batch), "us/row")
    bench.discard(where)


def _generator_check(bench: Bench) -> None:
    """Against an echo the open loop's median must be far below one interval (a due-time bug once added 1/rate)."""
    for rate in (500, 2000):
        sample = measure(bench, Floor("echo"), Load(connections=64, seconds=1.0, rate=rate))
        bench.results.put(f"generator.open{rate}.p50_ms", sample.outcome.p50_ms, "ms")


def _server_floors(bench: Bench) -> None:
    for mode in ("echo", "hmac", "store"):
        sample = measure(bench, Floor(mode), Load(connections=64, seconds=min(1.0, bench.plan.seconds)))
        bound = "generator-bound" if sample.outcome.generator_bound else ""
        bench.results.put(f"machine.{mode}.rate", sample.outcome.rate, "/s", bound)
        bench.results.put(f"machine.{mode}.cpu_us", sample.cpu_us, "us/req")


def _sink_floor(bench: Bench, body: bytes) -> None:
    where = bench.fresh("sink")
    with mail.sink(where) as sink:
        pumped = mail.pump(sink.port, render_floor.message_of(body), 3000)
        if len(sink.wait_for(3000, quiet=2, patience=10)) != 3000:
            bench.results.remark("the sink lost messages; end-to-end figures are void")
    bench.results.put("machine.smtp.rate", pumped.rate, "/s")
    bench.results.put("machine.smtp.client_us", pumped.cpu_us, "us/message")
    bench.discard(where)


def run(bench: Bench) -> None:
    _, body = corpus.read(bench.corpus())[0]
    _micro(bench, body)
    try:
        _generator_check(bench)
        _server_floors(bench)
    except VoidRun as reason:
        bench.results.remark(f"void run: {reason}")
    _sink_floor(bench, body)
