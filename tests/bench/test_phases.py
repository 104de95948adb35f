"""The phases tried on a miniature product, and on ones that lie: a bench that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.generator import Load
from bench.mail import Delivered, Sink
from bench.phases import e2e, kill, messages, receiver, restart
from bench.plan import Bench
from bench.sampling import VoidRun, measure_once
from bench.systems import Floor, System

Make = Callable[..., Bench]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e2e, "QUIET_SECONDS", 1.5)
    monkeypatch.setattr(kill, "QUIET_SECONDS", 1.5)
    monkeypatch.setattr(kill, "EARLIEST", 0.6)
    monkeypatch.setattr(kill, "LATEST", 0.7)


def test_a_measured_run_is_counted_row_by_row(bench_of: Make, pretender: type[System]) -> None:
    bench = bench_of(pretender())
    sample = measure_once(bench, bench.systems[0], Load(connections=4, seconds=1.5))
    assert sample.outcome.ok > 0
    assert sample.cpu_us > 0
    assert list(bench.scratch.iterdir()) == []


def test_acknowledging_without_storing_voids_a_run(bench_of: Make, pretender: type[System]) -> None:
    bench = bench_of(pretender("hmac"))  # type: ignore[call-arg]
    with pytest.raises(VoidRun, match=r"acknowledged \d+, stored 0"):
        measure_once(bench, bench.systems[0], Load(connections=4, seconds=0.3))


def test_a_delay_that_does_not_reach_the_disk_voids_a_run(bench_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.systems.delayed_disk", lambda _: {})
    bench = bench_of(Floor())
    with pytest.raises(VoidRun, match="needs 200"):
        measure_once(bench, bench.systems[0], Load(connections=4, seconds=0.3), fsync_us=200_000)


def test_rounds_give_paired_figures(bench_of: Make, pretender: type[System]) -> None:
    bench = bench_of(Floor())
    bench.systems = (Floor(), pretender())
    receiver.closed_loop(bench, "fast", (4,))
    ours, floor = (bench.results.figures[f"receiver.fast.c4.{name}.rate"] for name in ("ours", "floor"))
    paired = bench.results.figures["receiver.fast.c4.ours_over_floor.rate"]
    assert paired.rounds.values == ours.rounds.over(floor.rounds).values


def test_every_order_is_mailed_once(bench_of: Make, pretender: type[System]) -> None:
    bench = bench_of(pretender())
    e2e.run(bench)
    assert bench.results.remarks == []
    assert (bench.results.value("e2e.rate") or 0) > 0
    assert (bench.results.value("e2e.cpu_ms") or 0) > 0


def test_a_worker_that_forgets_gives_no_figure(bench_of: Make, pretender: type[System]) -> None:
    bench = bench_of(pretender("store", 10))  # type: ignore[call-arg]
    e2e.run(bench)
    assert bench.results.value("e2e.rate") is None
    assert "4 without a message, 36 messages in all" in bench.results.remarks[0]


@pytest.mark.slow
def test_a_kill_loses_nothing_that_was_acknowledged(bench_of: Make, pretender: type[System]) -> None:
    bench = bench_of(pretender())
    kill.run(bench)
    assert (bench.results.value("kill.ours.at50.acknowledged") or 0) > 0
    assert bench.results.value("kill.ours.at50.lost") == 0
    assert bench.results.value("kill.ours.at50.unsent") == 0
    # One message may be on its way between the sink and the worker's own note of it.
    assert (bench.results.value("kill.ours.at50.extra_max") or 0) <= 1


@pytest.mark.slow
def test_a_kill_of_a_receiver_that_lies_is_counted(bench_of: Make, pretender: type[System]) -> None:
    bench = bench_of(pretender("hmac"))  # type: ignore[call-arg]
    kill.run(bench)
    acknowledged = bench.results.value("kill.ours.at50.acknowledged")
    assert acknowledged
    assert bench.results.value("kill.ours.at50.lost") == acknowledged
    assert bench.results.value("kill.ours.at50.unsent") == acknowledged


def test_losses_and_repeats_are_told_apart() -> None:
    acknowledged = {"a": 0, "b": 1, "c": 2}
    mailed = ["order-000000@example.com", "order-000000@example.com", "order-000002@example.com"]
    assert kill.compare(acknowledged, {"a", "b"}, mailed) == (1, 1, 1)
    assert kill.compare(acknowledged, {"a", "b"}, None) == (1, 0, 0)


def few_messages(bench_of: Make, pretender: type[System]) -> Bench:
    bench = bench_of(pretender())
    bench.plan = replace(bench.plan, messages=20, rounds=1)
    return bench


def test_messages_are_counted_where_they_arrive(bench_of: Make, pretender: type[System]) -> None:
    bench = few_messages(bench_of, pretender)
    messages.run(bench)
    assert all((bench.results.value(f"messages.{part}.cpu_us") or 0) > 0 for part in (*messages.PARTS, "in_one_go"))


def test_a_sink_that_loses_one_voids_the_phase(
    bench_of: Make, pretender: type[System], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = few_messages(bench_of, pretender)
    arrived = Sink.delivered
    monkeypatch.setattr(Sink, "delivered", lambda self: arrived(self)[1:])
    with pytest.raises(VoidRun, match="59 arrived"):
        messages.run(bench)


NEWS, ASKING = "News of your order #1", "How do you like it? A review of your order"
ENCODED = "=?utf-8?b?T3JkZXIgMCBjb25maXJtZWQg4oCTIHRoYW5rIHlvdSE=?="
"""`Order 0 confirmed`, a dash and more, as it stands in a header."""


@pytest.mark.parametrize(
    ("subjects", "count"),
    [
        ([NEWS, NEWS, ASKING, ASKING], 0),
        ([NEWS, ASKING, NEWS, ASKING], 1),
        ([ASKING, NEWS, NEWS], 2),
        ([NEWS], 0),
        ([ASKING, ENCODED], 1),
    ],
)
def test_order_messages_behind_others_are_counted(subjects: list[str], count: int) -> None:
    found = [Delivered(float(at), "a@example.com", str(at), subject, 1) for at, subject in enumerate(subjects)]
    assert restart.overtaken(found) == count
