"""What must hold of the books, whatever went wrong: value is neither created nor lost. Asked of the rows of the books
and of the shops, with none of the product's code; the numbers come from `tests.swarm.value.truth`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

from connector.model import FinancialStatus
from tests.swarm import oracles as letters
from tests.swarm.plan import WEST
from tests.swarm.value.gifts import GIFTS
from tests.swarm.value.life import ValueLife
from tests.swarm.value.sales import AINO, right, second, stands
from tests.swarm.value.truth import BIRTHDAY, Group, birthdays, groups, tier

GRACE = timedelta(days=6)
"""A tier is compared when nothing changed for longer than its grace."""
_ENTRIES = """SELECT DISTINCT entry_id, unit, debit, credit, amount FROM value_entries JOIN value_names
USING (shop_id, account) WHERE shop_id = ? AND owner IN (SELECT value FROM json_each(?))"""


def check(life: ValueLife) -> list[str]:
    """Every fault, as sentences."""
    found = list(life.faults)
    for oracle in (*LETTERS, *BOOKS):
        found += oracle(life)
    return list(dict.fromkeys(found))


def reckoned(life: ValueLife) -> Iterator[str]:
    """What must hold whenever nothing waits and nothing changes."""
    for oracle in BOOKS:
        yield from oracle(life)


# -- the books in themselves ---


def out_of_balance(life: ValueLife) -> Iterator[str]:
    """Every lot's places sum to nothing, and nothing but debts is below it."""
    places: dict[tuple[str, ...], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for shop_id, account, unit, lot, debit, credit, amount in life.house.connection.execute(
        "SELECT shop_id, CASE lot WHEN '' THEN account ELSE '' END, unit, lot, debit, credit, amount FROM value_entries"
    ).fetchall():
        if Decimal(amount) <= 0 or debit == credit:
            yield f"{lot}: an entry of {amount} from {debit} to {credit}"
        places[shop_id, account, unit, lot][debit] -= Decimal(amount)
        places[shop_id, account, unit, lot][credit] += Decimal(amount)
    for (shop_id, _, unit, lot), each in places.items():
        if sum(each.values()):
            yield f"{shop_id} {lot or 'beyond'} ({unit}): does not sum to nothing"
        for place in ("pending", "available", "spent", "expired"):
            if each[place] < 0:
                yield f"{shop_id} {lot or 'beyond'} ({unit}): {each[place]} {place}"


def not_as_earned(life: ValueLife) -> Iterator[str]:
    """What somebody owns is what the orders as they stand come to."""
    for group in (one for one in groups(life) if one.is_sure):
        has = _owned(life, group, "points")
        given, used = -has["source"], has["spent"]
        if given != group.kept:
            yield f"{group}: was given {given} points, and {group.kept} are due"
        if used != group.used:
            yield f"{group}: used {group.used} points, and the books say {used}"
        due = group.at(life.now)
        books = has["pending"], has["available"] + has["owed"], has["expired"]
        if due is not None and given == group.kept and books != due:
            yield f"{group}: pending, usable and lapsed are {books}, and should be {due}"
        badges = -_owned(life, group, "badge/regular")["source"]
        if badges != group.badge:
            yield f"{group}: has {badges} badges for {len(group.standing())} orders"


def _owned(life: ValueLife, group: Group, unit: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    rows = life.house.connection.execute(_ENTRIES, (group.shop_id, json.dumps(sorted(group.names)))).fetchall()
    for _, of, debit, credit, amount in rows:
        if of == unit:
            found[debit] -= Decimal(amount)
            found[credit] += Decimal(amount)
    return found


def in_another_tier(life: ValueLife) -> Iterator[str]:
    for group in groups(life):
        changed = life.changed.get((group.shop_id, group.person))
        now, before = life.now, life.now - GRACE
        if changed is None or changed > before or tier(group, now) != tier(group, before):
            continue
        rows = life.house.connection.execute(
            "SELECT DISTINCT account, state FROM value_members JOIN value_names USING (shop_id, account) "
            "WHERE shop_id = ? AND owner IN (SELECT value FROM json_each(?))",
            (group.shop_id, json.dumps(sorted(group.names))),
        ).fetchall()
        stand = [word for _, state in rows if (word := json.loads(state).get("tier"))]
        if stand != [word for word in [tier(group, now)] if word]:
            yield f"{group}: stands in {stand or 'no tier'}, and has reached {tier(group, now) or 'none'}"


def birthday_twice(life: ValueLife) -> Iterator[str]:
    for group in groups(life):
        days = [day for day, amount in birthdays(life, group) if amount == BIRTHDAY]
        if len({day.year for day in days}) < len(days) or (days and group.person is not AINO):
            yield f"{group}: {len(days)} presents for one birthday"


# -- codes ---


def codes_in_disorder(life: ValueLife) -> Iterator[str]:
    """What the books say of a code is what the shop knows of it."""
    rows = life.house.connection.execute(
        "SELECT shop_id, voucher_key, state, used_order FROM vouchers WHERE kind = 'discount'"
    ).fetchall()
    known = {(shop_id, code): (state, order_id) for shop_id, code, state, order_id in rows}
    forgotten = {
        (shop_id, address)
        for shop_id, person in life.forgotten
        for address in (person.email, second(person), right(person))
    }
    for shop_id, made in life.codes.items():
        for code, request in made.items():
            bound = request.customer_email
            told = (shop_id, code) in known or (shop_id, bound) in forgotten or _given_up(life, shop_id, code)
            if bound and not told:
                yield f"{shop_id} {code}: is in the shop and not in the books"
    for (shop_id, code), (state, order_id) in known.items():
        if code not in life.codes.get(shop_id, {}):
            yield f"{shop_id} {code}: is in the books and not in the shop"
            continue
        user = life.uses.get((shop_id, code), "")
        paid = user and (shop_id, user) in life.orders and life.orders[shop_id, user].order.paid_at is not None
        if (state in ("used",) and order_id != user) or (paid and state not in ("used", "kept")):
            yield f"{shop_id} {code}: is {state} in the books ({order_id}), and was used by '{user}'"
        if (state == "voided") != ((shop_id, code) in life.off):
            yield f"{shop_id} {code}: is {state} in the books, and {'off' if (shop_id, code) in life.off else 'good'}"


def _given_up(life: ValueLife, shop_id: str, code: str) -> bool:
    """The answer about it was lost, and its cause gone before it was asked for again: nobody was ever told of it."""
    rows = life.house.connection.execute(
        "SELECT 1 FROM effects WHERE shop_id = ? AND status = 'skipped' AND tainted = 1 AND request LIKE ?",
        (shop_id, f'%"{code}"%'),
    ).fetchall()
    return bool(rows)


def rewarded_for_nothing(life: ValueLife) -> Iterator[str]:
    """Nobody is rewarded for a friend who sent everything back, and nobody loses one for a friend who kept it; the
    shop with terms has oracles of its own."""
    for shop_id, order_id, state in life.house.connection.execute(
        "SELECT shop_id, friend_order_id, state FROM referrals WHERE shop_id = ?", (WEST,)
    ).fetchall():
        true = life.orders.get((shop_id, order_id))
        if true is None:
            continue
        touched = true.refunds or true.order.cancelled_at is not None
        if state in ("held", "rewarded") and not stands(true):
            yield f"{shop_id} {true.number}: is {state}, and nothing of it is left"
        if state == "reversed" and not touched:
            yield f"{shop_id} {true.number}: was reversed, and all of it was kept"
        if state == "held" and life.now - (true.order.paid_at or life.now) > timedelta(days=60):
            yield f"{shop_id} {true.number}: is held for ever"
    for shop_id, code, cause, state in life.house.connection.execute(
        "SELECT shop_id, voucher_key, cause, state FROM vouchers WHERE cause LIKE 'referral/%'"
    ).fetchall():
        true = life.orders.get((shop_id, cause.removeprefix("referral/order-")))
        if true is not None and not stands(true) and state == "issued":
            yield f"{shop_id} {code}: is good, and nothing of {true.number} is left"


def undone_and_paid_for(life: ValueLife) -> Iterator[str]:
    """No points stay of an order that was given back whole."""
    for true in life.orders.values():
        if true.order.financial is not FinancialStatus.REFUNDED and true.order.cancelled_at is None:
            continue
        rows = life.house.connection.execute(
            "SELECT debit, credit, amount FROM value_entries WHERE shop_id = ? AND lot LIKE ?",
            (true.shop_id, f"order/{true.order.id}/%"),
        ).fetchall()
        left = sum(int(a) * ((d == "source") - (c == "source")) for d, c, a in rows)
        if left:
            yield f"{true.number}: {left} points stay of an order that was given back"


def not_forgotten(life: ValueLife) -> Iterator[str]:
    """The books of somebody who was forgotten are nobody's."""
    for shop_id, person in life.forgotten:
        names = [f"customer/c-{person.name}", f"email/{person.email}"]
        for (owner,) in life.house.connection.execute(
            "SELECT owner FROM value_names WHERE shop_id = ? AND owner IN (SELECT value FROM json_each(?))",
            (shop_id, json.dumps(names)),
        ).fetchall():
            yield f"{shop_id}: {owner} was forgotten, and leads to an account"


BOOKS: tuple[Callable[[ValueLife], Iterator[str]], ...] = (
    out_of_balance,
    not_as_earned,
    in_another_tier,
    birthday_twice,
    codes_in_disorder,
    rewarded_for_nothing,
    undone_and_paid_for,
    not_forgotten,
    *GIFTS,
)
LETTERS: tuple[Callable[..., Iterator[str]], ...] = (
    letters.said_twice,
    letters.after_a_no,
    letters.too_often,
    letters.left_open,
)
"""Of the oracles of all lives those that ask nothing of the shops that these have not."""
