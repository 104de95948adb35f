"""The databases of the store's own suite, and an installation with a little life in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.clock import SystemClock
from connector.config import load_config
from connector.store import Store, inbox, meta
from tests.store.conftest import open_store, postgres_dsn, schema_dsn, store, url
from tests.store.examples import NOW, delivery

__all__ = ["open_store", "postgres_dsn", "schema_dsn", "store", "url"]

APP = """
schema = 1
[app]
database = "{database}"
master_key = {{ file = "master.key", generate = true }}
[channels.mail]
kind = "smtp"
url = "smtp://127.0.0.1:9"
tls = "none"
[defaults]
email = "mail"
flows.order-confirmation = {{ file = "order_confirmation" }}
[clients.acme.shops.main]
platform = "shopify"
domain = "acme.myshopify.com"
sender = "Acme <orders@acme.example>"
webhook_secret = {{ file = "hook", generate = true }}
address = ["Acme Oy", "Esimerkkikatu 1", "00100 Helsinki"]
country = "FI"
{more}
"""


@pytest.fixture
def write_app(tmp_path: Path) -> Callable[..., Path]:
    """`write_app(database, more)`: an app.toml in a folder of its own."""

    def write(database: str = "sqlite:///kiitos.db", more: str = "") -> Path:
        path = tmp_path / "app.toml"
        path.write_text(APP.format(database=database, more=more), "utf-8")
        load_config(path)
        return path

    return write


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


def fill(store: Store, count: int = 20, start: int = 0) -> None:
    """Some deliveries and as many rows of the working database; the cursor behind them."""
    with store.inbox.transaction() as tx:
        inbox.put_many(
            tx, [delivery(f"d{n}", body=b'{"email":"aino@example.test"}' * 9) for n in range(start, start + count)]
        )
    with store.work.transaction() as tx:
        for n in range(start, start + count):
            meta.put(tx, f"row/{n}", "ä\t\\\n\x01" * 3, NOW)
