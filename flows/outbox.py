"""The outbox: what is allowed now, the frozen bytes, and what became of each attempt (design section 2, 6 and 7).

`prepare` is T4 and `record` T5; between them, outside any transaction, the worker acts. An attempt whose outcome
nobody knows taints its effect for good: it is repeated only inside the provider's idempotency window, once for
transactional mail, never for marketing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.clock import Clock, from_text
from connector.contracts import (
    Accepted,
    EffectDone,
    EffectFailed,
    EffectSkipped,
    Message,
    Outcome,
    Rejected,
    Retry,
    Unknown,
)
from connector.errors import KiitosError, Refused, TemplateError
from connector.model import Channel, Effect, EffectStatus, Purpose, Run, ShopStatus, email_key
from connector.store import effects, runs, shops, suppressions
from connector.store.db import Tx
from connector.store.effects import BY_HAND
from flows.addressing import derive_token, recipient_of
from flows.composing import Case, Composer
from flows.definition import Flow
from flows.facts import Facts
from flows.guards import GuardResult
from flows.policy import Allow, Defer, Drop, check
from flows.runner import Runner
from flows.situation import facts_of, look, person
from flows.told import told_already

if TYPE_CHECKING:
    from flows.render.renderer import Renderer

LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 400
"""A guard only: policy drops what has become too late (7 days, marketing class 48 h) long before."""
_BACKOFF_CAP = timedelta(hours=1)
_DEATHS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An effect in state `sending`, committed before the call. `message` is set for messages, `run` unless a fetch."""

    effect: Effect
    run: Run | None
    message: Message | None = None


class Outbox:
    """Decides, freezes and records. It never acts."""

    def __init__(self, runner: Runner, renderer: Renderer, clock: Clock, *, base_url: str, salt: bytes) -> None:
        self._runner = runner
        self._composer = Composer(renderer, base_url, salt)
        self._clock = clock
        self._salt = salt

    def prepare(self, tx: Tx, effect: Effect, now: datetime) -> Prepared | None:
        """T4 for one due effect: `None` when policy deferred or dropped it, or its run ended."""
        if not effect.run_id:
            return self._prepare_fetch(tx, effect, now)
        run = runs.get(tx, effect.shop_id, effect.run_id)
        by_hand = effect.result.get(BY_HAND)
        if run is None or (run.status.ended and not by_hand):
            self._drop(tx, effect, now, "run_ended", "the run had ended")
            return None
        settings = self._runner.catalog.settings(effect.shop_id)
        stored = shops.get(tx, effect.shop_id)
        shop = settings.shop
        if stored is not None and stored.status is not shop.status:
            shop = replace(shop, status=stored.status)
        situation = look(tx, shop, run.order_id, run.customer_id)
        flow = self._runner.flow_of(tx, run)
        facts = facts_of(situation, shop, flow.params, now, self._salt, run=run)
        recipient = recipient_of(tx, shop, str(effect.request.get("to", "customer")), situation)
        if effect.tainted and effect.recipient:
            # What may have been sent once is repeated to the same address, or not at all: so that one is asked about.
            recipient = replace(recipient, address=effect.recipient)
