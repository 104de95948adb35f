"""A look back over processes: each takes a few people at a time, lives their past, and hands back sums.

Nothing is written to the store. What a process holds is a handful of people and its sums, however long the history.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from zoneinfo import ZoneInfo

from connector.simulate.census import Census
from connector.simulate.difference import Difference
from connector.simulate.gathering import gather
from connector.simulate.groups import chunks
from connector.simulate.playbook import Playbook
from connector.simulate.scene import Scene, Window
from connector.simulate.story import moments
from connector.simulate.tally import Tally
from connector.store import figures, past
from connector.store.past import Past
from connector.store.store import Store

Progress = Callable[[int, int | None], None]
"""Called with the orders done and about how many there are; None until those have been counted."""

COLLECT_AFTER = 200_000
"""New objects between two looks for cycles: lives make next to none, and Python's 700 takes a third of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is looked at: a store by its address, one playbook or two to compare, and from when until when. `exact`: all
    of it by the product's own runner and outbox."""

    database: str
    inbox: str | None
    playbooks: tuple[Playbook, ...]
    window: Window
    exact: bool = False

    @property
    def shop_id(self) -> str:
        return self.playbooks[0].shop_id


@dataclass(slots=True)
class Seen:
    """What a look gave: a tally for each playbook, the difference where there are two. `interrupted` before its end."""

    tallies: list[Tally]
    difference: Difference = field(default_factory=Difference)
    interrupted: bool = False

    def add(self, other: Seen) -> None:
        for mine, theirs in zip(self.tallies, other.tallies, strict=True):
            mine.add(theirs)
        self.difference.add(other.difference)


def look_back(look: Look, *, jobs: int = 1, progress: Progress | None = None) -> Seen:
    """Live the past of every customer of the shop. Ctrl-C ends it with what was seen so far (`interrupted`).

    Raises `ConfigError` for a playbook that does not load, `StoreUnavailable` for a database that cannot be read.
    """
    with ExitStack() as stack:
        store = _open(look)
        stack.callback(store.close)
        people = gather(store, look.shop_id, look.window.until, carts=_carts_count(look))
        seen = Seen([Tally() for _ in look.playbooks])
        census = Census(store, look.shop_id, look.window.until)
        try:
            for part in _parts(look, chunks(people), jobs, stack):
                seen.add(part)
                if progress is not None:
                    done, total = seen.tallies[0].orders, census.total()
                    progress(done, total and max(total, done))
        except KeyboardInterrupt:
            seen.interrupted = True
    return seen


def _carts_count(look: Look) -> bool:
    """Whether a flow looks at checkouts. Faults of flows are told here."""
    kinds = {kind for playbook in look.playbooks for flow in playbook.flows() for kind in flow.event_kinds}
    return any(kind.startswith("checkout.") for kind in kinds)


def _parts(look: Look, work: Iterator[list[Sequence[str]]], jobs: int, stack: ExitStack) -> Iterator[Seen]:
    first = list(islice(work, max(jobs, 1)))  # no more processes than there is work for
    whole = chain(first, work)
    if len(first) <= 1:
        watcher = stack.enter_context(Watcher(look)) if first else None
        yield from map(watcher.watch, whole) if watcher is not None else ()
        return
    # Not forked: a child must not share this process's connections.
    context = multiprocessing.get_context("spawn")
    pool = stack.enter_context(context.Pool(len(first), _begin, (look,)))
    yield from pool.imap_unordered(_watch, whole)


class Watcher:
    """One process's part: a connection of its own and a scene for each playbook."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._zone = ZoneInfo(look.playbooks[0].settings.shop.timezone)
        self._store = _open(look)
        with self._store.work.read() as tx:
            goods = list(past.products(tx, look.shop_id))
            counted = figures.of_shop(tx, look.shop_id)
        self._scenes = [
            Scene(playbook, look.window, goods, counted=counted, exact=look.exact) for playbook in look.playbooks
        ]

    def __enter__(self) -> Watcher:
        self._collect_after = gc.get_threshold()
        gc.set_threshold(COLLECT_AFTER, 20, 20)
        return self

    def __exit__(self, *exc: object) -> None:
        gc.set_threshold(*self._collect_after)
        for scene in self._scenes:
            scene.close()
        self._store.close()

    def watch(self, people: Iterable[Sequence[str]]) -> Seen:
        """Live the past of some groups of people."""
        found = list(people)
        with self._store.work.read() as tx:
            whole = past.of_orders(tx, self._look.shop_id, [order_id for group in found for order_id in group])
        seen = Seen([Tally() for _ in self._scenes])
        for theirs in _parted(whole, found):
            story = moments(theirs)
            lives = [scene.live(story) for scene in self._scenes]
            for tally, lived in zip(seen.tallies, lives, strict=True):
                tally.count(lived, self._zone)
                tally.ways[lived.long_way] += 1
                tally.orders += len(theirs.orders)
                tally.total += sum(item.order.total.amount for item in theirs.orders.values())
            if len(lives) == 2:
                seen.difference.compare(*lives)
        return seen


def _parted(whole: Past, people: Iterable[Sequence[str]]) -> Iterator[Past]:
    """Each group's own part of what was read together."""
    of_address: dict[str, list[past.Said]] = {}
    said: list[past.Said] = [*whole.consents, *whole.suppressed, *whole.codes]
    for row in said:
        for name in past.names_of(row):
            of_address.setdefault(name, []).append(row)
    for group in people:
        yield past.part(whole, group, of_address)


_watcher: Watcher | None = None


def _begin(look: Look) -> None:
    """In a new process. Ctrl-C reaches all of them: the first process alone answers it."""
    global _watcher
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _watcher = Watcher(look).__enter__()
    gc.freeze()  # what was imported and built lasts as long as the process: no collection need look at it


def _watch(people: list[Sequence[str]]) -> Seen:
    assert _watcher is not None
    return _watcher.watch(people)


def _open(look: Look) -> Store:
    return Store.open(look.database, inbox_url=look.inbox, migrate=False, check=False)
