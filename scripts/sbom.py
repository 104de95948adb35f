"""Write the software bill of materials (CycloneDX 1.6, JSON) of what requirements.lock installs: `make sbom`.

The same lock gives the same bytes: no time and no serial number.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def write(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("cyclonedx-py")), "requirements", str(ROOT / "requirements.lock")]
    options = ["--output-reproducible", "--spec-version", "1.6", "--output-format", "JSON"]
    project = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"]
    subprocess.run([*command, *options, *project, "--output-file", str(target)], check=True)


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / "kiitos.cdx.json"
    write(chosen)
    sys.stdout.write(f"{chosen.name} is written\n")
