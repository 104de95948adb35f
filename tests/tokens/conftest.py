"""One shop whose tokens lapse every hour, the product on a database, and Shopify's side on loopback."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import ShopSettings, parse_config
from connector.model import Event, Ref
from connector.store.store import Store
from connector.testing.demo.scenario import MONDAY
from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.shopify.unchecked import UncheckedEndpoint
from connector.testing.world import SCOPES, SHOPIFY, SHOPIFY_DOMAIN, document
from connector.worker import Worker
from flows.channels.memory import Memory
from platforms.shopify.tokens import Grant, grant_of
from tests.engine.world import order
from tests.journeys.bare import ENVIRON, RENDERER
from tests.store.conftest import open_store, postgres_dsn, schema_dsn, url
from tests.tokens.search import FLOW

__all__ = ["open_store", "postgres_dsn", "schema_dsn", "url"]


@dataclass
class House:
    """What a test acts on. Each `app()` is another process on the same database."""

    clock: ManualClock
    shopify: FakeShopify
    folder: Path
    open_store: Callable[[], Store]
    settings_of_file: dict[str, Any]
    channel: Memory = field(default_factory=Memory)
    apps: list[Kiitos] = field(default_factory=list)

    def app(self) -> Kiitos:
        config = parse_config(copy.deepcopy(self.settings_of_file), self.folder / "app.toml", ENVIRON)
        kiitos = build(config, clock=self.clock, store=self.open_store())
        kiitos.renderer = RENDERER
        kiitos.use_channel("mail", self.channel)
        self.apps.append(kiitos)
        return kiitos

    def settings(self, app: Kiitos) -> ShopSettings:
        return app.catalog.settings(SHOPIFY)

    def connect(self, app: Kiitos) -> Grant:
        """As an install leaves it: a pair that Shopify gave just now."""
        grant = grant_of(self.shopify.oauth.first_pair(), self.clock.now())
        with app.store.work.transaction() as tx:
            app.tokens.connected(tx, self.settings(app), {"grant": grant.to_text()})
        return grant

    def ask(self, app: Kiitos) -> None:
        """One call of the Admin API with what the product has for credentials."""
        platform: Any = app.registry.platform("shopify")
        platform._client.query(app.access(self.settings(app)), "discount_by_code", {"code": "NONE"})

    def place_order(self, app: Kiitos, order_id: str = "o1") -> None:
        """An order whose flow makes a code."""
        placed = order(id=order_id, placed_at=self.clock.now(), updated_at=self.clock.now())
        key = f"order/{placed.id}/created"
        event = Event(
            kind="order.created", key=key, subject=Ref("order", placed.id), at=self.clock.now(), order_id=placed.id,
            order=placed,
        )  # fmt: skip
        with app.store.work.transaction() as tx:
            app.runner.ingest(tx, SHOPIFY, [event], self.clock.now())

    def until(self, worker: Worker, **span: float) -> None:
        """Let time pass, doing what falls due when it falls due."""
        end = self.clock.now() + timedelta(**span)
        worker.drain()
        while (due := worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(seconds=1)))
            worker.drain()
        self.clock.advance(max(end - self.clock.now(), timedelta()))

    def refreshes(self) -> int:
        return self.shopify.oauth.granted.count("refresh_token")


@pytest.fixture
def house(tmp_path: Path, open_store: Callable[[], Store]) -> Iterator[House]:
    clock = ManualClock(MONDAY)
    shopify = FakeShopify(clock, SHOPIFY_DOMAIN, "demo-client-id", "demo-client-secret", SCOPES, graphql=False)
    shopify._endpoint = UncheckedEndpoint(shopify)
    found = document(fetch_before_send=False)
    found["app"]["base_url"] = "http://localhost"
    found["defaults"]["flows"] = {"code": {"file": "code.toml"}}
    del found["clients"]["demo"]["shops"]["metsa"]
    (tmp_path / "code.toml").write_text(FLOW, "utf-8")
    with shopify:
        found["clients"]["demo"]["shops"]["aurora"]["api_url"] = shopify.url
        made = House(clock, shopify, tmp_path, open_store, found)
        yield made
        for app in made.apps:
            platform: Any = app.registry.platform("shopify")
            platform.close()
