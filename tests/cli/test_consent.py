"""`kiitos consent`: the ledger by hand, as a file, and its proof."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.app import load
from connector.model import EffectStatus, Purpose
from connector.store import effects
from tests.cli.test_commands import SHOP, app, run  # noqa: F401 - fixtures
from tests.store.examples import effect

WHO = "aino@example.test"


def ledger(config: Path, address: str = WHO) -> list[dict[str, str]]:
    found = run(config, "consent", "show", SHOP, address, "--json")
    told: list[dict[str, str]] = json.loads(found.stdout)
    return told


def test_nothing_is_known_of_a_stranger(app: Path) -> None:  # noqa: F811
    result = run(app, "consent", "show", SHOP, WHO)
    assert (result.exit_code, "no decision" in result.stderr) == (1, True)


def test_what_was_said_on_paper(app: Path) -> None:  # noqa: F811
    words = ("consent", "record", SHOP, "Aino@Example.test")
    yes = run(app, *words, "--yes", "--source", "paper form", "--text", "I agree", "--at", "2026-01-05T10:00:00")
    assert yes.exit_code == 0, yes.output
    assert run(app, *words, "--no", "--source", "telephone", "--purpose", "review").exit_code == 0
    first, second = ledger(app)
    assert (first["state"], first["source"], first["text"], first["at"][:16]) == (
        "granted",
        "paper form",
        "I agree",
        "2026-01-05T10:00",
    )
    assert (second["state"], second["purpose"], second["source"]) == ("withdrawn", "review", "telephone")
    table = run(app, "consent", "show", SHOP, WHO).output
    assert "paper form" in table


@pytest.mark.parametrize(
    "words",
    [
        (WHO, "--source", "x"),
        (WHO, "--yes"),
        ("nobody", "--yes", "--source", "x"),
        (WHO, "--yes", "--source", "x", "--at", "2999-01-01"),
        (WHO, "--yes", "--source", "x", "--purpose", "transactional"),
    ],
)
def test_what_cannot_be_recorded(app: Path, words: tuple[str, ...]) -> None:  # noqa: F811
    assert run(app, "consent", "record", SHOP, *words).exit_code == 2


def test_a_file_comes_in_once_and_goes_out_whole(app: Path, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "said.csv"
    file.write_text(
        "\ufeffAddress,state,at,source,text\n"
        f"{WHO},granted,2026-01-05T10:00:00+02:00,old newsletter,Yes please\n"
        "b@example.test,withdrawn,,,\n"
        "no address,granted,,,\n"
        "c@example.test,maybe,,,\n"
        "d@example.test,granted,yesterday,,\n",
        "utf-8",
    )
    tried = run(app, "consent", "import", SHOP, str(file), "--dry-run")
    assert (tried.exit_code, "2 line(s) are good, 3 left out" in tried.output) == (1, True)
    assert run(app, "consent", "show", SHOP, WHO).exit_code == 1
    result = run(app, "consent", "import", SHOP, str(file))
    assert (result.exit_code, "2 line(s) taken in, 3 left out" in result.output) == (1, True)
    for line, reason in ((4, "address is none"), (5, "state should be one of"), (6, "at should be a time")):
        assert f"said.csv, line {line}: {reason}" in result.output
    run(app, "consent", "import", SHOP, str(file))
    (entry,) = ledger(app)
    assert (entry["at"][:16], entry["source"], entry["text"]) == ("2026-01-05T08:00", "old newsletter", "Yes please")
    target = tmp_path / "ledger.csv"
    assert run(app, "consent", "export", SHOP, "--to", str(target)).exit_code == 0
    assert target.stat().st_mode & 0o077 == 0
    with target.open(newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    assert {(row["address"], row["state"]) for row in rows} >= {(WHO, "granted"), ("b@example.test", "withdrawn")}
    again = run(app, "consent", "import", SHOP, str(target), "--dry-run")
    assert again.exit_code == 0, "what goes out can come in"


@pytest.mark.parametrize(("header", "told"), [("adress,state", "did you mean"), ("address", "'state' is missing")])
def test_a_header_that_is_none(app: Path, tmp_path: Path, header: str, told: str) -> None:  # noqa: F811
    file = tmp_path / "wrong.csv"
    file.write_text(f"{header}\n{WHO},granted\n", "utf-8")
    result = run(app, "consent", "import", SHOP, str(file))
    assert result.exit_code != 0
    assert told in str(result.exception)


def test_the_proof_and_a_planted_message(app: Path) -> None:  # noqa: F811
    assert "each had one" in run(app, "consent", "prove").output
    kiitos = load(app)
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    planted = effect(
        shop_id=SHOP, status=EffectStatus.SENT, recipient=WHO, purpose=Purpose.MARKETING, first_try_at=at, done_at=at
    )
    with kiitos.store.work.transaction() as tx:
        effects.put(tx, planted)
    kiitos.close()
    result = run(app, "consent", "prove", SHOP)
    assert result.exit_code == 1
    assert "r1:ask" in result.output
    assert "1 of 1 message(s) were sent without a ground" in result.output
    assert WHO not in result.output
    told = json.loads(run(app, "consent", "prove", "--json").stdout)
    assert [row["why"] for row in told["without_ground"]] == ["nothing was recorded, and no soft opt-in"]


def test_a_shop_without_a_sign_up_page_has_no_address_of_it(app: Path) -> None:  # noqa: F811
    result = run(app, "consent", "link", SHOP)
    assert "write signup = true" in str(result.exception)


def test_the_address_and_the_form(app: Path) -> None:  # noqa: F811
    text = app.read_text("utf-8")
    app.write_text(
        text.replace("[defaults]", "[defaults]\nsignup = true\nflows.opt-in = { file = 'opt_in' }", 1), "utf-8"
    )
    result = run(app, "consent", "link", SHOP, "--lang", "sv")
    assert result.exit_code == 0, result.output
    url, _, snippet = result.output.partition("\n\n")
    assert f'action="{url}"' in snippet
    assert "Din e-postadress" in snippet
