"""What the figures were taken on: printed with every run, because they mean nothing without it."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import native


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, this, *_ = line.split()
        inside = path.is_relative_to(mount)
        if inside and len(mount) >= len(best):
            best, kind = mount, this
    return kind


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _our_sqlite() -> str:
    try:
        import pysqlite3
    except ImportError:
        return sqlite3.sqlite_version
    return str(pysqlite3.sqlite_version)


def _commit() -> str:
    command = ["git", "-C", str(native.HERE.parent), "rev-parse", "--short", "HEAD"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def describe() -> dict[str, str]:
    """Facts about machine, interpreter and libraries; no host name, no user name, no path."""
    configured = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    optimised = "PGO" if "--enable-optimizations" in configured else "no PGO"
    packages = ("uvicorn", "uvloop", "httptools", "flask", "orjson", "python-liquid")
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "file system": file_system(native.CACHE),
        "python": f"{platform.python_version()} ({optimised})",
        "sqlite": f"{_our_sqlite()} (ours), {sqlite3.sqlite_version} (floor and stock)",
        "packages": ", ".join(f"{name} {_version(name)}" for name in packages),
        "commit": _commit(),
    }
