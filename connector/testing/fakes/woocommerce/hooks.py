"""WooCommerce's webhooks with their measured habits (woocommerce.md §0 and §1).

The payload is made when it is sent; updates of one (webhook, resource) collapse while they wait; delivery ids repeat
within a second; nothing is ever retried; the seventh failure in a row switches the webhook off; the ping is unsigned.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.testing.fakes.web import post
from connector.testing.fakes.woocommerce.state import Json, WooState, php_json

USER_AGENT = "WooCommerce/11.0.1 Hookshot (WordPress/7.1)"
PING_SECONDS = 5.0
DELIVERY_SECONDS = 60.0
FAILURES_BEFORE_LAST = 6
# 301 and 302 count as delivered although nothing was (woocommerce.md §1.1).
SUCCESS = frozenset({*range(200, 300), 301, 302})
COMMON = (
    ("User-Agent", USER_AGENT),
    ("Accept", "*/*"),
    ("Accept-Encoding", "deflate, gzip, br, zstd"),
    ("Connection", "close"),
)

EVENT_HOOKS = {
    "order.created": ["woocommerce_new_order"],
    "order.updated": ["woocommerce_update_order", "woocommerce_order_refunded"],
    "order.deleted": ["wp_trash_post"],
    "order.restored": ["untrashed_post"],
    "customer.created": ["user_register", "woocommerce_created_customer", "woocommerce_new_customer"],
    "customer.updated": ["profile_update", "woocommerce_update_customer"],
    "customer.deleted": ["delete_user"],
    "product.created": [
        "woocommerce_process_product_meta",
        "woocommerce_new_product",
        "woocommerce_new_product_variation",
    ],
    "product.updated": [
        "woocommerce_process_product_meta",
        "woocommerce_update_product",
        "woocommerce_update_product_variation",
    ],
    "product.deleted": ["wp_trash_post"],
    "product.restored": ["untrashed_post"],
    "product.published": ["woocommerce_product_published"],
    "coupon.created": ["woocommerce_process_shop_coupon_meta", "woocommerce_new_coupon"],
    "coupon.updated": ["woocommerce_process_shop_coupon_meta", "woocommerce_update_coupon"],
    "coupon.deleted": ["wp_trash_post"],
    "coupon.restored": ["untrashed_post"],
}


def valid_topic(topic: Any) -> bool:
    """The list of EVENT_HOOKS and `action.woocommerce_*` / `action.wc_*`; nothing else (§1.5)."""
    return isinstance(topic, str) and (topic in EVENT_HOOKS or topic.startswith(("action.woocommerce_", "action.wc_")))


def sign(secret: str, body: bytes) -> str:
    """base64(HMAC-SHA256(secret with its HTML entities undone, body))."""
    return base64.b64encode(hmac.new(html.unescape(secret).encode(), body, hashlib.sha256).digest()).decode()


@dataclass(slots=True, kw_only=True)
class Hook:
    """A webhook. `demoted` makes its owner a user without rights: signed error bodies follow (§1.6)."""

    id: int
    name: str
    topic: str
    delivery_url: str
    secret: str
    row: Json
    status: str = "active"
    failures: int = 0
    pending_ping: bool = True
    demoted: bool = False

    @property
    def resource(self) -> str:
        return self.topic.split(".", 1)[0]

    @property
    def event(self) -> str:
        return self.topic.split(".", 1)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One delivery that was tried. `status` is `None` when there was no answer or it was lost on purpose."""

    topic: str
    hook_id: int
    delivery_id: str
    body: bytes
    status: int | None
    at: datetime


@dataclass(slots=True)
class HookQueue:
    """Webhooks and the actions waiting for the queue runner. `payload` makes a body for (hook, argument)."""

    state: WooState
    payload: Callable[[Hook, Any], Json]
    hooks: dict[int, Hook] = field(default_factory=dict)
    pending: list[tuple[int, Any]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    loses: Callable[[], bool] = lambda: False
    reaches: Callable[[], bool] = lambda: True

    def create(self, name: str, topic: str, delivery_url: str, secret: str) -> Hook:
        """Register a webhook and ping it before its id is known to anybody; the ping's fate changes nothing."""
        with self.state.lock:
            number = self.state.next_id("webhook")
            row: Json = dict.fromkeys(("date_created", "date_created_gmt", "date_modified", "date_modified_gmt"))
            self.state.set_date(row, "date_created", self.state.clock.now())
            hook = Hook(id=number, name=name, topic=topic, delivery_url=delivery_url, secret=secret, row=row)
            self.hooks[number] = hook
        self.ping(hook)
        return hook

    def ping(self, hook: Hook) -> None:
        """Form-encoded, unsigned, without any X-WC header. Only exactly 200 ends the pinging (§1.2)."""
        body = f"webhook_id={hook.id}".encode()
        headers = [*COMMON, ("Content-Type", "application/x-www-form-urlencoded")]
        hook.pending_ping = post(hook.delivery_url, headers, body, PING_SECONDS) != 200

    def emit(self, topic: str, argument: Any) -> None:
        """Something happened: queue it for each active webhook of the topic, unless the same waits already."""
        for hook in self.hooks.values():
            if hook.topic == topic and hook.status == "active" and (hook.id, argument) not in self.pending:
                self.pending.append((hook.id, argument))

    def run(
        self,
        *,
        source: str | None = None,
        lose: bool | Collection[str] = False,
        limit: int | None = None,
        duplicate: bool = False,
        out_of_order: bool = False,
    ) -> list[Sent]:
        """Run the queue once; what was tried. See `FakeWoo.deliver`."""
        with self.state.lock:
            taken = self.pending[: limit if limit is not None else len(self.pending)]
        done: list[Sent] = []
        for number, argument in reversed(taken) if out_of_order else taken:
            with self.state.lock:
                if (number, argument) not in self.pending:
                    continue
                self.pending.remove((number, argument))
                hook = self.hooks.get(number)
                if hook is None or hook.status != "active":
                    continue
                body = php_json(self.payload(hook, argument))
            lost = self.loses() or not self.reaches() or (lose if isinstance(lose, bool) else hook.topic in lose)
            whence, times = source or f"{self.state.home}/", 2 if duplicate else 1
            done += [self._deliver(hook, body, whence, lost=lost) for _ in range(times)]
        self.sent += done
        return done

    def _deliver(self, hook: Hook, body: bytes, source: str, *, lost: bool) -> Sent:
        now = self.state.clock.now()
        delivery_id = hashlib.md5(f"{hook.id}{int(now.timestamp())}".encode()).hexdigest()
        headers = [
            *COMMON,
            ("Content-Type", "application/json"),
            ("X-WC-Webhook-Source", source),
            ("X-WC-Webhook-Topic", hook.topic),
            ("X-WC-Webhook-Resource", hook.resource),
            ("X-WC-Webhook-Event", hook.event),
            ("X-WC-Webhook-Signature", sign(hook.secret, body)),
            ("X-WC-Webhook-ID", str(hook.id)),
            ("X-WC-Webhook-Delivery-ID", delivery_id),
        ]
        status = None if lost else post(hook.delivery_url, headers, body, DELIVERY_SECONDS)
        with self.state.lock:
            self._count(hook, delivered=status in SUCCESS)
        if hook.pending_ping and not lost:
            self.ping(hook)
        return Sent(topic=hook.topic, hook_id=hook.id, delivery_id=delivery_id, body=body, status=status, at=now)

    def _count(self, hook: Hook, *, delivered: bool) -> None:
        """Six failures are counted; the seventh disables, and the count stays at six (§1.3)."""
        if delivered:
            hook.failures = 0
        elif hook.failures < FAILURES_BEFORE_LAST:
            hook.failures += 1
        else:
            hook.status = "disabled"
            self.state.touch(hook.row)

    def body(self, hook: Hook) -> Json:
        """The webhook as REST shows it: never its secret, never its failures."""
        action = hook.topic.removeprefix("action.")
        row = {
            "id": hook.id,
            "name": hook.name,
            "status": hook.status,
            "topic": hook.topic,
            "resource": hook.resource,
            "event": hook.event,
            "hooks": EVENT_HOOKS.get(hook.topic, [action]),
            "delivery_url": hook.delivery_url,
            **hook.row,
        }
        return self.state.linked(row, "webhooks", hook.id)
