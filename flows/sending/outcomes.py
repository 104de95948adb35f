"""What became of each attempt: recorded, repeated or left to a person (design section 2 and 7). T5 is here.

An attempt whose outcome nobody knows taints its effect for good. It is repeated inside the provider's idempotency
window; a provider that can be asked is asked first (`connector.working.doubts`); else order mail is repeated once
and marketing never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.clock import Clock
from connector.contracts import (
    DOUBTFUL,
    Accepted,
    EffectDone,
    EffectFailed,
    EffectSkipped,
    Message,
    Outcome,
    Rejected,
    Retry,
    Scope,
    Unknown,
)
from connector.errors import KiitosError
from connector.model import Channel as Medium
from connector.model import Effect, EffectStatus, Purpose, Run
from connector.store import effects, providers, runs
from connector.store.db import Tx
from flows.care import surveys
from flows.guards import GuardResult
from flows.people.suppressing import blame, note_refusal
from flows.reviews import requests as review_requests
from flows.runner import Runner
from flows.sending.fate import CAME_BACK, learn
from flows.sending.repeating import gives_money, in_doubt, known_still, looks_first
from flows.sending.routing import OPEN_MOST, Routing

MAX_ATTEMPTS = 400
"""A guard only: policy drops what has become too late (7 days, marketing class 48 h) long before."""
LOOK_AFTER = timedelta(seconds=30)
"""From an unknown outcome to the first look: a provider's index needs a moment."""
TOLD_WITHIN = timedelta(minutes=5)
"""How long an event of a provider that knows no keys is waited for before order mail is repeated."""
_BACKOFF_CAP = timedelta(hours=1)
_DEATHS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An effect in state `sending`, committed before the call. `message` is set for messages, `run` unless a fetch;
    `provider` is the channel that takes the message, empty where the shop's first one does."""

    effect: Effect
    run: Run | None
    message: Message | None = None
    provider: str = ""

    @property
    def key(self) -> str:
        """Under which the ledger and the other side know it."""
        return self.message.key if self.message is not None else self.effect.id

    @property
    def by_channel(self) -> bool:
        """Whether a channel takes it, and not the shop's platform or an endpoint."""
        return self.message is not None and self.message.channel != Medium.PLATFORM


class Outcomes:
    """Records. It never acts and never decides what goes out."""

    def __init__(self, runner: Runner, clock: Clock, routing: Routing | None) -> None:
        self._runner = runner
        self._clock = clock
        self._routing = routing

    def record(self, tx: Tx, prepared: Prepared, outcome: Outcome, now: datetime, idempotent_for: float) -> None:
        """T5 for one message: store what the channel said and let the run go on."""
        effect = prepared.effect
        if isinstance(outcome, Rejected | Retry) and prepared.message is not None and effect.kind == "message":
            note_refusal(tx, effect, prepared.provider, outcome, prepared.message.recipient, now)
        match outcome:
            case Accepted(provider_id=provider_id):
                self.done(tx, effect, now, {"provider_id": provider_id} if provider_id else {}, provider_id)
            case Rejected(code=code, text=text, bad_address=bad_address, objected=objected):
                if (bad_address or objected) and prepared.message is not None and effect.kind == "message":
                    blame(tx, effect, prepared.message.recipient, objected, now)
                if effect.tainted and not bad_address:
                    self._doubt(tx, effect, now, f"not repeated: {code}: {text}")
                else:
                    self.fail(tx, effect, now, code, text)
            case Retry(text=text, after=after, scope=scope):
                if scope is Scope.MESSAGE:
                    self.again(tx, effect, now, text, after)
                elif not self._handed_over(tx, prepared, now, text):
                    self.again(tx, effect, now, text, after, OPEN_MOST)
            case Unknown(text=text):
                self.unknown(tx, effect, now, text, idempotent_for, prepared.provider)

    def learn(self, tx: Tx, told: Sequence[tuple[Prepared, Outcome]], now: datetime) -> None:
        """What a batch taught of its providers."""
        if self._routing is not None:
            routed = ((item.effect.shop_id, item.provider, outcome) for item, outcome in told if item.provider)
            self._routing.learn(tx, routed, now)

    def _handed_over(self, tx: Tx, prepared: Prepared, now: datetime, text: str) -> bool:
        """To the shop's next provider, at once, what this one certainly did not accept; False where there is none."""
        effect, name = prepared.effect, prepared.provider
        if self._routing is None or not name or prepared.message is None:
            return False
        settings = self._runner.catalog.settings(effect.shop_id)
        other = self._routing.next_after(tx, effect, settings, prepared.message.channel, name, now)
        if not other:
            return False
        providers.go_by(tx, effect.shop_id, effect.id, other)
        effects.retry(tx, effect.shop_id, effect.id, now, now, text)
        self._note(tx, effect, now, "provider", {"chosen": other, "why": f"{name}: {text}"})
        return True

    def done(self, tx: Tx, effect: Effect, now: datetime, values: Mapping[str, str], provider_id: str = "") -> None:
        effects.settle(
            tx, effect.shop_id, effect.id, now, EffectStatus.SENT, provider_id=provider_id, result=dict(values)
        )
        self._runner.settle(tx, effect, EffectDone(values), now)

    def fail(self, tx: Tx, effect: Effect, now: datetime, code: str, text: str) -> None:
        surveys.unask(tx, effect)
        review_requests.unask(tx, effect)
        effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.FAILED, reason=f"{code}: {text}")
        self._runner.settle(tx, effect, EffectFailed(code, text), now)

    def again(
        self,
        tx: Tx,
        effect: Effect,
        now: datetime,
        text: str,
        after: float | None,
        most: timedelta = _BACKOFF_CAP,
    ) -> None:
        """Certainly not done: put it back, with exponential back-off and jitter, not before the other side's wish.

        Where not the message but its provider was at fault, `most` is as long as its breaker stays open: once it
        answers, nobody waits an hour more.
        """
        if effect.attempts + 1 >= MAX_ATTEMPTS:
            given_up = f"{MAX_ATTEMPTS} attempts; the last said: {text}"
            if in_doubt(effect):
                self._doubt(tx, effect, now, f"not repeated: GAVE_UP: {given_up}")
            else:
                self.fail(tx, effect, now, "GAVE_UP", given_up)
            return
        pause = min(timedelta(seconds=15 * 2 ** min(effect.attempts, 10)), most)
        pause *= 0.5 + self._clock.random() / 2
        if after is not None:
            pause = max(pause, timedelta(seconds=after))
        effects.retry(tx, effect.shop_id, effect.id, now, now + pause, text)

    def unknown(
        self, tx: Tx, effect: Effect, now: datetime, text: str, idempotent_for: float, provider: str = ""
    ) -> None:
        """Nobody can say whether it was carried out: see the rule in this module's head. Unless its provider already
        told: an event may overtake the answer, or outlive the worker that waited for it."""
        if (sent := learn(tx, effect, now)) is not None:
            return self.done(tx, effect, now, {}) if sent else self.fail(tx, effect, now, *CAME_BACK)
        first = effect.first_try_at or now
        inside = known_still(first, now, idempotent_for)
        message = not looks_first(effect)
        name = self._name(tx, effect, provider) if message and not inside else ""
        once_more = not message or (effect.purpose is Purpose.TRANSACTIONAL and not effect.tainted)
        if message:
            providers.doubt(tx, effect.shop_id, effect.id, provider)
        if self._routing is not None and self._routing.looks_up(name):
            effects.retry(tx, effect.shop_id, effect.id, now, now + LOOK_AFTER, text, tainted=True)
            return self._note(tx, effect, now, "asking", {"why": f"outcome unknown: {text}"})
        if inside or (once_more and effect.attempts + 1 < MAX_ATTEMPTS):
            pause = timedelta(seconds=1 if message else 15 * 2 ** min(effect.attempts, 8))
            if self._routing is not None and self._routing.tells(name):
                pause = TOLD_WITHIN
            effects.retry(tx, effect.shop_id, effect.id, now, now + pause, text, tainted=True)
            return self._note(tx, effect, now, "repeated", {"why": f"outcome unknown: {text}"})
        return self._doubt(tx, effect, now, text)

    def _name(self, tx: Tx, effect: Effect, provider: str) -> str:
        """The provider it went by, where that was noted."""
        return provider or providers.way_of(tx, effect.shop_id, effect.id).provider

    def looked(self, tx: Tx, effect: Effect, provider: str, found: Accepted | None, now: datetime) -> None:
        """The provider was asked about an unknown outcome, and knows: it has the message, or it certainly has not."""
        if found is not None:
            self._note(tx, effect, now, "asked", {"provider": provider, "why": "it has the message"})
            named = {"provider_id": found.provider_id} if found.provider_id else {}
            self.done(tx, effect, now, named, found.provider_id)
            return
        self._note(tx, effect, now, "asked", {"provider": provider, "why": "it has no trace of the message"})
        effects.defer(tx, effect.shop_id, effect.id, now, f"{effect.reason}; {provider} has no trace of it")

    def _doubt(self, tx: Tx, effect: Effect, now: datetime, text: str) -> None:
        """An earlier attempt may have arrived, and it is not repeated: "not sent" would be a guess. The run goes on
        and tells nobody of money that they may not have."""
        effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.UNCERTAIN, reason=text)
        told = EffectFailed(DOUBTFUL, text) if gives_money(effect) else EffectDone({"uncertain": "true"})
        self._runner.settle(tx, effect, told, now)

    def expired(self, tx: Tx, effect: Effect, now: datetime, idempotent_for: float) -> None:
        """A worker died while this was `sending`: the same as an unknown outcome."""
        self.unknown(tx, effect, now, "the worker stopped while sending", idempotent_for)

    def unsent(self, tx: Tx, effect: Effect, now: datetime) -> None:
        """A worker died while this was `sending`, and certainly before anything of it left: try again at once.

        When workers keep dying at it, with pauses: they part the message that kills from its neighbours in the batch.
        """
        text = "the worker stopped before sending"
        if effect.attempts > _DEATHS:
            self.again(tx, effect, now, text, None)
        else:
            # It keeps its place: were this clock an hour ahead, "now" would be in an hour for everybody else.
            effects.retry(tx, effect.shop_id, effect.id, now, min(now, effect.due_at), text)

    def error(self, tx: Tx, effect: Effect, now: datetime, error: KiitosError) -> None:
        """A refusal that no retry will change."""
        self.fail(tx, effect, now, getattr(error, "provider_code", "") or error.code, error.message)

    def doubtful(self, tx: Tx, effect: Effect, now: datetime, error: KiitosError) -> None:
        """Perhaps done, and looking did not tell: never again by itself. A person sees it as `uncertain`; the run goes
        on as after a failure, so that nobody is promised what they may not have."""
        effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.UNCERTAIN, reason=error.message)
        self._runner.settle(tx, effect, EffectFailed(DOUBTFUL, error.message), now)

    def strand(self, tx: Tx, effect: Effect, now: datetime, outcome: Outcome | None = None) -> None:
        """Something of ours broke around this effect: record what is certain, and end its run with the reason kept.

        Without an outcome nothing was sent. The run does not go on, so that nobody hears a half-told story.
        """
        sent = isinstance(outcome, Accepted)
        status = EffectStatus.SENT if sent else EffectStatus.UNCERTAIN if outcome else EffectStatus.FAILED
        effects.settle(tx, effect.shop_id, effect.id, now, status, reason="" if sent else "INTERNAL: see the log")
        if effect.run_id:
            self._runner.strand(tx, effect.shop_id, effect.run_id, now)
        elif status is EffectStatus.FAILED:
            self._runner.settle(tx, effect, EffectFailed("INTERNAL", "see the log"), now)

    def give_up(self, tx: Tx, effect: Effect, now: datetime, code: str, reason: str) -> None:
        """A person decided against it."""
        self._drop(tx, effect, now, code, reason)

    def _drop_stale(self, tx: Tx, effect: Effect, stale: GuardResult, now: datetime) -> None:
        reason = f"{stale.path} {stale.op} {stale.wanted}"
        self._drop(tx, effect, now, "no_longer_true", reason, {"saw": str(stale.saw)})

    def _drop(
        self,
        tx: Tx,
        effect: Effect,
        now: datetime,
        code: str,
        reason: str,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        if in_doubt(effect):
            self._doubt(tx, effect, now, f"{effect.reason}; not repeated: {code}: {reason}")
            return
        surveys.unask(tx, effect)
        review_requests.unask(tx, effect)
        effects.settle(
            tx,
            effect.shop_id,
            effect.id,
            now,
            EffectStatus.SKIPPED,
            reason=f"{code}: {reason}",
            result=dict(detail or {}),
        )
        self._runner.settle(tx, effect, EffectSkipped(code), now)

    def _note(self, tx: Tx, effect: Effect, now: datetime, what: str, detail: Mapping[str, str]) -> None:
        if effect.run_id:
            runs.journal(tx, effect.shop_id, effect.run_id, now, effect.step_id, what, detail)
