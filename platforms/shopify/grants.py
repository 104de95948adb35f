"""Money given: store credit and gift cards. Neither mutation is idempotent (facts/shopify.md section 0.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connector.clock import to_text
from connector.contracts import (
    DOUBTFUL,
    Access,
    GiftCardRef,
    GiftCardRequest,
    GrantsStoreCredit,
    IssuesGiftCards,
    StoreCreditRef,
    StoreCreditRequest,
)
from connector.errors import Refused, Transient
from connector.model import Money
from platforms.shopify.calls import digest, gid, in_shop_currency, made_id, told_at, told_money
from platforms.shopify.credits import SKEW, CreditRows
from platforms.shopify.reading import ident

_NEAR = timedelta(days=1)
_READ = "store_credit_transactions"
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


class Grants(CreditRows, GrantsStoreCredit, IssuesGiftCards):
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
