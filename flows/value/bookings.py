"""Telling the ledger something, and reading what it comes to. In the caller's transaction, the account held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from connector.clock import to_text
from connector.model.value import POINTS, Entry, Fact, FactKind, Place
from connector.store import accounts, books
from connector.store.accounts import Holder, MemberRow
from connector.store.db import Tx
from flows.value.settling import NONE, Position, balances, postings, settle, taking_back


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one unit of somebody. `before` and `after` are what could and can be used; `told` counts the facts
    that were new."""

    holder: Holder
    unit: str
    before: Decimal
    after: Decimal
    position: Position
    entries: tuple[Entry, ...]
    told: int = 0


def post(
    tx: Tx,
    shop_id: str,
    holder: Holder,
    facts: Sequence[Fact],
    now: datetime,
    cause: str = "",
    *,
    units: Iterable[str] = (),
) -> list[Change]:
    """Tell facts about a holder and bring the books there; also those of `units`, where time may have changed
    something. A fact that was told before changes nothing. `cause` is what the entries name: the fact's own without it.
    """
    new = [
        fact for fact in facts if books.tell(tx, shop_id, replace(fact, account=fact.account or holder.account), now)
    ]
    wanted = dict.fromkeys([*(fact.unit for fact in new), *units])
    if not wanted:
        return []
    known, booked = books.facts_of(tx, shop_id, holder.accounts), books.entries_of(tx, shop_id, holder.accounts)
    changes = []
    for unit in wanted:
        told = sum(fact.unit == unit for fact in new)
        theirs = [entry for entry in booked if entry.unit == unit]
        position = settle([fact for fact in known if fact.unit == unit], now)
        because = cause or next((fact.cause for fact in new if fact.unit == unit), "time")
        entries = postings(position, theirs, holder.account, unit, now, because)
        books.enter(tx, shop_id, entries)
        changes.append(
            Change(
                holder=holder,
                unit=unit,
                before=usable(theirs),
                after=position.available,
                position=position,
                entries=tuple(entries),
                told=told,
            )
        )
    _look_later(tx, shop_id, holder, changes, now)
    return changes


def _look_later(tx: Tx, shop_id: str, holder: Holder, changes: Sequence[Change], now: datetime) -> None:
    """Time alone changes it next then: the row that wakes somebody up."""
    times = [at for change in changes if (at := change.position.next_change(now)) is not None]
    if times:
        look_before(tx, shop_id, holder.account, min(times))


def look_before(tx: Tx, shop_id: str, account: str, at: datetime) -> None:
    """Look at somebody at a moment, or before if they are to be looked at before."""
    row = accounts.member(tx, shop_id, account)
    if row.look_at is None or at < row.look_at:
        accounts.put_member(tx, MemberRow(shop_id=shop_id, account=account, look_at=at, state=row.state))


def usable(entries: Iterable[Entry]) -> Decimal:
    """What could be used as the books have it."""
    found = balances(entries).values()
    return sum((lot.get(place, NONE) for lot in found for place in (Place.AVAILABLE, Place.OWED)), NONE)


def position_of(tx: Tx, shop_id: str, holder: Holder, now: datetime, unit: str = POINTS) -> Position:
    """What somebody owns of a unit at a moment, by what was told: right also where the books follow later."""
    if not holder:
        return Position()
    return settle([fact for fact in books.facts_of(tx, shop_id, holder.accounts) if fact.unit == unit], now)


def balance(tx: Tx, shop_id: str, customer_id: str | None, email_key: str | None, now: datetime) -> int:
    """The points somebody can use now, as account and as guest."""
    if not (customer_id or email_key):
        return 0
    return int(position_of(tx, shop_id, accounts.find(tx, shop_id, customer_id, email_key), now).available)


def give_points(
    tx: Tx,
    shop_id: str,
    fact_id: str,
    customer_id: str | None,
    email_key: str | None,
    points: int,
    now: datetime,
    *,
    reason: str = "",
    cause: str = "flow",
    rule: str = "grant",
    version: str = "",
    expires_at: datetime | None = None,
) -> list[Change]:
    """Give points under an id, to be used at once; empty when it was told before. Where they lead to is for
    `Loyalty.given` to tell."""
    holder = accounts.open_for(tx, shop_id, customer_id, email_key, fact_id, now)
    grant = Fact(
        id=fact_id,
        account="",
        unit=POINTS,
        kind=FactKind.GRANT,
        amount=Decimal(points),
        at=now,
        cause=cause,
        rule=rule,
        version=version,
        reason=reason,
        available_at=now,
        expires_at=expires_at,
    )
    return post(tx, shop_id, holder, [grant], now)


def spend(tx: Tx, shop_id: str, fact_id: str, holder: Holder, amount: Decimal, now: datetime, cause: str) -> bool:
    """Use points if there are so many; `False` when there are not. Once an id: again it is `True` and changes nothing.
    The holder must be held (`accounts.open_for`, `accounts.holder_of`), so that two cannot spend the same."""
    return books.fact(tx, shop_id, fact_id) is not None or bool(use(tx, shop_id, fact_id, holder, amount, now, cause))


def use(tx: Tx, shop_id: str, fact_id: str, holder: Holder, amount: Decimal, now: datetime, cause: str) -> list[Change]:
    """The same under an id that nothing was told under yet: what it changed, nothing where there are not so many."""
    if amount <= NONE or position_of(tx, shop_id, holder, now).available < amount:
        return []
    fact = Fact(id=fact_id, account="", unit=POINTS, kind=FactKind.SPEND, amount=amount, at=now, cause=cause)
    return post(tx, shop_id, holder, [fact], now)


def reverse(tx: Tx, shop_id: str, fact_id: str, now: datetime, cause: str) -> bool:
    """Take a whole grant back, once; `False` when it is not there or was taken back."""
    grant = books.fact(tx, shop_id, fact_id)
    if grant is None or grant.kind is not FactKind.GRANT:
        return False
    holder = accounts.holder_of(tx, shop_id, grant.account) or Holder(accounts=(grant.account,))
    told = taking_back(grant, books.facts_of(tx, shop_id, holder.accounts), grant.amount, now, cause)
    return told is not None and bool(post(tx, shop_id, holder, [told], now, cause))


def earned_because(tx: Tx, shop_id: str, cause: str) -> list[Fact]:
    """What the books themselves gave for a cause. What was given in the platform is not among it: of that only as much
    is taken back as the platform says (`vouchers.voided`)."""
    return [fact for fact in books.facts_because(tx, shop_id, cause) if not fact.in_platform]


def forgo(tx: Tx, shop_id: str, cause: str, now: datetime, reason: str) -> None:
    """Take back, once, all that the books gave for a cause that came to nothing; who loses it is looked at next, so
    that tier, badges and messages follow. What was given in the platform is `vouchers.void_all`'s."""
    for grant in earned_because(tx, shop_id, cause):
        if not reverse(tx, shop_id, grant.id, now, reason):
            continue
        holder = accounts.holder_of(tx, shop_id, grant.account)
        if holder:
            accounts.put_member(tx, replace(accounts.member(tx, shop_id, holder.account), look_at=now))


def release(
    tx: Tx, shop_id: str, fact_id: str, now: datetime, cause: str, *, expires_at: datetime | None = None
) -> bool:
    """Let what waits for a word be used from now on; `False` where there is no such grant. `expires_at` in place of
    what the grant said."""
    grant = books.fact(tx, shop_id, fact_id)
    if grant is None or grant.kind is not FactKind.GRANT:
        return False
    holder = accounts.holder_of(tx, shop_id, grant.account) or Holder(accounts=(grant.account,))
    word = Fact(
        id=f"{fact_id}/released/{to_text(now)}",
        account=grant.account,
        unit=grant.unit,
        kind=FactKind.RELEASE,
        of=fact_id,
        amount=NONE,
        at=now,
        cause=cause,
        expires_at=expires_at,
    )
    post(tx, shop_id, holder, [word], now, cause)
    return True
