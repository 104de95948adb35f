"""How a run began is not written into its diary while its row says it, and the diary tells it all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bench.ours_sleepers import FLOW, SHOP, START, an_order, event_of, product
from connector.app import Kiitos
from connector.model import Run
from connector.store import runs
from connector.store.runs import JournalRow

LATER = START + timedelta(hours=1)


@pytest.fixture
def kiitos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiitos]:
    two = FLOW.replace('trigger = "order.created"', 'trigger = ["order.created", "order.paid"]\nreentry = "restart"')
    monkeypatch.setattr("bench.ours_sleepers.FLOW", two)
    with closing(product(tmp_path)) as made:
        yield made


def tell(kiitos: Kiitos, kind: str, at: timedelta = timedelta()) -> Run:
    with kiitos.store.work.transaction() as tx:
        kiitos.runner.ingest(tx, SHOP, [event_of(kind, 0, START + at, an_order(0))], START + at)
    with kiitos.store.work.read() as tx:
        (run,) = runs.of_order(tx, SHOP, "o0")
    return run


def diary(kiitos: Kiitos, run: Run) -> list[JournalRow]:
    with kiitos.store.work.read() as tx:
        return runs.journal_of(tx, SHOP, run.id)


def written(kiitos: Kiitos) -> list[str]:
    with kiitos.store.work.read() as tx:
        return [what for (what,) in tx.fetch("SELECT what FROM journal ORDER BY seq")]


def test_the_row_says_how_a_run_began(kiitos: Kiitos) -> None:
    run = tell(kiitos, "order.created")
    first, second = diary(kiitos, run)
    assert written(kiitos) == ["sleeping"]
    assert first == JournalRow(0, START, "", "started", {"kind": "order.created", "version": run.version})
    assert second.what == "sleeping"


def test_what_began_anew_still_tells_how_it_began_first(kiitos: Kiitos) -> None:
    tell(kiitos, "order.created")
    run = tell(kiitos, "order.paid", timedelta(hours=1))
    lines = diary(kiitos, run)
    assert [line.what for line in lines] == ["started", "sleeping", "restarted", "sleeping"]
    assert (lines[0].at, lines[0].detail["kind"]) == (START, "order.created")
    assert (lines[2].at, lines[2].detail["kind"]) == (LATER, "order.paid")
    assert written(kiitos).count("started") == 1
    with kiitos.store.work.transaction() as tx:
        runs.keep_start(tx, run)
    assert written(kiitos).count("started") == 1


def test_a_run_on_another_version_began_on_its_first(kiitos: Kiitos) -> None:
    run = tell(kiitos, "order.created")
    with kiitos.store.work.transaction() as tx:
        for before, after in ((run.version, "second"), ("second", "third")):
            runs.journal(tx, SHOP, run.id, LATER, "first", "moved", {"from": before, "to": after})
        runs.migrate(tx, replace(run, version="third"))
    assert diary(kiitos, run)[0].detail["version"] == run.version


def test_who_never_began_is_not_told_to_have(kiitos: Kiitos) -> None:
    run = tell(kiitos, "order.created")
    with kiitos.store.work.transaction() as tx:
        refused = replace(run, id="refused", entry_key="refused/x", reason=runs.NEVER)
        assert runs.start(tx, refused)
        runs.journal(tx, SHOP, "refused", START, "", "not_started", {"rule": "never"})
    assert [line.what for line in diary(kiitos, refused)] == ["not_started"]
