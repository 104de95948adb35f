"""Two shops on one machine: one whose thousands of orders came at once, and one with a single order behind them.

    python -m tests.turns.burst --orders 100000        (make burst)

The product's own worker takes in and sends; the clock is real. Printed is how long an order of the quiet shop waits for
its confirmation, alone and behind the burst. Exit code 1 when the second is more than twice the first, and 3 when
strangers had so much of the machine that this says nothing.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import corpus
from bench.accounting import Meter
from bench.stats import FOREIGN_ABOVE
from connector.app import Kiitos, build
from connector.clock import Clock, SystemClock
from connector.codec import encode_text
from connector.config import parse_config
from connector.contracts import Verified
from connector.store import Store, deliveries, inbox
from connector.store.inbox import NewDelivery
from connector.worker import Worker
from flows.channels.memory import Memory

LOUD, QUIET = "two-loud", "two-quiet"
MOST = 2.0
"""How much longer a burst may make another shop's order wait: the promise."""
MET, MISSED, NOT_SHOWN = 0, 1, 3
_KEY = "k1=" + base64.b64encode(b"burst test key, 32 bytes long...").decode()


def document(database: str) -> dict[str, Any]:
    """Two shops with nothing but order confirmations."""
    shop = {"platform": "shopify", "currency": "EUR", "country": "FI", "fetch_before_send": False}
    return {
        "schema": 1,
        "app": {"base_url": "http://localhost", "database": database, "master_key": {"env": "KEY"}},
        "channels": {"memory": {"kind": "memory"}},
        "defaults": {
            "email": "memory",
            "sender": "Two <hello@two.example>",
            "timezone": "Europe/Helsinki",
            "flows": {"order-confirmation": {"file": "order_confirmation"}},
        },
        "clients": {
            "two": {
                "shops": {
                    "loud": {**shop, "domain": "loud-two.myshopify.com"},
                    "quiet": {**shop, "domain": "quiet-two.myshopify.com"},
                }
            }
        },
    }


@dataclass
class House:
    """The two shops, their store and a worker."""

    kiitos: Kiitos
    worker: Worker
    sent: Memory = field(default_factory=Memory)
    came: int = 0
    _confirmed: Counter[str] = field(default_factory=Counter)
    _counted: int = 0

    @classmethod
    def build(cls, folder: Path, database: str, clock: Clock) -> House:
        config = parse_config(document(database), folder / "app.toml", {"KEY": _KEY})
        kiitos = build(config, clock=clock, store=Store.open(database))
        house = cls(kiitos, Worker(kiitos))
        kiitos.use_channel("memory", house.sent)
        return house

    def arrive(self, shop: str, bodies: Iterator[bytes], count: int) -> None:
        """So many orders were received, as the receiver stores them."""
        now, left = self.kiitos.clock.now(), count
        while left:
            new = []
            for _ in range(min(left, 500)):
                self.came += 1
                seen = Verified(topic="orders/create", dedup_key=f"w{self.came}")
                headers = {"verified": encode_text(seen)}
                body = next(bodies)
                new.append(NewDelivery(shop, "shopify", "orders/create", seen.dedup_key, headers, body, now))
            inbox.append(self.kiitos.store.inbox, new)
            left -= len(new)

    def confirmed(self, shop: str) -> int:
        """How many; looks at those that came since it was last asked."""
        messages = self.sent.messages
        while self._counted < len(messages):
            self._confirmed[messages[self._counted].shop_id] += 1
            self._counted += 1
        return self._confirmed[shop]

    def forget(self) -> None:
        """What was confirmed so far does not count."""
        self.sent.messages.clear()
        self._confirmed.clear()
        self._counted = 0


def ticks_until_confirmed(house: House, most: int) -> int:
    """Rounds of the worker until the quiet shop's order is confirmed, `most` + 1 when that was not enough."""
    for tick in range(1, most + 1):
        house.worker.tick()
        if house.confirmed(QUIET):
            return tick
    return most + 1


@contextmanager
def running(house: House) -> Iterator[None]:
    """A worker as `kiitos worker` runs it, in a thread."""
    stopping = threading.Event()
    thread = threading.Thread(target=house.worker.run, args=(stopping.is_set,))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def delays(house: House, bodies: Iterator[bytes], times: int) -> tuple[list[float], list[float]]:
    """How long each of so many orders of the quiet shop waits, one after the other, in seconds: by the clock, and by
    the processor time this process used meanwhile, which no neighbour on the machine disturbs."""
    found, used = [], []
    clock = house.kiitos.clock
    for n in range(times):
        before = house.confirmed(QUIET)
        began, spent = clock.monotonic(), time.process_time()
        house.arrive(QUIET, bodies, 1)
        while house.confirmed(QUIET) == before:
            clock.sleep(0.005)
        found.append(clock.monotonic() - began)
        used.append(time.process_time() - spent)
        clock.sleep(0.05 + 0.037 * (n % 7))  # not in step with the worker's own pauses
    return found, used


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--database", default="", help="default: SQLite in a temporary folder")
    given = parser.parse_args()
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        house = House.build(Path(folder), given.database or f"sqlite:///{folder}/kiitos.db", clock)
        bodies = corpus.bodies(given.orders + 10 * given.times, clock.now())
        house.arrive(QUIET, bodies, 1)
        house.worker.drain()  # the first message compiles templates
        meter = Meter()
        with running(house):
            quiet = delays(house, bodies, given.times)
        house.forget()
        house.arrive(LOUD, bodies, given.orders)
        with running(house):
            loud = delays(house, bodies, given.times)
            left = deliveries.backlog(house.kiitos.store)
        foreign = meter.read().foreign
        house.kiitos.close()
    for name, (found, used) in (("alone", quiet), ("behind the burst", loud)):
        said = f"median {median(found) * 1000:.0f} ms, longest {max(found) * 1000:.0f} ms"
        print(f"{name:>17}: {said}; processor time median {median(used) * 1000:.0f} ms")
    ratio = median(loud[0]) / median(quiet[0])
    print(f"ratio of the medians {ratio:.2f}; {left} of the burst were still to come; strangers had {foreign:.0%}")
    return verdict(ratio, left, foreign)


def verdict(ratio: float, left: int, foreign: float) -> int:
    """The exit code. `left` is how much of the burst was still there, `foreign` the strangers' share of all cores."""
    if not left:
        print("not shown: the burst was over before the last order of the quiet shop came; take more --orders")
        return NOT_SHOWN
    if ratio <= MOST:
        return MET
    if foreign > FOREIGN_ABOVE:
        print(f"not shown: more than {FOREIGN_ABOVE:.0%} of the machine was others'; repeat it when that is quiet")
        return NOT_SHOWN
    print(f"missed: the promise is {MOST:g}")
    return MISSED


if __name__ == "__main__":
    sys.exit(main())
