"""WooCommerce's webhooks, kept as they should be (facts/woocommerce.md 1.2 to 1.6).

A webhook switched off after seven failures is deleted and made anew: switched on again its count of failures stays, and
the very next one switches it off for good. Its secret can be written and never read, so what we wrote is remembered as
a digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connector.contracts import Access, HookFault, HookReport, HookTarget, ManagesWebhooks
from connector.errors import Refused
from platforms.woocommerce.calls import Calls
from platforms.woocommerce.fields import ident

if TYPE_CHECKING:
    from platforms.woocommerce.client import ShopApi

TOPICS = (
    "order.created",
    "order.updated",
    "order.deleted",
    "order.restored",
    "action.woocommerce_delete_order",  # deleted for good: order.deleted is sent for the bin only
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "product.created",
    "product.updated",
    "product.deleted",
)
NO_HOOK = "woocommerce_rest_shop_webhook_invalid_id"
_MOST_PAGES = 20


@dataclass
class _Work:
    """One look at a shop's webhooks. Without `writing` what would be repaired is left as a fault."""

    api: ShopApi
    target: HookTarget
    writing: bool
    present: int = 0
    repaired: list[HookFault] = field(default_factory=list)
    faults: list[HookFault] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def put_right(self, hook: Mapping[str, Any] | None, fault: HookFault) -> None:
        """Make the webhook anew, the old one deleted first."""
        if not self.writing:
            self.faults.append(fault)
            return
        try:
            if hook is not None:
                _delete(self.api, hook)
            made = self.api.post("webhooks", self._body(fault.topic))
        except Refused as error:
            self.faults.append(_refused(fault.topic, error))
            return
        self._note(made)
        self.repaired.append(fault)

    def rewrite_secret(self, hook: Mapping[str, Any], topic: str) -> None:
        fault = HookFault(topic=topic, fault="secret", detail="not written by us, and it cannot be read")
        if not self.writing:
            self.faults.append(fault)
            return
        try:
            self.api.put(f"webhooks/{ident(hook.get('id'))}", {"secret": self.target.secret})
        except Refused as error:
            self.faults.append(_refused(topic, error))
            return
        self._note(hook)
        self.repaired.append(fault)

    def drop(self, hook: Mapping[str, Any], topic: str) -> None:
        fault = HookFault(topic=topic, fault="duplicate")
        if not self.writing:
            self.faults.append(fault)
            return
        try:
            _delete(self.api, hook)
        except Refused as error:
            self.faults.append(_refused(topic, error))
            return
        self.repaired.append(fault)

    def right(self, hook: Mapping[str, Any]) -> None:
        self.present += 1
        self._note(hook)

    def _note(self, hook: object) -> None:
        number = ident(hook.get("id")) if isinstance(hook, Mapping) else None
        if number:
            self.notes[number] = fingerprint(self.target.secret or "")

    def _body(self, topic: str) -> dict[str, object]:
        return {
            "name": f"Kiitos {topic}",
            "topic": topic,
            "delivery_url": self.target.url,
            "secret": self.target.secret,
            "status": "active",
        }


class KeepsWebhooks(Calls, ManagesWebhooks):
    def check_webhooks(self, access: Access, target: HookTarget) -> HookReport:
        return self._look(access, target, writing=False)

    def repair_webhooks(self, access: Access, target: HookTarget) -> HookReport:
        """Each creation pings our address, before we know the webhook's id (facts section 1.2)."""
        return self._look(access, target, writing=True)

    def remove_webhooks(self, access: Access, target: HookTarget) -> int:
        """All of ours. Taking the API keys back would not remove them: they go on sending for ever."""
        api = self._api(access)
        ours = [hook for hook in _every(api) if is_ours(hook, target)]
        for hook in ours:
            _delete(api, hook)
        return len(ours)

    def _look(self, access: Access, target: HookTarget, *, writing: bool) -> HookReport:
        api = self._api(access)
        there = list(_every(api))
        ours = [hook for hook in there if is_ours(hook, target)]
        work = _Work(api, target, writing)
        if not target.secret:
            work.faults.append(HookFault(topic="*", fault="secret", detail="the shop has no webhook_secret"))
        else:
            for topic in TOPICS:
                _compare(work, topic, [hook for hook in ours if hook.get("topic") == topic])
        return HookReport(
            present=work.present,
            foreign=len(there) - len(ours),
            repaired=work.repaired,
            faults=work.faults,
            notes=work.notes,
        )


def _compare(work: _Work, topic: str, hooks: list[Mapping[str, Any]]) -> None:
    """One webhook a topic: the best there is stays, whatever is wrong with it is put right."""
    if not hooks:
        work.put_right(None, HookFault(topic=topic, fault="missing"))
        return
    best, *rest = sorted(
        hooks, key=lambda hook: (hook.get("status") != "active", hook.get("delivery_url") != work.target.url)
    )
    for hook in rest:
        work.drop(hook, topic)
    if best.get("status") != "active":
        work.put_right(best, HookFault(topic=topic, fault="disabled", detail=str(best.get("status"))))
    elif best.get("delivery_url") != work.target.url:
        work.put_right(best, HookFault(topic=topic, fault="moved"))
    elif work.target.notes.get(ident(best.get("id")) or "") != fingerprint(work.target.secret or ""):
        work.rewrite_secret(best, topic)
    else:
        work.right(best)


def is_ours(hook: Mapping[str, Any], target: HookTarget) -> bool:
    """By the path of its address, which holds our unguessable key; the host may have changed."""
    try:
        return urlsplit(str(hook.get("delivery_url") or "")).path == urlsplit(target.url).path
    except ValueError:
        return False


def fingerprint(secret: str) -> str:
    """Tells one secret from another and cannot be turned back."""
    return hashlib.sha256(f"webhook secret|{secret}".encode()).hexdigest()[:32]


def _every(api: ShopApi) -> Iterator[Mapping[str, Any]]:
    for page in range(_MOST_PAGES):
        found = api.rows("webhooks", {"per_page": 100, "offset": page * 100, "orderby": "id", "order": "asc"}).rows
        yield from found
        if len(found) < 100:
            return


def _delete(api: ShopApi, hook: Mapping[str, Any]) -> None:
    """One that is gone already is deleted."""
    try:
        api.delete(f"webhooks/{ident(hook.get('id'))}", params={"force": True})
    except Refused as error:
        if error.provider_code != NO_HOOK:
            raise


def _refused(topic: str, error: Refused) -> HookFault:
    return HookFault(topic=topic, fault="refused", detail=error.provider_code or error.code)
