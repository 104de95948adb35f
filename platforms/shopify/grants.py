"""Money given: store credit and gift cards. Neither mutation is idempotent (facts/shopify.md section 0.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connector.clock import to_text
from connector.contracts import (
    DOUBTFUL,
    Access,
    CreditUse,
    CreditUseRequest,
    GiftCardRef,
    GiftCardRequest,
    GrantsStoreCredit,
    IssuesGiftCards,
    OrderCredit,
    StoreCreditRef,
    StoreCreditRequest,
    TellsCreditUse,
)
from connector.errors import Refused, Transient
from connector.model import Money
from platforms.shopify.calls import Calls, digest, gid, in_shop_currency, made_id, told_at, told_money
from platforms.shopify.reading import ident

SKEW = timedelta(minutes=2)
"""How far Shopify's clock may be behind ours when a credit is looked for."""
_NEAR = timedelta(days=1)
_READ = "store_credit_transactions"
_USE = "store_credit_use"
_CREDITED, _DEBITED, _REVERTED = (f"StoreCreditAccount{kind}Transaction" for kind in ("Credit", "Debit", "DebitRevert"))
_ORDER_EVENTS = frozenset(
    (
        "ORDER_CANCELLATION",
        "ORDER_PAYMENT",
        "ORDER_REFUND",
        "PAYMENT_FAILURE",
        "PAYMENT_RETURNED",
        "TAX_FINALIZATION",
    )
)


class Grants(Calls, GrantsStoreCredit, IssuesGiftCards, TellsCreditUse):
    """Needs `write_store_credit_account_transactions`, `read_store_credit_accounts`,
    `read_store_credit_account_transactions`; `write_gift_cards`, `read_gift_cards`."""

    def grant_store_credit(self, access: Access, request: StoreCreditRequest) -> StoreCreditRef:
        """storeCreditAccountCredit on the customer: Shopify makes the account of the currency where there is none.

        It takes no key and no note, so after an attempt of unknown outcome the account's credits since then are read.
        One of the same amount and expiry, not `claimed` by another request, is ours: adopted. Several such, or one
        whose expiry is another time of the same day or missing (Shopify might have changed it), are `Refused` with
        `DOUBTFUL`.
        """
        if request.again and (found := self._find_credit(access, request)) is not None:
            return found
        credit: dict[str, Any] = {
            "creditAmount": {"amount": str(request.amount.amount), "currencyCode": request.amount.currency},
            "notify": request.notify,
        }
        if request.expires_at is not None:
            credit["expiresAt"] = to_text(_whole(request.expires_at))
        variables = {"id": gid("Customer", request.customer_id), "credit": credit}
        made = self._client.mutate(access, "store_credit", variables).get("storeCreditAccountTransaction") or {}
        return StoreCreditRef(platform_id=made_id(made, "store_credit"), balance=_balance(made))

    def _find_credit(self, access: Access, request: StoreCreditRequest) -> StoreCreditRef | None:
        account = self._account(access, request.customer_id, request.amount.currency)
        if account is None:
            return None
        since = request.first_try_at - SKEW
        same: list[Mapping[str, Any]] = []
        near: list[Mapping[str, Any]] = []
        for row in self._transactions(access, _READ, account, since):
            if told_money(row.get("amount"), _READ) != request.amount or row.get("event") in _ORDER_EVENTS:
                continue
            if ident(row.get("id")) in request.claimed:
                continue
            if "expiresAt" not in row:
                raise Transient(f"Shopify {_READ}: a credit without its expiry")
            apart = _apart(row["expiresAt"], request.expires_at)
            (same if apart == timedelta(0) else near if apart < _NEAR else []).append(row)
        if len(same) == 1:
            return StoreCreditRef(platform_id=made_id(same[0], _READ), balance=_balance(same[0]), adopted=True)
        if same or near:
            raise Refused(
                f"an equal credit was made on this account since {to_text(request.first_try_at)}, and nothing tells "
                "whether it is this one: look at the customer's store credit in Shopify",
                provider_code=DOUBTFUL,
            )
        return None

    def credit_use(self, access: Access, request: CreditUseRequest) -> CreditUse:
        """By the account's transactions: a debit's `origin` is a payment of the order, a debit that was reverted is
        none, and a credit's `remainingAmount` is what is left of it. Debits spend first what lapses first (2026-10
        schema, StoreCreditAccountCreditTransaction)."""
        took: dict[str, OrderCredit] = {}
        left: dict[str, Decimal] = {}
        account = self._account(access, request.customer_id, request.currency)
        rows = self._transactions(access, _USE, account, request.since - SKEW) if account is not None else ()
        for row in rows:
            size, kind = abs(told_money(row.get("amount"), _USE).amount), row.get("__typename")
            if kind == _CREDITED and (known := ident(row.get("id"))) in request.credits:
                left[str(known)] = told_money(row.get("remainingAmount"), _USE).amount
            paid = row if kind == _DEBITED else _present(row, "debitTransaction", _USE) if kind == _REVERTED else {}
            order_id = ident(((paid.get("origin") or {}).get("order") or {}).get("id"))
            if order_id is not None:
                size = size if kind == _DEBITED else -size
                size += took[order_id].amount if order_id in took else 0
                took[order_id] = OrderCredit(order_id=order_id, amount=size, at=told_at(row.get("createdAt"), _USE))
        return CreditUse(orders=tuple(sorted(took.values(), key=lambda each: (each.at, each.order_id))), left=left)

    def _account(self, access: Access, customer_id: str, currency: str) -> str | None:
        data = self._client.query(access, "store_credit_accounts", {"id": gid("Customer", customer_id)})
        customer = _present(data, "customer", "store_credit_accounts")
        accounts = _present(_present(customer, "storeCreditAccounts", _READ), "nodes", _READ)
        for account in accounts:
            if told_money(account.get("balance"), "store_credit_accounts").currency == currency:
                return str(_present(account, "id", "store_credit_accounts"))
        return None

    def _transactions(self, access: Access, name: str, account: str, since: datetime) -> Iterator[Mapping[str, Any]]:
        """An account's transactions that the operation `name` reads, newest first, back to `since`."""
        path = ("storeCreditAccount", "transactions")
        for page in self._pages(access, name, {"id": account}, *path):
            for row in _present(_present({"page": page}, "page", name), "nodes", name):
                if told_at(row.get("createdAt"), name) < since:
                    return
                yield row

    def issue_gift_card(self, access: Access, request: GiftCardRequest) -> GiftCardRef:
        """giftCardCreate with our own code; a taken one is looked up and adopted when its note carries our mark."""
        card: dict[str, Any] = {
            "code": request.code,
            "initialAmount": {
                "amount": in_shop_currency(access, request.amount, "gift cards"),
                "currencyCode": request.amount.currency,
            },
            "note": f"{request.note} {_mark(request.code)}".strip(),
        }
        if request.customer_id:
            card["customerId"] = gid("Customer", request.customer_id)
        if request.expires_on is not None:
            card["expiresOn"] = request.expires_on.isoformat()
        try:
            made = self._client.mutate(access, "gift_card_create", {"card": card})
        except Refused as error:
            if error.provider_code != "TAKEN":
                raise
            return self._adopt_card(access, request)
        return GiftCardRef(code=request.code, platform_id=made_id(made.get("giftCard"), "gift_card_create"))

    def _adopt_card(self, access: Access, request: GiftCardRequest) -> GiftCardRef:
        data = self._client.query(access, "gift_cards", {"code": request.code})
        found = (data.get("giftCards") or {}).get("nodes") or ()
        ending = request.code[-4:].lower()
        same = [card for card in found if str(card.get("lastCharacters", "")).lower() == ending]
        for card in same:
            if _mark(request.code) in str(card.get("note") or ""):
                return GiftCardRef(code=request.code, platform_id=made_id(card, "gift_cards"), adopted=True)
        if not same:
            # Search follows writes with some delay.
            raise Transient("Shopify: a gift card's code is taken and yet not found", retry_after=60)
        raise Refused("a gift card with this code exists and is not ours", provider_code="TAKEN")


def _present(found: Mapping[str, Any], name: str, operation: str) -> Any:
    """A field that must be there: taken for "no credit yet", its absence would have the credit given twice."""
    if found.get(name) is None:
        raise Transient(f"Shopify {operation}: an answer without {name}")
    return found[name]


def _mark(code: str) -> str:
    return f"[kiitos {digest(code)}]"


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _apart(text: object, wanted: datetime | None) -> timedelta:
    """How far two expiries lie apart. One where none was asked for is another credit's; none where one was asked for
    may be ours all the same, if Shopify lost it."""
    if wanted is None:
        return timedelta.max if text else timedelta(0)
    if not text:
        return _NEAR / 2
    return abs(_whole(told_at(text, _READ)) - _whole(wanted))


def _balance(transaction: Mapping[str, Any]) -> Money | None:
    """The balance after a credit: nice to know, and no reason to doubt the credit where it is missing."""
    value = transaction.get("balanceAfterTransaction")
    return told_money(value, "store_credit") if value and value.get("amount") and value.get("currencyCode") else None
