"""Taking back what was given: codes and gift cards are switched off, store credit is debited (Admin API 2026-10:
discountCodeDeactivate, giftCardDeactivate, storeCreditAccountDebit)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.contracts import DOUBTFUL, Access, VoidRequest, VoidsCodes, VoidsGiftCards, VoidsStoreCredit
from connector.errors import Refused, Transient
from connector.model import Money
from platforms.shopify.calls import gid, told_money
from platforms.shopify.credits import CreditRows

_GONE = frozenset(("GIFT_CARD_NOT_FOUND", "INVALID", "NOT_FOUND"))
_NOTHING_LEFT = frozenset(("INSUFFICIENT_FUNDS", "ACCOUNT_NOT_FOUND"))


class Voids(CreditRows, VoidsCodes, VoidsGiftCards, VoidsStoreCredit):
    """Needs `write_discounts`; `write_gift_cards`; `write_store_credit_account_transactions`,
    `read_store_credit_accounts`."""

    def void_code(self, access: Access, request: VoidRequest) -> bool:
        """Switch the code off by its discount, which has no other. Shopify counts uses with some delay
        (`asyncUsageCount`): what comes in with an order meanwhile is matched there."""
        data = self._client.query(access, "discount_used", {"code": request.code})
        node = data.get("codeDiscountNodeByCode")
        if not node or (not request.shared and _uses(node)):
            return False
        if not node.get("id"):
            raise Transient("Shopify discount_used: an answer without an id")
        self._client.mutate(access, "discount_deactivate", {"id": node["id"]})
        return True

    def void_gift_card(self, access: Access, request: VoidRequest) -> Money | None:
        """Switch the card off for good; what was left on it."""
        try:
            made = self._client.mutate(access, "gift_card_deactivate", {"id": gid("GiftCard", request.platform_id)})
        except Refused as error:
            if error.provider_code not in _GONE:
                raise
            return None
        return told_money((made.get("giftCard") or {}).get("balance"), "gift_card_deactivate")

    def debit_store_credit(self, access: Access, request: VoidRequest) -> Money | None:
        """Debit what was given, or what is left of that very credit: what else is on the account is not ours. It takes
        no key, and an account's debits do not say what they are for: after an attempt of unknown outcome it is
        `Refused` with `DOUBTFUL`, for a person to look."""
        assert request.amount is not None
        if request.again:
            raise Refused(
                "store credit was being taken back and the answer was lost: look at the customer's store credit in "
                "Shopify, and debit it there if it was not",
                provider_code=DOUBTFUL,
            )
        left = [request.amount, self._left(access, request)]
        if request.platform_id:
            account = self._account(access, request.customer_id, request.amount.currency)
            ours = self._remaining(access, account, request.platform_id) if account is not None else None
            left += [] if ours is None else [ours]
        wanted = min(left, key=lambda money: money.amount)
        if wanted.amount <= 0:
            return None
        debit = {"debitAmount": {"amount": f"{wanted.amount:f}", "currencyCode": wanted.currency}}
        variables = {"id": gid("Customer", request.customer_id), "debit": debit}
        try:
            self._client.mutate(access, "store_credit_debit", variables)
        except Refused as error:
            if error.provider_code not in _NOTHING_LEFT:
                raise
            return None
        return wanted

    def _left(self, access: Access, request: VoidRequest) -> Money:
        assert request.amount is not None
        data = self._client.query(access, "store_credit_accounts", {"id": gid("Customer", request.customer_id)})
        nodes = ((data.get("customer") or {}).get("storeCreditAccounts") or {}).get("nodes")
        if nodes is None:
            raise Transient("Shopify store_credit_accounts: an answer without accounts")
        found = (told_money(account.get("balance"), "store_credit_accounts") for account in nodes)
        return next(
            (one for one in found if one.currency == request.amount.currency), Money.zero(request.amount.currency)
        )


def _uses(node: Mapping[str, Any]) -> int:
    """How often a discount was used. Raises `Transient` where the answer does not say: a used code must be left."""
    found = (node.get("codeDiscount") or {}).get("asyncUsageCount")
    if found is None or not str(found).isdecimal():
        raise Transient("Shopify discount_used: an answer without a count of uses")
    return int(found)
