"""`resend_shop_mail`: let the shop send one of its own mails about the order again."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from connector.contracts import Access, Act, Decision, Done, PlatformAdapter, ResendsMail, Step, StepContext
from connector.errors import Unsupported
from flows.sending.attempts import attempt_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendShopMail(Step):
    """Send `mail`, by the shop's own name for it; `order_details` is the order with its payment link.

    Only in flows of purpose `transactional`. After an attempt of unknown outcome the shop's own trace is looked at
    first; where there is none, the mail is sent a second time, as other order messages are.
    """

    do: ClassVar[str] = "resend_shop_mail"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (ResendsMail,)
    instead: ClassVar[tuple[str, ...]] = ("send",)
    transactional_only: ClassVar[bool] = True

    mail: str = "order_details"

    def start(self, ctx: StepContext) -> Decision:
        order_id = ctx.get("order.id")
        if not order_id:
            return Done("skipped", {"reason": "there is no order to write about"})
        return Act("platform", {"do": self.do, "order_id": str(order_id), "mail": self.mail})

    def perform(
        self,
        adapter: PlatformAdapter,
        access: Access,
        request: Mapping[str, Any],
        key: str,  # noqa: ARG002 - the shop keeps no key, only a trace
    ) -> Mapping[str, str]:
        if not isinstance(adapter, ResendsMail):
            raise Unsupported(f"platform '{adapter.name}' does not send its mails again on request")
        attempt = attempt_of(request, access)
        since = attempt.first_try_at if attempt.again else None
        adapter.resend_mail(access, request["order_id"], request["mail"], since=since)
        return {"mail": request["mail"]}
