"""What an operator does with a shop's programme: look at somebody, adjust, take over a list, check, look back."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connector.app import Kiitos
from connector.clock import to_text
from connector.config.loyalty import COLLECTION, Programme
from connector.config.perks import Perk
from connector.errors import ConfigError, near
from connector.model import Event, Shop, email_key
from connector.model.value import POINTS, Fact, FactKind
from connector.store import accounts, books, entities, perks, vouchers, wakeups
from connector.store.accounts import Holder
from connector.store.db import Tx
from flows.knowing.situation import look
from flows.value import access
from flows.value.backtesting import Costs, count
from flows.value.bookings import position_of, post, spend
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
    grants = {fact.id: fact for fact in facts}
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
            }
        )
    return {
        "who": key,
        "units": [_unit(unit, settle([f for f in facts if f.unit == unit], now)) for unit in units],
        "tier": tier,
        "entries": found,
    }


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


def _hold(tx: Tx, shop_id: str, key: str, first: str, now: datetime) -> Holder:
    account = entities.customer_by_email(tx, shop_id, key)
    return accounts.open_for(tx, shop_id, account.id if account else None, key, first, now)


@dataclass(frozen=True, slots=True)
class Adjusted:
    done: bool
    text: str


def adjustment(kiitos: Kiitos, shop_id: str, key: str, points: int, by: str, note: str, name: str) -> Adjusted:
    """Give points or take them away, by a person's word; once a `name`."""
    now, fact_id = kiitos.clock.now(), f"adjustment/{name or kiitos.clock.new_id()}"
    with kiitos.store.work.transaction() as tx:
        holder = _hold(tx, shop_id, key, fact_id, now)
        if books.fact(tx, shop_id, fact_id) is not None:
            return Adjusted(True, "done before: nothing was changed")
        if points > 0:
            grant = _given(fact_id, Decimal(points), "adjustment", by, now)
            post(tx, shop_id, holder, [grant], now)
        elif not spend(tx, shop_id, fact_id, holder, Decimal(-points), now, "adjustment"):
            has = whole(position_of(tx, shop_id, holder, now).available)
            return Adjusted(False, f"nothing was taken: there are only {has}")
        if note:
            books.note(tx, shop_id, fact_id, holder.account, note)
        return Adjusted(True, f"{whole(position_of(tx, shop_id, holder, now).available)} points to use now")


def _given(fact_id: str, amount: Decimal, cause: str, by: str, now: datetime, until: datetime | None = None) -> Fact:
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


# -- lists from other programmes ---------------------------------------------------------------------------------------

# As Smile, Yotpo and LoyaltyLion head them (help.smile.io/article/2443, support.yotpo.com importing points,
# help.loyaltylion.com/en/articles/5367139), in small letters without signs.
_COLUMNS = {
    "email": ("email", "emailaddress", "customeremail", "useremail"),
    "points": ("points", "pointsbalance", "pointsapproved", "availablepoints", "currentpoints", "balance"),
    "spent": ("pointsspent",),
    "tier": ("viptier", "tier", "loyaltytier", "tiername"),
    "expires": ("pointsexpireat", "expirydate", "pointsexpirationdate", "expiresat"),
}
_LESS_SPENT = "pointsapproved"
"""LoyaltyLion tells what was ever earned: what was spent goes off."""


@dataclass(slots=True)
class TakenOver:
    """`left_out` are lines of the file and what is wrong with them."""

    taken: int = 0
    known: int = 0
    points: int = 0
    left_out: list[tuple[int, str]] = field(default_factory=list)


def take_over(
    kiitos: Kiitos, shop_id: str, data: bytes, by: str, batch: str, *, messages: bool, dry_run: bool
) -> TakenOver:
    """Take a list over, a person a transaction. Raises `ConfigError` for a file that is no such list."""
    settings = kiitos.catalog.settings(shop_id)
    batch = batch or hashlib.sha256(data).hexdigest()[:12]
    told, seen = TakenOver(), set[str]()
    for line, row in _rows(data):
        try:
            key, points, tier, until = _read_row(row, settings.loyalty)
        except ValueError as error:
            told.left_out.append((line, str(error)))
            continue
        if key in seen:
            told.left_out.append((line, "the address is in the list twice"))
            continue
        seen.add(key)
        known = not dry_run and not _take_one(kiitos, shop_id, key, points, tier, until, by, batch, messages=messages)
        told.known += known
        told.taken += not known
        told.points += 0 if known else points
    return told


def _rows(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
        heads = {_plain(head): head for head in reader.fieldnames or ()}
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"no CSV file in UTF-8 ({type(error).__name__})") from error
    found = {name: next((heads[each] for each in names if each in heads), "") for name, names in _COLUMNS.items()}
    for needed in ("email", "points"):
        if not found[needed]:
            raise ConfigError(f"the file has no column '{needed}'{near(needed, heads)}; it has {', '.join(heads)}")
    if _plain(found["points"]) != _LESS_SPENT:
        found["spent"] = ""
    for line, row in rows:
        yield line, {name: (row.get(head) or "").strip() if head else "" for name, head in found.items()}


def _plain(head: str | None) -> str:
    return "".join(letter for letter in (head or "").lower() if letter.isalnum())


def _read_row(row: Mapping[str, str], programme: Programme) -> tuple[str, int, str, datetime | None]:
    key = email_key(row["email"])
    if key is None:
        raise ValueError("no e-mail address")
    points = _whole(row["points"]) - _whole(row["spent"])
    if points < 0:
        raise ValueError("less than no points")
    tiers = {name.lower(): tier.name for tier in programme.tiers for name in (tier.name, tier.title)}
    tier = row["tier"].lower()
    if tier and tier not in tiers:
        raise ValueError(f"no tier '{row['tier']}'{near(tier, tiers)}")
    until = None
    if row["expires"]:
        try:
            until = datetime.fromisoformat(row["expires"])
        except ValueError:
            raise ValueError("the expiry is no date such as 2026-12-31") from None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return key, points, tiers.get(tier, ""), until


def _whole(text: str) -> int:
    plain = text.replace(",", "").replace(" ", "") or "0"
    number = plain.removesuffix(".0").removesuffix(".00")
    if not number.lstrip("-").isdigit() or not number.isascii():
        raise ValueError("points are no whole number")
    return int(number)


def _take_one(
    kiitos: Kiitos,
    shop_id: str,
    key: str,
    points: int,
    tier: str,
    until: datetime | None,
    by: str,
    batch: str,
    *,
    messages: bool,
) -> bool:
    """`False` where the person was taken over from this list before."""
    now = kiitos.clock.now()
    fact_id = f"import/{batch}/{hashlib.sha256(f'{batch}/{key}'.encode()).hexdigest()[:16]}"
    with kiitos.store.work.transaction() as tx:
        holder = _hold(tx, shop_id, key, fact_id, now)
        if books.fact(tx, shop_id, fact_id) is not None:
            return False
        expires = kiitos.catalog.settings(shop_id).loyalty.expires
        lapses = until or (now + expires if expires else None)
        changes = post(tx, shop_id, holder, [_given(fact_id, Decimal(points), f"import/{batch}", by, now, lapses)], now)
        events: list[Event] = kiitos.runner.loyalty.imported(tx, shop_id, holder, changes, now, tier)
        if messages and events:
            kiitos.runner.ingest(tx, shop_id, events, now)
    return True


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
