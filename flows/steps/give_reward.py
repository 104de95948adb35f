"""`give_reward`: what a referral promised one side, in the kind that the shop's `referrals` table named then."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from connector.config.referrals import CODE, CREDIT, GIFT_CARD, KINDS, POINTS
from connector.contracts import (
    Access,
    Act,
    CreatesDiscounts,
    Decision,
    Done,
    GrantsStoreCredit,
    IssuesGiftCards,
    PlatformAdapter,
    Step,
    StepContext,
    parse_span,
)
from connector.errors import Unsupported, near
from flows.authoring.fields import read_money
from flows.steps.create_discount import CreateDiscount
from flows.steps.issue_gift_card import IssueGiftCard
from flows.steps.issue_store_credit import IssueStoreCredit

_SIDES: Mapping[str, tuple[str, str, str, str, str]] = {
    "advocate": ("referral.reward_kind", "referral.reward", "referral.reward_valid", "advocate", "advocate"),
    "friend": ("referral.friend_kind", "referral.friend_reward", "referral.friend_valid", "customer", "friend"),
}
"""Kind, worth and validity by path; whom money goes to; whom a code is bound to."""
_NEEDS: Mapping[str, tuple[type[ABC], ...]] = {
    CODE: (CreatesDiscounts,),
    CREDIT: (GrantsStoreCredit, CreatesDiscounts),
    GIFT_CARD: (IssuesGiftCards,),
    POINTS: (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveReward(Step):
    """Give the side named by `to` its reward: a code bound to the person (`prefix` and `title` are its), store credit,
    a gift card, or points that were pending in the books.

    Store credit for somebody without an account in the shop becomes a code of the same amount: nobody goes without.
    The outcome `done` carries `kind`, `worth`, and what the reward has: `code`, `value`, `amount`, `points`, `ends_at`.
    `skipped` where nothing was promised. `kinds` are those the shop may promise: what its platform must be able to do.
    """

    do: ClassVar[str] = "give_reward"
    costly: ClassVar[bool] = True
    told_in_message: ClassVar[bool] = True

    to: str = field(default="advocate", metadata={"words": tuple(_SIDES)})
    prefix: str = "THANKS"
    title: str = ""
    kinds: str = ""

    def __post_init__(self) -> None:
        for kind in self.kinds.split():
            if kind not in KINDS:
                raise ValueError(f"kinds: no such reward '{kind}'{near(kind, KINDS)} (one of {', '.join(KINDS)})")

    def start(self, ctx: StepContext) -> Decision:
        kind, worth, valid = (ctx.get(path) for path in _SIDES[self.to][:3])
        if not kind or not worth:
            return Done("skipped", {"reason": f"the {self.to} was promised nothing"})
        if kind == POINTS:
            return Act("record", {"do": self.do, "referral_id": ctx.get("referral.id"), "side": self.to})
        decision = self._given(str(kind), str(worth), parse_span(valid) if valid else None).start(ctx)
        if kind == CREDIT and isinstance(decision, Done):
            kind, decision = CODE, self._code(str(worth), parse_span(valid) if valid else None).start(ctx)
        if not isinstance(decision, Act):
            return decision
        request = {**decision.request, "do": self.do, "kind": kind, "worth": worth}
        if self.to == "advocate":  # a gift card has no owner in the shop; in our books it has
            told = {"email": ctx.get("referral.advocate_email"), "id": ctx.get("referral.advocate_customer_id")}
            request["owner"] = {name: value for name, value in told.items() if value}
        return Act(decision.kind, request)

    def perform(
        self, adapter: PlatformAdapter, access: Access, request: Mapping[str, Any], key: str
    ) -> Mapping[str, str]:
        kind, worth = str(request.get("kind")), str(request.get("worth"))
        if kind not in (CODE, CREDIT, GIFT_CARD):
            raise Unsupported(f"'{kind}' is no reward that a shop gives")
        made = self._given(kind, worth, None).perform(adapter, access, request, key)
        return {**made, "kind": kind, "worth": worth}

    def needs(self) -> Sequence[type[ABC]]:
        wanted = (each for kind in self.kinds.split() for each in _NEEDS[kind])
        return tuple(dict.fromkeys(wanted))

    def paths(self) -> Sequence[str]:
        return _SIDES[self.to][:3]

    def gives(self) -> Sequence[str]:
        return ("kind", "worth", "code", "url", "value", "amount", "points", "balance", "ends_at", "expires_on")

    def _given(self, kind: str, worth: str, valid: timedelta | None) -> Step:
        """The step that gives it: what it decides and carries out is this one's."""
        if kind == CODE:
            return self._code(worth, valid)
        money, person = read_money(worth), _SIDES[self.to][3]
        if kind == CREDIT:
            return IssueStoreCredit(amount=money, expires=valid, to=person)
        return IssueGiftCard(amount=money, expires=valid, to=person, note=self.title or "Thank you for recommending us")

    def _code(self, worth: str, valid: timedelta | None) -> CreateDiscount:
        return CreateDiscount(value=worth, expires=valid, prefix=self.prefix, title=self.title, to=_SIDES[self.to][4])
