"""No committed file names a machine's folder or a package registry: the project must build anywhere."""

from __future__ import annotations

import re

import pytest

from tests.docs.documents import committed, name_of

# The words are put together here, so that this file does not hold them.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs"),
        ("npmjs", "com"),
        ("deb", "debian"),
        ("archive", "ubuntu"),
        ("proxy", "golang"),
        ("crates", "io"),
    )
]
FOLDERS = ["/".join(("", name, "")) for name in ("work", "opt", "root", "home", "Users")]
_WORDS = re.compile("|".join([*map(re.escape, REGISTRIES), *(rf"(?<![\w.}}>)-]){re.escape(f)}" for f in FOLDERS)]))


def found_in(text: str) -> list[tuple[int, str]]:
    """The line and the word of each name of a registry or of a folder of some machine."""
    return [(text.count("\n", 0, hit.start()) + 1, hit[0]) for hit in _WORDS.finditer(text)]


def test_no_file_names_a_machine_or_a_registry() -> None:
    faults = []
    for path in committed():
        body = path.read_bytes()
        if b"\0" not in body:
            faults += [f"{name_of(path)}:{line}: {word}" for line, word in found_in(body.decode("utf-8", "replace"))]
    assert faults == []


@pytest.mark.parametrize("word", [*REGISTRIES, *FOLDERS])
def test_such_a_word_would_be_found(word: str) -> None:
    assert found_in(f"one\nsee {word}x") == [(2, word)]


@pytest.mark.parametrize("text", ["shop/work/x", "https://example.com/home/", "network/opt/"])
def test_addresses_are_no_folders(text: str) -> None:
    assert found_in(text) == []
