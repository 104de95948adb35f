"""Pictures that customers send, made anew by `connector.photos.darkroom` in a process of its own.

Whatever a file does there (a bomb, a decoder's bug, an endless loop) ends that process and is a fault of the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field

MOST_BYTES = 8 << 20
"""Of one file: what a phone's camera makes is 2 to 6 MB."""
FAULTS = ("broken", "large", "moving", "heavy", "busy")
"""No picture we can read; more than 20 million pixels; a film; more than `MOST_BYTES`; too many at this moment."""
_WALL = 40
_AT_ONCE = 2
_PATIENCE = 20.0
_rooms = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Developed:
    """A picture and a small one, JPEG."""

    width: int
    height: int
    picture: bytes = field(repr=False)
    small: bytes = field(repr=False)


def develop(source: bytes) -> Developed | str:
    """The picture made anew, or a word of `FAULTS`. Takes half a second and up to half a gigabyte for a moment, so only
    so many are worked on at once; call it outside any transaction."""
    if len(source) > MOST_BYTES:
        return "heavy"
    if not _rooms.acquire(timeout=_PATIENCE):
        return "busy"
    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-m", "connector.photos.darkroom"],
            input=source,
            capture_output=True,
            timeout=_WALL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "broken"
    finally:
        _rooms.release()
    return _read(ended.stdout) if ended.returncode == 0 else "broken"


def _read(said: bytes) -> Developed | str:
    line, _, rest = said.partition(b"\n")
    told = json.loads(line)
    if "fault" in told:
        return str(told["fault"])
    length = int(told["picture"])
    return Developed(width=told["width"], height=told["height"], picture=rest[:length], small=rest[length:])
