"""Small files that several processes may want to make at once: each stands there whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_first(path: Path, text: str) -> bool:
    """Write a missing file, readable by its owner only; its folder is made too. False when another process was first:
    then what stands there is theirs, and complete. What exists is never changed.

    Written under its own name, a file is there before its content is: a second process that starts at the same moment
    would read an empty key. Raises `OSError` when it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
    try:
        _write(handle, text)
        first = _put_in_place(draft, path, text)
    finally:
        Path(draft).unlink(missing_ok=True)
    # Also where another was first: what is sealed with its key must not be on the disk before the key is.
    sync(path.parent)
    return first


def _put_in_place(draft: str, path: Path, text: str) -> bool:
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: private and never overwritten at least
        try:
            _write(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), text)
        except FileExistsError:
            return False
    return True


def _write(handle: int, text: str) -> None:
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Bring a file that somebody else wrote to the disk, or the names in a folder: a file whose name is not there is
    gone after a power cut, whatever it held. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
