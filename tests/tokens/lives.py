"""Seeded lives of one Shopify shop whose tokens lapse every hour, with everything going wrong that can.

Two workers share a database. Orders come, each gives its customer a code. Any call may lose its request or its answer,
be throttled, be overtaken by the other worker, take minutes, or be the last thing its process does; any commit may be,
too. Nobody sleeps and nothing runs in parallel: what "meanwhile" means is decided by the seed, so a seed is one life.

In the end, whatever happened:

* the shop is connected, was never disconnected, and its merchant was told nothing;
* what is stored is a pair that Shopify gave together, and another renewal works;
* no token was renewed by two workers at once, and no call was made inside a transaction;
* each order has exactly one code, and its effect is recorded as done.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from urllib3 import HTTPResponse

from connector.app import Kiitos
from connector.clock import ManualClock
from connector.errors import KiitosError
from connector.model import EffectStatus, Event, Ref, ShopStatus
from connector.store import effects, notices, renewals, runs, shops
from connector.testing.demo.scenario import MONDAY
from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.shopify.oauth import TOKEN_PATH, Siblings
from connector.testing.fakes.shopify.unchecked import UncheckedEndpoint
from connector.testing.fakes.web import Request
from connector.testing.world import SCOPES, SHOPIFY, SHOPIFY_DOMAIN
from connector.working import clockwatch
from connector.working.tokens import LEASE
from platforms.shopify.platform import Shopify
from platforms.shopify.tokens import grant_of, read_grant
from tests.engine.world import order

if TYPE_CHECKING:
    from tests.tokens.search import House

SPANS = [
    timedelta(minutes=2),
    timedelta(minutes=20),
    timedelta(minutes=56),
    timedelta(hours=2),
    timedelta(hours=30),
    timedelta(days=8),
    timedelta(days=40),
]
OUTAGE = timedelta(days=25)


class Crash(BaseException):
    """The process is gone: not an Exception, so that nothing on the way can handle it."""


@dataclass
class Life:
    """One seed. `troubles` counts what went wrong on the way, `faults` what must not be."""

    house: House
    seed: int
    troubles: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    armed: bool = False
    depth: int = 0
    orders: int = 0
    outages: int = 0

    def __post_init__(self) -> None:
        self.clock = self.house.clock
        self.store = self.house.store
        self.chance = ManualClock(MONDAY, self.seed)
        self.shop = FakeShopify(
            self.clock, SHOPIFY_DOMAIN, "demo-client-id", "demo-client-secret", SCOPES, graphql=False
        )
        self.shop._endpoint = UncheckedEndpoint(self.shop)
        self.shop.oauth.siblings = self.pick(list(Siblings))
        self.pairs: set[tuple[str, str]] = set()
        self.under_way: list[tuple[int, Any]] = []
        self.settings = self.house.apps[0].catalog.settings(SHOPIFY)

    # --- chance ---

    def roll(self, probability: float) -> bool:
        return self.chance.random() < probability

    def pick(self, among: list[Any]) -> Any:
        return among[int(self.chance.random() * len(among))]

    # --- what goes wrong ---

    def moment(self, where: str) -> None:
        if self.armed and self.depth and self.roll(0.012):
            self.troubles[f"died {where}"] += 1
            raise Crash(where)

    def call(self, request: requests.PreparedRequest) -> requests.Response:
        """One request: what happens before it arrives, on the way back, and meanwhile."""
        path = urlsplit(str(request.url)).path
        if self.store.work._session().open:
            self.faults.append(f"{path} was called inside a transaction")
        return self._carried(request, path)

    @contextlib.contextmanager
    def renewing(self, worker: int) -> Iterator[None]:
        """One worker asks for new credentials; the other one may not, as long as the lease lasts."""
        for _, began in self.under_way:
            if self.clock.now() - began < LEASE:
                self.faults.append("two workers renewed at once")
        self.under_way.append((worker, self.clock.now()))
        try:
            yield
        finally:
            self.under_way.pop()

    def _carried(self, request: requests.PreparedRequest, path: str) -> requests.Response:
        self._trouble("before", path)
        answer = self._answer(request, path)
        self._trouble("after", path)
        return answer

    def _trouble(self, when: str, path: str) -> None:
        if not self.armed:
            return
        what = "token" if path == TOKEN_PATH else "api"
        if self.roll(0.05):
            self._note("died", when, what)
            raise Crash(f"{when} {what}")
        if self.roll(0.10):
            self._note("lost", when, what)
            raise requests.exceptions.ReadTimeout("nothing came")
        if self.roll(0.25):
            self._note("slow", when, what)
            self.clock.advance(timedelta(seconds=self.pick([1, 20, 200, 400])))
        if self.depth < 3 and self.roll(0.25):
            self._note("overtaken", when, what)
            self.act(self.pick([0, 1]) if what == "api" else 1 - self.under_way[-1][0])

    def _note(self, what: str, when: str, where: str) -> None:
        self.troubles[f"{what} {when} {where}"] += 1

    def _answer(self, request: requests.PreparedRequest, path: str) -> requests.Response:
        if self.armed and self.roll(0.05):
            self.troubles["503"] += 1
            return _response(503, b"{}", request)
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        found = self.shop._answer(Request("POST", path, (), headers, body))
        if path == TOKEN_PATH and found.status == 200:
            told = json.loads(found.body)
            self.pairs.add((told["access_token"], told.get("refresh_token", "")))
        return _response(found.status, found.body, request)

    # --- what happens ---

    def begin(self) -> None:
        """The shop is connected one of two ways, with nothing left of the life before."""
        app = self.house.apps[0]
        with self.store.work.transaction() as tx:
            shops.delete_secrets(tx, SHOPIFY)
            renewals.delete(tx, SHOPIFY)
            shops.set_status(tx, SHOPIFY, ShopStatus.ACTIVE, self.clock.now())
            self.told_before = len(notices.of_shop(tx, SHOPIFY))
        if self.roll(0.8):
            pair = self.shop.oauth.first_pair()
            self.pairs.add((str(pair["access_token"]), str(pair["refresh_token"])))
            grant = grant_of(pair, self.clock.now()).to_text()
            with self.store.work.transaction() as tx:
                app.tokens.connected(tx, self.settings, {"grant": grant})

    def place_order(self) -> None:
        self.orders += 1
        placed = order(id=f"{self.seed}-{self.orders}", placed_at=self.clock.now(), updated_at=self.clock.now())
        event = Event(
            kind="order.created",
            key=f"order/{placed.id}/created",
            subject=Ref("order", placed.id),
            at=self.clock.now(),
            order_id=placed.id,
            order=placed,
        )
        with self.store.work.transaction() as tx:
            self.house.apps[0].runner.ingest(tx, SHOPIFY, [event], self.clock.now())

    def act(self, number: int) -> None:
        """One worker does what is due, or only asks the shop something. It may not survive it."""
        self.depth += 1
        try:
            self.house.workers[number].tick()
            if self.roll(0.5):
                self._ask(self.house.apps[number])
        except Crash:
            self.house.restart(number)
        except KiitosError as error:
            self.troubles[error.code] += 1
        finally:
            self.depth -= 1

    def _ask(self, app: Kiitos) -> None:
        access = app.access(self.settings)
        adapter = app.registry.platform("shopify")
        assert isinstance(adapter, Shopify)
        adapter._client.query(access, "discount_by_code", {"code": "NONE"})

    def live(self) -> Life:
        self.begin()
        self.armed = True
        for _ in range(self.pick([4, 5, 6, 7])):
            for _ in range(self.pick([0, 1, 1, 2])):
                self.place_order()
            if self.roll(0.15):
                self.troubles["tokens withdrawn"] += 1
                self.shop.oauth.revoke()
            for _ in range(self.pick([1, 2, 3])):
                self.act(self.pick([0, 1]))
                self._check_stored()
            self._rest()
        self.armed = False
        self._settle()
        self._check()
        return self

    def _rest(self) -> None:
        """Workers sleep until something is due. Once a life nobody is there for weeks, whatever is due: less than the
        thirty days after which Shopify forgets a refresh token whose answer got lost."""
        if not self.outages and self.roll(0.15):
            self.outages += 1
            self.troubles["outage"] += 1
            return self._pass(OUTAGE)
        due = [at for worker in self.house.workers if (at := worker.next_due()) is not None]
        until = min([self.clock.now() + self.pick(SPANS), *due])
        return self._pass(max(until - self.clock.now(), timedelta(seconds=1)))

    def _pass(self, span: timedelta) -> None:
        """Time passes, and a person says that the clock is right: what a worker thinks of clocks is not asked here."""
        self.clock.advance(span)
        with self.store.work.transaction() as tx:
            clockwatch.confirm(tx, self.clock.now())

    def _settle(self) -> None:
        """Nothing goes wrong any more: what was interrupted comes to its end."""
        end = self.clock.now() + timedelta(hours=6)
        while self.clock.now() < end:
            for worker in self.house.workers:
                worker.drain()
            due = [at for worker in self.house.workers if (at := worker.next_due()) is not None]
            until = min([end, *(max(at, self.clock.now() + timedelta(seconds=1)) for at in due)])
            self._pass(until - self.clock.now())

    # --- what must hold ---

    def _check_stored(self) -> None:
        with self.store.work.read() as tx:
            secrets = shops.secrets(tx, self.house.apps[0].vault, SHOPIFY)
            status = shops.get(tx, SHOPIFY)
        grant = read_grant(secrets)
        if grant is not None and (grant.access, grant.refresh) not in self.pairs:
            self.faults.append("what is stored was not given together")
        if status is None or status.status is not ShopStatus.ACTIVE:
            self.faults.append("the shop was disconnected")

    def _check(self) -> None:
        self._check_stored()
        for app in self.house.apps:
            try:
                self._ask(app)
                self.clock.advance(timedelta(minutes=58))
                self._ask(app)
            except KiitosError as error:
                self.faults.append(f"the shop cannot be asked any more: {error.code}")
        codes = Counter(discount.code for discount in self.shop.discounts.values())
        if len(codes) != self.orders or set(codes.values()) - {1}:
            self.faults.append(f"{len(codes)} codes for {self.orders} orders")
        with self.store.work.read() as tx:
            told = len(notices.of_shop(tx, SHOPIFY))
            states = Counter(
                str(effect.status)
                for number in range(1, self.orders + 1)
                for effect in effects.of_order(tx, SHOPIFY, f"{self.seed}-{number}")
            )
            waking = runs.next_wake(tx)
        if told != self.told_before:
            self.faults.append("the merchant was told something")
        if set(states) - {str(EffectStatus.SENT)} or states.total() != self.orders:
            self.faults.append(f"effects ended as {dict(states)}")
        if waking is not None:
            self.faults.append("a run still waits")


def _response(status: int, body: bytes, request: requests.PreparedRequest) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.request = request
    made.url = str(request.url)
    made.headers["Content-Type"] = "application/json"
    made.raw = HTTPResponse(io.BytesIO(body), preload_content=False)
    made._content = body
    return made
