"""`kiitos loyalty`: why somebody owns what they own, adjustments, lists of other programmes, the books checked."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.app import load
from connector.model import EventKind
from connector.store import accounts, books
from connector.worker import Worker
from tests.cli.test_commands import SHOP, app, run
from tests.store.loyal import AINO, line, purchase, told

__all__ = ["app"]
PROGRAMME = """
[loyalty]
return_window = "14d"
[loyalty.rules.spend]
kind = "spend"
points = 1
per = "1 EUR"
[loyalty.tiers.silver]
at = "50 EUR"
[loyalty.tiers.gold]
at = "500 EUR"
"""


@pytest.fixture
def shop(app: Path) -> Path:
    app.write_text(app.read_text("utf-8") + PROGRAMME, "utf-8")
    kiitos = load(app, {})
    made = purchase(line("a", "60"), order_id="17", email=AINO, at=kiitos.clock.now())
    with kiitos.store.work.transaction() as tx:
        kiitos.runner.ingest(tx, SHOP, [told(made, EventKind.ORDER_PAID)], kiitos.clock.now())
    kiitos.store.close()
    return app


def shown(config: Path, email: str = AINO) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(config, "loyalty", "show", email, "--shop", SHOP, "--json").stdout)
    return found


def test_every_entry_says_why(shop: Path) -> None:
    found = shown(shop)
    assert found["units"] == [{"unit": "points", "available": "0", "pending": "60", "owed": "0"}]
    earned, held = found["entries"]
    assert (earned["kind"], earned["amount"], earned["cause"], earned["rule"]) == ("earn", "60", "order/17", "spend")
    assert (held["kind"], len(held["version"]), held["because"][:14]) == ("hold", 12, "order/17/order")
    assert (found["tier"]["name"], found["tier"]["next"], found["tier"]["missing"]) == ("Silver", "Gold", "440")
    assert found["tier"]["why"] == "60 spend in the last 365 days, at least the 50 of Silver"
    assert earned["lines"] == held["lines"] == [{"line": "a", "title": "Thing", "amount": "60"}]
    text = run(shop, "loyalty", "show", AINO, "--shop", SHOP).output
    assert "0 to use, 60 pending" in text
    assert text.count("Thing 60") == 1, "in the line that tells how it was earned"
    assert run(shop, "loyalty", "show", "nobody@example.test", "--shop", SHOP).exit_code == 1


def test_an_adjustment_counts_once_and_never_takes_more_than_there_is(shop: Path) -> None:
    words = ("loyalty", "adjust", "--shop", SHOP, "--by", "maija")
    assert "70 points" in run(shop, *words, "--key", "k", "--note", "late", "--", AINO, "70").output
    assert "nothing was changed" in run(shop, *words, "--key", "k", "--", AINO, "70").output
    assert "50 points" in run(shop, *words, "--", AINO, "-20").output
    refused = run(shop, *words, "--", AINO, "-51")
    assert (refused.exit_code, "only 50" in refused.output) == (1, True)
    notes = [(entry["by"], entry["note"]) for entry in shown(shop)["entries"] if entry["cause"] == "adjustment"]
    assert notes == [("maija", "late"), ("maija", "late")]
    assert run(shop, "loyalty", "check", "--shop", SHOP).exit_code == 0


@pytest.mark.parametrize(
    ("words", "days"), [((), 100), (("--expires", "30d"), 30), (("--expires", "never"), None)], ids=str
)
def test_an_adjustment_lapses_as_other_points_unless_it_says_otherwise(
    shop: Path, words: tuple[str, ...], days: int | None
) -> None:
    shop.write_text(shop.read_text("utf-8").replace('return_window = "14d"', 'return_window = "14d"\nexpires = "100d"'))
    assert run(shop, "loyalty", "adjust", AINO, "70", "--shop", SHOP, "--by", "maija", *words).exit_code == 0
    kiitos = load(shop, {})
    with kiitos.store.work.read() as tx:
        facts = books.facts_of(tx, SHOP, accounts.find(tx, SHOP, None, AINO).accounts)
        tx.script("SELECT kind FROM events WHERE kind LIKE 'points%' AND data LIKE '%\"70\"%'")
        assert [row[0] for row in tx._cursor.fetchall()] == ["points.changed"]
    kiitos.store.close()
    (given,) = [fact for fact in facts if fact.cause == "adjustment"]
    assert (given.expires_at - given.at if given.expires_at else None) == (timedelta(days=days) if days else None)
    refused = run(shop, "loyalty", "adjust", AINO, "70", "--shop", SHOP, "--by", "maija", "--expires", "soon")
    assert (refused.exit_code, "--expires" in refused.output) == (2, True)


def test_a_list_of_another_programme_counts_once_and_names_what_it_leaves_out(shop: Path, tmp_path: Path) -> None:
    listed = tmp_path / "customers.csv"
    listed.write_text(
        "First Name,EMAIL,Points Balance,VIP tier\n"
        'Aino,aino@example.test,"1,200",Gold\nEero,eero@example.test,40,\nX,nobody,3,\n'
        "Y,y@example.test,ten,\nZ,z@example.test,1,Platin\nAino,AINO@example.test,5,\n",
        "utf-8",
    )
    words = ("loyalty", "import", str(listed), "--shop", SHOP, "--by", "maija", "--json")
    dry = json.loads(run(shop, *words, "--dry-run").stdout)
    assert (dry["taken"], dry["points"]) == (2, 1240)
    assert shown(shop)["units"][0]["available"] == "0"
    first, second = (json.loads(run(shop, *words).stdout) for _ in range(2))
    assert [line for line, _ in first["left_out"]] == [4, 5, 6, 7]
    assert (first["taken"], second["taken"], second["known"]) == (2, 0, 2)
    assert shown(shop)["units"][0]["available"] == "1200"
    assert shown(shop)["tier"]["name"] == "Gold"
    assert shown(shop, "eero@example.test")["units"][0]["available"] == "40"


@pytest.mark.parametrize(("messages", "kinds"), [((), set()), (("--messages",), {"points.changed"})])
def test_an_import_is_told_only_when_it_is_to_be(
    shop: Path, tmp_path: Path, messages: tuple[str, ...], kinds: set[str]
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("email,points\nuusi@example.test,40\n", "utf-8")
    done = run(shop, "loyalty", "import", str(listed), "--shop", SHOP, "--by", "maija", *messages)
    assert done.exit_code == 0, done.output
    kiitos = load(shop, {})
    Worker(kiitos).drain()
    with kiitos.store.work.read() as tx:
        tx.script("SELECT kind FROM events WHERE kind LIKE 'points%' AND data LIKE '%\"40\"%'")
        assert {row[0] for row in tx._cursor.fetchall()} == kinds
    kiitos.store.close()


def test_a_file_without_the_columns_is_refused(shop: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("mail,points\na@example.test,1\n", "utf-8")
    refused = run(shop, "loyalty", "import", str(listed), "--shop", SHOP, "--by", "maija")
    assert (refused.exit_code, "no column 'email'" in str(refused.exception)) == (1, True)


def test_coupons_are_added_counted_and_seats_are_numbered(shop: Path, tmp_path: Path) -> None:
    codes = tmp_path / "codes.txt"
    codes.write_text("A\nB\n\nA\n", "utf-8")
    words = ("loyalty", "coupons", "spa", "--shop", SHOP)
    assert "2 of 3 were new" in run(shop, *words, "--add", str(codes)).output
    assert "3 of 3 were new" in run(shop, "loyalty", "coupons", "evening", "--shop", SHOP, "--seats", "3").output
    found = json.loads(run(shop, "loyalty", "coupons", "--shop", SHOP, "--json").stdout)
    assert found == [{"perk": "evening", "coupons": 3, "free": 3}, {"perk": "spa", "coupons": 2, "free": 2}]


def test_the_look_back_reads_the_shops_orders(shop: Path) -> None:
    found = json.loads(run(shop, "loyalty", "backtest", SHOP, "--json", "--redeemed", "50%").stdout)
    assert (found["members"], found["orders"], found["points"]["earned"]) == (1, 1, "60")
    assert (found["liability"], found["cost"], found["tiers"]) == ("0.60 EUR", "0.300 EUR", {"silver": 1})
    assert run(shop, "loyalty", "void", "NEVER", "--shop", SHOP, "--reason", "x").exit_code == 1
