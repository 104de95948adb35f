"""What the programmes hear: events, effects that were carried out, runs that ended; in the caller's transaction.

Referrals are `flows.referring.programme`'s, points `flows.value.loyalty`'s; this module passes on what concerns them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from connector.model import Effect, EffectStatus, Event, EventKind, Purpose, Run, RunStatus, Shop
from connector.store import effects, referrals
from connector.store.db import Tx
from flows.care import cases, tasks
from flows.knowing.situation import Situation
from flows.knowing.subjects import order_name
from flows.referring.giving import withhold_points
from flows.referring.programme import Referring
from flows.referring.reasons import FORGOTTEN, NOT_GIVEN, NOT_MADE
from flows.reviews.attached import published
from flows.value import crediting, thanks
from flows.value.bookings import forgo
from flows.value.loyalty import Loyalty
from flows.value.vouchers import issued, used, void_all

if TYPE_CHECKING:
    from flows.runner import Runner


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
        thanks.take_back(tx, self._runner, shop.id, event, now)
        return [
            *self._follow_referral(tx, shop, event, situation, now),
            *self._loyalty.follow(tx, shop, event, situation, now),
            *cases.follow(tx, shop.id, event, now),
        ]

    def _follow_referral(self, tx: Tx, shop: Shop, event: Event, situation: Situation, now: datetime) -> list[Event]:
        order = situation.order
        if order is None:
            return []
        if event.kind == EventKind.ORDER_PAID:
            used(tx, shop.id, order, now)
        crediting.ask(tx, shop.id, order, event, now)
        return self.referring.follow(tx, shop, event, situation, now)

    def performed(self, tx: Tx, run: Run, effect: Effect, values: Mapping[str, str], now: datetime) -> None:
        """A shared code of a referral flow belongs, from now on, to the customer it was made for."""
        if effect.request.get("do") == "publish_review":
            published(tx, effect, values, now)
        review_id = self._thanked_for(tx, run, effect)
        issued(tx, run, effect, values, now, review_id)
        _take_back_late(tx, run, now)
        if review_id:
            thanks.take_back_late(tx, self._runner, run, review_id, now)
        terms = effect.request.get("discount") or {}
        meant = effect.purpose is Purpose.REFERRAL or run.event.get("kind") == EventKind.REFERRAL_ASKED
        shared = meant and not (terms.get("customer_email") or terms.get("customer_id"))
        if shared and values.get("code") and run.email_key:
            referrals.put_code(
                tx, run.shop_id, values["code"], run.email_key, run.customer_id, run.order_id, run.id, now
            )
            self.referring.open_page(tx, run.shop_id, run.email_key, values["code"], values.get("url", ""), now)

    def _thanked_for(self, tx: Tx, run: Run, effect: Effect) -> str:
        """The review that something was given for, its order held; empty for what is given for anything else."""
        if not (effect.request.get("discount") or effect.request.get("grant")) or not run.order_id:
            return ""
        tx.hold([order_name(run.shop_id, run.order_id)])
        return thanks.review_of(tx, self._runner, run)

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
            withhold_points(tx, run.shop_id, referral_id, now, NOT_GIVEN)
        elif run.status in (RunStatus.FAILED, RunStatus.EXITED) and referrals.set_state(
            tx, run.shop_id, referral_id, "refused", run.reason, now, only_from=("held",)
        ):
            # Points go with the reward: the friend's return may never become a refund that would take them back.
            forgo(tx, run.shop_id, f"referral/{referral_id}", now, run.reason)


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
