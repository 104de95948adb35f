"""Telling systemd how a process stands (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Systemd:
    """Speaks where systemd listens (`NOTIFY_SOCKET`), else does nothing. `interval` is how often it wants to hear that
    we live, in seconds; `None` where it does not ask."""

    def __init__(self, environ: Mapping[str, str] | None = None, pid: int | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._address = environ.get("NOTIFY_SOCKET", "")
        asked, whose = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        ours = not whose or whose == str(pid or os.getpid())
        self.interval = int(asked) / 1e6 / 2 if asked.isdigit() and ours else None

    def ready(self) -> None:
        self._say("READY=1")

    def alive(self, status: str) -> None:
        """We live and get on; `status` is one line for `systemctl status`."""
        self._say(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.sendto(text.encode(), address)
        except OSError:
            return  # systemd went away; it will ask again when it is back
