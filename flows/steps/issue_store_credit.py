"""`issue_store_credit`: money on the customer's account in the shop, given once."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from connector import codec
from connector.clock import to_text
from connector.contracts import (
    Access,
    Act,
    Decision,
    Done,
    GrantsStoreCredit,
    PlatformAdapter,
    Step,
    StepContext,
    StoreCreditRequest,
)
from connector.errors import Unsupported
from connector.model import Money
from flows.authoring.fields import money_text
from flows.sending.attempts import attempt_of

ACCOUNTS: Mapping[str, tuple[str, ...]] = {
    "customer": ("customer.id",),
    "advocate": ("referral.advocate_customer_id",),
}
"""Where the shop's id of a person is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueStoreCredit(Step):
    """Credit `amount` ("5 EUR"), good for `expires` (for ever without it), to the person named by `to`.

    Nobody without an account in the shop can get any: the outcome is then `skipped`. `notify` lets the shop write to
    the customer too. The outcome `done` carries `amount`, `ends_at`, and the `balance` where the shop tells it.
    """

    do: ClassVar[str] = "issue_store_credit"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (GrantsStoreCredit,)
    costly: ClassVar[bool] = True
    instead: ClassVar[tuple[str, ...]] = ("issue_gift_card", "create_discount")

    amount: Money
    expires: timedelta | None = None
    to: str = field(default="customer", metadata={"words": tuple(ACCOUNTS)})
    notify: bool = False

    def __post_init__(self) -> None:
        if self.amount.amount <= 0:
            raise ValueError("an amount is more than nothing")

    def start(self, ctx: StepContext) -> Decision:
        customer_id = next((str(found) for path in ACCOUNTS[self.to] if (found := ctx.get(path))), None)
        if customer_id is None:
            return Done("skipped", {"reason": f"the {self.to} has no account to credit"})
        request: dict[str, Any] = {
            "do": self.do,
            "grant": "store_credit",
            "customer_id": customer_id,
            "amount": codec.builtins(self.amount),
            "notify": self.notify,
        }
        if self.expires is not None:
            request["expires_at"] = to_text((ctx.now + self.expires).replace(microsecond=0))
        return Act("platform", request)

    def perform(
        self, adapter: PlatformAdapter, access: Access, request: Mapping[str, Any], key: str
    ) -> Mapping[str, str]:
        if not isinstance(adapter, GrantsStoreCredit):
            raise Unsupported(f"platform '{adapter.name}' has no store credit")
        attempt = attempt_of(request, access)
        amount = codec.convert(request["amount"], Money)
        wanted = {
            "key": key,
            "customer_id": request["customer_id"],
            "amount": request["amount"],
            "expires_at": request.get("expires_at"),
            "notify": request.get("notify", False),
            "first_try_at": to_text(attempt.first_try_at),
            "again": attempt.again,
            "claimed": list(attempt.claimed),
        }
        made = adapter.grant_store_credit(access, codec.convert(wanted, StoreCreditRequest))
        values = {"amount": money_text(amount), "granted": made.platform_id, "adopted": "1" if made.adopted else "0"}
        if made.balance is not None:
            values["balance"] = money_text(made.balance)
        if request.get("expires_at"):
            values["ends_at"] = str(request["expires_at"])
        return values

    def currencies(self) -> Sequence[str]:
        return (self.amount.currency,)
