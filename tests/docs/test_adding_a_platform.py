"""docs/adding-a-platform.md: the package that its blocks make, made and checked as the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.docs.documents import ROOT
from tests.outside import environ_with, install

PAGE = ROOT / "docs" / "adding-a-platform.md"
_FILE = re.compile(r"^`([\w./-]+)`:\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^(\w+) {2,}(holds|fails|not offered|not shown)", re.MULTILINE)


def assemble(folder: Path) -> list[str]:
    """Write the files the page shows; their names."""
    named = _FILE.findall(PAGE.read_text("utf-8"))
    for name, text in named:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return [name for name, _ in named]


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environ = environ_with(folder.parent / "site", **more)
    if "KIITOS_UPDATE_GOLDENS" in more:
        environ.pop("CI", None)
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environ, capture_output=True, text=True, timeout=300
    )


def test_the_page_leads_to_a_passing_kit(tmp_path: Path) -> None:
    package = tmp_path / "kiitos-corner"
    names = assemble(package)
    assert len(names) == len(set(names)) == 8
    install(package, tmp_path / "site")
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    kiitos = ("-c", "from connector.cli import main; main()", "adapters", "check", "corner")

    before = run(package, *kiitos)
    assert before.returncode == 1
    assert "expected.json is missing" in before.stdout

    written = run(package, *tests, KIITOS_UPDATE_GOLDENS="1")
    assert written.returncode == 0, written.stdout
    passed = run(package, *tests)
    assert passed.returncode == 0, passed.stdout

    held = run(package, *kiitos)
    told = dict(_ROW.findall(held.stdout))
    shown = dict(_ROW.findall(PAGE.read_text("utf-8")))
    assert held.returncode == 0, held.stdout
    assert shown == {name: state for name, state in told.items() if state != "not offered"}
