"""A PostgreSQL of the bench's own: the system's programs, a private cluster on a socket, synced as in production."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPTIONS = (
    "listen_addresses=''", "max_connections=60", "shared_buffers=512MB", "max_wal_size=4GB", "synchronous_commit=on",
)  # fmt: skip


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, the newest version's; `None` where there is none."""
    found = {}
    for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"):
        version = re.search(r"/(\d+)/bin$", str(path.parent))
        found[int(version[1]) if version else 0] = path.parent
    if found:
        return found[max(found)]
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextmanager
def postgres(where: Path) -> Iterator[str]:
    """Address of a fresh cluster in `where`, which lies on the real disk; stopped and left behind at the end.

    Raises `RuntimeError` where PostgreSQL is not installed or does not start.
    """
    folder = programs()
    if folder is None:
        raise RuntimeError("PostgreSQL is not installed (scripts/postgres.sh)")
    owner = "postgres" if os.geteuid() == 0 else None
    data, socket = where / "postgres", Path("/tmp") / f"kiitos-bench-{os.getpid()}"  # a socket's path must be short
    for made in (data, socket):
        made.mkdir(parents=True)
        if owner:
            shutil.chown(made, owner)
    closed = next((parent for parent in data.parents if not parent.stat().st_mode & 0o001), None)
    if owner and closed is not None:
        raise RuntimeError(f"PostgreSQL's own user cannot get into a folder named {closed.name}: make it o+x")
    options = " ".join(f"-c {option}" for option in (*_OPTIONS, f"unix_socket_directories='{socket}'"))
    try:
        _run(owner, socket, folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        _run(owner, socket, folder / "pg_ctl", "-D", data, "-l", data / "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={socket}"
        finally:
            _run(owner, socket, folder / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(socket, ignore_errors=True)


def _run(owner: str | None, folder: Path, *command: str | Path) -> None:
    run = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=folder,
        user=owner,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )
    if run.returncode:
        raise RuntimeError(f"{Path(str(command[0])).name} failed with {run.returncode}")
