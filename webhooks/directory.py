"""What hook keys stand for: endpoints, their secrets and shops, held in memory.

A request for a known key never reads the database. The whole directory is read again every 30 s, and at once (though at
most once a second, whoever asks) when a key, a shop or a signature is not what memory says: another process may just
have installed a shop or rotated a secret.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from connector.clock import Clock
from connector.contracts import Endpoint, PlatformAdapter
from connector.contracts.channel_events import HOOK_PREFIX
from connector.credentials import SIGNING_SECRETS, app_owner
from connector.errors import ConfigError
from connector.log import get_log
from connector.model import Shop
from connector.registry import Registry
from connector.secrets import Vault
from connector.store import shops
from connector.store.db import Tx
from connector.store.store import Store
from webhooks.doors import Doors
from webhooks.settings import ReceiverSettings

log = get_log("webhooks.directory")


@dataclass(frozen=True, slots=True)
class Entry:
    """One hook key: the endpoint as adapters see it, its adapter, and who owns its secrets.

    `owner_id` is a shop id, or `app:<name>` for a key shared by all shops of an app. `account`: the key of a channel,
    whose owner is `channel:<name>` and no shop.
    """

    endpoint: Endpoint = field(repr=False)
    adapter: PlatformAdapter = field(repr=False)
    owner_id: str
    account: bool = False


@dataclass(frozen=True, slots=True)
class _Snapshot:
    entries: Mapping[str, Entry]
    broken: frozenset[str]
    shops: Mapping[tuple[str, str], Shop]


class Directory:
    """Looks keys and shops up in memory. Thread-safe: a refresh replaces one immutable snapshot.

    `start()` begins the refreshing thread; without it call `refresh()` (tests, one-off commands).
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        registry: Registry,
        clock: Clock,
        settings: ReceiverSettings | None = None,
        doors: Doors | None = None,
    ) -> None:
        self._store = store
        self._vault = vault
        self._registry = registry
        self._clock = clock
        self._settings = settings or ReceiverSettings()
        self._doors = doors
        self._snapshot = _Snapshot({}, frozenset(), {})
        self._began = float("-inf")
        self._asked: list[Future[bool]] = []
        self._change = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def entry(self, platform: str, key: str) -> Entry | None:
        """The entry of a key, `None` when it is unknown or belongs to another platform.

        Raises `ConfigError` when the key is known but its secrets or adapter cannot be read.
        """
        snapshot = self._snapshot
        entry = snapshot.entries.get(key)
        if entry is None:
            if key in snapshot.broken:
                raise ConfigError("the secrets or the adapter of this endpoint cannot be read; see the log")
            return None
        return entry if entry.endpoint.platform == platform else None

    def shop(self, platform: str, domain: str) -> Shop | None:
        """The shop of a platform by its domain (lower case)."""
        return self._snapshot.shops.get((platform, domain))

    def fresh(self) -> Future[bool]:
        """Ask for a refresh that begins after this call; the future tells whether the database could be read.

        Refreshes begin at most once a second, so this may take that long; everybody who asks meanwhile shares one.
        """
        future: Future[bool] = Future()
        with self._change:
            if self._closing or self._thread is None:
                future.set_result(False)
                return future
            self._asked.append(future)
            self._change.notify()
        return future

    def stale(self) -> bool:
        """Whether a refresh could begin at once."""
        return self._clock.monotonic() - self._began >= self._settings.directory_pause

    def refresh(self) -> None:
        """Read everything again. Raises `StoreUnavailable`; the old snapshot then stays."""
        self._began = self._clock.monotonic()
        if self._doors is not None:
            self._doors.certificates.bring()
        entries: dict[str, Entry] = {}
        broken: set[str] = set()
        with self._store.work.read() as tx:
            known = {shop.id: shop for shop in shops.all(tx)}
            secrets: dict[str, tuple[bytes, ...] | None] = {}
            for row in shops.endpoints(tx):
                # A shop that came through the operator's app has no secret of its own: the app's signs for it.
                for owner in (row.owner_id, app_owner(row.platform)):
                    if owner not in secrets:
                        secrets[owner] = self._secrets(tx, owner)
                adapter, signing = self._adapter(row.platform), secrets[row.owner_id]
                if signing == ():
                    signing = secrets[app_owner(row.platform)]
                shop = known.get(row.shop_id) if row.shop_id else None
                if adapter is None or signing is None or (row.shop_id and shop is None):
                    broken.add(row.key)
                    continue
                endpoint = Endpoint(key=row.key, platform=row.platform, secrets=signing, shop=shop)
                entries[row.key] = Entry(endpoint, adapter, row.owner_id, row.platform.startswith(HOOK_PREFIX))
        by_domain = {(shop.platform, shop.domain.lower()): shop for shop in known.values()}
        self._snapshot = _Snapshot(entries, frozenset(broken), by_domain)

    def _secrets(self, tx: Tx, owner_id: str) -> tuple[bytes, ...] | None:
        try:
            found = shops.secrets(tx, self._vault, owner_id)
        except ConfigError as error:  # one owner's broken secret must not close everybody's hooks
            log.exception("secrets_unreadable", error, owner_id=owner_id)
            return None
        return tuple(found[name].encode() for name in SIGNING_SECRETS if found.get(name))

    def _adapter(self, platform: str) -> PlatformAdapter | None:
        try:
            if platform.startswith(HOOK_PREFIX):
                return self._doors.door(platform) if self._doors is not None else None
            return self._registry.platform(platform)
        except ConfigError as error:
            log.exception("platform_missing", error, platform=platform)
            return None

    def start(self) -> None:
        """Read once (raising what `refresh` raises), then keep reading in a thread."""
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="directory", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread; whoever still waits is told so. Idempotent."""
        with self._change:
            self._closing = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._change:
                if not self._closing and not self._asked:
                    self._change.wait(self._settings.directory_interval)
                pause = self._began + self._settings.directory_pause - self._clock.monotonic()
                if self._asked and pause > 0:
                    self._change.wait_for(lambda: self._closing, timeout=pause)
                asked, self._asked = self._asked, []
                if self._closing:
                    break
            try:
                self.refresh()
            except Exception as error:  # told to all who wait: a dead thread would strand them
                log.exception("refresh_failed", error)
                _finish(asked, read=False)
            else:
                _finish(asked, read=True)
        _finish(asked, read=False)


def _finish(waiting: list[Future[bool]], *, read: bool) -> None:
    for future in waiting:
        if future.set_running_or_notify_cancel():
            future.set_result(read)
