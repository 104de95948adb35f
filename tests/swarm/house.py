"""The product as lives are led in it: built once, its empty database kept and put back before each life.

Receiver and page views are the product's own code without their sockets; flows are those of the library and of
`tests/swarm/flows`; templates say only what the mail server must read (`tests.swarm.stationery`).
"""

from __future__ import annotations

import base64
import contextlib
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import sqlite_utils

from connector.app import Kiitos, build, create_app
from connector.clock import ManualClock
from connector.config import parse_config
from connector.reconciliation.reconciler import TASKS, Reconciler
from connector.registry import PLATFORMS, Registry
from connector.store import deliveries, effects, runs, wakeups
from connector.store.db import Tx
from connector.store.sqlite import Sqlite, driver
from connector.store.store import Store
from connector.worker import Worker
from flows.catalog import Catalog
from tests.swarm.plan import SHOPS
from tests.swarm.post import Post
from tests.swarm.shop import PLATFORM, SwarmPlatform
from tests.swarm.stationery import Hand, write_templates

if TYPE_CHECKING:
    from tests.swarm.life import Life

HERE = Path(__file__).parent
LIBRARY = ("order_confirmation", "delivery_updates", "review_request", "referral_invite", "referral_reward")
OWN = ("care", "tips", "club", "miss")
RENDERED = 8
"""In every eighth life letters are rendered; in the others a quick hand writes them."""
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
"""When the shops were connected: everything of a life is news."""


def _nothing() -> None:
    """A chore there is none of."""


def _none_done() -> int:
    return 0


def _document(flows: dict[str, Any]) -> dict[str, Any]:
    shops = {
        "north": ("Europe/Helsinki", "FI"),
        "west": ("America/New_York", "US"),
    }
    return {
        "schema": 1,
        "app": {
            "base_url": "http://localhost",
            "database": "sqlite://:memory:",
            "master_key": {"env": "KEY"},
        },
        "channels": {"post": {"kind": "memory"}},
        "defaults": {"email": "post", "soft_opt_in": ["review", "referral"], "flows": flows},
        "clients": {
            "swarm": {
                "shops": {
                    name: {
                        "platform": PLATFORM,
                        "domain": f"{name}.example",
                        "name": f"swarm-{name}",
                        "sender": f"swarm-{name} <swarm-{name}@example.com>",
                        "support_email": f"help-{name}@example.com",
                        "address": ["Example Street 1"],
                        "timezone": zone,
                        "country": country,
                        "access_token": {"env": "TOKEN"},
                    }
                    for name, (zone, country) in shops.items()
                }
            }
        },
    }


_ENVIRON = {"KEY": "k1=" + base64.b64encode(b"swarm master key, 32 bytes long!").decode(), "TOKEN": "swarm-token"}


class Memory(Sqlite):
    """A database of this process alone. What a crash leaves is decided above it, by what was committed."""

    def __init__(self) -> None:
        super().__init__("life.db")

    def open(self) -> sqlite_utils.Database:
        raw = driver.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=1024)
        raw.execute("PRAGMA foreign_keys=ON").fetchall()
        return sqlite_utils.Database(raw, execute_plugins=False)


class Emptying:
    """Puts a database's rows back as they are now. Its schema stays, and with it every statement SQLite has planned."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        self._rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}

    def do(self) -> None:
        execute = self._connection.execute
        execute("BEGIN")
        # The books of value may be deleted only of shops that are being wiped (migration 0022).
        if "value_openings" in self._rows:
            told = "SELECT shop_id FROM value_facts UNION SELECT shop_id FROM value_entries"
            execute(f"INSERT INTO value_openings {told}")
        for name, rows in sorted(self._rows.items(), key=lambda item: item[0] == "value_openings"):
            execute(f"DELETE FROM {name}")
            for row in rows:
                execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
        execute("COMMIT")


class House:
    """Where lives are led, one after the other. `lead` puts everything back first."""

    folder: ClassVar[Path] = HERE
    library: ClassVar[tuple[str, ...]] = LIBRARY
    own: ClassVar[tuple[str, ...]] = OWN
    platform: ClassVar[type[SwarmPlatform]] = SwarmPlatform

    def __init__(self) -> None:
        self.clock = ManualClock(BEFORE)
        self.post = Post()
        self.registry = Registry(extra={(PLATFORMS, PLATFORM): self.platform})
        self.store = Store(Memory(), Memory())
        self.store._prepare(migrate=True, check=False)
        self.kiitos = self._build()
        self.client = create_app(self.kiitos).test_client()
        self.reconciler = self.new_reconciler()
        self.life: Life | None = None
        with self.store.work.transaction() as tx:
            for shop_id in SHOPS:
                for flow in self.kiitos.catalog.flows(shop_id):
                    self.kiitos.catalog.pin(tx, shop_id, flow, BEFORE)
        self.reconciler.plan()
        Worker(self.kiitos).housekeeping.work()
        self._empty = [Emptying(database._session().connection) for database in (self.store.work, self.store.inbox)]
        self._real = self.store.work.transaction
        self.store.work.transaction = self._transaction  # type: ignore[method-assign]

    def document(self, flows: dict[str, Any]) -> dict[str, Any]:
        """The shops' `app.toml`."""
        return _document(flows)

    def _build(self) -> Kiitos:
        kiitos = build(
            parse_config(self.document({}), self.folder / "app.toml", _ENVIRON),
            clock=self.clock,
            store=self.store,
            registry=self.registry,
        )
        flows: dict[str, Any] = {name: {"file": name} for name in self.library}
        flows |= {name: {"file": f"flows/{name}.toml"} for name in self.own}
        config = parse_config(self.document(flows), self.folder / "app.toml", _ENVIRON)
        names = frozenset(_template_names(config.directory, self.library, self.own))
        self._folder = tempfile.TemporaryDirectory(prefix="kiitos-swarm-")
        write_templates(Path(self._folder.name), names)
        kiitos.renderer = self.hand = Hand(Path(self._folder.name))
        kiitos.config, kiitos.catalog = config, Catalog(config, self.registry, names)
        kiitos.runner.catalog = kiitos.catalog
        kiitos.use_channel("post", self.post)
        kiitos.refresh = lambda: False  # type: ignore[method-assign]
        return kiitos

    def new_worker(self) -> Worker:
        """Without what a life has none of, or a third of its time would go there: credentials to renew, people to
        forget, stores that are connected meanwhile."""
        worker = Worker(self.kiitos)
        worker.housekeeping.work = _nothing  # type: ignore[method-assign]
        worker.privacy.work = _none_done  # type: ignore[method-assign]
        return worker

    def next_due(self) -> datetime | None:
        """When a delivery, a run, an effect or a wake-up is due next."""
        with self.store.work.read() as tx:
            times = (deliveries.next_due(tx), runs.next_wake(tx), effects.next_due(tx), wakeups.next_due(tx))
        return min((at for at in times if at is not None), default=None)

    def new_reconciler(self) -> Reconciler:
        """Only its poll: lives have no webhook subscriptions and no history."""
        return Reconciler(self.kiitos, {"poll": TASKS["poll"]})

    @property
    def connection(self) -> Any:
        return self.store.work._session().connection

    def lead(self, life: Life) -> None:
        """An empty database, an empty post, the life's own clock."""
        self.life = life
        self.hand.quick = life.seed % RENDERED != 0
        for emptying in self._empty:
            emptying.do()
        self.clock.__init__(life.plan.start, life.seed)  # type: ignore[misc]
        self.post.__init__()  # type: ignore[misc]
        self.post.idempotent_for = life.plan.window  # type: ignore[misc]
        self.post.life = life
        adapter = self.registry.platform(PLATFORM)
        assert isinstance(adapter, SwarmPlatform)
        adapter.life = life

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Tx]:
        """A moment to die before and one after each commit that changed something; after it, a look at what is now
        recorded."""
        life, connection = self.life, self.connection
        with self._real() as tx:
            before = connection.total_changes
            yield tx
            tx.flush()
            changed = life is not None and connection.total_changes != before
            if life is not None and changed:
                life.may_die("died at a commit")
        if life is not None and changed:
            life.committed()
            life.may_die("died at a commit")

    def undisturbed(self) -> AbstractContextManager[Tx]:
        """A transaction that no death ends."""
        return self._real()

    def close(self) -> None:
        self.kiitos.close()
        self._folder.cleanup()


def _template_names(folder: Path, library: Sequence[str], own: Sequence[str]) -> set[str]:
    """Every template that a flow of the house names."""
    texts = [files("flows").joinpath("library", f"{name}.toml").read_text("utf-8") for name in library]
    texts += [(folder / "flows" / f"{name}.toml").read_text("utf-8") for name in own]
    steps = [step for text in texts for step in tomllib.loads(text)["steps"]]
    return {str(step["template"]) for step in steps if "template" in step}
