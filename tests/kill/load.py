"""Orders posted as Shopify does: signed, and again under the same webhook id until they are acknowledged."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from time import monotonic

from bench import corpus
from connector.clock import SystemClock

from .product import ENDPOINT_KEY, Door

MAIN = Door(ENDPOINT_KEY, corpus.SHOP_DOMAIN)
PATH = f"/hooks/shopify/{ENDPOINT_KEY}"
MOST = 100_000


@dataclass(slots=True)
class Acknowledged:
    """What the product said 200 to: webhook ids, and the customers whose whole order it has."""

    webhooks: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)


class Load:
    """`threads` clients, together at most `rate` orders a second (two webhooks each), in turn at each of `doors`.

    `with` runs it.
    """

    def __init__(self, port: int, *, rate: float, threads: int = 4, doors: Sequence[Door] = (MAIN,)) -> None:
        self.acknowledged = Acknowledged()
        self.retries = 0
        self._port = port
        self._doors = doors
        self._pause = threads / rate
        self._bodies = enumerate(corpus.bodies(MOST, SystemClock().now()))
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._giving_up = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"load-{n}") for n in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._giving_up.set()
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """No new orders; what was begun is posted to its end once the product is up."""
        self._stopping.set()

    def wait(self, patience: float = 60.0) -> bool:
        """Whether every thread came to its end."""
        for thread in self._threads:
            thread.join(patience)
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        client = _Client(self._port)
        while not self._stopping.is_set():
            began = monotonic()
            with self._lock:
                number, paid = next(self._bodies)
            door = self._doors[number % len(self._doors)]
            created = json.dumps(json.loads(paid) | {"financial_status": "pending"}, separators=(",", ":")).encode()
            for topic, body in (("orders/create", created), ("orders/paid", paid)):
                webhook = f"{topic.replace('/', '-')}-{number:06d}"
                if not self._post(client, door, topic, body, webhook):
                    return
            with self._lock:
                self.acknowledged.customers.add(corpus.email_of(number))
            self._stopping.wait(max(0.0, self._pause - (monotonic() - began)))
        client.close()

    def _post(self, client: _Client, door: Door, topic: str, body: bytes, webhook: str) -> bool:
        """Until it is acknowledged. `False` when the test gave up meanwhile."""
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Hmac-Sha256": corpus.sign(body).decode(),
            "X-Shopify-Shop-Domain": door.domain,
            "X-Shopify-Topic": topic,
            "X-Shopify-API-Version": corpus.API_VERSION,
            "X-Shopify-Webhook-Id": webhook,
            "X-Shopify-Event-Id": f"event-{webhook}",
            "X-Shopify-Triggered-At": SystemClock().now().isoformat(),
        }
        while not client.post(door, body, headers):
            with self._lock:
                self.retries += 1
            if self._giving_up.wait(0.02):
                return False
        with self._lock:
            self.acknowledged.webhooks.add(webhook)
        return True


class _Client:
    """One kept connection; anything but a 200 that was read to its end is no acknowledgement."""

    def __init__(self, port: int) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=5)

    def post(self, door: Door, body: bytes, headers: dict[str, str]) -> bool:
        try:
            self._http.request("POST", f"/hooks/shopify/{door.key}", body, headers)
            answer = self._http.getresponse()
            answer.read()
        except (OSError, HTTPException):
            self._http.close()
            return False
        return answer.status == 200

    def close(self) -> None:
        self._http.close()
