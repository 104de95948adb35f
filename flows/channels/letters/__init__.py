"""Letters and cards for a print house: a PDF each, into a folder or over SFTP, and a line in a manifest.

A letter is known by its message's key: the same key is the same file, and what was handed over once is remembered
beside the files (`.sent`), so that a repetition prints nothing even after the print house took them away.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from connector.clock import Clock
from connector.contracts import Accepted, Channel, Message, Outcome, Rejected, Retry
from connector.contracts.channel import OnWire, Scope
from connector.errors import ConfigError, Refused, near
from connector.lists.spreadsheet import guard
from flows.channels.letters.document import PAPERS, Layout, make_pdf
from flows.channels.letters.places import Folder, Place, Sftp
from flows.channels.posted import known_keys, text_of

MANIFEST = "manifest.csv"
COLUMNS = ("file", "pages", "country", "address", "template", "shop", "at")
MOST_PAGES = 4
_KEYS = ("folder", "host", "port", "username", "password", "key_file", "host_key", "path", "paper", "window", "logo")
_PAUSE = 300.0


class Letters(Channel):
    """One print house. A message's content is what `flows.forms.letter` made."""

    name: ClassVar[str] = "letters"
    medium: ClassVar[str] = "print"
    idempotent_for: ClassVar[float] = 30 * 86400.0
    marks_wire: ClassVar[bool] = True

    def __init__(self, clock: Clock, place: Place, layout: Layout) -> None:
        self._clock = clock
        self._place = place
        self._layout = layout

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Letters:
        """`folder`, or `host`, `username`, `host_key` and `password` or `key_file`; `paper`, `window`, `logo`. Raises
        `ConfigError`."""
        known_keys("letters", settings, _KEYS)
        missing = [name for name in ("weasyprint", "paramiko") if find_spec(name) is None]
        if missing:
            raise ConfigError(f"letters need {' and '.join(missing)}; install kiitos[print]", where="kind")
        paper = text_of(settings, "paper") or "A4"
        if paper not in PAPERS:
            raise ConfigError(f"no paper '{paper}'{near(paper, PAPERS)}; one of {', '.join(PAPERS)}", where="paper")
        window = text_of(settings, "window")
        if window not in ("", "left", "right"):
            raise ConfigError("should be left or right, as the envelope's window is", where="window")
        logo = Path(text_of(settings, "logo")) if settings.get("logo") else None
        if logo is not None and not logo.is_file():
            raise ConfigError("there is no such file", where="logo")
        return cls(clock, _place(settings), Layout(paper=paper, window=window, logo=logo))

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One outcome a letter, in order. While the place cannot be reached the rest waits."""
        closed = ""
        for message in messages:
            if closed:
                yield Retry(key=message.key, text=closed, after=_PAUSE, scope=Scope.ACCOUNT)
                continue
            try:
                yield self._send(message, on_wire)
            except OSError as error:
                # Nothing is lost by trying again: the same key is the same file, and a line is written once.
                closed = f"the print house's folder cannot be written ({type(error).__name__})"
                yield Retry(key=message.key, text=closed, after=_PAUSE, scope=Scope.ACCOUNT)

    def close(self) -> None:
        self._place.close()

    def _send(self, message: Message, on_wire: OnWire | None) -> Outcome:
        name = f"{message.key}.pdf"
        if self._place.exists(f".sent/{message.key}"):
            return Accepted(key=message.key, provider_id=name)
        told = json.loads(message.content)
        try:
            pdf, pages = make_pdf(told, self._layout)
        except Refused as error:
            return Rejected(key=message.key, code=error.provider_code or error.code, text=error.message)
        if pages > MOST_PAGES:
            text = f"the letter has {pages} pages; {MOST_PAGES} are allowed"
            return Rejected(key=message.key, code="too_long", text=text)
        if on_wire is not None:
            on_wire(message.key)
        self._place.put(name, pdf)
        self._place.add_line(MANIFEST, _row(COLUMNS), self._line(message, told, pages), unless=name)
        self._place.put(f".sent/{message.key}", b"")
        return Accepted(key=message.key, provider_id=name)

    def _line(self, message: Message, told: Mapping[str, Any], pages: int) -> str:
        at = f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}"
        lines = " / ".join(told["lines"])
        return _row((f"{message.key}.pdf", str(pages), told["country"], lines, told["template"], message.shop_id, at))


def _row(cells: Iterable[str]) -> str:
    """One line of CSV. A cell that a spreadsheet would take for a formula is made text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([guard(cell) for cell in cells])
    return out.getvalue()


def _place(settings: Mapping[str, object]) -> Place:
    folder, host = text_of(settings, "folder"), text_of(settings, "host")
    if bool(folder) == bool(host):
        raise ConfigError("set either folder or host (SFTP)", where="folder")
    if folder:
        return Folder(Path(folder))
    port = settings.get("port", 22)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ConfigError("should be a port's number", where="port")
    return Sftp(
        host=host,
        port=port,
        username=text_of(settings, "username", needed="the name to sign in with"),
        password=text_of(settings, "password"),
        key_file=text_of(settings, "key_file"),
        host_key=text_of(settings, "host_key", needed="the server's key, a line of ssh-keyscan without the name"),
        path=text_of(settings, "path") or ".",
    )
