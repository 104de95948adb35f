"""What a process does beside its work to be seen: its port, its row among the processes, systemd's watchdog, the topics
of webhooks, alerts, and removing what is kept no longer. One thread; whatever fails in it holds up nobody's mail.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector import __version__
from connector.app import Kiitos
from connector.clock import from_text, to_text
from connector.errors import KiitosError, StoreUnavailable
from connector.log import get_log
from connector.store import meta, watch
from connector.store.db import Tx
from connector.watching.figures import Looking
from connector.watching.port import TEXT, Page, Port, as_json
from connector.watching.readiness import readiness
from connector.watching.systemd import Systemd
from connector.watching.tallies import Tallies
from connector.working import standstill

STUCK = 300.0
"""Seconds without a round after which the worker is not alive: a batch's lease is 60, a look at a platform 30."""
STEP = 0.5
"""Seconds between two looks at what is due here."""
SAY_EVERY = 30.0
DAY = 86_400.0
FORGET = timedelta(days=1)
"""A process that ended without a word is forgotten after this."""
KEEPS = timedelta(minutes=10)
"""How long a chore stays with the process that did it last."""

log = get_log("watching")


@dataclass(frozen=True, slots=True)
class Chore:
    """What is done every so many seconds; `act` may say that there is more to do by returning `True`."""

    name: str
    every: float
    act: Callable[[], bool]


class Warden:
    """One process's. `watched()` tells it of a worker's rounds; a chore is done by one process of the installation."""

    def __init__(
        self,
        kiitos: Kiitos,
        tallies: Tallies,
        trusted: Callable[[], bool],
        chores: Sequence[Chore] = (),
        *,
        systemd: Systemd | None = None,
        role: str = "worker",
        listen: str = "",
        goes_on: Callable[[], bool] | None = None,
        checks: Callable[[], dict[str, bool]] = dict,
        daily: Callable[[], None] | None = None,
    ) -> None:
        """`listen` is where it tells of itself, empty for nowhere. `goes_on` says whether work goes on where there are
        no rounds; `checks` are what must hold besides for it to be ready. `daily` is for each process to do itself."""
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._looking = Looking(kiitos.store, kiitos.clock, kiitos.config)
        self._tallies = tallies
        self._trusted = trusted
        self._systemd = systemd or Systemd()
        self._id = kiitos.clock.new_id()
        self._role = role
        self._goes_on = goes_on
        self._checks = checks
        self._daily = daily
        self._beat = kiitos.clock.monotonic()
        self._rounds = 0
        self._done = threading.Event()
        self._chores = tuple(chores)
        self._due = dict.fromkeys(("say", "systemd", "daily", *(chore.name for chore in chores)), float("-inf"))
        if role == "worker":
            listen = listen or kiitos.config.app.seeing.worker_listen
        self.port = Port(listen, self.pages()) if listen else None
        self._thread = threading.Thread(target=self._run, name="warden", daemon=True)

    def start(self) -> None:
        if self.port is not None:
            log.info("listening", port=self.port.address)
        self._thread.start()
        self._systemd.ready()

    def close(self) -> None:
        """Stop, and say that this process ended well."""
        self._systemd.stopping()
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(5)
        if self.port is not None:
            self.port.close()
        try:
            with self._store.work.transaction() as tx:
                watch.gone(tx, self._id, self._clock.now() - FORGET)
                for chore in self._chores:
                    give_back(tx, chore.name, self._id, self._clock.now())
        except StoreUnavailable as error:
            log.error("store_unavailable", code=error.code)

    def watched(self, stopping: Callable[[], bool]) -> Callable[[], bool]:
        """The same question; whenever the worker's own thread asks it, another round begins."""
        own = threading.current_thread()

        def asked() -> bool:
            if threading.current_thread() is own:
                self.beat()
            return stopping()

        return asked

    def beat(self) -> None:
        """The worker begins another round."""
        self._beat = self._clock.monotonic()
        self._rounds += 1

    @property
    def alive(self) -> bool:
        """Whether the worker's rounds go on."""
        if self._goes_on is not None:
            return self._goes_on()
        return self._clock.monotonic() - self._beat < STUCK

    def ready(self) -> dict[str, bool]:
        """The single checks, and all of them together as `ready`."""
        found = {**readiness(self._store), **self._checks(), "clock": self._trusted(), "alive": self.alive}
        return {"ready": all(found.values()), **found}

    def pages(self) -> dict[str, Page]:
        return {"/health": self._health, "/ready": self._ready, "/metrics": self._metrics}

    def _health(self) -> tuple[int, str, bytes]:
        return (200, TEXT, b"ok") if self.alive else (503, TEXT, b"no round for minutes")

    def _ready(self) -> tuple[int, str, bytes]:
        found = self.ready()
        return (200 if found["ready"] else 503, "application/json", as_json(found))

    def _metrics(self) -> tuple[int, str, bytes]:
        # Here and not above: a worker that nobody scrapes does without it.
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        from connector.watching.gauges import register

        registry = CollectorRegistry()
        register(registry, self._looking, self._tallies)
        return 200, CONTENT_TYPE_LATEST, generate_latest(registry)

    def _run(self) -> None:
        while not self._done.wait(STEP):
            try:
                self.work()
            except StoreUnavailable as error:
                log.error("store_unavailable", code=error.code)
            except Exception as error:
                log.exception("watching_failed", error)

    def work(self) -> None:
        """Do what is due here."""
        if self._systemd.interval is not None and self.alive and self._comes("systemd", self._systemd.interval):
            self._systemd.alive(f"{self._rounds} rounds")
        with self._store.work.read() as tx:
            still = standstill.read(tx)
        if still is not None and still.why is standstill.Standstill.MOVING:
            return  # nothing is written while the database is copied to another place
        if self._role != "serve" and self._comes("say", SAY_EVERY):
            with self._store.work.transaction() as tx:
                watch.alive(tx, self._id, self._role, socket.gethostname(), __version__, self._clock.now())
                watch.gone(tx, "", self._clock.now() - FORGET)
        if self._daily is not None and self._comes("daily", DAY):
            self._daily()
        # By a wrong clock everything would be too old to keep.
        if self._trusted():
            self._work_off()

    def _work_off(self) -> None:
        for chore in self._chores:
            if not self._comes(chore.name, chore.every):
                continue
            with self._store.work.transaction() as tx:
                mine = keeps(tx, chore.name, self._id, self._clock.now())
            try:
                if mine and chore.act():
                    self._due[chore.name] = float("-inf")
            except StoreUnavailable:
                raise
            except KiitosError as error:
                log.error("chore_failed", chore=chore.name, code=error.code, reason=error.message)

    def _comes(self, name: str, every: float) -> bool:
        """Whether it is time again; if so the next time is set."""
        now = self._clock.monotonic()
        if now < self._due[name]:
            return False
        self._due[name] = now + every
        return True


def keeps(tx: Tx, chore: str, process_id: str, now: datetime) -> bool:
    """Whether this process is the one of the installation that does a chore; it is for ten minutes from now."""
    tx.hold([f"watch/{chore}"])
    holder, _, until = (meta.get(tx, f"watch/{chore}") or "").partition("|")
    if holder and holder != process_id and from_text(until) > now:
        return False
    meta.put(tx, f"watch/{chore}", f"{process_id}|{to_text(now + KEEPS)}", now)
    return True


def give_back(tx: Tx, chore: str, process_id: str, now: datetime) -> None:
    """Another process may do the chore at once."""
    if (meta.get(tx, f"watch/{chore}") or "").startswith(f"{process_id}|"):
        meta.put(tx, f"watch/{chore}", "", now)
