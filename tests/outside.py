"""A package outside the tree made visible as an installation would: its dist-info on a path, from its own pyproject."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def install(package: Path, site: Path) -> Path:
    """What `pip install -e` would leave: a dist-info with the entry points, and a link to the package. No network.

    Put `site` on PYTHONPATH (`environ_with`) and the package is installed for that process, and only through its
    entry points.
    """
    with (package / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    module = project["name"].replace("-", "_")
    info = site / f"{module}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text(points)
    (site / module).symlink_to(package.resolve() / module, target_is_directory=True)
    return site


def environ_with(site: Path, **more: str) -> dict[str, str]:
    """The environment of a process that finds what `install` made visible, and this checkout."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), **more}
