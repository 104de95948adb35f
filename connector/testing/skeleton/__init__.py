"""A package for a new platform to begin with: `kiitos adapters new`. It works, for a platform that does not exist."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template

from connector import __version__

NAME = re.compile(r"(?=.{2,30}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
"""Names that are safe as a folder, a distribution, a part of a module's name and a platform in app.toml."""

_SUFFIX = ".tmpl"


def write_skeleton(name: str, folder: Path) -> list[Path]:
    """Write the package kiitos-NAME into `folder`, which must not exist; the files written, sorted.

    Raises `FileExistsError` when the folder is there: nothing is ever overwritten.
    """
    words = {
        "name": name,
        "package": f"kiitos_{name.replace('-', '_')}",
        "Class": "".join(part.capitalize() for part in name.split("-")),
        "version": __version__,
    }
    folder.mkdir(parents=True)
    written = []
    for path, source in _templates(files(__package__) / "files", PurePosixPath()):
        target = folder / str(path).replace("package/", f"{words['package']}/", 1).removesuffix(_SUFFIX)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(source.read_text("utf-8")).substitute(words), "utf-8")
        written.append(target)
    return sorted(written)


def _templates(root: Traversable, at: PurePosixPath) -> list[tuple[PurePosixPath, Traversable]]:
    found = []
    for entry in root.iterdir():
        if entry.is_dir():
            found += _templates(entry, at / entry.name)
        elif entry.name.endswith(_SUFFIX):
            found.append((at / entry.name, entry))
    return found
