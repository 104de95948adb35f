"""Both roads give the same answer to the same request: the Flask view, and the fast path behind a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.store.inbox import Delivery
from tests.webhooks.composition import (
    APP_KEY,
    APP_SECRET,
    BOOM_KEY,
    OLD_SECRET,
    OTHER_KEY,
    PATH,
    Bench,
    Server,
    headers_for,
    receiver_here,
    serving,
)

LIMIT = 8192
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BODY = b'{"id": 7}'
APP = f"/hooks/acme/{APP_KEY}"
SIGNED = headers_for(BODY)
BIG, FULL = b"{" + b" " * LIMIT, b"{" + b" " * (LIMIT - 1)
PING = {"content-type": "application/x-www-form-urlencoded"}

Case = tuple[str, str, str, bytes, dict[str, str], int]


def signed(body: bytes = BODY, **changes: str) -> dict[str, str]:
    return headers_for(body, **changes)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in SIGNED.items() if key != name}


CASES: list[Case] = [
    ("signed", "POST", PATH, BODY, SIGNED, 200),
    ("the same again", "POST", PATH, BODY, SIGNED, 200),
    ("another id", "POST", PATH, BODY, signed(delivery="d-2"), 200),
    ("old secret", "POST", PATH, BODY, signed(secret=OLD_SECRET, delivery="d-3"), 200),
    ("second family", "POST", PATH, BODY, signed(prefix="acme-", delivery="d-4"), 200),
    ("mixed case names", "POST", PATH, BODY, signed(prefix="X-ACME-", delivery="d-5"), 200),
    ("empty body", "POST", PATH, b"", signed(b"", delivery="d-6"), 200),
    ("bytes that are no text", "POST", PATH, b"\xff\x00\xfe", signed(b"\xff\x00\xfe", delivery="d-7"), 200),
    ("largest body", "POST", PATH, FULL, signed(FULL, delivery="d-8"), 200),
    ("staging copy", "POST", PATH, BODY, signed(source="https://copy.test", delivery="d-9"), 200),
    ("own source", "POST", PATH, BODY, signed(source="https://one.test", delivery="d-10"), 200),
    ("identity encoding", "POST", PATH, BODY, signed(delivery="d-11") | {"content-encoding": "identity"}, 200),
    ("query string", "POST", f"{PATH}?a=b", BODY, signed(delivery="d-12"), 200),
    ("other shop", "POST", f"/hooks/acme/{OTHER_KEY}", BODY, signed(shop="two.test"), 200),
    ("app, known shop", "POST", APP, BODY, signed(secret=APP_SECRET, shop="two.test"), 200),
    ("app, unknown shop", "POST", APP, BODY, signed(secret=APP_SECRET, shop="gone.test"), 200),
    ("ping", "POST", PATH, b"webhook_id=3", PING, 200),
    ("ping of an unknown webhook", "POST", PATH, b"webhook_id=99999999", PING, 200),
    ("too large", "POST", PATH, BIG, signed(BIG), 413),
    ("gzip", "POST", PATH, BODY, SIGNED | {"content-encoding": "gzip"}, 415),
    ("two encodings", "POST", PATH, BODY, SIGNED | {"content-encoding": "identity, br"}, 415),
    ("wrong secret", "POST", PATH, BODY, signed(secret="no"), 401),
    ("app's secret for a shop's key", "POST", PATH, BODY, signed(secret=APP_SECRET), 401),
    ("other body", "POST", PATH, BODY + b" ", SIGNED, 401),
    ("no signature", "POST", PATH, BODY, without("x-acme-signature"), 401),
    ("no topic", "POST", PATH, BODY, without("x-acme-topic"), 401),
    ("no id", "POST", PATH, BODY, without("x-acme-delivery"), 401),
    ("no shop", "POST", PATH, BODY, without("x-acme-shop"), 401),
    ("no headers", "POST", PATH, BODY, {}, 401),
    ("foreign shop", "POST", PATH, BODY, signed(shop="two.test"), 401),
    ("shop with a path", "POST", PATH, BODY, signed(shop="one.test/x"), 401),
    ("latin-1 signature", "POST", PATH, BODY, SIGNED | {"x-acme-signature": "\xe4\xff"}, 401),
    ("endless topic", "POST", PATH, BODY, signed(topic="t" * 400), 401),
    ("app's ping", "POST", APP, b"webhook_id=3", PING, 401),
    ("unknown key", "POST", "/hooks/acme/unheard", BODY, SIGNED, 404),
    ("unknown platform", "POST", "/hooks/other/k1shoponeone", BODY, SIGNED, 404),
    ("no key", "POST", "/hooks/acme", BODY, SIGNED, 404),
    ("empty key", "POST", "/hooks/acme/", BODY, SIGNED, 404),
    ("nothing", "POST", "/hooks/", BODY, SIGNED, 404),
    ("too deep", "POST", f"{PATH}/x", BODY, SIGNED, 404),
    ("trailing slash", "POST", f"{PATH}/", BODY, SIGNED, 404),
    ("get", "GET", PATH, b"", {}, 405),
    ("head", "HEAD", PATH, b"", {}, 405),
    ("put", "PUT", PATH, BODY, SIGNED, 405),
    ("options", "OPTIONS", PATH, b"", {}, 405),
    ("faulty adapter", "POST", f"/hooks/explosive/{BOOM_KEY}", BODY, SIGNED, 503),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("fast"), max_body=LIMIT, directory_pause=0.0) as running:
        yield running


@pytest.fixture(scope="module")
def flask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with receiver_here(tmp_path_factory.mktemp("plain"), max_body=LIMIT, directory_pause=0.0) as bench:
        yield bench


def test_the_same_answers_and_the_same_rows(server: Server, flask: Bench) -> None:
    client = flask.app.test_client()
    for name, method, path, body, headers, status in CASES:
        plain = client.open(path, method=method, data=body, headers=headers)
        fast = server.call(method, path, body, headers)
        kept = {"content-type", "retry-after", "allow"}
        ours = {key.lower(): value for key, value in plain.headers.items() if key.lower() in kept}
        theirs = {key: value for key, value in fast[2].items() if key in kept}
        assert (plain.status_code, plain.data, ours) == (fast[0], fast[1], theirs), name
        assert plain.status_code == status, name

    assert comparable(server.rows()) == comparable(flask.rows())
    assert len(server.rows()) == 14, "of sixteen accepted deliveries two were repetitions"


def comparable(rows: list[Delivery]) -> list[Delivery]:
    """Without what the time and the HTTP client decide."""
    kept = ("verified", "x-acme-", "acme-")
    return [
        replace(
            row,
            received_at=EPOCH,
            headers={name: value for name, value in row.headers.items() if name.startswith(kept)},
        )
        for row in rows
    ]


@pytest.mark.parametrize("twice", ["x-acme-shop", "x-acme-signature", "x-acme-topic"])
def test_a_header_that_is_there_twice_counts_as_missing(server: Server, flask: Bench, twice: str) -> None:
    """On WSGI the two come joined by a comma, which nothing but a topic survives; a joined topic is only a topic."""
    pairs = [*signed(delivery=f"twice-{twice}").items(), (twice, SIGNED[twice])]
    assert server.call("POST", PATH, BODY, pairs)[0] == 401
    if twice != "x-acme-topic":
        assert flask.app.test_client().post(PATH, data=BODY, headers=pairs).status_code == 401


def test_other_paths_are_flask_s(server: Server) -> None:
    assert server.call("GET", "/healthz")[:2] == (200, b"ok")
    status, body, _ = server.call("GET", "/readyz")
    assert status == 200
    assert b'"ready":true' in body
    assert server.call("GET", "/hooksy")[0] == 404
    assert server.call("POST", "/echo", BODY * 100)[:2] == (200, BODY * 100)
    assert server.call("POST", "/echo", BODY * 5000)[0] == 413, "pages have the receiver's limit for a body"
    metrics = server.call("GET", "/metrics")[1].decode()
    assert "kiitos_inbox_commit_seconds_count" in metrics
    assert 'platform="other"' not in metrics, "a path segment must not become a label"


def test_no_secret_reaches_the_log(server: Server) -> None:
    server.call("POST", PATH, BODY, signed(secret="wrong"))
    text = Path(server.log).read_text()
    assert "rejected" in text
    for secret in (OLD_SECRET, APP_SECRET, "acme-secret-now", "k1shoponeone", "Traceback"):
        assert secret not in text
