"""`kiitos shops add|list|check|pause|resume|remove` does what the pages do; no secret on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.app import Kiitos, load
from connector.cli import cli
from connector.store import shops
from connector.testing.fakes.woocommerce import FakeWoo

APP = """
schema = 1
[app]
base_url = "https://kiitos.test"
database = "sqlite:///FOLDER/kiitos.db"
master_key = { file = "FOLDER/master.key", generate = true }
[connect]
private_addresses = true
[channels.mail]
kind = "memory"
[defaults]
flows.order-confirmation = { file = "order_confirmation" }
[clients.acme]
name = "Acme"
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.toml"
    path.write_text(APP.replace("FOLDER", str(tmp_path)), "utf-8")
    return path


def run(app: Path, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), *words], env=environ)


def connect(app: Path, woo: FakeWoo) -> Result:
    _, key, secret = woo.issue_key("read_write")
    kept = app.with_name("secret.txt")
    kept.write_text(secret + "\n")
    given = ("--set", f"url={woo.home}", "--env", "consumer_key=CK", "--file", f"consumer_secret={kept}")
    return run(app, "shops", "add", "woocommerce", *given, CK=key)


def shop_of(app: Path) -> str:
    rows = json.loads(run(app, "shops", "list", "--json").output)
    assert [row["from"] for row in rows] == ["connected"]
    return str(rows[0]["shop"])


def test_without_a_platform_it_prints_a_link_for_the_browser(app: Path) -> None:
    first, second = run(app, "shops", "add"), run(app, "shops", "add", "--locale", "fi")
    assert first.exit_code == second.exit_code == 0
    assert first.output.startswith("https://kiitos.test/connect/")
    assert first.output != second.output


def test_keys_connect_a_store_and_the_check_follows(app: Path, woo: FakeWoo) -> None:
    done = connect(app, woo)
    assert done.exit_code == 0, done.output
    assert "is connected; its webhooks go to https://kiitos.test/hooks/woocommerce/" in done.output
    assert "warn  The store sends its own mail “Processing order”" in done.output
    explained = run(app, "config", "explain", shop_of(app), "currency")
    assert explained.output == "currency = 'EUR'  (connected)\n"


def test_the_check_ends_with_one_when_something_must_be_put_right(app: Path, woo: FakeWoo) -> None:
    connect(app, woo)
    shop = shop_of(app)
    assert run(app, "shops", "check", shop).exit_code == 0
    woo.keys.clear()
    failed = run(app, "shops", "check", shop, "--json")
    assert failed.exit_code == 1
    answer = json.loads(failed.output)
    assert (answer["verdict"], [row["code"] for row in answer["findings"]]) == ("fail", ["keys_refused"])


def test_wrong_keys_connect_nothing(app: Path, woo: FakeWoo) -> None:
    given = ("--set", f"url={woo.home}", "--env", "consumer_key=CK", "--env", "consumer_secret=CS")
    done = run(app, "shops", "add", "woocommerce", *given, CK="ck_wrong", CS="cs_wrong")
    assert done.exit_code == 1
    assert "does not accept these keys" in done.output
    assert "cs_wrong" not in done.output
    assert json.loads(run(app, "shops", "list", "--json").output) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "consumer_key=ck_1234"), "is a secret"),
        (("--set", "ulr=https://shop.example"), "did you mean 'url'"),
        (("--env", "consumer_key=NOWHERE"), "NOWHERE is not set"),
        (("--file", "consumer_key=/nowhere"), "cannot be read"),
        (("--set", "url=https://shop.example"), "consumer_key is missing"),
        (("--way", "approve"), "no such way without a browser"),
        (("--client", "acne"), "did you mean 'acme'"),
    ],
)
def test_what_is_missing_is_named(app: Path, words: tuple[str, ...], said: str) -> None:
    done = run(app, "shops", "add", "woocommerce", *words)
    assert done.exit_code != 0
    assert said in done.output + str(done.exception)


def test_pause_and_resume_a_connected_shop(app: Path, woo: FakeWoo) -> None:
    connect(app, woo)
    shop = shop_of(app)
    assert run(app, "shops", "pause", shop).output == f"{shop} is paused\n"
    assert "warn  The store is paused" in run(app, "shops", "check", shop).output
    assert run(app, "shops", "resume", shop).output == f"{shop} is active\n"


def test_a_removed_shop_sends_nothing_keeps_no_credentials_and_may_be_connected_again(app: Path, woo: FakeWoo) -> None:
    connect(app, woo)
    shop = shop_of(app)
    asked = CliRunner().invoke(cli, ["-c", str(app), "shops", "remove", shop], input="n\n")
    assert "is removed" not in asked.output
    assert status(app, shop) == ("active", 3)
    done = run(app, "shops", "remove", shop, "--yes")
    assert done.exit_code == 0, done.output
    assert f"{shop} sends nothing any more" in done.output
    assert status(app, shop) == ("uninstalled", 0)
    assert run(app, "shops", "check", shop).exit_code == 1
    assert "was removed" in str(run(app, "shops", "resume", shop).exception)
    assert connect(app, woo).exit_code == 0
    assert status(app, shop) == ("active", 3)


def status(app: Path, shop: str) -> tuple[str, int]:
    kiitos: Kiitos = load(app)
    with kiitos.store.work.read() as tx:
        found, names = shops.get(tx, shop), shops.secret_names(tx, shop)
    kiitos.close()
    assert found is not None
    return str(found.status), len(names)
