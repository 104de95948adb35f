"""Who said no, or cannot be reached, kept beside the send ledger: a restored database must heed it again.

Unsubscribed by link or page, STOP, a pause, a bounce, a complaint, a block by hand. A line is on the disk (fsync)
before the transaction that stores the same commits, by `Database.outside`. One file a month, `refused-YYYYMM.list`;
addresses are keyed hashes under the installation's salt, as in the table `erasures`. Lines:

    N <unix seconds> <shop> <hash> <channel> <scope> <reason>
    Y <unix seconds> <shop> <hash> <channel> <scope>             taken back
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

from connector.clock import Clock
from connector.config import Config
from connector.log import get_log
from connector.model import Channel
from connector.store import privacy
from connector.store.refused import Refusal
from connector.store.store import Store
from connector.whole import sync

_NAME = re.compile(r"refused-(\d{6})\.list")

log = get_log("refusals")


class Refusals:
    """One process's writer. `keep` is how long lines stay."""

    def __init__(self, folder: Path, salt: bytes, clock: Clock, keep: timedelta) -> None:
        self._folder = folder
        self._salt = salt
        self._clock = clock
        self._keep = keep

    def note(self, noted: Sequence[Refusal]) -> None:
        """Write what a transaction is about to commit.

        A disk that takes no line stops no transaction: that somebody said no must be stored whatever happens. It is
        logged, and nothing is sent from this machine either (`connector.send_ledger` writes to the same folder).
        """
        lines = "".join(f"{self._line(one)}\n" for one in noted)
        path = self._folder / f"refused-{self._clock.now():%Y%m}.list"
        try:
            new = not path.exists()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                # A new line before the first: one that was cut short by a power cut then stands alone.
                os.write(handle, f"\n{lines}".encode("ascii"))
                os.fsync(handle)
            finally:
                os.close(handle)
            if new:
                self._begin()
        except OSError as error:
            log.error("refusal_not_noted", lines=len(noted), error=type(error).__name__)

    def _line(self, one: Refusal) -> str:
        key = one.address_key.removeprefix("#")
        if key == one.address_key:
            kind = "email" if one.channel.by_email else "phone"
            key = privacy.key_of(self._salt, one.shop_id, kind, one.address_key)
        words = [str(int((one.at or self._clock.now()).timestamp())), one.shop_id, key, one.channel.value, one.scope]
        words = [*("N", *words, one.reason)] if one.reason else ["Y", *words]
        return " ".join(quote(word, safe=":-_.") for word in words)

    def _begin(self) -> None:
        """A month's first line: its name is on the disk, and the oldest months go."""
        sync(self._folder)
        oldest = f"{self._clock.now() - self._keep:%Y%m}"
        for path in self._folder.glob("refused-*.list"):
            if (found := _NAME.fullmatch(path.name)) and found[1] < oldest:
                with contextlib.suppress(OSError):
                    path.unlink()


def keep_refusals(store: Store, config: Config, salt: bytes, clock: Clock) -> None:
    """From now on what people say no to in this store is noted, where there is a folder for it."""
    folder = config.ledger_folder
    if folder is not None:
        store.work.outside = Refusals(folder, salt, clock, config.ledger_keep).note


def read_refusals(folders: Iterable[Path], since: datetime) -> list[Refusal]:
    """What was said since then, on any machine, the last word of each; what was taken back is left out.

    `address_key` is the hash. Lines that make no sense are counted in the log.
    """
    last: dict[tuple[str, str, Channel, str], Refusal] = {}
    for at, one in sorted(_lines(folders), key=lambda each: each[0]):
        if at >= since.replace(microsecond=0):
            last[one.shop_id, one.address_key, one.channel, one.scope] = one
    return [one for one in last.values() if one.reason]


def _lines(folders: Iterable[Path]) -> Iterator[tuple[datetime, Refusal]]:
    strange = 0
    for folder in folders:
        for path in sorted(folder.glob("refused-*.list")):
            for line in path.read_text("ascii", errors="replace").splitlines():
                kind, *words = (unquote(word) for word in line.split(" "))
                if not line:
                    continue
                if (kind, len(words)) not in (("N", 6), ("Y", 5)) or not words[0].isdecimal():
                    strange += 1
                    continue
                at = datetime.fromtimestamp(int(words[0]), UTC)
                said = Refusal(
                    shop_id=words[1],
                    address_key=words[2],
                    channel=Channel.of(words[3]),
                    scope=words[4],
                    reason=words[5] if kind == "N" else "",
                    at=at,
                )
                yield at, said
    if strange:
        log.error("refusal_lines_unreadable", lines=strange)
