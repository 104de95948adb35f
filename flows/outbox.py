"""The outbox: what is allowed now, the frozen bytes, and what became of each attempt (design section 2, 6 and 7).

`prepare` is T4 and `record` T5; between them, outside any transaction, the worker acts. An attempt whose outcome
nobody knows taints its effect for good: it is repeated only inside the provider's idempotency window, once for
transactional mail, never for marketing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connector.clock import Clock, from_text
from connector.config import ShopSettings
from connector.contracts import EffectSkipped, Message
from connector.errors import Refused, TemplateError
from connector.model import Effect, EffectStatus, ShopStatus
from connector.standing import FLOW_HELD, tell_of_flow
from connector.store import effects, pace, providers, runs, shops
from connector.store.db import Tx
from connector.store.effects import BY_HAND, Beginning
from connector.store.pace import RELEASED
from flows.care import surveys
from flows.definition import Flow
from flows.knowing.situation import facts_of, look_at_run
from flows.limits.fairness import SATURATED, WAITED, limited
from flows.limits.reach import fairness_of
from flows.limits.verdicts import Allow, Defer, Drop, Hold, Person, Verdict
from flows.people.parting import parting
from flows.policy import AT_WORK, check
from flows.referring.heard import unheard
from flows.reviews import requests as review_requests
from flows.reviews.asked import asks_for_review
from flows.reviews.incentives import rewards
from flows.runner import Runner
from flows.sending.addressing import Recipient, derive_token
from flows.sending.aside import ASIDE, given_up, is_decided
from flows.sending.composing import Case, Composes
from flows.sending.foreseeing import foresee
from flows.sending.media import PLATFORM, Way, sender_of, way_of
from flows.sending.outcomes import Outcomes, Prepared
from flows.sending.records import RECORD, record
from flows.sending.repeating import forgotten, known_still, looks_first, no_longer_true
from flows.sending.routing import RATE, Go, Gone, Routing, Wait, shortly
from flows.sending.telling import NOTIFY, compose_note, person_of
from flows.sending.told import told_already

LEASE = timedelta(minutes=5)
_NO_PROVIDER = frozenset({"chat", PLATFORM})


class Outbox(Outcomes):
    """Decides, freezes and records. It never acts. `base_url` is where the pages behind a person's links are. Without
    `routing` every message goes by its shop's first provider at once (a look back at a year)."""

    def __init__(
        self,
        runner: Runner,
        composer: Composes,
        clock: Clock,
        *,
        salt: bytes,
        base_url: str = "",
        routing: Routing | None = None,
    ) -> None:
        super().__init__(runner, clock, routing)
        self._composer = composer
        self._base_url = base_url
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
        if not by_hand and self._too_often(tx, effect, now, idempotent_for):
            self._doubt(tx, effect, now, f"{effect.reason}; too late to repeat it without sending it twice")
            return None
        settings, adapter = self._runner.catalog.settings(effect.shop_id), self._runner.catalog.adapter
        stored = shops.get(tx, effect.shop_id)
        shop = settings.shop
        if stored is not None and stored.status is not shop.status:
            shop = replace(shop, status=stored.status)
        situation = look_at_run(tx, shop, run)
        flow = self._runner.flow_of(tx, run)
        facts = facts_of(
            situation, shop, flow.texts, now, self._salt, run=run, guides=settings.guides, tx=tx, leaving=True
        )
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
        way = way_of(tx, effect, facts, settings, shop, situation, self._salt, now, adapter)
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
            rewarded=asks_for_review(effect) and rewards(self._runner.catalog, shop.id, now, flow),
        )
        silent = None if by_hand else unheard(tx, flow, case, self._salt, now, adapter)
        go = self._route(tx, effect, settings, now)
        if go is None or not self._let_pass(tx, case, silent or self._weigh(tx, case, way.person, now), now):
            return None
        once_only = effect.kind == "message" and not effect.tainted and not by_hand
        if once_only and (before := told_already(tx, run, effect)):
            self._drop(tx, effect, now, "told_already", "the same was told, nothing new came since", {"saw": before})
            return None
        if effect.kind != "message":
            effects.take(tx, Beginning(effect.shop_id, effect.id, now, now + LEASE))
            return Prepared(effect=effect, run=run)
        if not self._set_out(tx, effect, settings, go, now):
            return None
        return self._freeze(tx, case, go, now)

    def _too_often(self, tx: Tx, effect: Effect, now: datetime, idempotent_for: float) -> bool:
        """A repetition that might be a second message: of the marketing class never, of order mail once."""
        if forgotten(effect, now, idempotent_for):
            return True
        if looks_first(effect) or not effect.tainted or known_still(effect.first_try_at or now, now, idempotent_for):
            return False
        return providers.way_of(tx, effect.shop_id, effect.id).doubts > 1

    def _route(self, tx: Tx, effect: Effect, settings: ShopSettings, now: datetime) -> Go | None:
        """By which provider the message may go now; `None` when it waits for one, or has none any more."""
        if effect.kind not in ("message", NOTIFY) or self._routing is None or effect.channel in _NO_PROVIDER:
            return Go("")
        match self._routing.choose(tx, effect, settings, effect.channel or "email", now):
            case Go() as go:
                if go.passed and not effect.attempts:
                    why = "; ".join(f"{name}: {reason}" for name, reason in go.passed.items())
                    self._note(tx, effect, now, "provider", {"chosen": go.provider, "why": why})
                return go
            case Wait(until=until, rule=rule, detail=detail):
                said = f"{rule}: {detail['provider']}: {detail['why']}"
                if not effect.reason.startswith(f"{rule}: {detail['provider']}"):
                    self._note(tx, effect, now, "deferred", {"rule": rule, **detail})
                effects.defer(tx, effect.shop_id, effect.id, until, said)
            case Gone(provider=provider):
                text = f"{effect.reason}; not repeated: the channel '{provider}' it went by is not configured any more"
                self._doubt(tx, effect, now, text)
        return None

    def _set_out(self, tx: Tx, effect: Effect, settings: ShopSettings, go: Go, now: datetime) -> bool:
        """Spend the provider's share; otherwise the message is due again in a moment."""
        if self._routing is None or not go.provider:
            return True
        if self._routing.take(tx, effect, settings, effect.channel or "email", go, now):
            return True
        effects.defer(tx, effect.shop_id, effect.id, shortly(now), f"{RATE}: another worker was first")
        return False

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
        """What does not go to the customer (`flows.sending.aside`)."""
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
            written = record(tx, case.effect, case.run, case.facts, now, case.settings.loyalty.expires)
        except Refused as error:
            self.error(tx, case.effect, now, error)
        else:
            self._runner.follow_record(tx, case.run, case.facts, now)
            self.done(tx, case.effect, now, written.values)
            # Last: what they lead to may end the run, which has then done this step.
            told = self._runner.loyalty.given(tx, case.effect.shop_id, written.changes, now)
            if told:
                self._runner.ingest(tx, case.effect.shop_id, told, now)

    def _freeze_note(self, tx: Tx, case: Case, flow: Flow, now: datetime) -> Prepared | None:
        effect = case.effect
        try:
            told = compose_note(tx, case, person_of(case), flow.title or flow.id, self._salt, self._base_url, now)
        except (TemplateError, Refused) as error:
            self.error(tx, effect, now, error)
            return None
        sent = told.message
        by = replace(effect, channel=sent.channel)
        go = self._route(tx, by, case.settings, now)
        if go is None or not self._set_out(tx, by, case.settings, go, now):
            return None
        effects.take(tx, effects.beginning(effect, sent, told.subject, now, now + LEASE))
        return Prepared(effect=effect, run=case.run, message=sent, provider=go.provider)

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
            self._runner.settle(tx, effect, EffectSkipped("shop_uninstalled"), now)
            return None
        effects.take(tx, Beginning(effect.shop_id, effect.id, now, now + LEASE, effect.recipient))
        return Prepared(effect=effect, run=None)

    def _freeze(self, tx: Tx, case: Case, go: Go, now: datetime) -> Prepared | None:
        """Render, keep the bytes, and mark the effect `sending`.

        What may have gone out once is repeated byte for byte. What certainly did not is rendered anew: meanwhile the
        customer may have corrected the address, and the parcel may have moved.
        """
        effect = case.effect
        key = self._key(effect)
        content, subject, address = effect.content, effect.subject, effect.recipient
        if content is None or not effect.tainted:
            try:
                surveys.ask(tx, case, now)
                review_requests.ask(tx, case, now)
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
        return Prepared(effect=effect, run=case.run, message=message, provider=go.provider)

    def frozen(self, effect: Effect) -> Message | None:
        """The message as the last attempt had it; `None` where there was none."""
        if effect.content is None or effect.kind != "message":
            return None
        return Message(
            key=self._key(effect),
            channel=effect.channel or "email",
            sender=effect.sender,
            recipient=effect.recipient,
            content=effect.content,
            purpose=effect.purpose,
            shop_id=effect.shop_id,
        )

    def _key(self, effect: Effect) -> str:
        return derive_token(self._salt, "message", effect.shop_id, effect.id, length=24)
