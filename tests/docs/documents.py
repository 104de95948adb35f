"""Reading our Markdown: blocks, commands, headings, tables and links, each with its place for messages."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w*)\s*$")
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block. `line` is that of its first line of code, from 1."""

    where: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.where}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that a document shows; `typed` when it stands in a block, to be run as it is."""

    place: str
    words: tuple[str, ...]
    typed: bool

    def __str__(self) -> str:
        return f"{self.place} {' '.join(self.words)}"


@cache
def committed() -> tuple[Path, ...]:
    """Every file that git knows, as it is now; deleted ones left out."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return tuple(path for name in names.decode().split("\0") if name and (path := ROOT / name).is_file())


def documents() -> list[Path]:
    """The Markdown files people read: at the root, in docs/ and in bench/."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")]
    return sorted(found)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str, where: str) -> list[Block]:
    """The fenced blocks of a Markdown text. Raises `ValueError` for one that is not closed."""
    found: list[Block] = []
    begun: tuple[int, str] | None = None
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.match(line)
        if begun is None and fence:
            begun = (number, fence[1])
        elif begun is not None and line.strip() == "```":
            found.append(Block(where, begun[0] + 1, begun[1], "\n".join(lines[begun[0] : number - 1])))
            begun = None
    if begun is not None:
        raise ValueError(f"{where}:{begun[0]}: a block that is not closed")
    return found


def prose(text: str) -> list[tuple[int, str]]:
    """The lines outside blocks, with their numbers."""
    inside, found = False, []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            found.append((number, line))
    return found


def commands(text: str, where: str, program: str) -> Iterator[Command]:
    """Each line of a block that begins with `program`, and each `program ...` in backticks outside blocks."""
    for block in blocks(text, where):
        if block.language in ("", "sh", "bash", "console"):
            for number, line in enumerate(block.text.split("\n"), start=block.line):
                words = words_of(line.split("#")[0].removeprefix("$ "))
                if words[:1] == [program]:
                    yield Command(f"{where}:{number}", tuple(words[1:]), typed=True)
    for number, line in prose(text):
        yield from mentions(line, f"{where}:{number}", program)


def words_of(line: str) -> list[str]:
    """As a shell takes it apart, quotes and all; a line that is no command (an apostrophe) at its spaces."""
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def mentions(line: str, place: str, program: str) -> Iterator[Command]:
    """Each `program ...` in backticks."""
    for code in _CODE.findall(line):
        words = words_of(code)
        if words and words[0] == program and len(words) > 1:
            yield Command(place, tuple(words[1:]), typed=False)


def headings(text: str) -> list[str]:
    return [match[2] for _, line in prose(text) if (match := _HEADING.match(line))]


def anchors(text: str) -> set[str]:
    """The fragments a link may name, made as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(text)}


def links(text: str) -> list[tuple[int, str]]:
    """The targets of all links and pictures outside blocks, with their line."""
    return [(number, target) for number, line in prose(text) for target in _LINK.findall(line)]


def rows(text: str) -> list[tuple[str, ...]]:
    """The cells of all table rows, stripped; rulers left out."""
    lines = [line.strip() for _, line in prose(text) if line.strip().startswith("|")]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [row for row in cells if not all(set(cell) <= set(":- ") for cell in row)]
