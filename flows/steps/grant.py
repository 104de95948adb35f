"""`grant`: something of value for the customer: points of ours, store credit, a gift card."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from connector.clock import to_text
from connector.contracts import Access, Act, Decision, Done, PlatformAdapter, Step, StepContext
from connector.errors import Unsupported
from connector.model import Money
from flows.steps.issue_gift_card import IssueGiftCard
from flows.steps.issue_store_credit import ACCOUNTS, IssueStoreCredit

KINDS = ("points", "store_credit", "gift_card")
MOST_POINTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Step):
    """Give `points` (`what = "points"`) or `amount` ("5 EUR": `store_credit`, `gift_card`), good for `expires`.

    Points are an entry of our own books, written once and reversible, and without `expires` good for as long as the
    shop's other points; the others are `issue_store_credit` and `issue_gift_card` under one name. The outcome `done`
    carries `points`, `balance` and `ends_at`, or what those carry.
    """

    do: ClassVar[str] = "grant"
    costly: ClassVar[bool] = True

    what: str = field(metadata={"words": KINDS})
    points: int = 0
    amount: Money | None = None
    expires: timedelta | None = None
    reason: str = ""
    to: str = field(default="customer", metadata={"words": tuple(ACCOUNTS)})

    def __post_init__(self) -> None:
        if self.what == "points":
            if self.amount is not None or not 0 < self.points <= MOST_POINTS:
                raise ValueError(f"points: give 1 to {MOST_POINTS} of them, and no 'amount'")
            if self.to != "customer":
                raise ValueError("to: points are for the customer")
            return
        if self.amount is None or self.points:
            raise ValueError(f"'{self.what}' needs an 'amount' such as 5 EUR, and no 'points'")
        self._issue()

    def start(self, ctx: StepContext) -> Decision:
        if self.what != "points":
            decision = self._issue().start(ctx)
            return Act(decision.kind, {**decision.request, "do": self.do}) if isinstance(decision, Act) else decision
        if not (ctx.get("customer.id") or ctx.get("order.email") or ctx.get("customer.email")):
            return Done("skipped", {"reason": "there is nobody to give them to"})
        request: dict[str, Any] = {"do": self.do, "points": self.points, "reason": self.reason}
        if self.expires is not None:
            request["expires_at"] = to_text(ctx.now + self.expires)
        return Act("record", request)

    def perform(
        self, adapter: PlatformAdapter, access: Access, request: Mapping[str, Any], key: str
    ) -> Mapping[str, str]:
        if self.what == "points":
            raise Unsupported("points are entered in our own books, not in the shop")
        return self._issue().perform(adapter, access, request, key)

    def needs(self) -> Sequence[type[ABC]]:
        return () if self.what == "points" else self._issue().capabilities

    def currencies(self) -> Sequence[str]:
        return () if self.amount is None else (self.amount.currency,)

    def gives(self) -> Sequence[str]:
        return ("points", "balance") if self.what == "points" else ("amount", "code", "balance")

    def _issue(self) -> IssueStoreCredit | IssueGiftCard:
        """The step that gives it. Raises `ValueError` for an amount that is none."""
        assert self.amount is not None
        if self.what == "store_credit":
            return IssueStoreCredit(amount=self.amount, expires=self.expires, to=self.to)
        return IssueGiftCard(
            amount=self.amount, expires=self.expires, to=self.to, note=self.reason or "Given by Kiitos"
        )
