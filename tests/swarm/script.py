"""What the people of a life do: orders and what becomes of them, opt-outs, reviews, and nights without a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from connector.model import (
    Channel,
    Consent,
    ConsentState,
    Event,
    FinancialStatus,
    FulfillmentStatus,
    Money,
    OrderStatus,
    Purpose,
    Ref,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
)
from connector.store import deliveries
from tests.swarm.plan import NORTH, PEOPLE, SHOPS, Person
from tests.swarm.post import Letter
from tests.swarm.shop import TrueOrder, new_order, new_parcel

if TYPE_CHECKING:
    from tests.swarm.life import Life


ON_THE_WAY = (ShipmentStatus.IN_TRANSIT, ShipmentStatus.OUT_FOR_DELIVERY)


def write(life: Life) -> None:
    """Everything that is planned from the start."""
    chance, start = life.chance, life.plan.start
    for person in PEOPLE:
        if chance.roll(0.7):
            for shop_id in SHOPS:
                life.at(start, lambda shop_id=shop_id, person=person: _say(life, shop_id, person, True))  # type: ignore[misc]
        if chance.roll(0.15):
            shop_id = chance.pick(SHOPS)
            at = start + chance.between(5, 500)
            life.at(at, lambda shop_id=shop_id, person=person: _say(life, shop_id, person, False))  # type: ignore[misc]
    for number in range(life.plan.orders):
        at = start + chance.between(0.1, 60 if number < 2 else 700)
        life.at(at, lambda number=number: life.order(number))  # type: ignore[misc]
    for _ in range(life.plan.outages):
        life.at(start + chance.between(1, 300), lambda: _go_down(life))
    if life.plan.post_closes:
        life.at(start + chance.between(1, 300), lambda: _close_post(life))
    for _ in range(life.plan.jumps):
        life.at(start + chance.between(1, 400), lambda: _jump(life))
    healed = start + life.plan.trouble_for + timedelta(minutes=30)
    for shop_id in SHOPS:
        life.at(max(healed, start + timedelta(hours=780)), lambda shop_id=shop_id: _heal(life, shop_id))  # type: ignore[misc]


def _heal(life: Life, shop_id: str) -> None:
    """A person lets what was given up after five deaths be tried again, as `kiitos deliveries` says; then the poll."""
    with life.store.work.transaction() as tx:
        deliveries.replay_all(tx, shop_id, "WORKER_DIED", life.now)
    life.poll(shop_id)


def _say(life: Life, shop_id: str, person: Person, yes: bool) -> None:
    """Marketing consent, given or withdrawn in the shop."""
    now = life.now
    state = ConsentState.GRANTED if yes else ConsentState.WITHDRAWN
    consent = Consent(
        channel=Channel.EMAIL,
        purpose=Purpose.MARKETING,
        state=state,
        raw_state=str(state),
        at=now,
        source="checkout",
        address=person.email,
        customer_id=f"c-{person.name}",
    )
    kind = f"consent.{state}"
    event = Event(
        kind=kind,
        key=f"consent/{person.name}/{state}",
        subject=Ref("customer", f"c-{person.name}"),
        at=now,
        customer_id=f"c-{person.name}",
        consent=consent,
    )
    life.tell(shop_id, [event])


def _go_down(life: Life) -> None:
    """Nobody works for a while."""
    life.troubles["outage"] += 1
    until = life.now + life.chance.between(0.3, life.chance.pick(life.plan.longest))
    life.down_for += until - max(life.now, min(life.down_until, until))
    life.down_until = max(life.down_until, until)


def _close_post(life: Life) -> None:
    """The mail server takes nothing for days."""
    life.troubles["mail server down"] += 1
    life.post_closed_until = life.now + life.chance.between(*life.plan.closed_for)


def _jump(life: Life) -> None:
    """The clock is wrong for some minutes, by hours or a year. Workers that were awake must not believe it."""
    if life.now < life.down_until:
        return
    life.mortal = False  # a worker that begins under a wrong clock cannot know better
    for number in range(len(life.workers)):
        life.act(number)
    right = life.clock.now()
    life.skew = life.chance.pick((timedelta(hours=7), timedelta(days=3), timedelta(days=400), -timedelta(days=20)))
    life.troubles["clock"] += 1
    life.clock.set(right + life.skew)
    for number in range(len(life.workers)):
        life.act(number)
        life.act(number)
    life.clock.set(right)
    life.skew = timedelta()
    life.mortal = True


def react(life: Life, letter: Letter) -> None:
    """Some customers act on what they read."""
    later = life.now + life.chance.between(0.01, 90)
    ordering = life.orderings.get((letter.shop_id, letter.number))
    if ordering is not None and letter.template == life.plan.quarrel and life.chance.roll(0.8):
        life.at(life.now + life.chance.between(0, life.plan.rush), ordering.undo)
    if letter.stop_link and life.chance.roll(0.06):
        life.at(later, lambda: life.stop(letter))
    if letter.template in ("review_request", "review_reminder") and life.chance.roll(0.35):
        life.at(later, lambda: life.review(letter))


def wait(life: Life, letter: Letter) -> None:
    """While a letter waits to be taken, what it tells of goes on."""
    ordering = life.orderings.get((letter.shop_id, letter.number))
    if ordering is None or letter.template != life.plan.quarrel:
        return
    soon = life.now + life.chance.between(0, life.plan.rush)
    if letter.tracking:
        life.at(soon, lambda: ordering.arrive(letter.tracking))
    else:
        life.at(soon, ordering.undo)


class Ordering:
    """One order, from its placing to whatever ends it."""

    def __init__(self, life: Life, number: int) -> None:
        self.life, self.number = life, number
        self.shop_id = life.chance.pick(SHOPS)
        self.apart = self.shop_id == NORTH
        self.true: TrueOrder

    def place(self) -> None:
        life, chance = self.life, self.life.chance
        person = chance.pick(PEOPLE)
        codes = [
            code
            for code, made in life.codes.get(self.shop_id, {}).items()
            if made.new_customers_only and code.startswith("FRIEND")
        ]
        code = chance.pick(codes) if codes and chance.roll(0.7) else ""
        guest = chance.roll(0.3)
        self.true = new_order(self.shop_id, self.number, person, life.now, guest=guest, code=code)
        life.orders[self.shop_id, self.true.order.id] = self.true
        life.orderings[self.shop_id, self.true.number] = self
        if chance.roll(0.75):
            self._pay()
        else:
            self._tell()
            self._later(0.1, 40, self._pay)
        if chance.roll(0.1):
            self._later(0.02, 3, self._correct)
        if chance.roll(0.4):
            self._later(0.01, chance.pick((1, 60, 200, 500)), self.undo)
        parts = chance.pick((1, 1, 1, 2))
        for letter in "ab"[:parts]:
            self._later(1, 80, lambda letter=letter: self._ship(letter, parts))  # type: ignore[misc]

    def _later(self, least: float, most: float, what: Callable[[], None]) -> None:
        self.life.at(self.life.now + self.life.chance.between(least, most), what)

    def _tell(self) -> None:
        self.life.tell(self.shop_id, self.true.proves())

    @property
    def over(self) -> bool:
        return self.true.order.cancelled_at is not None or self.true.deleted

    def _pay(self) -> None:
        if not self.over:
            now = self.life.now.replace(microsecond=0)
            self.true.change(self.life.now, "order.paid", financial=FinancialStatus.PAID, paid_at=now)
            self._tell()

    def be_corrected(self) -> None:
        """The address will be, one of these days."""
        self._later(0.1, 300, self._correct)

    def _correct(self) -> None:
        """The customer mistyped the address: from here on only the right one may be used."""
        if not self.over:
            self.true.change(self.life.now, "corrected", email=f"x{self.true.person.email}")
            self._tell()

    def _cancel(self) -> None:
        if not self.over and not self.true.parcels:
            now = self.life.now.replace(microsecond=0)
            self.true.change(self.life.now, "order.cancelled", status=OrderStatus.CANCELLED, cancelled_at=now)
            self._tell()

    def undo(self) -> None:
        """The customer, or the merchant, wants it no more."""
        self.life.chance.pick((self._cancel, self._refund, self._refund, self._return))()

    def _refund(self) -> None:
        if self.over or self.true.order.paid_at is None or self.true.refunds:
            return
        whole = self.life.chance.roll(0.5)
        amount = Money.parse("40.00" if whole else "5.00", "EUR")
        status = FinancialStatus.REFUNDED if whole else FinancialStatus.PARTIALLY_REFUNDED
        self.true.refunds.append(
            Refund(id=f"r-{self.true.number}", order_id=self.true.order.id, at=self.life.now, amount=amount)
        )
        self.true.change(self.life.now, "refund.created", financial=status, refunded=amount)
        self._tell_undone()

    def _return(self) -> None:
        if self.over or not self.true.parcels or self.true.returns:
            return
        self.true.returns.append(
            Return(id=f"b-{self.true.number}", order_id=self.true.order.id, raw_status="requested", at=self.life.now)
        )
        self.true.change(self.life.now, "return.requested")
        self._tell_undone()

    def _tell_undone(self) -> None:
        """One shop tells of it in a webhook of its own, with the order's following after."""
        if self.apart:
            self.life.tell(self.shop_id, self.true.undone())
        self._tell()

    # -- parcels ---

    def _ship(self, letter: str, parts: int) -> None:
        if self.over:
            return
        parcel = new_parcel(self.true, letter, parts, self.life.now)
        sent = len(self.true.parcels) + 1 >= parts
        fulfilment = FulfillmentStatus.FULFILLED if sent else FulfillmentStatus.PARTIAL
        self._moved(parcel, "shipment.created", fulfillment=fulfilment)
        chance = self.life.chance
        if chance.roll(0.06):
            self._later(0.1, 20, lambda: self._resend(letter, parts))
            return
        if chance.roll(0.08):  # lost on the way, or broken on arrival
            self._later(260, 560, lambda: self._resend(letter, parts))
        steps = [status for status in ON_THE_WAY if chance.roll(0.4)]
        missed = chance.roll(0.2)
        if missed:
            steps.append(ShipmentStatus.ATTEMPTED)
        if chance.roll(0.9):
            steps.append(ShipmentStatus.DELIVERED if chance.roll(0.5 if missed else 0.95) else ShipmentStatus.FAILED)
        self._go_on(parcel.id, steps)

    def arrive(self, tracking: str) -> None:
        """The parcel is there sooner than anybody thought."""
        for parcel in self.true.parcels.values():
            if parcel.tracking_numbers[0] == tracking and parcel.status in (ShipmentStatus.SHIPPED, *ON_THE_WAY):
                self._set(parcel.id, ShipmentStatus.DELIVERED)

    def _go_on(self, parcel_id: str, steps: list[ShipmentStatus]) -> None:
        if steps:
            self._later(0.005, 40, lambda: self._reach(parcel_id, steps[0], steps[1:]))

    def _reach(self, parcel_id: str, status: ShipmentStatus, rest: list[ShipmentStatus]) -> None:
        if self.true.parcels[parcel_id].status is not ShipmentStatus.DELIVERED:
            self._set(parcel_id, status)
            self._go_on(parcel_id, rest)

    def _set(self, parcel_id: str, status: ShipmentStatus) -> None:
        known = self.true.parcels[parcel_id]
        at = max(self.life.now.replace(microsecond=0), known.updated_at + timedelta(seconds=1))
        parcel = replace(known, status=status, raw_status=str(status), updated_at=at)
        self._moved(parcel, f"shipment.{status}")

    def _resend(self, letter: str, parts: int) -> None:
        """The parcel is taken back and another one sent."""
        self._set(f"{self.true.order.id}-{letter}", ShipmentStatus.CANCELLED)
        if not self.over:
            parcel = new_parcel(self.true, f"{letter}2", parts, self.life.now)
            self._moved(parcel, "shipment.created")
            self._go_on(parcel.id, [ShipmentStatus.DELIVERED])

    def _moved(self, parcel: Shipment, kind: str, **changes: object) -> None:
        self.true.parcels[parcel.id] = parcel
        self.true.change(self.life.now, kind, parcel.tracking_numbers[0], **changes)
        if self.apart:
            self.life.tell(self.shop_id, self.true.moved(parcel))
        self._tell()
