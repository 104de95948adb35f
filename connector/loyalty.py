"""What an operator does with a shop's programme: look at somebody, adjust, check, look back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from connector.app import Kiitos
from connector.clock import to_text
from connector.config.loyalty import COLLECTION, Programme
from connector.config.perks import Perk
from connector.model import Shop
from connector.model.value import POINTS, Fact, FactKind
from connector.store import accounts, books, entities, perks, vouchers, wakeups
from connector.store.accounts import Holder
from connector.store.db import Tx
from flows.knowing.situation import look
from flows.value import access
from flows.value.backtesting import Costs, count
from flows.value.bookings import position_of, post, use
from flows.value.past import Bought, look_at
from flows.value.settling import Position, balances, settle, wanted
from flows.value.tidings import whole

_PAGE = 200


# -- somebody ----------------------------------------------------------------------------------------------------------


def overview(kiitos: Kiitos, shop_id: str, key: str) -> dict[str, Any]:
    """What a person owns now and why, for `kiitos loyalty show`; `key` is their address in the form of joins."""
    now = kiitos.clock.now()
    with kiitos.store.work.read() as tx:
        holder = _find(tx, shop_id, key)
        facts, entries = books.facts_of(tx, shop_id, holder.accounts), books.entries_of(tx, shop_id, holder.accounts)
        notes = books.notes_of(tx, shop_id, holder.accounts)
        tier = kiitos.runner.loyalty.tier_of(tx, shop_id, holder, now)
        grants = {fact.id: fact for fact in facts if fact.kind is FactKind.GRANT}
        lines = {fact.id: _lines_of(tx, shop_id, fact) for fact in grants.values() if fact.parts}
    units = dict.fromkeys(fact.unit for fact in facts)
    found = []
    for entry in entries:
        grant = grants.get(entry.lot)
        found.append(
            {
                "at": to_text(entry.at),
                "kind": entry.kind,
                "amount": whole(entry.amount),
                "unit": entry.unit,
                "cause": grant.cause if grant else "",
                "rule": entry.rule,
                "version": entry.version,
                "because": entry.cause,
                "by": grant.by if grant else "",
                "note": notes.get(entry.lot, ""),
                "lines": lines.get(entry.lot, []),
            }
        )
    return {
        "who": key,
        "units": [_unit(unit, settle([f for f in facts if f.unit == unit], now)) for unit in units],
        "tier": tier,
        "entries": found,
    }


def _lines_of(tx: Tx, shop_id: str, grant: Fact) -> list[dict[str, str]]:
    """The lines of its order that points were earned on: `line` (its id), `title` as far as the order is known, and
    what it weighed (`amount`: its price, or its pieces)."""
    order = entities.order(tx, shop_id, grant.cause.removeprefix("order/"))
    titles = {line.id: line.title for line in order.lines} if order is not None else {}
    return [
        {"line": key, "title": titles.get(key, ""), "amount": _weight(Fraction(weight))}
        for key, weight in sorted(grant.parts.items())
    ]


def _weight(weight: Fraction) -> str:
    return whole(Decimal(weight.numerator) / weight.denominator)


def _unit(unit: str, position: Position) -> dict[str, str]:
    return {
        "unit": unit,
        "available": whole(position.available),
        "pending": whole(position.pending),
        "owed": whole(position.owed),
    }


def _find(tx: Tx, shop_id: str, key: str) -> Holder:
    account = entities.customer_by_email(tx, shop_id, key)
    return accounts.find(tx, shop_id, account.id if account else None, key)


def hold(tx: Tx, shop_id: str, key: str, first: str, now: datetime) -> Holder:
    """Whoever has this address, as account or as guest, held until the transaction ends; `first` is the fact that
    somebody new is opened for."""
    account = entities.customer_by_email(tx, shop_id, key)
    return accounts.open_for(tx, shop_id, account.id if account else None, key, first, now)


@dataclass(frozen=True, slots=True)
class Adjusted:
    done: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """`points` below zero are taken away. `name`: once more under it changes nothing. `lasting` is how long they are
    good: as long as all points of the shop where it is `None`, for ever where it is nothing."""

    points: int
    by: str
    note: str = ""
    name: str = ""
    lasting: timedelta | None = None


def adjustment(kiitos: Kiitos, shop_id: str, key: str, told: Adjustment) -> Adjusted:
    """Give points or take them away, by a person's word. Tier and next look follow, and flows hear of it."""
    now, fact_id = kiitos.clock.now(), f"adjustment/{told.name or kiitos.clock.new_id()}"
    lasting = kiitos.catalog.settings(shop_id).loyalty.expires if told.lasting is None else told.lasting
    with kiitos.store.work.transaction() as tx:
        holder = hold(tx, shop_id, key, fact_id, now)
        if books.fact(tx, shop_id, fact_id) is not None:
            return Adjusted(True, "done before: nothing was changed")
        if told.points > 0:
            until = now + lasting if lasting else None
            grant = granted(fact_id, Decimal(told.points), "adjustment", told.by, now, until)
            changes = post(tx, shop_id, holder, [grant], now)
        else:
            changes = use(tx, shop_id, fact_id, holder, Decimal(-told.points), now, "adjustment")
        left = whole(position_of(tx, shop_id, holder, now).available)
        if not changes:
            return Adjusted(False, f"nothing was taken: there are only {left}")
        if told.note:
            books.note(tx, shop_id, fact_id, holder.account, told.note)
        kiitos.runner.ingest(tx, shop_id, kiitos.runner.loyalty.given(tx, shop_id, changes, now), now)
        return Adjusted(True, f"{left} points to use now")


def granted(fact_id: str, amount: Decimal, cause: str, by: str, now: datetime, until: datetime | None = None) -> Fact:
    """Points by a person's word (`by`), to be used at once and good `until`."""
    return Fact(
        id=fact_id,
        account="",
        unit=POINTS,
        kind=FactKind.GRANT,
        amount=amount,
        at=now,
        cause=cause,
        rule=cause,
        by=by,
        available_at=now,
        expires_at=until,
    )


# -- rewards -----------------------------------------------------------------------------------------------------------


def rewards_of(kiitos: Kiitos, shop_id: str) -> list[dict[str, Any]]:
    """What points are exchanged for, and how many codes were made, are `unused`, `used` and went `back`."""
    with kiitos.store.work.read() as tx:
        made = vouchers.exchanged(tx, shop_id)
    found = []
    for reward in kiitos.catalog.settings(shop_id).loyalty.rewards:
        states = [state for cause, state in made if cause.split("/")[1] == reward.name]
        share = f"{reward.percent.normalize():f} %" if reward.percent is not None else "free delivery"
        found.append(
            {
                "reward": reward.name,
                "points": reward.points,
                "worth": f"{reward.amount.amount} {reward.amount.currency}" if reward.amount is not None else share,
                "made": len(states),
                "unused": states.count(vouchers.ISSUED),
                "used": states.count(vouchers.USED) + states.count(vouchers.KEPT),
                "back": states.count(vouchers.VOIDING) + states.count(vouchers.VOIDED),
            }
        )
    return found


def _state(perk: Perk, now: datetime) -> str:
    if now < perk.begins:
        return "waits"
    return "for members" if now < perk.over else "over" if perk.listed else "open to everybody"


def perks_of(kiitos: Kiitos, shop_id: str) -> list[dict[str, Any]]:
    """What members see before everybody else or are given, how far it is, how many were `let_in`, and how many codes
    of its list are `left` (`None` where it has none)."""
    now, counted = kiitos.clock.now(), Counter[str]()
    with kiitos.store.work.read() as tx:
        after = ""
        while page := accounts.members(tx, shop_id, after):
            counted.update(name for row in page for name in access.had([row.state]))
            after = page[-1].account
        free = {count.perk: count.free for count in perks.counts(tx, shop_id)}
    return [
        {
            "perk": perk.name,
            "kind": perk.kind,
            "state": _state(perk, now),
            "begins": to_text(perk.begins),
            "until": to_text(perk.over),
            "tiers": ", ".join(perk.tiers) or "all",
            "tag": perk.tag,
            "let_in": counted[perk.name],
            "left": free.get(perk.name, 0) if perk.listed else None,
        }
        for perk in kiitos.catalog.settings(shop_id).loyalty.perks
    ]


# -- the whole shop ----------------------------------------------------------------------------------------------------


def faults(kiitos: Kiitos, shop_id: str) -> tuple[int, list[str]]:
    """How many accounts have books, and what is wrong with them."""
    found: list[str] = []
    with kiitos.store.work.read() as tx:
        by_account: dict[str, None] = dict.fromkeys(entry.account for entry in books.all_entries(tx, shop_id))
        for account in by_account:
            names = accounts.names_of(tx, shop_id, [account]).get(account, [])
            holder = _of_names(tx, shop_id, names, account)
            facts = books.facts_of(tx, shop_id, holder.accounts)
            entries = books.entries_of(tx, shop_id, holder.accounts)
            for unit in dict.fromkeys(entry.unit for entry in entries):
                mine = [entry for entry in entries if entry.unit == unit]
                has = balances(mine)
                last = max(entry.at for entry in mine)
                should = wanted(settle([fact for fact in facts if fact.unit == unit], last))
                if any(sum(places.values()) for places in has.values()):
                    found.append(f"account {account}, {unit}: the entries do not sum to nothing")
                if _bare(has) != _bare(should):
                    found.append(f"account {account}, {unit}: the entries are not where the facts are")
    return len(by_account), found


def _of_names(tx: Tx, shop_id: str, names: list[str], account: str) -> Holder:
    customer = next((name.removeprefix("customer/") for name in names if name.startswith("customer/")), None)
    address = next((name.removeprefix("email/") for name in names if name.startswith("email/")), None)
    found = accounts.find(tx, shop_id, customer, address) if customer or address else Holder()
    return found or Holder(accounts=(account,))


def _bare(places: Mapping[str, Mapping[Any, Decimal]]) -> dict[str, dict[Any, Decimal]]:
    bare = {lot: {place: amount for place, amount in each.items() if amount} for lot, each in places.items()}
    return {lot: each for lot, each in bare.items() if each}


def look_back(kiitos: Kiitos, shop_id: str, since: datetime, until: datetime) -> Costs:
    """What the programme would have cost and returned over the shop's past orders."""
    settings = kiitos.catalog.settings(shop_id)
    shop = settings.shop
    past = list(_past(kiitos, shop, settings.loyalty))
    return count(settings.loyalty, past, since, until, shop.currency, shop.timezone)


def _past(kiitos: Kiitos, shop: Shop, programme: Programme) -> Iterator[Bought]:
    shop_id, after = shop.id, ""
    waits = programme.pending_from == "delivery"
    while True:
        with kiitos.store.work.read() as tx:
            ids = wakeups.page(tx, "orders", shop_id, after, _PAGE)
            for order_id in ids:
                order = entities.order(tx, shop_id, order_id)
                if order is None:
                    continue
                wanted_ids = [line.product_id for line in order.lines if line.product_id]
                products = entities.products(tx, shop_id, wanted_ids) if programme.of_kind(COLLECTION) else {}
                arrived = look(tx, shop, order_id).progress.delivered_at if waits else None
                yield look_at(programme, order, entities.refunds(tx, shop_id, order_id), products, arrived)
        if len(ids) < _PAGE:
            return
        after = ids[-1]
