"""Events of a merchant's own: by command and over HTTP, once, by whoever has the key, as they were declared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.app import Kiitos, create_app, load
from connector.cli import cli
from connector.contracts import Endpoint, Inbound
from connector.credentials import forget_secrets
from connector.errors import ConfigError, MalformedPayload, WebhookRejected
from connector.model import Shop
from connector.store import deliveries, inbox, runs
from connector.telling import PLATFORM, Merchant, fits
from connector.worker import Worker
from webhooks.receiver import receiver_of

APP = """
schema = 1
[app]
base_url = "http://localhost"
database = "sqlite:///FOLDER/kiitos.db"
master_key = { file = "FOLDER/master.key", generate = true }
[events.fitting]
fields = { size = "number", shop = "text", at = "time", paid = "money", sold = "bool" }
[channels.mail]
kind = "memory"
[clients.acme.shops.main]
platform = "shopify"
domain = "acme.myshopify.com"
sender = "Acme <orders@acme.example>"
webhook_secret = { file = "FOLDER/secret", generate = true }
flows.fitted = { file = "./fitted.toml" }
[clients.acme.shops.other]
platform = "shopify"
domain = "other.myshopify.com"
sender = "Other <orders@other.example>"
webhook_secret = { file = "FOLDER/secret", generate = true }
"""
FLOW = """
id = "fitted"
purpose = "transactional"
trigger = "custom.fitting"
subject = "customer"
reentry = "always"
when = ["event.size >= 40"]
[[steps]]
id = "end"
do = "exit"
reason = "seen"
"""
SHOP = "acme-main"
FITTING = {
    "id": "f-1",
    "kind": "custom.fitting",
    "at": "2026-11-22T09:00:00Z",
    "email": "Aino@example.test",
    "data": {"size": 42, "sold": True},
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "fitted.toml").write_text(FLOW, "utf-8")
    path = tmp_path / "app.toml"
    path.write_text(APP.replace("FOLDER", str(tmp_path)), "utf-8")
    return path


@pytest.fixture
def kiitos(app: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.delenv("KIITOS_CONFIG", raising=False)
    return lambda *words: CliRunner().invoke(cli, ["--config", str(app), *words])


@pytest.fixture
def door(app: Path, kiitos: Callable[..., Result]) -> Iterator[tuple[Kiitos, FlaskClient, str]]:
    """The product with its HTTP side, and the key of the shop."""
    key = json.loads(kiitos("events", "key", SHOP, "--json").output)["key"]
    built = load(app)
    web = create_app(built)
    receiver_of(web).start()
    yield built, web.test_client(), key
    receiver_of(web).close()
    built.close()


def entered(built: Kiitos) -> list[tuple[str, str | None, str]]:
    with built.store.work.read() as tx:
        return [(run.reason, run.email_key, run.event.get("size", "")) for run in runs.all_of_shop(tx, SHOP)]


def post(client: FlaskClient, key: str, body: Any) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/events", data=data, headers={"Authorization": f"Bearer {key}"}).status_code


def faults(built: Kiitos) -> list[str]:
    with built.store.work.read() as tx:
        return [f"{row.error_code} {row.error_text}" for row in deliveries.failed(tx, SHOP, 10)]


# -- by command ------------------------------------------------------------------------------------------------------


def send(kiitos: Callable[..., Result], *words: str) -> Result:
    return kiitos("events", "send", "custom.fitting", "--shop", SHOP, "--email", "aino@example.test", *words)


def test_a_told_event_starts_its_flow_once(app: Path, kiitos: Callable[..., Result]) -> None:
    assert send(kiitos, "--id", "f-1", "size=42").output == "told\n"
    assert "told before" in send(kiitos, "--id", "f-1", "size=42").output
    assert send(kiitos, "--id", "f-2", "size=38").output == "told\n"
    built = load(app)
    assert sorted(entered(built)) == [("not started", "aino@example.test", "38"), ("seen", "aino@example.test", "42")]
    built.close()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--id", "1", "sise=42"), "did you mean 'size'"),
        (("--id", "1", "size=big"), "data.size: should be a number"),
        (("--id", "1", "paid=5"), "data.paid: should be an amount such as 12.50 EUR"),
        (("--id", "1", "at=soon"), "data.at: should be a time"),
        (("--id", "1", "sold=yes"), "data.sold: should be true or false"),
        (("--id", "1", "--order", "1042"), "no order '1042'"),
    ],
)
def test_what_is_not_as_declared_is_refused(kiitos: Callable[..., Result], words: tuple[str, ...], fault: str) -> None:
    result = send(kiitos, *words)
    assert isinstance(result.exception, ConfigError)
    assert fault in str(result.exception)


def test_an_undeclared_kind_comes_near_to_another(kiitos: Callable[..., Result]) -> None:
    result = kiitos("events", "send", "custom.fiting", "--shop", SHOP, "--id", "1", "--email", "a@example.test")
    assert "did you mean 'custom.fitting'" in str(result.exception)


def test_whom_it_is_about_must_be_said(kiitos: Callable[..., Result]) -> None:
    result = kiitos("events", "send", "custom.fitting", "--shop", SHOP, "--id", "1")
    assert "say whom it is about" in str(result.exception)


def test_what_may_be_told_is_listed(kiitos: Callable[..., Result]) -> None:
    told = kiitos("events", "list").output
    assert "custom.fitting" in told
    assert "size (number)" in told
    assert "tier.changed" in told


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('[events.Fitting]\nfields = { size = "number" }', "names are lower-case letters"),
        ('[events.fitting]\nfields = { size = "numbr" }', "did you mean 'number'"),
        ('[events.fitting]\nfelds = { size = "number" }', "did you mean 'fields'"),
        ("[events]\nfitting = 5", "should be a table"),
        ('[events.fitting]\nfields = "size"', "should be a table"),
    ],
)
def test_a_wrong_declaration_is_a_fault(app: Path, kiitos: Callable[..., Result], table: str, fault: str) -> None:
    text = app.read_text("utf-8")
    before, _, rest = text.partition("[events.fitting]\n")
    app.write_text(f"{before}{table}\n{rest.partition(chr(10))[2]}", "utf-8")
    assert fault in str(kiitos("config", "check").exception)


# -- over HTTP -------------------------------------------------------------------------------------------------------


def test_a_posted_event_is_kept_before_it_is_read_and_starts_its_flow(door: tuple[Kiitos, FlaskClient, str]) -> None:
    built, client, key = door
    assert post(client, key, FITTING) == 200
    with built.store.inbox.read() as log:
        (kept,) = inbox.by_ids(log, [1])
    assert (kept.platform, kept.shop_id, json.loads(kept.body)) == (PLATFORM, SHOP, FITTING)
    assert "authorization" not in kept.headers, "the key is not kept with the event"
    assert entered(built) == []
    Worker(built).drain()
    assert entered(built) == [("seen", "aino@example.test", "42")]


def test_the_merchants_own_id_makes_it_once(door: tuple[Kiitos, FlaskClient, str]) -> None:
    built, client, key = door
    again = {**FITTING, "data": {"size": 44}}
    assert [post(client, key, body) for body in (FITTING, FITTING, again, {"events": [FITTING, again]})] == [200] * 4
    Worker(built).drain()
    assert entered(built) == [("seen", "aino@example.test", "42")]


def test_several_at_once(door: tuple[Kiitos, FlaskClient, str]) -> None:
    built, client, key = door
    several = [{**FITTING, "id": f"f-{number}", "email": f"p{number}@example.test"} for number in range(5)]
    assert post(client, key, {"events": several}) == 200
    Worker(built).drain()
    assert len(entered(built)) == 5


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"not json", "expected one event as a JSON object"),
        (b"[]", "expected one event as a JSON object"),
        (b"{", "MALFORMED_PAYLOAD"),
        ({**FITTING, "kind": "custom.fiting"}, "did you mean 'custom.fitting'"),
        ({**FITTING, "kind": "order.paid"}, "no event 'order.paid' is declared"),
        ({**FITTING, "data": {"size": "big"}}, "data.size: should be a number"),
        ({**FITTING, "id": ""}, "id: should be a text"),
        ({**FITTING, "email": "nobody"}, "is no e-mail address"),
        ({**FITTING, "at": None}, "say when it happened"),
        ({**FITTING, "email": None}, "say whom it is about"),
        ({"events": [FITTING] * 101}, "at most 100"),
    ],
)
def test_what_cannot_be_used_is_kept_and_listed(
    door: tuple[Kiitos, FlaskClient, str], body: object, fault: str
) -> None:
    built, client, key = door
    assert post(client, key, body) == 200
    Worker(built).drain()
    (told,) = faults(built)
    assert fault in told
    assert "aino" not in told.lower(), "no personal data in a fault"
    assert entered(built) == []


def test_only_the_key_opens(door: tuple[Kiitos, FlaskClient, str], kiitos: Callable[..., Result]) -> None:
    built, client, key = door
    endpoint, secret = key.rsplit(".", 1)
    other = json.loads(kiitos("events", "key", "acme-other", "--json").output)["key"].rsplit(".", 1)
    receiver_of(client.application).directory.refresh()
    for wrong in (f"{endpoint}.{secret[:-1]}", f"{endpoint}.", endpoint, "", f"{endpoint}.{other[1]}", f".{secret}"):
        assert post(client, wrong, FITTING) == 401, wrong
    assert post(client, f"nobody.{secret}", FITTING) == 404
    assert client.post("/events", data=b"{}").status_code == 401
    assert client.get("/events").status_code == 405
    assert post(client, key, FITTING) == 200
    new = json.loads(kiitos("events", "key", SHOP, "--new", "--json").output)["key"]
    receiver_of(client.application).directory.refresh()
    assert (post(client, key, FITTING), post(client, new, FITTING)) == (401, 200)
    with built.store.work.transaction() as tx:
        forget_secrets(tx, SHOP)
    receiver_of(client.application).directory.refresh()
    assert post(client, new, FITTING) == 401, "a shop that is gone tells nothing"


ADAPTER = Merchant()
ENDPOINT = Endpoint(key="k", platform=PLATFORM, secrets=(b"s3cret",))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.binary(max_size=60))
def test_no_request_makes_it_raise_anything_else(header: str, body: bytes) -> None:
    shop = Shop(id="s", client_id="c", platform="x", domain="x.example", name="X")
    with pytest.raises(WebhookRejected):
        ADAPTER.verify(Inbound({"authorization": [header]}, body), ENDPOINT)
    verified = ADAPTER.verify(Inbound({"authorization": ["Bearer k.s3cret"]}, body), ENDPOINT)
    assert len(verified.dedup_key) == 64
    with suppress(MalformedPayload):
        ADAPTER.normalise(verified, body, shop)


@pytest.mark.parametrize("kind", ["text", "number", "time", "money", "bool"])
@settings(max_examples=60, deadline=None)
@given(value=st.text(max_size=20))
def test_no_value_is_too_strange(kind: str, value: str) -> None:
    assert fits(value, kind) in (True, False)
