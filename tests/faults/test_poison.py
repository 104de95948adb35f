"""Payloads that are broken on purpose, signed rightly, through the receiver and the worker of both platforms.

Whatever a body holds: it is stored and answered 200, it ends as done, ignored or a dead letter with a reason, nothing
of ours breaks over it, and the orders around it are confirmed. KIITOS_POISON=0 takes every damage of every recording.
"""

from __future__ import annotations

import json
import os
import random  # noqa: TID251 - a seeded choice
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connector.store import deliveries
from connector.store.deliveries import Claimed, FailedDelivery
from connector.testing.fakes.people import AINO, MUG
from connector.testing.fakes.shopify.deliveries import sign as sign_shopify
from connector.testing.fakes.woocommerce.hooks import sign as sign_woo
from connector.testing.mutation import SENTINEL, damaged
from connector.testing.world import SHOPIFY, SHOPIFY_DOMAIN, WOO, WOO_URL, World
from connector.working.intake import LEASE, MAX_ATTEMPTS, Intake
from tests.journeys.recorded import FRIDAY, RECORDINGS, post
from tests.store.conftest import postgres_dsn, schema_dsn

__all__ = ["postgres_dsn", "schema_dsn"]

SOME = int(os.environ.get("KIITOS_POISON", "300"))
SEED = int(os.environ.get("KIITOS_SEED", "9"))
TOKENS = (
    "null",
    "true",
    "-1.5",
    "[]",
    "{}",
    '""',
    f'"{SENTINEL}"',
    "NaN",
    "Infinity",
    "1e999",
    "-0",
    "9" * 400,
    "9223372036854775808",
    r'"\ud800"',
    r'"\udfff\ud800 x"',
    r'"\u0000"',
    r'"a\u0000b@example.com"',
    '"' + "x" * 20_000 + '"',
    '"9999-12-31T23:59:59Z"',
    '"0001-01-01T00:00:00Z"',
    '"2026-13-45"',
    "[" * 900 + "]" * 900,
)
"""What takes the place of every value in turn, as it stands in the JSON."""
WHOLE = {
    "empty": b"",
    "spaces": b"   ",
    "NUL bytes": b"\0" * 2000,
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep lists": b'{"line_items":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "not closed": b'{"id": 1, "line_items": [',
    "a byte order mark": b'\xef\xbb\xbf{"id": 1}',
    "a list": b"[1, 2, 3]",
    "a text": b'"order"',
    "a number": b"1",
    "the same key again and again": b"{" + b",".join(b'"id": %d' % n for n in range(5000)) + b"}",
    "a million zeros": b'{"id": 1' + b"0" * 1_000_000 + b"}",
    "a mebibyte": b'{"id": 1, "note": "' + b"n" * (1 << 20) + b'"}',
}


MARK = "@@poison@@"
ORDER_SHOPIFY = "shopify/orders_create/guest"


@cache
def places(name: str) -> list[tuple[str, bytes]]:
    """The recording's body with a mark at each place in turn, and with each field dropped."""
    return list(damaged(RECORDINGS[name].body, [MARK]))


def poisoned(name: str, what: str, marked: bytes, token: str) -> tuple[str, str, bytes]:
    return name, f"{what}: {token[:30]}", marked.replace(f'"{MARK}"'.encode(), token.encode())


def all_keys_twice(name: str) -> tuple[str, str, bytes]:
    body = RECORDINGS[name].body
    return name, "all keys twice", b"{" + body[1:].rstrip()[:-1] + b"," + body[1:]


def chosen() -> list[tuple[str, str, bytes]]:
    """(recording, what was done, body): some of all there are, and each damage of the whole body on each platform."""
    told = [name for name in sorted(RECORDINGS) if RECORDINGS[name].body[:1] == b"{"]
    whole = [(name, what, WHOLE[what]) for name in (ORDER_SHOPIFY, ORDER_WOO) for what in WHOLE]
    whole += [all_keys_twice(name) for name in told]
    if not SOME:
        return whole + [poisoned(name, *place, token) for name in told for place in places(name) for token in TOKENS]
    chance = random.Random(SEED)
    names = chance.sample(told, 40)  # finding the places of a recording costs more than posting it
    return whole + [
        poisoned(name, *chance.choice(places(name)), chance.choice(TOKENS)) for name in chance.choices(names, k=SOME)
    ]


ORDER_WOO = next(name for name in sorted(RECORDINGS) if name.startswith("woocommerce/order.created"))


def deliver(world: World, name: str, body: bytes, number: int) -> int:
    """Post a body as that recording's delivery, rightly signed."""
    headers = dict(RECORDINGS[name].headers)
    if name.startswith("shopify/"):
        headers["X-Shopify-Shop-Domain"] = SHOPIFY_DOMAIN
        headers["X-Shopify-Hmac-Sha256"] = sign_shopify(world.shopify.client_secret, body)
        headers["X-Shopify-Webhook-Id"] = f"poison-{number}"
        return post(world.hook_url(SHOPIFY), body, headers)
    headers["X-WC-Webhook-Source"] = f"{WOO_URL}/"
    headers["X-WC-Webhook-Signature"] = sign_woo(world.woo.webhook_secret, body)
    return post(world.hook_url(WOO), body, {k: v for k, v in headers.items() if k not in ("Host", "Connection")})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, FRIDAY, settings={"fetch_before_send": False}, unchecked=True) as running:
        yield running


def settle(world: World) -> tuple[dict[str, int], list[FailedDelivery]]:
    """Work until nothing is due, retries included; how deliveries ended, and the dead letters."""
    world.worker.drain()
    for _ in range(MAX_ATTEMPTS):
        world.clock.advance(timedelta(minutes=1))
        world.worker.drain()
    with world.kiitos.store.work.read() as tx:
        return deliveries.count_by_status(tx), deliveries.failed(tx, None, 100_000)


def confirmations(world: World) -> int:
    return sum(AINO.email in message.recipients for message in world.sink.messages)


def few() -> list[tuple[str, str, bytes]]:
    """Some that the receiver takes and nobody can read."""
    return [(ORDER_SHOPIFY, what, WHOLE[what]) for what in ("deep lists", "deep objects", "not closed", "no UTF-8")]


def test_control_a_worker_that_stops_at_the_first_is_found_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries a payload until it can be read, as a consumer without dead letters does: whoever stands behind waits."""

    def stubborn(self: Intake, batch: Sequence[Claimed]) -> None:
        read = [self._read(item) for item in batch]
        if any(item.fault for item in read):
            raise ValueError("poison")
        self._together(read)

    monkeypatch.setattr(Intake, "_take_in_batch", stubborn)
    for number, (name, _, body) in enumerate(few()):
        assert deliver(world, name, body, number) == 200
    world.shopify.place_order([(MUG, 1)], AINO)
    world.shopify.deliver(world.hook_url(SHOPIFY))
    for _ in range(5):
        with suppress(ValueError):
            world.worker.drain()
    assert confirmations(world) == 0
    monkeypatch.undo()
    world.clock.advance(LEASE + timedelta(seconds=1))
    settle(world)
    assert confirmations(world) == 1, "and with the worker as it is the same payloads harm nobody"


def test_control_a_receiver_that_reads_what_it_stores_is_found_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = type(world.kiitos.registry.platform("shopify"))
    real = adapter.verify

    def reading(self: Any, inbound: Any, endpoint: Any) -> Any:
        json.loads(inbound.body)
        return real(self, inbound, endpoint)

    monkeypatch.setattr(adapter, "verify", reading)
    answers = Counter(deliver(world, name, body, number) for number, (name, _, body) in enumerate(few()))
    assert not set(answers) <= {200, 401, 413}, answers


def test_no_payload_breaks_anything(world: World, caplog: pytest.LogCaptureFixture) -> None:
    bodies = chosen()
    middle = len(bodies) // 2
    answers = Counter(deliver(world, name, body, number) for number, (name, _, body) in enumerate(bodies[:middle]))
    world.shopify.place_order([(MUG, 1)], AINO)
    world.shopify.deliver(world.hook_url(SHOPIFY))
    answers += Counter(
        deliver(world, name, body, number) for number, (name, _, body) in enumerate(bodies[middle:], middle)
    )
    assert set(answers) <= {200, 401, 413}, answers
    assert answers[200] > len(bodies) * 0.8, answers
    world.worker.tick()
    assert confirmations(world) == 0, "it stands behind the poison"
    ended, dead = settle(world)
    assert confirmations(world) == 1
    assert set(ended) <= {"done", "ignored", "failed", "quarantined"}
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    assert len(dead) > 20
    assert {row.error_code for row in dead} == {"MALFORMED_PAYLOAD"}
    assert all(row.error_text for row in dead)
    assert SENTINEL not in " ".join(str(row.error_text) for row in dead), "a reason names the place, never the value"


@pytest.mark.postgres
def test_nor_on_postgres_whose_texts_hold_no_nul(
    schema_dsn: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    nul = [token for token in TOKENS if r"\u0000" in token or r"\ud8" in token]
    bodies = [
        poisoned(name, *place, token)
        for name in (ORDER_SHOPIFY, ORDER_WOO)
        for place in places(name)[::8]
        for token in nul
    ]
    with World(tmp_path, FRIDAY, settings={"fetch_before_send": False}, unchecked=True, database=schema_dsn) as world:
        for number, (name, _, body) in enumerate(bodies):
            assert deliver(world, name, body, number) == 200
        ended, _ = settle(world)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    assert set(ended) <= {"done", "ignored", "failed", "quarantined"}
    assert ended["done"] > 0
