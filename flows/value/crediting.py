"""Store credit that flows gave, matched with the orders it paid for: the platform is asked after each such order.

The effect is no run's and only reads. What an order took of a customer's credit is the platform's word; how much of
that was ours is what is missing from our credits, less all that was taken for no order, for the customer may have been
given others, and people take credit too: rather too little is entered than too much. Which of several orders took what
was ours is no platform's word: the one that was asked for comes first, then the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connector import codec
from connector.clock import from_text, to_text
from connector.contracts import (
    STORE_CREDIT,
    Access,
    CreditUse,
    CreditUseRequest,
    OrderCredit,
    PlatformAdapter,
    TellsCreditUse,
)
from connector.model import Effect, Event, EventKind, Money, Order, by_itself, email_key
from connector.model.value import CREDIT, Fact, FactKind
from connector.store import accounts, books, effects, vouchers
from connector.store.accounts import Holder
from connector.store.db import Tx
from connector.store.vouchers import ISSUED, KEPT, USED, VOIDED, Voucher
from flows.authoring.fields import read_money
from flows.value.bookings import post

CREDIT_USE = "credit_use"
"""The kind of effect that asks what orders took of somebody's store credit."""
GIVEN_BACK_AFTER = (timedelta(minutes=10), timedelta(days=1))
"""How long after a cancellation or a refund the platform is asked whether it gave credit back."""
SETTLED = timedelta(days=180)
"""After which what was used, or has lapsed, is not asked about any more: nothing is given back so late."""
APART = timedelta(minutes=10)
"""How far before we heard that a credit was made it may have been used, and how far apart two clocks are."""
_NONE = Decimal(0)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_PAID, _UNDONE = EventKind.ORDER_PAID, (EventKind.ORDER_CANCELLED, EventKind.REFUND_CREATED)


def ask(tx: Tx, shop_id: str, order: Order, event: Event, now: datetime) -> int:
    """Ask about the credit of whoever paid an order, or got it back; how many questions."""
    kind, customer_id = EventKind.of(event.kind), order.customer.id if order.customer else None
    if kind is not _PAID and kind not in _UNDONE:
        return 0
    if not customer_id or not any(STORE_CREDIT in each for each in order.payment_methods):
        return 0
    holder = accounts.find(tx, shop_id, customer_id, email_key(order.email))
    given: dict[str, list[Voucher]] = {}
    for voucher in vouchers.of_accounts(tx, shop_id, holder.accounts):
        if voucher.kind == STORE_CREDIT and _open(voucher, now):
            given.setdefault(read_money(voucher.worth).currency, []).append(voucher)
    asked = 0
    for currency, theirs in given.items():
        request = {
            "do": CREDIT_USE,
            "customer_id": customer_id,
            "currency": currency,
            "credits": [voucher.key for voucher in theirs],
            "since": to_text(min(voucher.made_at or now for voucher in theirs)),
            "undone": kind in _UNDONE,
        }
        for number, after in enumerate(GIVEN_BACK_AFTER if kind in _UNDONE else (timedelta(0),)):
            name = f"credit:{order.id}:{currency}:{event.key if kind in _UNDONE else kind}:{number}"
            made = by_itself(shop_id, name, CREDIT_USE, request, now, order_id=order.id, due_at=now + after)
            asked += effects.put(tx, made)
    return asked


def _open(voucher: Voucher, now: datetime) -> bool:
    """Whether an order may still use it, or give it back."""
    ended = min((at for at in (voucher.used_at, voucher.expires_at) if at is not None), default=now)
    return ended > now - SETTLED


def read_use(adapter: PlatformAdapter, access: Access, effect: Effect) -> dict[str, str]:
    """Carry such an effect out; nothing where the platform does not tell. Raises what the adapter raises."""
    if not isinstance(adapter, TellsCreditUse):
        return {}
    told = effect.request
    request = CreditUseRequest(
        customer_id=str(told["customer_id"]),
        currency=str(told["currency"]),
        credits=tuple(told["credits"]),
        since=from_text(told["since"]),
    )
    return {"use": codec.encode_text(adapter.credit_use(access, request))}


def matched(tx: Tx, effect: Effect, values: Mapping[str, str], now: datetime) -> dict[str, Decimal]:
    """Enter what orders took of ours. Less than before is believed only after a cancellation or a refund: an answer
    that is older than another one knows of fewer uses. What was given back of credits that were to be taken back is
    returned, by credit: for the caller to take."""
    known = [vouchers.get(tx, effect.shop_id, key) for key in effect.request["credits"]]
    first = next((voucher for voucher in known if voucher is not None), None)
    holder = accounts.holder_of(tx, effect.shop_id, first.account) if first is not None else None
    if not holder or "use" not in values:
        return {}
    use = codec.decode(values["use"], CreditUse)
    # Read again, now that nobody else changes them.
    again = [vouchers.get(tx, effect.shop_id, key) for key in effect.request["credits"]]
    theirs = [voucher for voucher in again if voucher is not None and voucher.key in use.left]
    unit = f"{CREDIT}{effect.request['currency']}"
    sheet = _Sheet(effect.id, unit, books.facts_of(tx, effect.shop_id, holder.accounts))
    before = {voucher.key: sheet.of_voucher(voucher.key) for voucher in theirs}
    if effect.request["undone"]:
        sheet.undo(theirs, use, now)
    last = sheet.enter(theirs, use, effect.order_id or "")
    if sheet.told:
        post(tx, effect.shop_id, holder, sheet.told, now)
    back: dict[str, Decimal] = {}
    for voucher in theirs:
        spent, took = sheet.of_voucher(voucher.key), last.get(voucher.key)
        if took is not None and spent >= read_money(voucher.worth).amount:
            vouchers.move(tx, effect.shop_id, voucher.key, USED, (ISSUED, USED), order_id=took.order_id, at=took.at)
        elif spent < before[voucher.key]:
            vouchers.move(tx, effect.shop_id, voucher.key, ISSUED, (USED,))
            if voucher.state in (KEPT, VOIDED):
                back[voucher.key] = before[voucher.key] - spent
    return back


def unspent(tx: Tx, shop_id: str, voucher: Voucher) -> Money:
    """What somebody was given, less what orders took of it."""
    worth = read_money(voucher.worth)
    holder = accounts.holder_of(tx, shop_id, voucher.account) or Holder(accounts=(voucher.account,))
    facts = books.facts_of(tx, shop_id, holder.accounts)
    return Money(worth.amount - _Sheet("", f"{CREDIT}{worth.currency}", facts).of_voucher(voucher.key), worth.currency)


@dataclass
class _Sheet:
    """What was entered of somebody's credit, and what is `told` now by the question `name`."""

    name: str
    unit: str
    facts: Sequence[Fact]
    told: list[Fact] = field(default_factory=list)

    def _all(self) -> Iterable[Fact]:
        yield from self.facts
        yield from self.told

    def _spends(self) -> list[Fact]:
        return [fact for fact in self._all() if fact.kind is FactKind.SPEND and fact.unit == self.unit]

    def _kept(self, spends: Iterable[Fact]) -> Decimal:
        ids = {fact.id: fact.amount for fact in spends}
        back = (fact.amount for fact in self._all() if fact.kind is FactKind.GIVE_BACK and fact.of in ids)
        return sum(ids.values(), _NONE) - sum(back, _NONE)

    def of_voucher(self, key: str) -> Decimal:
        return self._kept(fact for fact in self._spends() if fact.of == f"voucher/{key}")

    def of_order(self, order_id: str) -> Decimal:
        return self._kept(fact for fact in self._spends() if fact.cause == f"order/{order_id}")

    def undo(self, theirs: Sequence[Voucher], use: CreditUse, now: datetime) -> None:
        """Give back what orders took no longer, and what is there again. Orders that the answer does not know are
        newer than it, and left alone."""
        took = {f"order/{each.order_id}": each.amount for each in use.orders}
        for cause in took:
            mine = [fact for fact in self._spends() if fact.cause == cause]
            self._give_back(mine, self._kept(mine) - took[cause], now)
        for voucher in theirs:
            of = f"voucher/{voucher.key}"
            mine = [fact for fact in self._spends() if fact.of == of and fact.cause in took]
            self._give_back(mine[::-1], self._kept(mine) - _missing(voucher, use), now)

    def _give_back(self, spends: Sequence[Fact], more: Decimal, now: datetime) -> None:
        for spent in spends:
            part = min(self._kept([spent]), more)
            if part > _NONE:
                more -= part
                name = f"{spent.id}/back/{self.name}/{len(self.told)}"
                self._tell(name, FactKind.GIVE_BACK, spent.id, part, now, spent.cause)

    def enter(self, theirs: Sequence[Voucher], use: CreditUse, first: str) -> dict[str, OrderCredit]:
        """Out of what is missing from each credit and entered for no order yet; the last order by credit."""
        found: dict[str, OrderCredit] = {}
        orders = sorted(use.orders, key=lambda each: each.order_id != first)
        missing = sum((_missing(voucher, use) for voucher in theirs), _NONE)
        budget = missing - use.others - sum((self.of_voucher(voucher.key) for voucher in theirs), _NONE)
        for voucher in sorted(theirs, key=lambda each: (each.expires_at or _LAST, each.made_at or _LAST, each.key)):
            since, room = voucher.made_at or _FIRST, min(_missing(voucher, use), self._not_taken_back(voucher))
            for order in orders:
                part = min(budget, room - self.of_voucher(voucher.key), order.amount - self.of_order(order.order_id))
                if part <= _NONE or order.at < since - APART:
                    continue
                budget -= part
                name, cause = f"{self.name}/{order.order_id}/{voucher.key}", f"order/{order.order_id}"
                self._tell(name, FactKind.SPEND, f"voucher/{voucher.key}", part, max(order.at, since), cause)
                found[voucher.key] = order
        return found

    def _not_taken_back(self, voucher: Voucher) -> Decimal:
        mine = (fact for fact in self.facts if fact.of == f"voucher/{voucher.key}")
        taken = sum((fact.amount for fact in mine if fact.kind is FactKind.TAKE_BACK), _NONE)
        return read_money(voucher.worth).amount - taken

    def _tell(self, name: str, kind: FactKind, of: str, amount: Decimal, at: datetime, cause: str) -> None:
        self.told.append(Fact(id=name, account="", unit=self.unit, kind=kind, of=of, amount=amount, at=at, cause=cause))


def _missing(voucher: Voucher, use: CreditUse) -> Decimal:
    return read_money(voucher.worth).amount - use.left[voucher.key]
