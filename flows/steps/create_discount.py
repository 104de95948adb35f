"""`create_discount`: a code in the shop, made once however often it is tried."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from connector import codec
from connector.clock import to_text
from connector.contracts import (
    FREE_DELIVERY,
    Access,
    Act,
    CreatesDiscounts,
    Decision,
    DiscountRequest,
    Done,
    PlatformAdapter,
    Step,
    StepContext,
)
from connector.errors import Unsupported
from connector.model import Money
from flows.authoring.fields import money_text, read_money
from flows.steps.send import PEOPLE

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")
_PREFIX = re.compile(r"[A-Z0-9]{0,12}")

_PEOPLE_PATHS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "customer": (("order.email", "customer.email"), ("customer.id",)),
    "friend": (("order.email", "customer.email"), ("customer.id",)),
    "advocate": (("referral.advocate_email",), ("referral.advocate_customer_id",)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDiscount(Step):
    """Make a code worth `percent`, `amount` ("5 EUR") or `value` ("10 %", "5 EUR" or "free delivery"): one of them.

    The code is `prefix` and letters derived from the run, so a retry meets the code it made and adopts it.
    `usage_limit` counts all uses, 0 means any number. `bind = "customer"` ties the code to the person named by `to`
    and makes none where nobody is known: an unbound reward would be anyone's.

    The outcome `done` carries `code`, `url`, `value` ("10 %", "5.00 EUR", "free delivery") and `ends_at`.
    """

    do: ClassVar[str] = "create_discount"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (CreatesDiscounts,)
    costly: ClassVar[bool] = True
    told_in_message: ClassVar[bool] = True
    instead: ClassVar[tuple[str, ...]] = ("issue_gift_card", "issue_store_credit")

    percent: Decimal | None = None
    amount: Money | None = None
    value: str = ""
    prefix: str = "THANKS"
    title: str = ""
    expires: timedelta | None = None
    usage_limit: int = 1
    once_per_customer: bool = True
    bind: str = field(default="customer", metadata={"words": ("customer", "none")})
    to: str = field(default="customer", metadata={"words": PEOPLE})
    minimum: Money | None = None
    new_customers_only: bool = False

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.percent, self.amount, self.value or None)) != 1:
            raise ValueError("give exactly one of 'value', 'percent' and 'amount'")
        percent, amount = self._terms()
        if percent is not None and not 0 < percent <= 100:
            raise ValueError(f"a percentage lies between 0 and 100, not {percent}")
        if amount is not None and amount.amount <= 0:
            raise ValueError("an amount is more than nothing")
        if self.usage_limit < 0:
            raise ValueError("usage_limit: 0 means any number of uses; less makes no sense")
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"prefix: up to 12 capital letters and digits, not '{self.prefix}'")

    def start(self, ctx: StepContext) -> Decision:
        emails, ids = _PEOPLE_PATHS[self.to]
        email = _first(ctx, emails) if self.bind == "customer" else None
        customer_id = _first(ctx, ids) if self.bind == "customer" else None
        if self.bind == "customer" and email is None and customer_id is None:
            return Done("skipped", {"reason": f"no {self.to} is known to bind the code to"})
        percent, amount = self._terms()
        code = ctx.code(self.prefix)
        request = DiscountRequest(
            code=code,
            title=self.title or code,
            starts_at=ctx.now,
            amount=amount,
            percent=percent,
            free_delivery=self.value == FREE_DELIVERY,
            ends_at=ctx.now + self.expires if self.expires else None,
            usage_limit=self.usage_limit or None,
            once_per_customer=self.once_per_customer,
            minimum=self.minimum,
            customer_email=email,
            customer_id=customer_id,
            new_customers_only=self.new_customers_only,
        )
        return Act("platform", {"do": self.do, "discount": codec.builtins(request)})

    def perform(
        self,
        adapter: PlatformAdapter,
        access: Access,
        request: Mapping[str, Any],
        key: str,  # noqa: ARG002 - the code itself is the key
    ) -> Mapping[str, str]:
        if not isinstance(adapter, CreatesDiscounts):
            raise Unsupported(f"platform '{adapter.name}' makes no discount codes")
        wanted = codec.convert(request["discount"], DiscountRequest)
        made = adapter.create_discount(access, wanted)
        values = {"code": made.code, "url": made.url or "", "value": worth(wanted)}
        if wanted.ends_at is not None:
            values["ends_at"] = to_text(wanted.ends_at)
        return values

    def currencies(self) -> Sequence[str]:
        """Currencies the step names: a code in another currency than the shop's is refused when flows load."""
        _, amount = self._terms()
        return tuple(money.currency for money in (amount, self.minimum) if money is not None)

    def _terms(self) -> tuple[Decimal | None, Money | None]:
        match = _PERCENT.fullmatch(self.value)
        if match:
            return Decimal(match[1]), None
        if not self.value or self.value == FREE_DELIVERY:
            return self.percent, self.amount
        try:
            return None, read_money(self.value)
        except ValueError:
            raise ValueError(f"value: expected 10 %, 5 EUR or {FREE_DELIVERY}, not '{self.value}'") from None


def worth(request: DiscountRequest) -> str:
    """What a code is worth, as plain text: `10 %`, `5.00 EUR`, `free delivery`."""
    if request.free_delivery:
        return FREE_DELIVERY
    if request.percent is not None:
        return f"{request.percent.normalize():f} %"
    return money_text(request.amount) if request.amount is not None else ""


def _first(ctx: StepContext, paths: Sequence[str]) -> str | None:
    return next((str(value) for value in map(ctx.get, paths) if value), None)
