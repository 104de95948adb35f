"""A small world for journeys, the demo and benches: the product on a clock of its own, two fake shops, a mail server.

Everything speaks HTTP and SMTP over loopback sockets; only time is ours. `until` lets it pass, doing what falls due on
the way in the order in which it falls due.
"""

from __future__ import annotations

import base64
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connector.app import Kiitos, build, create_app
from connector.clock import ManualClock
from connector.config import parse_config
from connector.reconciliation import Reconciler
from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.smtp import MailSink
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.serving import Serving, free_port
from connector.worker import Worker

SCOPES = (
    "read_orders",
    "write_orders",
    "read_customers",
    "write_customers",
    "read_products",
    "read_fulfillments",
    "write_discounts",
    "read_discounts",
    "read_metaobjects",
    "write_metaobjects",
    "write_returns",
)
SHOPIFY, WOO = "demo-aurora", "demo-metsa"
SHOPIFY_DOMAIN = "aurora-demo.myshopify.com"
WOO_URL = "https://metsa.example"
FLOWS = ("order-confirmation", "delivery-updates", "review-request", "referral-invite", "referral-reward")


def document(**changes: Any) -> dict[str, Any]:
    """The operator's file of the demo client, as parsed TOML. `changes` replace keys of `[defaults]`."""
    return {
        "schema": 1,
        "app": {"base_url": {}, "database": {"env": "KIITOS_DATABASE"}, "master_key": {"env": "KIITOS_MASTER_KEY"}},
        "channels": {"mail": {"kind": "smtp", "url": {"env": "KIITOS_SMTP_URL"}, "tls": "none"}},
        "defaults": {
            "email": "mail",
            "soft_opt_in": ["review", "referral"],
            "flows": {name: {"file": name.replace("-", "_")} for name in FLOWS},
            **changes,
        },
        "clients": {
            "demo": {
                "shops": {
                    "aurora": {
                        "platform": "shopify",
                        "domain": SHOPIFY_DOMAIN,
                        "name": "Aurora Outdoor",
                        "sender": "Aurora Outdoor <orders@aurora.example>",
                        "support_email": "help@aurora.example",
                        "support_phone": "+358 9 555 0100",
                        "address": ["Aurora Outdoor Oy", "Esimerkkikatu 1", "00100 Helsinki", "Finland"],
                        "timezone": "Europe/Helsinki",
                        "country": "FI",
                        "locale": "en",
                        "client_id": {"env": "SHOPIFY_CLIENT_ID"},
                        "client_secret": {"env": "SHOPIFY_CLIENT_SECRET"},
                        "webhook_secret": {"env": "SHOPIFY_CLIENT_SECRET"},
                    },
                    "metsa": {
                        "platform": "woocommerce",
                        "url": WOO_URL,
                        "name": "Metsäkauppa",
                        "sender": "Metsäkauppa <tilaukset@metsa.example>",
                        "support_email": "apu@metsa.example",
                        "support_phone": "+358 9 555 0200",
                        "address": ["Metsäkauppa Oy", "Keksitie 2", "33100 Tampere"],
                        "timezone": "Europe/Helsinki",
                        "country": "FI",
                        "locale": "fi",
                        "consumer_key": {"env": "WOO_KEY"},
                        "consumer_secret": {"env": "WOO_SECRET"},
                        "webhook_secret": {"env": "WOO_WEBHOOK_SECRET"},
                    },
                }
            }
        },
    }


class World:
    """`with World(folder) as world:`; then act on `world.shopify` and `world.woo` and let `world.until(...)` pass.

    When `reconciling`, the worker subscribes to the webhooks itself, polls, sweeps and reads the history; otherwise
    the webhooks are simply there.
    """

    def __init__(
        self,
        folder: Path,
        start: datetime,
        *,
        database: str | None = None,
        settings: dict[str, Any] | None = None,
        unchecked: bool = False,
        reconciling: bool = False,
    ) -> None:
        self.folder = folder
        self.clock = ManualClock(start)
        self._settings = settings or {}
        self._reconciling = reconciling
        self._database = database or f"sqlite:///{folder}/kiitos.db"
        self._stack = ExitStack()
        self.sink = MailSink(clock=self.clock)
        self.shopify = FakeShopify(
            self.clock,
            SHOPIFY_DOMAIN,
            "demo-client-id",
            "demo-client-secret",
            SCOPES,
            name="Aurora Outdoor",
            currency="EUR",
            timezone="Europe/Helsinki",
            unchecked=unchecked,
        )
        self.woo = FakeWoo(self.clock, WOO_URL, "ck_demo", "cs_demo", "woo-demo-webhook-secret", "Europe/Helsinki")
        self.kiitos: Kiitos
        self.worker: Worker
        self.serving: Serving

    def __enter__(self) -> World:
        with self._stack as stack:
            for part in (self.sink, self.shopify, self.woo):
                stack.enter_context(part)
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _open(self, stack: ExitStack) -> None:
        port = free_port()
        found = document(**self._settings)
        found["app"]["base_url"] = f"http://127.0.0.1:{port}"
        shops = found["clients"]["demo"]["shops"]
        shops["aurora"]["api_url"] = self.shopify.url
        shops["metsa"]["api_url"] = self.woo.api_url
        environ = {
            "KIITOS_DATABASE": self._database,
            "KIITOS_MASTER_KEY": "k1=" + base64.b64encode(b"demo master key, 32 bytes long!!").decode(),
            "KIITOS_SMTP_URL": f"smtp://127.0.0.1:{self.sink.port}",
            "SHOPIFY_CLIENT_ID": self.shopify.client_id,
            "SHOPIFY_CLIENT_SECRET": self.shopify.client_secret,
            "WOO_KEY": "ck_demo",
            "WOO_SECRET": "cs_demo",
            "WOO_WEBHOOK_SECRET": "woo-demo-webhook-secret",
        }
        self.kiitos = build(parse_config(found, self.folder / "app.toml", environ), clock=self.clock)
        stack.callback(self.kiitos.close)
        self.worker = Worker(self.kiitos, reconciler=Reconciler(self.kiitos) if self._reconciling else None)
        self.serving = stack.enter_context(Serving(create_app(self.kiitos), port))
        if not self._reconciling:
            self.woo.connect(self.hook_url(WOO))

    def hook_url(self, shop_id: str) -> str:
        """Where the shop's webhooks go."""
        return self.kiitos.hook_url(self.kiitos.catalog.settings(shop_id))

    def deliver(self, **knobs: Any) -> None:
        """Let both shops send what they have queued, then work until nothing is due."""
        self.shopify.deliver(None if self._reconciling else self.hook_url(SHOPIFY), **knobs)
        self.woo.deliver()
        self.worker.drain()

    def until(self, at: datetime) -> None:
        """Let time pass, doing what falls due when it falls due."""
        self.deliver()
        while (due := self.worker.next_due()) is not None and due <= at:
            if due > self.clock.now():
                self.clock.advance(due - self.clock.now())
            else:
                # Something due now that drain left: only a claim of another worker, which this world does not have.
                self.clock.advance(timedelta(seconds=1))
            self.deliver()
        if at > self.clock.now():
            self.clock.advance(at - self.clock.now())
            self.worker.watch.trusted()  # an idle worker looks at its clock all the while

    def wait(self, **span: float) -> None:
        """`until` now plus the span (`days=3, hours=2`)."""
        self.until(self.clock.now() + timedelta(**span))
