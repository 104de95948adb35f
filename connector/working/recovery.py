"""After a worker's death: settle what it was sending, as far as its ledger tells (connector.ledger)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.clock import to_text
from connector.contracts import Outcome, Unknown
from connector.ledger import Attempt, Fate, Ledger
from connector.log import get_log
from connector.model import Effect, EffectStatus
from connector.send_ledger import key_of
from connector.store import effects, providers
from connector.store.db import Tx
from connector.watching.sending_traces import SendTraces
from connector.working.intake import again_if_moved
from flows.outbox import LEASE
from flows.sending.outcomes import Prepared

_LEASE_MARGIN = timedelta(seconds=30)

log = get_log("recovery")


def settle_left_behind(kiitos: Kiitos, ledger: Ledger) -> None:
    """Read the ledgers of this machine's dead workers: what was certainly not sent is due again at once, what was
    accepted is sent, and the rest is unknown now instead of at the end of its lease. Raises `StoreUnavailable`."""
    for trace in ledger.left_behind():
        settled = again_if_moved(lambda fates=trace.fates: _settle(kiitos, fates))  # type: ignore[misc]
        if settled:
            log.info("dead_worker_settled", dead=trace.worker, effects=settled)


def attempt_of(salt: bytes, item: Prepared, now: datetime) -> Attempt:
    """What the ledgers keep of an effect that is begun now."""
    effect = item.effect
    name = key_of(salt, effect, item.run)
    return Attempt(item.key, effect.attempts + 1, to_text(now + LEASE), effect.shop_id, effect.id, name)


def repeatable_for(kiitos: Kiitos, tx: Tx, effect: Effect) -> float:
    """Seconds within which the effect's provider takes a repetition for the same message; 0 for platform effects."""
    if effect.kind != "message" or not kiitos.catalog.knows(effect.shop_id):
        return 0.0
    names = kiitos.catalog.settings(effect.shop_id).providers(effect.channel or "email")
    name = (*names, "")[0]
    if effect.attempts and (len(names) > 1 or effect.tainted):
        name = providers.way_of(tx, effect.shop_id, effect.id).provider or name
    return kiitos.channels.named(name).idempotent_for if name in kiitos.config.channels else 0.0


def _settle(kiitos: Kiitos, left: Sequence[tuple[Attempt, Fate]]) -> int:
    now = kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        return sum(_settle_one(kiitos, tx, attempt, fate, now) for attempt, fate in left)


def _settle_one(kiitos: Kiitos, tx: Tx, attempt: Attempt, fate: Fate, now: datetime) -> bool:
    effect = effects.get(tx, attempt.shop_id, attempt.effect_id)
    if effect is None or not _is_under_way(effect, attempt, now):
        return False
    if fate is Fate.UNSENT:
        kiitos.outbox.unsent(tx, effect, now)
    elif fate is Fate.ACCEPTED:
        kiitos.outbox.done(tx, effect, now, {})
    else:
        kiitos.outbox.expired(tx, effect, now, repeatable_for(kiitos, tx, effect))
    return True


def _is_under_way(effect: Effect, attempt: Attempt, now: datetime) -> bool:
    """Whether the effect is still in this very attempt. Near the lease's end others may take it up: they decide."""
    lease = effect.lease_until
    if effect.status is not EffectStatus.SENDING or lease is None or lease <= now + _LEASE_MARGIN:
        return False
    return (effect.attempts, to_text(lease)) == (attempt.number, attempt.lease_until)


def outcome_of(item: Prepared, outcomes: Mapping[str, Outcome]) -> Outcome:
    """Its message's outcome; one the channel left out is unknown."""
    assert item.message is not None
    key = item.message.key
    return outcomes.get(key) or Unknown(key=key, text="the channel gave no answer")


def prepare_one(kiitos: Kiitos, traces: SendTraces, tx: Tx, effect: Effect, now: datetime) -> Prepared | None:
    """Check and freeze an effect that is due (T4), as a part of its trace; `None` when nothing is to be done now."""
    with traces.preparing(tx, effect):
        return kiitos.outbox.prepare(tx, effect, now, repeatable_for(kiitos, tx, effect))
