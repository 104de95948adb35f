"""Keeping the credentials of shops alive: who renews them, when, and what is stored (promises R19).

A platform's `RenewsTokens` does the trade; here is what makes it safe. One worker at a time renews a shop's credentials
(a lease in the database), looks again after it got the lease, and stores all that came back in one transaction, unless
somebody else stored something meanwhile. A crash anywhere leaves credentials with which the next try succeeds. Nothing
here talks to a platform inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from connector.clock import Clock
from connector.config import Config, ShopSettings
from connector.contracts import Access, Renewal, RenewsTokens
from connector.credentials import Credentials
from connector.errors import AuthExpired, KiitosError, Transient
from connector.log import get_log
from connector.model import ShopStatus
from connector.registry import Registry
from connector.secrets import Vault
from connector.standing import disconnect, reconnect
from connector.store import renewals, shops
from connector.store.db import Tx
from connector.store.renewals import RenewalState
from connector.store.store import Store

log = get_log("tokens")

LEASE = timedelta(minutes=3)
"""Longer than a renewal with its time-outs and repetitions takes. One that takes longer all the same is discarded."""
BUSY = 5.0
"""Seconds after which to come back when another worker is renewing and the present credentials work no more."""
PATIENCE = timedelta(minutes=50)
"""How long a refusal is believed without asking again. Work that was refused comes back after an hour."""
KEEP_AGAIN = timedelta(hours=1)
KEEP_REFUSED = timedelta(days=1)
KEEP = 20
"""Shops kept alive in one round of the worker."""


class Tokens:
    """One process's way to the credentials of all shops. Thread-safe."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        registry: Registry,
        clock: Clock,
        credentials: Credentials,
        config: Callable[[], Config],
    ) -> None:
        self._store = store
        self._vault = vault
        self._registry = registry
        self._clock = clock
        self._credentials = credentials
        self._config = config

    # --- using ---

    def access(self, settings: ShopSettings) -> Access:
        """What an adapter needs to act for the shop, renewed first when that is due. Never call it in a transaction.

        Raises `AuthExpired` when only the merchant can help, `Transient` when the credentials have lapsed and cannot be
        renewed just now.
        """
        with self._store.work.read() as tx:
            access = self._stored(tx, settings)
        renewal = self._renewal(access)
        now = self._clock.now()
        if renewal is None or now < renewal.due:
            return access
        return self._renew(settings, access, must=now >= renewal.lapses)

    def connected(self, tx: Tx, settings: ShopSettings, secrets: Mapping[str, str]) -> None:
        """Store credentials that were just proven to work, all of them together; the shop is active again."""
        shop_id, now = settings.shop.id, self._clock.now()
        for name, value in secrets.items():
            shops.put_secret(tx, self._vault, shop_id, name, value, now)
        renewals.done(tx, shop_id, now)
        _tell(tx, shop_id, self._renewal(self._stored(tx, settings)))
        reconnect(tx, shop_id, now)

    # --- keeping alive ---

    def adopt(self) -> None:
        """See to it that credentials stored by others (an import, an older version) are kept alive too, and that it is
        known when they end."""
        with self._store.work.transaction() as tx:
            known = renewals.all(tx)
            for shop in shops.all(tx):
                settings = self._config().shops.get(shop.id)
                state = known.get(shop.id)
                if settings is None or (state is not None and (state.keep_at is None or state.lapses_at is not None)):
                    continue
                renewal = self._renewal(self._stored(tx, settings))
                if renewal is not None and renewal.lapses != Renewal.NOT_YET:
                    _tell(tx, shop.id, renewal)

    def keep_alive(self) -> int:
        """Renew what nobody has used for long, so that it can still be renewed next time, and what a worker left in the
        middle: the platform counts from the first use of a refresh token. How many were looked at."""
        now = self._clock.now()
        with self._store.work.read() as tx:
            waiting = renewals.due(tx, now, KEEP)
            gone = {shop.id for shop in shops.all(tx) if shop.status is ShopStatus.UNINSTALLED} if waiting else set()
        for shop_id in waiting:
            settings = self._config().shops.get(shop_id)
            if shop_id in gone:
                self._settle(shop_id, None)
            elif settings is None:
                self._keep_at(shop_id, now + KEEP_REFUSED)
            else:
                self._keep_one(settings, now)
        return len(waiting)

    def _keep_one(self, settings: ShopSettings, now: datetime) -> None:
        with self._store.work.read() as tx:
            access = self._stored(tx, settings)
            state = renewals.get(tx, settings.shop.id)
        renewal = self._renewal(access)
        left = state is not None and state.lease_until is not None
        if renewal is None or renewal.keep_at is None or (renewal.keep_at > now and not left):
            self._settle(settings.shop.id, renewal)
            return
        try:
            self._renew(settings, access, must=True)
        except AuthExpired:
            return  # noted, told, and due again in a day
        except KiitosError as error:
            log.warning("keep_alive_put_off", shop_id=settings.shop.id, code=error.code)
            self._keep_at(settings.shop.id, now + KEEP_AGAIN)

    def _keep_at(self, shop_id: str, at: datetime) -> None:
        with self._store.work.transaction() as tx:
            renewals.keep(tx, shop_id, at)
            renewals.clear(tx, shop_id, self._clock.now())

    def _settle(self, shop_id: str, renewal: Renewal | None) -> None:
        """There is nothing to renew now; without credentials that lapse nothing is awaited of the shop any more."""
        with self._store.work.transaction() as tx:
            _tell(tx, shop_id, renewal)
            renewals.clear(tx, shop_id, self._clock.now())

    # --- renewing ---

    def _renew(self, settings: ShopSettings, seen: Access, *, must: bool, again: bool = False) -> Access:
        """Renew `seen`, or find that somebody has. Without `must` the present credentials will do for now.

        `again`: this is the renewal after one whose answer was discarded; it is not followed by another.
        """
        holder = self._clock.new_id()
        leased, current = self._begin(settings, seen, holder)
        if current.secrets != seen.secrets:
            return current
        if not leased:
            if must:
                raise Transient(f"shop {settings.shop.id}: its credentials are being renewed", retry_after=BUSY)
            return seen
        try:
            fresh = self._renewer(seen).renew(seen)
        except AuthExpired as error:
            return self._refused(settings, seen, holder, error)
        except Transient as error:
            self._give_back(settings, holder)
            if must:
                raise
            log.warning("renewal_put_off", shop_id=settings.shop.id, code=error.code)
            return seen
        except Exception:
            self._give_back(settings, holder)
            raise
        kept, ours = self._keep(settings, seen, holder, fresh)
        if ours or again:
            return kept
        # Two answers were given, and the platform may believe in the one we threw away: a third settles it.
        return self._renew(settings, kept, must=False, again=True)

    def _begin(self, settings: ShopSettings, seen: Access, holder: str) -> tuple[bool, Access]:
        """Take the lease, and look again: who waited for it may find the work done. Raises `AuthExpired`."""
        shop_id, now = settings.shop.id, self._clock.now()
        with self._store.work.transaction() as tx:
            leased = renewals.lease(tx, shop_id, holder, now, now + LEASE)
            current = self._stored(tx, settings)
            lately = _refused_lately(renewals.get(tx, shop_id), current, now)
            if leased and (lately or current.secrets != seen.secrets):
                renewals.release(tx, shop_id, holder)
        if lately and current.secrets == seen.secrets:
            raise AuthExpired(f"shop {shop_id}: the platform refuses to renew its credentials; connect the shop again")
        return leased, current

    def _keep(self, settings: ShopSettings, seen: Access, holder: str, fresh: Mapping[str, str]) -> tuple[Access, bool]:
        """Store what came back, all or nothing; discard it when somebody else stored something meanwhile.

        What is stored now, and whether it is ours.
        """
        shop_id, now = settings.shop.id, self._clock.now()
        with self._store.work.transaction() as tx:
            current = self._stored(tx, settings)
            ours = all(current.secrets.get(name) == seen.secrets.get(name) for name in fresh)
            if ours:
                for name, value in fresh.items():
                    shops.put_secret(tx, self._vault, shop_id, name, value, now)
                current = self._stored(tx, settings)
                renewals.done(tx, shop_id, now)
                _tell(tx, shop_id, self._renewal(current))
                reconnect(tx, shop_id, now)
            renewals.release(tx, shop_id, holder)
        log.info("credentials_renewed" if ours else "renewal_discarded", shop_id=shop_id)
        return current, ours

    def _refused(self, settings: ShopSettings, seen: Access, holder: str, error: AuthExpired) -> Access:
        """The platform says no. Credentials stored by somebody meanwhile count instead; else the merchant must act."""
        shop_id, now = settings.shop.id, self._clock.now()
        with self._store.work.transaction() as tx:
            current = self._stored(tx, settings)
            renewals.release(tx, shop_id, holder)
            if current.secrets == seen.secrets:
                renewals.refuse(tx, shop_id, _digest(seen), now, now + KEEP_REFUSED)
                disconnect(tx, shop_id, error, now)
        if current.secrets == seen.secrets:
            raise error
        return current

    def _give_back(self, settings: ShopSettings, holder: str) -> None:
        with self._store.work.transaction() as tx:
            renewals.release(tx, settings.shop.id, holder)

    # --- looking ---

    def _stored(self, tx: Tx, settings: ShopSettings) -> Access:
        """As the store and the configuration have it now."""
        access = self._credentials.read(tx, settings, self._config())
        if self._renewal(access) is None:
            return access
        return replace(access, renew=lambda refused: self._renew(settings, refused, must=True))

    def _renewal(self, access: Access) -> Renewal | None:
        adapter = self._registry.platform(access.shop.platform)
        return adapter.renewal(access.secrets) if isinstance(adapter, RenewsTokens) else None

    def _renewer(self, access: Access) -> RenewsTokens:
        adapter = self._registry.platform(access.shop.platform)
        assert isinstance(adapter, RenewsTokens)
        return adapter


def _tell(tx: Tx, shop_id: str, renewal: Renewal | None) -> None:
    """Store what the credentials say of themselves."""
    if renewal is None:
        renewals.told(tx, shop_id, None, None, None)
    else:
        lapses_at = renewal.lapses if renewal.lapses != Renewal.NOT_YET else None
        renewals.told(tx, shop_id, renewal.keep_at, lapses_at, renewal.ends)


def _refused_lately(state: RenewalState | None, current: Access, now: datetime) -> bool:
    """Whether these very credentials were refused so short a time ago that asking again would say nothing new."""
    if state is None or state.tried_at is None or now >= state.tried_at + PATIENCE:
        return False
    return state.refused_what == _digest(current)


def _digest(access: Access) -> str:
    """How the refused credentials are remembered, so that others put in their place are tried at once."""
    text = "\n".join(f"{name}={value}" for name, value in sorted(access.secrets.items()))
    return sha256(text.encode()).hexdigest()
