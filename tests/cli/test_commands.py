"""Every `kiitos` command on a file and a database of its own: what it prints, and the code it ends with."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from connector.app import load
from connector.cli import cli, main
from connector.clock import SystemClock
from connector.codec import encode_text
from connector.contracts import Verified
from connector.store import deliveries, inbox
from connector.store.inbox import NewDelivery
from connector.worker import Worker
from flows.catalog import LIBRARY
from flows.channels.memory import Memory

APP = """
schema = 1
[app]
base_url = "http://127.0.0.1:8321"
database = "sqlite:///FOLDER/kiitos.db"
master_key = { file = "FOLDER/master.key", generate = true }
[channels.mail]
kind = "smtp"
url = "smtp://127.0.0.1:9"
tls = "none"
[defaults]
email = "mail"
fetch_before_send = false
flows.order-confirmation = { file = "order_confirmation" }
flows.review-request = { file = "review_request", params = { wait = "10d" } }
[clients.acme.shops.main]
platform = "shopify"
domain = "acme.myshopify.com"
name = "Acme"
sender = "Acme <orders@acme.example>"
support_email = "help@acme.example"
address = ["Acme Oy", "Esimerkkikatu 1", "00100 Helsinki"]
country = "FI"
webhook_secret = { file = "FOLDER/secret", generate = true }
flows.review-request.params = { wait = "21d" }
"""
SHOP = "acme-main"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.toml"
    path.write_text(APP.replace("FOLDER", str(tmp_path)), "utf-8")
    return path


def run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), *words])


def ended(app: Path, *words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of the real entry point, which turns our errors into one line."""
    monkeypatch.setattr(sys, "argv", ["kiitos", "-c", str(app), *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture
def ordered(app: Path) -> Path:
    """A database in which one order came in and was confirmed, and one delivery could not be used."""
    kiitos = load(app)
    kiitos.use_channel("mail", Memory())
    now = SystemClock().now()
    body = json.loads(
        (Path(__file__).parents[1] / "recordings/shopify/orders_create/finnish_customer/body.json").read_text("utf-8")
    )
    body |= {"created_at": now.isoformat(), "processed_at": now.isoformat(), "updated_at": now.isoformat()}
    with kiitos.store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery("d1", json.dumps(body).encode()), delivery("d2", b'{"id": "no order"}')])
    Worker(kiitos).drain(100)
    kiitos.close()
    return app


def delivery(key: str, body: bytes) -> NewDelivery:
    verified = Verified(topic="orders/create", dedup_key=key, shop_domain="acme.myshopify.com")
    return NewDelivery(
        shop_id=SHOP,
        platform="shopify",
        topic="orders/create",
        dedup_key=key,
        headers={"verified": encode_text(verified)},
        body=body,
        received_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


# -- help --------------------------------------------------------------------------------------------------------------


def commands(group: click.Group = cli, *path: str) -> Iterator[tuple[str, ...]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        yield (*path, name)
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself_without_a_configuration(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, ["-c", "/nowhere/app.toml", *path, "--help"])
    assert result.exit_code == 0
    assert "Usage: " in result.output
    assert len(result.output.splitlines()) > 4


def test_all_commands_are_among_those_tried() -> None:
    wanted = {"serve", "worker", "explain", "config check", "config explain", "flows list", "flows check"}
    wanted |= {"shops list", "shops pause", "shops resume", "deliveries failed", "deliveries replay"}
    assert wanted <= {" ".join(path) for path in commands()}


def test_the_first_help_has_examples_that_are_commands() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    examples = re.findall(r"^ +kiitos ((?:[a-z]+ ?)+)", result.output, re.MULTILINE)
    assert len(examples) >= 5
    known = {path[0] for path in commands()}
    assert {example.split()[0] for example in examples} <= known


# -- config and flows --------------------------------------------------------------------------------------------------


def test_config_check_counts_what_it_found(app: Path) -> None:
    result = run(app, "config", "check")
    assert result.exit_code == 0
    assert "1 shops, 2 flows, no faults" in result.output


@pytest.mark.parametrize(
    "words", [("config", "check"), ("config", "explain", SHOP), ("flows", "check"), ("flows", "list")], ids=" ".join
)
def test_looking_at_the_file_writes_nothing(app: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run(app, *words).exit_code == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["app.toml"]
    assert run(app, "shops", "list").exit_code == 0
    assert {"master.key", "secret", "kiitos.db"} <= {entry.name for entry in tmp_path.iterdir()}


def test_config_check_sees_a_master_key_that_is_none(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "master.key").write_text("k1=too-short\n", "utf-8")
    assert ended(app, "config", "check", monkeypatch=monkeypatch) == 3
    assert "key" in capsys.readouterr().err


def test_config_check_names_all_faults_with_their_places(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = app.read_text("utf-8")
    app.write_text(text.replace('support_email = "', 'suport_email = "').replace("sender =", "sendr ="), "utf-8")
    assert ended(app, "config", "check", monkeypatch=monkeypatch) == 3
    told = capsys.readouterr().err
    assert "suport_email" in told
    assert "support_email" in told
    assert "sendr" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("wrong", "right"),
    [('"review_request"', "review_requst"), ('wait = "21d"', 'wiat = "21d"')],
    ids=["library flow", "parameter"],
)
def test_flows_check_offers_the_near_match(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: str, right: str
) -> None:
    text = app.read_text("utf-8").replace(wrong, f'"{right}"' if wrong.startswith('"') else right)
    app.write_text(text, "utf-8")
    assert ended(app, "flows", "check", monkeypatch=monkeypatch) == 3
    told = capsys.readouterr().err
    assert "did you mean" in told.lower()
    assert "Traceback" not in told


def test_config_explain_says_which_layer(app: Path) -> None:
    result = run(app, "config", "explain", SHOP, "flows.review-request.params.wait")
    assert result.exit_code == 0
    assert "'21d'" in result.output
    assert "shops" in result.output or "main" in result.output
    (told,) = json.loads(run(app, "config", "explain", SHOP, "flows.review-request.params.wait", "--json").output)
    assert told["value"] == "21d"


def test_config_explain_never_shows_a_secret(app: Path, tmp_path: Path) -> None:
    run(app, "shops", "list")
    secret = (tmp_path / "secret").read_text("utf-8").strip()
    assert secret
    for more in ((), ("--json",)):
        assert secret not in run(app, "config", "explain", SHOP, *more).output


def test_config_explain_of_a_path_that_is_not_there(app: Path) -> None:
    result = run(app, "config", "explain", SHOP, "flows.review-request.params.wiat")
    assert result.exit_code == 1
    assert "flows.review-request.params.wait" in result.stderr


@pytest.mark.parametrize(
    "words", [("config", "explain", "acme-mian"), ("explain", "acme-mian", "1"), ("shops", "pause", "acme-mian")]
)
def test_an_unknown_shop_is_a_near_match_away(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert ended(app, *words, monkeypatch=monkeypatch) == 3
    assert SHOP in capsys.readouterr().err


def test_flows_list(app: Path) -> None:
    result = run(app, "flows", "list", SHOP)
    assert result.exit_code == 0
    assert "order-confirmation" in result.output
    told = json.loads(run(app, "flows", "list", "--json").output)
    assert {row["flow"] for row in told} == {"order-confirmation", "review-request"}
    assert all(re.fullmatch(r"[0-9a-f]{12}", row["version"]) for row in told)


# -- shops, deliveries, explain, worker --------------------------------------------------------------------------------


def test_shops_are_listed_paused_and_resumed(app: Path) -> None:
    (row,) = json.loads(run(app, "shops", "list", "--json").output)
    assert (row["shop"], row["status"]) == (SHOP, "active")
    assert re.fullmatch(r"http://127\.0\.0\.1:8321/hooks/shopify/\w{32}", row["webhook_url"])
    assert run(app, "shops", "pause", SHOP).exit_code == 0
    assert "paused" in run(app, "shops", "list").output
    assert run(app, "shops", "resume", SHOP).exit_code == 0
    assert "active" in run(app, "shops", "list").output


def test_explain_tells_the_order_and_the_person(ordered: Path) -> None:
    for who in ("1001", "#1001", "aino.makela@example.test", "6100000000001"):
        result = run(ordered, "explain", SHOP, who)
        assert result.exit_code == 0, who
        assert "order_confirmation to aino.makela@example.test" in result.output
    told = json.loads(run(ordered, "explain", SHOP, "1001", "--json").output)
    assert {"event", "effect.sent"} <= {line["what"] for line in told["lines"]}


def test_explain_of_nobody(ordered: Path) -> None:
    result = run(ordered, "explain", SHOP, "nobody@example.test")
    assert result.exit_code == 1
    assert "nobody" in result.stderr


def test_failed_deliveries_are_listed_and_replayed(ordered: Path) -> None:
    (row,) = json.loads(run(ordered, "deliveries", "failed", "--json").output)
    assert (row["shop"], row["code"]) == (SHOP, "MALFORMED_PAYLOAD")
    assert str(row["delivery"]) in run(ordered, "deliveries", "failed", "--shop", SHOP).output
    assert json.loads(run(ordered, "deliveries", "failed", "--shop", "other", "--json").output) == []
    assert run(ordered, "deliveries", "replay", SHOP, str(row["delivery"])).exit_code == 0
    result = run(ordered, "worker", "--once")
    assert result.exit_code == 0
    assert "1 deliveries" in result.output


def test_replaying_what_was_used_has_no_second_effect(ordered: Path) -> None:
    before = run(ordered, "explain", SHOP, "1001").output
    assert run(ordered, "deliveries", "replay", SHOP, "1").exit_code == 0
    assert run(ordered, "worker", "--once").exit_code == 0
    assert run(ordered, "explain", SHOP, "1001").output == before
    kiitos = load(ordered)
    with kiitos.store.work.read() as tx:
        assert deliveries.status_of(tx, [1]) == {1: "done"}
    kiitos.close()


def test_replaying_a_delivery_that_is_not_there(ordered: Path) -> None:
    result = run(ordered, "deliveries", "replay", SHOP, "4711")
    assert result.exit_code == 1
    assert "4711" in result.stderr


def test_worker_once_with_nothing_to_do(app: Path) -> None:
    result = run(app, "worker", "--once")
    assert result.exit_code == 0
    assert "0 deliveries, 0 runs woken, 0 effects" in result.output


# -- what the entry point makes of errors ------------------------------------------------------------------------------


def test_exit_codes(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(tmp_path / "missing.toml", "config", "check", monkeypatch=monkeypatch) == 3
    assert ended(app, "no-such-command", monkeypatch=monkeypatch) == 2
    (tmp_path / "kiitos.db").write_bytes(b"this is no database at all" * 100)
    assert ended(app, "shops", "list", monkeypatch=monkeypatch) == 4


def test_flow_tests_are_run_and_their_exit_code_tells(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(app, "flows", "test")
    assert result.exit_code == 0, result.output
    assert "order_confirmation: confirmed at once" in result.output
    shown = json.loads(run(app, "flows", "test", "order_confirmation", "--json").output)
    assert {entry["file"] for entry in shown} == {"order_confirmation"}
    assert all(entry["holds"] for entry in shown)
    wrong = Path(app).parent / "mine.toml"
    text = LIBRARY.joinpath("order_confirmation.toml").read_text("utf-8")
    wrong.write_text(text.replace('expect = ["0d order_confirmation"]', "expect = []", 1), "utf-8")
    failed = run(app, "flows", "test", "./mine.toml")
    assert failed.exit_code == 1
    assert "nobody expected '0d order_confirmation'" in failed.output
    assert ended(app, "flows", "test", "order_confirmatio", monkeypatch=monkeypatch) == 3


@pytest.mark.parametrize("words", [("webhooks",), ("backfill",), ("completeness", "--json"), ("webhooks", "--repair")])
def test_a_shop_that_cannot_be_asked_is_said_to_be_so(app: Path, words: tuple[str, ...]) -> None:
    result = run(app, "shops", words[0], SHOP, *words[1:])
    assert result.exit_code == 1
    assert "has no API credentials" in result.stderr


@pytest.fixture
def segmented(ordered: Path) -> Path:
    segments = """
[segments.buyers]
when = ["customer.lifetime.orders >= 1", "customer.lifetime.recency_days >= 0"]
[segments.nobody]
when = ["now < '2020-01-01'"]
"""
    ordered.write_text(ordered.read_text("utf-8") + segments, "utf-8")
    kiitos = load(ordered)
    kiitos.use_channel("mail", Memory())
    Worker(kiitos).drain()
    kiitos.close()
    return ordered


def test_segments_and_customers(segmented: Path) -> None:
    listed = json.loads(run(segmented, "segments", "list", "--json").output)
    assert [(row["segment"], row["members"]) for row in listed] == [("buyers", 1), ("nobody", 0)]
    shown = json.loads(run(segmented, "segments", "show", "buyers", "--shop", SHOP, "--json").output)
    email = shown[0]["who"]
    told = json.loads(run(segmented, "segments", "who", email, "--shop", SHOP, "--json").output)
    assert [(row["segment"], row["since"] is not None) for row in told] == [("buyers", True), ("nobody", False)]
    assert told[0]["guards"][0]["saw"] == "1"
    person = json.loads(run(segmented, "customers", "show", email, "--shop", SHOP, "--json").output)
    assert person["figures"]["orders"] == 1
    assert list(person["segments"]) == ["buyers"]
    text = run(segmented, "customers", "show", email, "--shop", SHOP).output
    assert "recency_days" in text
    assert "buyers" in run(segmented, "segments", "who", email, "--shop", SHOP).output


def test_segments_and_customers_nobody_knows(segmented: Path) -> None:
    assert run(segmented, "segments", "show", "nobody", "--shop", SHOP).exit_code == 1
    slip = run(segmented, "segments", "show", "buyer", "--shop", SHOP)
    assert (slip.exit_code, "did you mean 'buyers'" in slip.output) == (1, True)
    assert run(segmented, "customers", "show", "nobody@example.test", "--shop", SHOP).exit_code == 1
