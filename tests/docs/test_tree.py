"""The page for developers names every package, in the package's own words. `KIITOS_UPDATE_GOLDENS=1` writes it anew."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "developer.md"
BEGIN, END = "<!-- the packages, in their own words -->\n", "<!-- end of the packages -->\n"
DATA = {
    "connector/notice_texts": "Notices to merchants, by language.",
    "connector/wording": "Words of the product's own texts, by language.",
    "flows/library": "The shipped flows.",
    "flows/templates": "The shipped messages, by language.",
}
"""Folders without code."""


def packages() -> Iterator[tuple[str, str]]:
    """(folder, what it is for) of every folder of code, two levels deep."""
    for root in ("connector", "flows", "platforms", "webhooks"):
        for folder in sorted({ROOT / root, *(path for path in (ROOT / root).iterdir() if path.is_dir())}):
            name = folder.relative_to(ROOT).as_posix()
            if folder.name == "__pycache__":
                continue
            yield name, DATA[name] if name in DATA else first_sentence(folder / "__init__.py")


def first_sentence(file: Path) -> str:
    words = ast.get_docstring(ast.parse(file.read_text("utf-8"))) if file.exists() else None
    assert words, f"{file.parent.name} does not say what it is for"
    first = " ".join(words.split("\n\n")[0].split())
    return first.partition(". ")[0].rstrip(".") + "."


def table() -> str:
    rows = (f"| `{name}/` | {words} |" for name, words in packages())
    return "\n".join(["| folder | |", "| --- | --- |", *rows, ""])


def test_every_package_stands_on_the_page_in_its_own_words() -> None:
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    shown, _, after = rest.partition(END)
    if os.environ.get("KIITOS_UPDATE_GOLDENS"):
        shown = table()
        PAGE.write_text(before + BEGIN + shown + END + after, "utf-8")
    assert shown == table(), "write it anew with KIITOS_UPDATE_GOLDENS=1"


def test_folders_stay_small_enough_to_be_read() -> None:
    """No folder of code has so many entries that its listing tells nothing."""
    counts = {name: len([p for p in (ROOT / name).iterdir() if p.name != "__pycache__"]) for name, _ in packages()}
    large = {name: count for name, count in counts.items() if count > LARGEST and name not in LISTS}
    assert not large
    assert all(counts[name] > LARGEST for name in LISTS), "what is small again needs no exception"


LARGEST = 48
LISTS = {
    "connector/cli": "a command a file",
    "connector/store": "an aggregate a file",
    "flows/templates": "a message and language a file",
}
