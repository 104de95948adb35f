"""What the machine says about itself: disks, file systems, files, SQLite. Tests put another in its place."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from connector.store.sqlite import sqlite_library

_MOUNTS = Path("/proc/self/mounts")


class Machine:
    """The one we run on."""

    def free(self, folder: Path) -> tuple[int, int]:
        """Free bytes and all bytes of the disk a folder is on."""
        usage = shutil.disk_usage(folder)
        return usage.free, usage.total

    def file_system(self, folder: Path) -> str:
        """The type of the file system (`ext4`, `tmpfs`, `nfs4`), empty where the system does not say."""
        try:
            lines = _MOUNTS.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        place, found = str(folder.resolve()), ("", "")
        for line in lines:
            _, mount, kind, *_ = line.split(" ")
            mount = mount.encode().decode("unicode_escape")
            inside = place == mount or place.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(found[0]):
                found = (mount, kind)
        return found[1]

    def open_to_others(self, path: Path) -> bool:
        """Whether a file can be read or written by anybody but its owner."""
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)

    def writable(self, folder: Path) -> bool:
        return os.access(folder, os.W_OK)

    def sqlite(self) -> tuple[str, bool]:
        """The library's version and whether it is free of the WAL-reset bug (promises.md finding 2)."""
        return sqlite_library()
