"""Looking at an order on its platform before something is sent about it that came days after the webhook."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.contracts import FetchesOrders, ListsChanges
from connector.errors import AuthExpired, KiitosError, StoreUnavailable, Transient
from connector.log import get_log
from connector.model import Effect, Event
from connector.reconciliation import Reconciler
from connector.standing import HELD, disconnect, reconnect
from connector.store import effects
from connector.working.intake import again_if_moved

log = get_log("fresh_orders")

LOOK_BUDGET = 5.0
"""Seconds a tick may spend asking platforms before it goes back to what needs no asking."""
FRESH_FOR = 60.0
"""Seconds for which a look at an order counts: a reward and the mail about it need one look, not two."""
ASK_AGAIN = timedelta(minutes=5)
RECONNECT = timedelta(hours=1)
"""How often a shop whose credentials failed is tried again."""


class FreshOrders:
    """One worker's looks, a tick at a time: `begin()`, then `done()` for each effect that needs one."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._reconciler = Reconciler(kiitos)
        self._tick_began = 0.0
        self._seen: dict[tuple[str, str], float] = {}
        self._silent: set[str] = set()

    def begin(self) -> float:
        """A tick begins: platforms that were silent are asked again. When it began, on the monotonic clock."""
        self._tick_began = self._clock.monotonic()
        self._silent.clear()
        oldest = self._tick_began - FRESH_FOR
        self._seen = {key: at for key, at in self._seen.items() if at > oldest}
        return self._tick_began

    def defer(self, waiting: Sequence[Effect], until: datetime, reason: str) -> None:
        """Put effects off that cannot be decided before."""
        with self._store.work.transaction() as tx:
            for effect in waiting:
                effects.defer(tx, effect.shop_id, effect.id, until, reason)

    def needed(self, effect: Effect) -> bool:
        """Marketing-class effects come days after the webhook that led to them, and what costs money cannot be taken
        back: the order is looked at again first. About a cart the platform is asked for new orders."""
        if effect.order_id is None:
            return self._is_about_cart(effect) and self._may_ask(effect.shop_id, ListsChanges)
        if not effect.run_id:
            return False
        step = self._kiitos.registry.steps.get(str(effect.request.get("do", "")))
        if not effect.purpose.needs_consent and not (step is not None and step.costly):
            return False
        return self._may_ask(effect.shop_id, FetchesOrders)

    def _may_ask(self, shop_id: str, capability: type[ABC]) -> bool:
        settings = self._kiitos.catalog.settings(shop_id)
        adapter = self._kiitos.registry.platform(settings.shop.platform)
        asks = settings.fetch_before_send and isinstance(adapter, capability)
        return asks and self._kiitos.credentials.open_api(settings)

    def _is_about_cart(self, effect: Effect) -> bool:
        flows = self._kiitos.catalog.flows(effect.shop_id)
        return any(flow.id == effect.flow_id and flow.subject == "checkout" for flow in flows)

    def done(self, effect: Effect, waiting: Sequence[Effect], now: datetime) -> bool:
        """Whether the effect's order was looked at just now; asks the platform while the tick has time for it."""
        key = (effect.shop_id, effect.order_id or "")
        began = self._clock.monotonic()
        if began - self._seen.get(key, -FRESH_FOR) < FRESH_FOR:
            return True
        if effect.shop_id in self._silent or began - self._tick_began > LOOK_BUDGET:
            return False
        try:
            if effect.order_id is None:
                # What a cart became is an order of which nobody may have told us yet.
                self._reconciler.run_now(effect.shop_id, "poll")
            else:
                self._fetch(effect.shop_id, effect.order_id, now)
        except (Transient, AuthExpired) as error:
            # The whole shop waits, not order after order: each would cost another time-out.
            self._silent.add(effect.shop_id)
            self._put_off(error, [other for other in waiting if other.shop_id == effect.shop_id], now)
            return False
        except StoreUnavailable:
            raise
        except KiitosError as error:
            # The platform answers but will not show the order (too old for our scope): what we know must do.
            log.warning("order_not_fetched", shop_id=effect.shop_id, effect_id=effect.id, code=error.code)
        except Exception as error:
            log.exception("look_failed", error, shop_id=effect.shop_id, effect_id=effect.id)
            self.defer([effect], now + ASK_AGAIN, "look_failed")
            return False
        self._seen[key] = self._clock.monotonic()
        return True

    def _fetch(self, shop_id: str, order_id: str, now: datetime) -> None:
        settings = self._kiitos.catalog.settings(shop_id)
        adapter = self._kiitos.registry.platform(settings.shop.platform)
        assert isinstance(adapter, FetchesOrders)
        events = adapter.fetch_order(self._kiitos.access(settings), order_id)
        again_if_moved(lambda: self._apply(shop_id, events, now))

    def _put_off(self, error: Transient | AuthExpired, theirs: Sequence[Effect], now: datetime) -> None:
        """A platform that cannot be asked: marketing-class effects of its shop wait; order messages do not."""
        looking = [effect for effect in theirs if self.needed(effect)]
        if isinstance(error, AuthExpired):
            with self._store.work.transaction() as tx:
                disconnect(tx, theirs[0].shop_id, error, now)
            self.defer(looking, now + RECONNECT, HELD)
        else:
            wait = timedelta(seconds=error.retry_after) if error.retry_after else ASK_AGAIN
            self.defer(looking, now + wait, "platform_unreachable")

    def _apply(self, shop_id: str, events: Sequence[Event], now: datetime) -> None:
        with self._store.work.transaction() as tx:
            reconnect(tx, shop_id, now)
            self._kiitos.runner.ingest(tx, shop_id, events, now)
