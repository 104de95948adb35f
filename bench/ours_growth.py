"""What the product takes on a database of a given size: `python -m bench.ours_growth FOLDER FIRST LAST` prints JSON.

Orders FIRST to LAST - 1 of the corpus came in through its receiver and worker; their rows are whole. Seconds, each the
median of as many looks as there are orders. The back-test is begun and stopped at its first sign of progress.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from bench import corpus, systems
from bench.ours import Ours
from bench.ours_sleepers import FLOW
from connector.app import Kiitos, load
from connector.clock import ManualClock, SystemClock
from connector.explaining.appointments import calendar_of
from connector.explaining.explain import explain
from connector.model import email_key
from connector.simulate.playbook import of_shop
from connector.simulate.scene import Window
from connector.simulate.shards import Look, look_back
from connector.working.intake import Intake
from flows.knowing.acquaintance import known_as

SHOP = "bench-main"
LOOKS = 50
SLEEP = timedelta(days=30)
_SHOP_TABLE = "[clients.bench.shops.main]"
_FLOW_TABLE = '[clients.bench.flows.sleep]\nfile    = "./sleep.toml"\nenabled = true\n\n'


class Grown(Ours):
    """The product with a second flow, by which every order leaves a run asleep."""

    def start(self, place: systems.Place) -> systems.Start:
        start = super().start(place)
        config = place.where / "app.toml"
        config.write_text(config.read_text().replace(_SHOP_TABLE, _FLOW_TABLE + _SHOP_TABLE))
        (place.where / "sleep.toml").write_text(FLOW)
        return start


def opened(folder: Path, ahead: timedelta = timedelta()) -> Kiitos:
    """The product over a folder a run left, `ahead` of the present; opened as commands do, which do not wait for the
    check of 65 GB."""
    environ = {**os.environ, "BENCH_ENDPOINT_KEY": systems.ENDPOINT_KEY, "BENCH_SECRET": corpus.SECRET.decode()}
    return load(folder / "app.toml", environ, clock=ManualClock(SystemClock().now() + ahead))


def median_of(calls: Iterable[Callable[[], object]]) -> float:
    """Seconds of the middle one; the first, which compiles and opens, is not counted. Each must find something."""
    found = []
    for call in calls:
        began = time.perf_counter()
        assert call() is not None, "a look found nothing"
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


def looks(kiitos: Kiitos, first: int, last: int) -> dict[str, float]:
    """Explaining an order and a person, a person's calendar and figures."""
    numbers = range(first, min(last, first + LOOKS))
    shop, now = kiitos.catalog.settings(SHOP).shop, kiitos.clock.now()

    def figures(number: int) -> object:
        with kiitos.store.work.read() as tx:
            return known_as(tx, shop, corpus.email_of(number), now)[1].lifetime()

    def calendar(number: int) -> object:
        found = calendar_of(kiitos, SHOP, email_key(corpus.email_of(number)) or "")
        return found if found.appointments else None

    return {
        "explain_order_s": median_of(lambda n=n: explain(kiitos.store, SHOP, f"B{n:06d}") for n in numbers),  # type: ignore[misc]
        "explain_person_s": median_of(lambda n=n: explain(kiitos.store, SHOP, corpus.email_of(n)) for n in numbers),  # type: ignore[misc]
        "calendar_s": median_of(lambda n=n: calendar(n) for n in numbers),  # type: ignore[misc]
        "figures_s": median_of(lambda n=n: figures(n) for n in numbers),  # type: ignore[misc]
    }


def wakes(folder: Path, orders: int) -> dict[str, float]:
    """Waking all of the measured orders' runs, thirty days on; and a look that finds nothing due any more."""
    kiitos = opened(folder, SLEEP + timedelta(minutes=1))
    try:
        intake, woken = Intake(kiitos), 0
        began = time.perf_counter()
        while count := intake.wake():
            woken += count
        took = time.perf_counter() - began
        assert woken >= orders, f"{woken} runs were due, {orders} orders came in"
        idle = [_timed(intake.wake) for _ in range(LOOKS)]
        return {"wake_each_s": took / woken, "empty_look_s": statistics.median(idle)}
    finally:
        kiitos.close()


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def backtest_start(kiitos: Kiitos, folder: Path) -> float:
    """Seconds from the call to the first orders lived through."""
    now = kiitos.clock.now()
    look = Look(
        database=f"sqlite:///{folder}/kiitos.db",
        inbox=f"sqlite:///{folder}/inbox.db",
        playbooks=(of_shop(kiitos.config, SHOP),),
        window=Window(now - timedelta(days=7), now),
    )
    began, first = time.perf_counter(), []

    def stop(_done: int, _all: int | None) -> None:
        first.append(time.perf_counter() - began)
        raise KeyboardInterrupt

    look_back(look, progress=stop)
    return first[0]


def measure(folder: Path, first: int, last: int) -> dict[str, float]:
    kiitos = opened(folder)
    try:
        found = looks(kiitos, first, last)
        found["backtest_start_s"] = backtest_start(kiitos, folder)
    finally:
        kiitos.close()
    return found | wakes(folder, last - first)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
