"""Builds the C parts on first use into .cache/bench; says in one line why a part is missing and what stands in."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "bench"

_HEADER_PACKAGES = {"sqlite3.h": "libsqlite3-dev", "openssl/hmac.h": "libssl-dev", "zstd.h": "libzstd-dev"}


@dataclass(frozen=True, slots=True)
class Part:
    """One C source: what it is built with, and what is used when it cannot be built."""

    name: str
    stand_in: str
    flags: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    suffix: str = ""


PARTS = {
    part.name: part
    for part in (
        Part("lg", "the asyncio generator (slower: expect 'generator-bound')"),
        Part("sink", "the asyncio sink"),
        Part("fsyncdelay", "nothing: the slow-disk phase is left out", ("-shared", "-fPIC"), ("-ldl",), suffix=".so"),
        Part(
            "floor",
            "the Python floor (sqlite3 + hmac), which is lower than the machine's",
            ("-Wno-deprecated-declarations",),
            ("-lcrypto", "-lsqlite3", "-lzstd", "-lpthread"),
            ("sqlite3.h", "openssl/hmac.h", "zstd.h"),
        ),
    )
}


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")


def _has_header(compiler: str, header: str) -> bool:
    probe = f"#include <stdio.h>\n#include <{header}>\n"
    run = subprocess.run([compiler, "-E", "-x", "c", "-"], input=probe.encode(), capture_output=True, check=False)
    return run.returncode == 0


def _install_headers(missing: list[str]) -> str:
    """Tries apt when we are root; returns why it did not work, or nothing."""
    packages = [_HEADER_PACKAGES[header] for header in missing]
    wanted = f"needs {', '.join(packages)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return f"{wanted} (install them, or run as root where apt-get exists)"
    print(f"bench: installing {' '.join(packages)}")
    run = subprocess.run(["apt-get", "install", "-y", "-qq", *packages], capture_output=True, check=False)
    return "" if run.returncode == 0 else f"{wanted}, and apt-get could not install them"


def _why_not(part: Part, compiler: str | None) -> str:
    if compiler is None:
        return "there is no C compiler"
    missing = [header for header in part.headers if not _has_header(compiler, header)]
    return _install_headers(missing) if missing else ""


def build(name: str, source_dir: Path = HERE, cache: Path = CACHE) -> Path | None:
    """The built program or library; `None` after saying in one line why not.

    The file name carries a hash of the source, so an edited source is built anew and an old build is never run.
    Raises `RuntimeError` with the compiler's words when the source itself does not compile.
    """
    part = PARTS[name]
    source = source_dir / f"{name}.c"
    digest = hashlib.sha256(source.read_bytes() + repr(part).encode()).hexdigest()[:12]
    target = cache / "bin" / f"{name}-{digest}{part.suffix}"
    if target.exists():
        return target
    compiler = _compiler()
    reason = _why_not(part, compiler)
    if reason or compiler is None:
        print(f"bench: {name}: {reason}; using {part.stand_in}")
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".tmp")
    command = [compiler, "-O2", "-Wall", *part.flags, "-o", str(fresh), str(source), *part.libraries]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{source} does not compile: {run.stderr.strip()[:2000]}")
    fresh.rename(target)
    return target
