"""Links between documents lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.documents import ROOT, anchors, documents, links, name_of


def broken(text: str, path: Path) -> list[str]:
    """The links of a document at `path` that lead to no file or to no heading."""
    faults = []
    for line, target in links(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, fragment = target.partition("#")
        goal = (path.parent / file).resolve() if file else path
        inside = not file or (goal.is_relative_to(ROOT) and goal.exists())
        if not inside or (fragment and fragment not in anchors(text if not file else goal.read_text("utf-8"))):
            faults.append(f"{name_of(path)}:{line}: {target}")
    return faults


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_links_resolve(path: Path) -> None:
    assert broken(path.read_text("utf-8"), path) == []


def test_a_link_to_nothing_is_found() -> None:
    text = "# Here\n[a](docs/nowhere.md) [b](README.md#no-such-part) [c](#here) [d](docs/errors.md#configerror)\n"
    assert broken(text, ROOT / "x.md") == ["x.md:2: docs/nowhere.md", "x.md:2: README.md#no-such-part"]


def test_every_document_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        if path.is_dir():
            waiting.extend(path.glob("*.md"))
        elif path.suffix == ".md":
            waiting.extend(
                (path.parent / t.split("#")[0]).resolve() for _, t in links(path.read_text("utf-8")) if "://" not in t
            )
    lost = [name_of(path) for path in documents() if path not in seen]
    assert lost == []
