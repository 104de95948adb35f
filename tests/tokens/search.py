"""Two workers on one database, whose calls go through a wire that the lives of tests/tokens/lives.py trouble."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.contracts import Access
from connector.errors import StoreUnavailable
from connector.http import Http
from connector.registry import PLATFORMS, Registry
from connector.store.db import Tx
from connector.store.store import Store
from connector.testing.demo.scenario import MONDAY
from connector.testing.world import document
from connector.worker import Worker
from connector.working.tokens import Tokens
from flows.channels.memory import Memory
from platforms.shopify.client import AdminClient
from platforms.shopify.platform import Shopify
from tests.journeys.bare import ENVIRON, RENDERER
from tests.tokens.lives import Life

FLOW = """
id = "code"
title = "A code for each order"
trigger = "order.created"
purpose = "transactional"
subject = "order"
reentry = "once"

[[steps]]
id = "code"
do = "create_discount"
value = "10 %"
bind = "none"
"""
LIVES_A_HOUSE = 250
"""Lives in one database; the next ones get a fresh one."""


class Wire(BaseAdapter):
    """What a worker's requests go through instead of a socket."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self._house = house

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        return self._house.life.call(request)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Plan:
    """What is different about a product that is broken on purpose."""

    tokens: type[Tokens] = Tokens
    shopify: type[Shopify] = Shopify


class House:
    """A database and the two workers on it. Many lives are led in it, one after the other."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.clock = ManualClock(MONDAY)
        self.store = Store.open("sqlite://:memory:")
        self.life: Life
        (folder / "code.toml").write_text(FLOW, "utf-8")
        self.channel = Memory()
        self.apps = [self._build(folder, plan, number) for number in (0, 1)]
        self.workers = [Worker(app) for app in self.apps]
        self._real = self.store.work.transaction
        self.store.work.transaction = self._transaction  # type: ignore[method-assign]

    def _build(self, folder: Path, plan: Plan, number: int) -> Kiitos:
        found = document(fetch_before_send=False)
        found["app"]["base_url"] = "http://localhost"
        found["defaults"]["flows"] = {"code": {"file": "code.toml"}}
        del found["clients"]["demo"]["shops"]["metsa"]
        adapter = self._wired(plan.shopify, number)
        registry = Registry(extra={(PLATFORMS, "shopify"): adapter})
        config = parse_config(found, folder / "app.toml", ENVIRON)
        kiitos = build(config, clock=self.clock, store=self.store, registry=registry)
        kiitos.renderer = RENDERER
        kiitos.use_channel("mail", self.channel)
        kiitos.tokens = plan.tokens(
            self.store, kiitos.vault, registry, self.clock, kiitos.credentials, lambda: kiitos.config
        )
        return kiitos

    def _wired(self, base: type[Shopify], number: int) -> type[Shopify]:
        """The adapter whose calls go through the wire, and which is watched while it renews."""
        house = self
        http = Http(self.clock)
        http._session.trust_env = False  # an eighth of the time went into looking for proxies
        http._session.mount("https://", Wire(self))

        class Wired(base):  # type: ignore[misc, valid-type]
            def __init__(self) -> None:
                super().__init__(AdminClient(http))

            def renew(self, access: Access) -> Mapping[str, str]:
                with house.life.renewing(number):
                    return super().renew(access)  # type: ignore[no-any-return]

        return Wired

    def restart(self, number: int) -> None:
        self.workers[number] = Worker(self.apps[number])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Tx]:
        """A moment to die before and one after each commit that changed something."""
        connection = self.store.work._session().connection
        with self._real() as tx:
            before = connection.total_changes
            yield tx
            changed = connection.total_changes != before
            if changed:
                self.life.moment("before a commit")
        if changed:
            self.life.moment("after a commit")

    def close(self) -> None:
        self.store.close()


def search(
    folder: Path, seeds: range, plan: Plan | None = None, until: Callable[[Life], bool] = lambda _: False
) -> list[Life]:
    """The lives of `seeds`; ends early when `until` says so of one."""
    lives: list[Life] = []
    house: House | None = None
    try:
        for number, seed in enumerate(seeds):
            if number % LIVES_A_HOUSE == 0:
                if house is not None:
                    house.close()
                house = House(folder, plan or Plan())
            assert house is not None
            house.life = Life(house, seed)
            try:
                lives.append(house.life.live())
            except StoreUnavailable as endless:  # `drain` gave up
                house.life.faults.append(endless.message)
                lives.append(house.life)
            if until(lives[-1]):
                break
    finally:
        if house is not None:
            house.close()
    return lives
