"""The master key is changed: everything opens, before, meanwhile and after the old key is gone."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import connector
from connector.app import load
from connector.cli import cli
from connector.errors import ConfigError
from connector.secrets import Vault
from connector.store import connecting, sealing, shops

ROOT = Path(connector.__file__).parents[1]
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
flows.order-confirmation = { file = "order_confirmation" }
[clients.acme.shops.main]
platform = "shopify"
domain = "acme.myshopify.com"
name = "Acme"
sender = "Acme <orders@acme.example>"
support_email = "help@acme.example"
address = ["Acme Oy", "Esimerkkikatu 1", "00100 Helsinki"]
country = "FI"
webhook_secret = { file = "FOLDER/secret", generate = true }
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An installation with credentials, a salt and somebody in the middle of connecting a store."""
    path = tmp_path / "app.toml"
    path.write_text(APP.replace("FOLDER", str(tmp_path)), "utf-8")
    kiitos = load(path)
    now = kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        shops.put_secret(tx, kiitos.vault, "app:ours", "client_secret", "hush-hush", now)
        until = now + timedelta(hours=1)
        connecting.invite(tx, "invited", "acme", now, until, locale="en")
        invite = connecting.find_invite(tx, "invited", now)
        assert invite is not None
        tokens = ("browser", "ticket", "callback")
        connecting.begin(tx, kiitos.vault, tokens, invite, ("shopify", "own"), {"token": "t-1"}, now, until)
        attempt = connecting.attempt_of(tx, kiitos.vault, "browser", now)
        assert attempt is not None
        connecting.receive(tx, kiitos.vault, attempt, {"code": "c-1"}, now)
    kiitos.close()
    return path


def run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), "keys", *words])


def rows(app: Path) -> dict[str, tuple[str, dict[str, int]]]:
    found = json.loads(run(app, "list", "--json").output)
    return {row["key"]: (row["state"], row["secrets"]) for row in found}


def sealed_texts(app: Path) -> list[str]:
    """Every sealed text in any column of any table, whoever put it there."""
    found: list[str] = []
    with closing(sqlite3.connect(app.parent / "kiitos.db")) as db:
        for (table,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall():
            for row in db.execute(f'SELECT * FROM "{table}"'):
                found += [cell for cell in row if isinstance(cell, str) and re.match(r"v1:\w+:", cell)]
    return found


def opened(app: Path) -> tuple[str, dict[str, str], object]:
    kiitos = load(app)
    with kiitos.store.work.read() as tx:
        attempt = connecting.attempt_of(tx, kiitos.vault, "browser", kiitos.clock.now())
        assert attempt is not None
        found = shops.secrets(tx, kiitos.vault, "app:ours")
        known = shops.secrets(tx, kiitos.vault, "acme-main")
    kiitos.close()
    url = kiitos.hook_url(kiitos.config.shop("acme-main"))
    return url, {**found, **known}, (dict(attempt.entered), dict(attempt.received))


def put_first(app: Path) -> None:
    """Steps 1 and 2 of the operator's guide."""
    line = run(app, "new", "--name", "k2").output.strip()
    assert line.startswith("k2=")
    file = app.parent / "master.key"
    old = file.read_text("ascii").strip()
    file.write_text(f"{old}\n{line}\n", "ascii")
    assert [state for state, _ in rows(app).values()] == ["current", "listed"], "below: it opens, and seals nothing"
    opened(app)
    file.write_text(f"{line}\n{old}\n", "ascii")


def test_after_the_change_the_old_key_can_go_and_everything_opens(app: Path) -> None:
    before = opened(app)
    assert rows(app) == {"k1": ("current", {"connect attempts": 2, "credentials": 2, "salt": 1})}
    put_first(app)
    assert opened(app) == before, "meanwhile both keys open"
    assert rows(app) == {
        "k2": ("current", {}),
        "k1": ("listed", {"connect attempts": 2, "credentials": 2, "salt": 1}),
    }
    told = run(app, "rotate")
    assert (told.exit_code, "5 secrets sealed anew under key 'k2'" in told.output) == (0, True)
    assert "no longer needed, except for older backups: k1" in told.output
    assert {text.split(":")[1] for text in sealed_texts(app)} == {"k2"}, "in no table is anything left under k1"
    assert len(sealed_texts(app)) == 5
    file = app.parent / "master.key"
    file.write_text(file.read_text("ascii").split("\n")[0], "ascii")
    assert opened(app) == before, "the same hook address, the same credentials, the same attempt"
    assert rows(app) == {"k2": ("current", {"connect attempts": 2, "credentials": 2, "salt": 1})}
    assert "0 secrets sealed anew" in run(app, "rotate").output


def test_a_key_removed_too_early_is_named(app: Path) -> None:
    put_first(app)
    file = app.parent / "master.key"
    both = file.read_text("ascii")
    file.write_text(both.split("\n")[0], "ascii")
    with pytest.raises(ConfigError, match="needs encryption key 'k1'"):
        load(app)
    file.write_text(both, "ascii")
    load(app).close()


def test_half_a_change_changes_nothing(app: Path) -> None:
    """A secret under a key nobody has stops the change before anything is written."""
    put_first(app)
    strange = Vault({"lost": os.urandom(32)}, "lost")
    kiitos = load(app)
    with kiitos.store.work.transaction() as tx:
        shops.put_secret(tx, strange, "zz-last", "token", "x", kiitos.clock.now())
    before = sealed_texts(app)
    with pytest.raises(ConfigError, match="'lost'"), kiitos.store.work.transaction() as tx:
        sealing.reseal(tx, kiitos.vault, kiitos.clock.now())
    kiitos.close()
    assert sealed_texts(app) == before
    assert rows(app)["lost"] == ("MISSING", {"credentials": 1})


def test_whoever_seals_something_new_must_have_it_rotated() -> None:
    """A new use of the vault belongs into `connector.store.sealing` too."""
    uses = {
        str(path.relative_to(ROOT))
        for folder in ("connector", "flows", "platforms", "webhooks")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"vault\.encrypt\(", path.read_text("utf-8"))
    }
    assert uses == {
        "connector/credentials.py",
        "connector/store/connecting.py",
        "connector/store/push_subscriptions.py",
        "connector/store/sealing.py",
        "connector/store/shops.py",
    }
