"""`kiitos audience`, `recommendations`, `products` and `signup`: what merchants and agencies do by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connector.app import load
from connector.clock import SystemClock
from connector.config.growth import audiences_table
from connector.model import (
    Channel,
    Consent,
    ConsentState,
    Customer,
    Event,
    EventKind,
    LineItem,
    Money,
    Product,
    Purpose,
    Ref,
)
from connector.store import consents
from connector.worker import Worker
from flows.people.audiences import digest
from tests.cli.test_commands import SHOP, app, run  # noqa: F401 - fixtures
from tests.store.examples import order

WHO = "aino@example.test"
MORE = """
signup = true
flows.opt-in = { file = "opt_in" }
flows.cross-sell = { file = "cross_sell" }
[defaults.audiences]
ground = "consent"
[segments.buyers]
when = ["customer.lifetime.orders >= 1"]
"""


@pytest.fixture
def shop(app: Path) -> Path:  # noqa: F811
    """Twelve customers: cups go with trays, and cups are bought again after thirty days; one may be advertised to."""
    text = app.read_text("utf-8")
    keys, tables = MORE.split("[defaults.audiences]")
    app.write_text(text.replace("[clients.acme", f"{keys}[defaults.audiences]{tables}[clients.acme", 1), "utf-8")
    kiitos, now = load(app), SystemClock().now()
    with kiitos.store.work.transaction() as tx:
        for name in ("cup", "tray"):
            sold = Product(id=name, title=name.title(), url=f"https://acme.example/{name}", raw_status="active")
            kiitos.runner.ingest(tx, SHOP, [event("product", name, now, product=sold)], now)
        for number in range(24):
            address = WHO if number == 0 else f"c{number}@example.test"
            goods = ("cup", "tray") if 0 < number < 12 else ("cup",) if number == 0 else ("lamp",)
            for days in (150, 120) if number < 12 else (150,):
                placed = now - timedelta(days=days)
                made = replace(
                    order(f"{number}-{days}", email=address, updated_at=placed), number=f"#{number}-{days}",
                    customer=None, placed_at=placed, lines=tuple(map(line, goods)),
                )  # fmt: skip
                kiitos.runner.ingest(tx, SHOP, [event("order", made.id, placed, order=made, order_id=made.id)], now)
        known = Customer(id="c1", email=WHO, tags=("ad-audiences",), updated_at=now)
        kiitos.runner.ingest(tx, SHOP, [event("customer", "c1", now, customer=known)], now)
        said = Consent(
            channel=Channel.EMAIL, purpose=Purpose.MARKETING, state=ConsentState.GRANTED, raw_state="yes",
            at=now - timedelta(days=1), source="form", address=WHO,
        )  # fmt: skip
        consents.record(tx, SHOP, said, now)
    Worker(kiitos).drain(400)
    kiitos.close()
    return app


def event(kind: str, name: str, at: datetime, **more: object) -> Event:
    kinds = {
        "product": EventKind.PRODUCT_UPDATED,
        "order": EventKind.ORDER_CREATED,
        "customer": EventKind.CUSTOMER_UPDATED,
    }
    return Event(kind=kinds[kind], key=f"{kind}/{name}", subject=Ref(kind, name), at=at, **more)  # type: ignore[arg-type]


def line(product: str) -> LineItem:
    price = Money(Decimal(10), "EUR")
    return LineItem(id=product, title=product, quantity=1, unit_price=price, total=price, product_id=product)


def test_an_audience_is_a_file_for_its_owner_alone_and_a_line_of_record(shop: Path, tmp_path: Path) -> None:
    out, gone = tmp_path / "vip.csv", tmp_path / "gone.csv"
    out.write_text("what was there before, for everybody")
    out.chmod(0o644)
    words = ("audience", "export", SHOP, "--segment", "buyers", "--for", "google", "--out", str(out))
    result = run(shop, *words, "--removed", str(gone), "--by", "Ada")
    assert result.exit_code == 0, result.output
    assert (out.stat().st_mode & 0o777, gone.stat().st_mode & 0o777) == (0o600, 0o600)
    assert out.read_text() == f"Email,Phone\n{digest(WHO)},\n"
    assert gone.read_text() == "Email,Phone\n"
    assert "1 people" in result.output
    assert "left out, no consent to marketing: 23" in result.output
    (told,) = json.loads(run(shop, "audience", "log", SHOP, "--json").stdout)
    assert (told["by"], told["segment"], told["for"], told["people"], told["ground"]) == (
        "Ada", "buyers", "google", 1, "consent",
    )  # fmt: skip
    assert WHO not in json.dumps(told)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"ground": "consent"}, ""),
        ({"ground": "stated", "statement": "Our notice"}, ""),
        ({"ground": "stated"}, "needs a statement"),
        ({"ground": "maybe"}, "needs ground"),
        ({}, "needs ground"),
        ({"grounds": "consent"}, "did you mean 'ground'"),
        ({"ground": "consent", "tag": 3}, "tag should be a text"),
        ("consent", "should be a table"),
    ],
)
def test_the_ground_is_checked_when_the_file_is_read(table: object, why: str) -> None:
    found = audiences_table(table)
    assert (found == "") if not why else why in found


def test_why_a_product_is_recommended_and_another_is_not(shop: Path) -> None:
    found = run(shop, "recommendations", "explain", SHOP, WHO, "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["follows_from"] == ["cup"]
    (tray,) = told["candidates"]
    assert (tray["product"], tray["recommended"], tray["because"][0]["together"]) == ("tray", True, 11)
    assert tray["because"][0]["lift"] > tray["because"][0]["lift_at_least"] > 1
    theirs = run(shop, "recommendations", "explain", SHOP, "c1@example.test")
    assert theirs.exit_code == 1
    assert "they have it" in theirs.output
    assert run(shop, "recommendations", "explain", SHOP, WHO, "--order", "0-150").exit_code == 0
    assert run(shop, "recommendations", "explain", SHOP, WHO, "--order", "77").exit_code == 1


def test_how_long_products_last(shop: Path) -> None:
    rows = {row["product"]: row for row in json.loads(run(shop, "products", "intervals", SHOP, "--json").stdout)}
    assert (rows["cup"]["days"], rows["cup"]["repeats"], rows["cup"]["title"]) == (30, 12, "Cup")
    assert rows["cup"]["low"] <= 30 <= rows["cup"]["high"]
    assert "lamp" not in rows
    assert run(shop, "products", "intervals", SHOP, "--least", "99").exit_code == 1


def test_the_form_for_the_shop_s_own_pages(shop: Path) -> None:
    form = run(shop, "signup", "snippet", SHOP, "--language", "fi").stdout
    assert "<script" not in form
    assert 'name="lang" value="fi"' in form
    assert run(shop, "signup", "link", SHOP).stdout.strip() in form
