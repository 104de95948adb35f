"""The outbox: what is allowed now, the frozen bytes, and what became of each attempt (design section 2, 6 and 7).

`prepare` is T4 and `record` T5; between them, outside any transaction, the worker acts. An attempt whose outcome
nobody knows taints its effect for good: it is repeated only inside the provider's idempotency window, once for
transactional mail, never for marketing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.clock import Clock, from_text
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
    Unknown,
)
from connector.errors import KiitosError, Refused, TemplateError
from connector.model import Effect, EffectStatus, Purpose, Run, ShopStatus
from connector.standing import FLOW_HELD, tell_of_flow
from connector.store import effects, pace, runs, shops
from connector.store.db import Tx
from connector.store.effects import BY_HAND, Beginning
from connector.store.pace import RELEASED
from flows.addressing import Recipient, derive_token
from flows.aside import ASIDE, given_up, is_decided
from flows.composing import Case, Composes
from flows.definition import Flow
from flows.fairness import SATURATED, WAITED, limited
from flows.fate import CAME_BACK, learn
from flows.foreseeing import foresee
from flows.guards import GuardResult
from flows.heard import unheard
from flows.media import Way, sender_of, way_of
from flows.parting import parting
from flows.policy import AT_WORK, check
from flows.reach import fairness_of
from flows.records import RECORD, record
from flows.repeating import forgotten, known_still, no_longer_true
from flows.runner import Runner
from flows.situation import facts_of, look_at_run
from flows.suppressing import blame
from flows.telling import NOTIFY, compose_note, person_of
from flows.told import told_already
from flows.verdicts import Allow, Defer, Drop, Hold, Person, Verdict

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
    """Decides, freezes and records. It never acts. `base_url` is where the pages behind a person's links are."""

    def __init__(self, runner: Runner, composer: Composes, clock: Clock, *, salt: bytes, base_url: str = "") -> None:
        self._runner = runner
        self._composer = composer
        self._base_url = base_url
        self._clock = clock
        self._salt = salt

    def foresee(self, tx: Tx, waiting: Sequence[Effect]) -> None:
        """Read at once what a batch of effects, prepared one by one, is going to ask for."""
        foresee(tx, self._salt, waiting)

    def in_order(self, waiting: Sequence[Effect]) -> list[Effect]:
        """Order messages first, then those of the flows that go first: within a batch the winner takes the slot."""
        catalog = self._runner.catalog
        return sorted(
            waiting,
            key=lambda each: -catalog.priority(each.shop_id, each.flow_id) if each.purpose.needs_consent else -101,
        )

    def prepare(self, tx: Tx, effect: Effect, now: datetime, idempotent_for: float = 0.0) -> Prepared | None:
        """T4 for one due effect: `None` when policy deferred or dropped it, its run ended, or it may not be repeated
        (its channel knows a repetition for `idempotent_for` seconds)."""
        if not effect.run_id:
            return self._prepare_fetch(tx, effect, now)
        run = runs.get(tx, effect.shop_id, effect.run_id)
        by_hand = effect.result.get(BY_HAND)
        if run is None or (run.status.ended and not by_hand):
            self._drop(tx, effect, now, "run_ended", "the run had ended")
            return None
        if not by_hand and forgotten(effect, now, idempotent_for):
            self._doubt(tx, effect, now, f"{effect.reason}; too late to repeat it without sending it twice")
            return None
        settings = self._runner.catalog.settings(effect.shop_id)
        stored = shops.get(tx, effect.shop_id)
        shop = settings.shop
        if stored is not None and stored.status is not shop.status:
            shop = replace(shop, status=stored.status)
        situation = look_at_run(tx, shop, run)
        flow = self._runner.flow_of(tx, run)
        facts = facts_of(situation, shop, flow.params, now, self._salt, run=run, guides=settings.guides, tx=tx)
        if effect.kind in ASIDE:
            case = Case(
                effect=effect,
                run=run,
                settings=settings,
                shop=shop,
                situation=situation,
                facts=facts,
                recipient=Recipient(),
            )
            return self._prepare_aside(tx, case, flow, now)
        way = way_of(tx, effect, facts, settings, shop, situation, self._salt, now)
        if way.effect.channel != effect.channel and effect.kind == "message":
            effect = self._choose(tx, way, now)
        stale = None if by_hand else no_longer_true(flow, effect, facts)
        if stale is not None:
            self._drop_stale(tx, effect, stale, now)
            return None
        case = Case(
            effect=effect,
            run=run,
            settings=settings,
            shop=shop,
            situation=situation,
            facts=facts,
            recipient=way.recipient,
        )
        silent = None if by_hand else unheard(tx, flow, case, self._salt, now)
        if not self._let_pass(tx, case, silent or self._weigh(tx, case, way.person, now), now):
            return None
        once_only = effect.kind == "message" and not effect.tainted and not by_hand
        if once_only and (before := told_already(tx, run, effect)):
            self._drop(tx, effect, now, "told_already", "the same was told, nothing new came since", {"saw": before})
            return None
        if effect.kind != "message":
            effects.take(tx, Beginning(effect.shop_id, effect.id, now, now + LEASE))
            return Prepared(effect=effect, run=run)
        return self._freeze(tx, case, now)

    def _choose(self, tx: Tx, way: Way, now: datetime) -> Effect:
        """The message goes by another channel than the last time it was looked at; which one, and why, is kept."""
        effect = way.effect
        effects.choose_channel(tx, effect.shop_id, effect.id, effect.channel)
        self._note(tx, effect, now, "channel", {"chosen": effect.channel, **way.passed})
        return effect

    def _weigh(self, tx: Tx, case: Case, who: Person, now: datetime) -> Verdict:
        # Whoever asks for it by hand, or let it go, knows how late it is; consent and the rest hold for them too.
        since = case.effect.result.get(BY_HAND) or case.effect.result.get(RELEASED)
        asked = replace(case.effect, created_at=from_text(since)) if since else case.effect
        return check(asked, case.facts, who, now, lambda: fairness_of(tx, self._runner.catalog, case, who, now))

    def _prepare_aside(self, tx: Tx, case: Case, flow: Flow, now: datetime) -> Prepared | None:
        """What does not go to the customer (`flows.aside`)."""
        effect = case.effect
        if is_decided(flow, case.run, effect):
            self._drop(tx, effect, now, "task_decided", "the flow has gone on without it")
            return None
        if (end := given_up(effect, now)) is not None:
            self.fail(tx, effect, now, end.code, end.text)
            return None
        stale = None if effect.result.get(BY_HAND) else no_longer_true(flow, effect, case.facts)
        if stale is not None:
            self._drop_stale(tx, effect, stale, now)
            return None
        if not self._let_pass(tx, case, self._weigh(tx, case, Person(shop_status=case.shop.status), now), now):
            return None
        if effect.kind == RECORD:
            self._record_row(tx, case, now)
            return None
        if effect.kind == NOTIFY:
            return self._freeze_note(tx, case, flow, now)
        effects.take(tx, Beginning(effect.shop_id, effect.id, now, now + LEASE))
        return Prepared(effect=effect, run=case.run)

    def _record_row(self, tx: Tx, case: Case, now: datetime) -> None:
        """Carried out and settled here and now: there is nothing to prepare."""
        try:
            values = record(tx, case.effect, case.run, case.facts, now)
        except Refused as error:
            self.error(tx, case.effect, now, error)
        else:
            self._runner.follow_record(tx, case.run, case.facts, now)
            self.done(tx, case.effect, now, values)

    def _freeze_note(self, tx: Tx, case: Case, flow: Flow, now: datetime) -> Prepared | None:
        effect = case.effect
        try:
            told = compose_note(tx, case, person_of(case), flow.title or flow.id, self._salt, self._base_url, now)
        except (TemplateError, Refused) as error:
            self.error(tx, effect, now, error)
            return None
        sent = told.message
        effects.take(tx, effects.beginning(effect, sent, told.subject, now, now + LEASE))
        return Prepared(effect=effect, run=case.run, message=sent)

    def _let_pass(self, tx: Tx, case: Case, verdict: Verdict, now: datetime) -> bool:
        """Do what policy says and keep its reason; True when the effect may happen."""
        effect = case.effect
        match verdict:
            case Defer(until=until, code=code, reason=reason, detail=detail):
                fair = code in WAITED
                said = f"{code}: {reason}" if fair else code
                if effect.reason != said and code != AT_WORK:
                    self._note(tx, effect, now, "deferred", {"rule": code, "why": reason, **(detail if fair else {})})
                effects.defer(tx, effect.shop_id, effect.id, until, said)
            case Hold(code=code, reason=reason, detail=detail):
                pace.hold(tx, effect.shop_id, effect.id, f"{code}: {reason}")
                self._note(tx, effect, now, "held", {"rule": code, "why": reason, **detail})
                tell_of_flow(tx, effect.shop_id, FLOW_HELD, effect.flow_id, now)
            case Drop(code=code, reason=reason, detail=detail):
                self._drop(tx, effect, now, code, reason, detail)
                if code == SATURATED:
                    self._runner.ingest(tx, effect.shop_id, [parting(case, detail, now)], now)
            case Allow(detail=detail):
                if limited(effect) and not effect.attempts:
                    self._note(tx, effect, now, "allowed", detail)
                    pace.begins(tx, effect)
                return True
        return False

    def _prepare_fetch(self, tx: Tx, effect: Effect, now: datetime) -> Prepared | None:
        """What no run waits for (a look, a decision to be told): a shop that is gone is not asked any more."""
        stored = shops.get(tx, effect.shop_id)
        if stored is not None and stored.status is ShopStatus.UNINSTALLED:
            effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.SKIPPED, reason="shop_uninstalled")
            return None
        effects.take(tx, Beginning(effect.shop_id, effect.id, now, now + LEASE, effect.recipient))
        return Prepared(effect=effect, run=None)

    def _freeze(self, tx: Tx, case: Case, now: datetime) -> Prepared | None:
        """Render, keep the bytes, and mark the effect `sending`.

        What may have gone out once is repeated byte for byte. What certainly did not is rendered anew: meanwhile the
        customer may have corrected the address, and the parcel may have moved.
        """
        effect = case.effect
        key = derive_token(self._salt, "message", effect.shop_id, effect.id, length=24)
        content, subject, address = effect.content, effect.subject, effect.recipient
        if content is None or not effect.tainted:
            try:
                composed = self._composer.compose(tx, case, key, now)
            except (TemplateError, Refused) as error:
                self.error(tx, effect, now, error)
                return None
            content, subject, address = composed.content, composed.subject, case.recipient.address or ""
            if composed.fault:
                self._note(tx, effect, now, "template_fault", {"why": composed.fault})
        sender = sender_of(case.settings, effect.channel or "email")
        message = Message(key=key, channel=effect.channel or "email", sender=sender, recipient=address, content=content)
        message = replace(message, purpose=effect.purpose, shop_id=effect.shop_id)
        effects.take(tx, effects.beginning(effect, message, subject, now, now + LEASE))
        return Prepared(effect=effect, run=case.run, message=message)

    def record(self, tx: Tx, prepared: Prepared, outcome: Outcome, now: datetime, idempotent_for: float) -> None:
        """T5 for one message: store what the channel said and let the run go on."""
        effect = prepared.effect
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
            case Retry(text=text, after=after):
                self.again(tx, effect, now, text, after)
            case Unknown(text=text):
                self.unknown(tx, effect, now, text, idempotent_for)

    def done(self, tx: Tx, effect: Effect, now: datetime, values: Mapping[str, str], provider_id: str = "") -> None:
        effects.settle(
            tx, effect.shop_id, effect.id, now, EffectStatus.SENT, provider_id=provider_id, result=dict(values)
        )
        self._runner.settle(tx, effect, EffectDone(values), now)

    def fail(self, tx: Tx, effect: Effect, now: datetime, code: str, text: str) -> None:
        effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.FAILED, reason=f"{code}: {text}")
        self._runner.settle(tx, effect, EffectFailed(code, text), now)

    def again(self, tx: Tx, effect: Effect, now: datetime, text: str, after: float | None) -> None:
        """Certainly not done: put it back, with exponential back-off and jitter, not before the other side's wish."""
        if effect.attempts + 1 >= MAX_ATTEMPTS:
            given_up = f"{MAX_ATTEMPTS} attempts; the last said: {text}"
            if effect.tainted and effect.kind == "message":
                self._doubt(tx, effect, now, f"not repeated: GAVE_UP: {given_up}")
            else:
                self.fail(tx, effect, now, "GAVE_UP", given_up)
            return
        pause = min(timedelta(seconds=15 * 2 ** min(effect.attempts, 10)), _BACKOFF_CAP)
        pause *= 0.5 + self._clock.random() / 2
        if after is not None:
            pause = max(pause, timedelta(seconds=after))
        effects.retry(tx, effect.shop_id, effect.id, now, now + pause, text)

    def unknown(self, tx: Tx, effect: Effect, now: datetime, text: str, idempotent_for: float) -> None:
        """Nobody can say whether it was carried out: see the rule in this module's head. Unless its provider already
        told: an event may overtake the answer, or outlive the worker that waited for it."""
        if (sent := learn(tx, effect, now)) is not None:
            return self.done(tx, effect, now, {}) if sent else self.fail(tx, effect, now, *CAME_BACK)
        first = effect.first_try_at or now
        inside = known_still(first, now, idempotent_for)
        once_more = effect.kind != "message" or (effect.purpose is Purpose.TRANSACTIONAL and not effect.tainted)
        if inside or (once_more and effect.attempts + 1 < MAX_ATTEMPTS):
            pause = timedelta(seconds=1 if effect.kind == "message" else 15 * 2 ** min(effect.attempts, 8))
            effects.retry(tx, effect.shop_id, effect.id, now, now + pause, text, tainted=True)
            return self._note(tx, effect, now, "repeated", {"why": f"outcome unknown: {text}"})
        return self._doubt(tx, effect, now, text)

    def _doubt(self, tx: Tx, effect: Effect, now: datetime, text: str) -> None:
        """An earlier attempt may have arrived, and it is not repeated: "not sent" would be a guess. The run goes on."""
        effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.UNCERTAIN, reason=text)
        self._runner.settle(tx, effect, EffectDone({"uncertain": "true"}), now)

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
            effects.retry(tx, effect.shop_id, effect.id, now, now, text)

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
        if effect.tainted and effect.kind == "message":
            self._doubt(tx, effect, now, f"{effect.reason}; not repeated: {code}: {reason}")
            return
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
