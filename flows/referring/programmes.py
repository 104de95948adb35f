"""Referrals as events: a friend's paid order is attributed, held, rewarded or reversed, in the caller's transaction.

The rules are pure (`flows.referring.referral`); this module only reads and writes their rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from connector.model import (
    Effect,
    EffectStatus,
    Event,
    EventKind,
    Order,
    Purpose,
    Ref,
    Run,
    RunStatus,
    Shop,
    email_key,
    purchase_of,
)
from connector.store import books, effects, entities, referrals
from connector.store.db import Tx
from flows.care import cases, tasks
from flows.knowing.situation import Situation
from flows.referring.programme import Referring
from flows.referring.reasons import FORGOTTEN, NOT_MADE, UNDONE
from flows.referring.referral import Attributed, CodeOwner, attribute
from flows.reviews.attached import published
from flows.value.bookings import forgo
from flows.value.earning import goods_gone
from flows.value.loyalty import Loyalty
from flows.value.vouchers import issued, used, void_all

if TYPE_CHECKING:
    from flows.runner import Runner

_PAID = frozenset({EventKind.ORDER_PAID})
_TAKES_BACK = frozenset({EventKind.ORDER_CANCELLED, EventKind.REFUND_CREATED, EventKind.ORDER_DELETED})


class Programmes:
    """What happens to referrals when orders are paid, refunded and cancelled, and when their runs end; and to what
    customers own (`flows.value`)."""

    def __init__(self, loyalty: Loyalty, referring: Referring, runner: Runner) -> None:
        self._loyalty = loyalty
        self._runner = runner
        self.referring = referring

    def follow(self, tx: Tx, shop: Shop, event: Event, situation: Situation, now: datetime) -> list[Event]:
        """The programme events that `event` leads to."""
        tasks.close_with_case(tx, self._runner, shop.id, event, now)
        return [
            *self._follow_referral(tx, shop, event, situation, now),
            *self._loyalty.follow(tx, shop, event, situation, now),
            *cases.follow(tx, shop.id, event, now),
        ]

    def _follow_referral(self, tx: Tx, shop: Shop, event: Event, situation: Situation, now: datetime) -> list[Event]:
        order = situation.order
        if order is None:
            return []
        if event.kind in _PAID:
            used(tx, shop.id, order, now)
        if self.referring.terms(shop.id):
            return self.referring.follow(tx, shop, event, situation, now)
        if event.kind in _PAID:
            return self._attribute(tx, shop, order, situation, now)
        gone = situation.progress.fully_refunded or purchase_of(order) is None
        gone = gone or (situation.progress.refunded and goods_gone(order, entities.refunds(tx, shop.id, order.id)))
        # That nothing is left may be told by the order alone: a refund need not say how much went back.
        if event.kind in _TAKES_BACK or (gone and event.kind == EventKind.ORDER_UPDATED):
            return self._reverse(tx, shop, order, event, now, gone=gone)
        return []

    def performed(self, tx: Tx, run: Run, effect: Effect, values: Mapping[str, str], now: datetime) -> None:
        """A shared code of a referral flow belongs, from now on, to the customer it was made for."""
        if effect.request.get("do") == "publish_review":
            published(tx, effect, values, now)
        issued(tx, run, effect, values, now)
        _take_back_late(tx, run, now)
        terms = effect.request.get("discount") or {}
        meant = effect.purpose is Purpose.REFERRAL or run.event.get("kind") == EventKind.REFERRAL_ASKED
        shared = meant and not (terms.get("customer_email") or terms.get("customer_id"))
        if shared and values.get("code") and run.email_key:
            referrals.put_code(
                tx, run.shop_id, values["code"], run.email_key, run.customer_id, run.order_id, run.id, now
            )
            self.referring.open_page(tx, run.shop_id, run.email_key, values["code"], values.get("url", ""), now)

    def ended(self, tx: Tx, run: Run, now: datetime) -> None:
        """A reward run that came to its end has rewarded, unless the shop refused the code; a cancelled one has not."""
        referral_id = run.event.get("referral_id")
        if not referral_id or run.event.get("kind") != EventKind.REFERRAL_ATTRIBUTED:
            return
        if run.status is RunStatus.COMPLETED and not _gave(tx, run):
            row = referrals.get(tx, run.shop_id, referral_id)
            reason = NOT_MADE if row is None or row.advocate_email_key else FORGOTTEN
            referrals.set_state(tx, run.shop_id, referral_id, "refused", reason, now, only_from=("held",))
        elif run.status is RunStatus.COMPLETED:
            referrals.set_state(tx, run.shop_id, referral_id, "rewarded", "", now, only_from=("held",))
        elif run.status in (RunStatus.FAILED, RunStatus.EXITED) and referrals.set_state(
            tx, run.shop_id, referral_id, "refused", run.reason, now, only_from=("held",)
        ):
            # Points go with the reward: the friend's return may never become a refund that would take them back.
            forgo(tx, run.shop_id, f"referral/{referral_id}", now, run.reason)

    def _attribute(self, tx: Tx, shop: Shop, order: Order, situation: Situation, now: datetime) -> list[Event]:
        for discount in order.discounts:
            code = referrals.code(tx, shop.id, discount.code) if discount.code else None
            if code is None:
                continue
            friend = email_key(order.email or (order.customer.email if order.customer else None))
            earlier = [
                other
                for other in (entities.orders_of(tx, shop.id, friend) if friend else [])
                if other.id != order.id and other.placed_at <= order.placed_at
            ]
            advocate = entities.order(tx, shop.id, code.order_id) if code.order_id else None
            owner = CodeOwner(
                code=code.code_key,
                email_key=code.advocate_email_key,
                customer_id=code.advocate_customer_id,
                order=advocate,
            )
            verdict = attribute(order, owner, shop, earlier)
            undone = purchase_of(order) is None or situation.progress.refunded
            return self._record(tx, shop, order, owner, friend or "", verdict, now, undone=undone)
        return []

    def _record(
        self,
        tx: Tx,
        shop: Shop,
        order: Order,
        owner: CodeOwner,
        friend: str,
        verdict: object,
        now: datetime,
        *,
        undone: bool,
    ) -> list[Event]:
        granted = isinstance(verdict, Attributed) and not undone
        # The refund may be told before the payment: nothing would reverse what is attributed after it.
        refused = UNDONE if isinstance(verdict, Attributed) else str(getattr(verdict, "reason", "refused"))
        reason = "" if granted else refused
        referral_id = f"order-{order.id}"
        state = "held" if granted else "refused"
        made = referrals.put(
            tx, shop.id, referral_id, owner.code, owner.email_key or "", friend, order.id, state, reason, now
        )
        if not made:
            return []
        kind = EventKind.REFERRAL_ATTRIBUTED if granted else EventKind.REFERRAL_REFUSED
        return [
            Event(
                kind=kind,
                key=f"referral/{referral_id}/{state}",
                subject=Ref("order", order.id),
                at=now,
                order_id=order.id,
                data={"referral_id": referral_id, "code": owner.code, "reason": reason},
            )
        ]

    def _reverse(self, tx: Tx, shop: Shop, order: Order, event: Event, now: datetime, *, gone: bool) -> list[Event]:
        referral = referrals.by_order(tx, shop.id, order.id)
        # What was given already is taken back only when nothing of the friend's purchase is left.
        only_from = ("held", "rewarded") if gone else ("held",)
        if referral is None:
            return []
        if (
            event.kind == EventKind.ORDER_UPDATED
            and referral.state == "held"
            and entities.refunds(tx, shop.id, order.id)
        ):
            return []  # the refund itself is told beside it, and says why
        moved = referrals.set_state(tx, shop.id, referral.id, "reversed", event.kind, now, only_from=only_from)
        # A reward that could not be made leaves the points of the loyalty programme; they go with the purchase.
        earned = gone and referral.state == "refused" and books.facts_because(tx, shop.id, f"referral/{referral.id}")
        if not moved and not earned:
            return []
        void_all(tx, shop.id, f"referral/{referral.id}", event.kind, now)
        return [
            Event(
                kind=EventKind.REFERRAL_REVERSED,
                key=f"referral/{referral.id}/reversed",
                subject=Ref("order", order.id),
                at=now,
                order_id=order.id,
                data={"referral_id": referral.id, "reason": event.kind},
            )
        ]


def _take_back_late(tx: Tx, run: Run, now: datetime) -> None:
    """What was on its way to the platform when the referral was reversed is taken back as soon as it is there."""
    referral_id = run.event.get("referral_id")
    row = referrals.get(tx, run.shop_id, referral_id) if referral_id else None
    if row is not None and row.state == "reversed":
        void_all(tx, run.shop_id, f"referral/{row.id}", row.reason, now)


def _gave(tx: Tx, run: Run) -> bool:
    """Whether anything of the run was carried out. A code counts though the mail about it was not allowed."""
    done = (EffectStatus.SENT, EffectStatus.UNCERTAIN)
    return any(effect.status in done for effect in effects.of_run(tx, run.shop_id, run.id))
