"""`issue_gift_card`: a gift card with a code of ours, issued once."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from connector import codec
from connector.contracts import (
    Access,
    Act,
    Decision,
    GiftCardRequest,
    IssuesGiftCards,
    PlatformAdapter,
    Step,
    StepContext,
)
from connector.errors import Unsupported
from connector.model import Money
from flows.authoring.fields import money_text
from flows.steps.issue_store_credit import ACCOUNTS


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueGiftCard(Step):
    """Issue a card worth `amount` ("10 EUR"), good for `expires` (the shop's own rule without it).

    `bind = "account"` assigns it to the person named by `to` where the shop knows them; a card is good for whoever
    has the code all the same. The outcome `done` carries `code`, `amount` and `expires_on`.
    """

    do: ClassVar[str] = "issue_gift_card"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (IssuesGiftCards,)
    costly: ClassVar[bool] = True
    instead: ClassVar[tuple[str, ...]] = ("issue_store_credit", "create_discount")

    amount: Money
    expires: timedelta | None = None
    note: str = "Given by Kiitos"
    bind: str = field(default="none", metadata={"words": ("account", "none")})
    to: str = field(default="customer", metadata={"words": tuple(ACCOUNTS)})

    def __post_init__(self) -> None:
        if self.amount.amount <= 0:
            raise ValueError("an amount is more than nothing")

    def start(self, ctx: StepContext) -> Decision:
        owner = next((str(found) for path in ACCOUNTS[self.to] if (found := ctx.get(path))), None)
        card = GiftCardRequest(
            code=ctx.code(""),
            amount=self.amount,
            note=self.note,
            customer_id=owner if self.bind == "account" else None,
            expires_on=(ctx.now + self.expires).date() if self.expires else None,
        )
        return Act("platform", {"do": self.do, "grant": "gift_card", "card": codec.builtins(card)})

    def perform(
        self,
        adapter: PlatformAdapter,
        access: Access,
        request: Mapping[str, Any],
        key: str,  # noqa: ARG002 - the code itself is the key
    ) -> Mapping[str, str]:
        if not isinstance(adapter, IssuesGiftCards):
            raise Unsupported(f"platform '{adapter.name}' issues no gift cards")
        card = codec.convert(request["card"], GiftCardRequest)
        made = adapter.issue_gift_card(access, card)
        values = {"code": made.code, "amount": money_text(card.amount), "granted": made.platform_id}
        if card.expires_on is not None:
            values["expires_on"] = card.expires_on.isoformat()
        return values

    def currencies(self) -> Sequence[str]:
        return (self.amount.currency,)
