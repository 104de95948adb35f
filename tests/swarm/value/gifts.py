"""What must hold of what was given for points, friends and opinions: each thing once, at the worth that was promised,
and gone when its cause is. Asked of the rows of the books and of what the shops know."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.swarm.plan import NORTH, PEOPLE
from tests.swarm.shop import TrueOrder
from tests.swarm.value.life import ValueLife
from tests.swarm.value.sales import stands
from tests.swarm.value.shop import EXCHANGED
from tests.swarm.value.truth import being_told

CAP = 1
"""Friends a month who are rewarded without a person's word."""
LEAST = Decimal(10)
"""What must be left of a friend's order."""
PROMISED = {1: ("credit", "15 EUR"), 2: ("gift_card", "20 EUR")}
"""For a first friend, and for each further one."""
_KINDS = {"credit": ("store_credit", "discount"), "gift_card": ("gift_card",)}
STANDING = ("review", "held", "rewarded")


@dataclass(frozen=True, slots=True)
class Brought:
    """A referral of the shop with terms, as its row says, and the friend's order as it truly is."""

    id: str
    advocate: str
    state: str
    reason: str
    signs: str
    promised: dict[str, str]
    true: TrueOrder


def brought(life: ValueLife) -> list[Brought]:
    """The oldest first; of two that were heard of in one instant, the one that was promised as the earlier."""
    rows = life.house.connection.execute(
        "SELECT referral_id, advocate_email_key, friend_order_id, state, reason, signs, reward FROM referrals "
        "WHERE shop_id = ? ORDER BY created_at, CAST(json_extract(reward, '$.nth') AS INTEGER), referral_id",
        (NORTH,),
    ).fetchall()
    return [
        Brought(key, advocate, state, reason, signs, json.loads(reward), life.orders[NORTH, order_id])
        for key, advocate, order_id, state, reason, signs, reward in rows
        if (NORTH, order_id) in life.orders and not _somebody_is_forgotten(life, NORTH)
    ]


def _somebody_is_forgotten(life: ValueLife, shop_id: str) -> bool:
    return any(where == shop_id for where, _ in life.forgotten)


def _doubts(life: ValueLife, shop_id: str) -> int:
    """What was asked of a shop and nobody can tell whether it was done: left to a person."""
    ((found,),) = life.house.connection.execute(
        "SELECT count(*) FROM effects WHERE shop_id = ? AND status = 'uncertain' AND kind <> 'message'", (shop_id,)
    ).fetchall()
    return int(found)


# -- gift cards and store credit ---


def money_in_disorder(life: ValueLife) -> Iterator[str]:
    """Each card and credit of a shop's is in the books once, and each of the books' in the shop; what was taken back is
    what the books say was."""
    rows = life.house.connection.execute(
        "SELECT shop_id, voucher_key, worth, state, kind FROM vouchers WHERE kind <> 'discount'"
    ).fetchall()
    known = {(shop_id, key): (Decimal(worth.split()[0]), state) for shop_id, key, worth, state, _ in rows}
    given = {(move.shop_id, move.id): move.amount for move in life.moves if move.what == "given"}
    given |= {key: card.worth for key, card in life.cards.items()}
    for key in given.keys() - known.keys():
        if not _somebody_is_forgotten(life, key[0]) and not _doubts(life, key[0]):
            yield f"{key}: is in the shop and not in the books"
    for key, (worth, state) in known.items():
        if worth != given.get(key):
            yield f"{key}: is worth {worth} in the books and {given.get(key)} in the shop"
        elif state == "voiding" and not _doubts(life, key[0]):
            yield f"{key}: is not taken back yet"
        elif key in life.cards and (state == "voided") == life.cards[key].on:
            yield f"{key}: is {state} in the books, and {'good' if life.cards[key].on else 'off'}"
        elif key in life.cards and (kept := _kept(life, key)) != worth - life.cards[key].taken:
            yield f"{key}: {kept} of it stay in the books, and {life.cards[key].taken} of {worth} were taken"


def _kept(life: ValueLife, key: tuple[str, str]) -> Decimal:
    """What was given and stays, by the books."""
    rows = life.house.connection.execute(
        "SELECT debit, credit, amount FROM value_entries WHERE shop_id = ? AND lot = ?", (key[0], f"voucher/{key[1]}")
    ).fetchall()
    return sum((Decimal(a) * ((d == "source") - (c == "source")) for d, c, a in rows), Decimal(0))


def credit_in_disorder(life: ValueLife) -> Iterator[str]:
    """A customer's credit is what they were given, less what they used and what was taken back once."""
    for shop_id in sorted({move.shop_id for move in life.moves}):
        if _somebody_is_forgotten(life, shop_id):
            continue  # their vouchers went with them, and what was taken back of theirs
        theirs = [move for move in life.moves if move.shop_id == shop_id]
        taken = [move.amount for move in theirs if move.what == "taken"]
        rows = life.house.connection.execute(
            "SELECT voucher_key, state FROM vouchers WHERE shop_id = ? AND kind = 'store_credit'", (shop_id,)
        ).fetchall()
        told = sum(
            (Decimal(worth) - _kept(life, (shop_id, key)) for key, worth in _worths(life, shop_id).items()), Decimal(0)
        )
        if sum(taken) != told and not (_doubts(life, shop_id) and sum(taken) >= told):
            yield f"{shop_id}: {sum(taken)} of credit were taken back, and the books say {told}"
        if len(taken) > sum(state in ("voiding", "voided") for _, state in rows):
            yield f"{shop_id}: {len(taken)} credits were taken back, of {rows}"
        for customer_id in {move.customer_id for move in theirs}:
            if life.balance(shop_id, customer_id) < 0:
                yield f"{shop_id} {customer_id}: is at {life.balance(shop_id, customer_id)}"


def _worths(life: ValueLife, shop_id: str) -> dict[str, str]:
    rows = life.house.connection.execute(
        "SELECT voucher_key, worth FROM vouchers WHERE shop_id = ? AND kind = 'store_credit'", (shop_id,)
    ).fetchall()
    return {key: worth.split()[0] for key, worth in rows}


# -- friends ---


def rewarded_otherwise(life: ValueLife) -> Iterator[str]:
    """A friend who is kept brings what was promised, once; one who is not brings nothing that is still good."""
    doubts = _doubts(life, NORTH)
    for one in brought(life):
        given = life.house.connection.execute(
            "SELECT kind, worth, state FROM vouchers WHERE shop_id = ? AND cause = ?", (NORTH, f"referral/{one.id}")
        ).fetchall()
        if len(given) > 1:
            yield f"{one.id}: {given} for one friend"
        if one.state == "rewarded" and not given and not doubts and not _said_no(life, one.advocate):
            yield f"{one.id}: is rewarded with nothing"
        for kind, worth, state in given:
            promised = one.promised["kind"], one.promised["worth"]
            if kind not in _KINDS[promised[0]] or Decimal(worth.split()[0]) != Decimal(promised[1].split()[0]):
                yield f"{one.id}: {worth} as {kind} for a promise of {promised}"
            if one.state != "rewarded" and state == "issued" and not being_told(life, one.id):
                yield f"{one.id}: is {one.state}, and {worth} as {kind} is good"
            if one.state == "rewarded" and state != "issued" and kind != "discount":
                yield f"{one.id}: is rewarded, and {worth} as {kind} is {state}"


def _said_no(life: ValueLife, address: str) -> bool:
    """Whether nobody may write to them: what they would not hear of is not given."""
    person = next((each for each in PEOPLE if each.email == address.removeprefix("2")), None)
    accounts = (f"c-{person.name}", f"d-{person.name}") if person is not None else ()
    said = {(who, kind) for shop_id, who, kind in life.recorded if shop_id == NORTH}
    return any(who == address or (who in accounts and kind == "consent.withdrawn") for who, kind in said)


def promised_otherwise(life: ValueLife) -> Iterator[str]:
    """What a friend brings goes by how many the advocate had brought who were still kept then."""
    all_of_them = brought(life)
    for number, one in enumerate(all_of_them):
        before = [other for other in all_of_them[:number] if other.advocate == one.advocate]
        least = 1 + sum(other.state in STANDING for other in before)
        wanted = {PROMISED[min(nth, 2)] for nth in range(least, len(before) + 2)}
        if (one.promised["kind"], one.promised["worth"]) not in wanted:
            yield f"{one.id}: was promised {one.promised}, and should be {wanted}"


def over_the_cap(life: ValueLife) -> Iterator[str]:
    """Of two friends of one advocate and month the later one waits for a person."""
    zone = ZoneInfo("Europe/Helsinki")
    counted: dict[tuple[str, str], int] = {}
    for one in brought(life):
        paid_at = one.true.order.paid_at
        if one.state not in STANDING or paid_at is None:
            continue
        month = one.advocate, f"{paid_at.astimezone(zone):%Y-%m}"
        counted[month] = counted.get(month, 0) + 1
        waits = one.state == "review" or (NORTH, one.id) in life.decided
        if counted[month] > CAP and not (waits and "over_cap" in one.signs):
            yield f"{one.id}: is {one.state} ({one.signs}), the {counted[month]}. of {month}"


def rewarded_beyond_terms(life: ValueLife) -> Iterator[str]:
    """While it waits any money back ends it; afterwards only when less than the minimum is left."""
    for one in brought(life):
        order = one.true.order
        back = order.refunded.amount if order.refunded else Decimal(0)
        goods = any(line.quantity if line.current_quantity is None else line.current_quantity for line in order.lines)
        left = stands(one.true) and goods and order.total.amount - back >= LEAST
        touched = bool(one.true.refunds) or order.cancelled_at is not None
        if one.state in STANDING and not left:
            yield f"{one.id}: is {one.state}, and too little of {one.true.number} is left"
        if one.state in ("held", "review") and touched:
            yield f"{one.id}: is {one.state}, and money of {one.true.number} went back"
        if one.state == "reversed" and not touched:
            yield f"{one.id}: was reversed, and all of {one.true.number} was kept"


def unnoticed_friend(life: ValueLife) -> Iterator[str]:
    """Who was brought by a code that its owner had been told is somebody's friend, or there is a reason."""
    execute = life.house.connection.execute
    known = execute("SELECT shop_id, code_key, created_at FROM referral_codes").fetchall()
    since = {(shop_id, code): at for shop_id, code, at in known}
    heard = set(execute("SELECT shop_id, friend_order_id FROM referrals").fetchall())
    for (shop_id, order_id), true in life.orders.items():
        paid_at, codes = true.order.paid_at, [one.code or "" for one in true.order.discounts]
        if _somebody_is_forgotten(life, shop_id) or paid_at is None or (shop_id, order_id) in heard:
            continue
        if any(since.get((shop_id, code), "9") < f"{paid_at:%Y-%m-%dT%H:%M:%S}" for code in codes):
            yield f"{shop_id} {true.number}: came by {codes}, and nobody knows"


# -- points and opinions ---


def not_exchanged_once(life: ValueLife) -> Iterator[str]:
    """For each exchange that the page said was made there is a code, or the shop refused it."""
    wished: dict[tuple[str, str], int] = {}
    made: dict[tuple[str, str], int] = {}
    for wish in life.wishes.values():
        wished[wish.shop_id, wish.address] = wished.get((wish.shop_id, wish.address), 0) + 1
    codes = [(shop_id, request) for shop_id, each in life.codes.items() for request in each.values()]
    codes += [(shop_id, request) for (shop_id, _), request in life.refused.items()]
    for shop_id, request in codes:
        if request.code.startswith(EXCHANGED):
            owner = shop_id, request.customer_email or ""
            made[owner] = made.get(owner, 0) + 1
    for owner in wished.keys() | made.keys():
        forgotten = any((owner[0], person.email) == owner for _, person in life.forgotten)
        if wished.get(owner, 0) != made.get(owner, 0) and not forgotten:
            yield f"{owner}: {made.get(owner, 0)} codes for {wished.get(owner, 0)} exchanges"


def opinions_in_disorder(life: ValueLife) -> Iterator[str]:
    """A review is where those who wrote it and looked at it left it."""
    for (shop_id, review_id), opinion in life.opinions.items():
        rows = life.house.connection.execute(
            "SELECT state FROM reviews WHERE shop_id = ? AND review_id = ?", (shop_id, review_id)
        ).fetchall()
        if rows != [(opinion.state,)] and not _somebody_is_forgotten(life, shop_id):
            yield f"{shop_id} review {review_id}: is {rows}, and should be {opinion.state}"


GIFTS: tuple[Callable[[ValueLife], Iterator[str]], ...] = (
    money_in_disorder,
    credit_in_disorder,
    rewarded_otherwise,
    promised_otherwise,
    over_the_cap,
    rewarded_beyond_terms,
    unnoticed_friend,
    not_exchanged_once,
    opinions_in_disorder,
)
