"""A shop with terms for referrals on a clock of its own, and people as fraud and honesty make them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from connector.app import build
from connector.config import parse_config
from connector.model import (
    Address,
    AppliedDiscount,
    Customer,
    Event,
    EventKind,
    FinancialStatus,
    Money,
    Order,
    OrderStatus,
    Ref,
    Refund,
    email_key,
)
from connector.store import Store, accounts, entities, people, referral_visits, referrals
from connector.store.referral_visits import Visit
from connector.store.referrals import ReferralRow
from connector.worker import Worker
from flows.referring.marking import device_of, friend_hash, place_of
from flows.value.bookings import position_of
from tests.store.examples import order
from tests.store.trade import KEY, SHOP, Trade, document

TERMS: dict[str, Any] = {
    "return_window": "14d",
    "reward": {"kind": "points", "points": 100},
    "friend_reward": {"kind": "points", "points": 20},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """A person as an order shows them. `ship` is where the parcel goes, if not home: (street, postcode)."""

    first: str = "Eero"
    last: str = "Laine"
    email: str = "eero.laine@example.com"
    phone: str = ""
    street: str = "Rantatie 9"
    postcode: str = "33100"
    ship: tuple[str, str] | None = None
    account: str = ""
    counted: int | None = None
    total: str = "40.00"

    def address(self, street: str, postcode: str) -> Address:
        return Address(
            first_name=self.first,
            last_name=self.last,
            lines=(street,),
            postcode=postcode,
            country="FI",
            phone=self.phone or None,
        )


AINO = Somebody(
    first="Aino",
    last="Mäkinen",
    email="aino.makinen@gmail.com",
    phone="040 123 4567",
    street="Koivukuja 3 A 4",
    postcode="00100",
    account="c-aino",
)


FLOWS: dict[str, Any] = {"referral-reward": {"file": "referral_reward"}}
BY_FLOWS: dict[str, Any] = {**FLOWS, "referral-invite": {"file": "referral_invite"}}
"""The state after install: no table, and what is promised are the flows' own parameters."""


class Referred(Trade):
    """`terms` is the `[referrals]` table; empty, there is none. Each `advocate` has an order and a code."""

    loyalty: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, store: Store, folder: Path, terms: dict[str, Any] | None = None, flows: dict[str, Any] | None = None
    ) -> None:
        self.terms = TERMS if terms is None else terms
        super().__init__(store, folder, {}, flows or (FLOWS if self.terms else BY_FLOWS))

    def configure(self, segments: dict[str, Any]) -> None:
        whole = document(segments)
        if self.terms:
            whole["referrals"] = self.terms
        if self.loyalty:
            whole["loyalty"] = self.loyalty
        whole["defaults"]["flows"] = self.flows
        config = parse_config(whole, self.folder / "app.toml", {"KEY": KEY})
        self.kiitos = build(config, clock=self.clock, store=self.store)
        self.worker = Worker(self.kiitos)

    def made(self, who: Somebody, code: str = "", **more: Any) -> Order:
        self.count += 1
        now = self.clock.now()
        home, ship = who.address(who.street, who.postcode), who.ship
        return replace(
            order(f"{self.count}", email=who.email or None, updated_at=now),
            customer=Customer(
                id=who.account or f"c-{self.count}",
                email=who.email or None,
                first_name=who.first,
                last_name=who.last,
                phone=who.phone or None,
                orders_count=who.counted,
            ),
            placed_at=now,
            paid_at=now,
            total=Money.parse(who.total, "EUR"),
            billing_address=home,
            shipping_address=who.address(*ship) if ship else home,
            discounts=(AppliedDiscount(code=code),) if code else (),
            **more,
        )

    def buys(self, who: Somebody, code: str = "", **more: Any) -> Order:
        made = self.made(who, code, **more)
        self.take_in(*self.paid(made))
        return made

    def paid(self, made: Order) -> list[Event]:
        return [of_order(made, EventKind.ORDER_CREATED), of_order(made, EventKind.ORDER_PAID)]

    def points(self, who: Somebody | None = None) -> tuple[int, int]:
        """What somebody can use, and what is pending; of Aino without a name."""
        named = who or AINO
        with self.store.work.read() as tx:
            holder = accounts.find(tx, SHOP, named.account or None, email_key(named.email))
            position = position_of(tx, SHOP, holder, self.clock.now())
        return int(position.available), int(position.pending)

    def advocate(self, who: Somebody = AINO, code: str = "FRIEND-AINO") -> str:
        """Somebody bought and was given a code."""
        bought = self.buys(who)
        with self.store.work.transaction() as tx:
            key = email_key(who.email) or ""
            referrals.put_code(tx, SHOP, code, key, who.account or None, bought.id, None, self.clock.now())
        return bought.id

    def visits(self, code: str, who: Somebody | None = None, *, place: str = "", device: str = "") -> str:
        """A friend went to the shop from the page of `code`; the token of the visit. `device` is a mark, or an
        advocate's address for the advocate's own browser."""
        salt, now = self.kiitos.salt, self.clock.now()
        self.count += 1
        visit = Visit(
            id=f"visit{self.count:021d}",
            code=code,
            friend_hash=friend_hash(salt, SHOP, who.email) if who else "",
            place=place_of(salt, SHOP, place) if place else "",
            device=device_of(salt, SHOP, device) if "@" in device else device,
            at=now,
        )
        with self.store.work.transaction() as tx:
            referral_visits.put(tx, SHOP, visit, email_key(who.email) if who else None)
        return visit.id

    def refund(self, bought: Order, amount: str = "40.00") -> None:
        self.take_in(*refunding(bought, amount, self.clock.now()))

    def of(self, bought: Order) -> ReferralRow | None:
        with self.store.work.read() as tx:
            return referrals.by_order(tx, SHOP, bought.id)

    def state(self, bought: Order) -> str:
        row = self.of(bought)
        return row.state if row is not None else "none"

    def orders(self, email: str) -> list[Order]:
        with self.store.work.read() as tx:
            return entities.orders_of(tx, SHOP, email)


def forget_all(store: Store) -> None:
    """Leave the shop as if nothing had happened: a new PostgreSQL schema for each life would take seconds."""
    with store.work.transaction() as tx:
        while people.wipe_shop(tx, SHOP, 10_000):
            pass


def of_order(made: Order, kind: str) -> Event:
    return Event(
        kind=kind,
        key=f"order/{made.id}/{kind}/{made.updated_at.isoformat()}",
        subject=Ref("order", made.id),
        at=made.updated_at,
        order_id=made.id,
        order=made,
    )


def refunding(bought: Order, amount: str, at: datetime) -> list[Event]:
    """As Shopify tells it: of the refund first, of what is left of the order next."""
    money = Money.parse(amount, "EUR")
    whole = money.amount >= bought.total.amount
    after = replace(
        bought,
        updated_at=max(at, bought.updated_at + timedelta(seconds=1)),
        refunded=money,
        financial=FinancialStatus.REFUNDED if whole else FinancialStatus.PARTIALLY_REFUNDED,
    )
    refund = Refund(id=f"r-{bought.id}", order_id=bought.id, at=at, amount=money)
    told = Event(
        kind=EventKind.REFUND_CREATED,
        key=f"refund/{refund.id}",
        subject=Ref("refund", refund.id),
        at=at,
        order_id=bought.id,
        refund=refund,
    )
    return [told, of_order(after, EventKind.ORDER_UPDATED)]


def cancelling(bought: Order, at: datetime) -> Event:
    after = replace(
        bought,
        updated_at=max(at, bought.updated_at + timedelta(seconds=2)),
        status=OrderStatus.CANCELLED,
        cancelled_at=at,
    )
    return of_order(after, EventKind.ORDER_CANCELLED)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What people do, told in one line; `friend` is whose order is judged."""

    told: str
    friend: Somebody
    before: tuple[str, ...] = field(default=())
