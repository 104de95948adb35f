"""`kill -9` of the running product under load at random moments (promises R1, R6, R7; docs/reliability.md).

KIITOS_KILLS=300 kills more often; KIITOS_SEED changes the moments.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import monotonic

import pytest

from connector.clock import ManualClock
from connector.testing.fakes.smtp import MailSink, Misbehaviour

from .load import Load
from .product import Product
from .verdict import Verdict, is_drained, judge, left_open

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.name != "posix", reason="SIGKILL and flock are POSIX"),
]

KILLS = int(os.environ.get("KIITOS_KILLS", "30"))
SEED = int(os.environ.get("KIITOS_SEED", "9"))
EARLIEST, LATEST = 0.2, 1.2
DELAY = 0.006  # seconds between a message's last byte and the sink's answer: the window a kill can hit
RATE = 50.0  # orders a second; two messages each, a little less than what the worker sends through that sink
PATIENCE = 420.0
"""Seconds: longer than a lease (5 min), which decides where no ledger tells, and than two pauses of the outbox."""


@dataclass(frozen=True, slots=True)
class Run:
    """`ready` are seconds from each start to the first answer; `drained` from the last start to the last message."""

    verdict: Verdict
    ready: list[float]
    drained: float
    exit_codes: list[int]
    retries: int


def run(product: Product, sink: MailSink, kills: int, *, drain: bool = True) -> Run:
    """Kill `kills` times under load, start once more, wait for the end (or two seconds), stop, judge."""
    chance = ManualClock(datetime(2026, 1, 1, tzinfo=UTC), seed=SEED)
    seen = 0

    def start() -> float:
        nonlocal seen
        seen = len(sink.messages)
        return product.start()

    def moment(number: int) -> None:
        if number % 2:  # every other kill waits for a worker at work; the rest also hit its start and recovery
            sink.wait_for(seen + 1, timeout=5.0)
        threading.Event().wait(EARLIEST + (LATEST - EARLIEST) * chance.random())

    return attack(product, moment, sink.by_message_id, kills, start=start, drain=drain)


def attack(
    product: Product,
    moment: Callable[[int], None],
    counts: Callable[[], Mapping[str, int]],
    kills: int,
    *,
    rate: float = RATE,
    start: Callable[[], float] | None = None,
    drain: bool = True,
) -> Run:
    """`run` with kills when `moment` returns, and what arrived as `counts` tells by Message-ID or key."""
    start = start or product.start
    ready: list[float] = []
    drained = 0.0
    try:
        with Load(product.port, rate=rate, doors=product.doors) as load:
            for number in range(kills):
                ready.append(start())
                moment(number)
                product.kill()
            ready.append(start())
            began = monotonic()
            load.stop()
            assert load.wait(), product.log()
            if drain:
                drained = _wait_until_drained(product, began)
            else:
                threading.Event().wait(2.0)
        codes = product.stop()
    finally:
        product.kill()
    verdict = judge(product.folder, load.acknowledged, counts(), kills)
    return Run(verdict, ready, drained, codes, load.retries)


def _wait_until_drained(product: Product, began: float) -> float:
    while not is_drained(product.folder):
        if monotonic() - began > PATIENCE:
            waiting = "\n".join(left_open(product.folder))
            raise AssertionError(f"not drained after {PATIENCE:.0f} s:\n{waiting}\n{product.log()}")
        threading.Event().wait(0.1)
    return monotonic() - began


@pytest.fixture
def sink() -> MailSink:
    with MailSink(script=Misbehaviour(delay=DELAY)) as running:
        yield running


def test_nothing_acknowledged_is_lost_and_nothing_is_sent_twice_beyond_the_window(
    tmp_path: Path, sink: MailSink, capsys: pytest.CaptureFixture[str]
) -> None:
    product = Product.set_up(tmp_path, sink.port)
    done = run(product, sink, KILLS)
    verdict = done.verdict
    with capsys.disabled():
        print(f"\nkill -9: {figures(done)}")
    assert verdict.faults() == {}
    assert done.exit_codes == [0, 0]
    # The kills must have hit a sender at work, or all of the above says nothing.
    assert sum(message.tainted for message in verdict.messages) >= KILLS // 10
    assert list(tmp_path.glob("kiitos.db-ledger/*")) == []


def figures(done: Run) -> str:
    verdict = done.verdict
    sent, asked = verdict.of(transactional=True), verdict.of(transactional=False)
    uncertain = sum(message.status == "uncertain" for message in asked)
    return (
        f"{verdict.kills} kills, {len(verdict.acknowledged.webhooks)} webhooks acknowledged, {len(verdict.lost)} lost; "
        f"{len(sent)} transactional messages, {verdict.extra(transactional=True)} repeated; "
        f"{len(asked)} marketing, {verdict.extra(transactional=False)} repeated, {uncertain} shown as uncertain; "
        f"ready again after {median(done.ready):.2f} s (at most {max(done.ready):.2f}), "
        f"drained {done.drained:.1f} s after the last start"
    )


def test_control_a_worker_that_repeats_what_it_finds_begun_is_found_out(tmp_path: Path, sink: MailSink) -> None:
    product = Product.set_up(tmp_path, sink.port, worker="repeating")
    done = run(product, sink, kills=8, drain=False)
    faults = done.verdict.faults()
    print(f"repeating worker: {figures(done)}")
    assert {"marketing_twice", "too_many", "hidden"} & set(faults), faults


def test_control_a_receiver_that_acknowledges_before_the_commit_is_found_out(tmp_path: Path, sink: MailSink) -> None:
    product = Product.set_up(tmp_path, sink.port, receiver="eager")
    done = run(product, sink, kills=5, drain=False)
    faults = done.verdict.faults()
    print(f"eager receiver: {figures(done)}")
    assert "lost" in faults, faults
