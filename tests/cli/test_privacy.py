"""`kiitos privacy`: what a merchant without compliance webhooks types, what it prints, and how it ends."""

from __future__ import annotations

import json
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.app import load
from connector.cli import cli, main
from connector.store import privacy
from tests.cli.test_commands import SHOP, app, ordered  # noqa: F401 - fixtures

EMAIL = "sisu.laaksonen@example.com"


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(config), *words])


def ended(config: Path, *words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["kiitos", "-c", str(config), *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture
def email(ordered: Path) -> str:  # noqa: F811
    """The address of the one customer there is."""
    kiitos = load(ordered)
    with kiitos.store.work.read() as tx:
        row = tx._cursor.execute("SELECT email_key FROM orders WHERE email_key IS NOT NULL").fetchone()
    kiitos.close()
    return str(row[0])


def test_export_writes_a_private_zip_and_logs_the_access(ordered: Path, email: str, tmp_path: Path) -> None:  # noqa: F811
    target = tmp_path / "who.zip"
    result = run(ordered, "privacy", "export", SHOP, "--email", email, "--to", str(target))
    assert result.exit_code == 0, result.output
    assert email not in result.output
    assert target.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(target) as archive:
        assert email in archive.read("data.json").decode()
    kiitos = load(ordered)
    with kiitos.store.work.read() as tx:
        request = privacy.trail(tx, SHOP)[0]
        assert [route for _, route in privacy.accesses(tx, SHOP, request.id)] == ["command"]
    kiitos.close()


def test_erase_asks_first_and_then_leaves_no_byte(ordered: Path, email: str, tmp_path: Path) -> None:  # noqa: F811
    def known() -> bool:
        files = (path for path in tmp_path.rglob("*") if path.is_file() and ".db" in str(path.relative_to(tmp_path)))
        return any(email.encode() in path.read_bytes() for path in files)

    assert known()
    refused = CliRunner().invoke(cli, ["-c", str(ordered), "privacy", "erase", SHOP, "--email", email], input="n\n")
    assert refused.exit_code == 1
    assert known()
    result = run(ordered, "privacy", "erase", SHOP, "--email", email, "--yes")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("done: ")
    assert not known()
    again = run(ordered, "privacy", "export", SHOP, "--email", email, "--to", str(tmp_path / "x.zip"))
    assert again.exit_code != 0


def test_requests_is_the_audit_trail_and_an_old_open_one_is_an_alarm(ordered: Path, email: str) -> None:  # noqa: F811
    run(ordered, "privacy", "erase", SHOP, "--email", email, "--yes")
    fine = run(ordered, "privacy", "requests", "--json")
    assert fine.exit_code == 0
    (request,) = json.loads(fine.output)
    assert (request["kind"], request["source"], request["status"]) == ("erase_customer", "command", "done")
    assert email not in fine.output

    kiitos = load(ordered)
    with kiitos.store.work.transaction() as tx:
        long_ago = kiitos.clock.now() - timedelta(days=8)
        privacy.ask(tx, SHOP, "forgotten", privacy.EXPORT, "webhook", {}, "", long_ago)
    kiitos.close()
    alarm = run(ordered, "privacy", "requests")
    assert alarm.exit_code == 1
    assert "more than 7 days" in alarm.output


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("export", SHOP, "--to", "x.zip"), 3),
        (("export", SHOP, "--email", "nobody@example.test", "--to", "x.zip"), 1),
        (("erase", "no-such-shop", "--email", EMAIL, "--yes"), 3),
        (("export", SHOP, "--request", "unknown", "--to", "x.zip"), 1),
    ],
)
def test_what_cannot_be_done_says_so(
    ordered: Path,  # noqa: F811
    words: tuple[str, ...],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ended(ordered, "privacy", *words, monkeypatch=monkeypatch) == code
    assert not Path("x.zip").exists()


def test_a_whole_shop(ordered: Path, email: str, tmp_path: Path) -> None:  # noqa: F811
    result = run(ordered, "privacy", "erase-shop", SHOP, "--yes")
    assert result.exit_code == 0, result.output
    files = (path for path in tmp_path.rglob("*") if path.is_file() and ".db" in str(path.relative_to(tmp_path)))
    assert not any(email.encode() in path.read_bytes() for path in files)
