"""Floods: forged signatures by the thousand cost no row, no read, hardly a line of log, and keep nobody else out.

What one costs beside an accepted webhook is a gate of the bench (`receiver.refused_over_accepted.cpu`); half-sent
bodies are in tests/journeys/test_receiver.py, which opens fifty of them at a real server.
"""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connector.clock import ManualClock
from tests.webhooks.composition import KEY, Bench, headers_for, receiver_here
from webhooks import rejections
from webhooks.rejections import Rejections

from .installation import START

FLOOD = 4000
BODY = b'{"id": 1}'


def lists(headers: dict[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in headers.items()}


def flood(bench: Bench) -> Counter[int]:
    forged = lists(headers_for(BODY, signature="AAAA"))
    answers: Counter[int] = Counter()
    for _ in range(FLOOD):
        answers[bench.receiver.acceptor.accept("acme", KEY, forged, BODY).status] += 1
    return answers


def test_forged_signatures_are_counted_and_cost_next_to_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver_here(tmp_path) as bench, ThreadPoolExecutor(1) as other:
        caplog.set_level(logging.INFO)
        refreshed: list[int] = []
        real = bench.receiver.directory.refresh
        bench.receiver.directory.refresh = lambda: (refreshed.append(1), real())[1]  # type: ignore[method-assign]
        legitimate = [other.submit(send, bench, number) for number in range(50)]
        answers = flood(bench)
        assert [each.result(60) for each in legitimate] == [200] * 50
        assert answers == {401: FLOOD}
        assert len(bench.rows()) == 50
        assert b'kiitos_deliveries_total{platform="acme",status="401"} %.1f' % FLOOD in bench.receiver.metrics.text()
        lines = [record for record in caplog.records if record.message == "rejected"]
        assert len(lines) < FLOOD // 100
        assert len(refreshed) < FLOOD // 100, "a rotated secret is looked for once a second, not once a forgery"


def send(bench: Bench, number: int) -> int:
    headers = lists(headers_for(BODY, delivery=f"good-{number}"))
    return bench.receiver.acceptor.accept("acme", KEY, headers, BODY).status


def test_control_a_line_for_each_is_found_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "EVERY", 0.0)
    with receiver_here(tmp_path) as bench:
        caplog.set_level(logging.INFO)
        flood(bench)
        assert len([record for record in caplog.records if record.message == "rejected"]) == FLOOD


def test_each_kind_is_told_at_once_and_then_as_a_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock(START)
    told = Rejections(clock)
    for _ in range(3):
        told.note("shopify", "signature", "a")
    told.note("shopify", "shape", "a")
    told.note("shopify", "signature", "b")
    clock.sleep(rejections.EVERY)
    told.note("shopify", "signature", "a")
    found = [record.kiitos_fields for record in caplog.records]  # type: ignore[attr-defined]
    assert [(each["owner_id"], each["reason"], each["more_since"]) for each in found] == [
        ("a", "signature", 0),
        ("a", "shape", 0),
        ("b", "signature", 0),
        ("a", "signature", 2),
    ]
