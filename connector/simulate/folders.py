"""What is known of some people's orders in the course of one life: objects where the store has rows.

The rules are those of `connector.store.entities`, `parcels` and `consents`: newest snapshot wins, a status only moves
on, a refund is one refund. `tests/simulate/test_swift.py` compares what comes of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connector.model import (
    Buyer,
    Channel,
    Consent,
    ConsentState,
    Customer,
    Event,
    Order,
    Purchase,
    Purpose,
    Refund,
    Return,
    Run,
    Shipment,
    ShipmentEvent,
    ShipmentStatus,
    Shop,
    email_key,
    purchase_of,
)
from connector.store import consents, entities
from connector.store.consents import ConsentRow
from flows.derive import derive
from flows.knowing.situation import NOTHING, Situation
from flows.limits.verdicts import Person

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DECISIONS = frozenset({ConsentState.GRANTED, ConsentState.WITHDRAWN})


class Parcel:
    """One parcel: its newest snapshot, the furthest status heard of, and when it first had each."""

    __slots__ = ("at", "id", "order_id", "rank", "raw_status", "since", "snapshot", "snapshot_at", "status", "times")

    def __init__(self, parcel_id: str, order_id: str, status: ShipmentStatus, raw_status: str, at: datetime) -> None:
        self.id = parcel_id
        self.order_id = order_id
        self.status = status
        self.raw_status = raw_status
        self.rank = status.rank
        self.at = self.since = at
        self.snapshot: Shipment | None = None
        self.snapshot_at: datetime | None = None
        self.times: dict[str, datetime] = {}

    def hear(self, status: ShipmentStatus, raw_status: str, at: datetime) -> None:
        """Its status was told. Of two, the further one stands; of equals the later."""
        further = (status.rank, at) > (self.rank, self.at)
        if status is self.status:
            self.since = min(at, self.since)
        elif further:
            self.since = at
        if further:
            self.status, self.raw_status, self.at = status, raw_status, at
        self.rank = max(self.rank, status.rank)

    def show(self, snapshot: Shipment, at: datetime) -> None:
        if self.snapshot_at is None or at >= self.snapshot_at:
            self.snapshot, self.snapshot_at = snapshot, at

    @property
    def shipment(self) -> Shipment:
        known = self.snapshot
        if known is None:
            return Shipment(
                id=self.id,
                order_id=self.order_id,
                status=self.status,
                raw_status=self.raw_status,
                created_at=self.since,
                updated_at=self.at,
            )
        return known if known.status is self.status else replace(known, status=self.status, raw_status=self.raw_status)


class Folder:
    """One order with what followed it, and the runs that are about it."""

    __slots__ = (
        *("carrier_events", "id", "order", "parcels", "refunds", "returns", "reviewed_at", "runs", "seen", "told"),
    )

    def __init__(self, order_id: str) -> None:
        self.id = order_id
        self.order: Order | None = None
        self.parcels: dict[str, Parcel] = {}
        self.carrier_events: set[str] = set()
        self.refunds: dict[str, Refund] = {}
        self.returns: dict[str, Return] = {}
        self.reviewed_at: datetime | None = None
        self.told: list[Event] = []
        self.seen: dict[str | None, Situation] = {}
        self.runs: dict[str, Run] = {}

    def parcel(self, parcel_id: str, status: ShipmentStatus, raw_status: str, at: datetime) -> Parcel:
        """The parcel, which has just been heard of."""
        known = self.parcels.get(parcel_id)
        if known is None:
            known = self.parcels[parcel_id] = Parcel(parcel_id, self.id, status, raw_status, at)
        else:
            known.hear(status, raw_status, at)
        return known

    def carrier_said(self, event: ShipmentEvent) -> None:
        parcel = self.parcel(event.shipment_id, event.status, event.raw_status, event.at)
        if event.id not in self.carrier_events:
            self.carrier_events.add(event.id)
            status = event.status.value
            parcel.times[status] = min(event.at, parcel.times.get(status, event.at))

    @property
    def times(self) -> dict[str, dict[str, datetime]]:
        return {each.id: {each.status.value: each.since, **each.times} for each in self.parcels.values()}

    @property
    def shipments(self) -> tuple[Shipment, ...]:
        parcels = self.parcels
        return tuple(parcels[key].shipment for key in (sorted(parcels) if len(parcels) > 1 else parcels))


class Folders:
    """Everything the people of one life are known by."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.clear()

    def clear(self) -> None:
        """Nobody is known."""
        self.orders: dict[str, Folder] = {}
        self.customers: dict[str, tuple[datetime, Customer]] = {}
        self.signs: dict[str, datetime] = {}
        self.people: dict[tuple[str, Purpose, str | None], Person] = {}
        """What policy was last told of whom: as long as no consent and no account changes."""
        self._said: list[ConsentRow] = []
        self._entries: set[tuple[object, ...]] = set()
        self._decided: dict[tuple[str, Channel, Purpose, str | None], tuple[ConsentState, ConsentRow | None]] = {}

    def folder(self, order_id: str) -> Folder:
        found = self.orders.get(order_id)
        if found is None:
            found = self.orders[order_id] = Folder(order_id)
        return found

    # -- what events carry -------------------------------------------------------------------------------------------

    def apply(self, events: Iterable[Event]) -> None:
        """Keep every snapshot."""
        last: Order | None = None
        for event in events:
            order = event.order
            if order is not None and order is not last:
                last = order
                self._put_order(order)
            if event.customer is not None:
                self.put_customer(event.customer, event.at)
            shipment = event.shipment
            if shipment is not None:
                folder, at = self._followed(shipment.order_id), shipment.updated_at
                folder.parcel(shipment.id, shipment.status, shipment.raw_status, at).show(shipment, at)
            if event.shipment_event is not None:
                self._followed(event.shipment_event.order_id).carrier_said(event.shipment_event)
            if event.refund is not None:
                self._followed(event.refund.order_id).refunds.setdefault(event.refund.id, event.refund)
            if event.return_ is not None:
                self._put_return(event.return_)

    def _put_return(self, told: Return) -> None:
        returns = self._followed(told.order_id).returns
        if told.id not in returns or told.at >= returns[told.id].at:
            returns[told.id] = told

    def _followed(self, order_id: str) -> Folder:
        folder = self.folder(order_id)
        folder.seen.clear()
        return folder

    def _put_order(self, order: Order) -> None:
        folder = self.folder(order.id)
        if folder.order is None or entities.is_newer(order, folder.order):
            folder.order = order
            folder.seen.clear()
            buyer = order.customer
            if buyer is not None and buyer.tags is not None:
                self._learn(buyer)

    def put_customer(self, customer: Customer, at: datetime) -> None:
        customer_id = customer.id
        if customer_id is None:
            return
        known = self.customers.get(customer_id)
        if known is not None and None in (customer.tags, customer.orders_count, customer.total_spent):
            customer = entities.completed(customer, known[1])
        told_at = customer.updated_at or at
        if known is None or told_at >= known[0]:
            self._keep(customer_id, told_at, customer)

    def _learn(self, buyer: Customer) -> None:
        if buyer.id is None:
            return
        known = self.customers.get(buyer.id)
        if known is None:
            self.put_customer(replace(buyer, updated_at=None), _NO_TIME)
        elif known[1].tags != buyer.tags:
            self._keep(buyer.id, known[0], replace(known[1], tags=buyer.tags))

    def _keep(self, customer_id: str, at: datetime, customer: Customer) -> None:
        self.customers[customer_id] = (at, customer)
        self._decided.clear()
        self.people.clear()
        for folder in self.orders.values():
            folder.seen.clear()

    # -- looking -----------------------------------------------------------------------------------------------------

    def look(self, order_id: str, customer_id: str | None) -> Situation:
        """As `flows.knowing.situation.look`."""
        folder = self.folder(order_id)
        found = folder.seen.get(customer_id)
        if found is None:
            found = folder.seen[customer_id] = self._read(folder, customer_id)
        return found

    def _read(self, folder: Folder, customer_id: str | None) -> Situation:
        order = folder.order
        customer = order.customer if order is not None else None
        if customer is None and customer_id and customer_id in self.customers:
            customer = self.customers[customer_id][1]
        if order is None:
            return replace(NOTHING, customer=customer, shipments=folder.shipments)
        account = self.customers.get(customer.id) if customer is not None and customer.id else None
        if customer is not None and account is not None and not account[1].deleted:
            customer = entities.completed(customer, account[1])
        shipments = folder.shipments
        progress = derive(
            order,
            shipments,
            folder.times if shipments else {},
            self.refunds(folder),
            self.returns(folder),
            folder.reviewed_at,
            self.shop,
        )
        return Situation(order=order, customer=customer, shipments=shipments, progress=progress)

    @staticmethod
    def refunds(folder: Folder) -> Sequence[Refund]:
        return sorted(folder.refunds.values(), key=lambda each: (each.at, each.id)) if folder.refunds else ()

    @staticmethod
    def returns(folder: Folder) -> Sequence[Return]:
        return sorted(folder.returns.values(), key=lambda each: (each.at, each.id)) if folder.returns else ()

    def bought(self, buyer: Buyer) -> list[Purchase]:
        """As `connector.store.purchases.of_buyer`."""
        if not buyer:
            return []
        theirs = (folder.order for folder in self.orders.values() if folder.order is not None)
        found = (purchase_of(order) for order in theirs if _is_theirs(order, buyer))
        return [one for one in found if one is not None]

    def last_sign(self, address: str) -> datetime | None:
        """When the person last ordered or answered."""
        times = [folder.order.placed_at for folder in self.orders.values() if owner_of(folder.order) == address]  # type: ignore[union-attr]
        if address in self.signs:
            times.append(self.signs[address])
        return max(times, default=None)

    # -- consent -----------------------------------------------------------------------------------------------------

    def record(self, consent: Consent, now: datetime) -> None:
        """An entry of the ledger; the same one twice is one."""
        entry = ConsentRow(
            seq=len(self._said) + 1,
            address_key=self.address_of(consent),
            customer_id=consent.customer_id or "",
            channel=consent.channel,
            purpose=consent.purpose,
            state=consent.state,
            raw_state=consent.raw_state,
            at=consent.at,
            source=consent.source,
            evidence=consent.evidence,
            recorded_at=now,
        )
        name = (entry.address_key, entry.customer_id, entry.channel, entry.purpose, entry.at, entry.state)
        if name not in self._entries:
            self._entries.add(name)
            self._said.append(entry)
            self._decided.clear()
            self.people.clear()

    def address_of(self, consent: Consent) -> str:
        """As `connector.store.consents.address_of`."""
        if consent.address is None and consent.customer_id in self.customers:
            owner = self.customers[consent.customer_id][1]
            consent = replace(consent, address=owner.email if consent.channel.by_email else owner.phone)
        return consents.address_key_of(consent.address, consent.channel)

    def is_echo(self, consent: Consent) -> bool:
        """As `flows.people.consenting.is_echo`."""
        if consent.state not in _DECISIONS or not self._said:
            return False
        address = self.address_of(consent)
        return any(
            row.channel is consent.channel
            and row.purpose is consent.purpose
            and row.state is consent.state
            and row.source != consent.source
            and abs(row.at - consent.at) < _SECOND
            for row in self._said
            if self._is_about(row, address)
        )

    def said(
        self, address: str, channel: Channel, purpose: Purpose, customer_id: str | None
    ) -> tuple[ConsentState, ConsentRow | None]:
        """As `connector.store.consents.state`."""
        if not self._said:
            return ConsentState.UNKNOWN, None
        key = (address, channel, purpose, customer_id)
        if key not in self._decided:
            purposes = (purpose, consents.covering(purpose))
            mine = [
                row
                for row in self._said
                if row.channel is channel
                and row.purpose in purposes
                and (self._is_about(row, address) or (customer_id and row.customer_id == customer_id))
            ]
            found = consents.newest(mine, address, purpose)
            self._decided[key] = (found.state, found) if found is not None else (ConsentState.UNKNOWN, None)
        return self._decided[key]

    def _is_about(self, row: ConsentRow, address: str) -> bool:
        if row.address_key:
            return row.address_key == address
        owner = self.customers.get(row.customer_id)
        return address == "" or (owner is not None and owner[1].email_key == address)


def owner_of(order: Order | None) -> str | None:
    """The address an order is filed under, in the form of joins."""
    if order is None:
        return None
    return email_key(order.email or (order.customer.email if order.customer else None))


def _is_theirs(order: Order, buyer: Buyer) -> bool:
    address = owner_of(order)
    if address is not None:
        return address == buyer.email_key
    account = order.customer.id if order.customer else None
    return buyer.customer_id is not None and account == buyer.customer_id
