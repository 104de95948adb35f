"""Effects of a restored database that had left before: recognised by the send ledger when their turn comes.

The ledger was read into `sent_before` by `kiitos restore`. An effect found there as sent is recorded as sent, and its
run goes on as if this database had sent it. One that is in doubt is treated as any unknown outcome: order mail goes
once more, what is of the marketing class or costs money is shown to a person and not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.app import Kiitos
from connector.errors import Refused
from connector.log import get_log
from connector.model import Effect, Run
from connector.send_ledger import key_of
from connector.store import restored, runs
from connector.store.db import Tx
from connector.store.restored import Before, Known
from flows.sending.aside import CALL
from flows.sending.telling import NOTIFY

TEXT = "it may have been done before the restore: the send ledger does not say"

log = get_log("restored")


def sift(kiitos: Kiitos, tx: Tx, waiting: Sequence[Effect], now: datetime) -> list[Effect]:
    """Those of `waiting` that still have to be done; what had left before is settled here."""
    if not waiting or not restored.anything(tx):
        return list(waiting)
    known = _known(kiitos, tx, waiting)
    left = []
    for effect, run, key in known:
        before = restored.of(tx, effect.shop_id, [key]).get(key)
        if before is None or not _settled(kiitos, tx, effect, run, before, now):
            left.append(effect)
    return left


def _known(kiitos: Kiitos, tx: Tx, waiting: Sequence[Effect]) -> list[tuple[Effect, Run | None, str]]:
    found = [(effect, runs.get(tx, effect.shop_id, effect.run_id) if effect.run_id else None) for effect in waiting]
    return [(effect, run, key_of(kiitos.salt, effect, run)) for effect, run in found]


def _settled(kiitos: Kiitos, tx: Tx, effect: Effect, run: Run | None, before: Before, now: datetime) -> bool:
    """Settle it by what is known; False when it is to be done again, which does no harm."""
    message, sent = effect.kind in ("message", NOTIFY), before.fate is Known.SENT
    if (effect.tainted and not sent) or not (message or effect.kind == CALL or _costs(kiitos, effect)):
        return False
    if run is not None:
        runs.journal(tx, effect.shop_id, run.id, now, effect.step_id, "restored", {"why": before.fate.value})
    restored.meet(tx, effect.shop_id, key_of(kiitos.salt, effect, run), now)
    log.info("left_before_restore", shop_id=effect.shop_id, effect_id=effect.id, fate=before.fate.value)
    if message and sent:
        kiitos.outbox.done(tx, effect, before.at, {"before": "restore"})
    elif message or (run is not None and run.created_at <= before.at):
        # The same run as then: what it does to the platform has the same name there, and is found.
        kiitos.outbox.unknown(tx, effect, now, TEXT, 0.0)
    else:
        kiitos.outbox.doubtful(tx, effect, now, Refused(TEXT))
    return True


def _costs(kiitos: Kiitos, effect: Effect) -> bool:
    step = kiitos.registry.steps.get(str(effect.request.get("do", "")))
    return step is not None and step.costly
