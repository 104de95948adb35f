"""A look back over a year: seconds, orders a second, and the ratio to the bare reading of the same history."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from bench import accounting
from bench.plan import Bench
from connector.app import build
from connector.config import Config, parse_config
from connector.simulate.gathering import gather
from connector.simulate.groups import chunks
from connector.simulate.playbook import Playbook, of_shop, with_flows
from connector.simulate.scene import Window
from connector.simulate.shards import Look, Watcher, look_back
from connector.store import past
from connector.store.store import Store
from connector.testing.histories import History, keep

CORE = ("order_confirmation", "delivery_updates", "review_request", "referral_invite", "referral_reward")
SHOP = "bench-year"
BEGIN = datetime(2025, 10, 1, tzinfo=UTC)
_KEY = "k1=" + "YmVuY2gga2V5IG9mIDMyIGJ5dGVzIGZvciB0ZXN0cyE="
_BATCH = 100


def settings(where: Path) -> Config:
    """One shop with the four core systems (five flows)."""
    shop = {
        "platform": "shopify",
        "domain": "bench-year.myshopify.com",
        "sender": "Year <orders@year.example>",
        "timezone": "Europe/Helsinki",
        "country": "FI",
        "soft_opt_in": ["review", "referral"],
        "flows": {name.replace("_", "-"): {"file": name} for name in CORE},
    }
    document = {
        "schema": 1,
        "app": {
            "master_key": {"env": "KEY"},
            "database": {"env": "DATABASE"},
            "base_url": "https://year.example",
        },
        "channels": {"mail": {"kind": "memory"}},
        "clients": {"bench": {"shops": {"year": shop}}},
    }
    return parse_config(document, where / "app.toml", {"KEY": _KEY, "DATABASE": f"sqlite:///{where}/past.db"})


def fill(config: Config, orders: int) -> int:
    """A year of invented people; how many events that is."""
    kiitos, count = build(config), 0
    try:
        people = History(config.shop(SHOP).shop, BEGIN, seed=1).people(orders)
        while batch := list(islice(people, _BATCH)):
            with kiitos.store.work.transaction() as tx:
                for told in batch:
                    keep(tx, SHOP, told, BEGIN)
                    count += len(told)
    finally:
        kiitos.close()
    return count


def read(look: Look) -> float:
    """Seconds to read and decode everything that is kept of everybody, in one process: what no look back can save."""
    began = time.monotonic()
    store = Store.open(look.database, inbox_url=look.inbox, migrate=False, check=False)
    try:
        for part in chunks(gather(store, SHOP, look.window.until)):
            with store.work.read() as tx:
                past.of_orders(tx, SHOP, [order_id for group in part for order_id in group])
    finally:
        store.close()
    return time.monotonic() - began


def lived(look: Look) -> tuple[float, float]:
    """CPU ms an order for the same 250 in this process, without its start: by the short loop, and by the product's own
    runner; of either the least of three."""
    store = Store.open(look.database, inbox_url=look.inbox, migrate=False, check=False)
    try:
        people = next(chunks(gather(store, SHOP, look.window.until)))
    finally:
        store.close()
    orders = sum(map(len, people))
    with Watcher(look) as short, Watcher(replace(look, exact=True)) as exact:
        took = [min(_spent(each, people) for _ in range(3)) / orders * 1000 for each in (short, exact)]
    return took[0], took[1]


def _spent(watcher: Watcher, people: list[Sequence[str]]) -> float:
    began = time.process_time()
    watcher.watch(people)
    return time.process_time() - began


def _cpu() -> float:
    """Seconds of CPU of this process and of those it waited for."""
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system


def _bar(done: int, total: int | None) -> None:
    print(f"\r  {done:,} of {total or 0:,} orders", end="", flush=True, file=sys.stderr)


def _books(book: Playbook) -> Iterator[tuple[str, Playbook]]:
    yield "playbook", book
    for name in ("order_confirmation", "review_request"):
        yield name, with_flows(book, [name], alone=True)


def run(bench: Bench) -> None:
    """One round: it is long, and its parts are ratios of one another. What strangers took is said with it."""
    orders, jobs = bench.plan.past_orders, os.cpu_count() or 1
    where = bench.fresh("past")
    try:
        config = settings(where)
        events = fill(config, orders)
        book = of_shop(config, SHOP)
        window = Window(BEGIN, BEGIN + timedelta(days=400))
        look = Look(database=config.app.database, inbox=config.app.inbox, playbooks=(book,), window=window)
        reading = read(look)
        bench.results.put("backtest.read.s", reading, "s")
        bench.results.remark(f"backtest: {orders:,} orders, {events:,} events, {jobs} processes")
        short, exact = lived(look)
        bench.results.put("backtest.playbook.lived_ms", short, "ms/order")
        bench.results.put("backtest.exact_over_short", exact / short, "x")
        for name, playbook in _books(book):
            meter, began, before = accounting.Meter(), time.monotonic(), _cpu()
            seen = look_back(
                Look(database=look.database, inbox=look.inbox, playbooks=(playbook,), window=window),
                jobs=jobs,
                progress=_bar,
            )
            took = time.monotonic() - began
            print(file=sys.stderr)
            messages = sum(map(seen.tallies[0].messages, seen.tallies[0].flows))
            foreign = meter.read().foreign
            bench.results.put(f"backtest.{name}.s", took, "s")
            bench.results.put(f"backtest.{name}.orders_per_s", orders / took, "/s")
            bench.results.put(f"backtest.{name}.over_read", took / reading, "x")
            bench.results.put(f"backtest.{name}.cpu_ms", (_cpu() - before) / orders * 1000, "ms/order")
            bench.results.remark(f"backtest {name}: {messages:,} messages; strangers took {foreign:.0%} of the machine")
    finally:
        bench.discard(where)
