"""Shopify's webhook subscriptions, kept as they should be (facts/shopify.md 1.1 and 1.3).

The API shows only subscriptions made over the API for this app and shop, and Shopify deletes such a one after eight
failed deliveries. Compliance topics can be subscribed to in shopify.app.toml alone and are left out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connector.contracts import Access, HookFault, HookReport, HookTarget, ManagesWebhooks
from connector.errors import Refused
from platforms.shopify.adapter import TOPICS
from platforms.shopify.calls import Calls

if TYPE_CHECKING:
    from platforms.shopify.client import AdminClient

COMPLIANCE = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
_SCOPES = {
    "orders": "read_orders",
    "refunds": "read_orders",
    "checkouts": "read_orders",
    "returns": "read_returns",
    "fulfillments": "read_fulfillments",
    "fulfillment_events": "read_fulfillments",
    "products": "read_products",
    "discounts": "read_discounts",
    "app": "",
    "shop": "",
}
_MOST_PAGES = 20


def topic_enum(topic: str) -> str:
    """Both `/` and `.` become `_`.

    >>> topic_enum("customer.tags_added")
    'CUSTOMER_TAGS_ADDED'
    """
    return topic.upper().replace("/", "_").replace(".", "_")


def scope_of(topic: str) -> str:
    """The access scope a topic needs, empty for none."""
    if topic == "customers/merge":
        return "read_customer_merge"
    return _SCOPES.get(topic.partition("/")[0], "read_customers")


@dataclass
class _Work:
    """One look at a shop's subscriptions. Without `writing` what would be repaired is left as a fault."""

    client: AdminClient
    access: Access
    target: HookTarget
    version: str
    writing: bool
    present: int = 0
    repaired: list[HookFault] = field(default_factory=list)
    faults: list[HookFault] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def put_right(self, fault: HookFault, *calls: tuple[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Run the mutations that repair it; the last one's payload, empty when nothing was done."""
        payload: Mapping[str, Any] = {}
        if not self.writing:
            self.faults.append(fault)
            return payload
        try:
            for name, variables in calls:
                payload = self.client.mutate(self.access, name, variables)
        except Refused as error:
            # One topic the app may not hear of (protected customer data) must not keep the others from being repaired.
            detail = error.provider_code or error.code
            self.faults.append(HookFault(topic=fault.topic, fault="refused", detail=detail))
            return {}
        self.repaired.append(fault)
        return payload

    def creation(self, topic: str) -> tuple[str, Mapping[str, Any]]:
        return "webhook_create", {"topic": topic_enum(topic), "webhook": {"uri": self.target.url, "format": "JSON"}}


class KeepsSubscriptions(Calls, ManagesWebhooks):
    def check_webhooks(self, access: Access, target: HookTarget) -> HookReport:
        return self._look(access, target, writing=False)

    def repair_webhooks(self, access: Access, target: HookTarget) -> HookReport:
        """Deliveries are signed with the app's client secret: `target.secret` is nothing to be set here."""
        return self._look(access, target, writing=True)

    def remove_webhooks(self, access: Access, target: HookTarget) -> int:
        there, _ = self._every(access)
        ours = [each for each in there if is_ours(each, target)]
        for each in ours:
            self._client.mutate(access, "webhook_delete", {"id": each.get("id")})
        return len(ours)

    def _look(self, access: Access, target: HookTarget, *, writing: bool) -> HookReport:
        from platforms.shopify.client import API_VERSION

        there, scopes = self._every(access)
        ours = [each for each in there if is_ours(each, target)]
        work = _Work(self._client, access, target, API_VERSION, writing)
        for topic in TOPICS:
            if topic in COMPLIANCE:
                continue
            if not _granted(scope_of(topic), scopes):
                work.faults.append(HookFault(topic=topic, fault="no_scope", detail=scope_of(topic)))
                continue
            _compare(work, topic, [each for each in ours if each.get("topic") == topic_enum(topic)])
        return HookReport(
            present=work.present,
            foreign=len(there) - len(ours),
            repaired=work.repaired,
            faults=work.faults,
            notes=work.notes,
        )

    def _every(self, access: Access) -> tuple[list[Mapping[str, Any]], set[str]]:
        found: list[Mapping[str, Any]] = []
        scopes: set[str] = set()
        for page, granted in self._subscriptions(access):
            found.extend(page)
            scopes = granted
        return found, scopes

    def _subscriptions(self, access: Access) -> Iterator[tuple[list[Mapping[str, Any]], set[str]]]:
        after: str | None = None
        for _ in range(_MOST_PAGES):
            data = self._client.query(access, "webhooks_listed", {"after": after})
            listed = data.get("webhookSubscriptions") or {}
            granted = (data.get("currentAppInstallation") or {}).get("accessScopes") or ()
            yield list(listed.get("nodes") or ()), {str(scope.get("handle")) for scope in granted}
            info = listed.get("pageInfo") or {}
            after = info.get("endCursor") if info.get("hasNextPage") else None
            if after is None:
                return


def _compare(work: _Work, topic: str, found: list[Mapping[str, Any]]) -> None:
    if not found:
        work.put_right(HookFault(topic=topic, fault="missing"), work.creation(topic))
        return
    best, *rest = sorted(found, key=lambda each: each.get("uri") != work.target.url)
    for each in rest:
        work.put_right(HookFault(topic=topic, fault="duplicate"), ("webhook_delete", {"id": each.get("id")}))
    if best.get("uri") != work.target.url:
        change = {"id": best.get("id"), "webhook": {"uri": work.target.url}}
        work.put_right(HookFault(topic=topic, fault="moved"), ("webhook_update", change))
    elif best.get("filter") or best.get("includeFields") or best.get("format") != "JSON":
        anew = (("webhook_delete", {"id": best.get("id")}), work.creation(topic))
        work.put_right(HookFault(topic=topic, fault="altered"), *anew)
    elif not _of_version(work, topic, best):
        return
    else:
        work.present += 1


def _of_version(work: _Work, topic: str, found: Mapping[str, Any]) -> bool:
    """Whether its payloads have the version we ask for; made anew once where they have not.

    Shopify's pages contradict each other on what sets it. Where it comes from the app's configuration, making the
    subscription anew does not help: that is noted, and not tried every day.
    """
    handle = str((found.get("apiVersion") or {}).get("handle") or work.version)
    note = f"version {topic}"
    if handle == work.version:
        return True
    if work.target.notes.get(note) == handle:
        work.notes[note] = handle
        work.present += 1
        return False
    fault = HookFault(topic=topic, fault="version", detail=f"{handle} instead of {work.version}")
    made = work.put_right(fault, ("webhook_delete", {"id": found.get("id")}), work.creation(topic))
    now = ((made.get("webhookSubscription") or {}).get("apiVersion") or {}).get("handle")
    if now and now != work.version:
        work.notes[note] = str(now)
    return False


def _granted(scope: str, scopes: set[str]) -> bool:
    return not scope or scope in scopes or scope.replace("read_", "write_", 1) in scopes


def is_ours(subscription: Mapping[str, Any], target: HookTarget) -> bool:
    """By the path of its address, which holds our unguessable key; the host may have changed."""
    try:
        return urlsplit(str(subscription.get("uri") or "")).path == urlsplit(target.url).path
    except ValueError:
        return False
