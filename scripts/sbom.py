"""Write the software bills of materials (CycloneDX 1.6, JSON) of what the locks install: `make sbom`.

One for the wheel with what it needs, one for the container image, which has the extras. The same lock gives the same
bytes: no time and no serial number.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = {"kiitos.cdx.json": "requirements.lock", "kiitos-image.cdx.json": "requirements-image.lock"}
"""The lock of each bill."""


def write(target: Path, lock: str) -> None:
    """Write the bill of one lock."""
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("cyclonedx-py")), "requirements", str(ROOT / lock)]
    options = ["--output-reproducible", "--spec-version", "1.6", "--output-format", "JSON"]
    project = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"]
    subprocess.run([*command, *options, *project, "--output-file", str(target)], check=True)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    for name, lock in LOCKS.items():
        write(folder / name, lock)
        sys.stdout.write(f"{name} is written\n")
