"""One person, or one shop, across all tables (`connector.store.places`): finding, showing and erasing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from connector import codec
from connector.model import Buyer, Checkout, Customer, EffectStatus, Order, email_key
from connector.store.contents import unpack_content
from connector.store.db import Row, Tx
from connector.store.places import PLACES

_PAGE = 500
_OF_CODES = ("referral", "share")
"""Pages that belong to a code: the friends' names nobody, and is the advocate's all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Everything by which a person can be recognised in one shop, and the rows that are theirs. `codes` are those they
    share with friends, in upper case."""

    shop_id: str
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    checkouts: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()
    deliveries: frozenset[int] = field(default=frozenset())

    def __bool__(self) -> bool:
        return bool(self.emails or self.phones or self.customers or self.orders)

    def arguments(self) -> dict[str, Any]:
        """The parameters of every `person_…` and `erase_…` query."""
        sets = {
            "emails": self.emails,
            "customers": self.customers,
            "orders": self.orders,
            "checkouts": self.checkouts,
            "links": self.links,
            "runs": self.runs,
            "effects": self.effects,
            "addresses": self.emails | self.phones,
            "owners": frozenset(f"customer/{each}" for each in self.customers)
            | frozenset(f"email/{each}" for each in self.emails),
            "names": self.emails | {Buyer(None, customer).name for customer in self.customers},
        }
        return {"shop_id": self.shop_id, **{name: codec.encode_text(sorted(found)) for name, found in sets.items()}}


def find(
    tx: Tx,
    shop_id: str,
    *,
    email: str | None = None,
    phone: str | None = None,
    customer_id: str | None = None,
    orders: Iterable[str] = (),
) -> Person:
    """The person behind an address, a number, an account or orders.

    An account brings its addresses and an address its accounts, one step each way: an order that somebody placed for a
    friend, with the friend's address, must not make the friend a part of them. Where only orders are named, whoever
    placed them is meant.
    """
    named = email_key(email)
    person = Person(
        shop_id=shop_id,
        emails=frozenset({named} if named else ()),
        phones=frozenset({"".join(phone.split())} if phone else ()),
        customers=frozenset({customer_id} if customer_id else ()),
        orders=frozenset(orders),
    )
    if not (person.emails or person.customers):
        person = _buyer(tx, person)
    person = _with_accounts(tx, person)
    rows = tx.all("person_orders", **person.arguments())
    person = replace(person, orders=person.orders | {row["order_id"] for row in rows})
    return _with_rows(tx, person)


def _buyer(tx: Tx, person: Person) -> Person:
    rows = tx.all("person_orders", **person.arguments())
    return replace(
        person,
        emails=frozenset(row["email_key"] for row in rows if row["email_key"]),
        customers=frozenset(row["customer_id"] for row in rows if row["customer_id"]),
    )


def _with_accounts(tx: Tx, person: Person) -> Person:
    emails, phones, customers = set(person.emails), set(person.phones), set(person.customers)
    for row in tx.all("person_orders", **person.arguments()):
        order = codec.decode(row["snapshot"], Order) if row["snapshot"] else None
        if order is None or row["email_key"] not in person.emails:
            continue
        phones |= _numbers(order.phone)
        if order.customer and order.customer.id and order.customer.email_key in {None, *person.emails}:
            # The account it was placed with, and the one that this has become since.
            customers |= {order.customer.id, row["customer_id"] or order.customer.id}
    for row in tx.all("person_customers", **replace(person, customers=frozenset(customers)).arguments()):
        customers.add(row["customer_id"])
        if row["email_key"]:
            emails.add(row["email_key"])
        if row["snapshot"]:
            phones |= _numbers(codec.decode(row["snapshot"], Customer).phone)
    return replace(person, emails=frozenset(emails), phones=frozenset(phones), customers=frozenset(customers))


def _numbers(phone: str | None) -> set[str]:
    return {"".join(phone.split())} if phone else set()


def _with_rows(tx: Tx, person: Person) -> Person:
    """Add what has to be looked into to know whose it is, and what hangs on what was found."""
    tokens = {row["token"] for row in _pages(tx, "person_checkouts", person.shop_id) if _is_cart_of(row, person)}
    runs = {row["run_id"] for row in tx.all("person_runs", **person.arguments())}
    codes = {row["code_key"] for row in tx.all("person_referral_codes", **person.arguments())}
    person = replace(person, checkouts=frozenset(tokens), runs=frozenset(runs), codes=frozenset(codes))
    links = {row["token"] for row in _pages(tx, "person_links", person.shop_id) if _is_link_of(row, person)}
    person = replace(person, links=frozenset(links))
    effects = {row["effect_id"] for row in tx.all("person_effects", **person.arguments())}
    told = {row["delivery_id"] for row in tx.all("person_events", **person.arguments()) if row["delivery_id"]}
    return replace(person, effects=frozenset(effects), deliveries=frozenset(told))


def _pages(tx: Tx, query: str, shop_id: str) -> Iterator[Row]:
    after = ""
    while rows := tx.all(query, shop_id=shop_id, after_token=after, limit=_PAGE):
        yield from rows
        after = rows[-1]["token"]


def _is_cart_of(row: Row, person: Person) -> bool:
    cart = codec.decode(row["snapshot"], Checkout)
    buyer = cart.customer
    emails = {email_key(cart.email), buyer.email_key if buyer else None}
    return bool(emails & person.emails) or bool(buyer and buyer.id in person.customers)


def _is_link_of(row: Row, person: Person) -> bool:
    data = codec.decode(row["data"], dict[str, str])
    of_run = data.get("run") in person.runs
    if row["kind"] in _OF_CODES and data.get("code", "").upper() in person.codes:
        return True
    return data.get("address") in person.emails or data.get("order") in person.orders or of_run


def gather(tx: Tx, person: Person) -> dict[str, list[Row]]:
    """Everything that is known of the person, by table."""
    found = {place.table: tx.all(place.read, **person.arguments()) for place in PLACES if place.read}
    found["checkouts"] = [
        row for row in _pages(tx, "person_checkouts", person.shop_id) if row["token"] in person.checkouts
    ]
    for row in found["effect_contents"]:
        row["content"] = unpack_content(row.pop("encoding"), bytes(row["content"])).decode("utf-8", "replace")
    return found


def erase(tx: Tx, person: Person, new_id: Callable[[], str], keys: Iterable[str], request_id: str) -> dict[str, int]:
    """Remove what is personal, everywhere; how many rows of each table. `keys` are the person's erasure keys."""
    arguments = {**person.arguments(), "keys": codec.encode_text(list(keys)), "request_id": request_id}
    counts = {"effects": len(person.effects)}
    for place in PLACES:
        if place.erase is not None:
            counts[place.table] = max(0, tx.run(place.erase, **arguments))
    for effect_id in sorted(person.effects):
        tx.run("erase_effect", shop_id=person.shop_id, effect_id=effect_id, new_id=f"erased/{new_id()}")
    tx.memo.clear()
    return {table: count for table, count in counts.items() if count}


def wipe_shop(tx: Tx, shop_id: str, limit: int) -> int:
    """Remove up to `limit` rows of each of a shop's tables; how many. Call it until it says 0."""
    tx.memo.clear()
    tx.run("value_open", shop_id=shop_id)
    count = sum(max(0, tx.run(place.wipe, shop_id=shop_id, limit=limit)) for place in PLACES if place.wipe)
    tx.run("value_close", shop_id=shop_id)
    return count


def under_way(tx: Tx, person: Person) -> bool:
    """Whether something of theirs is being sent at this moment."""
    return any(row["status"] == EffectStatus.SENDING for row in tx.all("person_effects", **person.arguments()))
