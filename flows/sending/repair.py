"""What a person decides about messages and effects that failed, or of which nobody knows whether they happened.

Consent, suppressions and the state of the order are asked again when a retried message leaves; only lateness and the
flow's own guards are waived. Each decision is a line in the run's journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from connector.model import Effect, EffectStatus, Run, RunStatus
from connector.store import effects, referrals, runs
from connector.store.db import Tx
from flows.referring.reasons import NOT_MADE
from flows.runner import RunMoved, Runner

_OPEN = (EffectStatus.FAILED, EffectStatus.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether it was done, and a sentence for the person: what happens next, or why not."""

    done: bool
    text: str


def retry(tx: Tx, runner: Runner, effect: Effect, now: datetime, *, force: bool = False) -> Answer:
    """Have the worker try it again. A marketing message that may have arrived is repeated only by `force`.

    A run that ended, or went on without the failed step and did nothing since, is put back to that step and goes on
    from there: a code that is made at last is also mailed. Raises `RunMoved` when the run moves at this moment.
    """
    if effect.status not in _OPEN:
        return Answer(False, f"it is {effect.status}; only what failed or is uncertain can be tried again")
    run = runs.get(tx, effect.shop_id, effect.run_id) if effect.run_id else None
    if effect.run_id and run is None:
        return Answer(False, "the run it belongs to is gone (erased)")
    if run is not None and run.status is RunStatus.CANCELLED:
        return Answer(False, f"its flow was cancelled: {run.reason}")
    doubtful = effect.status is EffectStatus.UNCERTAIN and effect.kind == "message"
    if doubtful and effect.purpose.needs_consent and not force:
        return Answer(False, "it may have arrived, and marketing is never sent twice; repeat it with --force")
    put_back = run is not None and effect.status is EffectStatus.FAILED and _put_back(tx, runner, run, effect, now)
    effects.reopen(tx, effect.shop_id, effect.id, now)
    _note(tx, effect, now, {"did": "retry", "was": str(effect.status), "forced": "true" if force else ""})
    text = "the worker tries it again" + (", and the flow goes on from there" if put_back else "")
    return Answer(True, text + ("; it may arrive twice" if doubtful else ""))


def settle(tx: Tx, effect: Effect, now: datetime, *, sent: bool) -> Answer:
    """Write down what a person found out (in the mail server's log, in the shop): it was carried out, or was not."""
    if effect.status not in _OPEN:
        return Answer(False, f"it is {effect.status}; only what failed or is uncertain can be settled")
    status = EffectStatus.SENT if sent else EffectStatus.FAILED
    reason = "" if sent else "by hand: it was not carried out"
    effects.settle(tx, effect.shop_id, effect.id, now, status, reason=reason, result=effect.result)
    _note(tx, effect, now, {"did": "settle", "was": str(effect.status), "now": str(status)})
    return Answer(True, f"it counts as {status}")


def _put_back(tx: Tx, runner: Runner, run: Run, effect: Effect, now: datetime) -> bool:
    """Let the run wait for the effect again, unless it has done something else since."""
    index = runner.flow_of(tx, run).index(effect.step_id)
    later = [other for other in effects.of_run(tx, run.shop_id, run.id) if other.created_at > effect.created_at]
    if index is None or later or not run.status.ended:
        return False
    outcomes = {step: values for step, values in run.outcomes.items() if step != effect.step_id}
    waiting = replace(
        run, status=RunStatus.ACTING, step=index, outcomes=outcomes, reason="", wake_at=None, updated_at=now
    )
    if not runs.save(tx, waiting):
        raise RunMoved(run.id)
    rewards = run.order_id if run.event.get("referral_id") else None
    referral = referrals.by_order(tx, run.shop_id, rewards) if rewards else None
    if referral is not None and referral.reason in (NOT_MADE, run.reason):
        referrals.set_state(tx, run.shop_id, referral.id, "held", "", now, only_from=("refused",))
    return True


def _note(tx: Tx, effect: Effect, now: datetime, detail: Mapping[str, str]) -> None:
    if effect.run_id:
        told = {name: value for name, value in detail.items() if value}
        runs.journal(tx, effect.shop_id, effect.run_id, now, effect.step_id, "by_hand", told)
