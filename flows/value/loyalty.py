"""The loyalty programme as it happens: orders, refunds, reviews and referrals become facts of the ledger, and what they
lead to becomes events. In the caller's transaction; the rules are pure (`earning`, `standing`, `settling`).

Nothing is scanned: what time alone changes (points released, about to lapse, lapsed, a period or a grace that ends, a
birthday) is a due row of `value_members`, looked at by the worker (`connector.working.members`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from connector.clock import from_text, to_text
from connector.config.loyalty import BIRTHDAY, FIRST, REFERRAL, REVIEW, Programme
from connector.config.perks import Perk
from connector.model import (
    Buyer,
    Customer,
    Event,
    EventKind,
    Order,
    Product,
    Shop,
    buyer_of,
    purchase_of,
)
from connector.model.value import POINTS, Fact, FactKind
from connector.store import accounts, books, entities, referrals, reviews
from connector.store.accounts import Holder, MemberRow
from connector.store.db import Tx
from connector.store.reviews import FORM, ReviewRow
from flows.catalog import Catalog
from flows.knowing.situation import Situation, look, with_referral
from flows.value import access, birthdays, earning, giving, opinions, tidings
from flows.value.bookings import Change, earned_because, position_of, post
from flows.value.cases import Case
from flows.value.earning import cause_of
from flows.value.gifts import moved as given_by_flows
from flows.value.goals import goals as achieved_now
from flows.value.opinions import opens_at, opinion, review_cause
from flows.value.settling import settle
from flows.value.standing import (
    DONE_REFERRAL,
    Deeds,
    Moved,
    Standing,
    birthday_after,
    next_look,
    stand,
)

_OF_ORDER = frozenset(
    {
        *(EventKind.ORDER_CREATED, EventKind.ORDER_UPDATED, EventKind.ORDER_PAID, EventKind.ORDER_FULFILLED),
        *(EventKind.ORDER_EDITED, EventKind.ORDER_CANCELLED, EventKind.ORDER_DELETED, EventKind.REFUND_CREATED),
        EventKind.ORDER_DELIVERED,
    }
)
_OF_REVIEW = frozenset(
    {
        *(EventKind.REVIEW_SUBMITTED, EventKind.REVIEW_PUBLISHED, EventKind.REVIEW_EDITED),
        *(EventKind.REVIEW_HIDDEN, EventKind.REVIEW_WITHDRAWN),
    }
)
_OF_CUSTOMER = frozenset({EventKind.CUSTOMER_CREATED, EventKind.CUSTOMER_UPDATED})


class Loyalty:
    """What happens in the programmes of shops that have one; nothing in those that have none."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        # Asked for anew each time: a store that is connected later brings another catalog.
        self._catalog = catalog

    def follow(self, tx: Tx, shop: Shop, event: Event, situation: Situation, now: datetime) -> list[Event]:
        """The events that `event` leads to."""
        programme = self._catalog().settings(shop.id).loyalty
        if event.kind == EventKind.CUSTOMER_MERGED and event.data.get("kept") and event.data.get("merged"):
            accounts.join(tx, shop.id, event.data["kept"], event.data["merged"], now)
            return self._of_merger(tx, shop, programme, event, now)
        if not programme:
            return []
        if event.kind in _OF_ORDER and event.order_id is not None:
            events = self._of_order(tx, shop, programme, event, situation, now)
            if event.kind == EventKind.ORDER_DELIVERED:
                events += self._of_arrival(tx, shop, programme, event, situation, now)
            return events
        if event.kind in _OF_REVIEW and situation.order is not None:
            return self._of_review(tx, shop, programme, event, situation.order, situation.customer, now)
        if event.kind in (EventKind.REFERRAL_ATTRIBUTED, EventKind.REFERRAL_REVERSED):
            return self._of_referral(tx, shop, programme, event, situation, now)
        if event.kind in _OF_CUSTOMER and programme.of_kind(BIRTHDAY) and event.customer is not None:
            birthdays.expect(tx, shop, event.customer, now)
        return []

    # -- orders --------------------------------------------------------------------------------------------------------

    def _of_order(
        self, tx: Tx, shop: Shop, programme: Programme, event: Event, situation: Situation, now: datetime
    ) -> list[Event]:
        assert event.order_id is not None
        order = entities.order(tx, shop.id, event.order_id)
        told = books.facts_because(tx, shop.id, cause_of(event.order_id))
        buyer = buyer_of(order) if order is not None else Buyer()
        if order is None or not buyer:
            return self._undo(tx, shop, programme, earning.of_programme(told, cause_of(event.order_id)), event, now)
        if purchase_of(order) is None and not told:
            return []
        case = self._case(tx, shop, programme, buyer, event, now)
        because = books.facts_because(tx, shop.id, cause_of(order.id))  # held from here on: nobody is between
        told = earning.of_programme(because, cause_of(order.id))
        gifts, kept, anothers = given_by_flows([fact for fact in because if fact not in told], case.holder)
        theirs = [fact for fact in told if fact.account in case.holder.accounts]
        strange = [fact for fact in told if fact.account not in case.holder.accounts]
        more = case.own(strange, earning.grants(programme, order, _products(tx, shop, programme, order), theirs, now))
        shares = earning.shares_back(order, entities.refunds(tx, shop.id, order.id))
        back = earning.targets([*theirs, *more], shares)
        known = case.facts()
        first, moved = earning.first_order(programme, self._first(case, order, known), known, now)
        first = case.own(strange, first)
        ours = [fact for fact in [*theirs, *more, *first] if fact.cause == cause_of(order.id)]
        later = earning.reopenings(programme, order, ours, situation.progress.delivered_at)
        later += case.reopened([fact for fact in first if fact not in ours])
        written, withdrawn, others = self._reviews_moved(case, order, known)
        new, back = [*more, *first, *written, *gifts], {**back, **moved, **withdrawn, **kept}
        changes = case.post([*case.settled(new, back, known), *later])
        events = self._review(case, changes, situation.customer)
        # The order names somebody else than it did: what it earned is no longer the other's.
        return [*events, *self._undo(tx, shop, programme, [*strange, *others, *anothers], event, now)]

    def _reviews_moved(
        self, case: Case, order: Order, known: Sequence[Fact]
    ) -> tuple[list[Fact], dict[str, Decimal], list[Fact]]:
        """What the order's reviews earned under a name it no longer has: whose it is now, and the other's facts."""
        found: list[Fact] = []
        back: dict[str, Decimal] = {}
        others: list[Fact] = []
        for row in _written(case.tx, case.shop, order):
            told = earned_because(case.tx, case.shop.id, review_cause(row))
            more, taken = opinions.moved(case.programme, told, case.holder, [*known, *found], row, case.now)
            found += more
            back |= taken
            others += [fact for fact in told if fact.account not in case.holder.accounts]
        return found, back, others

    def _first(self, case: Case, order: Order | None, known: Sequence[Fact]) -> Order | None:
        """The person's first purchase that stands, where it is this order or the bonus was given before."""
        rules = [rule.name for rule in case.programme.of_kind(FIRST)]
        if not rules:
            return None
        bought = case.bought()
        if not bought:
            return None
        if order is not None and bought[0].order_id == order.id:
            return order
        given = any(fact.rule in rules and fact.kind is FactKind.GRANT for fact in known)
        return entities.order(case.tx, case.shop.id, bought[0].order_id) if given else None

    def _undo(
        self, tx: Tx, shop: Shop, programme: Programme, told: Sequence[Fact], event: Event, now: datetime
    ) -> list[Event]:
        """Take back all that came of something, whoever has it."""
        events: list[Event] = []
        for account in dict.fromkeys(fact.account for fact in told if fact.kind is FactKind.GRANT):
            holder = accounts.holder_of(tx, shop.id, account) or Holder(accounts=(account,))
            case = Case(tx=tx, shop=shop, programme=programme, holder=holder, cause=event.key, now=now)
            mine = [fact for fact in told if fact.account == account and fact.kind is FactKind.GRANT]
            known = case.facts()
            # With the order goes the bonus it may have brought as the first one: the next one has it.
            first, moved = earning.first_order(programme, self._first(case, None, known), known, now)
            back = {**moved, **{fact.id: fact.amount for fact in mine}}
            changes = case.post([*case.settled(first, back, known), *case.reopened(first)])
            events += self._review(case, changes, None)
        return events

    def _of_merger(self, tx: Tx, shop: Shop, programme: Programme, event: Event, now: datetime) -> list[Event]:
        """Two accounts became one: what both owned is settled together, and what somebody gets once is theirs once."""
        kept = accounts.find(tx, shop.id, event.data["kept"], None)
        holder = accounts.holder_of(tx, shop.id, kept.account) if kept else kept
        if not holder:
            return []
        case = Case(tx=tx, shop=shop, programme=programme, holder=holder, cause=event.key, now=now)
        known = case.facts()
        if not programme:
            post(tx, shop.id, holder, [], now, event.key, units=dict.fromkeys(fact.unit for fact in known))
            return []
        first, moved = earning.first_order(programme, self._first(case, None, known), known, now)
        units = dict.fromkeys(fact.unit for fact in known)
        settled = [*case.settled(first, moved, known), *case.reopened(first)]
        changes = post(tx, shop.id, holder, settled, now, event.key, units=units)
        return self._review(case, changes, None)

    # -- deeds ---------------------------------------------------------------------------------------------------------

    def _of_review(
        self,
        tx: Tx,
        shop: Shop,
        programme: Programme,
        event: Event,
        order: Order,
        customer: Customer | None,
        now: datetime,
    ) -> list[Event]:
        """What reviews of the order earned, by what they are now: pending until they are shown, whatever their stars;
        taken back when they are withdrawn or hidden, and given again when they come back."""
        buyer = buyer_of(order)
        if not buyer:
            return []
        case = self._case(tx, shop, programme, buyer, event, now)
        rows = _written(tx, shop, order)
        if not rows and event.kind == EventKind.REVIEW_SUBMITTED:
            rows = [ReviewRow(id=event.key, product_id=event.key, rating=0, at=now)]  # told by others than our page
        found: list[Fact] = []
        back: dict[str, Decimal] = {}
        known = case.facts()
        for row in rows:
            more, taken = opinion(row, known, now)
            if event.kind == EventKind.REVIEW_SUBMITTED:
                cause, opens = review_cause(row), opens_at(row, now)
                earned = giving.by_rules(programme, [*case.facts(), *found, *more], REVIEW, cause, now, opens or now)
                more += earned if opens is not None else [replace(fact, available_at=None) for fact in earned]
            found += more
            back |= taken
        return self._review(case, case.post(case.settled(found, back, known)), customer)

    def _of_referral(
        self, tx: Tx, shop: Shop, programme: Programme, event: Event, situation: Situation, now: datetime
    ) -> list[Event]:
        cause = f"referral/{event.data.get('referral_id', '')}"
        if event.kind == EventKind.REFERRAL_REVERSED:
            return self._undo(tx, shop, programme, earned_because(tx, shop.id, cause), event, now)
        order = situation.order
        referral = with_referral(tx, shop, situation).referral
        if referral is None or order is None or not (referral.advocate_email or referral.advocate_customer_id):
            return []
        buyer = Buyer(referral.advocate_email, referral.advocate_customer_id)
        case = self._case(tx, shop, programme, buyer, event, now)
        opens = earning.opens_at(programme, order, situation.progress.delivered_at)
        given = giving.by_rules(programme, case.facts(), REFERRAL, cause, now, opens)
        found = [giving.deed(cause, DONE_REFERRAL, now), *given]
        return self._review(case, case.post(found), None)

    def _of_arrival(
        self, tx: Tx, shop: Shop, programme: Programme, event: Event, situation: Situation, now: datetime
    ) -> list[Event]:
        """A friend has the goods: what their advocate earned by the rule `referral` opens so much later."""
        order = situation.order
        events: list[Event] = []
        told = books.facts_because(tx, shop.id, f"referral/{referrals.id_of(event.order_id or '')}")
        if order is None or not told:
            return events
        later = earning.reopenings(programme, order, told, situation.progress.delivered_at)
        for account in dict.fromkeys(fact.account for fact in later):
            holder = accounts.holder_of(tx, shop.id, account) or Holder(accounts=(account,))
            case = Case(tx=tx, shop=shop, programme=programme, holder=holder, cause=event.key, now=now)
            changes = case.post([fact for fact in later if fact.account == account])
            events += self._review(case, changes, None)
        return events

    # -- where somebody stands -----------------------------------------------------------------------------------------

    def look(self, tx: Tx, row: MemberRow, now: datetime) -> list[Event]:
        """Time has come to look at somebody: bring the books there and tell what changed. The events are for the caller
        to take in, in this transaction."""
        settings = self._catalog().settings(row.shop_id)
        shop, programme = settings.shop, settings.loyalty
        holder = accounts.holder_of(tx, shop.id, row.account) or Holder(accounts=(row.account,))
        case = Case(tx=tx, shop=shop, programme=programme, holder=holder, cause="", now=now)
        units = dict.fromkeys(fact.unit for fact in case.facts())
        changes = post(tx, shop.id, holder, [], now, "time", units=units)
        if not programme:
            later = [at for change in changes if (at := change.position.next_change(now)) is not None]
            accounts.keep(tx, shop.id, holder, min(later, default=None), row.state)
            return []
        return self._review(case, changes, None)

    def _case(self, tx: Tx, shop: Shop, programme: Programme, buyer: Buyer, event: Event, now: datetime) -> Case:
        holder = accounts.open_for(tx, shop.id, buyer.customer_id, buyer.email_key, event.key, now)
        if not buyer.customer_id:
            # A guest's order under an account's address is that account's: one person stands in one place.
            holder = accounts.holder_of(tx, shop.id, holder.account) or holder
        return Case(tx=tx, shop=shop, programme=programme, holder=holder, cause=event.key, now=now)

    def _review(self, case: Case, changes: list[Change], customer: Customer | None) -> list[Event]:
        """After anything that may have moved somebody: badges, challenges, the birthday, the tier; what is told of it,
        and when to look again."""
        tx, now, holder = case.tx, case.now, case.holder
        person = customer if customer is not None and customer.id == holder.customer_id else None
        if person is None and (holder.customer_id or holder.email_key):
            person = look(tx, case.shop, None, holder.customer_id, email=holder.email_key).customer
        state = case.state()
        was = Standing.read(state)
        goals = achieved_now(case.programme, holder.account, case.deeds(), case.cause, now)
        if person is not None and isinstance(seen := state.get(birthdays.SEEN), str):
            goals += giving.birthday(
                case.programme, holder.account, case.facts(), person.birthday, from_text(seen), case.shop.timezone, now
            )
        changes = [*changes, *(case.post(goals) if goals else ())]
        deeds = case.deeds()
        standing, moved = stand(case.programme, was, deeds, now)
        new = self._keep(case, standing, deeds, person)
        told = self._told(case, changes, standing, moved, deeds, person)
        return [*told, *access.tidings(tidings.Who.of(holder, person), new, now)]

    def _keep(self, case: Case, standing: Standing, deeds: Deeds, person: Customer | None) -> list[Perk]:
        """Keep where somebody stands, and when time alone next changes anything of theirs; what they are let in for
        now, once."""
        now, greets = case.now, case.programme.of_kind(BIRTHDAY)
        times = [next_look(case.programme, standing, deeds, now)]
        for unit in dict.fromkeys(fact.unit for fact in deeds.facts):
            position = settle([fact for fact in deeds.facts if fact.unit == unit], now)
            times.append(position.next_change(now))
            if unit == POINTS:
                times.append(tidings.next_warning(position, case.programme, now))
        if greets and person is not None:
            times.append(birthday_after(person.birthday, case.shop.timezone, now))
        look_at = min((at for at in times if at is not None), default=None)
        known = access.had(accounts.member(case.tx, case.shop.id, each).state for each in case.holder.accounts)
        named = case.holder.customer_id or case.holder.email_key  # of the forgotten nobody is let in
        new = access.due(case.programme, known, standing.tier, now) if named else []
        state = {**standing.dump(), **access.kept(case.programme, known, new)}
        state |= {birthdays.SEEN: to_text(now)} if greets else {}
        accounts.keep(case.tx, case.shop.id, case.holder, look_at, state)
        return new

    def _told(
        self,
        case: Case,
        changes: Sequence[Change],
        standing: Standing,
        moved: Moved | None,
        deeds: Deeds,
        person: Customer | None,
    ) -> list[Event]:
        if not (case.holder.customer_id or case.holder.email_key):
            return []  # the person was forgotten: nobody is told
        who = tidings.Who.of(case.holder, person)
        position = position_of(case.tx, case.shop.id, case.holder, case.now)
        return tidings.events(case.programme, who, changes, position, standing, moved, deeds, case.now)

    # -- for people of the merchant's, and for flows -------------------------------------------------------------------

    def given(self, tx: Tx, shop_id: str, changes: Sequence[Change], now: datetime) -> list[Event]:
        """A person or a flow gave points or took them: where their owner stands now, and the events for the caller to
        take in. Nothing in a shop without a programme."""
        settings = self._catalog().settings(shop_id)
        if not settings.loyalty or not changes:
            return []
        holder = accounts.holder_of(tx, shop_id, changes[0].holder.account) or changes[0].holder
        cause = next((entry.cause for change in changes for entry in change.entries), "")
        case = Case(tx=tx, shop=settings.shop, programme=settings.loyalty, holder=holder, cause=cause, now=now)
        return self._review(case, list(changes), None)

    def imported(
        self, tx: Tx, shop_id: str, holder: Holder, changes: Sequence[Change], now: datetime, tier: str
    ) -> list[Event]:
        """Somebody was taken over from another programme, with the tier they had there (empty: none). One that they do
        not reach here is theirs for the grace. The events are only for whoever wants people to hear of it."""
        settings = self._catalog().settings(shop_id)
        if not settings.loyalty:
            return []
        case = Case(tx=tx, shop=settings.shop, programme=settings.loyalty, holder=holder, cause="import", now=now)
        person = look(tx, case.shop, None, holder.customer_id, email=holder.email_key).customer
        was = Standing.read(accounts.member(tx, shop_id, holder.account).state)
        given = Standing(tier=tier, since=now) if tier else was
        deeds = case.deeds()
        standing, _ = stand(case.programme, given, deeds, now)
        new = self._keep(case, standing, deeds, person)
        moved = Moved("up", was.tier, standing.tier) if standing.tier and standing.tier != was.tier else None
        told = self._told(case, changes, standing, moved, deeds, person)
        return [*told, *access.tidings(tidings.Who.of(holder, person), new, now)]

    def tier_of(self, tx: Tx, shop_id: str, holder: Holder, now: datetime) -> dict[str, str]:
        """Where somebody stands and why, as words; empty ones where there are no tiers."""
        settings = self._catalog().settings(shop_id)
        found = dict.fromkeys(("name", "since", "next", "missing", "why"), "")
        if not holder or not settings.loyalty.tiers:
            return found
        case = Case(tx=tx, shop=settings.shop, programme=settings.loyalty, holder=holder, cause="", now=now)
        standing = Standing.read(accounts.member(tx, shop_id, holder.account).state)
        return found | tidings.tier_words(case.programme, standing, case.deeds(), now)


def _written(tx: Tx, shop: Shop, order: Order) -> list[ReviewRow]:
    """The reviews of an order that came by our page, without stories."""
    return [row for row in reviews.of_order(tx, shop.id, order.id) if not row.is_story and row.source == FORM]


def _products(tx: Tx, shop: Shop, programme: Programme, order: Order) -> dict[str, Product]:
    if not programme.of_kind("collection"):
        return {}
    return entities.products(tx, shop.id, [line.product_id for line in order.lines if line.product_id])
