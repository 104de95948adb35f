"""Points of a referral in the books: promised when it is held, to be used when it is rewarded, else taken back.

Codes, store credit and gift cards are the platform's (`flows.value.vouchers`); what is issued is voided under the same
cause, `referral/ID`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from connector.model.value import POINTS, Fact, FactKind
from connector.store import accounts, books, referrals
from connector.store.db import Tx
from connector.store.referrals import ReferralRow
from flows.referring.promises import ADVOCATE, FRIEND, SIDES, points_of, reward_of
from flows.value.bookings import post, release, reverse

_RULE = "referrals"


def fact_id(referral_id: str, side: str) -> str:
    """The grant in the books that one side's points are. No loyalty rule's: those are `referral/ID/RULE`, and a rule
    for advocates may well be called `friend`."""
    return f"referral/{referral_id}/promised/{side}"


def _granted(tx: Tx, shop_id: str, referral_id: str, side: str) -> Fact | None:
    """One side's grant, also under the name it had before rules could have the same."""
    found = books.fact(tx, shop_id, fact_id(referral_id, side))
    before = None if found is not None else books.fact(tx, shop_id, f"referral/{referral_id}/{side}")
    return before if before is not None and before.rule == _RULE else found


def promise_points(
    tx: Tx, shop_id: str, row: ReferralRow, customers: tuple[str | None, str | None], now: datetime
) -> None:
    """Enter what both sides will get, pending until it is released by word."""
    addresses = {ADVOCATE: row.advocate_email_key, FRIEND: row.friend_email_key}
    for side, customer_id in zip(SIDES, customers, strict=True):
        reward = reward_of(row.reward, side)
        points, address = points_of(reward), addresses[side] or None
        if not points or reward is None or not (customer_id or address):
            continue
        key = fact_id(row.id, side)
        holder = accounts.open_for(tx, shop_id, customer_id, address, key, now)
        opens = row.opens_at or now
        grant = Fact(
            id=key,
            account="",
            unit=POINTS,
            kind=FactKind.GRANT,
            amount=Decimal(points),
            at=now,
            cause=f"referral/{row.id}",
            rule=_RULE,
            version=row.month,
            available_at=None,
            expires_at=opens + reward.valid if reward.valid else None,
        )
        post(tx, shop_id, holder, [grant], now)


def release_points(tx: Tx, shop_id: str, referral_id: str, side: str, now: datetime) -> int:
    """Let one side use them from now on, as long as was promised; how many, 0 where none were."""
    grant, row = _granted(tx, shop_id, referral_id, side), referrals.get(tx, shop_id, referral_id)
    valid = reward.valid if row is not None and (reward := reward_of(row.reward, side)) is not None else None
    until = now + valid if valid else None
    told = grant is not None and release(tx, shop_id, grant.id, now, f"referral/{referral_id}", expires_at=until)
    return int(grant.amount) if grant is not None and told else 0


def withhold_points(tx: Tx, shop_id: str, referral_id: str, now: datetime, reason: str) -> None:
    """Take back what is still pending when the run that would have released it is over: nothing else ever would."""
    for side in SIDES:
        grant = _granted(tx, shop_id, referral_id, side)
        told = books.facts_because(tx, shop_id, grant.cause) if grant is not None else []
        if grant is not None and not any(f.of == grant.id and f.kind is FactKind.RELEASE for f in told):
            reverse(tx, shop_id, grant.id, now, reason)


def take_points_back(tx: Tx, shop_id: str, row: ReferralRow, now: datetime, reason: str) -> None:
    """Take back what was promised or given, once; what was spent meanwhile is owed."""
    for side in SIDES:
        grant = _granted(tx, shop_id, row.id, side)
        if grant is not None:
            reverse(tx, shop_id, grant.id, now, reason)
