"""Reading the transactions of a customer's store credit: what was given, taken, given back, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connector.contracts import Access, CreditUse, CreditUseRequest, OrderCredit, TellsCreditUse
from connector.errors import Transient
from connector.model import Money
from platforms.shopify.calls import Calls, gid, told_at, told_money
from platforms.shopify.reading import ident

SKEW = timedelta(minutes=2)
"""How far Shopify's clock may be behind ours when a credit is looked for."""
_READ, _USE, _ACCOUNTS = "store_credit_transactions", "store_credit_use", "store_credit_accounts"
_CREDITED, _DEBITED, _REVERTED = (f"StoreCreditAccount{kind}Transaction" for kind in ("Credit", "Debit", "DebitRevert"))


class CreditRows(Calls, TellsCreditUse):
    """Needs `read_store_credit_accounts`, `read_store_credit_account_transactions`, `read_orders`."""

    def credit_use(self, access: Access, request: CreditUseRequest) -> CreditUse:
        """By the account's transactions: a debit's `origin` is a payment of the order, a debit that was reverted is
        none, and a credit's `remainingAmount` is what is left of it. Debits spend first what lapses first (2026-10
        schema, StoreCreditAccountCreditTransaction)."""
        took: dict[str, OrderCredit] = {}
        left: dict[str, Decimal] = {}
        others = Decimal(0)
        for row in self._rows(access, request):
            size, kind = abs(told_money(row.get("amount"), _USE).amount), row.get("__typename")
            if kind == _CREDITED and (known := ident(row.get("id"))) in request.credits:
                left[str(known)] = told_money(row.get("remainingAmount"), _USE).amount
            if kind not in (_DEBITED, _REVERTED):
                continue
            paid = row if kind == _DEBITED else present(row, "debitTransaction", _USE)
            order_id = ident(((paid.get("origin") or {}).get("order") or {}).get("id"))
            size = size if kind == _DEBITED else -size
            if order_id is None:
                others += size
                continue
            size += took[order_id].amount if order_id in took else 0
            took[order_id] = OrderCredit(order_id=order_id, amount=size, at=told_at(row.get("createdAt"), _USE))
        orders = tuple(sorted(took.values(), key=lambda each: (each.at, each.order_id)))
        return CreditUse(orders=orders, others=others, left=left)

    def _rows(self, access: Access, request: CreditUseRequest) -> Iterator[Mapping[str, Any]]:
        data = self._client.query(access, _ACCOUNTS, {"id": gid("Customer", request.customer_id)})
        if data.get("customer", data) is None:
            return  # gone, or another's since two became one
        account = _in_currency(data, request.currency)
        if account is not None:
            yield from self._transactions(access, _USE, account, request.since - SKEW)

    def _account(self, access: Access, customer_id: str, currency: str) -> str | None:
        """A customer's account in a currency, if there is one. Raises `Transient` where the customer is not told."""
        return _in_currency(self._client.query(access, _ACCOUNTS, {"id": gid("Customer", customer_id)}), currency)

    def _transactions(self, access: Access, name: str, account: str, since: datetime) -> Iterator[Mapping[str, Any]]:
        """An account's transactions that the operation `name` reads, newest first, back to `since`."""
        path = ("storeCreditAccount", "transactions")
        for page in self._pages(access, name, {"id": account}, *path):
            for row in present(present({"page": page}, "page", name), "nodes", name):
                if told_at(row.get("createdAt"), name) < since:
                    return
                yield row

    def _remaining(self, access: Access, account: str, credit: str) -> Money | None:
        """What is left of one credit; None where it is not among the account's."""
        for page in self._pages(access, _USE, {"id": account}, "storeCreditAccount", "transactions"):
            for row in present(present({"page": page}, "page", _USE), "nodes", _USE):
                if row.get("__typename") == _CREDITED and ident(row.get("id")) == credit:
                    return told_money(row.get("remainingAmount"), _USE)
        return None


def _in_currency(data: Mapping[str, Any], currency: str) -> str | None:
    customer = present(data, "customer", _ACCOUNTS)
    for account in present(present(customer, "storeCreditAccounts", _READ), "nodes", _READ):
        if told_money(account.get("balance"), _ACCOUNTS).currency == currency:
            return str(present(account, "id", _ACCOUNTS))
    return None


def present(found: Mapping[str, Any], name: str, operation: str) -> Any:
    """A field that must be there: taken for "no credit yet", its absence would have the credit given twice."""
    if found.get(name) is None:
        raise Transient(f"Shopify {operation}: an answer without {name}")
    return found[name]
