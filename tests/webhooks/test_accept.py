"""The rules of acceptance, through the Flask road."""

from __future__ import annotations

import ast
import base64
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.clock import SystemClock
from connector.codec import decode, encode_text
from connector.contracts import Verified
from connector.store import shops
from tests.webhooks.acme import sign
from tests.webhooks.composition import (
    APP_KEY,
    APP_SECRET,
    BOOM_KEY,
    KEY,
    OLD_SECRET,
    OTHER,
    OTHER_KEY,
    PATH,
    ROOT,
    SHOP,
    Bench,
    FailingWriter,
    headers_for,
    receiver_here,
    vault,
)

BODY = b'{"id": 1001}'


def post(bench: Bench, body: bytes = BODY, path: str = PATH, **headers: str) -> Any:
    return bench.app.test_client().post(path, data=body, headers=headers_for(body, **headers))


def test_a_signed_delivery_is_stored_as_it_came(bench: Bench) -> None:
    assert post(bench).status_code == 200
    (row,) = bench.rows()
    assert (row.shop_id, row.platform, row.topic, row.dedup_key) == ("shop-1", "acme", "orders/create", "d-1")
    assert (row.body, row.quarantine) == (BODY, "")
    assert abs(row.received_at - SystemClock().now()) < timedelta(minutes=1)


def test_what_was_verified_is_stored_and_no_header_replaces_it(bench: Bench) -> None:
    forged = headers_for(BODY) | {"Verified": encode_text(Verified(topic="shop/redact", dedup_key="x"))}
    assert bench.app.test_client().post(PATH, data=BODY, headers=forged).status_code == 200
    found = decode(bench.rows()[0].headers["verified"], Verified)
    assert (found.topic, found.dedup_key, found.shop_domain) == ("orders/create", "d-1", "one.test")


def test_a_large_body_comes_back_byte_for_byte(bench: Bench) -> None:
    body = b'{"note": "' + bytes(range(256)) * 400 + b'"}'
    assert post(bench, body).status_code == 200
    assert bench.rows()[0].body == body


def test_a_repeated_delivery_is_answered_200_and_stored_once(bench: Bench) -> None:
    assert [post(bench).status_code for _ in range(3)] == [200, 200, 200]
    assert len(bench.rows()) == 1
    assert post(bench, delivery="d-2").status_code == 200
    assert post(bench, topic="orders/paid").status_code == 200
    assert len(bench.rows()) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": ""}, "empty"),
        ({"signature": "bm90IGl0"}, "other bytes"),
        ({"signature": "ä" * 44}, "not ASCII"),
        ({"secret": "another"}, "another secret"),
        ({"shop": "two.test"}, "another shop"),
        ({"shop": "one.test\x0b"}, "a trailing character"),
        ({"topic": "t" * 400}, "an endless topic"),
        ({"delivery": "d" * 400}, "an endless id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_platform_did_not_sign_is_401_and_leaves_no_row(
    bench: Bench, change: dict[str, str], reason: str
) -> None:
    assert post(bench, **change).status_code == 401, reason
    assert bench.rows() == []


def test_an_unsigned_request_is_401_without_headers(bench: Bench) -> None:
    assert bench.app.test_client().post(PATH, data=BODY).status_code == 401


def test_both_header_families_are_read(bench: Bench) -> None:
    assert post(bench, prefix="X-Acme-", delivery="a").status_code == 200
    assert post(bench, prefix="Acme-", delivery="b").status_code == 200
    assert [row.dedup_key for row in bench.rows()] == ["a", "b"]


@pytest.mark.parametrize(
    "path",
    ["/hooks/acme/nobody", f"/hooks/explosive/{KEY}", f"/hooks/{KEY}", f"{PATH}/more", "/hooks/acme/", "/hooks/"],
)
def test_unknown_paths_are_404(bench: Bench, path: str) -> None:
    assert post(bench, path=path).status_code == 404
    assert bench.rows() == []


def test_the_rest_of_the_status_table(bench: Bench) -> None:
    client = bench.app.test_client()
    signed = headers_for(BODY)
    assert client.get(PATH).status_code == 405
    assert client.post(PATH, data=BODY, headers={**signed, "Content-Encoding": "gzip"}).status_code == 415
    assert client.post(PATH, data=BODY, headers={**signed, "Content-Encoding": "Identity"}).status_code == 200
    big = b"{" + b" " * bench.receiver.settings.max_body
    assert post(bench, big).status_code == 413
    assert [row.body for row in bench.rows()] == [BODY]


def test_the_largest_body_allowed_is_configurable(tmp_path: Path) -> None:
    with receiver_here(tmp_path, max_body=4096) as bench:
        assert post(bench, b"{" + b" " * 4095).status_code == 200
        assert post(bench, b"{" + b" " * 4096, delivery="d-2").status_code == 413
        assert len(bench.rows()) == 1


def test_the_unsigned_ping_is_200_and_leaves_no_row(bench: Bench) -> None:
    client = bench.app.test_client()
    ping = {"data": b"webhook_id=987654", "content_type": "application/x-www-form-urlencoded"}
    assert client.post(PATH, **ping).status_code == 200
    assert client.post("/hooks/acme/nobody", **ping).status_code == 404
    assert bench.rows() == []


def test_a_staging_copy_is_stored_in_quarantine(bench: Bench) -> None:
    assert post(bench, source="https://staging.one.test").status_code == 200
    assert post(bench, source="https://one.test", delivery="d-2").status_code == 200
    assert [row.quarantine for row in bench.rows()] == ["other source", ""]


def test_one_key_for_all_shops_of_an_app(bench: Bench) -> None:
    path = f"/hooks/acme/{APP_KEY}"
    assert post(bench, path=path, secret=APP_SECRET, shop="Two.test").status_code == 200
    assert post(bench, path=path, secret=APP_SECRET, shop="gone.test", delivery="d-2").status_code == 200
    assert post(bench, path=path, shop="two.test", delivery="d-3").status_code == 401, (
        "a shop's secret is not the app's"
    )
    found = [(row.shop_id, row.quarantine) for row in bench.rows()]
    assert found == [(OTHER.id, ""), ("app:acme", "unknown shop gone.test")]


def test_a_key_made_a_moment_ago_is_found(bench: Bench) -> None:
    with bench.store.work.transaction() as tx:
        shops.put_endpoint(tx, "k9fresh", "acme", SHOP.id, SHOP.id, SystemClock().now())
    assert post(bench, path="/hooks/acme/k9fresh").status_code == 200


def test_secrets_rotate_without_a_rejected_delivery(tmp_path: Path) -> None:
    with receiver_here(tmp_path, directory_pause=0.0) as bench:
        assert post(bench, secret=OLD_SECRET).status_code == 200
        with bench.store.work.transaction() as tx:
            shops.put_secret(tx, vault(), SHOP.id, "webhook_secret", "third", SystemClock().now())
        assert post(bench, secret="third", delivery="d-2").status_code == 200
        assert post(bench, secret="never", delivery="d-3").status_code == 401
        assert len(bench.rows()) == 2


def test_an_adapter_with_a_fault_costs_a_503(bench: Bench) -> None:
    answer = post(bench, path=f"/hooks/explosive/{BOOM_KEY}")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def test_a_broken_secret_closes_one_endpoint_only(bench: Bench) -> None:
    from connector.secrets import Vault

    stranger = Vault.from_text(base64.b64encode(bytes(32)).decode())
    with bench.store.work.transaction() as tx:
        shops.put_secret(tx, stranger, OTHER.id, "webhook_secret", "unreadable", SystemClock().now())
    bench.receiver.directory.refresh()
    assert post(bench, path=f"/hooks/acme/{OTHER_KEY}", shop="two.test").status_code == 503
    assert post(bench).status_code == 200


def test_a_store_that_cannot_write_is_503_until_it_can(tmp_path: Path) -> None:
    with receiver_here(tmp_path) as bench:
        receiver, clock = bench.receiver, SystemClock()
        receiver.writer.close()
        receiver.acceptor._writer = writer = FailingWriter(bench.store, clock, receiver.settings, receiver.metrics)
        writer.start()
        (tmp_path / "broken").touch()
        answer = post(bench)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert not writer.healthy
        (tmp_path / "broken").unlink()
        assert post(bench).status_code == 200
        assert writer.healthy
        writer.close()
        assert len(bench.rows()) == 1


def test_a_stopped_receiver_answers_503(bench: Bench) -> None:
    bench.receiver.close()
    assert post(bench).status_code == 503
    assert post(bench, path="/hooks/acme/unheard").status_code == 503


_names = st.sampled_from(["signature", "topic", "delivery", "shop", "source"])
_texts = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=80)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(st.binary(max_size=300), st.just(b"webhook_id=\xff"), st.just(BODY)),
    headers=st.dictionaries(_names, _texts, max_size=5),
    prefix=st.sampled_from(["x-acme-", "acme-"]),
    path=st.sampled_from([PATH, f"/hooks/acme/{APP_KEY}", f"/hooks/explosive/{BOOM_KEY}"]),
    sign_it=st.booleans(),
)
def test_no_bytes_and_no_headers_make_a_500(
    bench: Bench, body: bytes, headers: dict[str, str], prefix: str, path: str, sign_it: bool
) -> None:
    if sign_it:
        headers = {"topic": "t", "delivery": "d", "shop": "one.test", **headers, "signature": sign(body, APP_SECRET)}
    answer = bench.app.test_client().post(
        path, data=body, headers={f"{prefix}{name}": value for name, value in headers.items()}
    )
    assert answer.status_code in (200, 401) or (answer.status_code == 503 and BOOM_KEY in path)


def test_the_answer_waits_for_the_commit(bench: Bench) -> None:
    """While another connection holds the write lock there is no answer; when it lets go there is, and the row."""
    answers: list[int] = []
    client: FlaskClient = bench.app.test_client()
    signed = headers_for(BODY)
    with bench.store.inbox.transaction():
        caller = threading.Thread(
            target=lambda: answers.append(client.post(PATH, data=BODY, headers=signed).status_code)
        )
        caller.start()
        while bench.receiver.writer.depth == 0:
            SystemClock().sleep(0.005)
        caller.join(0.3)
        assert answers == []
    caller.join(10)
    assert answers == [200]
    assert len(bench.rows()) == 1


def test_nothing_here_parses_a_body_before_it_is_verified() -> None:
    """No `request.json`, `form`, `values`: of a request only these names are used, the body is read in one place."""
    allowed = {"headers", "method", "path", "max_content_length", "get_data", "query_string"}
    reads = 0
    for path in sorted((ROOT / "webhooks").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("request", "incoming"):
                assert node.attr in allowed, f"{path.name}:{node.lineno} .{node.attr}"
                reads += node.attr == "get_data"
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "json" not in ast.unparse(node), f"{path.name}:{node.lineno}"
    assert reads == 1
