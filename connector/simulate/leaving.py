"""Effects of one life on their way out: decided by the product's own policy, then taken by everybody they are for.

What `flows.outbox` does with rows of a store: each rule is asked in the same order, with what folders know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time
from functools import partial

from connector.contracts import Access, EffectDone, EffectSkipped, PlatformAdapter
from connector.errors import KiitosError
from connector.model import ConsentState, Effect, EffectStatus, EventKind, Purpose, Run
from connector.simulate.acts import Act, Uncovered
from connector.simulate.knowing import Knowing
from connector.simulate.walks import Walks
from connector.store.effects import BY_HAND
from connector.store.review_asks import Names, joined, latest
from connector.working.carrier import SEND
from flows import engine
from flows.catalog import Catalog
from flows.facts import Facts
from flows.knowing.situation import Situation
from flows.knowing.zones import place_of, residence
from flows.limits.closing_days import closing_day
from flows.limits.daytime import instant, zone_of
from flows.limits.fairness import SATURATED, WAITED, limited
from flows.limits.reach import place
from flows.limits.verdicts import Allow, Defer, Drop, Fairness, Hold, Person, Reached, Rival, Verdict
from flows.outbox import LEASE
from flows.policy import check
from flows.referring.heard import silence, word_of
from flows.reviews.asked import asks_for_review, wanted_products
from flows.reviews.attached import with_reviews
from flows.sending.addressing import Recipient
from flows.sending.attempts import Attempt, with_attempt
from flows.sending.repeating import no_longer_true
from flows.sending.told import NO_STATE

_COUNTS = frozenset({EffectStatus.SENDING, EffectStatus.SENT, EffectStatus.UNCERTAIN})
_REMEMBERED = 100


class Leaving:
    """Decides and carries out what is due."""

    def __init__(
        self, walks: Walks, catalog: Catalog, adapter: PlatformAdapter, access: Access, at: Callable[[datetime], None]
    ) -> None:
        self._walks = walks
        self._knowing: Knowing = walks.knowing
        self._adapter = adapter
        self._access = access
        self._at = at
        settings = self._knowing.settings
        shop_id = settings.shop.id
        self._limits = settings.limits
        self._setting = {flow_id: catalog.setting(shop_id, flow_id) for flow_id in walks.ways}
        self._priority = {flow_id: catalog.priority(shop_id, flow_id) for flow_id in walks.ways}
        email = self._limits.of("email")
        self._by_place = bool(email.quiet or email.quiet_days or email.holidays)

    def act(self, now: datetime) -> None:
        """T4 of everything due, then T5 of what may happen."""
        walks = self._walks
        walks.now = now
        waiting = [act for act in walks.pending.values() if act.due_at <= now]
        if len(waiting) > 1:
            first = [act for act in waiting if act.effect.purpose is Purpose.TRANSACTIONAL]
            later = [act for act in waiting if act.effect.purpose is not Purpose.TRANSACTIONAL]
            waiting = [*sorted(first, key=_due), *sorted(later, key=_due)]
            if len(waiting) > SEND:
                raise Uncovered("more at one moment than one batch")
        for act in [act for act in waiting if self._prepare(act, now)]:
            values = {} if act.effect.kind == "message" else self._perform(act)
            walks.settle(act, EffectStatus.SENT)
            walks.settled(act, EffectDone(values))

    # -- T4 ----------------------------------------------------------------------------------------------------------

    def _prepare(self, act: Act, now: datetime) -> bool:
        walks, effect = self._walks, act.effect
        run = walks.runs[effect.run_id]
        by_hand = effect.result.get(BY_HAND)
        if run.status.ended and not by_hand:
            self._drop(act, "run_ended", "the run had ended")
            return False
        way = walks.ways[run.flow_id]
        if effect.request.get("to") == "advocate":
            raise Uncovered("an advocate is written to")
        found = walks.situation(run)
        facts = walks.facts(run, found)
        seen = engine.seen_from(way.flow, run, facts, "")
        recipient = self._knowing.recipient(found)
        person = self._knowing.person(recipient, effect.purpose)
        stale = None if by_hand else no_longer_true(way.flow, effect, seen)
        if stale is not None:
            self._drop(act, "no_longer_true", f"{stale.path} {stale.op} {stale.wanted}")
            return False
        verdict: Verdict | None = None
        word = None if by_hand else word_of(way.flow, effect, seen)
        if word is not None:
            verdict = silence(word, check(word, facts, self._knowing.person(recipient, word.purpose), now))
        if verdict is None:
            fairness = partial(self._fairness, act, run, found, recipient, person)
            verdict = check(effect, facts, person, now, fairness)
        if not self._let_pass(act, verdict):
            return False
        if effect.kind == "message":
            if (before := self._told_already(run, effect)) is not None:
                self._drop(act, "told_already", f"the same was told, nothing new came since {before}")
                return False
            act.recipient_key = recipient.email_key or recipient.address or ""
            self._ask(act, run, found, facts, recipient)
        act.status, act.lease_until, act.first_try_at = EffectStatus.SENDING, now + LEASE, now
        walks.pending.pop(effect.id, None)
        return True

    def _let_pass(self, act: Act, verdict: Verdict) -> bool:
        match verdict:
            case Allow():
                return True
            case Defer(until=until, code=code, reason=reason):
                if act.due_at <= until:
                    act.due_at = until
                    act.reason = f"{code}: {reason}" if code in WAITED else code
            case Hold(code=code, reason=reason):
                self._walks.pending.pop(act.effect.id, None)
                act.status, act.reason = EffectStatus.HELD, f"{code}: {reason}"
            case Drop(code=code, reason=reason):
                if code == SATURATED:
                    raise Uncovered("a goodbye")
                self._drop(act, code, reason)
        return False

    def _drop(self, act: Act, code: str, reason: str) -> None:
        self._walks.settle(act, EffectStatus.SKIPPED, f"{code}: {reason}")
        self._walks.settled(act, EffectSkipped(code))

    def _told_already(self, run: Run, effect: Effect) -> str | None:
        """As `flows.sending.told.told_already`."""
        template = effect.request.get("template")
        if run.subject_kind != "shipment" or not template:
            return None
        walks = self._walks
        told = [
            (act.effect, other)
            for other in walks.folders.folder(run.order_id or "").runs.values()
            if other.id != run.id
            and (other.flow_id, other.subject_id, other.subject_kind) == (run.flow_id, run.subject_id, "shipment")
            for act in walks.of_run.get(other.id, ())
            if act.effect.kind == "message" and act.status in _COUNTS
        ]
        told.sort(key=lambda pair: pair[0].id)
        told.sort(key=lambda pair: pair[0].created_at, reverse=True)
        trigger = next((other.event for sent, other in told if sent.request.get("template") == template), None)
        return None if trigger is None or self._moved_between(run, trigger) else trigger["kind"]

    def _moved_between(self, run: Run, trigger: Mapping[str, str]) -> bool:
        same = NO_STATE | {trigger["kind"], run.event["kind"]}
        first, last = datetime.fromisoformat(trigger["at"]), datetime.fromisoformat(run.event["at"])
        told = self._walks.folders.folder(run.order_id or "").told
        return any(
            event.kind.startswith("shipment.") and event.kind not in same and first < event.at < last
            for event in told
            if event.subject.id == run.subject_id
        )

    # -- fairness ----------------------------------------------------------------------------------------------------

    def _fairness(self, act: Act, run: Run, found: Situation, recipient: Recipient, person: Person) -> Fairness:
        """As `flows.limits.reach.fairness_of`."""
        effect, key, shop = act.effect, person.address_key or "", self._knowing.shop
        setting = self._setting[effect.flow_id]
        daily = self._limits.daily if setting is None or setting.daily is None else setting.daily
        contacts = self._contacts(act, key)
        said = person.consent_at if person.consent is ConsentState.GRANTED else None
        known = self._walks.folders.last_sign(recipient.email_key or key)
        sign = max((at for at in (known, said) if at is not None), default=None)
        zone = residence(shop, found.order, found.customer) if self._by_place else None
        canary = setting.canary if setting is not None else 1.0
        return Fairness(
            limits=self._limits,
            channel=self._limits.of("email"),
            zone=zone.zone if zone else "UTC",
            zone_source=zone.source if zone else "shop",
            closed=partial(closing_day, *place_of(shop, found.order, found.customer)) if zone else _open,
            reached=max(contacts, key=lambda each: each.at, default=None),
            ignored=sum(1 for each in contacts if sign is None or (each.until or each.at) > sign),
            sign_at=sign,
            priority=self._priority[effect.flow_id],
            rival=self._rival(act, recipient.email_key or run.email_key),
            daily=daily,
            sent_today=self._sent_today(effect.flow_id) if daily else 0,
            canary=canary,
            place=place(effect.flow_id, key) if canary < 1 else 0.0,
            farewell=run.event.get("kind") == EventKind.CUSTOMER_SATURATED,
            asked_until=self._asked_until(act, _names(run, found, recipient)),
        )

    def _contacts(self, but: Act, key: str) -> list[Reached]:
        """What reached the person, newest first; while it is being sent, `until` says when that will be known."""
        now, found = self._walks.now, []
        for act in self._walks.acts.values():
            effect = act.effect
            if act.status not in _COUNTS or act is but or act.recipient_key != key or key == "" or not limited(effect):
                continue
            sending = act.status is EffectStatus.SENDING
            at = act.done_at or act.lease_until or act.first_try_at or effect.created_at
            found.append(Reached(now if sending else at, effect.flow_id, effect.shop_id, until=at if sending else None))
        found.sort(key=lambda each: each.until or each.at, reverse=True)
        return found[:_REMEMBERED]

    def _rival(self, mine: Act, person: str | None) -> Rival | None:
        """The most important other message that is due for the person and that goes first."""
        now, best = self._walks.now, None
        for act in self._walks.pending.values():
            effect = act.effect
            if act is mine or act.due_at > now or not _limited_row(effect) or person is None:
                continue
            if self._walks.runs[effect.run_id].email_key != person or effect.request.get("to") == "advocate":
                continue
            priority = self._priority[effect.flow_id]
            if priority > self._priority[mine.effect.flow_id] and (best is None or priority > best.priority):
                best = Rival(effect.flow_id, effect.shop_id, priority)
        return best

    def _ask(self, act: Act, run: Run, found: Situation, facts: Facts, recipient: Recipient) -> None:
        """As `flows.reviews.requests.ask`; what was reviewed before is not known here."""
        if not asks_for_review(act.effect) or act.effect.order_id is None:
            return
        act.names = _names(run, found, recipient)
        wanted, closed = wanted_products(facts), self._asked_until(act, act.names)
        left = tuple(product for product in wanted if product not in closed)
        act.asked = (left or wanted)[: self._knowing.settings.reviews.most_products]

    def _asked_until(self, mine: Act, names: tuple[str, str]) -> Mapping[str, datetime]:
        """As `flows.reviews.requests.asked_until`."""
        apart = self._knowing.settings.reviews.again_after
        if not apart or not asks_for_review(mine.effect):
            return {}
        others = [act for act in self._walks.acts.values() if act.asked and act.effect.order_id != mine.effect.order_id]
        if not others:
            return {}
        who = self._known_as(names)
        told = (
            (product, act.first_try_at)
            for act in others
            for product in act.asked
            if act.first_try_at is not None
            and act.first_try_at > self._walks.now - apart
            and (act.names[0] in who.emails or act.names[1] in who.customers)
        )
        return {product: at + apart for product, at in latest(told).items()}

    def _known_as(self, names: tuple[str, str]) -> Names:
        """As `connector.store.review_asks.names_of`."""
        email, customer = names
        known = ((row.email_key, name) for name, (_, row) in self._walks.folders.customers.items() if not row.deleted)
        mine = [(key, name) for key, name in known if (key == email and email) or name == customer]
        return joined([email], [customer], mine)

    def _sent_today(self, flow_id: str) -> int:
        zone = zone_of(self._knowing.shop.timezone)
        midnight: datetime | None = None
        count = 0
        for act in self._walks.acts.values():
            if act.effect.flow_id == flow_id and act.first_try_at is not None and _limited_row(act.effect):
                midnight = midnight or instant(self._walks.now.astimezone(zone).date(), time(0), zone)
                count += act.first_try_at >= midnight
        return count

    # -- T5 ----------------------------------------------------------------------------------------------------------

    def _perform(self, act: Act) -> Mapping[str, str]:
        """As `connector.working.performing.perform`, and what the programmes keep of it."""
        walks, effect = self._walks, act.effect
        assert act.first_try_at is not None
        request = with_attempt(
            with_reviews(self._knowing.tx, effect, walks.now), Attempt(first_try_at=act.first_try_at)
        )
        run = walks.runs[effect.run_id]
        step = walks.ways[run.flow_id].flow.step(effect.step_id).step
        self._at(walks.now)
        try:
            values = step.perform(self._adapter, self._access, request, effect.id)
        except KiitosError as error:
            raise Uncovered(error.message) from error
        terms = effect.request.get("discount") or {}
        shared = effect.purpose is Purpose.REFERRAL and not (terms.get("customer_email") or terms.get("customer_id"))
        if shared and values.get("code") and run.email_key:
            walks.codes.add(values["code"].strip().upper())
        return dict(values)


def _names(run: Run, found: Situation, recipient: Recipient) -> tuple[str, str]:
    """As `flows.reviews.requests.name_of`."""
    customer = found.customer
    return (
        recipient.email_key or run.email_key or "",
        (customer.id if customer is not None else None) or run.customer_id or "",
    )


def _due(act: Act) -> datetime:
    return act.due_at


def _open(day: object) -> str:
    del day
    return ""


def _limited_row(effect: Effect) -> bool:
    """What the store counts as limited: answers to a review too."""
    return effect.kind == "message" and effect.purpose is not Purpose.TRANSACTIONAL
