"""Money the shop gives: store credit and gift cards. Neither knows an idempotency key (shopify.md §0.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connector.testing.fakes.shopify.order_views import OrderView
from connector.testing.fakes.shopify.queries import number_of
from connector.testing.fakes.shopify.state import Json, ShopState, gid
from connector.testing.fakes.shopify.views import CustomerView, View, connection, money

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify

CREDIT_LIMIT = Decimal(15_000)
"""What one account may hold; the real limit is Shopify's own affair, the error's code is the schema's."""
CARD_CODE = re.compile(r"[A-Za-z0-9]{8,20}")


class CreditTransactionView(View):
    typename = "StoreCreditAccountCreditTransaction"
    plain = ("event", "origin")

    def amount(self) -> Json | None:
        return money(self.row["amount"])

    def remaining_amount(self) -> Json | None:
        account = self.shop.credit_accounts[self.row["account_id"]]
        left = remaining_of(account)[self.row["id"]]
        return money({"amount": str(left.quantize(Decimal("0.01"))), "currency_code": account["currency"]})

    def balance_after_transaction(self) -> Json | None:
        return money(self.row["balance"])

    def expires_at(self) -> str | None:
        return self.utc(self.row["expires_at"])

    def account(self) -> View:
        return CreditAccountView(self.shop, self.shop.credit_accounts[self.row["account_id"]])


class DebitTransactionView(CreditTransactionView):
    typename = "StoreCreditAccountDebitTransaction"

    def origin(self) -> Json | None:
        order = self.shop.orders.get(self.row["order_id"])
        return {"__typename": "OrderTransaction", "order": OrderView(self.shop, order)} if order else None


class DebitRevertTransactionView(CreditTransactionView):
    typename = "StoreCreditAccountDebitRevertTransaction"

    def debit_transaction(self) -> View:
        account = self.shop.credit_accounts[self.row["account_id"]]
        (debit,) = (row for row in account["transactions"] if row["id"] == self.row["reverts"])
        return DebitTransactionView(self.shop, debit)


def _transaction_view(shop: ShopState, row: Json) -> View:
    if row.get("reverts"):
        return DebitRevertTransactionView(shop, row)
    return (DebitTransactionView if row["amount"]["amount"].startswith("-") else CreditTransactionView)(shop, row)


class CreditAccountView(View):
    typename = "StoreCreditAccount"

    def balance(self) -> Json | None:
        return money(balance_of(self.row))

    def transactions(self, query: str | None = None, sort_key: str | None = None, **args: Any) -> Json:
        """`query` asks for all of them, or for the credits."""
        if query not in (None, "", "type:credit"):
            raise ValueError(f"the fake looks for transactions of type:credit only, not {query!r}")
        rows = [_transaction_view(self.shop, row) for row in self.row["transactions"]]
        if query:
            rows = [view for view in rows if type(view) is CreditTransactionView]
        return connection(rows, lambda view: view.row["id"], **args)


class GiftCardView(View):
    typename = "GiftCard"
    plain = ("note", "expires_on", "enabled")

    def last_characters(self) -> str:
        return str(self.row["code"])[-4:]

    def masked_code(self) -> str:
        return f"•••• •••• •••• {self.last_characters()}"

    def initial_value(self) -> Json | None:
        return money(self.row["amount"])

    def balance(self) -> Json | None:
        return money(self.row.get("balance") or self.row["amount"])

    def customer(self) -> View | None:
        row = self.shop.customers.get(self.row["customer_id"])
        return CustomerView(self.shop, row) if row else None


def balance_of(account: Json) -> Json:
    total = sum((Decimal(row["amount"]["amount"]) for row in account["transactions"]), Decimal(0))
    return {"amount": str(total.quantize(Decimal("0.01"))), "currency_code": account["currency"]}


def remaining_of(account: Json) -> dict[int, Decimal]:
    """What is left of each credit: debits spend what lapses first, and give back where they are reverted."""
    left: dict[int, Decimal] = {}
    taken: dict[int, list[tuple[int, Decimal]]] = {}
    lapses = {row["id"]: row["expires_at"] or "9999" for row in account["transactions"]}
    for row in account["transactions"]:
        amount = Decimal(row["amount"]["amount"])
        if row.get("reverts"):
            for credit, part in taken.pop(row["reverts"], []):
                left[credit] += part
        elif amount > 0:
            left[row["id"]] = amount
        else:
            for credit in sorted(left, key=lambda each: (lapses[each], each)):
                part = min(left[credit], -amount)
                left[credit], amount = left[credit] - part, amount + part
                taken.setdefault(row["id"], []).append((credit, part))
    return left


def pay_with_credit(shop: ShopState, order: Json, amount: str) -> None:
    """The customer pays a part of an order, or all of it, with store credit. Raises `ValueError` without so much."""
    account = _account(shop, gid("Customer", order["customer"]["id"]), order["currency"])
    if isinstance(account, str) or Decimal(amount) > Decimal(balance_of(account)["amount"]):
        raise ValueError(f"there is no store credit of {amount}")
    account["transactions"].append(_moved(shop, account, f"-{amount}", "ORDER_PAYMENT", order_id=order["id"]))
    order["payment_gateway_names"] = ["shopify_store_credit", *order["payment_gateway_names"]]


def revert_credit(shop: ShopState, order: Json) -> None:
    """Shopify gives back what an order took of store credit, as where its payment is undone."""
    for account in shop.credit_accounts.values():
        for row in [row for row in account["transactions"] if row.get("order_id") == order["id"]]:
            back = row["amount"]["amount"].removeprefix("-")
            account["transactions"].append(_moved(shop, account, back, "ORDER_CANCELLATION", reverts=row["id"]))


def _moved(shop: ShopState, account: Json, amount: str, event: str, **more: Any) -> Json:
    balance = Decimal(balance_of(account)["amount"]) + Decimal(amount)
    return {
        "id": shop.next_id("StoreCreditAccountTransaction"),
        "account_id": account["id"],
        "amount": {"amount": amount, "currency_code": account["currency"]},
        "balance": {"amount": str(balance), "currency_code": account["currency"]},
        "expires_at": None,
        "created_at": shop.stamp(),
        "event": event,
        "origin": None,
        "order_id": None,
        **more,
    }


def credit_accounts(shop: ShopState, customer: Json) -> list[CreditAccountView]:
    mine = [row for row in shop.credit_accounts.values() if row["customer_id"] == customer["id"]]
    return [CreditAccountView(shop, row) for row in mine]


def _refusal(code: str, message: str, *field: str) -> Json:
    return {"field": list(field), "message": message, "code": code}


def store_credit_account_credit(shop: FakeShopify, id: str, credit_input: Json) -> Json:  # noqa: A002
    """`id` is a customer's or an account's. Every call adds: nothing tells one attempt from another."""
    nothing: Json = {"store_credit_account_transaction": None}
    amount = Decimal(str(credit_input["creditAmount"]["amount"]))
    currency = credit_input["creditAmount"]["currencyCode"]
    if amount <= 0:
        path = ("creditInput", "creditAmount", "amount")
        error = _refusal(
            "NEGATIVE_OR_ZERO_AMOUNT", "A positive amount must be used to credit a store credit account", *path
        )
        return {**nothing, "user_errors": [error]}
    expires = credit_input.get("expiresAt")
    if expires is not None and _time(expires) <= shop.clock.now():
        error = _refusal("EXPIRES_AT_IN_PAST", "The expiry date must be in the future", "creditInput", "expiresAt")
        return {**nothing, "user_errors": [error]}
    account = _account(shop, id, currency)
    if isinstance(account, str):
        return {**nothing, "user_errors": [_refusal(account, "Account or owner does not exist", "id")]}
    if account["currency"] != currency:
        error = _refusal("MISMATCHING_CURRENCY", "Currency does not match", "creditInput", "creditAmount")
        return {**nothing, "user_errors": [error]}
    if Decimal(balance_of(account)["amount"]) + amount > CREDIT_LIMIT:
        error = _refusal(
            "CREDIT_LIMIT_EXCEEDED", "The account's limit would be exceeded", "creditInput", "creditAmount"
        )
        return {**nothing, "user_errors": [error]}
    row: Json = {
        "id": shop.next_id("StoreCreditAccountTransaction"),
        "account_id": account["id"],
        "amount": {"amount": str(amount), "currency_code": currency},
        "expires_at": _time(expires).isoformat() if expires else None,
        "created_at": shop.stamp(),
        "event": "ADJUSTMENT",
        "origin": None,
        "notified": bool(credit_input.get("notify")),
    }
    account["transactions"].append(row)
    row["balance"] = balance_of(account)
    return {"store_credit_account_transaction": CreditTransactionView(shop, row), "user_errors": []}


def store_credit_account_debit(shop: FakeShopify, id: str, debit_input: Json) -> Json:  # noqa: A002
    """Takes from the balance, never more than there is."""
    nothing: Json = {"store_credit_account_transaction": None}
    wanted = debit_input["debitAmount"]
    account = _account(shop, id, wanted["currencyCode"])
    if isinstance(account, str):
        return {**nothing, "user_errors": [_refusal("ACCOUNT_NOT_FOUND", "Account does not exist", "id")]}
    if Decimal(str(wanted["amount"])) > Decimal(balance_of(account)["amount"]):
        path = ("debitInput", "debitAmount", "amount")
        error = _refusal("INSUFFICIENT_FUNDS", "The store credit account does not have sufficient funds", *path)
        return {**nothing, "user_errors": [error]}
    row = _moved(shop, account, f"-{wanted['amount']}", "ADJUSTMENT")
    account["transactions"].append(row)
    return {"store_credit_account_transaction": DebitTransactionView(shop, row), "user_errors": []}


def gift_card_deactivate(shop: FakeShopify, id: str) -> Json:  # noqa: A002
    """For good: a card that is off cannot be switched on again. What is on it stays on it."""
    row = shop.gift_cards.get(number_of(id, "GiftCard"))
    if row is None:
        error = _refusal("GIFT_CARD_NOT_FOUND", "The gift card could not be found", "id")
        return {"gift_card": None, "user_errors": [error]}
    row["enabled"], row["updated_at"] = False, shop.stamp()
    return {"gift_card": GiftCardView(shop, row), "user_errors": []}


def _account(shop: ShopState, owner: str, currency: str) -> Json | str:
    """The account, made for a customer who has none in that currency; else the code of the error."""
    if "/StoreCreditAccount/" in owner:
        return shop.credit_accounts.get(number_of(owner, "StoreCreditAccount")) or "ACCOUNT_NOT_FOUND"
    number = number_of(owner, "Customer")
    if number not in shop.customers:
        return "OWNER_NOT_FOUND"
    for row in shop.credit_accounts.values():
        if (row["customer_id"], row["currency"]) == (number, currency):
            return row
    made: Json = {"id": shop.next_id("StoreCreditAccount"), "customer_id": number, "currency": currency}
    made["transactions"] = []
    shop.credit_accounts[made["id"]] = made
    return made


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)).replace(microsecond=0)


def gift_card_create(shop: FakeShopify, input: Json) -> Json:  # noqa: A002
    """Codes are kept in lower case and compared without it; the whole code is shown once."""
    nothing: Json = {"gift_card": None, "gift_card_code": None}
    code = (input.get("code") or shop.clock.token(10)).lower()
    value = Decimal(str((input.get("initialAmount") or {}).get("amount") or input.get("initialValue") or 0))
    if not CARD_CODE.fullmatch(code):
        kind = "TOO_SHORT" if len(code) < 8 else "TOO_LONG" if len(code) > 20 else "INVALID"
        return {**nothing, "user_errors": [_refusal(kind, "Code must be 8 to 20 letters and digits", "input", "code")]}
    if value <= 0:
        error = _refusal("GREATER_THAN", "Initial value must be greater than 0", "input", "initialValue")
        return {**nothing, "user_errors": [error]}
    if any(card["code"] == code for card in shop.gift_cards.values()):
        return {**nothing, "user_errors": [_refusal("TAKEN", "Code has already been taken", "input", "code")]}
    customer = None
    if input.get("customerId"):
        shop.require_scope(("write_customers",), "giftCardCreate")
        customer = number_of(input["customerId"], "Customer")
        if customer not in shop.customers:
            return {
                **nothing,
                "user_errors": [
                    _refusal("CUSTOMER_NOT_FOUND", "The customer could not be found", "input", "customerId")
                ],
            }
    row: Json = {
        "id": shop.next_id("GiftCard"),
        "code": code,
        "amount": {"amount": str(value), "currency_code": shop.currency},
        "note": input.get("note"),
        "expires_on": input.get("expiresOn"),
        "customer_id": customer,
        "enabled": True,
        "created_at": shop.stamp(),
        "updated_at": shop.stamp(),
    }
    shop.gift_cards[row["id"]] = row
    return {"gift_card": GiftCardView(shop, row), "gift_card_code": code, "user_errors": []}


def gift_cards(shop: FakeShopify, query: str | None = None, sort_key: str | None = None, **args: Any) -> Json:
    """The default search looks at the code as a whole, without case."""
    wanted = (query or "").strip().lower()
    found = [GiftCardView(shop, row) for row in shop.gift_cards.values() if wanted in ("", row["code"])]
    args.pop("saved_search_id", None)
    return connection(found, lambda view: view.row["id"], **args)


def store_credit_account(shop: FakeShopify, id: str) -> CreditAccountView | None:  # noqa: A002
    row = shop.credit_accounts.get(number_of(id, "StoreCreditAccount"))
    return CreditAccountView(shop, row) if row else None


GRANT_MUTATIONS: Mapping[str, Callable[..., Json]] = {
    "store_credit_account_credit": store_credit_account_credit,
    "store_credit_account_debit": store_credit_account_debit,
    "gift_card_create": gift_card_create,
    "gift_card_deactivate": gift_card_deactivate,
}
GRANT_QUERIES: Mapping[str, Callable[..., Any]] = {
    "gift_cards": gift_cards,
    "store_credit_account": store_credit_account,
}
