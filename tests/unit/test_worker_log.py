"""What the worker writes to the log when something fails: the ids to look it up by, and no person."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from connector.app import Kiitos
from connector.clock import ManualClock
from connector.codec import encode_text
from connector.contracts import Access, Verified
from connector.errors import AuthExpired, StoreUnavailable
from connector.log import JsonFormatter
from connector.model import Effect, EffectStatus, Event, Purpose, Shop
from connector.registry import PLATFORMS, Registry
from connector.store import effects, inbox, runs
from connector.store.inbox import NewDelivery
from connector.store.store import Store
from connector.testing.demo.scenario import MONDAY
from connector.testing.world import SHOPIFY
from connector.worker import Worker
from flows.channels.memory import Memory
from flows.obeying import FETCH
from tests.journeys.bare import ShopifyWithoutTokens, build_bare
from tests.unit.test_worker_neighbours import sleeper

BODY = (Path(__file__).parents[1] / "recordings/shopify/orders_create/finnish_customer/body.json").read_bytes()
PERSON = "aino.makela@example.test"


class Failing(ShopifyWithoutTokens):
    """Chokes on a body as careless code does, quoting it, and is not let into the shop."""

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        if verified.dedup_key == "bad":
            raise ValueError(f"cannot read {body!r}")
        return super().normalise(verified, body, shop)

    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]:
        raise AuthExpired(f"{access.shop.domain} refused the credentials of {PERSON}")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("kiitos")
    logger.addHandler(handler)
    before, logger.level = logger.level, logging.DEBUG
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
def kiitos() -> Iterator[Kiitos]:
    registry = Registry(extra={(PLATFORMS, "shopify"): Failing})
    built = build_bare(ManualClock(MONDAY), Store.open("sqlite://:memory:"), registry=registry)
    built.use_channel("mail", Memory())
    yield built
    built.close()


def lines(stream: io.StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]


def arrive(kiitos: Kiitos, *keys: str) -> None:
    new = []
    for key in keys:
        verified = Verified(topic="orders/create", dedup_key=key)
        new.append(
            NewDelivery(SHOPIFY, "shopify", "orders/create", key, {"verified": encode_text(verified)}, BODY, MONDAY)
        )
    with kiitos.store.inbox.transaction() as tx:
        inbox.put_many(tx, new)


def test_a_failed_delivery_is_named_and_its_person_is_not(kiitos: Kiitos, written: io.StringIO) -> None:
    assert PERSON.encode() in BODY
    arrive(kiitos, "bad")
    Worker(kiitos).tick()
    (line,) = lines(written, "delivery_failed")
    assert (line["log"], line["shop_id"], line["delivery_id"], line["error"]) == ("intake", SHOPIFY, 1, "ValueError")
    assert any(":normalise:" in place for place in line["trace"])
    assert "@" not in written.getvalue()
    assert "Aino" not in written.getvalue()


def test_a_run_that_failed_is_named(kiitos: Kiitos, written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = kiitos.catalog.flows(SHOPIFY)[0]
    with kiitos.store.work.transaction() as tx:
        assert runs.start(tx, sleeper(SHOPIFY, "r1", flow.id))

    def choke(*_: object) -> None:
        raise KeyError(PERSON)

    monkeypatch.setattr(kiitos.runner, "wake", choke)
    Worker(kiitos).tick()
    (line,) = lines(written, "run_failed")
    assert (line["shop_id"], line["run_id"], line["error"]) == (SHOPIFY, "r1", "KeyError")
    assert "@" not in written.getvalue()
    assert all("trace" in line for line in lines(written, "runs_failed_together"))


def test_refused_credentials_are_told_with_the_shop_alone(kiitos: Kiitos, written: io.StringIO) -> None:
    fetch = Effect(
        shop_id=SHOPIFY,
        id="e1",
        run_id="",
        flow_id="",
        version="",
        step_id="",
        kind=FETCH,
        purpose=Purpose.TRANSACTIONAL,
        request={"resource": "order", "id": "77"},
        status=EffectStatus.PENDING,
        due_at=MONDAY,
        created_at=MONDAY,
        order_id="77",
    )
    with kiitos.store.work.transaction() as tx:
        effects.put(tx, fetch)
    Worker(kiitos).tick()
    (line,) = lines(written, "credentials_refused")
    assert (line["log"], line["shop_id"], line["code"]) == ("standing", SHOPIFY, "AUTH_EXPIRED")
    assert "@" not in written.getvalue()


def test_a_store_that_is_gone_is_told_with_its_code(
    kiitos: Kiitos, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, rounds = Worker(kiitos), iter([False, True])

    def gone() -> None:
        raise StoreUnavailable("kiitos.db: the disk is full")

    monkeypatch.setattr(worker, "tick", gone)
    worker.run(lambda: next(rounds))
    (line,) = lines(written, "store_unavailable")
    assert (line["log"], line["code"]) == ("worker", StoreUnavailable.code)
