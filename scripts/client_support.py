"""Make flows/render/client_support.json from a checkout of https://github.com/hteumeuleu/caniemail (MIT licence).

    python scripts/client_support.py CHECKOUT COMMIT DATE

Kept are the features that `flows.render.inspection` can see in a finished message (elements, and properties of style
attributes) and that some client lacks: each that does, with the versions that do not show it. Of a client
the newest version that was tested counts, of Outlook for Windows every version, because each of them is still in use.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent.parent / "flows" / "render" / "client_support.json"
_STATS = re.compile(r"^stats:\s*\{(.*)", re.DOTALL | re.MULTILINE)
_TOKEN = re.compile(r'[{}]|"([^"]*)"|([\w.-]+)')  # commas and colons are sometimes missing there
_PROPERTY = re.compile(
    r"css-(?!at-|pseudo-|selector-|unit-|function-|modern-|nesting|comments|important|variables)(.+)"
)
_SAME = (
    "abbr acronym address audio base bdi blockquote code del dfn dialog div form hr img link marquee meter object p"
    " picture pre progress rp rt ruby select small span strike strong style svg table textarea video wbr"
)
"""Elements whose feature has their name."""
_ELEMENTS = {
    **{name: f"<{name}>" for name in _SAME.split()},
    "input-text": "<input>",
    "button-submit": "<button>",
    "lists": "<ul>",
    "h1-h6": "<h1>",
}
_EVERY_VERSION = ("outlook", "windows")


def stats_of(text: str) -> dict[str, dict[str, dict[str, str]]]:
    """The table of a feature's file: family to platform to version to mark."""
    found = _STATS.search(text)
    if found is None:
        return {}
    table: dict[str, dict[str, dict[str, str]]] = _table(token[0] for token in _TOKEN.finditer(found[1]))
    return table


def _table(tokens: Iterator[str]) -> dict[str, Any]:
    """What stands between braces, the first of which was read."""
    table: dict[str, Any] = {}
    while (key := next(tokens)) != "}":
        value = next(tokens)
        table[key.strip('"')] = _table(tokens) if value == "{" else value.strip('"')
    return table


def lacking(stats: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    """`family platform` to the versions that do not show it, as they were tested."""
    found: dict[str, str] = {}
    for family, platforms in stats.items():
        for platform, versions in platforms.items():
            looked_at = versions if (family, platform) == _EVERY_VERSION else list(versions)[-1:]
            without = [version for version in looked_at if versions[version].startswith("n")]
            if without:
                found[f"{family} {platform}"] = " ".join(without)
    return found


def name_of(stem: str) -> str | None:
    """How the checker knows a feature: `<svg>`, `position`, `display:flex`; `None` for what it does not see."""
    if (property_ := _PROPERTY.fullmatch(stem)) is not None:
        return re.sub("^display-", "display:", property_[1])
    return _ELEMENTS.get(stem.removeprefix("html-"))


def main(checkout: Path, commit: str, date: str) -> None:
    features: dict[str, dict[str, str]] = {}
    clients: set[str] = set()
    for path in sorted((checkout / "_features").glob("*.md")):
        name = name_of(path.stem)
        stats = stats_of(path.read_text("utf-8"))
        marks = lacking(stats) if name else {}
        if name and marks:
            features[name] = marks
        clients |= {f"{family} {each}" for family, platforms in stats.items() for each in platforms}
    head = {
        "source": f"https://github.com/hteumeuleu/caniemail at {commit[:12]}, {date}",
        "licence": "MIT, Copyright (c) 2019 Rémi Parmentier; the text is in NOTICE",
        "clients": sorted(clients),
    }
    lines = [f" {json.dumps(name)}: {json.dumps(marks)}" for name, marks in features.items()]
    told = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    OUT.write_text(told + ',\n "features": {\n' + ",\n".join(lines) + "\n}}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
