"""Referrals as they happen: found, judged, held, rewarded, taken back, by the shop's terms (`terms`).

In the caller's transaction; what is decided is pure (`rules`, `promises`). An order is judged once, when it is paid.
Time is the flow's: the run of `referral.attributed` sleeps until the reward opens, so nothing is scanned; a parcel that
leaves or arrives meanwhile moves that moment, and the run asks for it again when it wakes.

While a reward is held, any money that goes back to the friend means there is none. Once it was given it is taken back
only where none of the goods are left, or less than the minimum. Either way once, at the value that was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.config.referrals import BLOCK, HOLD, ReferralTerms
from connector.model import Event, EventKind, Order, OrderStatus, Ref, Shop, email_key, purchase_of
from connector.store import entities, links, preferences, referral_visits, referrals
from connector.store.db import Tx
from connector.store.referrals import CodeRow, ReferralRow
from flows.catalog import Catalog
from flows.knowing.situation import Situation
from flows.referring.finding import Found, find
from flows.referring.giving import promise_points, take_points_back
from flows.referring.marking import device_of, friend_hash
from flows.referring.promises import held_by, month_of, over_cap, promise
from flows.referring.referral import CodeOwner
from flows.referring.rules import Case, judge, was_bought
from flows.referring.terms import opens_at, terms_of
from flows.sending.addressing import derive_token
from flows.value.bookings import earned_because
from flows.value.earning import goods_gone
from flows.value.vouchers import void_all

REVIEW, HELD, REWARDED, REFUSED, REVERSED = "review", "held", "rewarded", "refused", "reversed"
_PAID = frozenset({EventKind.ORDER_PAID})
_TOLD_OF = frozenset({EventKind.ORDER_CREATED, EventKind.ORDER_UPDATED, EventKind.ORDER_PAID, EventKind.ORDER_EDITED})
_TAKES_BACK = frozenset({EventKind.ORDER_CANCELLED, EventKind.REFUND_CREATED, EventKind.ORDER_DELETED})
_TRAVELS = frozenset({EventKind.ORDER_SHIPPED, EventKind.ORDER_DELIVERED})
_PLACES_KEPT = timedelta(days=30)
_EVENTS = {
    HELD: EventKind.REFERRAL_ATTRIBUTED,
    REVIEW: EventKind.REFERRAL_QUEUED,
    REFUSED: EventKind.REFERRAL_REFUSED,
    REVERSED: EventKind.REFERRAL_REVERSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """One shop's terms at one moment."""

    tx: Tx
    shop: Shop
    terms: ReferralTerms
    salt: bytes
    now: datetime

    def friend_hash(self, order: Order) -> str:
        """Who ordered, as a keyed hash: nothing else of them outlives the order."""
        return friend_hash(self.salt, self.shop.id, _address(order), order.customer.id if order.customer else None)


class Referring:
    """What happens in the shops' referral programmes."""

    def __init__(self, catalog: Callable[[], Catalog], salt: bytes) -> None:
        # Asked for anew each time: a store that is connected later brings another catalog.
        self._catalog = catalog
        self._salt = salt
        self._known: tuple[Catalog | None, dict[str, ReferralTerms]] = (None, {})

    def terms(self, shop_id: str) -> ReferralTerms:
        """Of a shop that the catalog knows."""
        catalog, known = self._catalog(), self._known
        if known[0] is not catalog:
            known = self._known = (catalog, {})
        if shop_id not in known[1]:
            known[1][shop_id] = terms_of(catalog.settings(shop_id).referrals, catalog.flows(shop_id))
        return known[1][shop_id]

    def follow(self, tx: Tx, shop: Shop, event: Event, situation: Situation, now: datetime) -> list[Event]:
        """The events that `event` leads to."""
        order, scene = situation.order, self._scene(tx, shop, now)
        if order is None:
            return []
        found: list[Event] = []
        if event.kind in _TOLD_OF and scene.terms.first_order:
            found += _earlier_came(scene, order)
        if event.kind in _PAID:
            found += _attribute(scene, order, situation)
        if event.kind in _TAKES_BACK or event.kind in _TOLD_OF:
            found += _take_back(scene, order, situation)
        if event.kind in _TRAVELS:
            _open_later(scene, order, situation)
        return found

    def open_page(self, tx: Tx, shop_id: str, advocate: str, code: str, url: str, now: datetime) -> None:
        """The page for friends belongs to the code from the moment the shop has made it; in the advocate's language,
        which is most likely theirs too. `advocate` is an address in the form of joins."""
        token = derive_token(self._salt, "link", shop_id, "referral", code)
        last = next(iter(entities.orders_of(tx, shop_id, advocate, limit=1)), None)
        chosen = preferences.get(tx, shop_id, advocate).locale or (last.locale if last is not None else None)
        locale = chosen or self._catalog().settings(shop_id).shop.locale
        links.put(tx, shop_id, token, "referral", {"code": code, "url": url, "locale": locale}, now)

    def decide(
        self, tx: Tx, shop: Shop, referral_id: str, now: datetime, *, approve: bool, by: str, note: str
    ) -> list[Event] | None:
        """A person's word about one that waits: the events it leads to, `None` where it waits no longer."""
        state, reason = (HELD, "") if approve else (REFUSED, "refused_by_person")
        if not referrals.set_state(tx, shop.id, referral_id, state, reason, now, only_from=(REVIEW,), by=by, note=note):
            return None
        row = referrals.get(tx, shop.id, referral_id)
        return _told(self._scene(tx, shop, now), row) if row is not None else []

    def _scene(self, tx: Tx, shop: Shop, now: datetime) -> _Scene:
        return _Scene(tx=tx, shop=shop, terms=self.terms(shop.id), salt=self._salt, now=now)


# -- a friend's order --------------------------------------------------------------------------------------------------


def _attribute(scene: _Scene, order: Order, situation: Situation) -> list[Event]:
    tx, shop = scene.tx, scene.shop
    if referrals.by_order(tx, shop.id, order.id) is not None:
        return []
    friend = scene.friend_hash(order)
    found = find(tx, shop.id, order, friend, scene.terms.window)
    if found is None:
        return []
    # Two orders of one advocate's friends at one moment: neither would count the other.
    everybody = scene.terms.caps.of_shop
    tx.hold([f"referrals {shop.id} {'' if everybody else found.code.advocate_email_key}"])
    row = _judged(scene, order, situation, found, friend)
    if situation.progress.refunded or situation.progress.cancelled or purchase_of(order) is None:
        state = REFUSED if row.state == REFUSED else REVERSED
        row = replace(row, state=state, reason=row.reason or _why(order, situation))
    if row.state in (HELD, REVIEW):
        row = _counted_once(scene, row)
    if not referrals.open_one(tx, shop.id, row, scene.now):
        return []
    if found.visit is not None:
        referral_visits.led_to(tx, shop.id, found.visit.id, order.id)
    return _told(scene, row) if row.state != REVERSED else []


def _judged(scene: _Scene, order: Order, situation: Situation, found: Found, friend: str) -> ReferralRow:
    tx, shop, code, terms = scene.tx, scene.shop, found.code, scene.terms
    theirs = referrals.of_advocate(tx, shop.id, code.advocate_email_key)
    verdict = judge(_case(scene, order, found, theirs), terms)
    standing = [row for row in theirs if row.state in (REVIEW, HELD, REWARDED)]
    promised = promise(terms, len(standing) + 1)
    month = month_of(order.paid_at or order.placed_at, shop.timezone)
    refused, signs = verdict.refused, verdict.signs
    caps = terms.caps
    if not refused and caps and over_cap(terms, promised, code.advocate_email_key, _counted(scene, month)):
        refused, signs = ("", (*signs, "over_cap")) if caps.over == HOLD else ("over_cap", ())
    return ReferralRow(
        id=referrals.id_of(order.id),
        code=code.code_key,
        advocate_email_key=code.advocate_email_key,
        friend_email_key=email_key(_address(order)) or "",
        friend_order_id=order.id,
        state=REFUSED if refused else REVIEW if signs else HELD,
        reason=refused,
        created_at=scene.now,
        updated_at=scene.now,
        way=found.way,
        evidence=found.evidence,
        signs=signs,
        friend_hash=friend,
        opens_at=opens_at(*held, order, situation.progress) if (held := held_by(promised)) else None,
        reward=promised,
        month=month,
    )


def _counted(scene: _Scene, month: str) -> Sequence[tuple[str, dict[str, str]]]:
    return [(who, dict(told)) for who, told in referrals.of_month(scene.tx, scene.shop.id, month)]


def _counted_once(scene: _Scene, row: ReferralRow) -> ReferralRow:
    """A friend is brought once, whoever brings them."""
    does = scene.terms.does("second_referral")
    if not row.friend_hash or does not in (BLOCK, HOLD):
        return row
    if referrals.take_friend(scene.tx, scene.shop.id, row.friend_hash, row.id):
        return row
    if does == BLOCK:
        return replace(row, state=REFUSED, reason="second_referral", signs=())
    return replace(row, state=REVIEW, signs=(*row.signs, "second_referral"))


def _case(scene: _Scene, order: Order, found: Found, theirs: Sequence[ReferralRow]) -> Case:
    tx, shop, code = scene.tx, scene.shop, found.code
    friend = email_key(_address(order))
    orders = entities.orders_of(tx, shop.id, friend) if friend else []
    since = scene.now - scene.terms.velocity_span
    from_place, same_device = _origin(scene, order, found)
    return Case(
        order=order,
        owner=_owner(tx, shop, code),
        shop=shop,
        earlier=[other for other in orders if other.id != order.id and other.placed_at <= order.placed_at],
        all_known=len({order.id, *(other.id for other in orders)}),
        theirs=_orders_of_advocate(tx, shop, code),
        recent=sum(row.created_at > since for row in theirs) + 1,
        from_place=from_place,
        same_device=same_device,
    )


def _owner(tx: Tx, shop: Shop, code: CodeRow) -> CodeOwner:
    return CodeOwner(
        code=code.code_key,
        email_key=code.advocate_email_key,
        customer_id=code.advocate_customer_id,
        order=entities.order(tx, shop.id, code.order_id) if code.order_id else None,
    )


def _orders_of_advocate(tx: Tx, shop: Shop, code: CodeRow) -> list[Order]:
    found = {order.id: order for order in entities.orders_of(tx, shop.id, code.advocate_email_key, limit=20)}
    first = entities.order(tx, shop.id, code.order_id) if code.order_id else None
    return list({**({first.id: first} if first is not None else {}), **found}.values())


def _origin(scene: _Scene, order: Order, found: Found) -> tuple[int, bool]:
    """Orders from the visit's network address, and whether its device is somebody else's too."""
    visit = found.visit
    if visit is None:
        return 1, False
    since = scene.now - _PLACES_KEPT
    known = referral_visits.origins(scene.tx, scene.shop.id, visit.place, visit.device, since)
    others = [origin for origin in known if origin.order_id != order.id]
    beside = {origin.order_id for origin in others if visit.place and origin.place == visit.place}
    shared = any(visit.device and origin.device == visit.device for origin in others)
    own = bool(visit.device) and visit.device == device_of(scene.salt, scene.shop.id, found.code.advocate_email_key)
    return len(beside) + 1, shared or own


# -- second thoughts ---------------------------------------------------------------------------------------------------


def _earlier_came(scene: _Scene, order: Order) -> list[Event]:
    """An older order of a friend's is heard of later than the one that was counted: that one was no first order."""
    friend = scene.friend_hash(order)
    found: list[Event] = []
    for row in referrals.of_friend(scene.tx, scene.shop.id, friend) if friend and was_bought(order) else ():
        counted = entities.order(scene.tx, scene.shop.id, row.friend_order_id)
        if row.friend_order_id == order.id or counted is None or counted.placed_at <= order.placed_at:
            continue
        found += _end(scene, row, REFUSED, "existing_customer", (HELD, REVIEW))
    return found


def _open_later(scene: _Scene, order: Order, situation: Situation) -> None:
    """The goods left, or came: the reward opens so much later. By the hold that was promised with it; what was promised
    before parcels counted opens when it was said."""
    row = referrals.by_order(scene.tx, scene.shop.id, order.id)
    held = held_by(row.reward) if row is not None else None
    if row is not None and held is not None and row.state in (HELD, REVIEW):
        referrals.open_at(scene.tx, scene.shop.id, row.id, opens_at(*held, order, situation.progress))


def _take_back(scene: _Scene, order: Order, situation: Situation) -> list[Event]:
    """By what is left of the order, and not by who told: Shopify tells of a refund before the order shows it, and a
    WooCommerce order never shows how many pieces are left."""
    row = referrals.by_order(scene.tx, scene.shop.id, order.id)
    if row is None or row.state == REVERSED:
        return []
    left = purchase_of(order)
    # Rows without a way are older than the terms: nobody was told of a minimum then.
    minimum = scene.terms.minimum if row.way else None
    back = goods_gone(order, entities.refunds(scene.tx, scene.shop.id, order.id))
    gone = situation.progress.fully_refunded or left is None or back
    short = left is not None and minimum is not None and left.amount < minimum
    why = _why(order, situation)
    if row.state == REFUSED:
        # A reward that could not be made leaves the points of the loyalty programme; they go with the purchase.
        earned = gone and earned_because(scene.tx, scene.shop.id, f"referral/{row.id}")
        return [_event(scene, replace(row, state=REVERSED, reason=why))] if earned else []
    if gone or short:
        return _end(scene, row, REVERSED, why, (HELD, REVIEW, REWARDED))
    touched = situation.progress.refunded or situation.progress.cancelled
    return _end(scene, row, REVERSED, why, (HELD, REVIEW)) if touched else []


def _end(scene: _Scene, row: ReferralRow, state: str, reason: str, only_from: Sequence[str]) -> list[Event]:
    tx, shop_id = scene.tx, scene.shop.id
    if not referrals.set_state(tx, shop_id, row.id, state, reason, scene.now, only_from=only_from):
        return []
    referrals.free_friend(tx, shop_id, row.id)
    void_all(tx, shop_id, f"referral/{row.id}", reason, scene.now)
    take_points_back(tx, shop_id, row, scene.now, reason)
    # Whatever was started for it hears of it, refused or reversed: its run ends.
    return [_event(scene, replace(row, state=REVERSED, reason=reason))]


def _why(order: Order, situation: Situation) -> str:
    if order.status is OrderStatus.DELETED:
        return str(EventKind.ORDER_DELETED)
    return str(EventKind.ORDER_CANCELLED if situation.progress.cancelled else EventKind.REFUND_CREATED)


# -- what is told ------------------------------------------------------------------------------------------------------


def _told(scene: _Scene, row: ReferralRow) -> list[Event]:
    if row.state == HELD:
        promise_points(scene.tx, scene.shop.id, row, _customer_of(scene, row), scene.now)
    return [_event(scene, row)]


def _customer_of(scene: _Scene, row: ReferralRow) -> tuple[str | None, str | None]:
    """The accounts of advocate and friend, as far as they have any."""
    code = referrals.code(scene.tx, scene.shop.id, row.code)
    order = entities.order(scene.tx, scene.shop.id, row.friend_order_id)
    friend = order.customer.id if order is not None and order.customer is not None else None
    return (code.advocate_customer_id if code is not None else None, friend)


def _event(scene: _Scene, row: ReferralRow) -> Event:
    return Event(
        kind=_EVENTS[row.state],
        key=f"referral/{row.id}/{row.state}",
        subject=Ref("order", row.friend_order_id),
        at=scene.now,
        order_id=row.friend_order_id,
        data={"referral_id": row.id, "code": row.code, "reason": row.reason or " ".join(row.signs)},
    )


def _address(order: Order) -> str | None:
    return order.email or (order.customer.email if order.customer else None)
