"""`kiitos adapters`: what is installed, a package to begin with, and what holds of an adapter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.testing.report import CALLS, GROUPS, SHOWN
from tests.outside import ROOT, environ_with, install

SIGNED = 'return hmac.compare_digest(hmac.digest(secret, body, "sha256"), given)'


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["adapters", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A new package, as `kiitos adapters new acme-shop` writes it."""
    code, output = run("new", "acme-shop", "--into", str(tmp_path))
    assert code == 0, output
    return tmp_path / "kiitos-acme-shop"


def check(package: Path, *options: str) -> subprocess.CompletedProcess[str]:
    site = package.parent / "site"
    if not site.exists():
        install(package, site)
    command = [
        sys.executable,
        "-c",
        "from connector.cli import main; main()",
        "adapters",
        "check",
        "acme-shop",
        *options,
    ]
    return subprocess.run(command, env=environ_with(site), capture_output=True, text=True, timeout=120)


def test_what_is_installed_is_listed_with_what_it_can_do() -> None:
    code, output = run("list", "--json")
    rows = {row["name"]: row for row in json.loads(output)}
    assert code == 0
    assert rows["shopify"]["class"] == "platforms.shopify:Shopify"
    assert "CreatesDiscounts" in rows["woocommerce"]["capabilities"]


def test_a_new_package_holds_out_of_the_box(acme: Path) -> None:
    done = check(acme, "--json")
    states = {row["check"]: row["state"] for row in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert {states[group] for group in GROUPS} == {"holds"}
    assert (states["FetchesOrders"], states["CreatesDiscounts"]) == ("holds", "not offered")


def test_its_own_tests_pass_and_its_code_is_clean(acme: Path) -> None:
    site = install(acme, acme.parent / "site")
    environ = environ_with(site)
    for command in (
        ["pytest", "-q", "-p", "no:cacheprovider", "."],
        ["ruff", "check", "--isolated", "--line-length", "120", "--select", "E,F,W,I,B,UP,SIM,RUF", "."],
        ["ruff", "format", "--check", "--isolated", "--line-length", "120", "."],
        ["mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), "kiitos_acme_shop"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=acme, env=environ, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_says_what_it_is_not(acme: Path) -> None:
    page = (acme / "README.md").read_text("utf-8")
    assert "nothing here knows acme-shop" in page
    assert len((acme / "tests" / "test_conformance.py").read_text().splitlines()) <= 10


def test_a_package_that_was_broken_fails_with_the_reason_and_exit_1(acme: Path) -> None:
    adapter = acme / "kiitos_acme_shop" / "adapter.py"
    text = adapter.read_text("utf-8")
    assert SIGNED in text
    adapter.write_text(text.replace(SIGNED, "return True"), "utf-8")
    done = check(acme)
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("signature")]
    assert done.returncode == 1
    assert row.split(None, 2)[1] == "fails"
    assert "accepted another secret's signature" in row


def test_a_capability_without_recorded_http_fails(acme: Path) -> None:
    for tape in (acme / "kiitos_acme_shop" / "exchanges" / "fetch_order").iterdir():
        tape.unlink()
    done = check(acme, "--json")
    rows = {row["check"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert rows["FetchesOrders"]["state"] == "fails"
    assert "no recorded HTTP shows it" in rows["FetchesOrders"]["why"]


def test_recordings_may_be_elsewhere(acme: Path, tmp_path: Path) -> None:
    (acme / "kiitos_acme_shop" / "recordings").rename(tmp_path / "elsewhere")
    missing = check(acme)
    assert missing.returncode == 3
    assert "--recordings" in missing.stderr
    assert check(acme, "--recordings", str(tmp_path / "elsewhere")).returncode == 0


@pytest.mark.parametrize("name", ["Acme", "a", "1acme", "../acme", "acme/x", "acme--x", "acme-", "acme.x", "x" * 31])
def test_a_name_that_is_not_safe_is_refused(name: str, tmp_path: Path) -> None:
    code, output = run("new", name, "--into", str(tmp_path))
    assert code == 2
    assert "lower-case letters" in output
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_no_name_taken_twice(acme: Path) -> None:
    before = {file: file.read_bytes() for file in acme.rglob("*") if file.is_file()}
    code, output = run("new", "acme-shop", "--into", str(acme.parent))
    assert code == 2
    assert "there already" in output
    assert {file: file.read_bytes() for file in acme.rglob("*") if file.is_file()} == before
    code, output = run("new", "shopify", "--into", str(acme.parent))
    assert (code, "installed already" in output) == (2, True)


def test_a_name_nearly_taken_is_told(tmp_path: Path) -> None:
    code, output = run("new", "shopfy", "--into", str(tmp_path))
    assert code == 0
    assert "did you mean 'shopify'?" in output


def test_an_adapter_nobody_installed_is_named_with_a_near_match() -> None:
    result = CliRunner().invoke(cli, ["adapters", "check", "shopfy"])
    assert "did you mean 'shopify'?" in str(result.exception)


def test_every_check_of_the_kit_is_in_the_table() -> None:
    from connector.testing import PlatformConformance

    tests = {name for name in dir(PlatformConformance) if name.startswith("test_")}
    told = [*(test for group in GROUPS.values() for test in group), *CALLS, SHOWN]
    assert sorted(told) == sorted(tests)
