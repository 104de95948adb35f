"""One person, or one shop, across all tables: finding, showing and erasing them.

`PLACES` is the one list of where people are. A test compares it with the schema: a new column must be declared here as
personal (and be reached by `erase`) or as impersonal, or the suite fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from connector import codec
from connector.model import Checkout, Customer, EffectStatus, Order, email_key
from connector.store.contents import unpack_content
from connector.store.db import Row, Tx

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Place:
    """A table that knows people. `read` shows a person's rows, `erase` removes what is personal in them; both take
    the parameters of `Person.arguments`. `wipe` removes a shop's rows, at most `limit` at a time where it can be many.
    """

    table: str
    read: str | None
    erase: str | None
    wipe: str | None
    personal: tuple[str, ...]
    impersonal: tuple[str, ...] = ()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# In the order of erasing: what names the rows of others goes last.
PLACES: tuple[Place, ...] = (
    Place(
        "journal",
        "person_journal",
        "erase_journal",
        "wipe_journal",
        _words("run_id detail"),
        _words("seq at step_id what"),
    ),
    Place(
        "effect_contents",
        "person_contents",
        "erase_contents",
        "wipe_effect_contents",
        _words("effect_id content"),
        _words("encoding"),
    ),
    Place(
        "effects",
        "person_effects",
        None,  # a row at a time, under an id made by chance: see `erase`
        "wipe_effects",
        _words("effect_id run_id request order_id recipient recipient_key subject provider_id reason result"),
        _words(
            "flow_id version step_id kind purpose priority status due_at created_at channel attempts tainted"
            " lease_until first_try_at done_at sender"
        ),
    ),
    Place(
        "runs",
        "person_runs",
        "erase_runs",
        "wipe_runs",
        _words("run_id subject_id entry_key order_id customer_id email_key event outcomes reason"),
        _words("flow_id version subject_kind status step created_at updated_at wake_at awaiting acted rev"),
    ),
    Place(
        "wakeups",
        "person_wakeups",
        "erase_wakeups",
        "wipe_wakeups",
        _words("subject_id order_id customer_id email_key origin moment due_at fired_at"),
        _words("flow_id subject_kind trigger_key"),
    ),
    Place(
        "reviews",
        "person_reviews",
        "erase_reviews",
        "wipe_reviews",
        _words("review_id order_id title body author email_key rating platform_id"),
        _words("product_id created_at"),
    ),
    Place(
        "referral_codes",
        "person_referral_codes",
        "erase_referral_codes",
        "wipe_referral_codes",
        _words("code_key advocate_email_key advocate_customer_id order_id run_id"),
        _words("created_at"),
    ),
    Place(
        "referrals",
        "person_referrals",
        "erase_referrals",
        "wipe_referrals",
        _words("advocate_email_key friend_email_key friend_order_id"),
        _words("referral_id code_key state reason created_at updated_at"),
    ),
    Place("links", None, "erase_links", "wipe_links", _words("token data"), _words("kind created_at")),
    Place(
        "shipment_events",
        "person_shipment_events",
        "erase_shipment_events",
        "wipe_shipment_events",
        _words("shipment_event_id shipment_id order_id snapshot"),
        _words("status at"),
    ),
    Place(
        "shipments",
        "person_shipments",
        "erase_shipments",
        "wipe_shipments",
        _words("shipment_id order_id snapshot raw_status"),
        _words("status status_rank status_at status_since snapshot_at"),
    ),
    Place(
        "refunds",
        "person_refunds",
        "erase_refunds",
        "wipe_refunds",
        _words("refund_id order_id snapshot"),
        _words("at"),
    ),
    Place(
        "returns",
        "person_returns",
        "erase_returns",
        "wipe_returns",
        _words("return_id order_id snapshot"),
        _words("at"),
    ),
    Place(
        "consents",
        "person_consents",
        "erase_consents",
        "wipe_consents",
        _words("address_key customer_id evidence raw_state source"),
        _words("seq channel purpose state at recorded_at"),
    ),
    Place(
        "suppressions",
        "person_suppressions",
        "erase_suppressions",
        "wipe_suppressions",
        _words("address_key"),
        _words("channel scope reason at"),
    ),
    Place("engagements", "person_engagements", "erase_engagements", "wipe_engagements", _words("address_key kind at")),
    Place(
        "events",
        "person_events",
        "erase_events",
        "wipe_events",
        _words("customer_id data"),
        # Ids of orders stay, as in the merchant's own books: they keep a repetition from happening again.
        _words("event_key kind subject_kind subject_id order_id at recorded_at delivery_id"),
    ),
    Place(
        "checkouts",
        None,
        "erase_checkouts",
        "wipe_checkouts",
        _words("snapshot"),
        _words("token updated_at deleted"),
    ),
    Place(
        "customers",
        "person_customers",
        "erase_customers",
        "wipe_customers",
        _words("email_key snapshot"),
        _words("customer_id updated_at deleted"),
    ),
    Place(
        "orders",
        "person_orders",
        "erase_orders",
        "wipe_orders",
        _words("number email_key customer_id placed_at snapshot"),
        _words("order_id updated_at deleted"),
    ),
    Place(
        "privacy_exports",
        None,
        "erase_exports",
        "wipe_privacy_exports",
        _words("content"),
        _words("request_id subject_key expires_at"),
    ),
    Place(
        "privacy_requests",
        None,
        "erase_requests",
        None,  # the audit trail outlives the shop
        _words("subject"),
        _words("request_id kind source subject_key status received_at due_at attempts done_at counts note"),
    ),
    Place("erasures", None, None, "wipe_erasures", (), _words("erased_key at")),
    Place("products", None, None, "wipe_products", (), _words("product_id updated_at deleted snapshot")),
    Place("flow_versions", None, None, "wipe_flow_versions", (), _words("flow_id version body created_at")),
    Place(
        "applied_states",
        None,
        None,
        "wipe_applied_states",
        (),
        _words("state at who what note plan part flows changes"),  # `who` is the operator's, never a customer
    ),
    Place(
        "delivery_progress",
        None,
        None,
        "wipe_delivery_progress",
        (),
        _words("delivery_id status attempts due_at error_code error_text finished_at"),
    ),
    Place(
        "jobs",
        None,
        None,
        "wipe_jobs",
        (),
        _words("kind due_at lease leased_until attempts state error_code error_text created_at done_at"),
    ),
    Place("job_reports", None, None, "wipe_job_reports", (), _words("seq kind at report")),
    Place(
        "change_reads",
        None,
        "erase_change_reads",
        "wipe_change_reads",
        _words("object_id"),
        _words("kind changed_at"),
    ),
    Place("recoveries", None, None, "wipe_recoveries", (), _words("order_id via at")),
    Place(
        "armings",
        None,
        None,
        "wipe_armings",
        (),
        _words("flow_id trigger_key state source after_id updated_at"),  # an id where a page ended, of nobody
    ),
    Place("objections", None, None, "wipe_objections", (), _words("objection_id flow_id kind at")),
    Place("flow_pauses", None, None, "wipe_flow_pauses", (), _words("flow_id at reason")),
)

WITHOUT_PEOPLE = frozenset(
    {
        *("meta", "shops", "endpoints", "credentials", "inbox_cursor", "privacy_access", "schema_ledger"),
        *("connected_shops", "connect_invites", "connect_attempts", "renewals", "notices"),
    }
)
"""Tables that hold nothing of customers. What they hold of a shop is removed with its connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Everything by which a person can be recognised in one shop, and the rows that are theirs."""

    shop_id: str
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    checkouts: frozenset[str] = frozenset()
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
            customers.add(order.customer.id)
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
    links = {row["token"] for row in _pages(tx, "person_links", person.shop_id) if _is_link_of(row, person)}
    person = replace(person, checkouts=frozenset(tokens), links=frozenset(links))
    runs = {row["run_id"] for row in tx.all("person_runs", **person.arguments())}
    person = replace(person, runs=frozenset(runs))
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
    return data.get("address") in person.emails or data.get("order") in person.orders


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
    return sum(max(0, tx.run(place.wipe, shop_id=shop_id, limit=limit)) for place in PLACES if place.wipe)


def under_way(tx: Tx, person: Person) -> bool:
    """Whether something of theirs is being sent at this moment."""
    return any(row["status"] == EffectStatus.SENDING for row in tx.all("person_effects", **person.arguments()))
